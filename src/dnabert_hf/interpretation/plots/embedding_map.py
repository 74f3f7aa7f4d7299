"""Picture of a map of embeddings: points in the colours of their labels."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dnabert_hf.interpretation.plots.figures import MISSING, OKABE_ITO, new_figure

__all__ = ["draw_embedding_map"]

_OTHER = "#9aa0a6"  # of rare classes, which share a colour
_MOST_NUMBERS = len(OKABE_ITO)  # different numbers that are still classes
_MARKERS = "osD^vPX"  # so that colours need not be told apart


def draw_embedding_map(
    points: np.ndarray, values: Sequence[str | None] | None, *, title: str, about: str
) -> Figure:
    """Draw points, the colours of classes in a legend, those of numbers on a scale.

    Args:
        points: Shape (n, 2).
        values: What each is coloured by; numbers are, where there are more than seven of them.
        title: Title.
        about: What the values are, for the legend.
    """
    figure = new_figure(width=7.5, height=5.5)
    axis = figure.subplots()
    size = float(np.clip(6000 / len(points), 3, 30))
    # Drawn in a random order, or the last class would cover the others.
    order = np.random.default_rng(0).permutation(len(points))
    given = [None] * len(points) if values is None else list(values)
    numbers = _as_numbers(given)
    options: dict[str, Any] = {"s": size, "linewidths": 0, "alpha": 0.8, "rasterized": True}
    if numbers is not None:
        drawn = axis.scatter(
            points[order, 0], points[order, 1], c=numbers[order], cmap="cividis", **options
        )
        figure.colorbar(drawn, ax=axis, shrink=0.7).set_label(about)
    elif any(value is not None for value in given):
        groups = _groups(given)
        # A marker is drawn in one go: some of each class at a time.
        for chunk in np.array_split(order, min(50, 1 + len(order) // 200)):
            for group in groups:
                rows = chunk[group.is_in[chunk]]
                axis.scatter(*points[rows].T, color=group.colour, marker=group.marker, **options)
        handles = [
            Line2D(
                *([], []),
                color=group.colour,
                marker=group.marker,
                linestyle="",
                label=f"{group.name} ({int(group.is_in.sum()):,})",
            )
            for group in groups
        ]
        figure.legend(handles=handles, loc="outside right upper", title=about, fontsize=9)
    else:
        axis.scatter(*points[order].T, color=OKABE_ITO[0], **options)
    axis.set(xlabel="UMAP 1", ylabel="UMAP 2", xticks=[], yticks=[])
    axis.set_title(title, fontsize=10)
    axis.set_aspect("equal", adjustable="datalim")
    return figure


def _as_numbers(values: Sequence[str | None]) -> np.ndarray | None:
    """Read values as numbers; None if they are classes. What has no value is NaN."""
    known = {value for value in values if value is not None}
    try:
        numbers = {value: float(value) for value in known}
    except ValueError:
        return None
    is_many = len(known) > _MOST_NUMBERS and all(map(math.isfinite, numbers.values()))
    if not is_many:
        return None
    return np.array([math.nan if value is None else numbers[value] for value in values])


class _Group(NamedTuple):
    """Points that are drawn alike."""

    name: str
    colour: str
    marker: str
    is_in: np.ndarray  # of the points, shape (n,)


def _groups(values: Sequence[str | None]) -> list[_Group]:
    """Choose colour and marker of each class; rare ones beyond seven share one."""
    counts = Counter(value for value in values if value is not None)
    names = sorted(name for name, _ in counts.most_common(len(OKABE_ITO)))
    number = {name: index for index, name in enumerate(names)}
    n_others = len(counts) - len(names)
    styles = [*zip(names, OKABE_ITO, _MARKERS, strict=False)]
    styles += [(f"{n_others} other{'s' * (n_others > 1)}", _OTHER, "."), ("none", MISSING, ".")]
    others, missing = len(names), len(names) + 1
    group = np.array([missing if v is None else number.get(v, others) for v in values])
    found = (_Group(*style, group == index) for index, style in enumerate(styles))
    return [each for each in found if each.is_in.any()]
