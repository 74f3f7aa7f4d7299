"""Variants on bases that a model attends to."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.sequence_array import JoinedSequences
from dnabert_hf.data.variants.vcf import (
    alleles_of,
    iterate_vcf,
    read_vcf_header,
)
from dnabert_hf.data.variants.windows import AlleleWindows, WindowCutter
from dnabert_hf.interpretation.motifs.words.regions import find_regions

__all__ = ["Place", "cut_windows", "high_attention_regions", "select_variants"]

logger = logging.getLogger(__name__)

# Contig, position (1-based) and REF of a record.
Place = tuple[str, int, str]


def high_attention_regions(sequence: str, scores: np.ndarray) -> list[tuple[int, int]]:
    """Find where a sequence scores high, as the search for motifs does (`find_regions`).

    Args:
        sequence: DNA.
        scores: Attention score of each base, shape (bases,).

    Returns:
        Start and end (0-based, half-open) of the runs of 5 bases or more that score above the mean
        and above 10 times the minimum.

    Example:
        >>> scores = np.array([0.01, 2, 2, 2, 2, 2, 0.01, 3, 0.01])
        >>> high_attention_regions("ACGTACGTA", scores)
        [(1, 6)]
    """
    regions = find_regions(JoinedSequences.from_text([sequence]), scores)
    return list(zip(regions.starts.tolist(), regions.ends.tolist(), strict=True))


class _HeaderedVcf(NamedTuple):
    """A record whose window was cut: its number in the file, and where REF lies in the window."""

    number: int
    start: int
    end: int


def cut_windows(
    work: Path, variants: str | Path, genome: Genome, window: int
) -> tuple[Iterator[_HeaderedVcf], tuple[int, int]]:
    """Write the windows with REF as FASTA, unless a stopped run has.

    Args:
        work: Folder to write windows.fa to.
        variants: VCF file.
        genome: The genome.
        window: Bases of a window.

    Returns:
        The records with a window, and how many were read and how many have one.

    Raises:
        ValueError: If none has.
    """
    fasta, note = work / "windows.fa", work / "variants.json"
    cutter = WindowCutter(genome, window, source=str(variants))
    if not note.exists():
        n_records = n_windows = 0
        with fasta.open("w", encoding="ascii") as file:
            for number, record in enumerate(iterate_vcf(variants)):
                n_records += 1
                found = [cutter.cut(allele) for allele in alleles_of(record)]
                cut = [each for each in found if isinstance(each, AlleleWindows)]
                if cut:
                    n_windows += 1
                    start, end = _span(cut, window)
                    file.write(f">{number}_{start}_{end}\n{cut[0].ref}\n")
        cutter.report_contigs()
        if cutter.skipped:
            logger.warning("%s: not scored: %s", variants, cutter.summary())
        if not n_windows:
            raise ValueError(
                f"{variants} must hold alleles that can be scored, found none in {n_records} "
                f"records ({cutter.summary() or 'an empty file'}); check genome and window"
            )
        note.write_text(json.dumps([n_records, n_windows]), encoding="utf-8")
    n_records, n_windows = json.loads(note.read_text(encoding="utf-8"))
    with_names = (line[1:].split("_") for line in _headers(fasta))
    return (_HeaderedVcf(*map(int, cells)) for cells in with_names), (n_records, n_windows)


def _span(cut: Sequence[AlleleWindows], window: int) -> tuple[int, int]:
    """Find where the bases that any allele of a record changes lie in the window of the first."""
    first = cut[0].start
    start = min(each.allele.start for each in cut) - first
    end = max(each.allele.end for each in cut) - first
    return min(max(start, 0), window - 1), max(min(end, window), 1)


def _headers(fasta: Path) -> Iterator[str]:
    with fasta.open(encoding="ascii") as file:
        yield from (line.rstrip("\n") for line in file if line.startswith(">"))


def select_variants(
    work: Path, variants: str | Path, read: Iterator[_HeaderedVcf]
) -> dict[Place, float]:
    """Write the records in high-attention regions as high.vcf, unless a stopped run has.

    Args:
        work: Folder with the attention.parquet of the windows.
        variants: VCF file.
        read: The records with a window.

    Returns:
        Attention of their bases, 1 being the mean of the window.
    """
    from pyarrow import parquet

    attention: dict[Place, float] = {}
    chosen: dict[int, float] = {}
    batches = parquet.ParquetFile(work / "attention.parquet").iter_batches(
        columns=["sequence", "scores"]
    )
    scored = (
        (window.as_py(), np.asarray(cell.values))
        for batch in batches
        for window, cell in zip(*batch.columns, strict=True)
    )
    for each, (window, of_window) in zip(read, scored, strict=True):
        regions = high_attention_regions(window, of_window)
        if any(start < each.end and each.start < end for start, end in regions):
            of_bases = of_window[each.start : each.end].mean()
            chosen[each.number] = float(of_bases / of_window.mean())
    lines = read_vcf_header(variants)
    for number, record in enumerate(iterate_vcf(variants)):
        if number in chosen:
            attention[record.contig, record.start + 1, record.ref] = chosen[number]
            lines.append(record.line)
    high = work / "high.vcf"
    if not high.exists():  # a changed time would make the scoring begin again
        high.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return attention
