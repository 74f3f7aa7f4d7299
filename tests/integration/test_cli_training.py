"""`dnabert finetune` and `dnabert demo`, as a shell runs them."""

import json
import logging
import random

import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app
from dnabert_hf.training.tasks.presets import TASKS

SMALL = [
    *("--config", "hidden_size=16", "--config", "num_hidden_layers=1"),
    *("--config", "num_attention_heads=2", "--config", "intermediate_size=16", "--k", "3"),
]


@pytest.fixture(autouse=True)
def _quiet():
    """The commands raise the level of loggers, for the life of their process."""
    names = ("dnabert_hf.training", "dnabert_hf.workflows.demo")
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def tables(tmp_path):
    for split, n in (("train", 32), ("dev", 8), ("test", 8)):
        rows = [f"G{'AC'[i % 2] * 9}\t{['free', 'bound'][i % 2]}" for i in range(n)]
        (tmp_path / f"{split}.tsv").write_text("\n".join(["dna\tstate", *rows]) + "\n")
    return [f"{split}={tmp_path / split}.tsv" for split in ("train", "dev", "test")]


def test_a_model_is_trained_from_three_files_and_its_scores_printed(run, tables, tmp_path):
    result = run(
        *("finetune", *tables, "--init", "random", "-o", "out", *SMALL, "--epochs", 4),
        *("--learning-rate", 0.01, "--batch-size", 8, "--seed", 3),
        *("--set", "weight_decay=0.1"),
        *("--sequence-column", "dna", "--label-column", "state", "--class-weights"),
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["split", "accuracy", "f1"]
    assert result.stderr.endswith("model, card, scores and predictions -> out\n")
    assert [line.split()[:2] for line in lines[1:]] == [
        ["validation", "1.0000"],
        ["test", "1.0000"],
        ["5-mer", "regression,"],
    ]
    arguments = json.loads((tmp_path / "out" / "metrics.json").read_text())["arguments"]
    assert arguments == {
        "weight_decay": 0.1,
        "num_train_epochs": 4,
        "learning_rate": 0.01,
        "per_device_train_batch_size": 8,
        "seed": 3,
    }


def test_a_folder_is_read_and_text_fields_need_no_quotes(run, tables, tmp_path):
    result = run(
        *("finetune", tmp_path, "--init", "random", "-o", "out", *SMALL, "--epochs", 1),
        *("--sequence-column", "dna", "--label-column", "state", "--config", "segment_pooling=gru"),
    )
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "config.json").read_text())["segment_pooling"] == "gru"


def test_a_task_chooses_the_scores_and_a_small_model_learns_faster(run, tmp_path):
    rows = [f"G{'AC'[i % 2] * 9}\t{i % 2}\t{s}" for s in ("train", "dev", "test") for i in range(8)]
    (tmp_path / "peaks.tsv").write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
    words = ("peaks.tsv", "--init", "random", "-o", "out", *SMALL, "--epochs", 1, "--task", "tf")
    result = run("finetune", *words)
    assert result.exit_code == 0, result.output
    names = result.stdout.splitlines()[0].split()
    assert names == [
        *("split", "accuracy", "auroc", "auprc", "mcc"),
        *("f1_binary", "precision_binary", "recall_binary"),
    ]
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (report["task"], report["metric"]) == ("tf", "mcc")
    assert report["learning_rate"] == 1e-3  # the model is small


def test_the_tasks_are_listed_and_the_option_names_them_all(run):
    listed = run("tasks")
    assert listed.exit_code == 0, listed.output
    assert "dnabert dataset peaks PEAKS --genome GENOME --length 101 -o DATA.tsv" in listed.stdout
    described = " ".join(run("finetune", "--help").stdout.replace("│", " ").split())
    assert f"Preset: {', '.join(list(TASKS)[:-1])} or {list(TASKS)[-1]};" in described


