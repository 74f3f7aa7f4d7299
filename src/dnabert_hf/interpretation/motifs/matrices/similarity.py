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

    Attributes:
        order: The motifs by width, narrow ones first, shape (targets,).
        columns: Their columns in this order, shape (columns, 4).
    """

    def __init__(
        self,
        matrices: Sequence[np.ndarray],
        *,
        both_strands: bool = True,
        random_columns: np.ndarray | None = None,
    ):
        self.n, self.both_strands = len(matrices), both_strands
        widths = np.array([len(matrix) for matrix in matrices], dtype=np.int64)
        self.order = np.argsort(widths, kind="stable")
        self._widths = widths[self.order]
        self.columns = np.concatenate([matrices[i] for i in self.order]).astype(np.float64)
        self.random_columns = random_columns

    @cached_property
    def of_width(self) -> dict[int, tuple[slice, slice]]:
        """Motifs of each width, by their places in `order`, and their columns."""
        groups = {}
        end = end_of_columns = 0
        for width, n in zip(*np.unique(self._widths, return_counts=True), strict=True):
            begin, first = end, end_of_columns
            end, end_of_columns = begin + n, first + n * width
            groups[int(width)] = slice(begin, end), slice(first, end_of_columns)
        return groups

    @cached_property
    def _turned(self) -> tuple[np.ndarray, np.ndarray]:
        return _turn(self.columns)

    def distances(self, query: np.ndarray) -> np.ndarray:
        """Measure each position of a query against each column, those of the other strand behind.

        A column of the other strand is as far from a position as the column itself is from the
        position's complement.

        Args:
            query: Shape (positions, 4).

        Returns:
            Euclidean distances, shape (positions, columns of all strands).
        """
        strands = [query, query[:, ::-1]] if self.both_strands else [query]
        return _distances(strands, *self._turned)


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
    n_strands = 1 + targets.both_strands
    of_strands = scores.reshape(len(query), n_strands, -1)
    best, offsets, overlaps = (np.zeros((n_strands, targets.n), dtype=np.int64) for _ in range(3))
    p_values = np.ones((n_strands, targets.n))
    for width, (which, columns) in targets.of_width.items():
        group = of_strands[:, :, columns].reshape(len(query), n_strands, -1, width)
        sums = _sums_of_offsets(group, unaligned)
        every = np.arange(1 - len(query), width)
        overlap = np.minimum(every + len(query), width) - np.maximum(every, 0)
        # Of equal sums the longest overlap counts, then the first.
        keys = sums * np.int32(width + 1) + overlap.astype(np.int32)
        at = keys.argmax(axis=2)
        best[:, which] = keys.max(axis=2) // (width + 1)
        offsets[:, which], overlaps[:, which] = every[at], overlap[at]
        p_values[:, which] = tails.of_best(width)[best[:, which]]
    back = np.argsort(targets.order)
    if not targets.both_strands:
        none = np.zeros(targets.n, dtype=bool)
        return Similarities(p_values[0, back], offsets[0, back], overlaps[0, back], none)
    is_reverse = best[1] > best[0]
    smaller = p_values.min(axis=0)
    # 1 - (1 - p)**2, in a form that keeps the digits of a small p.
    found = (
        smaller * (2 - smaller),
        np.where(is_reverse, offsets[1], offsets[0]),
        np.where(is_reverse, overlaps[1], overlaps[0]),
        is_reverse,
    )
    return Similarities(*(each[back] for each in found))


def _whole_scores(query: np.ndarray, targets: TargetMotifs) -> tuple[np.ndarray, np.ndarray, int]:
    """Score each column of the query beside each of the targets, in whole numbers.

    Returns:
        Scores from 0 on, shape (positions, columns); how likely each is among random columns, shape
        (positions, scores); and the score of a column beside which there is none.
    """
    scores = targets.distances(query)
    of_random = scores
    if targets.random_columns is not None:
        of_random = _distances([query], *_turn(targets.random_columns))
    # From here on scores: how much nearer than usual.
    extremes = []
    room = np.empty(of_random.shape[1])  # memory that is used again is ready at once
    for values, random in zip(scores, of_random, strict=True):
        median = _median(random, room)
        np.subtract(median, values, out=values)
        extremes += [values.min(), values.max()]
        if of_random is not scores:
            np.subtract(median, random, out=random)
            extremes += [random.min(), random.max()]
    low, high = int(np.floor(min(extremes))), float(max(extremes))
    scale = int(_BINS / max(high - low, 1.0))
    n_scores = int((high - low) * scale + 0.5) + 1
    counts = np.empty((len(query), n_scores))
    bins = np.empty(room.shape, dtype=np.intp)
    # So narrow that the sums of all positions fit, for speed.
    narrow = np.int16 if n_scores * len(query) < np.iinfo(np.int16).max else np.int32
    whole = np.empty(scores.shape, dtype=narrow)
    for position, (values, random) in enumerate(zip(scores, of_random, strict=True)):
        np.multiply(random, scale, out=room)
        room += 0.5 - low * scale
        np.copyto(bins, room, casting="unsafe")  # without fractions
        counts[position] = np.bincount(bins, minlength=n_scores)
        if of_random is scores:
            whole[position] = bins
        else:
            whole[position] = values * scale + (0.5 - low * scale)
    return whole, counts / of_random.shape[1], -low * scale


def _median(values: np.ndarray, room: np.ndarray) -> float:
    """Give the median: numpy's own, which sorts at two places, takes ten times as long."""
    half = len(values) // 2
    np.copyto(room, values)
    room.partition(half)
    if len(values) % 2:
        return float(room[half])
    return (float(room[half]) + float(room[:half].max())) / 2


