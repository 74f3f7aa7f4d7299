"""The plot of a benchmark."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dnabert_hf.training.curves import title_of
from dnabert_hf.training.suite import Suite

__all__ = ["Case", "plot_scores"]

Case = tuple[str, int | None]  # data set and number of labels

_COLOURS = ("#0b6bb0", "#b0b0b0", "#d95f02", "#1b9e77", "#7570b3", "#e6ab02", "#a6761d", "#666666")
_LABEL_WIDTH = 18  # letters of a data set name in a line


def plot_scores(
    suite: Suite, table: Mapping[Case, Mapping[str, Sequence[float]]], path: Path
) -> None:
    """Draw a group of bars a data set or, with several numbers of labels, a curve a data set.

    Args:
        suite: What was compared.
        table: Scores of the seeds by data set and number of labels, and by model.
        path: File to write; its suffix gives the format.
    """
    from matplotlib.figure import Figure

    if len(suite.labels) > 1:
        _plot_curves(suite, table, path)
        return
    names = [model.name for model in suite.models]
    width = 0.8 / len(names)
    figure = Figure(figsize=(max(6, 0.9 + 1.35 * len(table)), 4.2), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(names):
        colour = _COLOURS[number % len(_COLOURS)]
        places = np.arange(len(table)) + (number - (len(names) - 1) / 2) * width
        values = [row[name] for row in table.values()]
        means = [np.mean(each) if each else 0 for each in values]
        axes.bar(places, np.array(means), width * 0.92, color=colour, label=name)
        for place, each in zip(places, values, strict=True):
            axes.plot([place] * len(each), each, "k.", markersize=3)
    axes.set_xticks(range(len(table)), [_wrapped(data) for data, _ in table], fontsize=8)
    axes.set(ylabel=f"test {title_of(suite.metric)}", title=suite.title)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=min(len(names), 4), frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def _plot_curves(
    suite: Suite, table: Mapping[Case, Mapping[str, Sequence[float]]], path: Path
) -> None:
    from matplotlib.figure import Figure

    n_columns = min(len(suite.data), 3)
    n_rows = -(-len(suite.data) // n_columns)
    figure = Figure(figsize=(4.2 * n_columns, 3.4 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    labels = ["all" if n is None else str(n) for n in suite.labels]
    for panel, data in zip(panels, suite.data, strict=False):
        for number, model in enumerate(suite.models):
            values = [table[data, n][model.name] for n in suite.labels]
            points = [(i, np.mean(each)) for i, each in enumerate(values) if each]
            colour = _COLOURS[number % len(_COLOURS)]
            panel.plot(*zip(*points, strict=True), "o-", color=colour, label=model.name)
        panel.set_xticks(range(len(labels)), labels)
        panel.set(title=data, xlabel="labels", ylabel=f"test {title_of(suite.metric)}")
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(suite.data) :]:
        panel.set_visible(False)
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def _wrapped(name: str) -> str:
    return textwrap.fill(name, _LABEL_WIDTH)
