"""The examples run as they stand, in little time."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from dnabert_hf import DNABertForSequenceClassification, predict
from dnabert_hf.training.benchmark.manifest import read_manifest
from dnabert_hf.training.benchmark.run import benchmark
from dnabert_hf.training.benchmark.suite_yaml import read_suite

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_example_is_run_here():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == [
        "finetune_with_trainer.py",
        "islands_base_by_base.py",
        "promoters_of_a_genome.py",
        "ray_benchmark.py",
        "ray_parquet.py",
        "ray_predict.py",
        "score_a_variant.py",
    ]


@pytest.mark.parametrize(
    ("name", "words", "last_line"),
    [
        ("finetune_with_trainer", ["--steps", "2"], "accuracy on 400 simulated sequences after 2"),
        ("islands_base_by_base", ["--steps", "2"], "bases of islands and of what was found that"),
        ("promoters_of_a_genome", ["--steps", "2"], "test MCC after 2 steps: "),
        ("score_a_variant", ["ACGTTGCAACGTAG"], "      13  G "),
    ],
)
# The Trainer of transformers pins memory whether there is a GPU or not.
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning")
def test_an_example_runs(name, words, last_line, monkeypatch, capsys):
    path = EXAMPLES / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), *words])
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.splitlines()[-1].startswith(last_line)


@pytest.fixture
def shared(tiny_config, tokenizer, tmp_path):
    """Folder with a model, sequences and what one process writes."""
    DNABertForSequenceClassification(tiny_config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    lines = [f">s{i}\n{'ACGTTGCA'[i % 8 :]}GATTACA\n" for i in range(5000)]
    (tmp_path / "in.fa").write_text("".join(lines))
    whole = tmp_path / "whole.tsv"
    predict(tmp_path / "model", tmp_path / "in.fa", output=whole, dtype="float32")
    return tmp_path


@pytest.mark.slow  # Ray takes its time to start and to stop
def test_ray_tasks_write_the_file_of_one_process(shared):
    pytest.importorskip("ray", reason="ray is not installed")
    arguments = [shared / name for name in ("model", "in.fa", "out.tsv")]
    result = subprocess.run(
        [sys.executable, EXAMPLES / "ray_predict.py", *arguments],
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"5000 sequences in {arguments[-1]}"
    assert (shared / "out.tsv").read_bytes() == (shared / "whole.tsv").read_bytes()


@pytest.mark.slow
def test_ray_data_loses_nothing_when_a_worker_is_killed(shared):
    pytest.importorskip("ray", reason="ray is not installed")
    model, table, output, whole = (
        shared / name for name in ("model", "in.parquet", "out.parquet", "whole.parquet")
    )
    generator = np.random.default_rng(0)
    dna = ["".join(generator.choice(list("ACGT"), n)) for n in generator.integers(8, 90, 400)]
    ids = [f"s{i}" for i in range(len(dna))]
    parquet.write_table(pa.table({"id": ids, "sequence": dna, "label": ids}), table)
    predict(model, table, output=whole, dtype="float32")
    note = shared / "killed"
    result = subprocess.run(
        [sys.executable, Path(__file__).with_name("ray_killed_worker.py"),
         model, table, output, note],
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert note.exists()
    # Ray keeps no order of what a dead worker's successor computes.
    found, wanted = (parquet.read_table(path).sort_by("id").to_pydict() for path in (output, whole))
    assert [*found] == [*wanted]
    assert found["id"] == wanted["id"] == sorted(ids)
    for name in (each for each in wanted if each.startswith("prob_")):
        assert found[name] == pytest.approx(wanted[name], abs=1e-5)
    assert found["label"] == wanted["label"]


@pytest.mark.slow
def test_ray_runs_the_data_sets_of_a_benchmark(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed")
    generator = np.random.default_rng(0)
    names = [f"set {number}" for number in range(3)]
    for name in names:
        dna = ["".join(each) for each in generator.choice(list("ACGT"), (60, 30))]
        rows = [f"{s}\t{i % 2}\t{'train' if i < 40 else 'test'}\n" for i, s in enumerate(dna)]
        (tmp_path / f"{name}.tsv").write_text("sequence\tlabel\tsplit\n" + "".join(rows))
    table = "".join(f"{name}\t{name}.tsv\n" for name in names)
    (tmp_path / "sets.tsv").write_text("name\tpath\n" + table)
    (tmp_path / "suite.yaml").write_text(
        "data: {none: none.tsv}\nmodels: {regression: {init: kmers, k: 3}}\nseeds: [0]\n"
    )
    arguments = [tmp_path / name for name in ("suite.yaml", "sets.tsv", "results")]
    command = [sys.executable, EXAMPLES / "ray_benchmark.py", *arguments, "--workers", "2"]
    for _ in range(2):  # the second time nothing is left to do
        result = subprocess.run(
            command, env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
    # Ray keeps no order of tasks; the report has that of the table.
    lines = (tmp_path / "results" / "scores.tsv").read_text().splitlines()[1:]
    assert [line.split("\t")[0] for line in lines] == names
    whole = benchmark(
        read_suite(tmp_path / "suite.yaml", sets=read_manifest(tmp_path / "sets.tsv")),
        tmp_path / "whole",
    )
    assert [f"{score:.6f}" for score in whole.values()] == [each.split("\t")[5] for each in lines]


# Stands for Slurm: runs the tasks of an array one after the other, then what depends on them.
SBATCH = """#!/bin/bash
while [ $# -gt 0 ]; do case $1 in
    --array) last=${2#0-}; shift 2;;
    --parsable|--requeue) shift;;
    --wrap) bash -c "$2"; exit;;
    --*) shift 2;;
    *) break;;
esac; done
for task in $(seq 0 "$last"); do SLURM_ARRAY_TASK_ID=$task bash "$@" >&2; done
echo 7
"""


@pytest.mark.slow  # three commands, one after the other
def test_an_array_job_writes_the_file_of_one_process(shared):
    sbatch = shared / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(SBATCH)
    sbatch.chmod(0o755)
    path = os.pathsep.join(
        [str(sbatch.parent), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
    )
    arguments = [shared / name for name in ("model", "in.fa", "out.tsv")]
    result = subprocess.run(
        ["bash", EXAMPLES / "slurm_array.sh", *arguments, "2"],
        env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "5,000 rows" in result.stderr
    assert (shared / "out.tsv").read_bytes() == (shared / "whole.tsv").read_bytes()
