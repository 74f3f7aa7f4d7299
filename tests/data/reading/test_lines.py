import io
import logging
import sys

import pytest

from dnabert_hf.data.reading.lines import regular_file


@pytest.fixture
def piped(monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO(b"a\nb\n"))
    monkeypatch.setattr(sys, "stdin", stdin)


def test_standard_input_becomes_a_file_that_can_be_read_twice(piped):
    with regular_file("-", suffix=".vcf") as file:
        assert file.suffix == ".vcf"
        assert file.read_text() == file.read_text() == "a\nb\n"
    assert not file.exists()


def test_what_is_said_of_the_copy_names_standard_input(piped, caplog):
    logger = logging.getLogger("x")
    with (
        pytest.raises(ValueError, match=r"^standard input, line 2: bad$"),
        regular_file("-") as file,
    ):
        logger.warning("%s: %d lines", file, 2)
        raise ValueError(f"{file}, line 2: bad")
    logger.warning("%s: as it was", "y")
    assert [r.getMessage() for r in caplog.records] == ["standard input: 2 lines", "y: as it was"]


def test_a_file_stays_as_it_is(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_text("a\n")
    with regular_file(path) as file:
        assert file == path
