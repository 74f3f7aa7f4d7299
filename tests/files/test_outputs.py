import os

import pytest

from dnabert_hf.files.names import name_files
from dnabert_hf.files.outputs import check_distinct, check_output


@pytest.fixture
def table(tmp_path):
    (tmp_path / "t.tsv").write_text("id\tsequence\nx\tACGTACGTACGT\n")
    return tmp_path / "t.tsv"


@pytest.mark.parametrize("kind", ["same", "dots", "symbolic", "hard"])
def test_an_input_is_no_output_by_whatever_name(table, kind):
    path = {
        "same": table,
        "dots": table.parent / "." / "x" / ".." / "t.tsv",
        "symbolic": table.parent / "link.tsv",
        "hard": table.parent / "hard.tsv",
    }[kind]
    (table.parent / "x").mkdir()
    if kind == "symbolic":
        path.symlink_to(table)
    if kind == "hard":
        os.link(table, path)
    with pytest.raises(ValueError, match=r"must be another file than the input .* would be lost"):
        check_output(path, overwrite=True, inputs=[table])
    with pytest.raises(ValueError, match="must be the name of one output of a run"):
        check_distinct(path, others=[None, "-", table])
    check_distinct("-", inputs=[table], others=["-"])
    check_distinct(table.parent / "other.tsv", inputs=[table, ["ACGT"], 3])


def test_a_device_is_no_file_to_replace():
    with pytest.raises(ValueError, match="must be a file to write, found a device"):
        check_output(os.devnull, overwrite=True)


def test_names_made_of_ids_fit_and_differ():
    texts = ["a/b", "a\\b", "a_b", "A_B", "", "..", "x" * 300, "x" * 301, "é" * 200]
    names = name_files("p-{id}.png", texts, placeholder="{id}")
    assert len({name.casefold() for name in names}) == len(texts)
    assert all(len(name.encode()) <= 240 and "/" not in name for name in names)
    assert names[:3] == ["p-a_b.png", "p-a_b-2.png", "p-a_b-3.png"]
