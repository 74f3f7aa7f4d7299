import pytest

from dnabert_hf.files.yaml import read_mapping


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 5000 + "]" * 5000, "a: " + "{a: " * 5000 + "1" + "}" * 5000, "- " * 5000 + "a"],
)
def test_fields_within_fields_without_end_are_refused_in_a_line(tmp_path, text):
    path = tmp_path / "deep.yaml"
    path.write_text(text)
    with pytest.raises(
        ValueError, match=r"deep\.yaml must hold a task, found fields within fields"
    ):
        read_mapping(path, fields="a task")
