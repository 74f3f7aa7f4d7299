"""Similarity of motifs with its chance: Tomtom's p-values (Gupta et al. 2007).

The columns of a query are laid over those of a target without gaps, at every offset and on both
strands. Two columns score minus their Euclidean distance, less the median of what the query's
column scores among all columns, so that a column beside the other motif scores 0 as a typical one
does. The distribution of such sums over random columns, by dynamic programming over whole numbers,
gives the chance that the best of all offsets is as good.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

__all__ = ["Similarities", "TargetMotifs", "compare_with_targets"]

_BINS = 100  # whole numbers that the scores of a column are rounded to, as in Gupta et al. 2007


class Similarities(NamedTuple):
    """A motif beside each of many targets.

    Attributes:
        p_values: Chance of so good an alignment with a target of random columns, shape (targets,).
        offsets: Position of the target (of its reverse complement where `is_reverse`) on which the
            motif begins, negative if it begins before,
            shape (targets,).
        overlaps: Positions that lie on each other, shape (targets,).
        is_reverse: Whether the reverse complement of the target is meant, shape (targets,).
    """

    p_values: np.ndarray
    offsets: np.ndarray
    overlaps: np.ndarray
    is_reverse: np.ndarray


class TargetMotifs:
    """Motifs to compare with.

    Args:
        matrices: Probabilities of A, C, G and T of each, shape (positions, 4).
        both_strands: Whether to compare with their reverse complements too.
        random_columns: Columns whose scores make the null distribution, shape (columns, 4); by
            default those of the targets themselves, as Tomtom does.
    """

    def __init__(
        self,
        matrices: Sequence[np.ndarray],
        *,
        both_strands: bool = True,
        random_columns: np.ndarray | None = None,
    ):
        self.n, self.both_strands = len(matrices), both_strands
        turned = [matrix[::-1, ::-1] for matrix in matrices] if both_strands else []
        strands = [*matrices, *turned]
        self.widths = np.array([len(matrix) for matrix in strands], dtype=np.int64)
        self.columns = np.concatenate(strands).astype(np.float64)
        self.random_columns = random_columns

    @cached_property
    def of_width(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Motifs of each width, and their columns, shape (motifs, width)."""
        first = np.cumsum(self.widths) - self.widths
        groups = {}
        for width in np.unique(self.widths).tolist():
            which = np.flatnonzero(self.widths == width)
            groups[width] = which, first[which, None] + np.arange(width)
        return groups


def compare_with_targets(query: np.ndarray, targets: TargetMotifs) -> Similarities:
    """Compare a motif with each target.

    Args:
        query: Probabilities of A, C, G and T, shape (positions, 4).
        targets: The targets.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> targets = TargetMotifs(list(generator.dirichlet(np.full(4, 0.3), size=(50, 10))))
        >>> found = compare_with_targets(targets.columns[72:80][::-1, ::-1], targets)
        >>> best = int(found.p_values.argmin())
        >>> best, int(found.offsets[best]), int(found.overlaps[best]), bool(found.is_reverse[best])
        (7, 0, 8, True)
    """
    scores, distributions, unaligned = _whole_scores(query, targets)
    tails = _Tails(distributions, unaligned)
    n = len(targets.widths)
    best, offsets, overlaps = (np.zeros(n, dtype=np.int64) for _ in range(3))
    p_values = np.ones(n)
    for width, (which, columns) in targets.of_width.items():
        sums = _sums_of_offsets(scores[:, columns], unaligned)
        every = np.arange(1 - len(query), width)
        overlap = np.minimum(every + len(query), width) - np.maximum(every, 0)
        # Of equal sums the longest overlap counts, then the first.
        at = (sums * (width + 1) + overlap).argmax(axis=1)
        best[which] = sums[np.arange(len(which)), at]
        offsets[which], overlaps[which] = every[at], overlap[at]
        p_values[which] = tails.of_best(width)[best[which]]
    if not targets.both_strands:
        return Similarities(p_values, offsets, overlaps, np.zeros(n, dtype=bool))
    is_reverse = best[targets.n :] > best[: targets.n]
    index = np.arange(targets.n) + np.where(is_reverse, targets.n, 0)
    smaller = p_values.reshape(2, -1).min(axis=0)
    # 1 - (1 - p)**2, in a form that keeps the digits of a small p.
    return Similarities(smaller * (2 - smaller), offsets[index], overlaps[index], is_reverse)


