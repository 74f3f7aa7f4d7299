"""Paired tests between the models of a benchmark, over its data sets."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["BEST_OF_EACH", "Comparison", "compare", "complete_scores"]

BEST_OF_EACH = "the best of them on each data set"
_FEWEST_PAIRS = 5  # with fewer, no signed-rank test can reach 0.05


class Comparison(NamedTuple):
    """One model against another.

    Attributes:
        other: The model it is compared with, or `BEST_OF_EACH`.
        n_better: Data sets on which it is better.
        n_pairs: Data sets on which both have a score.
        gain: Mean difference, above 0 if it is better.
        p_value: Of Wilcoxon's signed-rank test, two-sided, as Demsar 2006 advises; None with fewer
            than five data sets or without any difference.
    """

    other: str
    n_better: int
    n_pairs: int
    gain: float
    p_value: float | None


def compare(scores: Mapping[str, np.ndarray], name: str, rivals: Sequence[str]) -> list[Comparison]:
    """Compare a model with others, data set by data set.

    Args:
        scores: Score of each model on each data set, in one order, larger is better.
        name: Whom to compare.
        rivals: Models to compare it with.

    Returns:
        A comparison with each of the others, the best mean first, and then, if they are several,
        with whichever of them is best on a data set. The last is the hardest: its scores are
        maxima, chosen on the test itself.

    Example:
        >>> scores = {"a": np.array([0.5, 0.75]), "b": np.array([0.25, 0.25])}
        >>> compare(scores, "a", ["b"])
        [Comparison(other='b', n_better=2, n_pairs=2, gain=0.375, p_value=None)]
    """
    ranked = sorted(rivals, key=lambda other: -scores[other].mean())
    values = {other: scores[other] for other in ranked}
    if len(ranked) > 1:
        values[BEST_OF_EACH] = np.max([scores[other] for other in ranked], axis=0)
    return [_pair(other, scores[name] - theirs) for other, theirs in values.items()]


def complete_scores(scores: Mapping[str, Sequence[float | None]]) -> dict[str, np.ndarray]:
    """Keep the data sets on which every model has a score, but for models that have none at all.

    Args:
        scores: Score of each model on each data set, in one order; None where there is none.

    Returns:
        Scores of each model that has any, shape (data sets,); no model if no data set is left.

    Example:
        >>> complete_scores({"a": [0.5, 0.75], "b": [None, 0.25], "c": [None, None]})
        {'a': array([0.75]), 'b': array([0.25])}
    """
    scored = {name: row for name, row in scores.items() if any(each is not None for each in row)}
    rows = [row for row in zip(*scored.values(), strict=True) if None not in row]
    return dict(zip(scored, np.array(rows, dtype=np.float64).T, strict=True)) if rows else {}


def _pair(other: str, differences: np.ndarray) -> Comparison:
    from scipy.stats import wilcoxon

    is_tested = len(differences) >= _FEWEST_PAIRS and differences.any()
    return Comparison(
        other,
        n_better=int((differences > 0).sum()),
        n_pairs=len(differences),
        gain=float(differences.mean()),
        p_value=float(wilcoxon(differences).pvalue) if is_tested else None,
    )
