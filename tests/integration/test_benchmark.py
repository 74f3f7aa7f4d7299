"""`dnabert benchmark`, with tiny models on simulated data."""

import csv
import json
import logging
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dnabert_hf import DNABertModel
from dnabert_hf.cli.main import app
from dnabert_hf.data.building.simulation import simulate_binding
from dnabert_hf.training.benchmark import run
from dnabert_hf.training.benchmark.data import write_subset
from dnabert_hf.training.benchmark.run import benchmark
from dnabert_hf.training.benchmark.suite import Cell
from dnabert_hf.training.benchmark.suite_yaml import read_suite

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


def failures(report):
    """The error of each cell that failed, by its folder."""
    section = report.partition("## Cells that failed")[2]
    lines = [line[2:].rsplit(" (`", 1) for line in section.splitlines() if line.startswith("- ")]
    return {cell.strip("`"): error for error, cells in lines for cell in cells[:-1].split(", ")}


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
    assert "against | better on | mean gain | p |" in result.stdout
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
    # All that is needed to make it again is said.
    assert "- command: `dnabert benchmark suite.yaml -o out`" in result.stdout
    assert f"cores, torch {torch.__version__}, transformers " in result.stdout
    assert "| one | 40 of 60 | 20 of 30 | 30 of 40 | `one.tsv` |" in result.stdout
    assert "minutes in the 8 cells above" in result.stdout
    assert all(float(row["seconds"]) > 0 for row in table)
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


def test_a_cell_that_fails_is_reported_and_tried_again(folder, caplog):
    good = (folder / "two.tsv").read_text()
    (folder / "two.tsv").write_text(re.sub(r"\t\w+\tdev", "\t1\tdev", good))
    suite = read_suite(folder / "suite.yaml")
    with caplog.at_level(logging.INFO):
        scores = benchmark(suite, folder / "out")
    done = {(cell.data, cell.model) for cell in scores}
    assert done == {("one", "tiny"), ("one", "regression"), ("two", "regression")}
    failed = [message.partition(": ")[2] for message in caplog.messages if "failed:" in message]
    assert len(failed) == len(set(failed)) == 3  # none twice: two rates; the next seed
    report = (folder / "out" / "report.md").read_text()
    (line,) = (line for line in report.splitlines() if line.startswith("- ValueError:"))
    assert "the validation split must hold different labels" in line
    assert "`cells/two/40/tiny/0.001/seed-0`" in line
    assert line.count("`cells/") == 3
    (folder / "two.tsv").write_text(good)
    scores = benchmark(suite, folder / "out")
    assert len({(cell.data, cell.model) for cell in scores}) == 4
    assert "failed" not in (folder / "out" / "report.md").read_text()


KNOWN_BY_CONTENT = """
title: Small
data: {one: one.tsv, two: two.tsv}
models:
  tiny: {init: start, arguments: {max_steps: 1, bf16: false}}
  regression: {init: kmers, k: 3}
seeds: [0]
"""


def test_cells_are_run_again_where_data_or_weights_are_others_and_nowhere_else(
    folder, tiny_config, caplog, monkeypatch
):
    monkeypatch.setattr(run, "write_report", lambda *_, **__: None)  # its picture takes longest
    DNABertModel(tiny_config).save_pretrained(folder / "start")
    (folder / "suite.yaml").write_text(KNOWN_BY_CONTENT)
    suite, out = read_suite(folder / "suite.yaml"), folder / "out"
    first = benchmark(suite, out)
    cells = {path.relative_to(out / "cells").parts[:3:2]: path
             for path in out.glob("cells/*/all/*/default/seed-0/metrics.json")}  # fmt: skip
    assert len(cells) == 4

    def run_again():
        before = {name: path.stat().st_mtime_ns for name, path in cells.items()}
        caplog.clear()
        scores = benchmark(suite, out)
        changed = {name for name, path in cells.items() if path.stat().st_mtime_ns != before[name]}
        return scores, changed

    assert run_again() == (first, set())
    assert not caplog.messages
    whole = (folder / "one.tsv").read_text()
    (folder / "one.tsv").write_text(re.sub(r"\t1\ttrain", "\t0\ttrain", whole, count=9))
    scores, changed = run_again()
    assert changed == {("one", "tiny"), ("one", "regression")}
    assert caplog.messages[0].startswith(
        "2 cells are run again, as there are others since: the rows of one; stop, and put back"
    )
    only_one = replace(suite, data={"one": suite.data["one"]})
    assert benchmark(only_one, folder / "afresh").items() <= scores.items()
    DNABertModel(tiny_config).save_pretrained(folder / "start")  # weights drawn anew
    scores, changed = run_again()
    assert changed == {("one", "tiny"), ("two", "tiny")}
    (folder / "one.tsv").unlink()  # what is done counts
    assert run_again() == (scores, set())


