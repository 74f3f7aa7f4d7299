"""Tables that appear under their name only when they are whole."""

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["open_table"]


@contextmanager
def open_table(path: str | Path) -> Iterator[Callable[[Sequence[object]], object]]:
    """Open a table to write, divided by tabs; gzip if its name ends in .gz.

    Args:
        path: The table. What fails on the way leaves nothing.

    Yields:
        A function that writes a row.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as raw:
            # Without name and time, so that the same data make the same file.
            stream = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.suffix == ".gz" else raw
            with io.TextIOWrapper(stream, encoding="utf-8", newline="") as text:
                yield csv.writer(text, delimiter="\t", lineterminator="\n").writerow
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
