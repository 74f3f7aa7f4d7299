"""The report of a benchmark: tables, paired tests, time and machine, a plot."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.files.atomic import open_table, write_text
from dnabert_hf.files.environment import command_line, package_versions
from dnabert_hf.metrics.scores import LOWER_IS_BETTER
from dnabert_hf.training.benchmark.data import SPLITS, count_sequences
from dnabert_hf.training.benchmark.paired_tests import (
    BEST_OF_EACH,
    Comparison,
    compare,
    complete_scores,
)
from dnabert_hf.training.benchmark.plot import MANY, plot_scores
from dnabert_hf.training.benchmark.suite import KMER_REGRESSION, Case, Cell, ModelEntry, Suite
from dnabert_hf.training.shared.curves import title_of

__all__ = ["CellResult", "write_report"]

# Scores of the seeds by data set and number of labels, and by model.
_Table = Mapping[Case, Mapping[str, Sequence[float]]]


class CellResult(NamedTuple):
    """Result of a cell.

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
    done: Mapping[Cell, CellResult],
    chosen: Sequence[Cell],
    folder: Path,
    *,
    errors: Mapping[Cell, str],
) -> None:
    """Write `scores.tsv` (a row a cell), `report.md` and `scores.png`.

    Args:
        suite: What was compared.
        done: What came of every cell that ended well.
        chosen: The cells that count, at the learning rate that was chosen.
        folder: Folder of the benchmark.
        errors: What went wrong in the other cells.
    """
    results = {cell: done[cell] for cell in chosen if cell in done}
    _write_scores(suite, results, folder / "scores.tsv")
    table: _Table = {
        case: {
            model.name: [
                result.score
                for cell, result in results.items()
                if (cell.data, cell.labels, cell.model) == (*case, model.name)
            ]
            for model in suite.models
        }
        for case in suite.cases()
    }
    means = _means_by_data(suite, table)
    lines = [f"# {suite.title}", "", *_score_table(suite, table, means), ""]
    if len(suite.data) > MANY:
        lines += [*_distributions(suite, means), ""]
    lines += [f"![Test {title_of(suite.metric)} of every model and data set](scores.png)", ""]
    if len(suite.models) > 1:
        lines += ["## Comparison", "", *_comparisons(suite, means)]
    lines += ["## Models", "", *_model_table(suite, done, results), ""]
    lines += ["## Data", "", *_data_table(suite), ""]
    lines += ["## How it was made", "", *_origin(done, results)]
    if errors:
        lines += ["", "## Cells that failed", "", *_failures(errors)]
    write_text("\n".join(lines) + "\n", folder / "report.md")
    plot_scores(suite, table, means, folder / "scores.png")


def _failures(errors: Mapping[Cell, str]) -> list[str]:
    """List each error once, with the cells that it stopped."""
    stopped: dict[str, list[str]] = {}
    for cell, message in errors.items():
        stopped.setdefault(message, []).append(f"`{cell.folder().as_posix()}`")
    return [f"- {message} ({', '.join(cells)})" for message, cells in stopped.items()]


def _write_scores(suite: Suite, results: Mapping[Cell, CellResult], path: Path) -> None:
    with open_table(path) as write_row:
        write_row(["data", "labels", "model", "learning_rate", "seed", suite.metric, "seconds"])
        for cell, (score, seconds, _) in results.items():
            labels = "all" if cell.labels is None else cell.labels
            rate = "" if cell.learning_rate is None else f"{cell.learning_rate:g}"
            time = "" if seconds is None else f"{seconds:.2f}"
            write_row([cell.data, labels, cell.model, rate, cell.seed, f"{score:.6f}", time])


def _means_by_data(suite: Suite, table: _Table) -> dict[str, np.ndarray]:
    """Average seeds and numbers of labels, so that a data set is one value of each model."""
    means: dict[str, list[float | None]] = {model.name: [] for model in suite.models}
    for data in suite.data:
        for name, row in means.items():
            scores = [table[data, labels][name] for labels in suite.labels_of(data)]
            row.append(float(np.mean([np.mean(s) for s in scores])) if all(scores) else None)
    return complete_scores(means)


