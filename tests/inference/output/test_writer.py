import errno
import logging
import re

import pyarrow as pa
import pytest

from dnabert_hf.inference.engine.sharding import WHOLE, Shard, resolve_shard
from dnabert_hf.inference.output.formats import DelimitedFormat, FolderFormat, ParquetFormat
from dnabert_hf.inference.output.join import join_parts
from dnabert_hf.inference.output.part_folder import PartFolder
from dnabert_hf.inference.output.writer import check_output, open_output

TABLE = DelimitedFormat(["id"], delimiter="\t")
FINGERPRINT = {"model": "tiny", "dtype": "float32"}


def run(path, rows, *, fingerprint=FINGERPRINT, overwrite=False, stop_after=None, shard=WHOLE):
    """Write one row a chunk; stop like Ctrl-C after so many in all."""
    with open_output(
        path, TABLE, fingerprint=fingerprint, overwrite=overwrite, shard=shard
    ) as output:
        done = output.n_written
        for row in output.remaining(rows):
            if output.n_written == stop_after:
                raise KeyboardInterrupt
            output.write([[row]], {"vowels": int(row in "ae")})
    return done


def test_the_file_appears_when_all_is_written(tmp_path):
    path = tmp_path / "out.tsv"
    with open_output(path, TABLE, fingerprint=FINGERPRINT, overwrite=False) as output:
        for rows in output.remaining([["a"], ["b"]]):
            output.write([rows])
            assert not path.exists()
    assert path.read_text() == "id\na\nb\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.tsv"]


def test_a_stopped_run_goes_on_where_it_ended(tmp_path, caplog):
    path = tmp_path / "out.tsv"
    message = re.escape("stopped after 2 records; run the same command again to go on")
    with pytest.raises(KeyboardInterrupt, match=message):
        run(path, "abc", stop_after=2)
    with caplog.at_level(logging.WARNING, logger="dnabert_hf"):
        assert run(path, "abc") == 2
    assert path.read_text() == "id\na\nb\nc\n"
    assert "going on after the 2 records of a stopped run" in caplog.text


def test_a_part_that_was_not_finished_is_written_again(tmp_path):
    path = tmp_path / "out.tsv"
    with pytest.raises(KeyboardInterrupt):
        run(path, "abc", stop_after=1)
    (tmp_path / "out.tsv.partial" / ".0123456789abcdef.partial.part-000007").write_text("garb")
    (tmp_path / "out.tsv.partial" / "part-000001").write_text("without its note\n")
    run(path, "abc")
    assert path.read_text() == "id\na\nb\nc\n"


def test_parts_of_other_settings_are_refused_by_name(tmp_path):
    path = tmp_path / "out.tsv"
    with pytest.raises(KeyboardInterrupt):
        run(path, "abc", stop_after=1)
    with pytest.raises(ValueError, match=r"its dtype is 'float32', that of this run 'int8'; "):
        run(path, "abc", fingerprint={"model": "tiny", "dtype": "int8"})
    with pytest.raises(ValueError, match="its pooling is None, that of this run 'cls'"):
        run(path, "abc", fingerprint={**FINGERPRINT, "pooling": "cls"})
    with pytest.raises(ValueError, match="cannot be read again"):
        run(path, "abc", fingerprint=None)
    assert run(path, "abc", fingerprint={"model": "other"}, overwrite=True) == 0
    assert path.read_text() == "id\na\nb\nc\n"


def test_parts_with_a_damaged_note_are_refused(tmp_path):
    path = tmp_path / "out.tsv"
    with pytest.raises(KeyboardInterrupt):
        run(path, "abc", stop_after=1)
    (tmp_path / "out.tsv.partial" / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"its run\.json cannot be read"):
        run(path, "abc")


def test_overwriting_goes_on_after_parts_of_the_same_settings(tmp_path):
    path = tmp_path / "out.tsv"
    path.write_text("old\n")
    with pytest.raises(KeyboardInterrupt):
        run(path, "abc", overwrite=True, stop_after=1)
    assert path.read_text() == "old\n"
    assert run(path, "abc", overwrite=True) == 1
    assert path.read_text() == "id\na\nb\nc\n"


