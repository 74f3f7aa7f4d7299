import re
import subprocess
import sys
from pathlib import Path

import pytest

from dnabert_hf.data.labelled import dataset
from dnabert_hf.data.labelled.dataset import read_dataset
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.records import Columns

SINGLE = "single_label_classification"


def write(path, *rows):
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_single_file_is_all_for_training(tmp_path):
    path = write(tmp_path / "x.tsv", "sequence\tlabel", "acgu\tb", "ATG TGG\ta")
    splits, scheme = read_dataset(path)
    assert scheme == LabelScheme(SINGLE, ("a", "b"))
    assert list(splits) == ["train"]
    assert splits["train"].column_names == ["id", "sequence", "labels"]
    assert splits["train"].to_list() == [
        {"id": "0", "sequence": "ACGT", "labels": 1},
        {"id": "1", "sequence": "ATGG", "labels": 0},
    ]


def test_a_split_column_parts_the_rows_of_one_file(tmp_path):
    rows = ["AAA,1,test,a", "CCC,0,train,b", "GGG,1,valid,c", "TTT,1,train,d"]
    path = write(tmp_path / "x.csv", "sequence,label,split,id", *rows)
    splits, _ = read_dataset(path)
    assert list(splits) == ["train", "validation", "test"]
    assert {name: split["id"][:] for name, split in splits.items()} == {
        "train": ["b", "d"],
        "validation": ["c"],
        "test": ["a"],
    }
    assert splits["validation"].split == "validation"


@pytest.mark.parametrize("name", ["dev", "val", "valid", "validation"])
def test_a_folder_holds_one_file_a_split(tmp_path, name):
    write(tmp_path / "train.tsv", "sequence\tlabel", "AAA\t1", "CCC\t0")
    write(tmp_path / f"{name}.csv", "sequence,label", "GGG,1")
    write(tmp_path / "test.txt", "sequence\tlabel", "TTT\t0")
    write(tmp_path / "train.log", "loss 0.1")
    write(tmp_path / "genome.fa", ">a", "ACGT")
    splits, _ = read_dataset(str(tmp_path))
    assert {name: split["sequence"][:] for name, split in splits.items()} == {
        "train": ["AAA", "CCC"],
        "validation": ["GGG"],
        "test": ["TTT"],
    }


def test_files_can_be_given_by_split(tmp_path):
    first = write(tmp_path / "a.csv", "dna,class,split", "AAA,1,train", "CCC,0,train")
    second = write(tmp_path / "b.csv", "dna,class", "GGG,1")
    columns = Columns(sequence="dna", label="class")
    splits, _ = read_dataset({"dev": second, "train": first}, columns=columns)
    assert list(splits) == ["train", "validation"]
    assert splits["validation"]["sequence"][:] == ["GGG"]


@pytest.mark.parametrize(
    ("labels", "dtype", "expected"),
    [
        (["1", "0"], "int64", [1, 0]),
        (["a;b", ""], "float32", [[1.0, 1.0], [0.0, 0.0]]),
        (["0.5", "-2"], "float32", [0.5, -2.0]),
    ],
)
def test_labels_have_the_type_that_the_loss_wants(tmp_path, labels, dtype, expected):
    path = write(tmp_path / "x.csv", "sequence,label", *(f"ACGT,{label}" for label in labels))
    train = read_dataset(path)[0]["train"]
    assert train["labels"][:] == expected
    feature = train.features["labels"]
    assert getattr(feature, "feature", feature).dtype == dtype


def test_several_targets_are_read_as_lists(tmp_path):
    path = write(tmp_path / "x.csv", "sequence,label", "ACGT,0.5;2")
    splits, scheme = read_dataset(path, problem_type="regression")
    assert scheme.names == ("value_0", "value_1")
    assert splits["train"]["labels"][:] == [[0.5, 2.0]]


def test_pairs_keep_their_second_sequence(tmp_path):
    path = write(tmp_path / "x.csv", "sequence,sequence_b,label", "AAA,cc,1", "GGG,TT,0")
    train = read_dataset(path)[0]["train"]
    assert train.column_names == ["id", "sequence", "sequence_b", "labels"]
    assert train["sequence_b"][:] == ["CC", "TT"]


def test_a_scheme_from_training_fixes_the_labels(tmp_path):
    path = write(tmp_path / "test.csv", "sequence,label", "AAA,none")
    scheme = LabelScheme(SINGLE, ("donor", "none"))
    splits, same = read_dataset(tmp_path, scheme=scheme, problem_type=SINGLE)
    assert same is scheme
    assert splits["test"]["labels"][:] == [1]
    with pytest.raises(
        ValueError, match=r"problem_type must agree with the scheme, .*'regression'"
    ):
        read_dataset(path, scheme=scheme, problem_type="regression")


