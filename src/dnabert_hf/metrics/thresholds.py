"""Thresholds for calls along a genome, suggested by sequences that were not trained on."""

from typing import NamedTuple

import numpy as np

__all__ = ["SITES_PER_MB", "Threshold", "ThresholdChoice", "choose_threshold"]

# A genome is assumed to hold so many sites: some 60,000 in a human one, of the order of the sites
# of CTCF (77,811 in 19 types of cells: Wang et al. 2012, Genome Research 22:1680).
SITES_PER_MB = 20.0
_LEAST = 20  # sequences of the class, and others; with fewer there is nothing to choose by
_RECALLS = (0.95, 0.9, 0.8, 0.5)
_MB = 1e6


class Threshold(NamedTuple):
    """A threshold, and what to expect of it.

    Attributes:
        threshold: Least probability of a call.
        recall: Share of the sequences of the class that are called.
        precision: Share of the class among the called sequences, with as many of either side as
            there were: no genome holds so many sites.
        false_positive_rate: Share of the others that are called, of (called + 1) in (others + 1):
            where none of some dozens is called, that does not promise that none ever is.
        right_per_mb: Sites called in a million bases that hold `SITES_PER_MB`.
        wrong_per_mb: Windows called in them that hold none, windows lying side by side.
    """

    threshold: float
    recall: float
    precision: float
    false_positive_rate: float
    right_per_mb: float
    wrong_per_mb: float

    @property
    def genome_f1(self) -> float:
        """F1 of the calls along a genome: harmonic mean of their precision and recall."""
        return 2 * self.right_per_mb / (self.right_per_mb + self.wrong_per_mb + SITES_PER_MB)


class ThresholdChoice(NamedTuple):
    """The threshold suggested for calls along a genome, beside others.

    Attributes:
        suggested: The one with the best F1 along a genome.
        at_recall: Those that find 95, 90, 80 and 50 % of the sequences of the class.
    """

    suggested: Threshold
    at_recall: list[Threshold]


def choose_threshold(
    is_positive: np.ndarray, probabilities: np.ndarray, *, window: int
) -> ThresholdChoice | None:
    """Choose a threshold for calls along a genome.

    Recall and false positive rate do not depend on how many sequences are of the class, precision
    does: so the two are taken from the sequences, and precision is that of a genome with
    `SITES_PER_MB`. The others are taken to be like what a genome holds beside its sites, which is
    an assumption.

    Args:
        is_positive: Whether each sequence is of the class, shape (n,).
        probabilities: Its probability, shape (n,).
        window: Bases of a window along the genome.

    Returns:
        The choice; None where there are fewer than 20 of the class, or of the others.

    Example:
        >>> is_positive = np.repeat([True, False], [50, 100])
        >>> probabilities = np.concatenate([np.linspace(0.3, 1, 50), np.linspace(0, 0.6, 100)])
        >>> chosen = choose_threshold(is_positive, probabilities, window=100).suggested
        >>> round(chosen.threshold, 2), round(chosen.recall, 2), chosen.precision
        (0.61, 0.56, 1.0)
    """
    of_class, others = np.sort(probabilities[is_positive]), np.sort(probabilities[~is_positive])
    if min(len(of_class), len(others)) < _LEAST:
        return None
    every = np.unique(probabilities)
    candidates = []
    for value in np.unique(of_class):
        # Between two probabilities, so that rounding turns no call round.
        at = int(np.searchsorted(every, value))
        lower = float(every[at - 1]) if at else 0.0
        middle = round((lower + float(value)) / 2, 6)
        threshold = middle if lower < middle <= value else float(value)
        candidates.append(_expect(threshold, of_class, others, window))
    # Candidates are in ascending order: the last that still finds so many, the first of the best.
    at_recall = [[each for each in candidates if each.recall >= r][-1] for r in _RECALLS]
    return ThresholdChoice(max(candidates, key=lambda each: each.genome_f1), at_recall)


def _expect(threshold: float, of_class: np.ndarray, others: np.ndarray, window: int) -> Threshold:
    n_right, n_wrong = (
        len(each) - int(np.searchsorted(each, threshold)) for each in (of_class, others)
    )
    recall, rate = n_right / len(of_class), (n_wrong + 1) / (len(others) + 1)
    return Threshold(
        threshold,
        recall,
        n_right / (n_right + n_wrong),
        rate,
        recall * SITES_PER_MB,
        rate * max(_MB / window - SITES_PER_MB, 0.0),
    )