def _turn(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay the bases of columns out one after the other, (4, columns), and sum their squares."""
    turned = np.ascontiguousarray(columns.T, dtype=np.float64)
    return turned, (turned**2).sum(axis=0)


def _distances(
    queries: Sequence[np.ndarray], turned: np.ndarray, of_columns: np.ndarray
) -> np.ndarray:
    """Measure distances to columns, shape (positions, columns for each of the queries)."""
    distances = np.empty((len(queries[0]), len(queries), turned.shape[1]))
    for position, of_queries in enumerate(distances):
        for query, squares in zip(queries, of_queries, strict=True):
            np.matmul(-2 * query[position], turned, out=squares)
            squares += of_columns
            squares += query[position] @ query[position]
            np.maximum(squares, 0, out=squares)
            np.sqrt(squares, out=squares)
    return distances.reshape(len(distances), -1)


def _sums_of_offsets(scores: np.ndarray, unaligned: int) -> np.ndarray:
    """Add up the scores at each offset, from the first that overlaps to the last.

    Args:
        scores: Shape (positions of the query, strands, targets, positions of the targets); columns
            of the second strand are in the order of the first.
        unaligned: Score of a position of the query beside the target.

    Returns:
        Shape (strands, targets, offsets).
    """
    n, n_strands, n_targets, width = scores.shape
    n_offsets = n + width - 1
    shape = n, n_strands, n_targets, width + 2 * (n - 1)
    padded = np.full(shape, unaligned, dtype=scores.dtype)
    padded[:, 0, :, n - 1 : n - 1 + width] = scores[:, 0]
    padded[:, 1:, :, n - 1 : n - 1 + width] = scores[:, 1:, :, ::-1]
    sums = np.zeros((n_strands, n_targets, n_offsets), dtype=scores.dtype)
    for position in range(n):
        sums += padded[position, :, :, position : position + n_offsets]
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
        self._partials: dict[int, np.ndarray] = {}
        self._of_best: dict[int, np.ndarray] = {}

    def of_best(self, width: int) -> np.ndarray:
        """Chance that the best sum reaches each value, shape (sums,)."""
        n = len(self._distributions)
        if width not in self._of_best:
            below = self._partial(min(width, n))
            if width < n:
                below = below + sum(self._below(i, i + width) for i in range(n - width + 1))
            else:
                below = below + (width - n + 1) * self._below(0, n)
            self._of_best[width] = abs(np.expm1(below))
        return self._of_best[width]

    def _partial(self, most: int) -> np.ndarray:
        """Logarithm of the chance that all sums of fewer positions, at either end, are less."""
        if most not in self._partials:
            n = len(self._distributions)
            spans = [(0, end) for end in range(1, most)]
            spans += [(start, n) for start in range(n - most + 1, n)]
            nothing = np.zeros(self._n_sums)
            self._partials[most] = sum((self._below(*span) for span in spans), nothing)
        return self._partials[most]

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
        logs = np.zeros(self._n_sums)
        logs[: shift + 1] = -np.inf
        less = sums[::-1].cumsum()[::-1][: self._n_sums - shift]
        np.minimum(less, 1, out=less)
        np.negative(less, out=less)
        with np.errstate(divide="ignore"):
            np.log1p(less, out=logs[shift : shift + len(less)])
        return logs
