"""Signals along a genome, such as the coverage of an experiment: bigWig and bedGraph."""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.lines import text_lines

__all__ = ["Signal", "SignalSummary", "import_pybigwig", "open_signal", "summarise_signal"]

SignalSummary = Literal["mean", "max", "log1p"]

_BIGWIG_SUFFIXES = (".bw", ".bigwig")
_HEADINGS = ("track", "browser", "#")


def import_pybigwig() -> Any:
    """Give pyBigWig.

    Raises:
        ImportError: If it is not installed; the message says how to install it.
    """
    try:
        import pyBigWig
    except ImportError as error:
        raise ImportError(
            "bigWig needs pyBigWig: pip install 'dnabert-hf[tracks]' (or use .bedgraph)"
        ) from error
    return pyBigWig


@contextmanager
def _without_messages_in_c() -> Iterator[None]:
    """Keep what a library in C writes to standard error to itself: the exception says it, too."""
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # closed
        yield
        return
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - os.devnull is no path on Windows
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


class Signal(Protocol):
    """Values along the contigs of a genome; bases without one have 0.

    Attributes:
        name: Name of the file.
    """

    name: str

    def overlapping(self, contig: str, start: int, end: int) -> Sequence[tuple[int, int, float]]:
        """Give start, end (0-based, half-open) and value of what overlaps a window, in order.

        Args:
            contig: Contig of the genome, by the genome's name.
            start: First base.
            end: Base after the last one.
        """


def open_signal(path: str | Path, genome: Genome) -> Signal:
    """Open a signal.

    Args:
        path: bigWig (.bw, .bigwig), or bedGraph as text, plain or gzip, which is read into memory.
        genome: The genome, whose names of contigs are used.

    Raises:
        ValueError: If the file cannot be read, has none of the genome's contigs, or one of another
            length: it is of another build.
        ImportError: If it is a bigWig and pyBigWig is not installed.
    """
    if str(path).lower().endswith(_BIGWIG_SUFFIXES):
        return _BigWig(path, genome)
    return _BedGraph(path, genome)


def summarise_signal(
    signal: Signal, contig: str, start: int, end: int, *, summary: SignalSummary
) -> float:
    """Put the values of a window into one number; bases without a value count as 0.

    Args:
        signal: The signal.
        contig: Contig of the genome.
        start: First base (0-based).
        end: Base after the last one.
        summary: "mean" and "max" over the bases, or "log1p": ln(1 + their sum).

    Raises:
        ValueError: If the summary is none of these, or log1p meets a negative sum.
    """
    found = signal.overlapping(contig, start, end)
    widths = [min(last, end) - max(first, start) for first, last, _ in found]
    if summary == "max":
        values = [value for *_, value in found]
        return max(values if sum(widths) == end - start else [*values, 0.0])
    total = math.fsum(width * value for width, (*_, value) in zip(widths, found, strict=True))
    if summary == "mean":
        return total / (end - start)
    if summary != "log1p":
        raise ValueError(
            f"the summary must be one of {', '.join(get_args(SignalSummary))}, got {summary!r}"
        )
    if total < 0:
        raise ValueError(
            f"{signal.name}: log1p is for counts, which are not negative, found a sum of "
            f"{total:.6g} in {contig}:{start}-{end}; take the mean"
        )
    return math.log1p(total)


class _BigWig:
    def __init__(self, path: str | Path, genome: Genome):
        self.name = str(path)
        library = import_pybigwig()
        if not Path(path).is_file():
            raise ValueError(f"{path} must be a file, found none; check the path")
        try:
            with _without_messages_in_c():
                self._file = library.open(str(path))
        except RuntimeError as error:
            raise ValueError(
                f"{path} must be a bigWig, found something else or damage ({error}); copy or "
                "download it again"
            ) from error
        if not self._file.isBigWig():
            raise ValueError(f"{path} must be a bigWig, found a bigBed; give its signal instead")
        lengths: dict[str, int] = self._file.chroms()
        names = genome.contig_names.match(lengths, source=self.name)
        for theirs, ours in names.items():
            if lengths[theirs] != genome.length(ours):
                raise ValueError(
                    f"{path} must be of the same build as the genome, found {theirs} with "
                    f"{lengths[theirs]:,} bases where {ours} has {genome.length(ours):,}"
                )
        self._names = {ours: theirs for theirs, ours in names.items()}

    def overlapping(self, contig: str, start: int, end: int) -> Sequence[tuple[int, int, float]]:
        if contig not in self._names:
            return ()
        try:
            with _without_messages_in_c():
                return self._file.intervals(self._names[contig], start, end) or ()
        except RuntimeError as error:
            raise ValueError(
                f"{self.name} must be whole, found damage at {contig}:{start}-{end} ({error}); "
                "copy or download it again"
            ) from error


class _BedGraph:
    def __init__(self, path: str | Path, genome: Genome):
        self.name = str(path)
        rows: dict[str, list[tuple[int, int, float]]] = {}
        for number, line in text_lines(path):
            if line.startswith(_HEADINGS):
                continue
            contig, *fields = line.split()
            rows.setdefault(contig, []).append(_read_row(fields, f"{path}, line {number}"))
        names = genome.contig_names.match(rows, source=self.name)
        self._columns = {}
        for theirs, ours in names.items():
            starts, ends, values = (
                np.array(each) for each in zip(*sorted(rows[theirs]), strict=True)
            )
            if ends[-1] > genome.length(ours):
                raise ValueError(
                    f"{path} must be of the same build as the genome, found a value at "
                    f"{theirs}:{starts[-1]}-{ends[-1]} where {ours} has {genome.length(ours):,} "
                    "bases"
                )
            overlap = np.flatnonzero(starts[1:] < ends[:-1])
            if len(overlap):
                at = int(starts[overlap[0] + 1])
                raise ValueError(
                    f"{path} must have one value a base, found two at {theirs}:{at} (0-based); "
                    "merge them"
                )
            self._columns[ours] = starts, ends, values

    def overlapping(self, contig: str, start: int, end: int) -> Sequence[tuple[int, int, float]]:
        if contig not in self._columns:
            return ()
        starts, ends, values = self._columns[contig]
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(starts, end, side="left"))
        columns = (each[first:last].tolist() for each in (starts, ends, values))
        return list(zip(*columns, strict=True))


def _read_row(fields: Sequence[str], place: str) -> tuple[int, int, float]:
    try:
        start, end, value = int(fields[0]), int(fields[1]), float(fields[2])
    except (ValueError, IndexError) as error:
        raise ValueError(
            f"{place}: a line of a bedGraph must have contig, start, end and a value, found "
            f"{' '.join(fields)!r} behind the contig; correct it"
        ) from error
    if not 0 <= start < end or not math.isfinite(value):
        raise ValueError(
            f"{place}: a line of a bedGraph must have 0 <= start < end and a finite value, found "
            f"{' '.join(fields)!r}; correct it"
        )
    return start, end, value
