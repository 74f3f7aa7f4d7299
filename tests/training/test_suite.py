from pathlib import Path

import pytest

from dnabert_hf.training.suite import Cell, ModelEntry, read_suite

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
    assert suite.data == {"GABPA, 101 bp": tmp_path / "gabpa.tsv"}
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
    assert suite.data["a"] == tmp_path / "elsewhere" / "x.tsv"
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
