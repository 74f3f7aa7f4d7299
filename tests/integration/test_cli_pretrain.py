"""`dnabert pretrain`, as a shell runs it."""

import json
import logging

import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app
from dnabert_hf.training.pretraining import throughput

TINY = [
    *("--k", "3", "--config", "hidden_size=16", "--config", "num_hidden_layers=1"),
    *("--config", "num_attention_heads=2", "--config", "intermediate_size=16"),
    *("--preset", "mini", "--steps", "4", "--batch-size", "4", "--set", "bf16=false"),
]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(throughput, "_SIZE", 64)
    monkeypatch.setattr(throughput, "_SECONDS", 0.01)
    level = logging.getLogger("dnabert_hf").level
    yield
    logging.getLogger("dnabert_hf").setLevel(level)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    (tmp_path / "genome.fa").write_text(f">a\n{'GATTACAGGC' * 60}\n>b-1\n{'GATTACAGGC' * 30}\n")
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_a_genome_becomes_a_model(run, tmp_path):
    result = run(
        *("pretrain", "genome.fa", "-o", "model", *TINY, "--held-out", "a:0-200", "--seed", "7"),
        *("--weight", "b-1=2", "--masking", "random", "--max-tokens", "60"),
        *("--recipe", "mlm_probability=0.2", "--learning-rate", "1e-3"),
        *("--set", 'lr_scheduler_kwargs={"lr_end":1e-4,"power":1.0}'),
        *("--set", "lr_scheduler_type=polynomial"),
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("model: 4 steps, ")
    assert lines[1].startswith("held out: ")
    report = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert report["weights"] == {"b-1": 2}
    assert report["held_out"] == ["a:0-200"]
    assert (report["recipe"]["masking"], report["recipe"]["mlm_probability"]) == ("random", 0.2)
    assert report["arguments"]["seed"] == 7
    assert report["stages"][0]["max_tokens"] == 60
    again = run("pretrain", "genome.fa", "-o", "next", "--init", "model", *TINY[10:])
    assert again.exit_code == 0, again.output
    report = json.loads((tmp_path / "next" / "metrics.json").read_text())
    assert [stage["steps"] for stage in report["stages"]] == [4, 4]


def test_only_the_first_of_several_processes_speaks(run, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    result = run("pretrain", "genome.fa", "-o", "model", *TINY)
    assert (result.exit_code, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--held-out", "c"], "region 'c' must name a contig of the genome"),
        (["--preset", "tiny"], "presets must be"),
        (["--recipe", "span=3"], "recipe fields must be"),
        (["--masking", "none"], "masking must be"),
        (["--weight", "c=1"], "a weight must name a contig or a file of the genome, found 'c'"),
        (["--recipe", "segments=walk"], "segments must be"),
        (["--set", "output_dir=x"], "use output_dir of pretrain"),
        (["--init", "nowhere"], "no folder nowhere"),
    ],
)
def test_bad_input_ends_in_one_line_and_writes_nothing(run, tmp_path, options, message):
    result = run("pretrain", "genome.fa", "-o", "model", *TINY[10:], *options)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("dnabert pretrain: error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (">a\nACGT\n>a\nACGT\n", "'a'"),
        (">a\n>b\nACGT\n", "has a header but no sequence"),
        (">a\nNNNN\n", "must hold some A, C, G or T"),
        (">a\nACXT\n", "found 'X' at position 2 (0-based)"),
    ],
)
def test_bad_genomes_end_in_one_line(run, tmp_path, content, message):
    (tmp_path / "genome.fa").write_text(content)
    result = run("pretrain", "genome.fa", "-o", "model", *TINY)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "model").exists()
