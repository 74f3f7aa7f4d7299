"""A classifier, and the same saved."""

import pytest

from dnabert_hf import DNABertForSequenceClassification


@pytest.fixture
def model(tiny_config):
    tiny_config.id2label = {0: "free", 1: "bound"}
    tiny_config.label2id = {"free": 0, "bound": 1}
    return DNABertForSequenceClassification(tiny_config).eval()


@pytest.fixture
def folder(model, tokenizer, tmp_path):
    """The model, saved."""
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"