def test_data_that_nothing_can_be_compared_on_are_refused_before_the_first_cell(folder):
    for name in ("one", "two"):
        text = (folder / f"{name}.tsv").read_text()
        (folder / f"{name}.tsv").write_text(text.replace("\ttest", "\ttrain"))
    suite = read_suite(folder / "suite.yaml")
    with pytest.raises(
        ValueError, match=r"one\.tsv has no test split; .*two\.tsv has no test split"
    ):
        benchmark(suite, folder / "out")
    assert not (folder / "out").exists()


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_several_numbers_of_labels_make_curves(folder, processes):
    path = folder / "curves.yaml"
    text = SUITE.replace("LABELS", "[20, all]").replace("seeds: [0, 1]", "seeds: [0]")
    path.write_text(text.replace("[1e-3, 1e-2]", "1e-2"))
    scores = benchmark(read_suite(path), folder / "out", processes=processes)
    assert {cell.labels for cell in scores} == {20, None}
    assert len(scores) == 8
    assert "| two | all | " in (folder / "out" / "report.md").read_text()


def test_numbers_of_labels_that_are_not_there_are_left_out_and_it_is_said(folder, caplog):
    path = folder / "curves.yaml"
    text = SUITE.replace("one: one.tsv", "one: {path: one.tsv, labels: [20, 60, 300]}")
    text = text.replace("LABELS", "[20, 100, all]").replace("seeds: [0, 1]", "seeds: [0]")
    tiny = text[text.index("  tiny:") : text.index("  regression:")]
    path.write_text(text.replace(tiny, ""))
    scores = benchmark(read_suite(path), folder / "out")
    cases = [("one", 20), ("one", 60), ("two", 20), ("two", None)]
    assert [(cell.data, cell.labels) for cell in scores] == cases
    rest = "60 sequences to train on: %s labels are left out, %s being all there are"
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warnings == [f"one has {rest % (300, 60)}", f"two has {rest % (100, 'all')}"]
    report = (folder / "out" / "report.md").read_text()
    assert "| one | 20, 60 of 60 | " in report
    assert "| one | 300 | " not in report


def test_a_folder_of_something_else_is_refused(folder):
    suite = read_suite(folder / "suite.yaml")
    (folder / "out").mkdir()
    (folder / "out" / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="must be empty or a benchmark's, found files"):
        benchmark(suite, folder / "out")
    (folder / "out" / "notes.txt").unlink()
    text = (folder / "suite.yaml").read_text()
    (folder / "suite.yaml").write_text(
        text.replace("  tiny:", "  other: {init: kmers, k: 2}\n  tiny:")
    )
    benchmark(read_suite(folder / "suite.yaml"), folder / "out")
    for field, changed in (("k: 3}", "k: 4}"), ("k: 3}", "k: 3, reinitialise_layers: 1}")):
        (folder / "suite.yaml").write_text(text.replace(field, changed))
        with pytest.raises(ValueError, match="must go on with the models it began with, found"):
            benchmark(read_suite(folder / "suite.yaml"), folder / "out")


def test_data_without_a_validation_split_give_the_regression_a_score(folder):
    good = (folder / "one.tsv").read_text()
    (folder / "one.tsv").write_text(good.replace("\tdev", "\ttrain"))
    suite = read_suite(folder / "suite.yaml")
    scores = benchmark(suite, folder / "out")
    assert {(cell.data, cell.model) for cell in scores} == {
        (data, model) for data in ("one", "two") for model in ("tiny", "regression")
    }


def test_a_metric_that_the_test_split_leaves_undefined_is_reported(folder):
    content = [line.split("\t") for line in (folder / "one.tsv").read_text().splitlines()]
    content = [[s, "1" if split == "test" else label, split] for s, label, split in content]
    (folder / "one.tsv").write_text("\n".join("\t".join(row) for row in content) + "\n")
    text = (folder / "suite.yaml").read_text() + "metric: auroc\n"
    tiny = text[text.index("  tiny:") : text.index("  regression:")]
    (folder / "suite.yaml").write_text(text.replace(tiny, ""))
    scores = benchmark(read_suite(folder / "suite.yaml"), folder / "out")
    assert {cell.data for cell in scores} == {"two"}
    report = (folder / "out" / "report.md").read_text()
    failed = failures(report)
    assert (
        failed["cells/one/40/regression/default/seed-0"] == "the test split leaves auroc undefined"
    )
    assert "| one | 40 | - |" in report


def test_models_and_data_that_were_left_out_are_still_known(folder):
    text = (folder / "suite.yaml").read_text().replace("seeds: [0, 1]", "seeds: [0]")
    text = text.replace("[1e-3, 1e-2]", "1e-2")
    without = text.replace("  regression: {init: kmers, k: 3}\n", "").replace(", two: two.tsv", "")
    changed = text.replace("kmers, k: 3", "kmers, k: 2")
    for content in (text, without):
        (folder / "suite.yaml").write_text(content)
        benchmark(read_suite(folder / "suite.yaml"), folder / "out")
    (folder / "suite.yaml").write_text(changed)
    with pytest.raises(ValueError, match="must go on with the models it began with, found"):
        benchmark(read_suite(folder / "suite.yaml"), folder / "out")
    (folder / "suite.yaml").write_text(text)
    assert len(benchmark(read_suite(folder / "suite.yaml"), folder / "out")) == 4


