"""Landscapes: mean attention by position, in each class of sequences."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

__all__ = ["Alignment", "Landscape", "align_scores", "attention_landscape", "check_alignment"]

Alignment = Literal["start", "centre", "end"]


class Landscape(NamedTuple):
    """Mean score of a class of sequences at each position.

    Attributes:
        name: Name of the class.
        positions: Positions, 0-based from the origin, shape (n,).
        means: Mean score at each position.
        low: Lower end of the 95 % confidence interval of the mean (Student's t); NaN where there
            is one sequence only.
        high: Upper end.
        n_sequences: Sequences that reach each position.
    """

    name: str
    positions: np.ndarray
    means: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_sequences: np.ndarray

    def peak(self) -> int:
        """Position of the largest mean, the first of several.

        Example:
            >>> (landscape,) = attention_landscape({"a": [np.array([1, 5, 2])]}, origin=1)
            >>> landscape.peak()
            0
        """
        return int(self.positions[self.means.argmax()])


def attention_landscape(
    scores: Mapping[str, Sequence[np.ndarray]],
    *,
    align: Alignment | None = None,
    origin: int | None = None,
) -> list[Landscape]:
    """Average scores by position, with confidence intervals.

    Args:
        scores: For the name of each class the scores of its sequences, each of shape (bases,).
        align: Where sequences of unequal length are laid on each other.
        origin: Base that positions count from, 0-based in the alignment of the longest sequence,
            such as 249 for the start site in promoters of 249 + 1 + 50 bases. By default position 0
            is the first base, the middle one (n // 2), or with "end" the one behind the last.

    Returns:
        A landscape for each class, in the order of `scores`.

    Raises:
        ValueError: If lengths differ and no alignment is chosen, or a class has no sequences.

    Example:
        >>> rows = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
        >>> (landscape,) = attention_landscape({"yes": rows})
        >>> landscape.means.tolist(), landscape.n_sequences.tolist()
        ([2.0, 3.0], [2, 2])
    """
    from scipy.stats import t

    empty = [name for name, rows in scores.items() if not len(rows)]
    if empty or not scores:
        where = f" in class {empty[0]!r}" if empty else ""
        raise ValueError(f"a landscape must have sequences in each class, found none{where}")
    every = [row for rows in scores.values() for row in rows]
    aligned, zero = align_scores(every, align=align)
    positions = np.arange(aligned.shape[1]) - (zero if origin is None else origin)
    landscapes, begin = [], 0
    for name, rows in scores.items():
        table = aligned[begin : begin + len(rows)]
        begin += len(rows)
        n = (~np.isnan(table)).sum(axis=0)
        reached = np.flatnonzero(n)
        table, n = table[:, reached], n[reached]
        means = np.nanmean(table, axis=0)
        squares = np.nansum((table - means) ** 2, axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.where(n > 1, np.sqrt(squares / (n - 1) / n), np.nan)
        half = t.ppf(0.975, np.maximum(n - 1, 1)) * error
        landscapes.append(Landscape(name, positions[reached], means, means - half, means + half, n))
    return landscapes


def check_alignment(lengths: Sequence[int], align: str | None) -> None:
    """Refuse sequences of unequal length that nobody said how to align.

    Args:
        lengths: Lengths of the sequences.
        align: "start", "centre", "end", or None.

    Raises:
        ValueError: If lengths differ and `align` is None, or `align` is none of these.
    """
    if align is not None and align not in get_args(Alignment):
        raise ValueError(f"align must be one of {', '.join(get_args(Alignment))}, got {align!r}")
    if align is None and len(set(lengths)) > 1:
        raise ValueError(
            "sequences of unequal length must be aligned by start, centre or end, found lengths "
            f"from {min(lengths)} to {max(lengths)} and no choice; choose one (--align)"
        )


def align_scores(
    scores: Sequence[np.ndarray], *, align: Alignment | None = None
) -> tuple[np.ndarray, int]:
    """Lay scores of sequences on each other.

    Args:
        scores: Scores of each sequence, each of shape (bases,).
        align: Where; None if all have one length. The middle of n bases is base n // 2.

    Returns:
        The scores, shape (sequences, width), NaN where a sequence does not reach, and the column
        that is position 0: the first, the middle or the one behind the last.

    Raises:
        ValueError: If lengths differ and no alignment is chosen.

    Example:
        >>> table, zero = align_scores([np.array([1.0, 2.0, 3.0]), np.array([5.0])], align="centre")
        >>> table.tolist(), zero
        ([[1.0, 2.0, 3.0], [nan, 5.0, nan]], 1)
    """
    lengths = [len(row) for row in scores]
    check_alignment(lengths, align)
    if align == "centre":
        before = [n // 2 for n in lengths]
    elif align == "end":
        before = lengths
    else:
        before = [0] * len(lengths)
    zero = max(before)
    width = max(n - left for n, left in zip(lengths, before, strict=True)) + zero
    table = np.full((len(scores), width), np.nan)
    for row, values, left in zip(table, scores, before, strict=True):
        row[zero - left : zero - left + len(values)] = values
    return table, zero
