"""Coordinates in a genome of the sequence of a record."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval, read_bed
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sources import Source

__all__ = ["cut_window", "open_intervals", "parse_interval"]

_PLACE = re.compile(r"(.+):(\d+)-(\d+)(?:\(([-+.])\))?", re.ASCII)
_BASES = frozenset("ACGT")
_BED = (".bed", ".bed.gz", ".narrowpeak", ".narrowpeak.gz")


def open_intervals(source: Source, genome: Genome) -> Source:
    """Read the sequences of a BED file from the genome; other sources stay as they are.

    Args:
        source: A BED or narrowPeak file, told by its name, or any other source.
        genome: The genome.

    Returns:
        Records named `contig:start-end` (0-based, half-open), with `(-)` behind the reverse
        complement of an interval on the other strand, or the source.

    Raises:
        ValueError: If the file cannot be read, or no interval lies on the genome.
    """
    if not isinstance(source, str | Path) or not str(source).lower().endswith(_BED):
        return source
    return _read_intervals(read_bed(source), genome, str(source))


def _read_intervals(
    intervals: Iterable[Interval], genome: Genome, source: str
) -> Iterator[SequenceRecord]:
    intervals = list(intervals)
    names = genome.contig_names.match((each.contig for each in intervals), source=source)
    for each in intervals:
        if each.contig not in names:
            continue
        contig = names[each.contig]
        sequence = genome.sequence(contig, each.start, each.end, each.strand)
        strand = "(-)" if each.strand == "-" else ""
        yield SequenceRecord(f"{contig}:{each.start}-{each.end}{strand}", sequence)


def parse_interval(identifier: str, n_bases: int, genome: Genome | None = None) -> Interval:
    """Read where a sequence lies off its name.

    Args:
        identifier: Name such as "chr1:100-400" (0-based, half-open), or "chr1:100-400(-)" for a
            reverse complement, as `bedtools getfasta -s` writes it.
        n_bases: Bases of the sequence.
        genome: Genome that the interval must lie in.

    Raises:
        ValueError: If the name is no interval, or one of another length or not in the genome.

    Example:
        >>> parse_interval("chr1:100-104(-)", 4)[:4]
        ('chr1', 100, 104, '-')
    """
    match = _PLACE.fullmatch(identifier)
    if match is None or int(match[3]) - int(match[2]) != n_bases:
        raise ValueError(
            f"record {identifier}: for a track, its name must say where its {n_bases} bases lie, "
            "as chr1:100-400 (0-based, half-open) does; name it so, give a BED file with the "
            "genome (--genome), or write .parquet or .npz"
        )
    contig, start, end = match[1], int(match[2]), int(match[3])
    if genome is not None:
        genome.sequence(contig, start, end)  # raises for what is not there
    return Interval(contig, start, end, "-" if match[4] == "-" else "+")


def cut_window(
    genome: Genome, interval: tuple[str, int, int, str], omitted: Counter[str]
) -> str | None:
    """Read a window, or count why it cannot be used.

    Args:
        genome: The genome.
        interval: Contig, start and end (0-based, half-open; they may lie outside) and strand.
        omitted: Where windows that cannot be used are counted, by reason.

    Returns:
        DNA of A, C, G, T; None if the window runs off its contig or has other letters.
    """
    contig, start, end, strand = interval
    if start < 0 or end > genome.length(contig):
        omitted["windows that run off their contig"] += 1
        return None
    sequence = genome.sequence(contig, start, end, strand)
    if not _BASES.issuperset(sequence):
        omitted["windows with letters other than A, C, G, T"] += 1
        return None
    return sequence
