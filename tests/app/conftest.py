"""Models that the app shows: a classifier of both strands with a card, and a masked one."""

import pytest

from dnabert_hf import DNABertForMaskedLM, DNABertForSequenceClassification
from dnabert_hf.app.explorer import Explorer
from dnabert_hf.data.example.motifs import KNOWN_MOTIFS

CARD = """---
widget:
- example_title: A sequence of class bound
  text: TTGACGTTGCATTGCAACCA
- example_title: A masked base
  text: ACGT[MASK]ACGT
---
# ctcf

| metric | validation | test | 5-mer regression, test |
|---|---|---|---|
| accuracy | 0.9000 | 0.8800 | 0.7000 |
| mcc | 0.8100 | 0.7654 | 0.4321 |
"""


def save(model, tokenizer, folder):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def classifier(tiny_config, tokenizer, tmp_path):
    tiny_config.id2label = {0: "free", 1: "bound"}
    tiny_config.label2id = {"free": 0, "bound": 1}
    tiny_config.both_strands = True
    tiny_config.training_lengths = [20, 24, 30]
    folder = save(DNABertForSequenceClassification(tiny_config), tokenizer, tmp_path / "ctcf")
    (folder / "README.md").write_text(CARD)
    return folder


@pytest.fixture
def masked_model(tiny_config, tokenizer, tmp_path):
    return save(DNABertForMaskedLM(tiny_config), tokenizer, tmp_path / "pretrained")


@pytest.fixture
def explorer(classifier):
    return Explorer(classifier, motifs=KNOWN_MOTIFS)
