"""Atomic writing: a file or folder has its name only when it is whole.

Until then it lies beside its place as `.TOKEN.partial.NAME`, a name that no other process takes,
and is removed whatever happens. What a killed process leaves is no longer locked, and goes when
the same file or folder is written again.
"""

import csv
import errno
import glob
import gzip
import io
import json
import os
import re
import shutil
import tempfile
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

try:
    import fcntl
    import resource
except ImportError:  # Windows, where what a killed process leaves must be removed by hand
    fcntl = resource = None  # type: ignore[assignment]

__all__ = [
    "NO_SPACE",
    "FinishedElsewhereError",
    "atomic_file",
    "atomic_folder",
    "open_table",
    "put_folder",
    "require_room",
    "scratch_folder",
    "set_usual_modes",
    "write_json",
    "write_text",
]

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_LONGEST = 200  # bytes of the target's name in that of the unfinished file; 255 are possible
_TOKEN = re.compile(r"\.[0-9a-f]{16}\.(partial|replaced)\.")

_Identity = tuple[int, int, int] | None


class FinishedElsewhereError(ValueError):
    """Another process has written the same file or folder meanwhile."""

    def __init__(self, path: Path):
        super().__init__(
            f"{path} must be written by one process, but another one has finished it meanwhile; "
            "that result is kept and this one thrown away: give each process an output of its own"
        )


@contextmanager
def atomic_file(path: str | Path, *, is_shared: bool = False) -> Iterator[Path]:
    """Give the name of a new file, which takes its place if the block ends well.

    The file is written through to the disk before, and gets the permissions that the umask leaves.

    Args:
        path: File to write; one that is there is replaced.
        is_shared: Whether several processes may write the file at a time, to the same bytes.

    Yields:
        The file to write to, which exists and is empty.

    Raises:
        FinishedElsewhereError: If another process has written the file meanwhile.
        OSError: If the file cannot be written, for want of room for instance.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_file(Path(folder) / "scores.tsv") as partial:
        ...         _ = partial.write_text("id score")
        ...     [path.name for path in Path(folder).iterdir()]
        ['scores.tsv']
    """
    path = Path(path)
    _remove_leftovers(path)
    before = _identify(path)
    partial, lock = _begin(path, lambda new: os.close(os.open(new, os.O_CREAT | os.O_EXCL, 0o666)))
    try:
        yield partial
        _write_through(partial)
        if not is_shared and _identify(path) not in (before, None):
            raise FinishedElsewhereError(path)
        partial.chmod(_usual_mode())
        partial.replace(path)
        _write_through(path.parent)
    except OSError as error:
        raise _explain(error, path, partial) from error
    finally:
        partial.unlink(missing_ok=True)
        _unlock(lock)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Give a new folder, which takes its place if the block ends well.

    Args:
        path: Folder to write; one that is there is replaced with all that is in it, so look into
            it before (`check_folder`).

    Yields:
        The folder to write to, which is empty.

    Raises:
        FinishedElsewhereError: If another process has written the folder meanwhile.
        OSError: If something cannot be written, for want of room for instance.
    """
    path = Path(path)
    with scratch_folder(path) as partial:
        before = _identify(path)
        yield partial
        if _identify(path) not in (before, None):
            raise FinishedElsewhereError(path)
        put_folder(partial, path)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside a file or folder, which is removed in the end.

    Args:
        path: What is to be written; folders that hold it are made where there are none.

    Yields:
        The folder.

    Raises:
        OSError: If something cannot be written, for want of room for instance.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    scratch, lock = _begin(path, Path.mkdir)
    try:
        yield scratch
    except OSError as error:
        raise _explain(error, path, scratch) from error
    except SafetensorError as error:  # which wraps those of the disk
        raise OSError(f"{path} cannot be written: {error}; make room and try again") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        _unlock(lock)


def put_folder(finished: Path, path: Path) -> None:
    """Give a finished folder its name, in place of the one that has it.

    Args:
        finished: The folder, on the same disk.
        path: Its name.
    """
    set_usual_modes(finished)
    for file in (*finished.rglob("*"), finished):
        _write_through(file)
    replaced = _beside(path, "replaced")
    with suppress(FileNotFoundError):
        path.rename(replaced)
    finished.rename(path)
    _write_through(path.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def write_text(text: str, path: str | Path) -> None:
    """Write a file of text in UTF-8."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(content: Mapping[str, Any], path: str | Path) -> None:
    """Write a file of JSON."""
    write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", path)


