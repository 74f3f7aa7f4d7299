"""Plot of a training run: losses and the validation metric by step."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dnabert_hf.files.figures import save_figure
from dnabert_hf.metrics.scores import LOWER_IS_BETTER

__all__ = ["plot_curves", "plot_pretraining", "title_of"]

_TRAIN, _VALIDATION = "#7a7a7a", "#0b6bb0"


def plot_curves(
    history: Sequence[Mapping[str, Any]],
    path: str | Path,
    *,
    metric: str,
    best_step: int | None,
    regression: float | None = None,
) -> None:
    """Draw training loss, validation loss and validation metric, the chosen checkpoint marked.

    Args:
        history: `log_history` of the Trainer.
        path: File to write; its suffix gives the format.
        metric: Name of the metric by which the checkpoint was chosen.
        best_step: Step of the chosen checkpoint.
        regression: Metric of a regression on k-mer counts on the same split, if there is one.
    """
    from matplotlib.figure import Figure  # not pyplot: that would touch the caller's backend

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    steps_of_loss, train = _series(history, "loss")
    losses.plot(steps_of_loss, train, color=_TRAIN, linewidth=0.8, alpha=0.35)
    losses.plot(steps_of_loss, _smooth(train), color=_TRAIN, linewidth=1.5, label="train, smoothed")
    losses.plot(*_series(history, "eval_loss"), "o-", color=_VALIDATION, label="validation")
    losses.set(
        xlabel="optimiser step", ylabel="loss (cross-entropy or squared error)", title="Loss"
    )
    losses.legend(frameon=False)
    steps, values = _series(history, f"eval_{metric}")
    scores.plot(steps, values, "o-", color=_VALIDATION)
    title = f"Validation {title_of(metric)}"
    if best_step in steps:
        best = values[steps.index(best_step)]
        scores.plot([best_step], [best], "o", markersize=11, markerfacecolor="none", color="black")
        title += f", chosen: {best:.3f}"
    if regression is not None:
        scores.axhline(regression, color=_TRAIN, linestyle="--", label="5-mer regression")
        scores.legend(frameon=False)
    if metric not in LOWER_IS_BETTER:
        scores.set_ylim(min([0, *values, regression or 0]) - 0.03, 1.03)
    scores.set(xlabel="optimiser step", ylabel=title_of(metric), title=title)
    for axes in (losses, scores):
        axes.set_xlim(0, 1.03 * max([1, *steps_of_loss, *steps]))
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def plot_pretraining(history: Sequence[Mapping[str, Any]], path: str | Path) -> None:
    """Draw the training loss and, where DNA was held out, the bits per base.

    Args:
        history: `log_history` of the Trainer.
        path: File to write; its suffix gives the format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    losses, bits = figure.subplots(1, 2)
    losses.plot(*_series(history, "loss"), color=_TRAIN, linewidth=1, label="train")
    if any("eval_loss" in entry for entry in history):
        losses.plot(*_series(history, "eval_loss"), "o-", color=_VALIDATION, label="held out")
        bits.plot(*_series(history, "eval_bits_per_base"), "o-", color=_VALIDATION)
    losses.set(xlabel="step", ylabel="nats per masked k-mer", title="Loss")
    losses.legend(frameon=False)
    bits.axhline(2, color=_TRAIN, linewidth=1, linestyle=":", label="guessing")
    bits.set(xlabel="step", ylabel="bits per base", title="Held-out DNA")
    bits.legend(frameon=False)
    for axes in (losses, bits):
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def _smooth(values: Sequence[float], share: float = 0.1) -> list[float]:
    """Average each value with those before it, recent ones most (exponentially).

    Example:
        >>> _smooth([1.0, 0.0], share=0.5)
        [1.0, 0.5]
    """
    means: list[float] = []
    for value in values:
        means.append(value if not means else means[-1] + share * (value - means[-1]))
    return means


def _series(history: Iterable[Mapping[str, Any]], name: str) -> tuple[list[int], list[float]]:
    points = [(entry["step"], entry[name]) for entry in history if name in entry]
    return [step for step, _ in points], [value for _, value in points]


def title_of(metric: str) -> str:
    """Write the name of a metric as papers do.

    Example:
        >>> title_of("mcc"), title_of("accuracy"), title_of("f1_binary")
        ('MCC', 'accuracy', 'F1 of the positive class')
    """
    name, of_one, _ = metric.partition("_binary")
    is_acronym = name in ("auprc", "auroc", "f1", "mcc", "rmse")
    return (name.upper() if is_acronym else name) + (" of the positive class" if of_one else "")
