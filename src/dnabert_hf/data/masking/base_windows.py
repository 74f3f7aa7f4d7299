"""Overlapping windows of long sequences, each base taken from the one that knows it best."""

from itertools import pairwise
from typing import NamedTuple

__all__ = ["BaseWindow", "cut_for_bases"]

_OVERLAP = 4  # neighbours share a quarter of their bases


class BaseWindow(NamedTuple):
    """A window of a sequence, and the bases of the sequence that are taken from it.

    Attributes:
        start: First base of the window (0-based).
        end: Base after its last one.
        first: First base that is taken from it, in coordinates of the sequence (0-based).
        last: Base after the last one that is taken from it.
    """

    start: int
    end: int
    first: int
    last: int


def cut_for_bases(n_bases: int, *, k: int, n_kmers: int) -> list[BaseWindow]:
    """Cut a sequence into windows that overlap, so that no base is judged near a border only.

    Neighbours share a quarter of a window or more; each base is taken from the window in whose
    overlap it lies farther from the border.

    Args:
        n_bases: Bases of the sequence.
        k: Bases per k-mer.
        n_kmers: K-mers that a window holds at most.

    Returns:
        Windows in order; what is taken from them makes up the sequence.

    Example:
        >>> for window in cut_for_bases(14, k=3, n_kmers=6):
        ...     print(*window)
        0 8 0 7
        6 14 7 14
    """
    width = n_kmers + k - 1
    if n_bases <= width:
        return [BaseWindow(0, n_bases, 0, n_bases)]
    last_start = n_bases - width
    starts = [*range(0, last_start, max(width - width // _OVERLAP, 1)), last_start]
    borders = [(before + width + after) // 2 for before, after in pairwise(starts)]
    firsts, lasts = [0, *borders], [*borders, n_bases]
    return [
        BaseWindow(start, start + width, first, last)
        for start, first, last in zip(starts, firsts, lasts, strict=True)
    ]