def test_rows_are_the_same_in_one_batch_or_many(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "_BATCH_LETTERS", 10)
    rows = [f"{'ACGT' * (number % 3 + 1)}\t{number % 2}" for number in range(50)]
    train = read_dataset(write(tmp_path / "x.tsv", "sequence\tlabel", *rows))[0]["train"]
    assert train["labels"][:] == [0, 1] * 25
    assert train["sequence"][:3] == ["ACGT", "ACGTACGT", "ACGTACGTACGT"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"dev.csv": "AAA,1"}, "must have a train split .* found only validation"),
        ({"notes.csv": "AAA,1"}, "the folder must hold files named train, dev and test"),
        ({"dev.csv": "AAA,1", "val.csv": "A,1"}, "must come from one file, found .*dev.csv and "),
        ({"train.csv": "A,1\nA,0", "dev.csv": "A,2"}, "dev.csv, record 0: .*'0', '1', found '2'"),
        ({"train.csv": "A,1\nA,1"}, "needs at least 2 different labels, found '1'"),
    ],
)
def test_folders_that_make_no_data_set_are_refused(tmp_path, files, message):
    for name, rows in files.items():
        write(tmp_path / name, "sequence,label", rows)
    with pytest.raises(ValueError, match=message):
        read_dataset(tmp_path)


def test_files_without_labels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="column 'label' for the label, found 'sequence'"):
        read_dataset(write(tmp_path / "x.csv", "sequence", "ACGT"))


def test_a_row_without_label_is_named(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"sequence": ["A", "C"], "label": ["a", None]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"x\.parquet, record 1: each record must have a label"):
        read_dataset(tmp_path / "x.parquet")


def test_unknown_and_contradicting_splits_are_refused(tmp_path):
    path = write(tmp_path / "x.csv", "sequence,label,split", "A,1,train", "C,0,holdout")
    with pytest.raises(ValueError, match=r"x\.csv, record 1: a split must be .* 'holdout'"):
        read_dataset(path)
    path = write(tmp_path / "y.csv", "sequence,label,split", "A,1,train", "C,0,test")
    with pytest.raises(ValueError, match=r"y\.csv, record 1: .* which is for train, found 'test'"):
        read_dataset({"train": path})
    path = write(tmp_path / "z.csv", "sequence,label", "A,1")
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: a data set must have a train"):
        read_dataset({"test": path})
    with pytest.raises(ValueError, match=r"a split must be one of train, .* found 'holdout'"):
        read_dataset({"holdout": path})


def test_labels_of_bases_must_be_asked_for(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("sequence\tlabel\nACGTA\t00110\nCCG\t011\n")
    with pytest.raises(
        ValueError, match="has a letter for each base, as for the task token, which"
    ):
        read_dataset(path)
    assert read_dataset(path, problem_type="token_classification")[1].names == ("0", "1")
    given = read_dataset(path, problem_type="single_label_classification")[1]
    assert given.names == ("011", "00110")


def test_all_splits_hold_pairs_or_none(tmp_path):
    write(tmp_path / "train.csv", "sequence,sequence_b,label", "A,C,1", "G,T,0")
    write(tmp_path / "dev.csv", "sequence,label", "A,1")
    with pytest.raises(ValueError, match="pairs of sequences or none, found pairs only in train"):
        read_dataset(tmp_path)


def test_a_sequence_shorter_than_k_is_refused(tmp_path):
    path = write(tmp_path / "x.csv", "sequence,label", "ACGT,1", "AC,0")
    with pytest.raises(ValueError, match=r"record 1: .* k = 3 bases long, found 2"):
        read_dataset(path, k=3)


def test_the_process_leaves_no_files_behind(tmp_path, tmp_path_factory):
    path = write(tmp_path / "x.csv", "sequence,label", "ACGT,1", "TTTT,0")
    code = (
        "import sys, tempfile\n"
        "from dnabert_hf.data.labelled.dataset import read_dataset\n"
        "tempfile.tempdir = sys.argv[2]\n"
        "train = read_dataset(sys.argv[1])[0]['train']\n"
        "train = train.map(lambda row: {'n': len(row['sequence'])}, num_proc=2)\n"
        "print(sum(train['n']), train.cache_files[0]['filename'])\n"
    )
    scratch = tmp_path_factory.mktemp("s")  # processes share a socket in it: 107 letters at most
    command = [sys.executable, "-c", code, str(path), str(scratch)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    total, cached = output.split()
    assert total == "8"
    assert Path(cached).is_relative_to(scratch)
    assert list(scratch.iterdir()) == []


def test_splits_may_be_written_in_any_case(tmp_path):
    path = tmp_path / "d.tsv"
    rows = ["ACGT\t0\tTrain", "ACGG\t1\tTRAIN", "ACCC\t0\tDev", "AAAA\t1\tTest"]
    path.write_text("sequence\tlabel\tsplit\n" + "\n".join(rows) + "\n")
    data, _ = read_dataset(path)
    assert {name: len(split) for name, split in data.items()} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }
