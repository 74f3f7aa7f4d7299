"""The report of a benchmark: a table, paired tests, time and machine, a plot."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.metrics import LOWER_IS_BETTER
from dnabert_hf.training.benchmark_plot import plot_scores
from dnabert_hf.training.curves import title_of
from dnabert_hf.training.suite import Case, Cell, Suite

__all__ = ["CellResult", "compare_with_best", "compare_with_best_baseline", "write_report"]

_FEWEST_PAIRS = 5  # with fewer, no signed-rank test can reach 0.05

# Scores of the seeds by data set and number of labels, and by model.
_Table = Mapping[Case, Mapping[str, Sequence[float]]]


class CellResult(NamedTuple):
    """What came of a cell.

    Attributes:
        score: The metric of the benchmark, on the test split.
        seconds: Wall time of reading, training and testing; None if it was not measured.
        machine: What it ran on, in words.
    """

    score: float
    seconds: float | None = None
    machine: str | None = None


def write_report(
    suite: Suite,
    results: Mapping[Cell, CellResult],
    errors: Mapping[Cell, str],
    folder: Path,
    *,
    command: str | None = None,
) -> None:
    """Write `scores.tsv` (a row a cell), `report.md` and `scores.png`.

    Args:
        suite: What was compared.
        results: What came of every cell that ended well, at the learning rate that was chosen.
        errors: What went wrong in the other cells.
        folder: Folder of the benchmark.
        command: What was typed to run it.
    """
    _write_scores(suite, results, folder / "scores.tsv")
    names = [model.name for model in suite.models]
    table = {
        case: {
            name: [results[cell].score for cell in results if _is_of(cell, case, name)]
            for name in names
        }
        for case in suite.cases()
    }
    sign = -1 if suite.metric in LOWER_IS_BETTER else 1
    means = {
        name: [sign * float(np.mean(row[name])) if row[name] else None for row in table.values()]
        for name in names
    }
    lines = [f"# {suite.title}", "", *_table(suite, table, results), ""]
    lines += compare_with_best(means)
    baselines = [model.name for model in suite.models if model.is_baseline]
    lines += compare_with_best_baseline(means, baselines)
    lines += ["", f"![Test {title_of(suite.metric)} of every model and data set](scores.png)", ""]
    lines += _origin(results, command)
    if errors:
        lines += ["", "Cells that failed:", ""]
        lines += [f"- {cell.folder().as_posix()}: {message}" for cell, message in errors.items()]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    plot_scores(suite, table, folder / "scores.png")


def _write_scores(suite: Suite, results: Mapping[Cell, CellResult], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        names = ["data", "labels", "model", "learning_rate", "seed", suite.metric, "seconds"]
        writer.writerow(names)
        for cell, (score, seconds, _) in results.items():
            labels = "all" if cell.labels is None else cell.labels
            rate = "" if cell.learning_rate is None else f"{cell.learning_rate:g}"
            time = "" if seconds is None else f"{seconds:.2f}"
            writer.writerow([cell.data, labels, cell.model, rate, cell.seed, f"{score:.6f}", time])


def _is_of(cell: Cell, case: Case, name: str) -> bool:
    return (cell.data, cell.labels, cell.model) == (*case, name)


def _table(suite: Suite, table: _Table, results: Mapping[Cell, CellResult]) -> list[str]:
    """Lay out mean and standard deviation over the seeds, the best of each row in bold."""
    names = [model.name for model in suite.models]
    best = min if suite.metric in LOWER_IS_BETTER else max
    n_seeds = len(suite.seeds)
    spread = f"mean ± standard deviation over {n_seeds} seeds" if n_seeds > 1 else "one seed"
    lines = [
        f"Test {title_of(suite.metric)}, {spread}. "
        f"Sequences: {_limit(suite.test)} to test, {_limit(suite.dev)} to choose by, `labels` to "
        "train on.",
        "",
        f"| data | labels | {' | '.join(names)} |",
        "|---|---|" + "---|" * len(names),
    ]
    for (data, labels), row in table.items():
        means = {name: np.mean(values) for name, values in row.items() if values}
        cells = []
        for name in names:
            text = _mean_and_deviation(row[name])
            is_best = name in means and means[name] == best(means.values())
            cells.append(f"**{text}**" if is_best else text)
        lines.append(f"| {data} | {'all' if labels is None else labels} | {' | '.join(cells)} |")
    complete = [row for row in table.values() if all(row.values())]
    if len(complete) > 1:
        cells = [f"{np.mean([np.mean(row[name]) for row in complete]):.3f}" for name in names]
        lines.append(f"| mean of {len(complete)} complete rows | | {' | '.join(cells)} |")
    seconds = [
        [r.seconds for cell, r in results.items() if cell.model == name and r.seconds is not None]
        for name in names
    ]
    if any(seconds):
        cells = [f"{np.mean(each):.1f}" if each else "-" for each in seconds]
        lines.append(f"| seconds a cell, mean | | {' | '.join(cells)} |")
    return lines


def _limit(limit: int | None) -> str:
    return "all" if limit is None else f"at most {limit:,}"


def _mean_and_deviation(values: Sequence[float]) -> str:
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def _origin(results: Mapping[Cell, CellResult], command: str | None) -> list[str]:
    """Say how the figures were made: command, machines, time."""
    lines = [] if command is None else [f"- command: `{command}`"]
    machines = dict.fromkeys(result.machine for result in results.values() if result.machine)
    lines += [f"- machine: {machine}" for machine in machines]
    seconds = [result.seconds for result in results.values() if result.seconds is not None]
    if seconds:
        lines.append(
            f"- time: {sum(seconds) / 60:.0f} minutes in the {len(seconds)} cells above, one after "
            "another; those of learning rates that were not chosen come on top"
        )
    return lines


def compare_with_best(means: Mapping[str, Sequence[float | None]]) -> list[str]:
    """Test each model against the best one, over data sets.

    Args:
        means: Mean score of each model on each data set, in one order, larger is better; None
            where there is none.

    Returns:
        Sentences: the model with the best mean, and for each other how often it was beaten and the
        p value of Wilcoxon's signed-rank test (two-sided), as Demsar 2006 advises.

    Example:
        >>> compare_with_best({"a": [0.5, 0.75], "b": [0.25, 0.25]})
        ['Best mean: a. It beats b on 2 of 2 (too few for a test).']
    """
    values = _complete(means)
    if len(values) < 2:
        return ["No data set has scores of two models yet."]
    best = max(values, key=lambda name: values[name].mean())
    parts = [
        f"{name} on {int((values[best] > other).sum())} of {len(other)} "
        f"({_paired_test(values[best] - other)})"
        for name, other in values.items()
        if name != best
    ]
    return [f"Best mean: {best}. It beats {', '.join(parts)}."]


def compare_with_best_baseline(
    means: Mapping[str, Sequence[float | None]], baselines: Sequence[str]
) -> list[str]:
    """Test each model that was pretrained against the best one that was not, over data sets.

    Args:
        means: As in `compare_with_best`.
        baselines: Names of the models that start from nothing.

    Returns:
        A sentence for each pretrained model: in how many data sets it is better, by how much on
        average, and the p value of Wilcoxon's signed-rank test (two-sided). None without baselines.

    Example:
        >>> print(*compare_with_best_baseline({"a": [0.5, 0.75], "b": [0.25, 0.5]}, ["b"]))
        a against b, the best baseline: better on 2 of 2, mean gain +0.250 (too few for a test).
    """
    values = _complete(means)
    if not values.keys() & set(baselines):
        return []
    best = max(values.keys() & set(baselines), key=lambda name: values[name].mean())
    lines = []
    for name in [name for name in values if name not in baselines]:
        differences = values[name] - values[best]
        lines.append(
            f"{name} against {best}, the best baseline: better on {int((differences > 0).sum())} "
            f"of {len(differences)}, mean gain {differences.mean():+.3f} "
            f"({_paired_test(differences)})."
        )
    return lines


def _complete(means: Mapping[str, Sequence[float | None]]) -> dict[str, np.ndarray]:
    """Keep the data sets on which every model has a score, but for models that have none at all."""
    scored = {name: row for name, row in means.items() if any(score is not None for score in row)}
    rows = [row for row in zip(*scored.values(), strict=True) if None not in row]
    return dict(zip(scored, np.array(rows, dtype=np.float64).T, strict=True)) if rows else {}


def _paired_test(differences: np.ndarray) -> str:
    from scipy.stats import wilcoxon

    if len(differences) < _FEWEST_PAIRS:
        return "too few for a test"
    return f"p = {wilcoxon(differences).pvalue:.2g}" if differences.any() else "no difference"
