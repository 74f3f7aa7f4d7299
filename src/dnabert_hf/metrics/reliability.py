"""Reliability of probabilities: how often they are right, as numbers and as a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.files.figures import save_figure

__all__ = ["Reliability", "measure_reliability", "plot_reliability"]

_COLORS = ("#7a7a7a", "#0b6bb0")


class Reliability(NamedTuple):
    """Probabilities beside how often they are right.

    Attributes:
        probabilities: Mean probability of each bin, shape (bins,).
        frequencies: Share of its sequences of which it is true, shape (bins,).
        counts: Its sequences, shape (bins,).
    """

    probabilities: np.ndarray
    frequencies: np.ndarray
    counts: np.ndarray


def measure_reliability(
    labels: np.ndarray, probabilities: np.ndarray, *, positive: int | None = None, n_bins: int = 10
) -> Reliability:
    """Compare probabilities with how often they are right, in bins of the same width.

    Args:
        labels: True class of each, shape (n,), or 0 and 1 for each of several, shape (n, classes).
        probabilities: Shape (n, classes).
        positive: Class whose probability is meant; None for that of the predicted class (Guo et al.
            2017) or, with several labels a sequence, for those of all.
        n_bins: Bins from 0 to 1; those without a sequence are left out.

    Example:
        >>> probabilities = np.array([[0.1, 0.9]] * 10)
        >>> measure_reliability(np.array([1] * 7 + [0] * 3), probabilities, positive=1)
        Reliability(probabilities=array([0.9]), frequencies=array([0.7]), counts=array([10]))
    """
    if labels.ndim == 2:
        sureness, is_true = probabilities.ravel(), labels.ravel() > 0.5
    elif positive is None:
        sureness, is_true = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    else:
        sureness, is_true = probabilities[:, positive], labels == positive
    edges = np.linspace(0, 1, n_bins + 1)
    bins = np.searchsorted(edges[1:-1], sureness)
    counts = np.bincount(bins, minlength=n_bins)
    there = counts > 0
    means, shares = (
        np.bincount(bins, weights=each, minlength=n_bins)[there] / counts[there]
        for each in (sureness, is_true)
    )
    return Reliability(means, shares, counts[there])


def plot_reliability(
    lines: Mapping[str, Reliability], path: str | Path, *, about: str, title: str
) -> None:
    """Draw how often probabilities are right, and how many sequences there are of each.

    Bars are 95 % intervals of the share (Wilson 1927).

    Args:
        lines: What to draw under each name, such as before and after calibration; two at most.
        path: File to write; its suffix gives the format.
        about: What the probabilities are of, such as "peak".
        title: Text above it.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
    from scipy.stats import binomtest

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    shares, numbers = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    shares.plot([0, 1], [0, 1], color="black", linestyle=":", linewidth=1, label="as often as said")
    for at, ((name, line), color) in enumerate(
        zip(lines.items(), _COLORS[-len(lines) :], strict=True)
    ):
        right = np.rint(line.frequencies * line.counts).astype(int)
        ends = [
            binomtest(k, n).proportion_ci(method="wilson")
            for k, n in zip(right.tolist(), line.counts.tolist(), strict=True)
        ]
        low, high = np.array(ends).reshape(-1, 2).T
        shares.errorbar(
            line.probabilities,
            line.frequencies,
            yerr=np.maximum([line.frequencies - low, high - line.frequencies], 0),
            fmt="o-",
            capsize=2,
            linewidth=1.5,
            color=color,
            label=name,
        )
        place = line.probabilities + 0.012 * (at - (len(lines) - 1) / 2)
        numbers.bar(place, line.counts, width=0.012, color=color)
    shares.set(ylabel=f"share that is {about}", title=title, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    shares.legend(frameon=False)
    numbers.set(xlabel=f"probability of {about}", ylabel="sequences")
    numbers.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    for axes in (shares, numbers):
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)
