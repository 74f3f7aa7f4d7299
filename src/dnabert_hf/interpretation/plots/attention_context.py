"""Plots of the attention of single heads: to a site, and in the course of training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from dnabert_hf.files.figures import save_figure
from dnabert_hf.interpretation.attribution.attention_heads import Context
from dnabert_hf.interpretation.attribution.attention_over_training import TrainingStep
from dnabert_hf.interpretation.plots.figures import (
    LINE_STYLES,
    OKABE_ITO,
    color_scale,
    new_figure,
)

__all__ = ["plot_context", "plot_context_grid", "plot_training"]

_ARCS_PER_HEAD = 12
_MOST_LETTERS = 110
_SITE = "#c9ced4"


def plot_context(context: Context, path: str | Path, *, layer: int = -1) -> None:
    """Draw which k-mers attend to a site, in one layer: arcs of the strongest, and a row of all.

    Args:
        context: From `attention_context`.
        path: File to write, .png, .svg or .pdf.
        layer: Layer, 0-based; negative ones count from the last.

    Raises:
        ValueError: If there is no such layer.
    """
    n_layers, n_heads, n_kmers = context.attention.shape
    if not -n_layers <= layer < n_layers:
        raise ValueError(f"a layer must be from {-n_layers} to {n_layers - 1}, got {layer}")
    attention = context.attention[layer]
    figure = new_figure(width=11, height=3.6 + 0.25 * n_heads)
    heights = {"height_ratios": [12, 0.9 * n_heads]}
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw=heights)
    site = (context.start + context.end - 1) / 2
    middles = np.arange(n_kmers) + (context.k - 1) / 2
    strongest, highest = max(float(attention.max()), 1e-9), 0.0
    for head in range(n_heads):
        color, style = _look_of(head)
        chosen = attention[head].argsort()[::-1][:_ARCS_PER_HEAD]
        shares = attention[head][chosen] / strongest
        arcs = [_arc(middles[i], site) for i in chosen]
        highest = max(highest, *(float(arc[:, 1].max()) for arc in arcs))
        above.add_collection(
            LineCollection(
                arcs,
                colors=[to_rgba(color, 0.15 + 0.8 * share) for share in shares],
                linewidths=0.5 + 2.5 * shares,
                linestyles=style,
            )
        )
        above.plot([], [], color=color, linestyle=style, label=f"{head}")
    edges = (middles[0] - 0.5, middles[-1] + 0.5, n_heads - 0.5, -0.5)
    image = below.imshow(attention, aspect="auto", extent=edges, **color_scale(attention))
    below.set_yticks(range(n_heads), map(str, range(n_heads)), fontsize=7)
    for border in (context.start - 0.5, context.end - 0.5):
        below.axvline(border, color="white", linewidth=1.2)
    figure.colorbar(image, ax=below, label="attention", fraction=0.03, pad=0.01)
    above.axvspan(context.start - 0.5, context.end - 0.5, color=_SITE, zorder=0)
    above.spines[["top", "right"]].set_visible(False)
    above.set(yticks=[], ylim=(0, 1.05 * highest), xlim=(-1, len(context.sequence)))
    above.spines[["left"]].set_visible(False)
    above.set_ylabel(f"{min(_ARCS_PER_HEAD, n_kmers)} strongest\nof each head")
    above.set_title(
        f"{context.id}  attention to bases {context.start} to {context.end - 1} (0-based), "
        f"layer {layer % n_layers} (0-based)",
        fontsize=11,
    )
    if len(context.sequence) <= _MOST_LETTERS:
        below.set_xticks(range(len(context.sequence)), list(context.sequence), fontsize=7)
    else:
        below.set_xlabel("middle of the k-mer that attends (0-based)")
    below.set_ylabel("head")
    figure.legend(title="head", frameon=False, fontsize=8, loc="outside right center")
    save_figure(figure, path)


def _look_of(head: int) -> tuple[str, str]:
    """Give colour and line style: no seven colours more can be told apart by everybody."""
    n = len(OKABE_ITO)
    return OKABE_ITO[head % n], LINE_STYLES[head // n % len(LINE_STYLES)]


def _arc(begin: float, end: float) -> np.ndarray:
    """Give points of an arc between two bases; far ones rise higher. Shape (points, 2)."""
    angle = np.linspace(0, np.pi, 40)
    height = 0.08 + 0.9 * (1 - np.exp(-abs(end - begin) / 60))
    x = (begin + end) / 2 - np.cos(angle) * (end - begin) / 2
    return np.column_stack([x, height * np.sin(angle)])


def plot_context_grid(context: Context, path: str | Path) -> None:
    """Draw the attention of each k-mer to a site, for each head (column) of each layer (row).

    Each panel has its own scale, whose top is written in it; the site is shaded.

    Args:
        context: From `attention_context`.
        path: File to write, .png, .svg or .pdf.
    """
    n_layers, n_heads, n_kmers = context.attention.shape
    width = max(6.0, min(0.9 * n_heads + 0.6, 14))
    figure = new_figure(width=width, height=0.85 * n_layers + 1)
    panels = figure.subplots(n_layers, n_heads, sharex=True, squeeze=False)
    middles = np.arange(n_kmers) + (context.k - 1) / 2
    for layer in range(n_layers):
        for head in range(n_heads):
            axes, values = panels[layer, head], context.attention[layer, head]
            axes.axvspan(context.start - 0.5, context.end - 0.5, color=_SITE, zorder=0)
            axes.fill_between(middles, values, color=OKABE_ITO[head % len(OKABE_ITO)], linewidth=0)
            top = max(float(values.max()), 1e-9)
            axes.set(ylim=(0, 1.35 * top), yticks=[], xlim=(0, len(context.sequence) - 1))
            axes.text(0.97, 0.95, f"{top:.2g}", transform=axes.transAxes, **_CORNER)
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(labelsize=7)
        panels[layer, 0].set_ylabel(f"layer {layer}", fontsize=8)
    for head in range(n_heads):
        panels[0, head].set_title(f"head {head}", fontsize=8)
    figure.suptitle(
        f"{context.id}  attention to bases {context.start} to {context.end - 1} (0-based)",
        fontsize=10,
    )
    figure.supxlabel("middle of the k-mer that attends (0-based)", fontsize=9)
    save_figure(figure, path)


_CORNER: dict[str, Any] = {"ha": "right", "va": "top", "fontsize": 7, "color": "#333333"}


def plot_training(steps: Sequence[TrainingStep], path: str | Path) -> None:
    """Draw the mean score by position in the course of training, a row a checkpoint.

    As Figure 6e of Ji et al. 2021.

    Args:
        steps: From `attention_during_training`.
        path: File to write, .png, .svg or .pdf.

    Raises:
        ValueError: If there are no steps.
    """
    if not steps:
        raise ValueError("training must be drawn of at least one checkpoint, found none")
    table = np.stack([step.landscape.means for step in steps])
    first, last = steps[0].landscape.positions[[0, -1]]
    figure = new_figure(width=10, height=min(1.6 + 0.3 * len(steps), 9))
    axes = figure.subplots()
    image = axes.imshow(
        table,
        aspect="auto",
        interpolation="nearest",
        extent=(first - 0.5, last + 0.5, len(steps) - 0.5, -0.5),
        **color_scale(table),
    )
    axes.set_yticks(range(len(steps)), [step.name for step in steps])
    axes.set(xlabel="position (0-based)", ylabel="checkpoint")
    figure.colorbar(image, ax=axes, label="mean score", fraction=0.03, pad=0.01)
    save_figure(figure, path)
