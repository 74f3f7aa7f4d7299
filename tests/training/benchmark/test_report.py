"""Report and plot of benchmarks, from scores that the tests make."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnabert_hf.training.benchmark.paired_tests import BEST_OF_EACH, compare
from dnabert_hf.training.benchmark.report import CellResult, write_report
from dnabert_hf.training.benchmark.suite import Cell, DataEntry, ModelEntry, Suite

MACHINE = "a processor, 2 cores, torch 2, transformers 5"
MODELS = (
    ModelEntry("mini", "dnabert-6-mini", (1e-3, 2e-3), reinitialise_layers=3),
    ModelEntry("mini from random weights, which is a long name", "random", (1e-3, 2e-3)),
    *(ModelEntry(f"CNN {i}", "cnn") for i in range(3)),
    ModelEntry("5-mer|regression", "kmers"),
)
SKILL = (0.1, -0.1, 0.0, 0.02, -0.05, -0.2)  # what a model adds to the score of a data set


def make_suite(folder, n_data=16, **changes):
    """Make a suite of tables with ten sequences to train on, three to choose by, four to test."""
    data = {}
    for i in range(n_data):
        rows = ["ACGT\t0\ttrain"] * 10 + ["ACGT\t1\tdev"] * 3 + ["ACGT\t1\ttest"] * 4
        path = folder / f"{i}.tsv"
        path.write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
        name = f"data set {i} " + "with a name much longer than a line of the plot " * (i == 3)
        data[name.strip()] = DataEntry(path, labels=(i + 2,))
    settings = {"dev": 2, "test": 100} | changes
    return Suite("Sixteen sets", data, MODELS, **settings)


def make_results(suite, wins=12):
    """Make what every cell gave: the first model is best on `wins` data sets, CNN 1 elsewhere."""
    done, chosen = {}, []
    for number, (data, labels) in enumerate(suite.cases()):
        for model, skill in zip(suite.models, SKILL, strict=True):
            rates = model.learning_rates or (None,)
            gain = skill if skill < 0.1 or number < wins else 0.0
            for seed in suite.seeds:
                chosen.append(Cell(data, labels, model.name, rates[0], seed))
                score = 0.02 * number + 0.3 + gain + 0.01 * seed
                done[chosen[-1]] = CellResult(score, 30.0, MACHINE)
            for rate in rates[1:]:  # of the first seed, not chosen
                done[Cell(data, labels, model.name, rate, suite.seeds[0])] = CellResult(0.9, 60.0)
    return done, chosen


def write(suite, folder, *, wins=12, without=lambda cell: False, errors=None):
    done, chosen = make_results(suite, wins)
    done = {cell: result for cell, result in done.items() if not without(cell)}
    write_report(suite, done, chosen, folder, errors=errors or {})
    return (folder / "report.md").read_text()


def rows_of(report):
    lines = [line for line in report.splitlines() if line.startswith("| ")]
    cells = [line.strip("| ").replace(r"\|", "/").split(" | ") for line in lines]
    return {row[0]: row[1:] for row in cells}


def test_the_report_of_sixteen_data_sets_says_all(tmp_path, typed):
    typed("dnabert benchmark suite.yaml -o out")
    report = write(make_suite(tmp_path), tmp_path)
    rows = rows_of(report)
    assert report.startswith("# Sixteen sets\n\nTest MCC, mean ± standard deviation over 2 seeds;")
    # Seeds 0.01 apart: a deviation of 0.01 / sqrt(2).
    assert "| data set 1 | 3 | **0.425 ± 0.007** | 0.225 ± 0.007 | 0.325 ± 0.007 |" in report
    assert "| data set 15 | 17 | 0.605 ± 0.007 | 0.505 ± 0.007 | 0.605 ± 0.007 | **0.625" in report
    assert rows["mean of 16 data sets"][1] == "**0.530**"  # 0.455 and 0.1 in 12 of 16
    assert rows["best of 16 rows"][1:] == ["12", "0", "0", "4", "0", "0"]
    # Best baseline first, then all the others, then the best of each.
    assert "| mini against | better on | mean gain | p |\n|---|---|---|---|\n| CNN 1 |" in report
    assert rows["CNN 1"][0] == "cnn"  # the row of the second table: where it starts
    assert "| CNN 1 | 12 of 16 | +0.055 | " in report
    assert "| mini from random weights, which is a long name | 16 of 16 | +0.175 | " in report
    assert f"| *{BEST_OF_EACH}* | 12 of 16 | +0.055 | " in report
    # Learning rates, time, machine, versions, command, and how much of the data was used.
    assert rows["mini"] == ["dnabert-6-mini, top 3 layers re-initialised", "0.001: 16, 0.002: 0",
                            "40.0", "32.0"]  # fmt: skip
    assert rows["5-mer/regression"] == ["kmers", "-", "30.0", "16.0"]
    assert rows["data set 7"] == ["9 of 10", "2 of 3", "4 of 4", f"`{tmp_path / '7.tsv'}`"]
    assert "- command: `dnabert benchmark suite.yaml -o out`" in report
    assert f"- machine: {MACHINE}\n- versions when this was written: dnabert-hf " in report
    assert "- time: 96.0 minutes in the 192 cells above, one after another; 128.0 with" in report


def test_cells_that_are_missing_leave_the_rest_in_order(tmp_path):
    suite = make_suite(tmp_path)
    broken = [Cell("data set 2", 4, "CNN 1", None, seed) for seed in (0, 1)]
    (tmp_path / "5.tsv").unlink()
    report = write(
        suite, tmp_path, errors=dict.fromkeys(broken, "ValueError: no"),
        without=lambda c: c.model == "CNN 0" or (c.data, c.model) == ("data set 2", "CNN 1"),
    )  # fmt: skip
    rows = rows_of(report)
    assert rows["mean of 15 data sets that all have"][3] == "-"
    assert "| CNN 1 | 11 of 15 | " in report
    assert rows["data set 5"][:3] == ["-", "-", "-"]  # the table is gone, its cells count
    assert "| data set 5 | 7 | **0.505 ± 0.007** | " in report
    assert report.endswith(
        "\n## Cells that failed\n\n- ValueError: no (`cells/data-set-2/4/CNN-1/default/seed-0`, "
        "`cells/data-set-2/4/CNN-1/default/seed-1`)\n"
    )


def test_numbers_of_labels_of_a_data_set_are_one_pair_of_the_test(tmp_path):
    suite = make_suite(tmp_path)
    for name, entry in suite.data.items():
        suite.data[name] = DataEntry(entry.path, labels=(2, 5, None))
    report = write(suite, tmp_path, wins=48)
    assert "| CNN 1 | 16 of 16 | +0.080 | " in report
    assert rows_of(report)["best of 48 rows"][1] == "48"
    assert rows_of(report)["data set 0"][0] == "2, 5, 10 of 10"


def test_lower_scores_win_where_the_metric_is_an_error(tmp_path):
    report = write(make_suite(tmp_path, metric="rmse"), tmp_path)
    assert "| data set 1 | 3 | 0.425 ± 0.007 | " in report
    assert rows_of(report)["best of 16 rows"][-1] == "16"
    assert "| CNN 1 | 4 of 16 | -0.055 | " in report


def test_without_a_pretrained_model_the_best_is_compared(tmp_path):
    suite = make_suite(tmp_path)
    suite = Suite(suite.title, suite.data, suite.models[1:], (0,))
    done, chosen = {}, []
    for data, labels in suite.cases():
        for model, skill in zip(suite.models, SKILL[1:], strict=True):
            chosen.append(Cell(data, labels, model.name, None, 0))
            done[chosen[-1]] = CellResult(0.5 + skill)
    write_report(suite, done, chosen, tmp_path, errors={})
    report = (tmp_path / "report.md").read_text()
    assert report.splitlines()[2] == "Test MCC, one seed; the best of each row in bold."
    assert "| CNN 1 against | better on | mean gain | p |" in report
    assert "minutes" not in report.split("## How it was made")[1]
    write_report(suite, {}, chosen, tmp_path, errors={})
    assert "No data set has scores of two models yet." in (tmp_path / "report.md").read_text()


def test_comparisons_are_signed_rank_tests():
    # Differences of 0.1, -0.1, 0.3, 0.3, 0.4: the ranks of the negative ones sum to 1.5.
    scores = {"a": np.array([0.5, 0.4, 0.7, 0.8, 0.9]), "b": np.array([0.4, 0.5, 0.4, 0.5, 0.5])}
    (only,) = compare(scores, "a", ["b"])
    assert only[:3] == ("b", 4, 5)
    assert only.gain == pytest.approx(0.2)
    assert 0.0625 < only.p_value < 0.3  # above that of five differences of one sign, 2 / 2**5
    scores |= {"c": scores["a"], "d": scores["a"] - 1}
    same, each = compare(scores, "a", ["c"]), compare(scores, "a", ["d", "b"])
    assert (same[0].n_better, same[0].p_value) == (0, None)
    assert [comparison.other for comparison in each] == ["b", "d", BEST_OF_EACH]
    assert each[1].p_value == pytest.approx(2 / 2**5)


@pytest.mark.parametrize("labels", [(), (2, 5, None)], ids=["rows", "curves"])
@pytest.mark.parametrize("n_data", [1, 16])
def test_names_in_the_plot_do_not_overlap_and_lie_inside(tmp_path, monkeypatch, labels, n_data):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: figures.append(figure))
    suite = make_suite(tmp_path, n_data)
    for name, entry in suite.data.items() if labels else ():
        suite.data[name] = DataEntry(entry.path, labels=labels)
    write(suite, tmp_path)
    (figure,) = figures
    figure.draw_without_rendering()
    (legend,) = figure.legends
    texts = [*legend.get_texts(), *figure.axes[0].get_yticklabels()]
    texts += [panel.title for panel in figure.axes if panel.get_visible()]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    below = legend.get_window_extent()
    assert all(below.y1 <= panel.get_tightbbox().y0 for panel in figure.axes if panel.get_visible())
    if not labels:
        ticks = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
        assert len(ticks) == n_data + (n_data > 1)
        assert all(lower.y1 <= upper.y0 for upper, lower in pairwise(ticks))


def test_the_plot_is_a_picture(tmp_path):
    write(make_suite(tmp_path, 2), tmp_path)
    assert Path(tmp_path / "scores.png").read_bytes().startswith(b"\x89PNG")


def test_many_data_sets_are_told_by_their_distribution(tmp_path, monkeypatch):
    drawn = []

    draw = Axes.violinplot

    def violinplot(axes, values, *places, **options):
        drawn.append(list(values))
        return draw(axes, values, *places, **options)

    monkeypatch.setattr(Axes, "violinplot", violinplot)
    suite = make_suite(tmp_path, n_data=48)
    report = write(suite, tmp_path)
    section = report.partition("## Over 48 data sets")[2].partition("!")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in section.splitlines()]
    mini = next(row for row in rows if row[:1] == ["mini"])
    # The score of a set is 0.305 + 0.02 times its number, and 0.1 more on the first twelve.
    scores = [0.305 + 0.02 * i + 0.1 * (i < 12) for i in range(48)]
    expected = [np.mean(scores), *np.quantile(scores, [0, 0.25, 0.5, 0.75, 1])]
    assert mini[1:] == [f"{value:.3f}" for value in expected]
    assert len(drawn) == len(MODELS)
    assert drawn[0] == pytest.approx(scores)