def test_two_processes_may_draw_the_same_sequences_at_once(folder, monkeypatch):
    suite = read_suite(folder / "suite.yaml")
    cells = [Cell("one", 40, "tiny", rate, 0) for rate in (1e-3, 1e-2)]
    both_wrote, replace = threading.Barrier(2, timeout=20), Path.replace

    def replace_together(path, target):
        both_wrote.wait()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replace_together)
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda cell: write_subset(suite, cell, folder / "out"), cells))
    assert paths[0] == paths[1]
    assert len(rows(paths[0])) == 40 + 20 + 30
    assert list(paths[0].parent.iterdir()) == [paths[0]]


def test_a_task_is_checked_in_every_cell_and_chooses_by_its_data(folder):
    text = (folder / "suite.yaml").read_text().replace("one: one.tsv", "one: {path: one, task: tf}")
    text = text.replace("two: two.tsv", "two: {path: two, task: splice, labels: [20, 30]}")
    (folder / "suite.yaml").write_text(text)
    scores = benchmark(read_suite(folder / "suite.yaml"), folder / "out")
    assert {cell.data for cell in scores} == {"one"}
    report = json.loads((folder / "out/cells/one/40/tiny/0.01/seed-0/metrics.json").read_text())
    assert report["task"] == "tf"
    failed = failures((folder / "out" / "report.md").read_text())
    for cell in ("two/20/tiny/0.001/seed-0", "two/30/regression/default/seed-1"):
        wrong = "ValueError: the task splice has the labels 'acceptor', 'donor'"
        assert failed[f"cells/{cell}"].startswith(wrong)


def test_a_model_of_the_wrong_kind_fails_alone(folder):
    text = (folder / "suite.yaml").read_text()
    wrong = "  wrong: {init: cnn, arguments: {num_train_epochs: many}}\n  none: {init: no/such}\n"
    (folder / "suite.yaml").write_text(text.replace("  regression:", f"{wrong}  regression:"))
    scores = benchmark(read_suite(folder / "suite.yaml"), folder / "out")
    assert {cell.model for cell in scores} == {"tiny", "regression"}
    report = (folder / "out" / "report.md").read_text()
    failed = failures(report)
    assert failed["cells/one/40/wrong/default/seed-0"].startswith("TypeError")
    assert failed["cells/one/40/none/default/seed-0"].startswith("ValueError: no/such")
    assert "against | better on |" in report  # of those that have scores


def test_what_load_dataset_loads_and_folders_of_gue_are_data(folder, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
    for split, name in (("train", "train"), ("dev", "validation"), ("test", "test")):
        these = [row for row in rows(folder / "one.tsv") if row["split"] == split]
        columns = {key: [row[key] for row in these] for key in ("sequence", "label")}
        (folder / "loaded").mkdir(exist_ok=True)
        datasets.Dataset.from_dict(columns).to_parquet(folder / "loaded" / f"{name}.parquet")
        (folder / "GUE/EMP/H3").mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(columns).to_csv(folder / f"GUE/EMP/H3/{split}.csv")
    text = (folder / "suite.yaml").read_text()
    text = text.replace("two: two.tsv", "all of GUE: GUE, loaded: {load_dataset: loaded}")
    tiny = text[text.index("  tiny:") : text.index("  regression:")]
    (folder / "suite.yaml").write_text(text.replace(tiny, ""))
    scores = benchmark(read_suite(folder / "suite.yaml"), folder / "out")
    by_data = {}
    for cell, score in scores.items():
        by_data.setdefault(cell.data, []).append(score)
    assert by_data == dict.fromkeys(("one", "EMP/H3", "loaded"), by_data["one"])


def test_a_benchmark_that_was_stopped_goes_on(folder):
    text = (folder / "suite.yaml").read_text().replace("max_steps: 2", "max_steps: 100")
    text = text.replace("[1e-3, 1e-2]", "1e-3").replace("seeds: [0, 1]", "seeds: [0]")
    regression = "  regression: {init: kmers, k: 3}\n"
    text = text.replace(regression, "").replace("models:\n", f"models:\n{regression}")
    (folder / "suite.yaml").write_text(text)
    dnabert = Path(sys.executable).with_name("dnabert")
    command = [dnabert, "benchmark", "suite.yaml", "-o", "out"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    running = folder / "out/cells/one/40/tiny/0.001/seed-0/checkpoints"
    deadline = time.monotonic() + 300
    while not list(running.glob("checkpoint-*")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=100)
    except subprocess.TimeoutExpired:  # a library may drop a Ctrl-C that comes while it loads
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    found = re.fullmatch(
        r"dnabert benchmark: stopped after ([123]) of 4 cells; give the same again to go on",
        errors.splitlines()[-1],
    )
    assert found
    done = {
        path: path.stat().st_mtime_ns for path in (folder / "out" / "cells").rglob("metrics.json")
    }
    assert len(done) == int(found[1])
    assert len(benchmark(read_suite("suite.yaml"), "out")) == 4
    assert all(path.stat().st_mtime_ns == written for path, written in done.items())
