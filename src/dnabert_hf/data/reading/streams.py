"""Byte streams of files and standard input, uncompressed."""

import gzip
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from dnabert_hf.data.reading.foreign_formats import refuse_foreign_format

__all__ = ["check_bgzip_end", "open_uncompressed"]

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD_SIZE = 1 << 16  # bytes
# An empty block ends a file of bgzip (SAM specification, section 4.1.2).
_BGZIP_MAGIC = b"\x1f\x8b\x08\x04"
_BGZIP_FIELD = b"BC"  # at byte 12
_BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@contextmanager
def open_uncompressed(path: Path | None, name: str) -> Iterator[tuple[bytes, BinaryIO]]:
    """Open a file or standard input (None), uncompressed, and give its first bytes beside it.

    Raises:
        ValueError: If it is empty, of a format that is not read here, or a file of bgzip that was
            cut off: gzip itself sees nothing amiss between two blocks. In a pipe, that is found at
            its end.
    """
    with ExitStack() as stack:
        stream = stack.enter_context(path.open("rb")) if path else sys.stdin.buffer
        head = stream.read(_HEAD_SIZE)
        is_gzip = head.startswith(_GZIP_MAGIC)
        if is_gzip:
            if stream.seekable():
                position = stream.tell()
                check_bgzip_end(stream, head, name)
                stream.seek(position)
                compressed = _rejoin(head, stream)
            else:
                compressed = _rejoin(head, stream, bgzip_name=name if _is_bgzip(head) else None)
            stream = stack.enter_context(gzip.GzipFile(fileobj=compressed))
            head = stream.read(_HEAD_SIZE)
        elif path and path.suffix.lower() in (".gz", ".bgz") and head:
            raise ValueError(
                f"{name} must be compressed with gzip, as its suffix says, found other content; "
                "rename or compress it"
            )
        head = head.removeprefix(_BYTE_ORDER_MARK)
        if not head.strip():
            raise ValueError(f"{name} must have content, found an empty file; check the path")
        refuse_foreign_format(head, name)
        if is_gzip or not stream.seekable():
            yield head, _rejoin(head, stream)
        else:
            stream.seek(-len(head), io.SEEK_CUR)
            yield head, stream


def check_bgzip_end(stream: BinaryIO, head: bytes, name: str) -> None:
    """Refuse a file of bgzip without the empty block that ends one; any other file passes.

    Args:
        stream: The compressed file, which one can seek in; it is left at its end.
        head: Its first bytes.
        name: Its name, for the error.

    Raises:
        ValueError: If it was cut off.
    """
    if _is_bgzip(head):
        stream.seek(-min(len(_BGZIP_END), len(head)), os.SEEK_END)
        if stream.read() != _BGZIP_END:
            _raise_for_cut_bgzip(name)


def _is_bgzip(head: bytes) -> bool:
    return head.startswith(_BGZIP_MAGIC) and head[12:14] == _BGZIP_FIELD


def _raise_for_cut_bgzip(name: str) -> NoReturn:
    raise ValueError(
        f"{name} is a truncated bgzip file: it must end with an empty block, found other "
        "content; copy or download it again, or compress it again with bgzip"
    )


def _rejoin(head: bytes, stream: BinaryIO, *, bgzip_name: str | None = None) -> BinaryIO:
    """Give a stream that begins with bytes already taken off a pipe, which cannot be put back."""
    return io.BufferedReader(_Rejoined(head, stream, bgzip_name))


class _Rejoined(io.RawIOBase):
    """Bytes and the stream behind them; with a name, a file of bgzip whose end is checked."""

    def __init__(self, head: bytes, stream: BinaryIO, bgzip_name: str | None) -> None:
        self._head = head
        self._stream = stream
        self._bgzip_name = bgzip_name
        self._end = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        letters = self._head[: len(buffer)] or self._stream.read(len(buffer))
        self._head = self._head[len(letters) :]
        buffer[: len(letters)] = letters
        if self._bgzip_name is not None:
            self._end = (self._end + letters)[-len(_BGZIP_END) :]
            if not letters and self._end != _BGZIP_END:
                _raise_for_cut_bgzip(self._bgzip_name)
        return len(letters)
