"""`dnabert benchmark`, with tiny models on simulated data."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app
from dnabert_hf.data.simulation import simulate_binding
from dnabert_hf.training.benchmark_report import compare_with_best
from dnabert_hf.training.benchmarking import benchmark
from dnabert_hf.training.suite import read_suite

SUITE = """
title: Small
data: {one: one.tsv, two: two.tsv}
models:
  tiny:
    init: random
    learning_rates: [1e-3, 1e-2]
    config: {k: 3, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2,
             intermediate_size: 16}
    arguments: {max_steps: 2, bf16: false}
  regression: {init: kmers, k: 3}
seeds: [0, 1]
labels: LABELS
dev: 20
test: 30
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    splits = ["train"] * 60 + ["dev"] * 30 + ["test"] * 40
    for number, name in enumerate(("one", "two")):
        records = simulate_binding(130, np.random.default_rng(number), length=40)
        rows = [
            f"{r.sequence}\t{int(r.is_bound)}\t{s}" for r, s in zip(records, splits, strict=True)
        ]
        (tmp_path / f"{name}.tsv").write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
    (tmp_path / "suite.yaml").write_text(SUITE.replace("LABELS", "[40]"))
    return tmp_path


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_cells_report_and_plot_are_made_and_made_once(folder):
    result = CliRunner().invoke(app, ["benchmark", "suite.yaml", "-o", "out"])
    assert result.exit_code == 0, result.output
    out = folder / "out"
    table = rows(out / "scores.tsv")
    assert len(table) == 8  # two data sets, two models, two seeds
    assert {row["labels"] for row in table} == {"40"}
    by_model = {row["model"]: row["learning_rate"] for row in table}
    assert by_model["regression"] == ""
    assert by_model["tiny"] in ("0.001", "0.01")
    assert result.stdout == (out / "report.md").read_text()
    assert "| one | 40 | " in result.stdout
    assert "too few for a test" in result.stdout
    assert (out / "scores.png").read_bytes().startswith(b"\x89PNG")
    # All models of a data set and seed learn from the same 40 sequences; the test is one for all.
    subsets = sorted(path.name for path in (out / "data").iterdir())
    assert subsets == [f"{d}-40-seed-{s}.tsv" for d in ("one", "two") for s in (0, 1)]
    tests = [
        [row["sequence"] for row in rows(out / "data" / f"one-40-seed-{seed}.tsv")
         if row["split"] == "test"] for seed in (0, 1)
    ]  # fmt: skip
    assert tests[0] == tests[1]
    assert len(tests[0]) == 30
    # Three trainings of tiny a data set: two rates with the first seed, the better one again.
    cells = sorted((out / "cells").rglob("metrics.json"))
    assert len(cells) == 2 * (3 + 2)
    times = [path.stat().st_mtime_ns for path in cells]
    again = CliRunner().invoke(app, ["benchmark", "suite.yaml", "-o", "out"])
    assert again.stdout == result.stdout
    assert [path.stat().st_mtime_ns for path in cells] == times


def test_the_rate_with_the_better_validation_score_is_taken(folder):
    suite = read_suite(folder / "suite.yaml")
    benchmark(suite, folder / "out")
    for data in ("one", "two"):
        scores = {}
        for rate in ("0.001", "0.01"):
            path = folder / f"out/cells/{data}/40/tiny/{rate}/seed-0/metrics.json"
            scores[rate] = json.loads(path.read_text())["scores"]["validation"]["mcc"]
        taken = {row["learning_rate"] for row in rows(folder / "out" / "scores.tsv")
                 if (row["data"], row["model"]) == (data, "tiny")}  # fmt: skip
        assert [scores[rate] for rate in taken] == [max(scores.values())]


def test_a_cell_that_fails_is_reported_and_tried_again(folder):
    good = (folder / "two.tsv").read_text()
    (folder / "two.tsv").write_text(good.replace("\ttest", "\ttrain"))
    suite = read_suite(folder / "suite.yaml")
    scores = benchmark(suite, folder / "out")
    assert {cell.data for cell in scores} == {"one"}
    report = (folder / "out" / "report.md").read_text()
    assert "cells/two/40/regression/default/seed-0: ValueError:" in report
    assert "must have a test split to be compared on" in report
    (folder / "two.tsv").write_text(good)
    scores = benchmark(suite, folder / "out")
    assert {cell.data for cell in scores} == {"one", "two"}
    assert "failed" not in (folder / "out" / "report.md").read_text()


def test_several_numbers_of_labels_make_curves(folder):
    path = folder / "curves.yaml"
    text = SUITE.replace("LABELS", "[20, all]").replace("seeds: [0, 1]", "seeds: [0]")
    path.write_text(text.replace("[1e-3, 1e-2]", "1e-2"))
    scores = benchmark(read_suite(path), folder / "out", processes=2)
    assert {cell.labels for cell in scores} == {20, None}
    assert len(scores) == 8
    assert "| two | all | " in (folder / "out" / "report.md").read_text()


def test_a_folder_of_something_else_is_refused(folder):
    suite = read_suite(folder / "suite.yaml")
    (folder / "out").mkdir()
    (folder / "out" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="must be empty or a benchmark's, found files"):
        benchmark(suite, folder / "out")
    (folder / "out" / "notes.txt").unlink()
    text = (folder / "suite.yaml").read_text()
    (folder / "suite.yaml").write_text(text.replace("  tiny:", "  other: {init: cnn}\n  tiny:"))
    benchmark(read_suite(folder / "suite.yaml"), folder / "out")
    (folder / "suite.yaml").write_text(text.replace("k: 3}", "k: 4}"))
    with pytest.raises(ValueError, match="must go on with the models it began with, found"):
        benchmark(read_suite(folder / "suite.yaml"), folder / "out")


def test_the_best_model_is_tested_against_each_other_one():
    a = [0.5, 0.6, 0.7, 0.8, 0.9, None]
    b = [0.4, 0.4, 0.4, 0.4, 0.4, 0.1]
    lines = compare_with_best({"a": a, "b": b, "c": a})
    # Five differences of one sign: p = 2 / 2**5.
    assert lines == ["Best mean: a. It beats b on 5 of 5 (p = 0.062), c on 0 of 5 (no difference)."]
    assert compare_with_best({"a": [None], "b": [0.5]}) == [
        "No data set has scores of two models yet."
    ]
