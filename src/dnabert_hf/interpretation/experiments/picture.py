"""Pictures of experiments: mean effects of edits, with their standard errors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.files.figures import save_figure
from dnabert_hf.interpretation.experiments.effects import Effect
from dnabert_hf.interpretation.experiments.frame import Experiment
from dnabert_hf.interpretation.plots.figures import LINE_STYLES, OKABE_ITO, new_figure

__all__ = ["plot_experiment"]

_MOST_BARS = 40
_PLACES = {
    "site": "the sites",
    "elsewhere": "as much elsewhere",
    "difference": "difference",
}


def plot_experiment(done: Experiment, path: str | Path) -> None:
    """Draw the effects of an experiment.

    Bars of motifs (the 40 strongest) or of places, lines over positions, or lines over the distance
    of two motifs, the interaction below; bands and whiskers are standard errors.

    Args:
        done: The experiment.
        path: Picture: .png, .svg or .pdf.

    Raises:
        ValueError: If the suffix is none of these.
    """
    if done.kind == "space":
        figure = _draw_distances(done)
    elif done.kind == "scan":
        figure = _draw_positions(done)
    else:
        figure = _draw_bars(done)
    save_figure(figure, path)


def _title(done: Experiment) -> str:
    fewest, most = done.lengths
    bases = f"{most}" if fewest == most else f"{fewest} to {most}"
    counts = {each.n for each in done.effects}
    n = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    return f"{done.score}; {n} sequences of {bases} bases, mean and standard error"


def _draw_bars(done: Experiment) -> Any:
    effects = list(done.effects)
    if done.kind == "insert":
        effects = sorted(effects, key=lambda each: -abs(each.change))[:_MOST_BARS]
        effects.sort(key=lambda each: -each.change)
        names = [f"{each.condition['motif']} ({each.condition['strand']})" for each in effects]
    else:
        names = [_PLACES[each.condition["place"]] for each in effects]
    figure = new_figure(width=7.5, height=1.3 + 0.3 * len(effects))
    axis = figure.subplots()
    rows = np.arange(len(effects))
    errors = np.nan_to_num([each.error for each in effects])
    axis.barh(
        rows,
        [each.change for each in effects],
        xerr=errors,
        color=[OKABE_ITO[each.change < 0] for each in effects],
        error_kw={"capsize": 2, "elinewidth": 1},
    )
    axis.set_yticks(rows, [_shorten(name) for name in names])
    axis.invert_yaxis()
    axis.axvline(0, color="0.3", linewidth=0.8)
    axis.set_xlabel(f"change of the {done.score}")
    axis.set_title(_title(done), fontsize=9)
    return figure


def _shorten(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:30]}..."


def _draw_positions(done: Experiment) -> Any:
    figure = new_figure(width=8, height=3.4)
    axis = figure.subplots()
    strands = list(dict.fromkeys(each.condition["strand"] for each in done.effects))
    for index, strand in enumerate(strands):
        here = [each for each in done.effects if each.condition["strand"] == strand]
        at = [each.condition["position"] for each in here]
        _draw_line(axis, at, here, index, f"strand {strand}")
    axis.set_xlabel("first base of the motif (0-based)")
    axis.set_ylabel(f"change of the\n{done.score}")
    axis.set_title(_title(done), fontsize=9)
    if len(strands) > 1:
        axis.legend(frameon=False)
    return figure


def _draw_distances(done: Experiment) -> Any:
    figure = new_figure(width=8, height=6)
    above, below = figure.subplots(2, 1, sharex=True)
    pairs = list(
        dict.fromkeys(
            (each.condition["strand_a"], each.condition["strand_b"]) for each in done.effects
        )
    )
    for index, (strand_a, strand_b) in enumerate(pairs):
        for order, sign in (("BA", -1), ("AB", 1)):
            here = [
                each
                for each in done.effects
                if each.condition["order"] == order
                and (each.condition["strand_a"], each.condition["strand_b"]) == (strand_a, strand_b)
            ]
            # A distance of 0 has a place on either side.
            at = [sign * (each.condition["distance"] + 0.5) for each in here]
            label = f"A {strand_a}, B {strand_b}" if order == "AB" or _is_one_sided(done) else None
            _draw_line(above, at, here, index, label)
            _draw_line(below, at, here, index, None, interaction=True)
    for axis in (above, below):
        axis.axvline(0, color="0.3", linewidth=0.8)
    ticks = [
        (sign * (distance + 0.5), str(distance))
        for order, sign in (("BA", -1), ("AB", 1))
        for distance in _ticks(done, order)
    ]
    below.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
    below.set_xlabel("bases between the motifs: B left of A | B right of A")
    above.set_ylabel(f"change of the\n{done.score}")
    below.set_ylabel("interaction: beyond\nwhat each does alone")
    above.legend(frameon=False, fontsize=8, ncols=2)
    above.set_title(_title(done), fontsize=9)
    return figure


def _ticks(done: Experiment, order: str) -> range:
    """Choose distances to write below one side."""
    here = [each.condition["distance"] for each in done.effects if each.condition["order"] == order]
    most = max(each.condition["distance"] for each in done.effects)
    return range(min(here), max(here) + 1, max(1, round(most / 5))) if here else range(0)


def _is_one_sided(done: Experiment) -> bool:
    """Tell whether motif B stands on one side of A only."""
    return len({each.condition["order"] for each in done.effects}) == 1


def _draw_line(
    axis: Any,
    at: Sequence[float],
    effects: Sequence[Effect],
    index: int,
    label: str | None,
    *,
    interaction: bool = False,
) -> None:
    if not effects:
        return
    order = np.argsort(at)
    x = np.asarray(at)[order]
    mean = np.array([e.interaction if interaction else e.change for e in effects])[order]
    error = np.array([e.interaction_error if interaction else e.error for e in effects])[order]
    colour, style = OKABE_ITO[index % len(OKABE_ITO)], LINE_STYLES[index % len(LINE_STYLES)]
    axis.plot(x, mean, color=colour, linestyle=style, linewidth=1.4, label=label)
    error = np.nan_to_num(error)
    axis.fill_between(x, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
    axis.axhline(0, color="0.6", linewidth=0.6)
