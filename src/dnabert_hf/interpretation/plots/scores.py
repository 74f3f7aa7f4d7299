"""Plots of scores by position: letters, rows and landscapes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.text import TextPath
from matplotlib.transforms import Affine2D

from dnabert_hf.files.figures import save_figure
from dnabert_hf.interpretation.attribution.attention import BaseScores
from dnabert_hf.interpretation.attribution.landscape import (
    Alignment,
    Landscape,
    align_scores,
    attention_landscape,
)
from dnabert_hf.interpretation.plots.figures import (
    LINE_STYLES,
    MISSING,
    OKABE_ITO,
    color_scale,
    new_figure,
)

__all__ = ["plot_landscape", "plot_letters", "plot_sequences"]

_LETTER_COLORS = {"A": "#009e73", "C": "#0072b2", "G": "#e69f00", "T": "#d55e00"}
_OTHER_COLOR = "#5a6068"  # N and other IUPAC letters
_BASES_PER_LINE = 75
_MOST_LETTERS = 4000
_MOST_NAMED_ROWS = 40
_ALIGNED_AT = {
    None: "position (0-based)",
    "start": "position from the start (0-based)",
    "centre": "position from the middle base",
    "end": "position from the end",
}


def plot_letters(scores: BaseScores, path: str | Path, *, what: str = "score") -> None:
    """Draw a sequence in letters as high as their scores, over a heat map of these.

    Args:
        scores: Scores of one sequence; letters of negative scores hang down.
        path: File to write, .png, .svg or .pdf.
        what: What the scores are.

    Raises:
        ValueError: If the suffix is none of these, or the sequence is too long to read.
    """
    sequence, values = scores.sequence, np.asarray(scores.scores, dtype=float)
    if len(sequence) > _MOST_LETTERS:
        raise ValueError(
            f"{scores.id}: letters can be read of up to {_MOST_LETTERS:,} bases, found "
            f"{len(sequence):,}; draw a part, or rows (plot_sequences)"
        )
    n_lines = -(-len(sequence) // _BASES_PER_LINE)
    width = -(-len(sequence) // n_lines)  # lines of equal length
    figure = new_figure(width=11, height=0.6 + 1.25 * n_lines)
    lines = figure.subplots(
        2 * n_lines, 1, squeeze=False, gridspec_kw={"height_ratios": [5, 1] * n_lines}
    )[:, 0]
    colors = color_scale(values)
    for line in range(n_lines):
        begin = line * width
        end = min(begin + width, len(sequence))
        letters, strip = lines[2 * line], lines[2 * line + 1]
        _draw_letters(letters, sequence[begin:end], values[begin:end], begin)
        letters.set(xlim=(begin - 0.5, begin + width - 0.5), xticks=[])
        letters.set_ylim(min(0.0, 1.05 * values.min()), 1.05 * max(values.max(), 1e-9))
        letters.spines[["top", "right"]].set_visible(False)
        image = strip.imshow(
            values[None, begin:end], aspect="auto", extent=(begin - 0.5, end - 0.5, 0, 1), **colors
        )
        strip.set(xlim=(begin - 0.5, begin + width - 0.5), yticks=[])
        strip.set_xticks(range(-(-begin // 10) * 10, end, 10) or [begin])
        strip.spines[:].set_visible(False)
    lines[-1].set_xlabel(_ALIGNED_AT[None])
    figure.supylabel(what)
    figure.suptitle(scores.id + _probability_of(scores), fontsize=11)
    figure.colorbar(image, ax=list(lines), label=what, fraction=0.02, pad=0.01, aspect=12)
    save_figure(figure, path)


def _probability_of(scores: BaseScores) -> str:
    if not scores.probabilities:
        return ""
    name = max(scores.probabilities, key=scores.probabilities.__getitem__)
    return f"  ({name}: {scores.probabilities[name]:.3f})"


def _draw_letters(axes: Any, sequence: str, values: np.ndarray, begin: int) -> None:
    """Draw letters, all of a kind as one shape."""
    for letter in sorted(set(sequence)):
        glyph = _unit_glyph(letter)
        outlines = [
            Affine2D().scale(0.92, values[i]).translate(begin + i - 0.46, 0).transform_path(glyph)
            for i in np.flatnonzero(np.array(list(sequence)) == letter)
        ]
        shape = Outline.make_compound_path(*outlines)
        color = _LETTER_COLORS.get(letter, _OTHER_COLOR)
        axes.add_patch(PathPatch(shape, facecolor=color, linewidth=0))


def _unit_glyph(letter: str) -> Outline:
    """Give the outline of a letter, filling the unit square."""
    font = FontProperties(family="DejaVu Sans", weight="bold")
    outline = TextPath((0, 0), letter, size=1, prop=font)
    box = outline.get_extents()
    move = Affine2D().translate(-box.x0, -box.y0).scale(1 / box.width, 1 / box.height)
    return move.transform_path(outline)


def plot_sequences(
    scores: Sequence[BaseScores],
    path: str | Path,
    *,
    align: Alignment | None = None,
    classes: Sequence[str] | None = None,
    what: str = "score",
) -> None:
    """Draw sequences as rows of a heat map, in the given order, the first one on top.

    Args:
        scores: Scores of each sequence.
        path: File to write, .png, .svg or .pdf.
        align: Where sequences of unequal length are laid on each other.
        classes: Class of each, for a bar of colours beside the rows.
        what: What the scores are.

    Raises:
        ValueError: If there are none, or lengths differ and no alignment is chosen.
    """
    if not scores:
        raise ValueError("rows must be drawn of at least one sequence, found none")
    table, zero = align_scores([each.scores for each in scores], align=align)
    n_rows, width = table.shape
    figure = new_figure(width=11, height=min(1.2 + 0.2 * n_rows, 9))
    axes = figure.subplots()
    axes.set_facecolor(MISSING)
    image = axes.imshow(
        table,
        aspect="auto",
        interpolation="nearest",
        extent=(-zero - 0.5, width - zero - 0.5, n_rows - 0.5, -0.5),
        **color_scale(table[~np.isnan(table)]),
    )
    axes.set_xlabel(_ALIGNED_AT[align])
    if n_rows <= _MOST_NAMED_ROWS:
        axes.set_yticks(range(n_rows), [_short(each.id) for each in scores], fontsize=8)
    else:
        axes.set_ylabel(f"{n_rows:,} sequences")
    if classes is not None:
        _add_class_bar(axes, classes)
    figure.colorbar(image, ax=axes, label=what, fraction=0.03, pad=0.01)
    save_figure(figure, path)


def _add_class_bar(axes: Any, classes: Sequence[str]) -> None:
    """Colour the left edge of each row by its class, and say above which colour is which."""
    names = list(dict.fromkeys(classes))
    colors = {name: OKABE_ITO[at % len(OKABE_ITO)] for at, name in enumerate(names)}
    left, width = axes.get_xlim()[0], np.ptp(axes.get_xlim()) / 60
    for row, name in enumerate(classes):
        axes.add_patch(
            Rectangle((left - width, row - 0.5), width, 1, color=colors[name], linewidth=0)
        )
    axes.set_xlim(left=left - width)
    axes.legend(
        handles=[
            Patch(color=colors[name], label=f"{name} ({classes.count(name)})") for name in names
        ],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(names),
        frameon=False,
    )


def _short(name: str, n: int = 28) -> str:
    return name if len(name) <= n else f"{name[: n - 1]}…"


def plot_landscape(
    scores: Mapping[str, Sequence[BaseScores]],
    path: str | Path,
    *,
    align: Alignment | None = None,
    origin: int | None = None,
    what: str = "score",
) -> list[Landscape]:
    """Draw the mean score by position and its 95 % confidence interval, for each class.

    Args:
        scores: For the name of each class the scores of its sequences.
        path: File to write, .png, .svg or .pdf.
        align: Where sequences of unequal length are laid on each other.
        origin: Base that positions count from, as in `attention_landscape`.
        what: What the scores are.

    Returns:
        What is drawn.

    Raises:
        ValueError: If a class has no sequences, or lengths differ and no alignment is chosen.
    """
    landscapes = attention_landscape(
        {name: [each.scores for each in rows] for name, rows in scores.items()},
        align=align,
        origin=origin,
    )
    figure = new_figure(width=10, height=3.8)
    axes = figure.subplots()
    for number, landscape in enumerate(landscapes):
        color = OKABE_ITO[number % len(OKABE_ITO)]
        axes.fill_between(
            landscape.positions, landscape.low, landscape.high, color=color, alpha=0.25, linewidth=0
        )
        axes.plot(
            landscape.positions,
            landscape.means,
            color=color,
            linestyle=LINE_STYLES[number % len(LINE_STYLES)],
            linewidth=1.5,
            label=f"{landscape.name} (n = {len(scores[landscape.name]):,})",
        )
    label = _ALIGNED_AT[align] if origin is None else f"position from base {origin} (0-based)"
    axes.set(xlabel=label, ylabel=f"mean {what}, 95 % CI")
    axes.margins(x=0.01)
    if all((each.scores >= 0).all() for rows in scores.values() for each in rows):
        axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    save_figure(figure, path)
    return landscapes
