"""`dnabert convert`, from the command line to the repository."""

import json

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM
from typer.testing import CliRunner

from dnabert_hf import DNABertForMaskedLM, DNABertTokenizer
from dnabert_hf.cli.main import app


@pytest.fixture
def original(tmp_path):
    folder = tmp_path / "original"
    folder.mkdir()
    config = BertConfig(
        vocab_size=69,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    fields = config.to_dict()
    fields.pop("model_type")
    (folder / "config.json").write_text(json.dumps(fields))
    torch.save(BertForMaskedLM(config).state_dict(), folder / "pytorch_model.bin")
    DNABertTokenizer(k=3).save_vocabulary(str(folder))
    return folder


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_each_line_says_what_was_found(original, tmp_path):
    result = run("convert", original, tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    lines = dict(line.split("\t") for line in result.stdout.splitlines())
    assert lines["source"] == "original DNABERT, k = 3"
    # 69 x 16 token, 512 x 16 position and 2 x 16 type embeddings and norm; layer; head.
    n_parameters = 583 * 16 + 32 + 6 * 272 + 64 + 272 + 32 + 69
    assert lines["model"] == f"DNABertForMaskedLM, {n_parameters:,} parameters"
    assert (lines["missing"], lines["left out"]) == ("none", "none")
    pooler = "bert.pooler.dense.weight, bert.pooler.dense.bias"
    assert lines["random"] == f"{pooler}: never trained, new where a model needs them"
    assert lines["MLM bias"].startswith("single: not compared: no DNA was given")
    assert lines["check"].endswith("of BertModel on the source's weights")
    assert lines["written"] == str(tmp_path / "out")
    assert DNABertForMaskedLM.from_pretrained(tmp_path / "out").config.k == 3


def test_stock_and_overwrite_are_options(original, tmp_path):
    run("convert", original, tmp_path / "out")
    options = ("--stock", "--mlm-bias", "double", "--overwrite")
    result = run("convert", original, tmp_path / "out", *options)
    assert result.exit_code == 0, result.stderr
    assert "MLM bias\tdouble: as asked for" in result.stdout.splitlines()
    assert (tmp_path / "out" / "tokenizer.json").is_file()


def test_a_refusal_is_one_line_and_exit_code_two(original, tmp_path):
    (original / "pytorch_model.bin").write_bytes(b"")
    result = run("convert", original, tmp_path / "out")
    assert result.exit_code == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("dnabert ")]
    assert line.startswith("dnabert convert: error: ")
    assert "found a truncated or damaged one" in line
    assert not (tmp_path / "out").exists()
