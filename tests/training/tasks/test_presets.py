"""The presets: data that their own commands make fit them, other data are refused."""

import logging
import random
import shlex

import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app
from dnabert_hf.data.building.labelled_windows import Splitting
from dnabert_hf.data.genome.annotation import read_start_sites, read_transcripts
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.genome.intervals import read_bed
from dnabert_hf.data.labelled.dataset import read_dataset
from dnabert_hf.data.labelled.splits import with_lengths
from dnabert_hf.training.tasks.presets import TASKS, Task, find_task

DNA = "".join(random.Random(3).choices("ACGT", k=60_000))
LOGGER = "dnabert_hf.training.tasks.task"


@pytest.fixture
def genome(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    (tmp_path / "genome.fa").write_text(f">chr1\n{DNA[:40_000]}\n>chr2\n{DNA[40_000:]}\n")
    starts = [("chr1", s) for s in range(1000, 20_000, 1000)]
    (tmp_path / "sites.bed").write_text("".join(f"{c}\t{s}\t{s + 1}\t.\t0\t+\n" for c, s in starts))
    exon = "{0}\tx\texon\t{1}\t{2}\t.\t+\t.\ttranscript_id {0}-{3}\n"
    lines = (exon.format(c, s - 99, s, s) + exon.format(c, s + 200, s + 300, s) for c, s in starts)
    (tmp_path / "genes.gtf").write_text("".join(lines))
    return open_genome(tmp_path / "genome.fa")


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.builder])
def test_the_command_of_a_task_makes_data_that_fit_it(genome, name, caplog):
    task = TASKS[name]
    files = {"STARTS": "sites.bed", "PEAKS": "sites.bed", "GENES": "genes.gtf"}
    files |= {"REGIONS": "sites.bed"}
    files |= {"GENOME": "genome.fa", "DATA.tsv": "data.tsv", "dnabert": None}
    words = [files.get(word, word) for word in shlex.split(task.command())]
    result = CliRunner().invoke(app, [word for word in words if word])
    assert result.exit_code == 0, result.output
    splits, scheme = read_dataset("data.tsv", problem_type=task.problem_type)
    splits, _ = with_lengths(splits)
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger=LOGGER):
        task.check(splits, scheme)
    assert caplog.text == ""
    assert scheme.names == (task.labels or ("0", "1"))
    assert set(splits["train"]["length"]) == {task.length or 500}
    readers = {"promoters": read_start_sites, "peaks": read_bed, "splice": read_transcripts}
    readers["bases"] = read_bed
    places = readers[task.builder](files[{"splice": "GENES"}.get(task.builder, "PEAKS")])
    built = task.build(genome, places, splitting=Splitting(seed=42))
    rows = [row for dataset in splits.values() for row in dataset["sequence"]]
    assert sorted(example.sequence for example in built.examples) == sorted(rows)


def table(tmp_path, sequences, labels, second=None):
    header = ["sequence", "label", *(["sequence_b"] if second else [])]
    columns = [sequences, labels, *([second] if second else [])]
    lines = ["\t".join(cells) for cells in [header, *zip(*columns, strict=True)]]
    path = tmp_path / "data.tsv"
    path.write_text("\n".join(lines) + "\n")
    splits, scheme = read_dataset(path)
    return with_lengths(splits)[0], scheme


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            ["a", "b"],
            r"prom-core has the labels 'other', 'promoter' \(or '0', '1' in their place\)",
        ),
        (["a", "b"], r"found 'a', 'b' in the data; rename the labels, or choose another task"),
        (["other", "promoter", "tata"], "found 'other', 'promoter', 'tata' in the data"),
        (["0.5", "1"], "found 'regression' in the data"),
        (["1", "2"], "found '1', '2' in the data"),
    ],
)
def test_labels_that_do_not_match_are_named_beside_those_of_the_task(tmp_path, labels, message):
    data = table(tmp_path, ["ACGT" * 18] * len(labels), labels)
    with pytest.raises(ValueError, match=message):
        find_task("prom-core").check(*data)


def test_other_lengths_are_counted_in_a_warning(tmp_path, caplog):
    data = table(tmp_path, ["A" * 70, "C" * 60, "G" * 71], ["0", "1", "0"])
    with caplog.at_level(logging.WARNING, logger=LOGGER):
        find_task("prom-core").check(*data)
    assert "70 bases, but 2 of 3 sequences are of another length, from 60 to 71" in caplog.text


