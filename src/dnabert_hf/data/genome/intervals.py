"""Intervals on a genome, read from BED and narrowPeak, and matched to the genome's contigs."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dnabert_hf.data.reading.lines import text_lines

if TYPE_CHECKING:
    from dnabert_hf.data.genome.genome import Genome

__all__ = ["Interval", "match_intervals", "read_bed"]

logger = logging.getLogger(__name__)

_SKIPPED = ("#", "track", "browser")
_STRANDS = ("+", "-")
_NARROW_PEAK_COLUMNS = 10
_SHOWN = 5  # contigs named in a message
_LISTED = 100  # of those that are missing, which a user must see to trust what is left


class Interval(NamedTuple):
    """A stretch of a contig.

    Attributes:
        contig: Name of the contig.
        start: First base (0-based).
        end: Base after the last one.
        strand: "+" or "-"; "+" if the file gives none.
        name: Name, or "" if the file gives none.
        point: Base that matters most, in coordinates of the contig (0-based): the summit of a peak,
            the first base of a transcript; None if the file does not say.
    """

    contig: str
    start: int
    end: int
    strand: str = "+"
    name: str = ""
    point: int | None = None


def read_bed(path: str | Path) -> list[Interval]:
    """Read a BED or narrowPeak file, plain or gzip.

    A file of ten columns, the last of them whole numbers from -1 on, is taken for narrowPeak: its
    `point` is the summit. A file of eight to twelve columns whose thick part begins or ends inside
    the interval, as EPDnew's do (Meylan et al. 2020), has its `point` at the 5' end of that part;
    an interval of a single base is its own `point`.

    Args:
        path: The file: contig, start, end (0-based, half-open), then name, score, strand and so on.

    Returns:
        The intervals in the order of the file.

    Raises:
        ValueError: If the file is missing or has no intervals, or a line has fewer than three
            columns, no whole numbers where they must be, an empty interval, a strand that is none
            or a summit outside of the interval; the message names the line.
    """
    intervals = []
    for number, line in text_lines(path):
        if line.startswith(_SKIPPED):
            continue
        cells = line.split("\t") if "\t" in line else line.split()
        intervals.append(_interval(cells, f"{path}, line {number}"))
    if not intervals:
        raise ValueError(f"{path} must hold intervals, found no line of BED; check the file")
    return intervals


def _interval(cells: Sequence[str], source: str) -> Interval:
    if len(cells) < 3:
        raise ValueError(
            f"{source}: a line of BED must have contig, start and end, found {len(cells)} "
            f"column{'s' * (len(cells) != 1)}; correct it"
        )
    start, end = (
        _whole_number(cells[1], "start", source),
        _whole_number(cells[2], "end", source),
    )
    if not 0 <= start < end:
        raise ValueError(
            f"{source}: an interval must have 0 <= start < end (0-based, half-open), found {start} "
            f"to {end}; correct it"
        )
    strand = cells[5] if len(cells) > 5 else "."
    if strand not in (*_STRANDS, ".", ""):
        raise ValueError(f"{source}: strand must be +, - or ., found {strand!r}; correct it")
    return Interval(
        contig=cells[0],
        start=start,
        end=end,
        strand=strand if strand in _STRANDS else "+",
        name=cells[3] if len(cells) > 3 and cells[3] != "." else "",
        point=_point(cells, start, end, strand, source),
    )


def _point(cells: Sequence[str], start: int, end: int, strand: str, source: str) -> int | None:
    if end - start == 1:
        return start
    if len(cells) == _NARROW_PEAK_COLUMNS and _is_whole_number(cells[9]):
        summit = int(cells[9])
        if not -1 <= summit < end - start:
            raise ValueError(
                f"{source}: the summit of a peak must be -1 (not known) or an offset within its "
                f"{end - start} bases, found {summit}; correct it"
            )
        return None if summit == -1 else start + summit
    if len(cells) >= 8 and _is_whole_number(cells[6]) and _is_whole_number(cells[7]):
        thick_start, thick_end = int(cells[6]), int(cells[7])
        is_part = start <= thick_start < thick_end <= end
        if is_part and (thick_start, thick_end) != (start, end):
            return thick_end - 1 if strand == "-" else thick_start
    return None


def _is_whole_number(cell: str) -> bool:
    return cell.removeprefix("-").isdecimal() and cell.isascii()


def _whole_number(cell: str, field: str, source: str) -> int:
    if not _is_whole_number(cell):
        raise ValueError(f"{source}: {field} must be a whole number, found {cell!r}; correct it")
    return int(cell)


class _OnContig(Protocol):
    @property
    def contig(self) -> str: ...


def match_intervals(
    genome: "Genome",
    intervals: Sequence[_OnContig],
    omitted: Counter[str],
    *,
    kind: str,
    source: str,
) -> dict[str, str]:
    """Find the contigs that intervals lie on, and count the intervals on missing contigs.

    Args:
        genome: The genome.
        intervals: Intervals or transcripts.
        omitted: Where those that cannot be used are counted, by reason.
        kind: What the intervals are, in the plural.
        source: Name of their file, for the messages.

    Returns:
        Name in the genome by name in the file, as `ContigNames.match` gives them.

    Raises:
        ValueError: If the genome has none of the contigs.
    """
    names = genome.contig_names.match((each.contig for each in intervals), source=source)
    if lacking := sum(interval.contig not in names for interval in intervals):
        omitted[f"{kind} on contigs that the genome lacks"] += lacking
    return names