def test_a_task_of_ones_own_goes_from_genome_to_scores(run, tmp_path, monkeypatch):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    fields = "length: 50\nlabels: [other, peak]\nmetrics: [auroc, mcc]\nmetric: auroc\n"
    build = "builder: peaks\nbuilder_options: {length: 50, negatives: dinucleotides}\n"
    recipe = "recipes: {random: {learning_rate: 2e-3, num_train_epochs: 1}}\n"
    (tmp_path / "open.yaml").write_text(fields + build + recipe)
    (tmp_path / "g.fa").write_text(f">a\n{''.join(random.Random(1).choices('ACGT', k=9000))}\n")
    (tmp_path / "p.bed").write_text("".join(f"a\t{i}\t{i + 9}\n" for i in range(99, 8900, 200)))
    listed = run("tasks", "open.yaml")
    command = listed.stdout.splitlines()[-1].strip()
    files = {"PEAKS": "p.bed", "GENOME": "g.fa", "DATA.tsv": "d.tsv"}
    built = run(*(files.get(word, word) for word in command.split()[1:]))
    assert built.exit_code == 0, built.output
    result = run("finetune", "d.tsv", "--task", "open.yaml", "--init", "random", *SMALL, "-o", "m")
    assert result.exit_code == 0, result.output
    assert result.stdout.split()[:3] == ["split", "auroc", "mcc"]
    report = json.loads((tmp_path / "m" / "metrics.json").read_text())
    found = (report["task"], report["metric"], report["learning_rate"], report["splits"]["test"])
    assert found[:3] == ("open", "auroc", 2e-3)
    assert set(found[3]["labels"]) == {"other", "peak"}
    wrong = run("finetune", "d.tsv", "--task", "splice", "--init", "random", *SMALL, "-o", "n")
    assert wrong.exit_code == 2
    assert "the task splice has the labels 'acceptor', 'donor', 'neither'" in wrong.stderr


def test_a_frozen_encoder_and_a_search_go_together(run, tables, tmp_path):
    result = run(
        *("search", *tables, "-o", "out", "--freeze", "--trials", 2),
        *("--sequence-column", "dna", "--label-column", "state", "--epochs", 4),
    )
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        "split",
        "validation",
        "test",
        "5-mer",
    ]
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert report["freeze"]
    assert set(report["search"]["values"]) == {"learning_rate", "classifier_dropout"}
    lines = (tmp_path / "out" / "search.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["trial", "1", "2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "prom"], "tasks must be known by name, got 'prom'; did you mean prom-"),
        (
            [*SMALL, "--task", "splice", "--sequence-column", "dna", "--label-column", "state"],
            "the task splice has the labels 'acceptor', 'donor', 'neither' (or '0', '1', '2' in "
            "their place), found 'bound', 'free' in the data",
        ),
        (["--set", "epochs=3"], "arguments must be known by name, got 'epochs'"),
        (["--set", "epochs"], "must be written name=value, got 'epochs'"),
        (["--config", "k"], "a field must be written name=value, got 'k'"),
        (["--config", "layers=3"], "config fields must be known by name, got 'layers'"),
        (["--init", "no/such/model"], "no/such/model"),
        (["--freeze"], "a frozen encoder must have been pretrained, got 'random'"),
        (["--freeze", "--lora", "2", "--init", "dnabert-6-mini"], "got both freeze and lora"),
        (["dev.tsv"], "several data files must be written SPLIT=FILE"),
    ],
)
def test_mistakes_are_one_line_on_stderr(run, tables, tmp_path, words, message):
    result = run("finetune", *tables, "--init", "random", "-o", "out", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith("dnabert finetune: error: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_one_line(run, tables, tmp_path):
    (tmp_path / "file").write_text("x")
    result = run(
        *("finetune", *tables, "--init", "random", "-o", "file/out", *SMALL, "--epochs", 1),
        *("--sequence-column", "dna", "--label-column", "state"),
    )
    assert result.exit_code == 2
    assert "dnabert finetune: error: " in result.stderr
