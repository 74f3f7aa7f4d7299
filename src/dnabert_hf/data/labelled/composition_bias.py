"""GC content and length of the classes, and how well those alone tell them apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

__all__ = [
    "Measures",
    "PartStatistics",
    "bound_bias",
    "describe_bias",
    "measure_bias",
    "measure_counted_bias",
    "measure_sequences",
    "standard_error",
    "summarise_parts",
]

_LARGEST_FAIR_AUROC = 0.6
_Z = 1.96  # standard errors on either side of a 95 % interval

_REMEDIES = {
    "GC": "draw other negatives, matched by GC",
    "length": "cut all sequences to one length, or match the negatives by length",
}


@dataclass(frozen=True)
class PartStatistics:
    """Sequences of one split, or of one class in it.

    Attributes:
        split: Name of the split.
        label: Class; None where all sequences of the split are meant.
        n_sequences: How many there are.
        mean_gc: Mean over the sequences of the share of G and C among A, C, G and T, 0 to 1.
        mean_length: Mean length in bases.
        min_length: Bases of the shortest.
        max_length: Bases of the longest.
        n_with_unknown: Sequences with letters other than A, C, G and T.
    """

    split: str
    label: str | None
    n_sequences: int
    mean_gc: float
    mean_length: float
    min_length: int
    max_length: int
    n_with_unknown: int


class Measures(NamedTuple):
    """Numbers of each sequence.

    Attributes:
        lengths: Bases, shape (sequences,).
        gc: Share of G and C among A, C, G and T, 0 where there are none, shape (sequences,).
        has_unknown: Whether it holds other letters, shape (sequences,).
    """

    lengths: np.ndarray
    gc: np.ndarray
    has_unknown: np.ndarray


def measure_sequences(sequences: Sequence[str]) -> Measures:
    """Measure length and GC content of each sequence.

    Args:
        sequences: DNA in upper case.

    Example:
        >>> measure_sequences(["ACGGN", "AT"]).gc.tolist()
        [0.75, 0.0]
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    n_at = np.array([s.count("A") + s.count("T") for s in sequences])
    n_gc = np.array([s.count("G") + s.count("C") for s in sequences])
    n_known = n_at + n_gc
    return Measures(lengths, n_gc / np.maximum(n_known, 1), n_known < lengths)


def summarise_parts(
    measures: Measures,
    splits: Sequence[str],
    labels: Sequence[str],
    *,
    classes: Sequence[str],
) -> Iterator[PartStatistics]:
    """Summarise each split, and each class in it.

    Args:
        measures: Numbers of the sequences.
        splits: Split of each.
        labels: Label of each.
        classes: Labels to compare one by one, if any.

    Yields:
        Splits in the order of their first rows, each followed by those classes that it has.
    """
    split_column, label_column = np.array(splits), np.array(labels)
    for split in dict.fromkeys(splits):
        for label in (None, *classes):
            is_in = split_column == split
            if label is not None:
                is_in &= label_column == label
            if not is_in.any():
                continue
            lengths = measures.lengths[is_in]
            yield PartStatistics(
                split=split,
                label=label,
                n_sequences=len(lengths),
                mean_gc=float(measures.gc[is_in].mean()),
                mean_length=float(lengths.mean()),
                min_length=int(lengths.min()),
                max_length=int(lengths.max()),
                n_with_unknown=int(np.count_nonzero(measures.has_unknown[is_in])),
            )


def measure_bias(values: np.ndarray, classes: np.ndarray) -> float:
    """Score how well one number tells classes apart, whichever of them has the larger one.

    Args:
        values: The number, such as the GC content, of each sequence, shape (sequences,).
        classes: Class of each sequence, of which there are two or more, shape (sequences,).

    Returns:
        AUROC of the value alone, or of its negative where that is larger, mean over all pairs of
        classes: 0.5 (no better than chance) to 1.

    Raises:
        ValueError: If there is one class only.

    Example:
        >>> measure_bias(np.array([0.5, 0.6, 0.4, 0.5]), np.array(["0", "0", "1", "1"]))
        0.875
    """
    return float(np.mean([area for area, _, _ in _areas(values, classes)]))


