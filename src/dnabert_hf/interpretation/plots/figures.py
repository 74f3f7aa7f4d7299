"""Style of all figures: colours, size and the way into a file."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

__all__ = ["LINE_STYLES", "MISSING", "OKABE_ITO", "color_scale", "new_figure"]

# Okabe and Ito 2008, without the yellow that is lost on white; blue and vermilion first.
OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
LINE_STYLES = ("-", "--", "-.", ":")
MISSING = "#d9dcdf"


def new_figure(*, width: float, height: float) -> Figure:
    """Make a figure that touches no state of pyplot.

    Args:
        width: Inches.
        height: Inches.
    """
    return Figure(figsize=(width, height), layout="constrained")


def color_scale(values: np.ndarray) -> dict[str, Any]:
    """Choose the colours of scores: cividis, or two-sided around 0 if some are negative.

    Args:
        values: Scores, any shape. The strongest 0.5 % share the last colour, for one bright base
            would darken all others.

    Returns:
        Arguments of `imshow`.

    Example:
        >>> color_scale(np.array([0.0, 1.0]))["cmap"], color_scale(np.array([-1.0, 1.0]))["cmap"]
        ('cividis', 'PuOr')
    """
    top = float(np.quantile(np.abs(values), 0.995)) or 1.0
    if (values < 0).any():
        return {"cmap": "PuOr", "vmin": -top, "vmax": top}
    return {"cmap": "cividis", "vmin": 0.0, "vmax": top}