@contextmanager
def open_table(
    path: str | Path, *, is_shared: bool = False
) -> Iterator[Callable[[Sequence[object]], object]]:
    """Open a table to write, divided by tabs; gzip if its name ends in .gz.

    Args:
        path: The table. What fails on the way leaves nothing.
        is_shared: Whether several processes may write it at a time, to the same bytes.

    Yields:
        A function that writes a row.
    """
    path = Path(path)
    with atomic_file(path, is_shared=is_shared) as partial:
        try:
            with partial.open("wb") as raw:
                # Without name and time, so that the same data make the same file.
                is_gzip = path.suffix == ".gz"
                stream = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if is_gzip else raw
                with io.TextIOWrapper(stream, encoding="utf-8", newline="") as text:
                    yield csv.writer(text, delimiter="\t", lineterminator="\n").writerow
        except zlib.error as error:  # from closing what could not be written
            raise error.__context__ or error from None


def require_room(path: Path, size: int) -> None:
    """Make sure that a file can grow, where what writes it would not say that it cannot.

    Args:
        path: The file.
        size: Bytes.

    Raises:
        OSError: If the disk, a quota or a limit of the process has no room for them.
    """
    limit = -1 if resource is None else resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if 0 <= limit < path.stat().st_size + size:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    if not hasattr(os, "posix_fallocate"):  # macOS
        if shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return
    with tempfile.TemporaryFile(dir=path.parent) as ballast:
        os.posix_fallocate(ballast.fileno(), 0, size)


def set_usual_modes(folder: Path, pattern: str = "**/*") -> None:
    """Give files the permissions that the umask leaves: safetensors writes them for one person.

    Args:
        folder: Folder of the files.
        pattern: Which of them, as `Path.glob` takes it.
    """
    for file in folder.glob(pattern):
        if file.is_file():
            file.chmod(_usual_mode())


def _usual_mode() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask


def _beside(path: Path, kind: str) -> Path:
    # The name is last: its suffix tells readers and writers the format.
    name = path.name.encode()[-_LONGEST:].decode(errors="ignore")
    return path.with_name(f".{uuid.uuid4().hex[:16]}.{kind}.{name}")


def _begin(path: Path, make: Callable[[Path], object]) -> tuple[Path, int | None]:
    """Make a file or folder beside a path, and lock it."""
    while True:
        partial = _beside(path, "partial")
        make(partial)
        lock = None if fcntl is None else os.open(partial, os.O_RDONLY)
        if lock is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(lock, fcntl.LOCK_EX)
        if partial.exists():  # nobody took it for a leftover before it was locked
            return partial, lock
        _unlock(lock)


def _unlock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


def _remove_leftovers(path: Path) -> None:
    """Remove what killed processes left that wrote the same file or folder."""
    name = _TOKEN.sub("", _beside(path, "partial").name, count=1)
    for leftover in path.parent.glob(f".*.{glob.escape(name)}"):
        found = _TOKEN.match(leftover.name)
        if fcntl is None or found is None or leftover.name[found.end() :] != name:
            continue
        with suppress(OSError):  # locked, hence of a process that lives; or somebody else's
            lock = os.open(leftover, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if found[1] == "replaced" and not path.exists():
                    leftover.rename(path)  # killed between taking it away and the new one
                elif leftover.is_dir():
                    shutil.rmtree(leftover)
                else:
                    leftover.unlink()
            finally:
                os.close(lock)


def _identify(path: Path) -> _Identity:
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size


def _write_through(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder, before anything builds on it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems without it
            raise
    finally:
        os.close(descriptor)


def _explain(error: OSError, path: Path, partial: Path) -> OSError:
    """Name the file that was to be written, not the one beside it, and what helps."""
    is_ours = error.filename is None or str(error.filename).startswith(str(partial))
    if error.errno is None or not is_ours:
        return error
    remedy = "make room and run the same again" if error.errno in NO_SPACE else "check the place"
    advice = f"; {remedy} (nothing half-written is left)"
    reason = (error.strerror or "").removesuffix(advice)  # of a file within a file
    return type(error)(error.errno, f"{reason}{advice}", str(path))
