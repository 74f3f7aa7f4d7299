import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from dnabert_hf.files.fingerprint import fingerprint_files, fingerprint_inputs, fingerprint_rows
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer


def make_splits(**columns):
    rows = {"id": ["a", "b", "c"], "sequence": ["ACGT", "CCGT", "GGGT"], "labels": [0, 1, 0]}
    return DatasetDict({"train": Dataset.from_dict(rows | columns)})


@pytest.mark.parametrize(
    "changed",
    [
        {"labels": [1, 0, 1]},
        {"sequence": ["ACGT", "CCGT", "GGGA"]},
        {"id": ["a", "c", "b"]},
        {"labels": [0.0, 1.0, 0.0]},
        {"sequence_b": ["ACGT", "CCGT", "GGGT"]},
    ],
)
def test_rows_are_known_by_their_content(changed):
    assert fingerprint_rows(make_splits()) == fingerprint_rows(make_splits())
    assert fingerprint_rows(make_splits()) != fingerprint_rows(make_splits(**changed))


def test_rows_are_known_however_they_are_stored():
    whole = make_splits()
    selected = DatasetDict({"train": whole["train"].select(np.array([2, 1, 0])).select([2, 1, 0])})
    assert fingerprint_rows(selected) == fingerprint_rows(whole)
    shorter = DatasetDict({"train": whole["train"].select([0, 1])})
    assert fingerprint_rows(shorter) != fingerprint_rows(whole)


def test_inputs_are_rows_weights_and_tokenizer(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    splits = make_splits()
    before = fingerprint_inputs(tmp_path, DNABertTokenizer(k=3), splits)
    (tmp_path / "README.md").write_text("a card")
    assert fingerprint_inputs(tmp_path, DNABertTokenizer(k=3), splits) == before
    assert fingerprint_inputs(tmp_path, DNABertTokenizer(k=4), splits) != before
    (tmp_path / "model.safetensors").write_bytes(b"Weights")
    assert (
        fingerprint_inputs(tmp_path, DNABertTokenizer(k=3), splits)["weights"] != before["weights"]
    )
    assert fingerprint_inputs("random", DNABertTokenizer(k=3), splits)["weights"] == "random"


def test_files_are_known_by_content(tmp_path):
    (tmp_path / "train.tsv").write_text("a")
    before = [fingerprint_files(each) for each in (tmp_path, tmp_path / "train.tsv")]
    assert fingerprint_files({"train": tmp_path / "train.tsv"}) not in before
    (tmp_path / "train.tsv").write_text("b")
    after = [fingerprint_files(each) for each in (tmp_path, tmp_path / "train.tsv")]
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert fingerprint_files("owner/data") != fingerprint_files("owner/other")
