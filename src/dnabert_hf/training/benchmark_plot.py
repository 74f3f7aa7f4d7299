"""The plot of a benchmark."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dnabert_hf.training.curves import title_of
from dnabert_hf.training.suite import Case, Suite

__all__ = ["plot_scores"]

_COLOURS = ("#0b6bb0", "#8c8c8c", "#d95f02", "#1b9e77", "#7570b3", "#e6ab02", "#a6761d", "#e7298a")
_MARKERS = "osD^vPXh"
_ROW_HEIGHT = 0.065  # inches for each model of a data set


def plot_scores(
    suite: Suite, table: Mapping[Case, Mapping[str, Sequence[float]]], path: Path
) -> None:
    """Draw a row of points a data set or, with several numbers of labels, a curve a data set.

    Args:
        suite: What was compared.
        table: Scores of the seeds by data set and number of labels, and by model.
        path: File to write; its suffix gives the format.
    """
    if any(len(suite.labels_of(data)) > 1 for data in suite.data):
        _plot_curves(suite, table, path)
    else:
        _plot_rows(suite, table, path)


def _plot_rows(
    suite: Suite, table: Mapping[Case, Mapping[str, Sequence[float]]], path: Path
) -> None:
    """Draw a row for each data set: means as markers, the range of the seeds as lines."""
    from matplotlib.figure import Figure

    names = [model.name for model in suite.models]
    height = len(table) * max(0.32, _ROW_HEIGHT * (len(names) + 2))
    figure = Figure(figsize=(8, height + 1.3), layout="constrained")
    axes = figure.subplots()
    for row in range(0, len(table), 2):
        axes.axhspan(row - 0.5, row + 0.5, color="#f3f3f3", zorder=0)
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
        offset = (number - (len(names) - 1) / 2) * 0.8 / len(names)
        points = [(i + offset, row[name]) for i, row in enumerate(table.values()) if row[name]]
        places = [place for place, _ in points]
        axes.hlines(
            places,
            [min(each) for _, each in points],
            [max(each) for _, each in points],
            color=colour,
            linewidth=1.5,
        )
        means = [np.mean(each) for _, each in points]
        marker = _MARKERS[number % len(_MARKERS)]
        axes.plot(means, places, marker, color=colour, markersize=5, label=name)
    axes.set_yticks(range(len(table)), [data for data, _ in table])
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    title = f"test {title_of(suite.metric)}: mean and range of {len(suite.seeds)} seeds"
    axes.set(xlabel=title, title=suite.title)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=min(len(names), 3), frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)


def _plot_curves(
    suite: Suite, table: Mapping[Case, Mapping[str, Sequence[float]]], path: Path
) -> None:
    from matplotlib.figure import Figure

    n_columns = min(len(suite.data), 3)
    n_rows = -(-len(suite.data) // n_columns)
    figure = Figure(figsize=(4.2 * n_columns, 3.4 * n_rows + 0.5), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, data in zip(panels, suite.data, strict=False):
        labels = suite.labels_of(data)
        for number, model in enumerate(suite.models):
            values = [table[data, n][model.name] for n in labels]
            points = [(i, np.mean(each)) for i, each in enumerate(values) if each]
            style = {
                "color": _COLOURS[number % len(_COLOURS)],
                "marker": _MARKERS[number % len(_MARKERS)],
                "markersize": 5,
            }
            panel.plot([i for i, _ in points], [mean for _, mean in points], "-", **style)
        panel.set_xticks(range(len(labels)), ["all" if n is None else str(n) for n in labels])
        panel.set(title=data, xlabel="labels", ylabel=f"test {title_of(suite.metric)}")
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(suite.data) :]:
        panel.set_visible(False)
    names = [model.name for model in suite.models]
    handles = panels[0].get_lines()
    legend = {"ncols": min(len(names), 3), "frameon": False, "fontsize": 9}
    figure.legend(handles, names, loc="outside lower center", **legend)
    figure.savefig(path, dpi=150)