def test_pairs_and_single_sequences_are_told_apart(tmp_path):
    single = table(tmp_path, ["ACGT", "CCCC"], ["0", "1"])
    with pytest.raises(ValueError, match=r"pair takes pairs, found single sequences .* sequence_b"):
        find_task("pair").check(*single)
    pairs = table(tmp_path, ["ACGT", "CCCC"], ["0", "1"], second=["AAAA", "TTTT"])
    with pytest.raises(ValueError, match="tf takes single sequences, found pairs"):
        find_task("tf").check(*pairs)
    find_task("pair").check(*pairs)
    for data in (single, pairs):
        find_task("generic").check(*data)


def test_a_recipe_belongs_to_a_kind_of_start():
    task = Task("mine", recipes={"pretrained": {"weight_decay": 0.1}, "cnn": {"seed": 3}})
    assert task.recipe_for("dnabert-6-mini") == {"weight_decay": 0.1}
    assert task.recipe_for("cnn-gru") == {"seed": 3}
    assert task.recipe_for("random") == {}
    scan = find_task("prom-scan").recipe_for("random")
    sequences = scan["per_device_train_batch_size"] * scan["gradient_accumulation_steps"]
    assert sequences == 32  # as in the recipe, in parts


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metric": "mmc"}, "metrics of the task mine must be known by name, got 'mmc'; .* mcc"),
        ({"metrics": ("auc",)}, "got 'auc'"),
        ({"recipes": {"scratch": {}}}, "recipes of the task mine must be known by name"),
        ({"builder": "genes"}, "builders of the task mine must be known by name, got 'genes'"),
        ({"labels": ("b", "a")}, "labels of the task mine must be in alphabetical order"),
        ({"problem_type": "classes"}, "problem types of the task mine must be known by name"),
        ({"length": 0}, "must be of 1 or more bases, got 0"),
        ({"builder_options": {"length": 9}}, "builder options of the task mine .* got 'length'"),
        ({"builder": "peaks", "builder_options": {"upstream": 9}}, "got 'upstream'"),
    ],
)
def test_a_task_that_cannot_work_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Task("mine", **fields)


MINE = """\
summary: active regions, 80 bases around the summits of ATAC-seq
length: 80
labels: [other, peak]
metrics: [auroc, mcc]
metric: auroc
recipes: {random: {learning_rate: 2e-3, num_train_epochs: 1}}
builder: peaks
builder_options: {length: 80, negatives: dinucleotides}
"""


def test_a_task_of_ones_own_is_a_file_of_a_few_lines(tmp_path):
    (tmp_path / "open.yaml").write_text(MINE)
    assert find_task(str(tmp_path / "open.yaml")) == Task(
        "open",
        "active regions, 80 bases around the summits of ATAC-seq",
        length=80,
        labels=("other", "peak"),
        metrics=("auroc", "mcc"),
        metric="auroc",
        recipes={"random": {"learning_rate": 0.002, "num_train_epochs": 1}},
        builder="peaks",
        builder_options={"length": 80, "negatives": "dinucleotides"},
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("metric: auroc", "metric: auc", r"open.yaml: metrics of the task open .* got 'auc'"),
        ("metric: auroc", "meric: auroc", r"fields of .*open.yaml .* got 'meric'; did you mean"),
        ("length: 80\nl", "length: all\nl", "length must be a whole number, found 'all'"),
        ("[other, peak]", "[no, yes]", "labels must be texts, found .* put them in quotes"),
        ("{random: {learning_rate: 2e-3", "{random: {learning_rate: fast", "type of their field"),
        ("{learning_rate: 2e-3, num_train_epochs: 1}", "2e-3", "'random' must be a mapping"),
        ("metric: auroc", "length: 90\nmetric: auroc", r"line \d+: 'length' is there twice"),
        (MINE, "[]", "must hold fields of a task"),
        (MINE, "a: [", "must be a readable YAML file"),
    ],
)
def test_a_mistake_in_the_file_of_a_task_is_named(tmp_path, before, after, message):
    assert before in MINE
    (tmp_path / "open.yaml").write_text(MINE.replace(before, after))
    with pytest.raises(ValueError, match=message):
        find_task(str(tmp_path / "open.yaml"))
    with pytest.raises(ValueError, match=r"none\.yml must be a readable YAML file"):
        find_task("none.yml")


def test_unknown_names_and_tasks_without_a_builder_are_errors(genome):
    with pytest.raises(ValueError, match="tasks must be known by name, got 'prom'; did you mean"):
        find_task("prom")
    with pytest.raises(ValueError, match="the task pair has no builder"):
        find_task("pair").build(genome, [])
    assert find_task("pair").command() == ""
