"""Calibration of probabilities: temperature scaling, and how far off they are."""

from typing import NamedTuple

import numpy as np

from dnabert_hf.metrics.scores import logits_to_predictions

__all__ = [
    "LEAST_TO_CALIBRATE",
    "Temperature",
    "expected_calibration_error",
    "fit_temperature",
]

# Of 30 sequences, one fit gave 47. Of 50 that a model is rightly 88 % sure of (logits 2 apart), the
# standard error of ln(temperature) is 1 / sqrt(50 * 0.88 * 0.12 * 2**2) = 0.2.
LEAST_TO_CALIBRATE = 50
_BINS = 15  # as in Guo et al. 2017
_RANGE = (0.01, 100.0)
_NEAR = 0.01  # share of a limit by which a fit that goes on to it may miss it
_LEAST = 1e-12
_LIKELY = 3.84  # chi-squared of one degree of freedom, 95 %


class Temperature(NamedTuple):
    """What logits are to be divided by, and how well it is known.

    Attributes:
        value: Between 0.01 and 100: above 1 where the model is too sure.
        low: Lower end of its 95 % interval, by the likelihood ratio (Wilks 1938).
        high: Upper end; 100 where the labels set none.
    """

    value: float
    low: float
    high: float

    @property
    def is_at_limit(self) -> bool:
        """Whether no temperature is best, as of logits that tell nothing of the labels."""
        least, most = _RANGE
        return not least * (1 + _NEAR) < self.value < most * (1 - _NEAR)


def fit_temperature(logits: np.ndarray, labels: np.ndarray, problem_type: str) -> Temperature:
    """Find what logits are to be divided by so that probabilities are as often right as they say.

    Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks"): the one
    number that makes the mean negative log-likelihood of held-out labels least. The most probable
    class stays what it is.

    Args:
        logits: Of each strand of each sequence, whose probabilities are averaged, shape
            (n, strands, classes).
        labels: True class of each, shape (n,), or 0 and 1 for each of several, shape (n, classes).
        problem_type: "single_label_classification" or "multi_label_classification".

    Returns:
        The temperature and its interval.

    Example:
        >>> sure = np.array([[[4.0, 0.0]]] * 4)  # 98 % sure of class 0, and right in 3 of 4
        >>> temperature = fit_temperature(
        ...     sure, np.array([0, 0, 0, 1]), "single_label_classification"
        ... )
        >>> round(4 / temperature.value, 3), round(float(np.log(3)), 3)  # odds of 3 to 1
        (1.099, 1.099)
        >>> temperature.high  # four labels do not tell it from guessing
        100.0
    """
    from scipy.optimize import brentq, minimize_scalar

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        probabilities = logits_to_predictions(scaled, problem_type).mean(axis=1)
        if problem_type == "multi_label_classification":
            chosen = np.where(labels > 0.5, probabilities, 1 - probabilities)
        else:
            chosen = np.take_along_axis(probabilities, labels.reshape(-1, 1).astype(int), axis=1)
        return float(-np.log(np.maximum(chosen, _LEAST)).mean())

    bounds = tuple(np.log(_RANGE).tolist())
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})

    def excess(log_temperature: float) -> float:
        return 2 * labels.size * (loss(log_temperature) - found.fun) - _LIKELY

    low, high = (
        float(np.exp(brentq(excess, found.x, end))) if excess(end) > 0 else edge
        for end, edge in zip(bounds, _RANGE, strict=True)
    )
    return Temperature(float(np.exp(found.x)), low, high)


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Measure how far probabilities are from how often they are right (Guo et al. 2017).

    The mean, over 15 bins of the probability of the predicted class, of the distance between that
    probability and the share of right ones, weighted by the sequences of each bin. With several
    labels a sequence, over the answers yes and no of each.

    Args:
        labels: True class of each, shape (n,), or 0 and 1 for each of several, shape (n, classes).
        probabilities: Shape (n, classes).

    Example:
        >>> probabilities = np.array([[0.1, 0.9]] * 10)
        >>> round(expected_calibration_error(np.array([1] * 7 + [0] * 3), probabilities), 3)
        0.2
    """
    if labels.ndim == 2:
        sureness = np.maximum(probabilities, 1 - probabilities).ravel()
        is_right = ((probabilities > 0.5) == (labels > 0.5)).ravel()
    else:
        sureness, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((sureness * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=is_right - sureness, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(sureness))
