"""Sequence logos of position weight matrices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dnabert_hf.data.reading.sequence_array import BASES
from dnabert_hf.files.figures import save_figure

__all__ = ["draw_logo", "import_logomaker"]

# Okabe and Ito 2008: told apart by all readers.
_COLORS = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}
_INCHES_A_POSITION, _MARGIN_INCHES, _HEIGHT_INCHES = 0.3, 0.8, 1.6


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
    import pandas as pd

    logomaker = import_logomaker()
    table = pd.DataFrame(heights, columns=list(BASES), index=range(1, len(heights) + 1))
    width = _MARGIN_INCHES + _INCHES_A_POSITION * len(heights)
    figure = Figure(figsize=(width, _HEIGHT_INCHES), layout="constrained")
    axes = figure.subplots()
    logomaker.Logo(table, ax=axes, color_scheme=_COLORS, show_spines=False)
    axes.spines[["left", "bottom"]].set_visible(True)
    axes.set_ylim(0, max(2.0, 1.03 * float(heights.sum(axis=1).max())))
    axes.set_ylabel("bits")
    axes.set_xticks(range(1, len(heights) + 1))
    axes.tick_params(labelsize=7)
    axes.set_title(title, fontsize=9, loc="left")
    for path in paths:
        save_figure(figure, path)
