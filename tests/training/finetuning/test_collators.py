import pytest
import torch

from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
from dnabert_hf.training.finetuning.collators import SequenceCollator


@pytest.fixture
def collator():
    return SequenceCollator(DNABertTokenizer(k=3))


def test_sequences_are_padded_to_the_longest_and_labels_kept(collator):
    batch = collator([{"sequence": "ATGGCT", "labels": 1}, {"sequence": "ATGG", "labels": 0}])
    assert batch["input_ids"].tolist() == [[2, 12, 36, 67, 62, 3], [2, 12, 36, 3, 0, 0]]
    assert batch["attention_mask"].sum(dim=1).tolist() == [6, 4]
    assert batch["labels"].dtype == torch.int64


def test_pairs_are_told_apart_by_token_types(collator):
    row = {"sequence": "ATGG", "sequence_b": "ATG", "labels": [0.0, 1.0]}
    batch = collator([row])
    assert batch["input_ids"].tolist() == [[2, 12, 36, 3, 12, 3]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1]]
    assert batch["labels"].dtype == torch.float32


def test_long_sequences_are_not_cut(collator):
    batch = collator([{"sequence": "ACGT" * 200, "labels": 0.5}])
    assert batch["input_ids"].shape == (1, 800 - 3 + 1 + 2)
