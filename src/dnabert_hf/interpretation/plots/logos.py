"""Sequence logos of position weight matrices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dnabert_hf.data.reading.sequence_array import BASES
from dnabert_hf.files.figures import save_figure

__all__ = ["draw_aligned_logos", "draw_logo", "import_logomaker"]

# Okabe and Ito 2008: told apart by all readers.
_COLORS = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}
_SHARED = "#eceff2"
_INCHES_A_POSITION, _MARGIN_INCHES, _HEIGHT_INCHES = 0.3, 0.8, 1.6
_LEAST_WIDTH_INCHES = 4.0  # that titles of short motifs have room


def import_logomaker() -> Any:
    """Import logomaker.

    Raises:
        ImportError: If it is not installed, with the command that installs it.
    """
    try:
        import logomaker
    except ImportError as error:
        raise ImportError(
            "logos need logomaker; install it with pip install 'dnabert-hf[motifs]'"
        ) from error
    return logomaker


def draw_logo(heights: np.ndarray, paths: Sequence[str | Path], *, title: str) -> None:
    """Draw a logo: letters as high as what they add to the information of their position.

    Args:
        heights: Height of A, C, G and T at each position in bits, shape (positions, 4).
        paths: Files to write, .png or .svg.
        title: Text above it.

    Raises:
        ImportError: If logomaker is not installed.
    """
    width = _MARGIN_INCHES + _INCHES_A_POSITION * len(heights)
    figure = Figure(figsize=(width, _HEIGHT_INCHES), layout="constrained")
    _put_letters(figure.subplots(), heights, first=0, title=title)
    for path in paths:
        save_figure(figure, path)


def draw_aligned_logos(
    known: np.ndarray,
    motif: np.ndarray,
    paths: Sequence[str | Path],
    *,
    start: int,
    titles: tuple[str, str],
) -> None:
    """Draw a motif below a known one, shifted so that alike positions lie below each other.

    Tomtom draws matches so (Gupta et al. 2007). The positions that both have are shaded.

    Args:
        known: Heights of the known motif in bits, shape (positions, 4).
        motif: Heights of the motif in the strand of the known one, shape (positions, 4).
        paths: Files to write, .png or .svg.
        start: Position of the known motif (0-based) on which the motif begins; negative if it
            begins before.
        titles: Texts above the known motif and above the motif.

    Raises:
        ImportError: If logomaker is not installed.
    """
    first, end = min(0, start), max(len(known), start + len(motif))
    width = max(_LEAST_WIDTH_INCHES, _MARGIN_INCHES + _INCHES_A_POSITION * (end - first))
    figure = Figure(figsize=(width, 2 * _HEIGHT_INCHES), layout="constrained")
    rows = figure.subplots(2, 1)
    for axes, heights, at, title in zip(rows, (known, motif), (0, start), titles, strict=True):
        _put_letters(axes, heights, first=at, title=title)
        shared = max(0, start) - 0.5, min(len(known), start + len(motif)) - 0.5
        axes.axvspan(*shared, color=_SHARED, zorder=-1)
        axes.set_xlim(first - 0.5, end - 0.5)
    for path in paths:
        save_figure(figure, path)


def _put_letters(axes: Any, heights: np.ndarray, *, first: int, title: str) -> None:
    """Draw a logo that begins at a position of the axes; its positions are counted from 1."""
    import pandas as pd

    logomaker = import_logomaker()
    positions = range(first, first + len(heights))
    table = pd.DataFrame(heights, columns=list(BASES), index=positions)
    logomaker.Logo(table, ax=axes, color_scheme=_COLORS, show_spines=False)
    axes.spines[["left", "bottom"]].set_visible(True)
    axes.set_ylim(0, max(2.0, 1.03 * float(heights.sum(axis=1).max())))
    axes.set_ylabel("bits")
    axes.set_xticks(positions, range(1, len(heights) + 1))
    axes.tick_params(labelsize=7)
    axes.set_title(title, fontsize=9, loc="left")
