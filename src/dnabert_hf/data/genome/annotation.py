"""Transcripts and transcription start sites, read from GTF, GFF3, BED and tables."""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from dnabert_hf.data.genome.intervals import (
    BedFile,
    Interval,
    parse_whole_number,
    read_bed_file,
)
from dnabert_hf.data.reading.lines import BadLines, text_lines

__all__ = ["Transcript", "parse_attributes", "read_start_sites", "read_transcripts"]

logger = logging.getLogger(__name__)

_GTF_SUFFIXES = (".gtf", ".gff", ".gff3")
_BED_SUFFIXES = (".bed", ".bed6", ".bed9", ".bed12", ".narrowpeak")
_COLUMNS = 9
# `transcript_id "ENST1"` in GTF, where a text in quotes may hold a semicolon; in GFF3
# `Parent=transcript:ENST1`, where quotes mean nothing and an exon may have several parents.
_GTF_ATTRIBUTE = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
_IS_GFF3 = re.compile(r'\s*[^\s"=;]+=')
_NAMES_SHOWN = 3  # of transcripts that are left out
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


def read_transcripts(path: str | Path, *, skip_bad: bool | None = None) -> list[Transcript]:
    """Read the exons of a GTF or GFF3 file, plain or gzip, transcript by transcript.

    Transcripts that have no introns or start site of the usual kind are left out, and a warning
    counts them: those with exons on both strands (trans-splicing) or on several contigs, without a
    strand ("." or "?"), and exons whose transcript has no name.

    Args:
        path: The file; only its lines of type exon count.
        skip_bad: Whether to leave out and count lines that cannot be read, instead of an error at
            the first; False lets the error name the option, None does not.

    Returns:
        The transcripts in the order of their first exon.

    Raises:
        ValueError: If the file is missing or holds no usable transcript, a line has not nine
            columns, or an exon has no transcript or whole numbers; the message names the line.
    """
    transcripts: dict[str, Transcript] = {}
    odd: dict[str, dict[str, None]] = {}
    bad = BadLines(path, skip=skip_bad)
    for number, line in text_lines(path):
        if line.startswith("##FASTA"):
            break
        if line.startswith("#"):
            continue
        try:
            _add_exon(transcripts, odd, line.split("\t"), f"{path}, line {number}")
        except ValueError as error:
            bad.note(error)
    bad.report()
    left_out = {name for names in odd.values() for name in names}
    kept = [each for each in transcripts.values() if each.name not in left_out]
    if odd:
        logger.warning("%s: left out: %s", path, _counted(odd))
    if not kept:
        found = f"only {_counted(odd)}" if odd else "none"
        raise ValueError(
            f"{path} must hold lines of type exon, found {found}; give an annotation of genes"
        )
    for transcript in kept:
        transcript.exons = sorted(set(transcript.exons))
    return kept


def _counted(odd: Mapping[str, Collection[str]]) -> str:
    texts = []
    for reason, names in odd.items():
        shown = ", ".join(list(names)[:_NAMES_SHOWN]) + " ..." * (len(names) > _NAMES_SHOWN)
        texts.append(f"{len(names)} {reason} ({shown})")
    return ", ".join(texts)


def _add_exon(
    transcripts: dict[str, Transcript],
    odd: dict[str, dict[str, None]],
    cells: list[str],
    source: str,
) -> None:
    """Add an exon to its transcripts, or a transcript to the odd ones, by reason."""
    if len(cells) != _COLUMNS:
        raise ValueError(
            f"{source}: a line of GTF or GFF3 must have {_COLUMNS} columns divided by tabs, found "
            f"{len(cells)}; correct it"
        )
    contig, _, kind, start_1based, end, _, strand, _, attributes = cells
    if kind != "exon":
        return
    names = _transcript_names(attributes)
    if names is None:
        raise ValueError(
            f'{source}: an exon must name its transcript (GTF: transcript_id "...", GFF3: '
            f"Parent=...), found {attributes[:60]!r}; correct it"
        )
    if not (start_1based.isdecimal() and end.isdecimal() and 0 < int(start_1based) <= int(end)):
        raise ValueError(
            f"{source}: an exon must have 1 <= start <= end, found {start_1based} to {end}; "
            "correct it"
        )
    if strand not in ("+", "-", ".", "?"):
        raise ValueError(f"{source}: a strand must be +, -, . or ?, found {strand!r}; correct it")
    for name in names:
        if not name:
            odd.setdefault("exons of transcripts without a name", {})[source] = None
            continue
        transcript = transcripts.setdefault(name, Transcript(name, contig, strand))
        reason = ""
        if transcript.contig != contig:
            reason = "transcripts on several contigs"
        elif strand not in ("+", "-"):
            reason = "transcripts without a strand"
        elif transcript.strand != strand:
            reason = "transcripts on both strands"
        if reason:
            odd.setdefault(reason, {})[name] = None
        transcript.exons.append((int(start_1based) - 1, int(end)))


