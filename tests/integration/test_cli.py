import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from pyarrow import parquet
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification
from dnabert_hf.cli.main import app

DNABERT = Path(sys.executable).with_name("dnabert")


@pytest.fixture
def model(tiny_config, tokenizer, tmp_path):
    tiny_config.id2label = {0: "none", 1: "donor"}
    tiny_config.label2id = {"none": 0, "donor": 1}
    path = tmp_path / "model"
    DNABertForSequenceClassification(tiny_config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "in.fa"
    path.write_text(">a first\nACGTACGTNACGT\n>b\nTTTGGGACAC\n")
    return path


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def dnabert(*arguments, **options):
    """Run the console script as users do."""
    command = [DNABERT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=300, check=False, **options)


def error_of(result):
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    # Progress bars of transformers end in line breaks of their own here.
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("dnabert ")]
    return line


def test_help_shows_every_command_and_loads_nothing_heavy():
    begin = time.perf_counter()
    result = dnabert("--help")
    seconds = time.perf_counter() - begin
    assert result.returncode == 0
    for command in ("tokenize", "finetune", "evaluate", "predict", "embed"):
        assert command in result.stdout.decode()
    code = (
        "import sys; import dnabert_hf_command; import dnabert_hf.cli.main; "
        "print([m for m in ('torch', 'transformers', 'datasets', 'pyarrow') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert loaded.stdout.decode().strip() == "[]"
    assert seconds < 30  # a machine may be busy; the list above is the real check


@pytest.mark.parametrize("command", ["tokenize", "evaluate", "predict", "embed", "join"])
def test_help_of_a_command_has_an_example(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Example:\s+dnabert {command} ", result.stdout)
    assert "Compute" in result.stdout or command in ("tokenize", "join")


def test_tokenize_writes_ids_or_kmers(fasta):
    fasta.write_text(">a\nATGGCT\n")
    assert run("tokenize", fasta, "--k", 3).stdout == "id\tinput_ids\na\t2 12 36 67 62 3\n"
    assert run("tokenize", fasta, "--k", 3, "--kmers").stdout == "id\tkmers\na\tATG TGG GGC GCT\n"
    assert run("tokenize", fasta, "--k", 3).stderr.endswith("1 sequence\n")


def test_predict_writes_a_table_to_standard_output(model, fasta):
    result = run("predict", model, fasta)
    assert result.exit_code == 0
    header, *rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert header == ["id", "label", "prob_none", "prob_donor"]
    assert [row[0] for row in rows] == ["a", "b"]
    for row in rows:
        assert sum(map(float, row[2:])) == pytest.approx(1, abs=1e-5)


def test_predict_takes_sequences_themselves(model, fasta, tmp_path):
    fasta.write_text(">0\nACGTACGT\n>1\nTTTTGA\n")
    of_file = run("predict", model, fasta).stdout
    typed = run("predict", model, "--sequence", "acgtacgt", "--sequence", "TTTTGA")
    assert typed.stdout == of_file
    assert typed.stderr.endswith("2 sequences\n")
    assert "found neither" in error_of(run("predict", model))
    assert "found both" in error_of(run("predict", model, fasta, "--sequence", "ACGT"))
    assert "'!'" in error_of(run("predict", model, "--sequence", "ACG!"))


def test_predict_reads_columns_by_name(model, tmp_path):
    table = tmp_path / "in.csv"
    table.write_text("name,dna\nx,ACGTAC\n")
    options = ("--sequence-column", "dna", "--id-column", "name")
    assert run("predict", model, table, *options).stdout.splitlines()[1].startswith("x\t")
    assert "found name, dna" in error_of(run("predict", model, table)).replace("'", "")


def test_predict_replaces_an_output_only_when_told(model, fasta, tmp_path):
    output = tmp_path / "out.tsv"
    assert run("predict", model, fasta, "-o", output).exit_code == 0
    first = output.read_bytes()
    assert "must not exist yet" in error_of(run("predict", model, fasta, "-o", output))
    output.write_text("old")
    assert run("predict", model, fasta, "-o", output, "--overwrite").exit_code == 0
    assert output.read_bytes() == first


def test_shards_are_joined(model, fasta, tmp_path):
    whole, shared = tmp_path / "whole.tsv", tmp_path / "shared.tsv"
    assert run("predict", model, fasta, "-o", whole).exit_code == 0
    assert (
        "no shard has come"
        not in run("predict", model, fasta, "-o", shared, "--shard", "1/2").stderr
    )
    assert "found that 1 are missing (0)" in error_of(run("join", shared))
    assert run("predict", model, fasta, "-o", shared, "--shard", "0/2").exit_code == 0
    result = run("join", shared)
    assert (result.exit_code, result.stderr) == (0, "2 rows\n")
    assert shared.read_bytes() == whole.read_bytes()
    assert "must be written I/N" in error_of(
        run("predict", model, fasta, "--shard", "2", "-o", "x")
    )


def test_embed_writes_parquet(model, fasta, tmp_path):
    output = tmp_path / "out.parquet"
    assert run("embed", model, fasta, "-o", output, "--pooling", "base").exit_code == 0
    rows = parquet.read_table(output).to_pylist()
    assert [(row["id"], len(row["embedding"])) for row in rows] == [("a", 13), ("b", 10)]


def test_evaluate_prints_and_writes_scores(model, tmp_path):
    data = tmp_path / "d.tsv"
    data.write_text("sequence\tlabel\nACGTAC\tdonor\nTTTTGA\tnone\nGGGGA\tdonor\n")
    output = tmp_path / "metrics.json"
    result = run("evaluate", model, data, "-o", output)
    assert result.exit_code == 0
    printed = dict(line.split("\t") for line in result.stdout.splitlines())
    assert printed["sequences"] == "3"
    assert json.loads(output.read_text())["accuracy"] == pytest.approx(
        float(printed["accuracy"]), abs=1e-3
    )
    assert result.stderr.endswith(f"3 labelled sequences scored -> {output}\n")
    scores = json.loads(run("evaluate", model, data, "--json").stdout)
    assert scores.pop("sequences") == 3
    assert scores.keys() == printed.keys() - {"sequences"}
    assert scores.items() <= json.loads(output.read_text()).items()
    data.write_text("sequence\tlabel\tbox\nACGTAC\tdonor\tTATA\nGGGGA\tdonor\tnone\n")
    lines = run("evaluate", model, data, "--by", "box").stdout.splitlines()
    assert lines[:2] == ["\tall\tTATA\tnone", "sequences\t2\t1\t1"]
    assert json.loads(run("evaluate", model, data, "--by", "box", "--json").stdout)["by"] == "box"
    data.write_text("sequence\tlabel\nACGTAC\tacceptor\n")
    assert "seen in training, 'none', 'donor', found 'acceptor'" in error_of(
        run("evaluate", model, data)
    )


def _damaged_gzip(path):
    path.write_bytes(gzip.compress(b">a\n" + os.urandom(4000).hex().encode())[:500])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.fa", "", "found an empty file"),
        ("in.fa", ">a\nACGT\n>b\nAC-GT\n", r"record b: .* found '-' at position 2 \(0-based\)"),
        ("in.fa", ">a\nAC\n", r"record a: a sequence must be at least k = 3 bases long, found 2"),
        ("in.tsv", "ACGTAC\t1\n", r"in\.tsv.*header"),
        ("in.tsv", "id\tdna\nx\tACGT\n", r"in\.tsv.*sequence.*dna"),
        ("in.fa.gz", None, "truncated or damaged gzip file"),
        ("missing.fa", ..., "missing.fa; check the path"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(model, tmp_path, name, content, message):
    path = tmp_path / name
    if content is None:
        _damaged_gzip(path)
    elif content is not ...:
        path.write_text(content)
    output = tmp_path / "out.tsv"
    error = error_of(run("predict", model, path, "-o", output))
    assert error.startswith("dnabert predict: error: ")
    assert re.search(message, error)
    assert not output.exists()


def test_a_folder_that_is_no_checkpoint_is_one_line(tmp_path, fasta):
    error = error_of(run("predict", tmp_path, fasta))
    assert "has no config.json and no weights" in error


def test_an_output_in_no_folder_is_one_line(model, fasta, tmp_path):
    error = error_of(run("embed", model, fasta, "-o", tmp_path / "no" / "out.parquet"))
    assert "must lie in a folder that exists" in error


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a read-only file system")
def test_a_read_only_output_is_one_line(model, fasta):
    assert "/proc/out.tsv" in error_of(run("predict", model, fasta, "-o", "/proc/out.tsv"))


def test_standard_input_and_a_reader_that_stops_early(model, fasta):
    """As in `cat in.fa | dnabert predict model - | head -1`."""
    fasta.write_text("".join(f">s{i}\nACGTACGTNACGTTT\n" for i in range(5000)))
    with fasta.open("rb") as stdin:
        process = subprocess.Popen(
            [DNABERT, "predict", model, "-"],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout.readline() == b"id\tlabel\tprob_none\tprob_donor\n"
        process.stdout.close()
        stderr = process.stderr.read().decode()
        process.stderr.close()
        process.wait(timeout=300)
    assert "Traceback" not in stderr
    assert "error" not in stderr


def test_a_stopped_predict_goes_on_and_gives_the_same_bytes(model, tmp_path, caplog):
    generator = torch.Generator().manual_seed(0)
    letters = torch.randint(4, (40_000, 8), generator=generator)
    path = tmp_path / "in.fa"
    sequences = ["".join("ACGT"[code] for code in row) for row in letters.tolist()]
    path.write_text("".join(f">s{i}\n{sequence}\n" for i, sequence in enumerate(sequences)))
    whole, stopped = tmp_path / "whole.tsv", tmp_path / "stopped.tsv"
    run("predict", model, path, "-o", whole)
    part = tmp_path / "stopped.tsv.partial" / "part-000001.json"
    for _ in range(3):
        process = subprocess.Popen(
            [DNABERT, "predict", model, path, "-o", stopped], stderr=subprocess.PIPE
        )
        while not part.exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=300)
        if not stopped.exists():
            break
        stopped.unlink()  # on a busy machine it may be done before the signal comes
    assert process.returncode == 130
    message = r"\ndnabert predict: stopped after [\d,]+ records; run the same command again to go"
    assert re.search(message, f"\n{stderr.decode()}")
    assert not stopped.exists()
    notes = part.parent.glob("part-*.json")
    n_done = sum(json.loads(note.read_text())["tally"]["records"] for note in notes)
    assert 0 < n_done < 40_000
    with caplog.at_level("WARNING", logger="dnabert_hf"):
        assert run("predict", model, path, "-o", stopped).exit_code == 0
    assert f"going on after the {n_done} records of a stopped run" in caplog.text
    assert stopped.read_bytes() == whole.read_bytes()
    assert not part.parent.exists()
