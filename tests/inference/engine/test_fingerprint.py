import hashlib
import os

import pytest
import torch

from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.fingerprint import fingerprint_run, fingerprint_weights


def test_weights_that_change_change_the_fingerprint(classifier):
    before = fingerprint_weights(classifier)
    assert fingerprint_weights(classifier) == before
    with torch.no_grad():
        classifier.bert.encoder.layer[0].output.dense.weight[3, 4] *= 1.01
    assert fingerprint_weights(classifier) != before


def test_another_label_name_changes_the_fingerprint(classifier):
    before = fingerprint_weights(classifier)
    classifier.config.id2label = {0: "none", 1: "donor", 2: "branch point"}
    assert fingerprint_weights(classifier) != before


def test_half_precision_weights_have_a_fingerprint(classifier):
    assert fingerprint_weights(classifier.half()) != fingerprint_weights(classifier.float())


def test_a_file_is_known_by_name_and_content(checkpoint, tmp_path):
    path = tmp_path / "in.fa"
    path.write_text(">x\nACGT\n")
    engine = Engine(checkpoint, device="cpu", dtype="float32")
    found = fingerprint_run(engine, checkpoint, path, weights="w", pooling="mean")
    assert found["input content"] == hashlib.sha256(b">x\nACGT\n").hexdigest()[:16]
    assert (found["model"], found["dtype"], found["pooling"]) == ("tiny", "float32", "mean")


@pytest.mark.parametrize("source", ["-", ["ACGT"]])
def test_what_cannot_be_read_again_has_none(checkpoint, source):
    engine = Engine(checkpoint, device="cpu")
    assert fingerprint_run(engine, checkpoint, source, weights="w") is None


def test_a_pipe_cannot_be_read_again(checkpoint, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    engine = Engine(checkpoint, device="cpu")
    assert fingerprint_run(engine, checkpoint, tmp_path / "pipe", weights="w") is None


def test_the_place_of_each_weight_counts(classifier):
    """The sum of the bits stays the same where rows are swapped, and so do the scores' names."""
    before = fingerprint_weights(classifier)
    with torch.no_grad():
        for tensor in (classifier.classifier.weight, classifier.classifier.bias):
            tensor.copy_(tensor.flip(0))
    assert fingerprint_weights(classifier) != before


def test_a_file_of_the_same_size_and_times_is_another(checkpoint, tmp_path):
    path = tmp_path / "in.fa"
    engine = Engine(checkpoint, device="cpu", dtype="float32")
    found = []
    for text in (">x\nACGT\n", ">x\nACGA\n"):
        path.write_text(text)
        os.utime(path, (10**9, 10**9))
        found.append(fingerprint_run(engine, checkpoint, path, weights="w"))
    assert found[0] != found[1]