def test_input_that_cannot_be_read_again_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        run(tmp_path / "out.tsv", "abc", fingerprint=None, stop_after=1)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_reported_with_what_to_do(tmp_path):
    class FullDisk(DelimitedFormat):
        def write_part(self, path, rows):
            raise OSError(errno.ENOSPC, "No space left on device")

    full = FullDisk(["id"], delimiter="\t")
    with (
        pytest.raises(OSError, match="No space left on device, after 0 records; make room and run"),
        open_output(tmp_path / "o.tsv", full, fingerprint=FINGERPRINT, overwrite=False) as output,
    ):
        output.write([["a"]])


def test_standard_output_gets_header_and_rows_at_once(tmp_path, capfdbinary):
    with open_output("-", TABLE, fingerprint=None, overwrite=False) as output:
        output.write([["a"]])
        assert capfdbinary.readouterr().out == b"id\na\n"
        output.write([["b"]])
        assert output.n_written == 2
    assert capfdbinary.readouterr().out == b"b\n"


def test_standard_output_takes_text_only(tmp_path):
    parquet = ParquetFormat(pa.schema([("id", pa.string())]))
    with (
        pytest.raises(ValueError, match="standard output takes TSV only; name a file with -o"),
        open_output("-", parquet, fingerprint=None, overwrite=False),
    ):
        pass


def test_an_output_that_exists_is_refused_unless_it_may_be_replaced(tmp_path):
    path = tmp_path / "out.tsv"
    check_output(path, overwrite=False)
    path.touch()
    with pytest.raises(ValueError, match=r"out\.tsv must not exist yet, or overwrite must be set"):
        check_output(path, overwrite=False)
    check_output(path, overwrite=True)
    check_output("-", overwrite=False)


def test_an_output_in_no_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must lie in a folder that exists"):
        check_output(tmp_path / "missing" / "out.tsv", overwrite=False)
    with pytest.raises(ValueError, match=r"must be a file to write, found a folder"):
        check_output(tmp_path, overwrite=True)


@pytest.mark.parametrize("n_written", [0, 1])
def test_wrong_input_leaves_nothing_behind(tmp_path, n_written):
    def write_until_wrong():
        output = open_output(tmp_path / "out.tsv", TABLE, fingerprint=FINGERPRINT, overwrite=False)
        with output as parts:
            for _ in range(n_written):
                parts.write([["a"]])
            raise ValueError("record 1 is wrong")

    with pytest.raises(ValueError, match="record 1 is wrong"):
        write_until_wrong()
    assert not list(tmp_path.iterdir())


def test_a_run_that_wrote_nothing_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out.tsv", "abc", stop_after=0)
    assert not list(tmp_path.iterdir())


def test_shards_in_any_order_join_to_the_file_of_one_process(tmp_path, caplog):
    path, shared = tmp_path / "one.tsv", tmp_path / "out.tsv"
    run(path, "abcdefg")
    for index in (2, 0, 1):
        run(shared, "abcdefg", shard=Shard(index, 3))
        assert not shared.exists()
    assert "shard 2/3 is done; `dnabert join" in caplog.text
    assert join_parts(shared) == (shared, 7)
    assert shared.read_bytes() == path.read_bytes()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["one.tsv", "out.tsv"]


def test_a_shard_that_was_stopped_is_missed_and_goes_on(tmp_path, caplog):
    path = tmp_path / "out.tsv"
    with pytest.raises(KeyboardInterrupt, match="stopped after 1 record;"):
        run(path, "abcdefg", shard=Shard(0, 2), stop_after=1)
    with pytest.raises(ValueError, match="no shard has come to the end"):
        join_parts(path)
    run(path, "abcdefg", shard=Shard(1, 2))
    with pytest.raises(
        ValueError,
        match=r"all of its 7 parts, found that 3 are missing \(2, 4, 6\); run",
    ):
        join_parts(path)
    assert run(path, "abcdefg", shard=Shard(0, 2)) == 1
    assert join_parts(path).n_sequences == 7
    assert path.read_text() == "id\na\nb\nc\nd\ne\nf\ng\n"


