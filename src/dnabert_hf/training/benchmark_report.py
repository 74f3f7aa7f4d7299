"""The report of a benchmark: a table, a paired test, a plot."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dnabert_hf.training.benchmark_plot import Case, plot_scores
from dnabert_hf.training.curves import title_of
from dnabert_hf.training.suite import Cell, Suite

__all__ = ["compare_with_best", "write_report"]

_FEWEST_PAIRS = 5  # with fewer, no signed-rank test can reach 0.05


def write_report(
    suite: Suite, scores: Mapping[Cell, float], errors: Mapping[Cell, str], folder: Path
) -> None:
    """Write `scores.tsv` (a row a cell), `report.md` and `scores.png`.

    Args:
        suite: What was compared.
        scores: Test metric of every cell that ended well, at the learning rate that was chosen.
        errors: What went wrong in the other cells.
        folder: Folder of the benchmark.
    """
    with (folder / "scores.tsv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["data", "labels", "model", "learning_rate", "seed", suite.metric])
        for cell, score in scores.items():
            labels = "all" if cell.labels is None else cell.labels
            rate = "" if cell.learning_rate is None else f"{cell.learning_rate:g}"
            writer.writerow([cell.data, labels, cell.model, rate, cell.seed, f"{score:.6f}"])
    names = [model.name for model in suite.models]
    cases = [(data, labels) for data in suite.data for labels in suite.labels]
    table = {case: {name: _of(scores, case, name) for name in names} for case in cases}
    lines = [f"# {suite.title}", "", *_table(suite, table), ""]
    lines += compare_with_best(
        {name: [float(np.mean(table[case][name])) if table[case][name] else None for case in cases]
         for name in names}
    )  # fmt: skip
    if errors:
        lines += ["", "Cells that failed:", ""]
        lines += [f"- {cell.folder().as_posix()}: {message}" for cell, message in errors.items()]
    lines += ["", f"![Test {title_of(suite.metric)} of every model and data set](scores.png)"]
    (folder / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    plot_scores(suite, table, folder / "scores.png")


def _of(scores: Mapping[Cell, float], case: Case, name: str) -> list[float]:
    return [
        score
        for cell, score in scores.items()
        if (cell.data, cell.labels, cell.model) == (*case, name)
    ]


def _table(suite: Suite, table: Mapping[Case, Mapping[str, Sequence[float]]]) -> list[str]:
    """Lay out mean and standard deviation over the seeds, the best of each row in bold."""
    names = [model.name for model in suite.models]
    lines = [
        f"Test {title_of(suite.metric)}, mean ± standard deviation over {len(suite.seeds)} seeds.",
        "",
        f"| data | labels | {' | '.join(names)} |",
        "|---|---|" + "---|" * len(names),
    ]
    for (data, labels), row in table.items():
        means = {name: np.mean(values) for name, values in row.items() if values}
        cells = []
        for name in names:
            text = _mean_and_deviation(row[name])
            is_best = name in means and means[name] == max(means.values())
            cells.append(f"**{text}**" if is_best else text)
        lines.append(f"| {data} | {'all' if labels is None else labels} | {' | '.join(cells)} |")
    complete = [row for row in table.values() if all(row.values())]
    if len(complete) > 1:
        cells = [f"{np.mean([np.mean(row[name]) for row in complete]):.3f}" for name in names]
        lines.append(f"| mean of {len(complete)} complete rows | | {' | '.join(cells)} |")
    return lines


def _mean_and_deviation(values: Sequence[float]) -> str:
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def compare_with_best(means: Mapping[str, Sequence[float | None]]) -> list[str]:
    """Test each model against the best one, over data sets.

    Args:
        means: Mean score of each model on each data set, in one order; None where there is none.

    Returns:
        Sentences: the model with the best mean, and for each other how often it was beaten and the
        p value of Wilcoxon's signed-rank test (two-sided), as Demsar 2006 advises.

    Example:
        >>> compare_with_best({"a": [0.5, 0.75], "b": [0.25, 0.25]})
        ['Best mean: a. It beats b on 2 of 2 (too few for a test).']
    """
    from scipy.stats import wilcoxon

    complete = [i for i, row in enumerate(zip(*means.values(), strict=True)) if None not in row]
    if not complete or len(means) < 2:
        return ["No data set has scores of two models yet."]
    values = {name: np.array([row[i] for i in complete]) for name, row in means.items()}
    best = max(values, key=lambda name: values[name].mean())
    parts = []
    for name, other in values.items():
        if name == best:
            continue
        differences = values[best] - other
        n_wins = int((differences > 0).sum())
        if len(complete) < _FEWEST_PAIRS or not differences.any():
            test = "too few for a test" if len(complete) < _FEWEST_PAIRS else "no difference"
        else:
            test = f"p = {wilcoxon(differences).pvalue:.2g}"
        parts.append(f"{name} on {n_wins} of {len(complete)} ({test})")
    return [f"Best mean: {best}. It beats {', '.join(parts)}."]
