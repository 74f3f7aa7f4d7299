"""Candidate motifs: stretches of sequences that a model looks at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.reading.sequence_array import UNKNOWN, JoinedSequences

__all__ = ["Regions", "find_regions", "words_of_regions"]

_TIMES_MINIMUM = 10


class Regions(NamedTuple):
    """Stretches of sequences, in order.

    Attributes:
        rows: Sequence of each, int64, shape (regions,).
        starts: First base within the sequence (0-based), int64, shape (regions,).
        ends: Base after the last one, int64, shape (regions,).
    """

    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


def find_regions(joined: JoinedSequences, scores: np.ndarray, *, min_len: int = 5) -> Regions:
    """Find where sequences score high, as DNABERT-viz does (Ji et al. 2021).

    A base stands out if its score is above the mean of its sequence and above ten times the
    smallest score in it; regions are runs of such bases. N and other unknown bases end a run.

    Args:
        joined: The sequences.
        scores: Score of each base, shape (bases,).
        min_len: Bases of a region, at least.

    Example:
        >>> joined = JoinedSequences.from_text(["ACGTACGT"])
        >>> find_regions(joined, np.array([0.01, 0.5, 0.9, 0.8, 0.3, 0.1, 0.1, 0.1]), min_len=3)
        Regions(rows=array([0]), starts=array([1]), ends=array([4]))
    """
    first, lengths = joined.bounds[:-1], np.diff(joined.bounds)
    if not len(lengths):
        return Regions(*np.zeros((3, 0), dtype=np.int64))
    means = np.add.reduceat(scores, first, dtype=np.float64) / lengths
    smallest = np.minimum.reduceat(scores, first).astype(np.float64)
    thresholds = np.maximum(means, _TIMES_MINIMUM * smallest)
    is_high = (scores > np.repeat(thresholds, lengths)) & (joined.codes != UNKNOWN)
    before, after = np.zeros_like(is_high), np.zeros_like(is_high)
    before[1:], after[:-1] = is_high[:-1], is_high[1:]
    before[first] = False
    after[joined.bounds[1:] - 1] = False
    starts = np.flatnonzero(is_high & ~before)
    ends = np.flatnonzero(is_high & ~after) + 1
    is_long = ends - starts >= min_len
    starts, ends = starts[is_long], ends[is_long]
    rows = joined.rows[starts].astype(np.int64)
    return Regions(rows, starts - first[rows], ends - first[rows])


def words_of_regions(sequences: Sequence[str], regions: Regions) -> list[str]:
    """Read the bases of each region.

    Example:
        >>> words_of_regions(["ACGTACGT"], Regions(np.array([0]), np.array([1]), np.array([4])))
        ['CGT']
    """
    return [
        sequences[row][start:end]
        for row, start, end in zip(*(part.tolist() for part in regions), strict=True)
    ]
