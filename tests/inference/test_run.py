"""The frame that all runs share: options, what is counted, what is refused."""

import io
import os
import sys
from dataclasses import fields

import pytest

from dnabert_hf.data.reading.records import Columns
from dnabert_hf.inference.embed import embed
from dnabert_hf.inference.engine.checkpoint import MODEL_CLASSES
from dnabert_hf.inference.evaluate import evaluate
from dnabert_hf.inference.predict import predict
from dnabert_hf.inference.run import Run, RunFields, RunOptions


def test_keywords_are_the_fields_of_the_options():
    assert list(RunFields.__annotations__) == [field.name for field in fields(RunOptions)]


def test_an_option_of_another_name_is_refused_with_those_there_are(classifier, tokenizer):
    with pytest.raises(TypeError, match=r"keyword argument 'devise'; .* device, dtype"):
        predict(classifier, ["ACGT"], tokenizer=tokenizer, devise="cpu")
    with pytest.raises(TypeError, match="unexpected keyword argument 'shard'"):
        evaluate(classifier, "x.tsv", tokenizer=tokenizer, shard="0/2")


def test_sequences_are_counted_wherever_they_can_be_read_twice(tmp_path):
    table = tmp_path / "t.tsv"
    table.write_text("dna\tname\nACGT\ta\nACGTAC\tb\n")
    run = Run(None, RunOptions(columns=Columns(sequence="dna", id="name")))
    assert run.count(table, lambda _: 1) == 2
    assert run.count(table, len) == 10
    assert run.count(["ACGT", "AC"], len) == 6
    assert run.count(iter(["ACGT"]), len) is None
    assert run.count("-", len) is None
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert run.count(pipe, len) is None  # and it is not opened, which would wait for ever


def test_a_terminal_sees_a_total_and_the_same_result(classifier, tokenizer, tmp_path, monkeypatch):
    fasta = tmp_path / "x.fa"
    fasta.write_text(">a\nACGTACGT\n>b\nACGTTT\n>c\nGGGTTT\n")
    predict(classifier, fasta, output=tmp_path / "quiet.tsv", tokenizer=tokenizer)
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    predict(classifier, fasta, output=tmp_path / "shown.tsv", tokenizer=tokenizer)
    assert "3 of 3 sequences" in terminal.getvalue()
    assert (tmp_path / "quiet.tsv").read_bytes() == (tmp_path / "shown.tsv").read_bytes()


@pytest.mark.parametrize("task", ["masked-lm", "sequence-classification", "token-classification"])
def test_a_model_with_a_head_is_embedded_as_its_encoder(task, classifier, tokenizer):
    model = MODEL_CLASSES[task](classifier.config).eval()
    of_head, of_encoder = (
        embed(each, ["ACGTACGT"], tokenizer=tokenizer, dtype="float32")[0].embedding
        for each in (model, model.bert)
    )
    assert of_head.tolist() == of_encoder.tolist()
