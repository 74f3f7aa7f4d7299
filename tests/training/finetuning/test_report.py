"""What fine-tuning says of itself: the regression beside it, the class of interest, the lengths."""

import csv
import json

import numpy as np
import pytest
from huggingface_hub import ModelCard
from sklearn.metrics import average_precision_score, f1_score
from transformers import AutoModelForSequenceClassification
from typer.testing import CliRunner

import dnabert_hf
from dnabert_hf import finetune
from dnabert_hf.cli.main import app

TINY = {
    "k": 3,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
FAST = {"num_train_epochs": 1, "learning_rate": 1e-6, "bf16": False, "use_cpu": True}


def write_table(path, names=("bound", "free"), *, n_classes=2):
    """C-rich bound and A-rich free sequences of 30 to 34 bases, which 5-mers tell apart."""
    generator = np.random.default_rng(0)
    rows = []
    for i in range(140):
        chances = [0.1, 0.6, 0.2, 0.1] if i % 2 else [0.6, 0.1, 0.1, 0.2]
        sequence = "".join(generator.choice(list("ACGT"), size=30 + i % 5, p=chances))
        split = "train" if i < 60 else "dev" if i < 110 else "test"
        rows.append(f"{sequence}\t{names[0] if i % 2 else names[1 + i % (n_classes - 1)]}\t{split}")
    path.write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that learnt nothing, on data that composition tells apart."""
    folder = tmp_path_factory.mktemp("trained")
    result = finetune(
        "random",
        write_table(folder / "t.tsv"),
        output_dir=folder / "sites",
        config=TINY | {"initializer_range": 0.5},  # far apart, whatever is rounded
        arguments=FAST,
    )
    return result, json.loads((folder / "sites" / "metrics.json").read_text())


def test_the_regression_stands_beside_the_model_and_a_sentence_says_that_it_wins(trained):
    result, report = trained
    assert result.regression["test"]["mcc"] > 0.9 > result.scores["test"]["mcc"]
    assert report["regression"]["scores"] == result.regression
    assert report["regression"]["both_strands"] is False
    assert "MCC" in result.advice and "more epochs" in result.advice
    assert "--reinitialise-layers" not in result.advice  # there is no checkpoint
    card = ModelCard.load(result.output_dir / "README.md")
    assert "| metric | validation | test | 5-mer regression, test |" in card.text
    assert f"**Here {result.advice}.**" in card.text


def test_the_class_of_interest_and_the_lengths_are_in_config_report_and_card(trained):
    result, report = trained
    config = AutoModelForSequenceClassification.from_pretrained(result.output_dir).config
    assert (config.positive, config.training_lengths) == ("bound", [30, 32, 34])
    assert (report["positive"], report["training_lengths"]) == ("bound", [30, 32, 34])
    card = ModelCard.load(result.output_dir / "README.md")
    assert "The class of interest is `bound`" in card.text
    assert "sequences of 30 to 34 bases (median 32)" in card.text
    assert "![Loss and validation metric by step](curves.png)" in card.text
    assert {example["example_title"] for example in card.data.widget} == {
        "A sequence of class bound",
        "A sequence of class free",
    }


def test_a_threshold_for_calls_is_in_config_report_and_card(trained, tmp_path):
    result, report = trained
    calls = report["calls"]
    threshold = dnabert_hf.DNABertConfig.from_pretrained(result.output_dir).call_threshold
    assert threshold == calls["suggested"]["threshold"]
    assert (calls["class"], calls["window"]) == ("bound", 32)
    assert (calls["n_of_class"], calls["n_others"]) == (25, 25)
    rows = (result.output_dir.parent / "t.tsv").read_text().splitlines()
    dev = [row.split("\t") for row in rows if row.endswith("\tdev")]
    found = dnabert_hf.predict(result.output_dir, [row[0] for row in dev])
    called = [
        row[1]
        for row, each in zip(dev, found, strict=True)
        if each.probabilities["bound"] >= threshold
    ]
    assert called.count("bound") / 25 == pytest.approx(calls["suggested"]["recall"])
    rate = (called.count("free") + 1) / 26
    assert rate == pytest.approx(calls["suggested"]["false_positive_rate"])
    card = (result.output_dir / "README.md").read_text()
    assert f"from {threshold:.4g} on" in card
    assert "| threshold | recall | precision, validation |" in card


def test_scores_of_one_class_are_of_the_class_of_interest(trained):
    result, _ = trained
    with (result.output_dir / "predictions.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    truth = [row["true"] == "bound" for row in rows]
    scores = result.scores["test"]
    expected = average_precision_score(truth, [float(row["prob_bound"]) for row in rows])
    assert scores["auprc"] == pytest.approx(expected)
    predicted = [row["label"] == "bound" for row in rows]
    assert scores["f1_binary"] == pytest.approx(f1_score(truth, predicted))


def test_a_named_class_wins_over_what_names_tell(tmp_path):
    table = write_table(tmp_path / "t.tsv")
    options = {"config": TINY, "arguments": FAST, "reports": False}
    result = finetune("random", table, output_dir=tmp_path / "m", positive="free", **options)
    assert dnabert_hf.DNABertConfig.from_pretrained(tmp_path / "m").positive == "free"
    assert result.scheme.positive == "free"
    names = {file.name for file in (tmp_path / "m").iterdir()}
    assert "metrics.json" in names and not {"README.md", "curves.png"} & names
    assert result.regression == {}
    with pytest.raises(ValueError, match="must be one of bound, free, got 'fre'"):
        finetune("random", table, output_dir=tmp_path / "n", positive="fre", **options)


@pytest.mark.parametrize(
    ("column", "reason"),
    [("0.5", "not for regression"), ("a;b", "not for multi label classification")],
)
def test_where_the_regression_is_not_for_the_data_the_reason_is_given(tmp_path, column, reason):
    table = write_table(tmp_path / "t.tsv", (column, "0" if column == "0.5" else "a"))
    result = finetune("random", table, output_dir=tmp_path / "m", config=TINY, arguments=FAST)
    report = json.loads((tmp_path / "m" / "metrics.json").read_text())
    assert reason in report["regression"]["left_out"]
    assert reason in (tmp_path / "m" / "README.md").read_text()
    assert (result.regression, result.advice) == ({}, None)


def test_the_command_prints_the_regression_as_a_row(tmp_path):
    table = write_table(tmp_path / "t.tsv")
    fields = [f"--config={name}={value}" for name, value in TINY.items() if name != "k"]
    arguments = ["--learning-rate", "1e-6", "--epochs", "1", "--k", "3", *fields]
    command = ["finetune", str(table), "--init", "random", "-o", str(tmp_path / "m"), *arguments]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    rows = [line.rsplit(maxsplit=1)[0] for line in done.stdout.splitlines()]
    assert [row.split("  ")[0] for row in rows] == [
        "split",
        "validation",
        "test",
        "5-mer regression, test",
    ]
    again = CliRunner().invoke(app, [*command, "--json", "--calibrate", "--overwrite"])
    scores = json.loads(again.stdout)
    assert scores["model"] == str(tmp_path / "m")
    assert scores["positive"] == "bound"
    assert scores["scores"].keys() == {"validation", "test"}
    assert scores["regression"]["test"]["mcc"] == pytest.approx(1, abs=0.2)


def test_checkpoints_that_are_kept_show_how_attention_came_about(tmp_path):
    table = write_table(tmp_path / "t.tsv")
    finetune(
        "random",
        table,
        output_dir=tmp_path / "m",
        config=TINY,
        arguments=FAST | {"num_train_epochs": 3},
        keep_checkpoints=True,
        reports=False,
    )
    kept = sorted(path.name for path in (tmp_path / "m" / "checkpoints").glob("checkpoint-*"))
    assert kept == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]
    files = {path.name for path in (tmp_path / "m" / "checkpoints" / "checkpoint-2").iterdir()}
    assert "model.safetensors" in files and not {"optimizer.pt", "training_args.bin"} & files
    steps = dnabert_hf.attention_during_training(tmp_path / "m", ["ACGTACGTAC"])
    assert [step.name for step in steps] == kept
    # The run is finished: the folder is replaced as any other.
    with pytest.raises(ValueError, match="must be empty"):
        finetune("random", table, output_dir=tmp_path / "m", config=TINY, arguments=FAST)
    finetune(
        "random",
        table,
        output_dir=tmp_path / "m",
        config=TINY,
        arguments=FAST,
        reports=False,
        overwrite=True,
    )
    assert not (tmp_path / "m" / "checkpoints").exists()
