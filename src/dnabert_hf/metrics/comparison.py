"""Comparison of two models on the same labelled sequences: is the difference more than chance."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dnabert_hf.metrics.scores import DEFAULT_METRIC

__all__ = ["Difference", "compare_predictions", "delong", "paired_bootstrap"]

_RESAMPLES = 1000


class Difference(NamedTuple):
    """What one model has more than another, and how likely chance alone gives as much.

    Attributes:
        metric: Score that is compared.
        value: Score of the first minus that of the second.
        p_value: Two-sided; None where the labels leave it undefined.
        test: "DeLong" or "paired bootstrap".
        label: Class whose AUROC it is, of two; None if the score is of all classes.
    """

    metric: str
    value: float
    p_value: float | None
    test: str
    label: str | None = None


def compare_predictions(
    labels: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    problem_type: str,
    names: Sequence[str] | None = None,
    positive: int = 1,
) -> Difference | None:
    """Compare the predictions of two models for the same sequences.

    Two classes are compared by AUROC with the test of DeLong et al. 1988; more classes by MCC,
    several labels a sequence by AUROC and values by Spearman's correlation, each with a paired
    bootstrap over the sequences (1,000 resamples, seed 0).

    Args:
        labels: True labels, as `score_predictions` takes them, of n sequences.
        first: Probabilities or values of a model, shape (n, labels).
        second: Those of another, same shape.
        problem_type: As in `score_predictions`.
        names: Class names in the order of the columns.
        positive: Index of the class of interest, of two.

    Returns:
        The difference; None where the labels leave the score undefined, as if all are of one class.

    Example:
        >>> labels = np.array([0, 0, 1, 1])
        >>> one = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]])
        >>> compare_predictions(
        ...     labels, one, one[:, ::-1], problem_type="single_label_classification"
        ... ).value
        1.0
    """
    if problem_type == "single_label_classification" and first.shape[1] == 2:
        is_positive = labels == positive
        if is_positive.all() or not is_positive.any():
            return None
        value, p_value = delong(is_positive, first[:, positive], second[:, positive])
        label = None if names is None else names[positive]
        return Difference("auroc", value, None if np.isnan(p_value) else p_value, "DeLong", label)
    metric = DEFAULT_METRIC[problem_type]
    score = _SCORES[problem_type]
    found = [score(labels, each) for each in (first, second)]
    if np.isnan(found).any():
        return None
    by_chance = paired_bootstrap(labels, first, second, score)
    return Difference(metric, found[0] - found[1], by_chance, "paired bootstrap")


def delong(is_positive: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Test whether two scores of the same sequences have the same AUROC.

    DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44, 837), with the midranks of Sun and Xu
    2014 in place of all pairs.

    Args:
        is_positive: Which sequences are of the class of interest, bool, shape (n,).
        first: Scores of one model, larger for the class of interest, shape (n,).
        second: Scores of another one, shape (n,).

    Returns:
        AUROC of the first minus that of the second, and the two-sided p-value. Where both order
        all pairs alike, or a class has one sequence, the variance is 0: p is 1 if the areas are the
        same, and else not defined (NaN).

    Raises:
        ValueError: If a class has no sequence.

    Example:
        >>> is_positive = np.array([False, False, True, True, True])
        >>> delong(is_positive, np.arange(5), np.array([0, 3, 1, 2, 4]))[0].__round__(3)
        0.333
    """
    from scipy.stats import norm, rankdata

    n_positive = int(is_positive.sum())
    n_negative = len(is_positive) - n_positive
    if not n_positive or not n_negative:
        raise ValueError(
            "both classes must have sequences to compare areas, found "
            f"{n_positive} of the class of interest and {n_negative} others"
        )
    of_positives, of_negatives, areas = [], [], []
    for scores in (first, second):
        ranks = rankdata(scores)
        wins = (ranks[is_positive] - rankdata(scores[is_positive])) / n_negative
        losses = (ranks[~is_positive] - rankdata(scores[~is_positive])) / n_positive
        of_positives.append(wins)
        of_negatives.append(1 - losses)
        areas.append(wins.mean())
    difference = float(areas[0] - areas[1])
    variance = sum(
        float(np.var(parts[0] - parts[1], ddof=1)) / len(parts[0]) if len(parts[0]) > 1 else 0.0
        for parts in (of_positives, of_negatives)
    )
    if variance <= np.finfo(np.float64).eps ** 2:
        return difference, 1.0 if abs(difference) < 1e-12 else float("nan")
    return difference, float(2 * norm.sf(abs(difference) / np.sqrt(variance)))


def paired_bootstrap(
    labels: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], float],
    *,
    n_resamples: int = _RESAMPLES,
    seed: int = 0,
) -> float | None:
    """Test whether two models score alike, by drawing the sequences anew with replacement.

    Both models are scored on the same draws (Efron and Tibshirani 1993). The p-value is twice the
    smaller share of draws with a difference on one side of zero, the data themselves counted as one
    draw.

    Args:
        labels: True labels, shape (n, ...).
        first: Predictions of a model, shape (n, ...).
        second: Those of another.
        score: Score of labels and predictions; NaN where it is not defined.
        n_resamples: Draws.
        seed: Seed of the draws.

    Returns:
        The two-sided p-value; None if no draw has a score.
    """
    generator = np.random.default_rng(seed)
    differences = []
    for _ in range(n_resamples):
        rows = generator.integers(len(labels), size=len(labels))
        drawn = labels[rows]
        differences.append(score(drawn, first[rows]) - score(drawn, second[rows]))
    known = np.array(differences)[~np.isnan(differences)]
    if not len(known):
        return None
    tail = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(2 * (tail + 1) / (len(known) + 1), 1.0)


def _mcc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Give MCC of class indices (n,) by the largest probability (n, classes); NaN if undefined."""
    n_classes = probabilities.shape[1]
    cells = labels * n_classes + probabilities.argmax(axis=1)
    table = np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)
    true, found = table.sum(axis=1, dtype=float), table.sum(axis=0, dtype=float)
    n = true.sum()
    if true.max() == n:
        return float("nan")
    spread = (n**2 - found @ found) * (n**2 - true @ true)
    return float((table.trace() * n - true @ found) / np.sqrt(spread)) if spread else 0.0


def _mean_auroc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Give the mean AUROC of the classes (n, classes) that have both values; NaN without any."""
    from scipy.stats import rankdata

    n_positive = labels.sum(axis=0)
    has_both = (n_positive > 0) & (n_positive < len(labels))
    if not has_both.any():
        return float("nan")
    labels, n_positive = labels[:, has_both], n_positive[has_both]
    ranks = (rankdata(probabilities[:, has_both], axis=0) * labels).sum(axis=0)
    pairs = n_positive * (len(labels) - n_positive)
    return float(((ranks - n_positive * (n_positive + 1) / 2) / pairs).mean())


def _spearman(labels: np.ndarray, values: np.ndarray) -> float:
    """Give the mean rank correlation of targets (n,) or (n, targets); NaN if one is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(each.reshape(len(each), -1), axis=0) for each in (labels, values)]
    centred = [each - each.mean(axis=0) for each in ranks]
    norms = np.sqrt((centred[0] ** 2).sum(axis=0) * (centred[1] ** 2).sum(axis=0))
    if not norms.all():
        return float("nan")
    return float(((centred[0] * centred[1]).sum(axis=0) / norms).mean())


_SCORES = {
    "single_label_classification": _mcc,
    "multi_label_classification": _mean_auroc,
    "regression": _spearman,
}
