"""bigWig files, whose library reports no failure when it closes one."""

import ctypes
import errno
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.data.genome.signal import import_pybigwig
from dnabert_hf.files.atomic import require_room

__all__ = ["take_blocks", "write_bigwig"]

_BLOCK_INTERVALS = 1 << 16
_MAGIC = bytes.fromhex("26fc8f88")
# What the file grows by at most: entries of 12 bytes in compressed blocks of 32 KiB, one of which
# waits in memory, with a line of the index each; and when it is closed, summaries of 4, 16, 64, ...
# entries with 32 bytes each, and for each contig one more in all of them.
_BYTES_AN_ENTRY = _CLOSING_BYTES_AN_ENTRY = 12
_BYTES = 1 << 16
_BYTES_A_CONTIG = 512

Intervals = Iterable[tuple[str, np.ndarray, np.ndarray, np.ndarray]]


def write_bigwig(contig_scans: Intervals, path: Path, lengths: Mapping[str, int]) -> None:
    """Write a bigWig, and read it again to be sure that all of it is there.

    Args:
        contig_scans: Contig, starts, ends (0-based, half-open) and values, contig by contig, in the
            order of the genome; those of a contig, which may come in blocks, do not overlap.
        path: File to write.
        lengths: Bases of each contig of the genome, in its order.

    Raises:
        OSError: If the disk has no room.
        ImportError: If pyBigWig is not installed.
    """
    file = import_pybigwig().open(str(path), "w")
    bases: dict[str, int] = {}
    sums: dict[str, float] = {}
    n_entries = 0
    # Where there is no room for what is added, adding it or closing the file never returns or cuts
    # the file without a word. So there must be room before, and all must be there afterwards.
    try:
        require_room(path, _BYTES_A_CONTIG * len(lengths) + _BYTES)
        file.addHeader(list(lengths.items()))
        for contig, *columns in contig_scans:
            for starts, ends, values in take_blocks(columns):
                require_room(path, _BYTES_AN_ENTRY * len(starts) + _BYTES)
                file.addEntries([contig] * len(starts), starts, ends, values)
            widths = columns[1] - columns[0]
            n_entries += len(widths)
            total = float((widths * columns[2].astype(np.float32)).sum(dtype=np.float64))
            bases[contig] = bases.get(contig, 0) + int(widths.sum())
            sums[contig] = sums.get(contig, 0.0) + total
        needed = _CLOSING_BYTES_AN_ENTRY * n_entries + _BYTES_A_CONTIG * len(lengths)
        require_room(path, needed + _BYTES)
    except BaseException as error:
        _abandon(file, path)
        if isinstance(error, RuntimeError):  # all that the library says
            raise _no_room(path) from error
        raise
    file.close()
    if not _is_whole(path, bases, sums):
        raise _no_room(path)


def _is_whole(path: Path, bases: Mapping[str, int], sums: Mapping[str, float]) -> bool:
    with path.open("rb") as stream:
        stream.seek(-len(_MAGIC), os.SEEK_END)
        if stream.read() != _MAGIC:
            return False
    try:
        with import_pybigwig().open(str(path)) as file:
            lengths = file.chroms()
            return file.header()["nBasesCovered"] == sum(bases.values()) and all(
                math.isclose(
                    file.stats(contig, 0, lengths[contig], type="sum", exact=True)[0],
                    sums[contig],
                    rel_tol=1e-6,
                    abs_tol=1e-6,
                )
                for contig in bases
                if bases[contig]
            )
    except (RuntimeError, KeyError, TypeError):
        return False


def _no_room(path: Path) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _abandon(file: Any, path: Path) -> None:
    """Never close a file, which on a full disk would not return; the room it takes is freed."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(file))  # or it is closed when it is forgotten
    os.truncate(path, 0)


def take_blocks(columns: Sequence[np.ndarray]) -> Iterator[list[list[Any]]]:
    """Turn columns into lists, some rows at a time: lists take several times as much memory."""
    for begin in range(0, len(columns[0]), _BLOCK_INTERVALS):
        yield [column[begin : begin + _BLOCK_INTERVALS].tolist() for column in columns]
