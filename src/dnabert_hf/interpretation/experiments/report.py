"""A page of an experiment: the picture, and the numbers behind it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dnabert_hf.interpretation.experiments.effects import Effect
from dnabert_hf.interpretation.experiments.frame import Experiment
from dnabert_hf.interpretation.experiments.picture import plot_experiment
from dnabert_hf.interpretation.pages.page import Cell, Page
from dnabert_hf.interpretation.pages.pictured import write_pictured

__all__ = ["report_experiment", "strongest"]

_TITLES = {
    "insert": "Motifs put into sequences",
    "ablate": "Parts of sequences replaced",
    "space": "Two motifs at all distances",
    "scan": "A motif at every position",
}
_LEADS = {
    "insert": "How much each motif alone changes the prediction.",
    "ablate": "What the model misses without these bases, beside what it misses without others.",
    "space": "Whether the model minds how far apart two motifs lie, in which order, and on which "
    "strands.",
    "scan": "Where in its window the model counts a motif.",
}
_MOST_ROWS = 200
_WORDS = {"strand_a": "strand of A", "strand_b": "strand of B"}


def strongest(done: Experiment, n: int) -> list[Effect]:
    """Give the conditions that matter most, the strongest first; of ablations all, in order.

    Args:
        done: The experiment.
        n: How many at most.
    """
    if done.kind == "ablate":
        return done.effects[:n]
    key = "interaction" if done.kind == "space" else "change"
    return sorted(done.effects, key=lambda each: -abs(getattr(each, key)))[:n]


def report_experiment(
    done: Experiment, *, plot: str | Path | None = None, page: str | Path | None = None
) -> list[Path]:
    """Draw an experiment, or show it on a page.

    Args:
        done: What one of the experiments gave.
        plot: Picture to draw, .png, .svg or .pdf.
        page: HTML file to write.

    Returns:
        What was written.
    """
    return write_pictured(
        partial(plot_experiment, done), partial(_make_page, done), plot=plot, page=page
    )


def _make_page(done: Experiment, picture: Path) -> Page:
    page = Page(_TITLES[done.kind], lead=_LEADS[done.kind])
    page.text(f"{done.summary()}. {done.about[:1].upper()}{done.about[1:]}.")
    page.figure(
        picture,
        alt=f"Mean change of the {done.score}, by {', '.join(done.effects[0].condition)}",
        caption="Means over sequences; bands and whiskers are their standard errors.",
        is_wide=True,
    )
    page.text(_explain(done))
    shown = strongest(done, _MOST_ROWS)
    caption = "Effects"
    if len(shown) < len(done.effects):
        caption = f"The {len(shown)} strongest of {len(done.effects)} effects"
    what = "value" if done.is_regression else "probability"
    names = [_WORDS.get(name, name) for name in done.effects[0].condition]
    columns = [*names, "sequences", f"{what} without", f"{what} with", "change", "standard error"]
    has_interaction = done.kind == "space"
    if has_interaction:
        columns += ["interaction", "its error"]
    page.table(caption, columns, [_cells(each, has_interaction) for each in shown])
    return page


def _explain(done: Experiment) -> str:
    change = f"The change is that of the {done.score}"
    if not done.is_regression:
        change += " (natural logarithm; 0.7 doubles the odds)"
    texts = [
        f"{change}, with the edit minus without. The standard error is that of the mean over "
        "sequences; shuffles and draws of one sequence are averaged first.",
    ]
    if done.kind == "space":
        texts.append(
            "The interaction is what both motifs change beyond the sum of what each changes alone "
            "at the same place: above 0 the model counts them together."
        )
    if done.kind == "ablate":
        texts.append(
            "The difference compares both within the sequences that have both: what any change "
            "does to the model is in it twice, and cancels."
        )
    texts.append("It says what the model does, not what the cell does.")
    return " ".join(texts)


def _cells(effect: Effect, has_interaction: bool) -> Sequence[Cell]:
    numbers: list[float] = [effect.reference, effect.edited, effect.change, effect.error]
    if has_interaction:
        numbers += [effect.interaction, effect.interaction_error]
    return [
        *effect.condition.values(),
        effect.n,
        *(None if number != number else number for number in numbers),
    ]
