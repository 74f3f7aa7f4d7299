"""Designs as FASTA, as a picture, and on a page."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.files.atomic import write_text
from dnabert_hf.files.figures import save_figure
from dnabert_hf.interpretation.design.design import Design, Designs
from dnabert_hf.interpretation.pages.page import Cell, Page
from dnabert_hf.interpretation.pages.pictured import write_pictured
from dnabert_hf.interpretation.plots.figures import OKABE_ITO, new_figure

__all__ = ["report_design"]

_MOST_LINES = 100
_MOST_ROWS = 200
_SAYS = {"kmers": "5-mer regression", "also": "second model"}


def report_design(
    done: Designs,
    *,
    fasta: str | Path | None = None,
    plot: str | Path | None = None,
    page: str | Path | None = None,
) -> list[Path]:
    """Write designs as FASTA, draw them, or show them on a page.

    Args:
        done: What `design` gave.
        fasta: FASTA file of the results, with the score and the number of edits behind the id.
        plot: Picture to draw, .png, .svg or .pdf: the score by the number of steps.
        page: HTML file to write.

    Returns:
        What was written.
    """
    written = []
    if fasta is not None:
        write_text("".join(_as_fasta(each, done) for each in done.designs), fasta)
        written.append(Path(fasta))
    draw, make_page = partial(_plot, done), partial(_make_page, done)
    return written + write_pictured(draw, make_page, plot=plot, page=page)


def _as_fasta(each: Design, done: Designs) -> str:
    last = each.steps[-1]
    return (
        f">{each.id} {done.score}={last[done.score]:.4g} edits={last['edits']}\n{each.sequence}\n"
    )


def _plot(done: Designs, path: str | Path) -> None:
    figure = new_figure(width=7, height=4)
    axis = figure.subplots()
    longest = max(len(each.steps) for each in done.designs)
    for each in done.designs[:_MOST_LINES]:
        values = [step[done.score] for step in each.steps]
        axis.plot(range(len(values)), values, color=OKABE_ITO[0], alpha=0.25, linewidth=0.8)
    lines = {"the model": done.score, **{_SAYS[name]: at for name, at in done.others.items()}}
    for index, (name, column) in enumerate(lines.items()):
        # A design that has ended keeps its last sequence.
        mean = [
            np.mean([each.steps[min(step, len(each.steps) - 1)][column] for each in done.designs])
            for step in range(longest)
        ]
        style = "-" if index == 0 else "--"
        axis.plot(mean, style, color=OKABE_ITO[index], linewidth=2, label=f"{name}, mean")
    if done.target is not None:
        axis.axhline(done.target, color="0.3", linestyle=":", label="target")
    if not done.is_regression:
        axis.set_ylim(-0.02, 1.02)
    what = "value" if done.is_regression else "probability of"
    axis.set_xlabel("edits")
    axis.set_ylabel(f"{what} {done.label}")
    axis.set_xticks(range(0, longest, max(1, longest // 8)))
    n = len(done.designs)
    axis.set_title(f"{n:,} design{'s' * (n != 1)}, up to {done.limits.edits} edits", fontsize=10)
    axis.legend(frameon=False, fontsize=9)
    save_figure(figure, path)


def _make_page(done: Designs, picture: Path) -> Page:
    what = "value" if done.is_regression else "probability"
    aim = "higher" if done.target is None else f"near {done.target:g}"
    page = Page(
        "Designed sequences",
        lead=f"Sequences edited base after base until the model scores {done.label} {aim}.",
    )
    page.text(f"{done.summary()}. {_say_limits(done)}")
    for text in done.warnings():
        page.text(f"Beware: {text}.")
    if not done.others:
        page.text(
            "Nobody else was asked: no regression is saved with the model, and no second model was "
            "named (--also). A sequence that one model likes may be an answer to its faults."
        )
    page.figure(
        picture,
        alt=f"{what} of each design by the number of edits",
        caption="Thin lines are designs; thick ones means, of those that have ended their last.",
        is_wide=True,
    )
    columns = ["sequence", f"{what} before", "after", "edits"]
    for name in done.others:
        columns += [f"{_SAYS[name]} before", "after"]
    columns += ["agree", "G and C", "changes (0-based)"]
    shown = done.designs[:_MOST_ROWS]
    caption = "Designs"
    if len(shown) < len(done.designs):
        caption = f"The first {len(shown)} of {len(done.designs):,} designs"
    page.table(caption, columns, [_cells(each, done) for each in shown])
    page.heading("Results")
    page.code("".join(_as_fasta(each, done) for each in shown))
    return page


def _cells(each: Design, done: Designs) -> list[Cell]:
    first, last = each.steps[0], each.steps[-1]
    others = [float(step[column]) for column in done.others.values() for step in (first, last)]
    doubted = any(done.is_doubted(each, column) for column in done.others.values())
    agree = ("no" if doubted else "yes") if done.others else None
    numbers = [float(first[done.score]), float(last[done.score])]
    return [each.id, *numbers, int(last["edits"]), *others, agree, float(last["gc"]), _say(each)]


def _say(each: Design) -> str:
    """List what differs from the start, in order of position."""
    start, end = str(each.steps[0]["sequence"]), each.sequence
    return " ".join(
        f"{position}{one}>{other}"
        for position, (one, other) in enumerate(zip(start, end, strict=True))
        if one != other
    )


def _say_limits(done: Designs) -> str:
    limits: Any = done.limits
    texts = [f"at most {limits.edits} edits"]
    if limits.frozen or limits.frozen_of:
        texts.append("frozen bases kept")
    if limits.gc is not None:
        texts.append(f"G and C from {limits.gc[0]:.0%} to {limits.gc[1]:.0%}")
    if limits.forbidden:
        names = ", ".join(each.name for each in limits.motifs)
        texts.append(f"without {names} on either strand")
    if limits.max_homopolymer is not None:
        texts.append(f"no run longer than {limits.max_homopolymer}")
    return f"Limits: {'; '.join(texts)}."
