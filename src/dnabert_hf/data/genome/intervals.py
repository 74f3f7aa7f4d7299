"""Intervals on a genome, read from BED and narrowPeak, and matched to the genome's contigs."""

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from dnabert_hf.data.reading.lines import BadLines, text_lines

if TYPE_CHECKING:
    from dnabert_hf.data.genome.genome import Genome

__all__ = [
    "BedFile",
    "Interval",
    "match_intervals",
    "parse_whole_number",
    "read_bed",
    "read_bed_file",
]

_SKIPPED = ("#", "track", "browser")
_STRANDS = ("+", "-")
_NO_STRAND = (".", "", "*")  # the last one is R's
_HEADER = ("start", "chromstart", "chrom_start", "chrstart", "begin")  # of a second column
_NARROW_PEAK_COLUMNS = 10
_THICK_COLUMNS = (8, 9)
_LONGEST_SITE = 20  # bases; EPDnew's thick parts have 11, FANTOM5's one
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE]\+?\d{1,2})?", re.ASCII)


class Interval(NamedTuple):
    """An interval on a contig.

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


class BedFile(NamedTuple):
    """A BED or narrowPeak file.

    Attributes:
        intervals: Its intervals, in the order of the file.
        point: What their points are: "summit", "thick" (5' end of the thick part) or "".
        n_unstranded: Of these, how many have no strand and are taken to be on "+".
    """

    intervals: list[Interval]
    point: str
    n_unstranded: int


def read_bed(path: str | Path, *, skip_bad: bool | None = None) -> list[Interval]:
    """Read a BED or narrowPeak file, plain or gzip, as `read_bed_file` does.

    Args:
        path: The file.
        skip_bad: As in `read_bed_file`.

    Returns:
        The intervals in the order of the file.

    Raises:
        ValueError: As `read_bed_file` does.
    """
    return read_bed_file(path, skip_bad=skip_bad).intervals


def read_bed_file(path: str | Path, *, skip_bad: bool | None = None) -> BedFile:
    """Read a BED or narrowPeak file, plain or gzip, with what its points mean.

    An interval of a single base is its own `point`. In a file of ten columns, the last four of
    them numbers, `point` is the summit of a narrowPeak. In a file of eight or nine columns all of
    whose thick parts are short (20 bases at most), `point` is the 5' end of the thick part: so
    EPDnew (Meylan et al. 2020) and FANTOM5 mark start sites. Elsewhere the thick part is coding
    sequence and means nothing here; a file of twelve columns has blocks (exons) and no points.

    Numbers may be written as pandas and R do (`50.0`, `1e+05`), "*" is no strand, and a first line
    with the names of the columns is passed over.

    Args:
        path: The file ("-" is standard input): contig, start, end (0-based, half-open), then name,
            score, strand and so on.
        skip_bad: Whether to leave out and count lines that cannot be used, instead of an error at
            the first; False lets the error name the option, None does not.

    Raises:
        ValueError: If the file is missing or has no intervals, or a line has fewer than three
            columns, no whole numbers where they must be, an empty interval, a strand that is none
            or a summit outside of the interval; the message names the line.
    """
    intervals: list[Interval] = []
    thick: list[tuple[int, tuple[int, int]]] = []  # number of the interval, start and end
    n_unstranded = n_summits = 0
    bad = BadLines(path, skip=skip_bad)
    is_first = True
    for number, line in text_lines(path):
        if line.startswith(_SKIPPED):
            continue
        cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.split())]
        is_header = is_first and len(cells) > 2 and cells[1].lower() in _HEADER
        is_first = False
        if is_header:
            continue
        try:
            interval = _interval(cells, f"{path}, line {number}")
        except ValueError as error:
            bad.note(error)
            continue
        n_unstranded += len(cells) < 6 or cells[5] not in _STRANDS
        if len(cells) == _NARROW_PEAK_COLUMNS:
            n_summits += interval.point is not None
        elif interval.point is None and len(cells) in _THICK_COLUMNS:
            part = parse_whole_number(cells[6]), parse_whole_number(cells[7])
            if part[0] is not None and part[1] is not None and cells[5] in _STRANDS:
                thick.append((len(intervals), (part[0], part[1])))
        intervals.append(interval)
    bad.report()
    if not intervals:
        raise ValueError(f"{path} must hold intervals, found no line of BED; check the file")
    if is_thick := _mark_sites(thick, [intervals[row] for row, _ in thick]):
        for row, (start, end) in thick:
            interval = intervals[row]
            if (start, end) != (interval.start, interval.end):
                point = end - 1 if interval.strand == "-" else start
                intervals[row] = interval._replace(point=point)
    meaning = "thick" if is_thick else "summit" if n_summits else ""
    return BedFile(intervals, meaning, n_unstranded)


def _mark_sites(
    thick: Sequence[tuple[int, tuple[int, int]]], intervals: Sequence[Interval]
) -> bool:
    """Tell whether thick parts mark sites: all are short, and some are parts of their interval."""
    parts = [part for _, part in thick]
    return any(
        part != (interval.start, interval.end)
        for part, interval in zip(parts, intervals, strict=True)
    ) and all(
        interval.start <= start < end <= interval.end and end - start <= _LONGEST_SITE
        for (start, end), interval in zip(parts, intervals, strict=True)
    )


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
    if strand not in (*_STRANDS, *_NO_STRAND):
        raise ValueError(f"{source}: strand must be +, - or ., found {strand!r}; correct it")
    return Interval(
        contig=cells[0],
        start=start,
        end=end,
        strand=strand if strand in _STRANDS else "+",
        name=cells[3] if len(cells) > 3 and cells[3] != "." else "",
        point=_point(cells, start, end, source),
    )


def _point(cells: Sequence[str], start: int, end: int, source: str) -> int | None:
    """Find the summit in a line of narrowPeak; a single base is its own point."""
    if end - start == 1:
        return start
    if len(cells) != _NARROW_PEAK_COLUMNS or _number(cells[9]) is None:
        return None
    if not all(map(_is_score, cells[6:9])):  # another file of ten columns
        return None
    summit = _whole_number(cells[9], "the summit of a peak", source)
    if not -1 <= summit < end - start:
        raise ValueError(
            f"{source}: the summit of a peak must be -1 (not known) or an offset within its "
            f"{end - start} bases, found {summit}; correct it"
        )
    return None if summit == -1 else start + summit


def _is_score(cell: str) -> bool:
    """Tell the signal, p-value or q-value of a peak, also one that is not known or infinite."""
    try:
        float(cell)
    except ValueError:
        return cell in ("", ".", "NA")
    return True


def _number(cell: str) -> Decimal | None:
    """Read a number as Python, pandas and R write it; NaN is none."""
    return Decimal(cell) if _NUMBER.fullmatch(cell) else None


def parse_whole_number(cell: str) -> int | None:
    """Read a whole number, also one that a table program wrote as a fraction.

    Example:
        >>> [parse_whole_number(cell) for cell in ("50", "50.0", "1e+05", "50.5", "x")]
        [50, 50, 100000, None, None]
    """
    number = _number(cell)
    return int(number) if number is not None and number == number.to_integral_value() else None


def _whole_number(cell: str, field: str, source: str) -> int:
    number = parse_whole_number(cell)
    if number is None:
        raise ValueError(f"{source}: {field} must be a whole number, found {cell!r}; correct it")
    return number


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