def test_a_run_without_a_shard_does_what_shards_left_undone(tmp_path):
    path = tmp_path / "out.tsv"
    run(path, "abcde", shard=Shard(1, 2))
    with open_output(path, TABLE, fingerprint=FINGERPRINT, overwrite=False) as output:
        for row in output.remaining("abcde"):
            assert row in "ace"
            output.write([[row]], {"vowels": int(row in "ae")})
    assert path.read_text() == "id\na\nb\nc\nd\ne\n"
    assert (output.n_written, output.tally, output.is_complete) == (5, {"vowels": 2}, True)


def test_shards_of_other_settings_are_refused_and_never_thrown_away(tmp_path):
    path = tmp_path / "out.tsv"
    run(path, "abc", shard=Shard(0, 2))
    with pytest.raises(ValueError, match=r"its dtype is 'float32', that .* delete the folder to"):
        run(path, "abc", fingerprint={**FINGERPRINT, "dtype": "int8"}, shard=Shard(1, 2),
            overwrite=True)  # fmt: skip
    with pytest.raises(ValueError, match="several processes must each read the input"):
        run(path, "abc", fingerprint=None, shard=Shard(1, 2))
    note = tmp_path / "out.tsv.partial" / "part-000002.json"
    note.write_text('{"run": "another", "tally": {"records": 1}}')
    with pytest.raises(ValueError, match=r"part-000002\.json must be of the run .* found a part"):
        join_parts(path)


def test_there_must_be_something_to_join(tmp_path):
    with pytest.raises(ValueError, match="must be a folder of parts that a run with --shard began"):
        join_parts(tmp_path / "out.tsv")
    (tmp_path / "out.tsv").touch()
    with pytest.raises(ValueError, match="must not exist yet"):
        join_parts(tmp_path / "out.tsv")


def test_joining_replaces_a_file_by_a_folder_and_a_folder_by_a_file(tmp_path):
    path = tmp_path / "out.csv"
    of_files = DelimitedFormat(["id"], delimiter=",")
    for result_format in (of_files, FolderFormat(of_files, name=path.name, max_mb=1), of_files):
        parts = PartFolder(path)
        parts.begin({"input": "x"}, result_format)
        parts.write(0, [["a"]], {}, result_format=result_format)
        parts.end(1)
        join_parts(path, overwrite=True)
        file = path / "out-00000-of-00001.csv" if result_format is not of_files else path
        assert file.read_text() == "id\na\n"


@pytest.mark.parametrize("text", ["4/4", "1", "a/2", "-1/2", "1/0", "/"])
def test_a_shard_is_a_number_of_so_many(text):
    with pytest.raises(ValueError, match="must be written I/N with I from 0 to N - 1, got "):
        resolve_shard(text, "out.tsv")


def test_what_cannot_be_shared_is_said(monkeypatch):
    for output in ("-", None):
        with pytest.raises(ValueError, match="found no file to write; name one"):
            resolve_shard("0/2", output)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert resolve_shard(None, None) == WHOLE
    assert resolve_shard(None, "o.tsv") == Shard(1, 2, is_rank=True)
    with pytest.raises(ValueError, match="got shard 0/2 on one of 2 processes; leave one"):
        resolve_shard("0/2", "o.tsv")


def test_standard_output_has_its_header_with_the_first_row(capfdbinary):
    def failing():
        yield "a"
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        run("-", (row for row in failing() if row != "a"))
    assert capfdbinary.readouterr().out == b""
    run("-", "ab")
    assert capfdbinary.readouterr().out == b"id\na\nb\n"
    run("-", "")
    assert capfdbinary.readouterr().out == b"id\n"
