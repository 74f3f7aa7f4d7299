"""A tiny fine-tuned classifier, as an object and as a folder."""

import pytest

from dnabert_hf import DNABertForSequenceClassification
from dnabert_hf.inference.engine.checkpoint import Checkpoint


@pytest.fixture
def classifier(tiny_config):
    tiny_config.max_position_embeddings = 20
    tiny_config.id2label = {0: "none", 1: "donor", 2: "acceptor"}
    tiny_config.label2id = {"none": 0, "donor": 1, "acceptor": 2}
    return DNABertForSequenceClassification(tiny_config).eval()


@pytest.fixture
def checkpoint(classifier, tokenizer):
    return Checkpoint(classifier, tokenizer, "tiny", is_ours=False)


@pytest.fixture
def folder(classifier, tokenizer, tmp_path):
    path = tmp_path / "checkpoint"
    classifier.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
