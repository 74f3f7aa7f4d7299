"""Negatives matched to positives, so that a score cannot win by what both could be told by."""

import numpy as np

__all__ = ["mean_differences", "nearest_negatives"]


def mean_differences(is_positive: np.ndarray, covariates: np.ndarray) -> np.ndarray:
    """Give the standardised mean difference of each covariate (Austin 2009).

    It is the difference of the means over the root of the mean of both variances; below 0.1 a
    covariate is called balanced.

    Args:
        is_positive: Whether each row is positive, shape (rows,).
        covariates: Their values, shape (rows, covariates).

    Returns:
        A value for each covariate; 0 where neither group varies and both are equal, NaN where a
        group has fewer than two rows.

    Example:
        >>> values = np.array([[3.0], [5.0], [0.0], [2.0]])
        >>> mean_differences(np.array([True, True, False, False]), values).round(3).tolist()
        [2.121]
    """
    positive, negative = covariates[is_positive], covariates[~is_positive]
    if min(len(positive), len(negative)) < 2:
        return np.full(covariates.shape[1], np.nan)
    difference = positive.mean(axis=0) - negative.mean(axis=0)
    spread = np.sqrt((positive.var(axis=0, ddof=1) + negative.var(axis=0, ddof=1)) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / spread)


def nearest_negatives(
    is_positive: np.ndarray, covariates: np.ndarray, *, ratio: int = 1, seed: int = 0
) -> np.ndarray:
    """Choose the nearest negatives of each positive, none twice.

    Positives choose one after another, in an order drawn at random, and as often as the ratio says;
    nearest by the Euclidean distance of covariates divided by their standard deviation over all
    rows. Of equally near ones the first is taken.

    Args:
        is_positive: Whether each row is positive, shape (rows,).
        covariates: Their values, shape (rows, covariates).
        ratio: Negatives of each positive.
        seed: Seed of the order.

    Returns:
        The rows that are kept, positives and their negatives, in order.

    Raises:
        ValueError: If there are fewer negatives than that takes.
    """
    spread = covariates.std(axis=0)
    scaled = covariates / np.where(spread == 0, 1, spread)
    positives, negatives = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
    if len(positives) * ratio > len(negatives):
        raise ValueError(
            f"matching {ratio} negatives to each of {len(positives)} positives needs as many, "
            f"found {len(negatives)}; lower the ratio, or leave out match"
        )
    is_free = np.ones(len(negatives), dtype=bool)
    rng = np.random.default_rng(seed)
    chosen = []
    for _ in range(ratio):
        for row in rng.permutation(positives):
            distances = ((scaled[negatives] - scaled[row]) ** 2).sum(axis=1)
            nearest = int(np.where(is_free, distances, np.inf).argmin())
            is_free[nearest] = False
            chosen.append(negatives[nearest])
    return np.sort(np.concatenate([positives, chosen]).astype(int))
