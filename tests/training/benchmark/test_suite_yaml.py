"""Benchmarks as YAML says them, those of the package among them."""

import logging
from pathlib import Path

import pytest
import yaml

from dnabert_hf.checkpoints import checkpoint
from dnabert_hf.data.reading.records import Columns
from dnabert_hf.training.benchmark.suite import Cell, DataEntry, ModelEntry
from dnabert_hf.training.benchmark.suite_yaml import packaged_suites, read_suite
from dnabert_hf.training.shared.initialisation import load_classifier_config
from dnabert_hf.training.tasks.presets import find_task

WHOLE = """
title: Binding
data:
  GABPA, 101 bp: gabpa.tsv
models:
  mini: {init: dnabert-6-mini, learning_rates: [3e-4, 0.001], arguments: {num_train_epochs: 2}}
  random: {init: random, config: {k: 4}}
  regression: {init: kmers, k: 4}
seeds: [3, 1]
labels: [100, all]
dev: 50
test: 70
metric: auroc
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "gabpa.tsv").write_text("sequence\tlabel\n")

    def write_suite(text):
        (tmp_path / "suite.yaml").write_text(text)
        return tmp_path / "suite.yaml"

    return write_suite


def test_every_field_is_read(write, tmp_path):
    suite = read_suite(write(WHOLE))
    assert suite.title == "Binding"
    assert suite.data == {"GABPA, 101 bp": DataEntry(tmp_path / "gabpa.tsv")}
    assert suite.models == (
        ModelEntry("mini", "dnabert-6-mini", (3e-4, 1e-3), {}, {"num_train_epochs": 2}),
        ModelEntry("random", "random", config={"k": 4}),
        ModelEntry("regression", "kmers", k=4),
    )
    assert (suite.seeds, suite.labels) == ((3, 1), (100, None))
    assert (suite.dev, suite.test, suite.metric) == (50, 70, "auroc")


def test_most_fields_have_defaults_and_paths_may_begin_elsewhere(write, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.tsv").write_text("")
    path = write("data: {a: x.tsv}\nmodels: {CNN: {init: cnn}}\n")
    suite = read_suite(path, data_folder=tmp_path / "elsewhere")
    assert suite.data["a"].path == tmp_path / "elsewhere" / "x.tsv"
    assert (suite.seeds, suite.labels, suite.dev, suite.metric) == ((0, 1), (None,), None, "mcc")


def test_a_cell_has_a_folder_of_its_own():
    cell = Cell("GABPA, 101 bp", None, "CNN + GRU", 3e-4, 7)
    assert cell.folder() == Path("cells/GABPA-101-bp/all/CNN-GRU/0.0003/seed-7")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("title: Binding", "titel: Binding", "titel"),
        (WHOLE, "- a list", "must hold fields such as data and models"),
        (WHOLE, "a: [", "must be a readable YAML file"),
        (WHOLE, "data: {}\nmodels: {}", r"data must be a mapping with an entry for each, found \{"),
        (
            "gabpa.tsv",
            "none.tsv",
            r"'GABPA, 101 bp' must be a file or folder, found none at .*--da",
        ),
        ("init: kmers, k: 4", "k: 4", r"'regression' must say where it starts"),
        ("init: kmers, k: 4", "init: kmers, n: 4", r"fields of the model 'regression'"),
        ("[3e-4, 0.001]", "[fast]", r"learning rates of 'mini' must be numbers above 0, found"),
        ("[3e-4, 0.001]", "[-1]", r"must be numbers above 0, found \[-1\]"),
        ("seeds: [3, 1]", "seeds: []", r"seeds must be whole numbers from 0 on, found \[\]"),
        ("labels: [100, all]", "labels: [1]", r"labels must be whole numbers from 2 on, found \[1"),
        ("dev: 50", "dev: some", r"dev must be whole numbers from 2 on, found \['some'\]"),
        ("k: 4}\nseeds", "k: x}\nseeds", r"k of 'regression' must be whole numbers from 1 on"),
        ("random: {init", "'mini!': {init", r"names must differ in their letters and digits"),
        ("random: {init", "mini: {init", r"suite.yaml, line \d+: 'mini' is there twice"),
        ("metric: auroc", "metric: auc", r"metrics of .* known by name, got 'auc'; .* auroc"),
        ("k: 4}\nseeds", "task: prom}\nseeds", "tasks must be known by name, got 'prom'"),
        (": gabpa.tsv", ": {file: gabpa.tsv}", r"fields of the data set .* got 'file'"),
        (
            ": gabpa.tsv",
            ": {task: tf}",
            "must have a path, or files of train and test, or name",
        ),
        (": gabpa.tsv", ": {path: gabpa.tsv, task: ft}", "tasks must be known by name, got 'ft'"),
        (": gabpa.tsv", ": {path: gabpa.tsv, labels: [few]}", "labels must be whole numbers"),
        (": gabpa.tsv", ": {path: gabpa.tsv, columns: {dna: x}}", "columns of .* got 'dna'"),
        (": gabpa.tsv", ": {path: none, optional: true}", "at least one data set must be there"),
    ],
)
def test_a_mistake_is_named(write, before, after, message):
    assert before in WHOLE
    with pytest.raises(ValueError, match=message):
        read_suite(write(WHOLE.replace(before, after)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"none\.yaml must be a readable YAML file: .*No such file"
    ):
        read_suite(tmp_path / "none.yaml")


def test_a_data_set_may_say_more_than_where_it_lies(write, tmp_path):
    entry = "{path: gabpa, task: tf, labels: [30, all], columns: {label: bound}}"
    suite = read_suite(write(WHOLE.replace(": gabpa.tsv", f": {entry}\n  other: gabpa.tsv")))
    first = DataEntry(tmp_path / "gabpa.tsv", {}, Columns(label="bound"), "tf", (30, None))
    assert suite.data["GABPA, 101 bp"] == first
    cases = [("GABPA, 101 bp", 30), ("GABPA, 101 bp", None), ("other", 100), ("other", None)]
    assert suite.cases() == cases


def test_a_task_of_ones_own_lies_beside_the_suite(write, tmp_path):
    (tmp_path / "open.yaml").write_text("length: 80\n")
    entry = ": {path: gabpa.tsv, task: open.yaml}"
    suite = read_suite(write(WHOLE.replace(": gabpa.tsv", entry)))
    task = suite.data["GABPA, 101 bp"].task
    assert task == str(tmp_path / "open.yaml")
    assert find_task(task).length == 80


def test_what_load_dataset_loads_is_passed_on(write, tmp_path):
    entry = "{load_dataset: csv, config: c, data_files: {train: gabpa.tsv, test: [far.csv]}}"
    suite = read_suite(write(WHOLE.replace(": gabpa.tsv", f": {entry}")))
    files = {"train": str(tmp_path / "gabpa.tsv"), "test": ["far.csv"]}
    load = {"path": "csv", "name": "c", "data_files": files}
    assert suite.data["GABPA, 101 bp"] == DataEntry(None, load)
    assert suite.data["GABPA, 101 bp"].source == "csv"


@pytest.fixture
def gue(tmp_path):
    folder = tmp_path / "GUE"
    for name in ("EMP/H3", "EMP/H4", "tf/0"):
        (folder / name).mkdir(parents=True)
        for split in ("train", "dev", "test"):
            (folder / name / f"{split}.csv").write_text("sequence,label\nACGT,0\n")
    return folder


def test_a_folder_of_data_sets_stands_for_all_of_them(gue):
    suite = read_suite("gue", data_folder=gue)
    expected = {name: gue / name for name in ("EMP/H3", "EMP/H4", "tf/0")}
    assert {name: entry.path for name, entry in suite.data.items()} == expected
    alone = read_suite("gue", data_folder=gue / "EMP" / "H3")
    assert {name: entry.path for name, entry in alone.data.items()} == {"GUE": gue / "EMP" / "H3"}


def test_data_of_the_paper_that_are_not_there_are_left_out(tmp_path, caplog):
    (tmp_path / "prom-core.csv").write_text("sequence,label\n")
    (tmp_path / "tf").mkdir()
    for name in ("CTCF.tsv", "GABPA.tsv"):
        (tmp_path / "tf" / name).write_text("sequence\tlabel\n")
    with caplog.at_level(logging.WARNING):
        suite = read_suite("paper", data_folder=tmp_path)
    assert {name: entry.task for name, entry in suite.data.items()} == {
        "core promoters": "prom-core",
        "CTCF": "tf",
        "GABPA": "tf",
    }
    assert "not there are left out: promoters, splice sites" in caplog.text


LABELLED_SETS = Path(__file__).parents[3] / "benchmarks" / "labelled_sets.yaml"


@pytest.mark.parametrize("path", [*packaged_suites().values(), LABELLED_SETS], ids=lambda p: p.stem)
def test_a_checkpoint_is_compared_with_its_like_from_random_weights(path):
    models = yaml.safe_load(path.read_text())["models"].values()
    random = next(model for model in models if model["init"] == "random")
    pretrained = load_classifier_config(checkpoint("dnabert-6-mini"), {}).to_dict()
    fields = load_classifier_config("random", random["config"]).to_dict()
    assert {name for name, value in fields.items() if pretrained[name] != value} <= {
        *("architectures", "auto_map", "dtype", "transformers_version", "use_cache"),
        "initializer_range",  # BERT's 0.02: with the 0.05 of pretraining, few labels teach nothing
    }
    assert {"dnabert-6-mini", "cnn", "kmers"} < {model["init"] for model in models}


def test_a_suite_of_the_package_wants_data_and_others_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"the suite gue runs on your data: .*--data FOLDER"):
        read_suite("gue")
    with pytest.raises(ValueError, match="must lie in a folder, found none at"):
        read_suite("gue", data_folder=tmp_path / "none")
    with pytest.raises(ValueError, match=r"a YAML file or one of gue, labels, paper, .* got 'geu'"):
        read_suite("geu", data_folder=tmp_path)


def test_two_data_sets_of_one_name_are_refused(write, gue):
    text = WHOLE.replace("GABPA, 101 bp: gabpa.tsv", "one: GUE\n  two: GUE")
    with pytest.raises(ValueError, match="two data sets are called 'EMP/H3'; rename one"):
        read_suite(write(text))