def _score_table(suite: Suite, table: _Table, means: Mapping[str, np.ndarray]) -> list[str]:
    """Lay out mean and standard deviation over the seeds, the best of each row in bold."""
    names = [model.name for model in suite.models]
    n_seeds = len(suite.seeds)
    spread = f"mean ± standard deviation over {n_seeds} seeds" if n_seeds > 1 else "one seed"
    lines = [f"Test {title_of(suite.metric)}, {spread}; the best of each row in bold.", ""]
    lines += _header(["data", "labels", *names])
    n_best: Counter[str] = Counter()
    for (data, labels), row in table.items():
        scores = {name: float(np.mean(values)) for name, values in row.items() if values}
        best = _best(suite, scores)
        n_best.update(best)
        cells = [_bold_if(name in best, _mean_and_deviation(row[name])) for name in names]
        lines.append(_row([data, _amount(labels), *cells]))
    n_sets = len(next(iter(means.values()), []))
    if n_sets > 1:
        over = {name: float(values.mean()) for name, values in means.items()}
        best = _best(suite, over)
        cells = [_bold_if(n in best, f"{over[n]:.3f}") if n in over else "-" for n in names]
        what = f"{n_sets} data sets" + (" that all have" if n_sets < len(suite.data) else "")
        lines.append(_row([f"mean of {what}", "", *cells]))
    if len(table) > 1 and len(names) > 1:
        lines.append(_row([f"best of {len(table)} rows", "", *(str(n_best[n]) for n in names)]))
    return lines


def _distributions(suite: Suite, means: Mapping[str, np.ndarray]) -> list[str]:
    """Tell how the scores of each model are distributed over the data sets."""
    n_sets = len(next(iter(means.values()), []))
    lines = [
        f"## Over {n_sets} data sets",
        "",
        f"Test {title_of(suite.metric)} of the data sets that all models have.",
        "",
        *_header(["model", "mean", "lowest", "25 %", "median", "75 %", "highest"]),
    ]
    for name, values in means.items():
        cells = [values.mean(), *np.quantile(values, [0, 0.25, 0.5, 0.75, 1])]
        lines.append(_row([name, *(f"{cell:.3f}" for cell in cells)]))
    return lines


def _best(suite: Suite, scores: Mapping[str, float]) -> list[str]:
    """Name the models with the best score; several if they are equal, none if there is one only."""
    if len(scores) < 2:
        return []
    best = (min if suite.metric in LOWER_IS_BETTER else max)(scores.values(), default=None)
    return [name for name, score in scores.items() if score == best]


def _comparisons(suite: Suite, means: Mapping[str, np.ndarray]) -> list[str]:
    """Test the pretrained models against the baselines, or else the best model against the rest."""
    if len(means) < 2:
        return ["No data set has scores of two models yet.", ""]
    sign = -1 if suite.metric in LOWER_IS_BETTER else 1
    scores: dict[str, np.ndarray] = {name: sign * values for name, values in means.items()}
    baselines = [model.name for model in suite.models if model.is_baseline and model.name in scores]
    pretrained = [name for name in scores if name not in baselines]
    if not baselines or not pretrained:
        pretrained = [max(scores, key=lambda name: scores[name].mean())]
        baselines = [name for name in scores if name not in pretrained]
    lines = [
        "Over data sets, each the mean of its seeds and numbers of labels, where all models have "
        "scores. p: Wilcoxon's signed-rank test, two-sided, not corrected for the number of rows; "
        "- with fewer than five data sets or without a difference.",
        "",
    ]
    for name in pretrained:
        lines += _header([f"{name} against", "better on", "mean gain", "p"])
        lines += [_comparison_row(each) for each in compare(scores, name, baselines)]
        lines.append("")
    return lines


