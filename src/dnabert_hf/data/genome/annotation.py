"""Transcripts and transcription start sites, read from GTF, GFF3, BED and tables."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from dnabert_hf.data.genome.intervals import Interval, read_bed
from dnabert_hf.data.reading.lines import text_lines

__all__ = ["Transcript", "read_start_sites", "read_transcripts"]

_GTF_SUFFIXES = (".gtf", ".gff", ".gff3")
_COLUMNS = 9
# `transcript_id "ENST1"` in GTF; `Parent=transcript:ENST1` or `transcript_id=ENST1` in GFF3, where
# an exon may have several parents.
_TRANSCRIPT = re.compile(r'(?:^|;\s*)(?:transcript_id[ =]"?|Parent=)([^";]+)')
_TABLE_COLUMNS = ("contig", "position", "strand")


@dataclass
class Transcript:
    """Exons of a transcript.

    Attributes:
        name: Its id.
        contig: Name of the contig.
        strand: "+" or "-".
        exons: Start and end of each exon (0-based, half-open) in the order of the contig.
    """

    name: str
    contig: str
    strand: str
    exons: list[tuple[int, int]] = field(default_factory=list)

    def start_site(self) -> int:
        """Find the first transcribed base, in coordinates of the contig (0-based).

        Example:
            >>> Transcript("t", "chr1", "-", [(10, 20), (30, 40)]).start_site()
            39
        """
        return self.exons[0][0] if self.strand == "+" else self.exons[-1][1] - 1

    def introns(self) -> list[tuple[int, int]]:
        """Find the gaps between the exons, start and end (0-based, half-open).

        Example:
            >>> Transcript("t", "chr1", "-", [(10, 20), (30, 40)]).introns()
            [(20, 30)]
        """
        pairs = zip(self.exons, self.exons[1:], strict=False)
        return [(end, start) for (_, end), (start, _) in pairs if end < start]


def read_transcripts(path: str | Path) -> list[Transcript]:
    """Read the exons of a GTF or GFF3 file, plain or gzip, transcript by transcript.

    Args:
        path: The file; only its lines of type exon count.

    Returns:
        The transcripts in the order of their first exon.

    Raises:
        ValueError: If the file is missing or holds no exon, a line has not nine columns, an exon
            has no transcript, strand or whole numbers, or a transcript lies on two contigs or
            strands; the message names the line.
    """
    transcripts: dict[str, Transcript] = {}
    for number, line in text_lines(path):
        if line.startswith("##FASTA"):
            break
        if line.startswith("#"):
            continue
        _add_exon(transcripts, line.split("\t"), f"{path}, line {number}")
    if not transcripts:
        raise ValueError(
            f"{path} must hold lines of type exon, found none; give an annotation of genes"
        )
    for transcript in transcripts.values():
        transcript.exons = sorted(set(transcript.exons))
    return list(transcripts.values())


def _add_exon(transcripts: dict[str, Transcript], cells: list[str], source: str) -> None:
    if len(cells) != _COLUMNS:
        raise ValueError(
            f"{source}: a line of GTF or GFF3 must have {_COLUMNS} columns divided by tabs, found "
            f"{len(cells)}; correct it"
        )
    contig, _, kind, start_1based, end, _, strand, _, attributes = cells
    if kind != "exon":
        return
    match = _TRANSCRIPT.search(attributes)
    if match is None:
        raise ValueError(
            f'{source}: an exon must name its transcript (transcript_id "..." or Parent=...), '
            f"found {attributes[:60]!r}; correct it"
        )
    if not (start_1based.isdecimal() and end.isdecimal() and 0 < int(start_1based) <= int(end)):
        raise ValueError(
            f"{source}: an exon must have 1 <= start <= end, found {start_1based} to {end}; "
            "correct it"
        )
    if strand not in ("+", "-"):
        raise ValueError(f"{source}: an exon must have strand + or -, found {strand!r}; correct it")
    for name in match[1].split(","):
        name = name.strip().removeprefix("transcript:")
        transcript = transcripts.setdefault(name, Transcript(name, contig, strand))
        if (transcript.contig, transcript.strand) != (contig, strand):
            raise ValueError(
                f"{source}: the exons of a transcript must lie on one strand of one contig, found "
                f"{name} on {transcript.contig} {transcript.strand} and {contig} {strand}; give "
                "them ids of their own"
            )
        transcript.exons.append((int(start_1based) - 1, int(end)))


def read_start_sites(
    path: str | Path, *, columns: tuple[str, str, str] | None = None
) -> list[Interval]:
    """Read transcription start sites.

    Args:
        path: GTF or GFF3 (by suffix; the 5' ends of the transcripts), BED (by suffix; single bases,
            EPDnew's files, or else the 5' ends of the intervals) or a table with a header, divided
            by tabs; plain or gzip.
        columns: Names of the table's columns of contig, 0-based position and strand; by default
            those very words.

    Returns:
        One interval of a single base for each site, those that were given more than once kept
        once, in the order of the file.

    Raises:
        ValueError: If the file cannot be read; the message names the line.
    """
    suffixes = [suffix for suffix in Path(path).suffixes if suffix not in (".gz", ".bgz")]
    suffix = suffixes[-1].lower() if suffixes else ""
    if suffix in _GTF_SUFFIXES:
        sites = [
            (transcript.contig, transcript.start_site(), transcript.strand, transcript.name)
            for transcript in read_transcripts(path)
        ]
    elif suffix == ".bed":
        sites = [
            (interval.contig, _five_prime_end(interval), interval.strand, interval.name)
            for interval in read_bed(path)
        ]
    else:
        sites = _read_table(path, columns or _TABLE_COLUMNS)
    distinct: dict[tuple[str, int, str], str] = {}
    for contig, position, strand, name in sites:
        distinct.setdefault((contig, position, strand), name)
    return [
        Interval(contig, position, position + 1, strand, name, position)
        for (contig, position, strand), name in distinct.items()
    ]


def _five_prime_end(interval: Interval) -> int:
    if interval.point is not None:
        return interval.point
    return interval.start if interval.strand == "+" else interval.end - 1


def _read_table(path: str | Path, columns: tuple[str, str, str]) -> list[tuple[str, int, str, str]]:
    lines = text_lines(path)
    _, first = next(lines, (1, ""))
    header = first.split("\t")
    missing = [name for name in columns if name not in header]
    if missing:
        raise ValueError(
            f"{path}, line 1: a table of start sites must have a header with "
            f"{', '.join(map(repr, columns))}, found {', '.join(map(repr, header[:8]))}; rename "
            "its columns or name the right ones, or give the file the suffix of its format (.bed, "
            ".gtf, .gff3)"
        )
    indices = [header.index(name) for name in columns]
    sites = []
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(header):
            raise ValueError(
                f"{path}, line {number}: each row must have as many cells as the header, "
                f"{len(header)}, found {len(cells)}; correct it"
            )
        contig, position, strand = (cells[index] for index in indices)
        if not position.isdecimal():
            raise ValueError(
                f"{path}, line {number}: the position must be a whole number (0-based), found "
                f"{position!r}; correct it"
            )
        if strand not in ("+", "-"):
            raise ValueError(
                f"{path}, line {number}: the strand must be + or -, found {strand!r}; correct it"
            )
        sites.append((contig, int(position), strand, ""))
    if not sites:
        raise ValueError(f"{path} has a header but no rows; add one start site a row")
    return sites
