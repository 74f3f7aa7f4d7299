"""Atomic file writing: a file or folder appears under its name only when it is whole."""

import csv
import gzip
import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

__all__ = ["check_destination", "new_folder", "open_table", "write_json"]


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write a file of JSON beside its place, then move it there."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


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


def check_destination(source: str | Path, destination: Path, *, overwrite: bool) -> None:
    """Refuse a destination that is in use, or whose replacement would take the source away.

    Args:
        source: What is to be converted.
        destination: Folder to write.
        overwrite: Whether to replace an earlier repository.

    Raises:
        ValueError: If it must not be written.
    """
    if not destination.exists():
        return
    if not destination.is_dir():
        raise ValueError(f"{destination} must be a folder to write, found a file; name another")
    if destination.resolve() in (Path(source).resolve(), *Path(source).resolve().parents):
        raise ValueError(
            f"{destination} must be another folder than the source {source} or one that holds it"
        )
    if not any(destination.iterdir()):
        return
    if not overwrite:
        raise ValueError(
            f"{destination} must not exist yet, or overwrite must be set (--overwrite), found a "
            "folder with files"
        )
    if not (destination / "config.json").is_file():
        raise ValueError(
            f"{destination} must be the folder of a model to be overwritten, found no config.json "
            "in it; name another"
        )


@contextmanager
def new_folder(destination: Path) -> Iterator[Path]:
    """Give a folder beside the destination, which takes its place if the block ends well.

    Args:
        destination: Folder to write; one that is there is replaced.

    Yields:
        The folder to write to.

    Raises:
        ValueError: If something cannot be written, for want of room for instance.
    """
    partial = destination.with_name(f"{destination.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if destination.exists():
            shutil.rmtree(destination)
        partial.rename(destination)
    except (OSError, SafetensorError) as error:
        raise ValueError(
            f"{destination} must be a folder that can be written, with room for a model, but: "
            f"{error}; make room or name another (nothing was left behind)"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