def _comparison_row(comparison: Comparison) -> str:
    other, n_better, n_pairs, gain, p_value = comparison
    test = "-" if p_value is None else f"{p_value:.2g}"
    name = f"*{other}*" if other == BEST_OF_EACH else other
    return _row([name, f"{n_better} of {n_pairs}", f"{gain:+.3f}", test])


def _model_table(
    suite: Suite, done: Mapping[Cell, CellResult], results: Mapping[Cell, CellResult]
) -> list[str]:
    """Say where each model starts, which learning rates were chosen how often, and its time."""
    lines = []
    if any(len(model.learning_rates) > 1 for model in suite.models):
        lines += [
            f"Of several learning rates, the validation {title_of(suite.metric)} of seed "
            f"{suite.seeds[0]} chose one for each row; `scores.tsv` says which.",
            "",
        ]
    columns = ["model", "start", "learning rate: rows", "seconds a cell", "minutes in all"]
    lines += _header(columns)
    for model in suite.models:
        rows = {(c.data, c.labels): c.learning_rate for c in results if c.model == model.name}
        counts = Counter(rows.values())
        default = "-" if model.init == KMER_REGRESSION else "default"
        rates = [f"{rate:g}: {counts[rate]}" for rate in model.learning_rates] or [default]
        seconds = _seconds(done[cell] for cell in done if cell.model == model.name)
        mean = f"{np.mean(seconds):.1f}" if seconds else "-"
        total = f"{sum(seconds) / 60:.1f}" if seconds else "-"
        lines.append(_row([model.name, _start(model), ", ".join(rates), mean, total]))
    return lines


def _start(model: ModelEntry) -> str:
    layers = model.reinitialise_layers
    return model.init + (f", top {layers} layers re-initialised" if layers else "")


def _data_table(suite: Suite) -> list[str]:
    """Say how many sequences of each split were used, of how many."""
    lines = [
        "Sequences that were drawn, of those there are: anew for each seed to train on and to "
        "choose by, the same for all to test.",
        "",
        *_header(["data", "to train on", "to choose by", "to test", "source"]),
    ]
    for data, entry in suite.data.items():
        counts = count_sequences(entry)
        cells = []
        for split, limits in zip(
            SPLITS, (suite.labels_of(data), (suite.dev,), (suite.test,)), strict=True
        ):
            n = counts.get(split, 0)
            used = dict.fromkeys(n if limit is None else min(n, limit) for limit in limits)
            cells.append(f"{', '.join(f'{each:,}' for each in used)} of {n:,}" if counts else "-")
        lines.append(_row([data, *cells, f"`{entry.source}`"]))
    return lines


def _origin(done: Mapping[Cell, CellResult], results: Mapping[Cell, CellResult]) -> list[str]:
    """Say how the figures were made: command, machines, time."""
    command = command_line.get()
    lines = [] if command is None else [f"- command: `{command}`"]
    machines = dict.fromkeys(result.machine for result in done.values() if result.machine)
    lines += [f"- machine: {machine}" for machine in machines]
    versions = ", ".join(f"{name} {version}" for name, version in package_versions().items())
    lines.append(f"- versions when this was written: {versions}")
    seconds, others = _seconds(results.values()), len(done) - len(results)
    if seconds:
        minutes = sum(seconds) / 60
        text = f"- time: {minutes:.1f} minutes in the {len(seconds)} cells above, one after another"
        if others:
            both = sum(_seconds(done.values())) / 60
            text += f"; {both:.1f} with the {others} of learning rates that were not chosen"
        lines.append(text)
    return lines


def _seconds(results: Iterable[CellResult]) -> list[float]:
    return [result.seconds for result in results if result.seconds is not None]


def _header(cells: Sequence[str]) -> list[str]:
    return [_row(cells), "|" + "---|" * len(cells)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _bold_if(is_best: bool, text: str) -> str:
    return f"**{text}**" if is_best else text


def _amount(limit: int | None) -> str:
    return "all" if limit is None else f"{limit:,}"


def _mean_and_deviation(values: Sequence[float]) -> str:
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
