"""The plot of a benchmark."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.files.figures import save_figure
from dnabert_hf.training.benchmark.suite import Case, Suite
from dnabert_hf.training.shared.curves import title_of

__all__ = ["MANY", "plot_scores"]

MANY = 40  # data sets, above which their distribution is drawn in place of each

_COLOURS = ("#0b6bb0", "#8c8c8c", "#d95f02", "#1b9e77", "#7570b3", "#e6ab02", "#a6761d", "#e7298a")
_MARKERS = "osD^vPXh"
_ROW_HEIGHT = 0.065  # inches for each model of a data set
_LINE_HEIGHT = 0.17  # inches for each line of a name
_LETTERS = 34  # of a line of a name, so that three fit beside each other


def plot_scores(
    suite: Suite,
    table: Mapping[Case, Mapping[str, Sequence[float]]],
    means: Mapping[str, np.ndarray],
    path: Path,
) -> None:
    """Draw a row of points a data set or, with several numbers of labels, a curve a data set.

    Of more than 40 data sets, a violin a model, as Ji et al. 2021 draw the 690 of ENCODE.

    Args:
        suite: What was compared.
        table: Scores of the seeds by data set and number of labels, and by model.
        means: Scores of each model on the data sets on which all models have one.
        path: File to write; its suffix gives the format.
    """
    if len(suite.data) > MANY:
        _plot_violins(suite, means, path)
        return
    if any(len(suite.labels_of(data)) > 1 for data in suite.data):
        _plot_curves(suite, table, path)
        return
    rows = {_wrap(data): dict(row) for (data, _), row in table.items()}
    n_sets = len(next(iter(means.values()), []))
    if n_sets > 1:
        rows[f"mean of {n_sets} data sets"] = {n: [each.mean()] for n, each in means.items()}
    _plot_rows(suite, rows, path)


def _plot_violins(suite: Suite, means: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw how the data sets that all models have are distributed, with quartiles and median."""
    from matplotlib.figure import Figure

    n_sets = len(next(iter(means.values()), []))
    figure = Figure(figsize=(1.6 + 1.5 * len(means), 4.2), layout="constrained")
    axes = figure.subplots()
    for number, values in enumerate(means.values() if n_sets > 1 else ()):
        colour = _COLOURS[number % len(_COLOURS)]
        drawn: Any = axes.violinplot(values, [number], widths=0.8, showextrema=False)
        for body in drawn["bodies"]:
            body.set(facecolor=colour, alpha=0.5)
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        axes.vlines(number, low, high, color=colour, linewidth=5)
        axes.plot([number], [middle], "o", color="white", markersize=4, zorder=3)
    axes.set_xticks(range(len(means)), [_wrap_short(name) for name in means])
    axes.set_ylabel(f"test {title_of(suite.metric)}")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(textwrap.fill(f"{suite.title}: {n_sets} data sets", 2 * _LETTERS))
    save_figure(figure, path)


def _wrap_short(name: str) -> str:
    return textwrap.fill(name, _LETTERS // 2)


def _wrap(name: str) -> str:
    return textwrap.fill(name, _LETTERS)


def _plot_rows(suite: Suite, rows: Mapping[str, Mapping[str, Sequence[float]]], path: Path) -> None:
    """Draw the means as markers, the range of the seeds as lines."""
    from matplotlib.figure import Figure

    names = [model.name for model in suite.models]
    n_lines = max(name.count("\n") + 1 for name in rows)
    height = max(0.32, _ROW_HEIGHT * (len(names) + 2), _LINE_HEIGHT * n_lines)
    figure = Figure(figsize=(9, len(rows) * height + 1.3), layout="constrained")
    axes = figure.subplots()
    for row in range(0, len(rows), 2):
        axes.axhspan(row - 0.5, row + 0.5, color="#f3f3f3", zorder=0)
    for number, name in enumerate(names):
        style = _style(number)
        offset = (number - (len(names) - 1) / 2) * 0.8 / len(names)
        points = [(i + offset, row[name]) for i, row in enumerate(rows.values()) if row.get(name)]
        positions = [position for position, _ in points]
        lowest, highest = ([edge(each) for _, each in points] for edge in (min, max))
        axes.hlines(positions, lowest, highest, color=style["color"], linewidth=1.5)
        axes.plot(
            [np.mean(each) for _, each in points], positions, ls="", label=_wrap(name), **style
        )
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel(_axis_title(suite))
    axes.set_title(textwrap.fill(suite.title, 2 * _LETTERS))
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=min(len(names), 3), frameon=False, fontsize=9)
    save_figure(figure, path)


def _plot_curves(
    suite: Suite, table: Mapping[Case, Mapping[str, Sequence[float]]], path: Path
) -> None:
    """Draw a panel for each data set: means as lines, the range of the seeds as bands."""
    from matplotlib.figure import Figure

    n_columns = min(len(suite.data), 3)  # of panels, and of names below them
    n_rows = -(-len(suite.data) // n_columns)
    figure = Figure(figsize=(4.2 * n_columns, 3.4 * n_rows + 0.9), layout="constrained")
    panels: Any = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for panel, data in zip(panels, suite.data, strict=False):
        labels = suite.labels_of(data)
        for number, model in enumerate(suite.models):
            scores = [table[data, n][model.name] for n in labels]
            points = [(i, each) for i, each in enumerate(scores) if each]
            positions, style = [i for i, _ in points], _style(number)
            lowest, highest = ([edge(each) for _, each in points] for edge in (min, max))
            band = {"color": style["color"], "alpha": 0.15, "linewidth": 0}
            panel.fill_between(positions, lowest, highest, **band)
            panel.plot(positions, [np.mean(each) for _, each in points], "-", **style)
        panel.set_xticks(range(len(labels)), ["all" if n is None else f"{n:,}" for n in labels])
        panel.set(title=_wrap(data), xlabel="training sequences", ylabel=_axis_title(suite))
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(suite.data) :]:
        panel.set_visible(False)
    names = [_wrap(model.name) for model in suite.models]
    legend: dict[str, Any] = {"ncols": n_columns, "frameon": False, "fontsize": 9}
    figure.legend(panels[0].get_lines(), names, loc="outside lower center", **legend)
    save_figure(figure, path)


def _axis_title(suite: Suite) -> str:
    n_seeds = len(suite.seeds)
    spread = f": mean and range of {n_seeds} seeds" if n_seeds > 1 else ", one seed"
    return f"test {title_of(suite.metric)}{spread}"


def _style(number: int) -> dict[str, Any]:
    """Choose colour and marker of a model."""
    marker = _MARKERS[number % len(_MARKERS)]
    return {"color": _COLOURS[number % len(_COLOURS)], "marker": marker, "markersize": 5}