def parse_attributes(attributes: str) -> dict[str, str]:
    """Read the last column of a line of GTF or GFF3; of a key that is there twice, the first.

    Example:
        >>> parse_attributes('note "as in x; Parent=foo"; transcript_id "TA";')
        {'note': 'as in x; Parent=foo', 'transcript_id': 'TA'}
        >>> parse_attributes("ID=e1;Parent=transcript:TA,transcript:TB")
        {'ID': 'e1', 'Parent': 'transcript:TA,transcript:TB'}
    """
    found: dict[str, str] = {}
    if _IS_GFF3.match(attributes):
        for part in attributes.split(";"):
            key, sign, value = part.strip().partition("=")
            if sign:
                found.setdefault(key, value)
        return {key: value if key == "Parent" else unquote(value) for key, value in found.items()}
    for part in _GTF_ATTRIBUTE.findall(attributes):
        key, *rest = part.split(maxsplit=1)[:2] or [""]
        if key:
            found.setdefault(key, "".join(rest).strip().strip('"'))
    return found


def _transcript_names(attributes: str) -> list[str] | None:
    """Read the transcripts of an exon off its last column; None if it names none.

    Example:
        >>> _transcript_names('note "as in x; Parent=foo"; transcript_id "TA";')
        ['TA']
        >>> _transcript_names("ID=e1;Parent=transcript:TA,transcript:TB")
        ['TA', 'TB']
    """
    found = parse_attributes(attributes)
    if _IS_GFF3.match(attributes):
        names = found["Parent"].split(",") if "Parent" in found else None
        return names and [unquote(name.strip()).removeprefix("transcript:") for name in names]
    return [found["transcript_id"]] if "transcript_id" in found else None


def read_start_sites(
    path: str | Path,
    *,
    columns: tuple[str, str, str] | None = None,
    skip_bad: bool | None = None,
) -> list[Interval]:
    """Read transcription start sites.

    Args:
        path: GTF or GFF3 (by suffix; the 5' ends of the transcripts), BED (by suffix; see
            `read_bed_file`: the points of its intervals, such as EPDnew's start sites, or else the
            5' ends of the intervals, as of transcripts; which, and how often, is said in a warning)
            or a table with a header, divided by tabs; plain or gzip.
        columns: Names of the table's columns of contig, 0-based position and strand; by default
            those very words.
        skip_bad: Whether to leave out and count lines that cannot be used, instead of an error at
            the first; False lets the error name the option, None does not.

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
            for transcript in read_transcripts(path, skip_bad=skip_bad)
        ]
    elif suffix in _BED_SUFFIXES:
        sites = _sites_of_bed(read_bed_file(path, skip_bad=skip_bad), path)
    else:
        sites = _read_table(path, columns or _TABLE_COLUMNS, skip_bad=skip_bad)
    distinct: dict[tuple[str, int, str], str] = {}
    for contig, position, strand, name in sites:
        distinct.setdefault((contig, position, strand), name)
    return [
        Interval(contig, position, position + 1, strand, name, position)
        for (contig, position, strand), name in distinct.items()
    ]


def _sites_of_bed(bed: BedFile, path: str | Path) -> list[tuple[str, int, str, str]]:
    """Take the point or the 5' end of each interval, and say which."""
    sites = []
    n_ends = 0
    for interval in bed.intervals:
        point = interval.point
        if point is None:
            n_ends += 1
            point = interval.start if interval.strand == "+" else interval.end - 1
        sites.append((interval.contig, point, interval.strand, interval.name))
    kinds = {"thick": "5' ends of the thick part (columns 7 and 8)", "summit": "summits"}
    counts = {
        kinds.get(bed.point, "single bases"): len(sites) - n_ends,
        "5' ends of the interval": n_ends,
    }
    taken = ", ".join(f"{n} {kind}" for kind, n in counts.items() if n)
    unstranded = f"; {bed.n_unstranded} of them have no strand and are taken to be on +"
    logger.warning("%s: start sites are %s%s", path, taken, unstranded if bed.n_unstranded else "")
    return sites


def _read_table(
    path: str | Path, columns: tuple[str, str, str], *, skip_bad: bool | None
) -> list[tuple[str, int, str, str]]:
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
    bad = BadLines(path, skip=skip_bad)
    for number, line in lines:
        try:
            sites.append(_site(line.split("\t"), len(header), indices, f"{path}, line {number}"))
        except ValueError as error:
            bad.note(error)
    bad.report()
    if not sites:
        raise ValueError(f"{path} has a header but no rows; add one start site a row")
    return sites


def _site(
    cells: Sequence[str], n_cells: int, indices: Sequence[int], source: str
) -> tuple[str, int, str, str]:
    if len(cells) != n_cells:
        raise ValueError(
            f"{source}: each row must have as many cells as the header, {n_cells}, found "
            f"{len(cells)}; correct it"
        )
    contig, cell, strand = (cells[index].strip() for index in indices)
    position = parse_whole_number(cell)
    if position is None or position < 0:
        raise ValueError(
            f"{source}: the position must be a whole number (0-based), found {cell!r}; correct it"
        )
    if strand not in ("+", "-"):
        raise ValueError(f"{source}: the strand must be + or -, found {strand!r}; correct it")
    return contig, position, strand, ""
