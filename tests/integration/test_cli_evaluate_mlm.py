"""`dnabert evaluate-mlm`, from the command line to the table."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dnabert_hf import DNABertForMaskedLM
from dnabert_hf.cli.main import app


@pytest.fixture
def checkpoint(tiny_config, tokenizer, tmp_path):
    path = tmp_path / "model"
    DNABertForMaskedLM(tiny_config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def genome(tmp_path, monkeypatch):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    path = tmp_path / "g.fa"
    sequences = {
        name: "".join(rng.choice(list("ACGT"), n)) for name, n in (("a", 5000), ("b", 999))
    }
    path.write_text("".join(f">{name}\n{dna}\n" for name, dna in sequences.items()))
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_one_table_holds_model_random_weights_and_baselines(checkpoint, genome, tmp_path):
    output = tmp_path / "scores.json"
    result = run(
        *("evaluate-mlm", checkpoint, genome, "--region", "b", "--train", genome),
        *("--untrained", "--windows", 1, "--seed", 3, "-o", output),
    )
    assert result.exit_code == 0, result.stderr
    title, header, *rows = result.stdout.splitlines()
    assert title == "# 25 masked bases in 1 window"
    assert header.split("\t")[1:4] == ["bits/base", "s.e.", "accuracy"]
    assert header.split("\t")[4:] == ["nats/k-mer", "perplexity", "k-mer accuracy"]
    written = json.loads(output.read_text())["scores"]
    assert [row.split("\t")[0] for row in rows] == list(written)
    assert len(rows) == 6
    for row in rows:
        name, bits, *_, nats, perplexity, _ = row.split("\t")
        assert float(bits) == pytest.approx(written[name]["bits_per_base"], abs=1e-4)
        assert (perplexity == "-") == (name not in ("model", "random weights"))
        if perplexity != "-":
            assert float(nats) == pytest.approx(written[name]["cross_entropy"], abs=1e-4)


def test_zero_windows_are_all(checkpoint, genome):
    result = run("evaluate-mlm", checkpoint, genome, "--windows", 0, "--region", "b:0-999")
    assert result.stdout.startswith("# 48 masked bases in 2 windows\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--windows", -1], "--windows must be 0 or more"),
        (["--region", "c"], "region 'c' must name a contig of the genome"),
        (["--train", "none.fa"], "none.fa must be a FASTA file, found no such file"),
    ],
)
def test_options_that_make_no_sense_are_one_line(checkpoint, genome, options, message):
    result = run("evaluate-mlm", checkpoint, genome, *options)
    assert result.exit_code == 2
    (line,) = [
        line for line in result.stderr.splitlines() if line.startswith("dnabert evaluate-mlm")
    ]
    assert message in line
