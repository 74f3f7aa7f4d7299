import errno
import os
import signal
import subprocess
import sys

import pytest

from dnabert_hf.files.atomic import (
    FinishedElsewhereError,
    atomic_file,
    atomic_folder,
    open_table,
    require_room,
    write_json,
)
from dnabert_hf.inference.output.formats import DelimitedFormat
from dnabert_hf.inference.output.writer import open_output


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_files_have_the_mode_of_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_json({}, tmp_path / "x.json")
        with atomic_folder(tmp_path / "model") as folder:
            (folder / "weights").touch(mode=0o600)
            (folder / "weights").chmod(0o600)
    finally:
        os.umask(before)
    for path in (tmp_path / "x.json", tmp_path / "model" / "weights"):
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_files_of_somebody_beside_the_output_stay(tmp_path):
    beside = ["t.tsv.partial", "t.unfinished.tsv", ".partial.t.tsv", ".0123.partial.t.tsv"]
    for name in beside:
        (tmp_path / name).write_text("MINE")
    with open_table(tmp_path / "t.tsv") as write_row:
        write_row(["a"])
    assert names(tmp_path) == sorted([*beside, "t.tsv"])


def test_a_name_as_long_as_a_disk_takes_is_written(tmp_path):
    for name in ("x" * 251 + ".tsv", "é" * 127):
        write_json({}, tmp_path / name)
        assert names(tmp_path) == [name]
        (tmp_path / name).unlink()


@pytest.mark.parametrize("exists", [True, False])
def test_who_is_second_is_told_and_takes_nothing_away(tmp_path, exists):
    path = tmp_path / "t.json"
    if exists:
        write_json({"by": "an earlier run"}, path)
    with (
        pytest.raises(FinishedElsewhereError, match="another one has finished it meanwhile"),
        atomic_file(path) as partial,
    ):
        partial.write_text("of the second")
        write_json({"by": "the first"}, path)
    assert "the first" in path.read_text()
    with (
        pytest.raises(FinishedElsewhereError),
        atomic_folder(tmp_path / "m") as second,
    ):
        (second / "x").write_text("of the second")
        with atomic_folder(tmp_path / "m") as first:
            (first / "x").write_text("of the first")
    assert (tmp_path / "m" / "x").read_text() == "of the first"
    assert names(tmp_path) == ["m", "t.json"]


def test_who_is_second_with_parts_is_told(tmp_path):
    table = DelimitedFormat(["id"], delimiter="\t")
    options = {"fingerprint": {"model": "tiny"}, "overwrite": False}
    with (
        pytest.raises(FinishedElsewhereError, match=r"o\.tsv must be written by one process"),
        open_output(tmp_path / "o.tsv", table, **options) as second,
    ):
        for _ in second.remaining([0]):
            with open_output(tmp_path / "o.tsv", table, **options) as first:
                for _ in first.remaining([0]):
                    first.write([["a"]])
            second.write([["a"]])
    assert names(tmp_path) == ["o.tsv"]


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("file", ["thesis.tex", "run.json"])
def test_a_folder_of_somebody_where_parts_go_is_refused(tmp_path, overwrite, file):
    (tmp_path / "o.tsv.partial").mkdir()
    (tmp_path / "o.tsv.partial" / file).write_text('{"mine": 1}')
    with (
        pytest.raises(ValueError, match=r"o\.tsv\.partial is where the parts of o\.tsv go"),
        open_output(
            tmp_path / "o.tsv",
            DelimitedFormat(["id"], delimiter="\t"),
            fingerprint={},
            overwrite=overwrite,
        ),
    ):
        pass
    assert names(tmp_path / "o.tsv.partial") == [file]


def test_what_is_written_by_a_living_process_stays(tmp_path):
    with atomic_file(tmp_path / "x") as slow:
        slow.write_text("half")
        with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "x"):
            raise ZeroDivisionError
        assert slow.read_text() == "half"
    assert names(tmp_path) == ["x"]


def test_a_full_disk_is_told_once_however_deep_the_file(tmp_path):
    def fill():
        with atomic_file(tmp_path / "t.bw") as outer, atomic_file(outer) as inner:
            raise OSError(errno.ENOSPC, "No space left on device", str(inner))

    with pytest.raises(OSError, match="No space") as error:
        fill()
    assert str(error.value) == (
        "[Errno 28] No space left on device; make room and run the same again (nothing "
        f"half-written is left): '{tmp_path / 't.bw'}'"
    )
    assert not names(tmp_path)


def test_room_is_required_of_the_disk(tmp_path):
    (tmp_path / "x").write_text("")
    require_room(tmp_path / "x", 1000)
    with pytest.raises(OSError, match=r"space|large"):
        require_room(tmp_path / "x", 1 << 60)
    assert names(tmp_path) == ["x"]


_SLOW = """
import sys, time
import dnabert_hf_command
from dnabert_hf.cli import main
from dnabert_hf.files.atomic import atomic_file

def slow():
    with atomic_file("x.tsv") as partial:
        partial.write_text("half")
        print("begun", flush=True)
        time.sleep(60)

main.app.command()(slow)
sys.argv = ["dnabert", "slow"]
main.main()
"""


def test_sigterm_tidies_up_like_ctrl_c(tmp_path):
    command = [sys.executable, "-c", _SLOW]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen(command, cwd=tmp_path, **options)
    assert child.stdout.readline() == "begun\n"
    child.send_signal(signal.SIGTERM)
    _, error = child.communicate(timeout=60)
    assert (child.returncode, error) == (143, "dnabert slow: stopped\n")
    assert names(tmp_path) == []