def _whole_scores(query: np.ndarray, targets: TargetMotifs) -> tuple[np.ndarray, np.ndarray, int]:
    """Score each column of the query beside each of the targets, in whole numbers.

    Returns:
        Scores from 0 on, shape (positions, columns); how likely each is among random columns, shape
        (positions, scores); and the score of a column beside which there is none.
    """
    scores = _minus_distances(query, targets.columns)
    of_random = scores
    if targets.random_columns is not None:
        of_random = _minus_distances(query, targets.random_columns)
    medians = np.median(of_random, axis=1, keepdims=True)
    scores = scores - medians
    of_random = scores if targets.random_columns is None else of_random - medians
    low = int(np.floor(min(scores.min(), of_random.min())))
    high = max(float(scores.max()), float(of_random.max()))
    scale = int(_BINS / max(high - low, 1.0))

    def whole(values: np.ndarray) -> np.ndarray:
        values = values - low
        values *= scale
        values += 0.5
        return np.floor(values, out=values).astype(np.int32)

    scores = whole(scores)
    of_random = scores if targets.random_columns is None else whole(of_random)
    n_scores = int(max(scores.max(), of_random.max())) + 1
    keys = of_random + n_scores * np.arange(len(query), dtype=np.int32)[:, None]
    counts = np.bincount(keys.ravel(), minlength=n_scores * len(query)).reshape(len(query), -1)
    return scores, counts / of_random.shape[1], -low * scale


def _minus_distances(query: np.ndarray, columns: np.ndarray) -> np.ndarray:
    squares = (query**2).sum(axis=1)[:, None] + (columns**2).sum(axis=1)
    squares -= 2 * query @ columns.T
    np.maximum(squares, 0, out=squares)
    return np.negative(np.sqrt(squares, out=squares), out=squares)


def _sums_of_offsets(scores: np.ndarray, unaligned: int) -> np.ndarray:
    """Add up the scores at each offset, from the first that overlaps to the last.

    Args:
        scores: Shape (positions of the query, targets, positions of the targets).
        unaligned: Score of a position of the query beside the target.

    Returns:
        Shape (targets, offsets).
    """
    n, n_targets, width = scores.shape
    n_offsets = n + width - 1
    padded = np.full((n, n_targets, width + 2 * (n - 1)), unaligned, dtype=np.int32)
    padded[:, :, n - 1 : n - 1 + width] = scores
    sums = np.zeros((n_targets, n_offsets), dtype=np.int64)
    for position in range(n):
        sums += padded[position, :, position : position + n_offsets]
    return sums


class _Tails:
    """Chances of the best sum over all offsets, for each width of the target.

    Args:
        distributions: How likely each score of each position is, shape (positions, scores).
        unaligned: Score of a position beside the target.
    """

    def __init__(self, distributions: np.ndarray, unaligned: int):
        self._distributions, self._unaligned = distributions, unaligned
        n, n_scores = distributions.shape
        self._n_sums = n * max(n_scores - 1, unaligned) + 1
        self._log_below: dict[tuple[int, int], np.ndarray] = {}
        self._of_best: dict[int, np.ndarray] = {}

    def of_best(self, width: int) -> np.ndarray:
        """Chance that the best sum reaches each value, shape (sums,)."""
        n = len(self._distributions)
        if width not in self._of_best:
            spans = [(0, end) for end in range(1, min(width, n))]
            spans += [(start, n) for start in range(max(n - width, 0) + 1, n)]
            if width < n:
                spans += [(start, start + width) for start in range(n - width + 1)]
            else:
                spans += [(0, n)] * (width - n + 1)
            self._of_best[width] = abs(np.expm1(sum(self._below(*span) for span in spans)))
        return self._of_best[width]

    def _below(self, start: int, end: int) -> np.ndarray:
        """Logarithm of the chance that the positions from start to end sum up to less."""
        if (start, end) not in self._log_below:
            sums = self._distributions[start]
            for stop in range(start + 1, len(self._distributions) + 1):
                self._log_below.setdefault((start, stop), self._log_of(sums, stop - start))
                if stop < len(self._distributions):
                    sums = np.convolve(sums, self._distributions[stop])
        return self._log_below[start, end]

    def _log_of(self, sums: np.ndarray, n_aligned: int) -> np.ndarray:
        shift = self._unaligned * (len(self._distributions) - n_aligned)
        tail = np.zeros(self._n_sums)
        reached = np.minimum(np.cumsum(sums[::-1])[::-1], 1)
        tail[: shift + 1] = 1
        used = min(len(reached), self._n_sums - shift)
        tail[shift : shift + used] = reached[:used]
        with np.errstate(divide="ignore"):
            return np.asarray(np.log1p(-tail))
