"""Lines of text files, numbered, and what to do with the bad ones."""

import logging
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dnabert_hf.data.reading.streams import open_uncompressed

__all__ = ["BadLines", "is_standard_input", "regular_file", "text_lines"]

logger = logging.getLogger(__name__)


def is_standard_input(path: str | Path) -> bool:
    """Tell whether a name stands for standard input."""
    return str(path) == "-"


def text_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file, plain or gzip, that are not blank, with their number from 1.

    Args:
        path: The file or pipe; "-" is standard input.

    Raises:
        ValueError: If the file is missing, empty, damaged or not UTF-8.
    """
    file = None if is_standard_input(path) else Path(path)
    name = str(file or "standard input")
    if file is not None and (not file.exists() or file.is_dir()):
        raise ValueError(f"{name} must be a file, found none; check the path")
    number = 0
    try:
        with open_uncompressed(file, name) as (_, stream):
            for number, letters in enumerate(stream, start=1):
                line = letters.decode("utf-8").rstrip("\r\n")
                if line and not line.isspace():
                    yield number, line
    except (UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{name}, near line {number}: the file must be readable text, found damage ({error}); "
            "copy or download it again"
        ) from error


@contextmanager
def regular_file(path: str | Path, *, suffix: str = "") -> Iterator[Path]:
    """Give a file that can be read several times: a pipe is copied to a temporary file first.

    Args:
        path: A file, a pipe, or "-" for standard input.
        suffix: Suffix of the temporary file.

    Raises:
        ValueError: If standard input is to be read by several processes.
    """
    path = Path(path)
    is_stdin = is_standard_input(path)
    if is_stdin and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            "several processes must read a file, found standard input; write it to a file first"
        )
    if not is_stdin and (path.is_file() or path.is_dir() or not path.exists()):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="dnabert_hf_") as folder:
        copy = Path(folder) / f"standard_input{suffix}"
        with ExitStack() as stack:
            source = sys.stdin.buffer if is_stdin else stack.enter_context(path.open("rb"))
            shutil.copyfileobj(source, stack.enter_context(copy.open("wb")))
        # What is said of the copy is said of what it was made of.
        name = "standard input" if is_stdin else str(path)
        with _renamed(str(copy), name):
            yield copy


@contextmanager
def _renamed(path: str, name: str) -> Iterator[None]:
    """Put another name in the place of a path, in errors and in what is logged."""
    make = logging.getLogRecordFactory()

    def rename(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.msg, record.args = record.getMessage().replace(path, name), ()
        return record

    logging.setLogRecordFactory(rename)
    try:
        yield
    except ValueError as error:
        raise ValueError(str(error).replace(path, name)) from error
    finally:
        logging.setLogRecordFactory(make)


class BadLines:
    """Lines that cannot be used: the first is an error, or all are counted.

    Args:
        path: The file.
        skip: Whether to leave such lines out; False lets the error name the option that would,
            None does not.
    """

    def __init__(self, path: str | Path, *, skip: bool | None) -> None:
        self._path = path
        self._skip = skip
        self._n = 0
        self._first: ValueError | None = None

    def note(self, error: ValueError) -> None:
        """Count a bad line.

        Args:
            error: What is wrong with it, and where.

        Raises:
            ValueError: If such lines are not to be left out.
        """
        if not self._skip:
            option = "" if self._skip is None else " (or leave out all bad lines: --skip-bad)"
            raise ValueError(f"{error}{option}") from error
        self._n += 1
        self._first = self._first or error

    def report(self) -> None:
        """Say in a warning how many lines were left out, and what is wrong with the first."""
        if self._n:
            logger.warning("%s: %d bad lines left out; first: %s", self._path, self._n, self._first)
