"""What `datasets.load_dataset` loads, from folders and builders: there is no network here."""

import datasets
import pytest

from dnabert_hf.data.labelled.hub_datasets import iterate_loaded
from dnabert_hf.data.reading.records import Columns


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path):
    """A folder as one downloads a repository of the Hub: Parquet files, classes with names."""
    features = datasets.Features(
        {
            "dna": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["free", "bound"]),
            "name": datasets.Value("string"),
        }
    )
    (tmp_path / "set").mkdir()
    for split, dna in (("train", ["acgt", "CCGT"]), ("validation", ["GGGG"]), ("test", ["TTTT"])):
        rows = {"dna": dna, "label": [1, 0][: len(dna)], "name": [f"{split}-{d}" for d in dna]}
        dataset = datasets.Dataset.from_dict(rows, features=features)
        dataset.to_parquet(tmp_path / "set" / f"{split}-00000.parquet")
    return tmp_path / "set"


def read(*arguments, **options):
    loaded = iterate_loaded(*arguments, **options)
    return [(split, r.id, r.sequence, r.label) for split, r, _ in loaded]


def test_a_folder_is_loaded_with_the_names_of_its_classes(folder):
    columns = Columns(sequence="dna", id="name")
    assert read(str(folder), columns=columns) == [
        ("train", "train-acgt", "ACGT", "bound"),
        ("train", "train-CCGT", "CCGT", "free"),
        ("validation", "validation-GGGG", "GGGG", "bound"),
        ("test", "test-TTTT", "TTTT", "bound"),
    ]


def test_builders_take_files_and_a_single_file_tells_the_splits_of_its_rows(tmp_path):
    (tmp_path / "a.csv").write_text("sequence,label,split\nACGT,1,train\nCCGT,0,dev\nGGGT,0,test\n")
    expected = [
        ("train", "0", "ACGT", "1"),
        ("validation", "1", "CCGT", "0"),
        ("test", "2", "GGGT", "0"),
    ]
    assert read("csv", data_files=str(tmp_path / "a.csv")) == expected
    (tmp_path / "b.csv").write_text("sequence,label\nACGT,1\n")
    by_split = {split: str(tmp_path / "b.csv") for split in ("train", "test")}
    rows = read("csv", data_files=by_split)
    assert rows == [("train", "0", "ACGT", "1"), ("test", "0", "ACGT", "1")]


def test_what_cannot_be_used_is_one_error(tmp_path, folder):
    (tmp_path / "a.csv").write_text("sequence,label\nACGT,1\n")
    files = {"holdout": str(tmp_path / "a.csv")}
    with pytest.raises(ValueError, match=r"a split must be one of train, dev, .* found 'holdout'"):
        read("csv", data_files=files)
    with pytest.raises(ValueError, match=r"none must be a data set that load_dataset loads: "):
        read(str(tmp_path / "none"))
    with pytest.raises(ValueError, match=r"set, train: .*must have the column 'sequence'"):
        read(str(folder))
