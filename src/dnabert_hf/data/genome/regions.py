"""Regions of a genome: named by text, cut out of its runs of known bases."""

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np

if TYPE_CHECKING:
    from dnabert_hf.data.genome.genome import Genome

__all__ = ["intersect_regions", "merge_regions", "parse_region", "subtract_regions"]

_INTERVAL = re.compile(r"(\d+)-(\d+)", re.ASCII)
# Contig and position in one number, so that one sorted array holds all contigs.
_CONTIG_SHIFT = 40  # bits; no contig is longer than 2**40 bases
_LOW_BITS = (1 << _CONTIG_SHIFT) - 1
_BEYOND = np.iinfo(np.int64).max


def parse_region(text: str, genome: "Genome") -> tuple[int, int, int]:
    """Find the part of a genome that a text names.

    Args:
        text: Name of a contig, or "contig:start-end", 0-based half-open: "chr20:0-1000" are the
            first 1,000 bases. (Genome browsers and samtools count the start from 1.)
        genome: The genome.

    Returns:
        Index of the contig, start and end within it, 0-based half-open.

    Raises:
        ValueError: If there is no such contig, the interval is empty or no interval, or it does not
            lie within the contig.

    Example:
        parse_region("chr20:5000000-10000000", open_genome("hg38.fa"))  # (19, 5000000, 10000000)
    """
    names = [contig.name for contig in genome.contigs]
    # The whole text first: names such as "HLA-A*01:01" hold a colon themselves.
    if text in names:
        index = names.index(text)
        return index, 0, genome.contigs[index].length
    name, colon, interval = text.rpartition(":")
    if not colon or name not in names:
        _raise_for_unknown(name if colon else text, text, names)
    index = names.index(name)
    length = genome.contigs[index].length
    match = _INTERVAL.fullmatch(interval)
    if match is None:
        raise ValueError(
            f"region {text!r} must be a contig or contig:start-end in bases (0-based half-open), "
            f"found {interval!r} after the colon; write it as {name}:0-{length}"
        )
    start, end = map(int, match.groups())
    if start >= end:
        raise ValueError(
            f"region {text!r} must end after its start (0-based half-open), found start {start} "
            f"and end {end}; the single base at {start} is {name}:{start}-{start + 1}"
        )
    if end > length:
        raise ValueError(
            f"region {text!r} must lie within its contig, found end {end} where {name} has "
            f"{length} bases; end it at {length} or before"
        )
    return index, start, end


def _raise_for_unknown(name: str, text: str, names: Sequence[str]) -> NoReturn:
    close = difflib.get_close_matches(name, names, n=3) or list(names[:3])
    more = "" if len(names) <= len(close) else f" (of {len(names)} contigs)"
    raise ValueError(
        f"region {text!r} must name a contig of the genome, found none called {name!r}; there is "
        f"{', '.join(close)}{more}"
    )


def intersect_regions(runs: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Keep the parts of runs that lie within regions.

    Args:
        runs: Contig index, start and end (0-based half-open) of each run, int64, shape (runs, 3);
            in order and without overlap, as a genome gives them.
        regions: The same for the regions, shape (regions, 3), in any order; those that overlap or
            touch count as one.

    Returns:
        The parts, shape (parts, 3), in the order of the genome.

    Example:
        >>> runs = np.array([[0, 0, 10], [0, 20, 30], [1, 0, 5]])
        >>> intersect_regions(runs, np.array([[0, 5, 25]])).tolist()
        [[0, 5, 10], [0, 20, 25]]
    """
    starts, ends = _merge(regions)
    return _intersect(runs, starts, ends)


def subtract_regions(runs: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Keep the parts of runs that lie outside regions.

    Args:
        runs: Contig index, start and end (0-based half-open) of each run, int64, shape (runs, 3);
            in order and without overlap, as a genome gives them.
        regions: The same for the regions, shape (regions, 3), in any order; they may overlap.

    Returns:
        The parts, shape (parts, 3), in the order of the genome.

    Example:
        >>> runs = np.array([[0, 0, 10], [0, 20, 30], [1, 0, 5]])
        >>> subtract_regions(runs, np.array([[0, 5, 25]])).tolist()
        [[0, 0, 5], [0, 25, 30], [1, 0, 5]]
    """
    starts, ends = _merge(regions)
    # What lies between the regions may reach over several contigs; the runs do not.
    return _intersect(runs, np.append(0, ends), np.append(starts, _BEYOND))


def merge_regions(regions: np.ndarray) -> np.ndarray:
    """Unite regions that overlap or touch, as `bedtools merge` does.

    Args:
        regions: Contig index, start and end (0-based half-open) of each, shape (regions, 3), in any
            order.

    Returns:
        The united regions, shape (n, 3), in the order of the genome.

    Example:
        >>> merge_regions(np.array([[0, 5, 9], [1, 0, 3], [0, 0, 5], [0, 2, 4]])).tolist()
        [[0, 0, 9], [1, 0, 3]]
    """
    starts, ends = _merge(regions)
    return np.stack([starts >> _CONTIG_SHIFT, starts & _LOW_BITS, ends & _LOW_BITS], axis=1)


def _intersect(runs: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    run_starts, run_ends = _join(runs)
    first = np.searchsorted(ends, run_starts, side="right")
    n_parts = np.maximum(np.searchsorted(starts, run_ends, side="left") - first, 0)
    run = np.repeat(np.arange(len(run_starts)), n_parts)
    region = np.arange(len(run)) - np.repeat(np.cumsum(n_parts) - n_parts, n_parts) + first[run]
    part_starts = np.maximum(run_starts[run], starts[region])
    part_ends = np.minimum(run_ends[run], ends[region])
    columns = (part_starts >> _CONTIG_SHIFT, part_starts & _LOW_BITS, part_ends & _LOW_BITS)
    parts = np.stack(columns, axis=1)
    return parts[part_starts < part_ends]


def _merge(regions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort regions and unite those that overlap or touch; joined starts and ends."""
    starts, ends = _join(regions)
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    begins = np.ones(len(starts), dtype=bool)
    begins[1:] = starts[1:] > ends[:-1]
    return starts[begins], ends[np.append(begins[1:], True)[: len(ends)]]


def _join(regions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    contigs, starts, ends = np.asarray(regions, dtype=np.int64).reshape(-1, 3).T
    joined = contigs << _CONTIG_SHIFT
    return joined + starts, joined + ends
