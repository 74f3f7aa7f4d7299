"""Byte streams of files and standard input, uncompressed."""

import gzip
import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["open_uncompressed"]

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD_SIZE = 1 << 16  # bytes


@contextmanager
def open_uncompressed(path: Path | None, name: str) -> Iterator[tuple[bytes, BinaryIO]]:
    """Open a file or standard input (None), uncompressed, and give its first bytes beside it."""
    with ExitStack() as stack:
        stream = stack.enter_context(path.open("rb")) if path else sys.stdin.buffer
        head = stream.read(_HEAD_SIZE)
        is_gzip = head.startswith(_GZIP_MAGIC)
        if is_gzip:
            compressed = _rejoin(head, stream)
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
        if is_gzip or not stream.seekable():
            yield head, _rejoin(head, stream)
        else:
            stream.seek(-len(head), io.SEEK_CUR)
            yield head, stream


def _rejoin(head: bytes, stream: BinaryIO) -> BinaryIO:
    """Give a stream that begins with bytes already taken off a pipe, which cannot be put back."""
    return io.BufferedReader(_Rejoined(head, stream))


class _Rejoined(io.RawIOBase):
    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        letters = self._head[: len(buffer)] or self._stream.read(len(buffer))
        self._head = self._head[len(letters) :]
        buffer[: len(letters)] = letters
        return len(letters)
