"""Where the sites of a motif lie in their sequences."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from dnabert_hf.files.figures import save_figure
from dnabert_hf.interpretation.plots.figures import OKABE_ITO, new_figure

__all__ = ["count_sites", "draw_site_positions"]

_LEAST_BINS, _MOST_BINS = 8, 40


def count_sites(
    starts: np.ndarray, lengths: np.ndarray, *, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count sites by the distance of their middle from that of their sequence.

    Args:
        starts: First base of each site in its sequence (0-based), shape (sites,).
        lengths: Bases of its sequence, shape (sites,).
        width: Bases of a site.

    Returns:
        Edges of the bins in bases, shape (bins + 1,); sites in each, shape (bins,); and how many
        there would be if each site lay anywhere in its sequence alike, shape (bins,).

    Example:
        >>> edges, sites, alike = count_sites(np.array([0, 2, 2]), np.array([8, 8, 8]), width=4)
        >>> sites[sites > 0].tolist(), [float(x) for x in edges[:-1][sites > 0]]
        ([1, 2], [-2.5, -0.5])
        >>> alike.round(2).tolist()
        [0.6, 0.6, 0.6, 0.6, 0.6]
    """
    room = lengths - width  # starts run from 0 to here
    # Half bases are met where a sequence and its sites are one even, one odd.
    middles = starts - room / 2
    most = int(room.max()) + 1
    # Few sites in narrow bins would be a row of ones.
    wanted = min(max(_LEAST_BINS, 2 * math.isqrt(len(starts))), _MOST_BINS)
    step = -(-most // wanted)
    n_bins = -(-most // step)
    edges = (np.arange(n_bins + 1) - n_bins / 2) * step
    counts, _ = np.histogram(middles, edges)
    # Each start of a sequence is as likely: a base wide around its middle.
    low, high = -(room + 1) / 2, (room + 1) / 2
    covered = np.minimum(edges[1:, None], high) - np.maximum(edges[:-1, None], low)
    alike = (np.maximum(covered, 0) / (room + 1)).sum(axis=1)
    return edges, counts, alike


def draw_site_positions(
    starts: np.ndarray,
    lengths: np.ndarray,
    paths: Sequence[str | Path],
    *,
    width: int,
    title: str,
) -> None:
    """Draw a histogram of the sites of a motif around the middle of their sequences.

    Args:
        starts: First base of each site in its sequence (0-based), shape (sites,).
        lengths: Bases of its sequence, shape (sites,).
        paths: Files to write, .png or .svg.
        width: Bases of a site.
        title: Text above it.
    """
    edges, counts, alike = count_sites(starts, lengths, width=width)
    figure = new_figure(width=5.2, height=2.4)
    axes = figure.subplots()
    axes.stairs(counts, edges, fill=True, color=OKABE_ITO[0], label="sites")
    axes.stairs(
        alike, edges, color=OKABE_ITO[1], linestyle="--", label="if they lay anywhere alike"
    )
    axes.set_xlabel("middle of the site, bases from the middle of its sequence")
    axes.set_ylabel("sites")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(0, 1.3 * max(counts.max(), alike.max()))  # room for the legend
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)
    axes.set_title(title, fontsize=9, loc="left")
    for path in paths:
        save_figure(figure, path)
