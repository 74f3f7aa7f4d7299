import pytest

from dnabert_hf.data.labelled.folders import find_datasets, resolve_dataset


@pytest.fixture
def make(tmp_path):
    def make_files(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("x")
        return tmp_path

    return make_files


def test_folders_with_splits_and_tables_beside_them_are_found_in_order(make):
    folder = make(
        *("EMP/H3/train.csv", "EMP/H3/test.csv", "b.v2.tsv.gz", "a/set.parquet"),
        *("EMP/H4/dev.fa", "notes.md", ".hidden/train.csv", "EMP/list.txt"),
    )
    (folder / "EMP" / "back").symlink_to(folder)
    assert find_datasets(folder) == {
        "EMP/H3": folder / "EMP" / "H3",
        "EMP/H4": folder / "EMP" / "H4",
        "a/set": folder / "a" / "set.parquet",
        "b.v2": folder / "b.v2.tsv.gz",
    }
    assert find_datasets(folder / "EMP" / "H3") == {"H3": folder / "EMP" / "H3"}


def test_a_folder_without_data_sets_and_a_name_twice_are_errors(make):
    folder = make("notes.md")
    with pytest.raises(ValueError, match=r"must hold data sets, found none: folders with train"):
        find_datasets(folder)
    make("a.tsv", "a.csv")
    with pytest.raises(ValueError, match=r"must differ in name, found .*a\.csv, .*a\.tsv"):
        find_datasets(folder)


def test_a_suffix_may_be_left_out(make):
    folder = make("a.tsv.gz", "b/x", "c.csv", "c.tsv", "d.md")
    assert resolve_dataset(folder / "a") == folder / "a.tsv.gz"
    assert resolve_dataset(folder / "b") == folder / "b"
    assert resolve_dataset(folder / "d") is None
    with pytest.raises(ValueError, match=r"one file or folder, found c\.csv, c\.tsv; write the su"):
        resolve_dataset(folder / "c")