def bound_bias(values: np.ndarray, classes: np.ndarray) -> float:
    """Lower `measure_bias` by what chance may add to it where sequences are few.

    From the AUROC of each pair of classes, 1.96 standard errors of an AUROC of 0.6 are taken, the
    largest that `describe_bias` finds fair: what is left exceeds 0.6 only in one of 40 data sets
    that are just as fair as that. The error is that of Hanley & McNeil 1982 (Radiology 143, 29-36)
    for their numbers of sequences.

    Args:
        values: As in `measure_bias`.
        classes: As in `measure_bias`.

    Example:
        >>> bound = bound_bias(np.array([0.5, 0.6, 0.4, 0.5]), np.array(["0", "0", "1", "1"]))
        >>> round(bound, 2)  # of an AUROC of 0.875 from four sequences
        0.26
    """
    bounds = [
        area - _Z * standard_error(_LARGEST_FAIR_AUROC, n_one, n_other)
        for area, n_one, n_other in _areas(values, classes)
    ]
    return float(np.mean(bounds))


def standard_error(auroc: float, n_one: int, n_other: int) -> float:
    """Give the standard error of an AUROC by Hanley & McNeil 1982 (Radiology 143, 29-36).

    Args:
        auroc: The AUROC.
        n_one: Sequences of the class with the larger values.
        n_other: Those of the other.

    Example:
        >>> round(standard_error(0.5, 10, 10), 4)  # of ranks alone: sqrt(21 / 1200) = 0.1323
        0.1323
    """
    both_above = auroc / (2 - auroc)  # two of the one class are above one of the other
    both_below = 2 * auroc**2 / (1 + auroc)
    variance = auroc * (1 - auroc)
    variance += (n_one - 1) * (both_above - auroc**2) + (n_other - 1) * (both_below - auroc**2)
    return float(np.sqrt(variance / (n_one * n_other)))


def _areas(values: np.ndarray, classes: np.ndarray) -> Iterator[tuple[float, int, int]]:
    """Yield the AUROC of each pair of classes, 0.5 or more, and the sizes, larger values first."""
    from scipy.stats import rankdata

    names = np.unique(classes)
    if len(names) < 2:
        raise ValueError(f"classes must be two or more, got {len(names)}")
    for pair in combinations(names, 2):
        is_one, is_other = (classes == name for name in pair)
        n_one, n_other = int(np.count_nonzero(is_one)), int(np.count_nonzero(is_other))
        ranks = rankdata(np.concatenate([values[is_one], values[is_other]]))
        area = (ranks[:n_one].sum() - n_one * (n_one + 1) / 2) / (n_one * n_other)
        yield (area, n_one, n_other) if area >= 0.5 else (1 - area, n_other, n_one)


def measure_counted_bias(first: np.ndarray, second: np.ndarray) -> float:
    """Score as `measure_bias` does, from how many sequences of two classes have each value.

    Args:
        first: Sequences of the first class by value, int64, shape (values,), in the order of the
            values.
        second: Those of the second class; neither is without sequences.

    Example:
        >>> measure_counted_bias(np.array([0, 1, 1]), np.array([1, 1, 0]))  # 0.5, 0.6; 0.4, 0.5
        0.875
    """
    below = np.cumsum(second) - second
    area = float(first @ (below + second / 2)) / (int(first.sum()) * int(second.sum()))
    return max(area, 1 - area)


def describe_bias(name: str, auroc: float, *, at_least: float = 1.0) -> str | None:
    """Say in a sentence what a bias means and what to do about it, None if it is small.

    Args:
        name: "GC" or "length".
        auroc: As `measure_bias` gives it.
        at_least: As `bound_bias` gives it, where sequences may be few.

    Example:
        >>> describe_bias("GC", 0.55) is None
        True
        >>> describe_bias("length", 0.75)[:60]
        'length alone tells the classes apart with an AUROC of 0.750 '
    """
    if min(auroc, at_least) <= _LARGEST_FAIR_AUROC:
        return None
    return (
        f"{name} alone tells the classes apart with an AUROC of {auroc:.3f} (chance: 0.5), so a "
        f"model may score well without reading any motif; {_REMEDIES[name]}"
    )
