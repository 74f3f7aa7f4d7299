"""Sequences of the attention report: their order, their groups, their strongest sites."""

from collections.abc import Mapping, Sequence

import numpy as np

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.interpretation.attribution.attention import BaseScores

__all__ = ["by_label", "strongest_site", "top_first", "with_truth"]

_MOST_CLASSES = 8  # that colours and line styles tell apart
_UNLABELLED = "all sequences"


def top_first(scores: Sequence[BaseScores], positive: str | None) -> list[BaseScores]:
    """Sort by the probability of the class of interest, or the highest of all but the first."""

    def surest(each: BaseScores) -> float:
        probabilities = each.probabilities or {"": 0.0}
        if positive in probabilities:
            return -probabilities[positive]
        values = list(probabilities.values())
        return -max(values[1:] or values)

    return sorted(scores, key=surest)


def by_label(
    records: Sequence[SequenceRecord], scores: Sequence[BaseScores], positive: str | None
) -> dict[str, list[BaseScores]]:
    """Group by label: positives above negatives, as Figure 4 has them, else the last on top."""
    labels = [record.label for record in records]
    if len(set(labels)) > _MOST_CLASSES:  # numbers, say
        return {_UNLABELLED: list(scores)}
    names = sorted({label for label in labels if label is not None})[::-1]
    groups: dict[str, list[BaseScores]] = {
        label: [] for label in sorted(names, key=lambda name: name != positive)
    }
    if None in labels:
        groups[_UNLABELLED if not groups else "without a label"] = []
    unlabelled = next((name for name in groups if name not in set(labels)), "")
    for label, each in zip(labels, scores, strict=True):
        groups[unlabelled if label is None else label].append(each)
    return groups


def with_truth(
    top: Sequence[BaseScores], groups: Mapping[str, Sequence[BaseScores]]
) -> list[BaseScores]:
    """Name each sequence's label beside its id, where they have labels."""
    if len(groups) < 2:
        return list(top)
    truth = {id(each): name for name, scores in groups.items() for each in scores}
    return [each._replace(id=f"{each.id}, is {truth[id(each)]}") for each in top]


def strongest_site(scores: np.ndarray, *, n_bases: int = 10) -> tuple[int, int]:
    """Find the window with the highest mean score.

    Args:
        scores: Score of each base, shape (bases,).
        n_bases: Length of the window, at most that of the sequence.

    Returns:
        First base, 0-based, and end, exclusive.

    Example:
        >>> strongest_site(np.array([0.0, 1.0, 3.0, 2.0, 0.0]), n_bases=2)
        (2, 4)
    """
    n = min(n_bases, len(scores))
    start = int(np.convolve(scores, np.ones(n), mode="valid").argmax())
    return start, start + n
