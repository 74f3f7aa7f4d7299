"""Train, save, reload and predict on tiny models, through the function and the command line."""

import csv
import json
import logging
import os

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback

import dnabert_hf
from dnabert_hf.data.kmers.counts import KMER_REGRESSION, KmerRegression
from dnabert_hf.data.reading.records import Columns
from dnabert_hf.training.finetuning.finetune import finetune
from dnabert_hf.training.tasks.task import Task

TINY = {
    "k": 3,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "hidden_dropout_prob": 0.0,
}
FAST = {"num_train_epochs": 6, "per_device_train_batch_size": 8, "learning_rate": 5e-3}


def random_sequences(n, *, length=12, seed=0):
    generator = np.random.default_rng(seed)
    return ["".join(row) for row in generator.choice(list("ACGT"), size=(n, length))]


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write_table(path, header, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(header)
        writer.writerows(rows)
    return path


@pytest.fixture
def table(tmp_path):
    """Poly-A against poly-C in 64 training, 16 dev and 16 test sequences of several lengths."""
    rows = []
    for index in range(96):
        name = "bound" if index % 2 else "free"
        base = "C" if index % 2 else "A"
        split = "train" if index < 64 else "dev" if index < 80 else "test"
        rows.append([f"s{index}", "G" + base * (8 + index % 5), name, split])
    return write_table(tmp_path / "peaks.tsv", ["id", "sequence", "label", "split"], rows)


def train(table, folder, **changes):
    options = {"config": TINY, "arguments": FAST} | changes
    return finetune("random", table, output_dir=folder, **options)


def reload_and_predict(folder, sequences):
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    batch = AutoTokenizer.from_pretrained(folder)(sequences, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model.eval()(**batch).logits.float().numpy(), model.config


def test_a_model_is_trained_saved_reloaded_and_predicts(table, tmp_path):
    result = train(table, tmp_path / "out")
    assert result.scores["test"]["accuracy"] == 1
    assert result.scores["validation"]["auroc"] == 1
    assert result.collapse is None
    logits, config = reload_and_predict(result.output_dir, ["GAAAAAAAA", "GCCCCCCCCCC"])
    assert [config.id2label[index] for index in logits.argmax(axis=1)] == ["free", "bound"]
    assert (config.k, config.problem_type) == (3, "single_label_classification")


@pytest.mark.usefixtures("rendered_curves")
def test_the_folder_holds_model_and_reports_and_nothing_of_the_run(table, tmp_path):
    train(table, tmp_path / "out")
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer_config.json"} <= names
    assert {"metrics.json", "predictions.tsv", "curves.png"} <= names
    regression = KmerRegression.read(tmp_path / "out" / KMER_REGRESSION)
    assert (regression.k, len(regression.intercepts)) == (5, 2)
    assert not {"checkpoints", "training_args.bin"} & names
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert report["splits"]["train"] == {"sequences": 64, "labels": {"bound": 32, "free": 32}}
    assert set(report["scores"]) == {"validation", "test"}
    assert (report["predictions"], report["model"]) == ("test", "random")
    assert report["arguments"]["seed"] == 42


def test_the_model_card_says_what_the_hub_and_a_reader_want_to_know(table, tmp_path):
    result = train(table, tmp_path / "sites")
    card = ModelCard.load(tmp_path / "sites" / "README.md")
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.base_model is None  # random weights
    mcc = next(each for each in card.data.eval_results if each.metric_type == "mcc")
    assert (mcc.dataset_split, mcc.metric_value) == ("test", round(result.scores["test"]["mcc"], 4))
    assert "one of 2 classes: `bound`, `free`" in card.text
    assert "| train | 64 | 32 | 32 |" in card.text
    assert 'pipeline("text-classification", model="sites", trust_remote_code=True)' in card.text
    assert str(tmp_path) not in card.content  # nothing local in what may be published


def test_the_card_names_where_the_training_began(table, tmp_path):
    train(table, tmp_path / "first")
    finetune("cnn", table, output_dir=tmp_path / "cnn", arguments=FAST)
    card = (tmp_path / "cnn" / "README.md").read_text()
    assert "A cnn model that reads raw DNA" in card and "pipeline(" not in card
    finetune(tmp_path / "first", table, output_dir=tmp_path / "second", arguments=FAST)
    assert "Fine-tuned from `first`" in (tmp_path / "second" / "README.md").read_text()


def test_predictions_are_in_the_order_of_the_file_though_lengths_are_grouped(table, tmp_path):
    result = train(table, tmp_path / "out")
    rows = read_table(tmp_path / "out" / "predictions.tsv")
    assert [row["id"] for row in rows] == [f"s{index}" for index in range(80, 96)]
    assert [row["true"] for row in rows] == ["free", "bound"] * 8
    source = read_table(table)[80:]
    logits, _ = reload_and_predict(result.output_dir, [row["sequence"] for row in source])
    expected = torch.softmax(torch.tensor(logits), dim=1)[:, 0].tolist()
    # The run may have used bfloat16, which has 8 bits of mantissa.
    assert [float(row["prob_bound"]) for row in rows] == pytest.approx(expected, abs=0.02)


def test_the_same_seed_gives_the_same_weights(table, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(table, tmp_path / name, arguments=FAST | {"seed": seed, "num_train_epochs": 1})
    a, b, c = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    assert all(a[name].equal(b[name]) for name in a)
    assert not a["classifier.weight"].equal(c["classifier.weight"])


class StopAfterFirstEpoch(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.epoch > 1:
            raise KeyboardInterrupt


def test_a_stopped_run_goes_on_to_the_very_same_weights(table, tmp_path):
    arguments = FAST | {"num_train_epochs": 3}
    changes = {"arguments": arguments, "config": TINY | {"hidden_dropout_prob": 0.1}}
    train(table, tmp_path / "whole", **changes)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 9 of 24; checkpoint-8 is kept"):
        train(table, tmp_path / "parts", callbacks=[StopAfterFirstEpoch()], **changes)
    assert not (tmp_path / "parts" / "metrics.json").exists()
    with pytest.raises(ValueError, match="must be empty, found files"):
        train(table, tmp_path / "parts", **changes)
    train(table, tmp_path / "parts", resume=True, **changes)
    whole, parts = (load_file(tmp_path / n / "model.safetensors") for n in ("whole", "parts"))
    assert all(whole[name].equal(parts[name]) for name in whole)
    assert not (tmp_path / "parts" / "checkpoints").exists()


def test_a_stopped_run_goes_on_with_the_same_data_alone(table, tmp_path):
    """Names of files and columns say nothing of what is in them."""
    with pytest.raises(KeyboardInterrupt, match="is kept"):
        train(table, tmp_path / "out", callbacks=[StopAfterFirstEpoch()])
    whole = table.read_text()
    other = {"bound": "free", "free": "bound"}
    rows = read_table(table)
    cells = [[r["id"], r["sequence"], r["split"], r["label"], other[r["label"]]] for r in rows]
    write_table(table, ["id", "sequence", "split", "right", "label"], cells)
    with pytest.raises(ValueError, match=r"but inputs\.rows\.train was '\w+' and is '\w+'"):
        train(table, tmp_path / "out", resume=True)
    write_table(table, ["id", "sequence", "split", "label", "inverse"], cells)
    with pytest.raises(ValueError, match=r"but inputs\.rows\.train was"):
        train(table, tmp_path / "out", resume=True, columns=Columns(label="inverse"))
    table.write_text("\n".join([*whole.splitlines()[:40], *whole.splitlines()[60:]]) + "\n")
    with pytest.raises(ValueError, match=r"but inputs\.rows\.train was"):
        train(table, tmp_path / "out", resume=True)
    table.write_text(whole)
    changed = Task("generic", recipes={"random": {"warmup_steps": 3}})  # as a file that was edited
    with pytest.raises(ValueError, match=r"but inputs\.task was '\w+' and is '\w+'"):
        train(table, tmp_path / "out", resume=True, task=changed)
    with pytest.raises(ValueError, match=r"but .*inputs\.tokenizer was"):
        train(table, tmp_path / "out", resume=True, config=TINY | {"k": 4})
    (kept,) = (tmp_path / "out").glob("checkpoints/checkpoint-*/optimizer.pt")
    content = kept.read_bytes()
    for other in ({"a": 1}, [1, 2], torch.load(kept) | {"param_groups": []}):
        torch.save(other, kept)
        with pytest.raises(ValueError, match=r"checkpoint-8 must hold the whole .* delete it, to"):
            train(table, tmp_path / "out", resume=True)
    kept.write_bytes(content)
    train(table, tmp_path / "out", resume=True)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_weights_can_be_read_by_whom_the_umask_lets(table, tmp_path, umask):
    before = os.umask(umask)
    try:
        train(table, tmp_path / "out", arguments=FAST | {"num_train_epochs": 1})
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert modes == {0o666 & ~umask}


class StopAtOnce(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        raise KeyboardInterrupt


def test_a_run_stopped_before_its_first_checkpoint_says_so(table, tmp_path):
    with pytest.raises(KeyboardInterrupt, match="no checkpoint was written yet: begin again"):
        train(table, tmp_path / "out", callbacks=[StopAtOnce()])


def test_three_classes_from_a_folder_of_files(tmp_path):
    for split, n in (("train", 48), ("dev", 12), ("test", 12)):
        rows = [["G" + "ACT"[i % 3] * 9, ["donor", "acceptor", "none"][i % 3]] for i in range(n)]
        write_table(tmp_path / f"{split}.tsv", ["sequence", "label"], rows)
    result = train(tmp_path, tmp_path / "out", arguments=FAST | {"num_train_epochs": 4})
    assert result.scheme.names == ("acceptor", "donor", "none")
    assert result.scores["test"]["auroc"] == 1


def test_several_labels_a_sequence_with_class_weights(tmp_path):
    parts = [("A", "liver"), ("C", "skin")]
    rows = []
    for index in range(80):
        chosen = [part for bit, part in enumerate(parts) if index >> bit & 1]
        letters = "".join(letter * 6 for letter, _ in chosen) or "G" * 6
        split = "train" if index < 56 else "dev" if index < 68 else "test"
        rows.append([f"T{letters}", ";".join(name for _, name in chosen), split])
    table = write_table(tmp_path / "tissues.tsv", ["sequence", "label", "split"], rows)
    arguments = FAST | {"num_train_epochs": 8}
    result = train(table, tmp_path / "out", class_weights=True, arguments=arguments)
    assert result.scheme.problem_type == "multi_label_classification"
    assert result.scores["test"]["auroc"] == 1
    logits, config = reload_and_predict(result.output_dir, ["TAAAAAACCCCCC"])
    assert logits.shape == (1, 2)
    assert config.problem_type == "multi_label_classification"


def test_regression_without_test_split_reports_validation(tmp_path, caplog):
    rows = [
        [sequence, f"{sequence.count('G') / 4 + 0.5:.2f}"]
        for sequence in random_sequences(120, seed=5)
    ]
    table = write_table(tmp_path / "strength.tsv", ["sequence", "label"], rows)
    with caplog.at_level(logging.WARNING):
        result = train(table, tmp_path / "out", arguments=FAST | {"num_train_epochs": 6})
    assert "12 of 120 training sequences were set apart" in caplog.text
    assert set(result.scores) == {"validation"}
    assert result.scores["validation"]["spearman"] > 0.5
    header = (tmp_path / "out" / "predictions.tsv").read_text().splitlines()[0]
    assert header == "id\tvalue\ttrue_value"


def test_pairs_of_sequences(tmp_path):
    rows = []
    for index in range(96):
        first, second = "AC"[index & 1], "AC"[index >> 1 & 1]
        split = "train" if index < 64 else "dev" if index < 80 else "test"
        rows.append(["G" + first * 8, "G" + second * 8, "bound" if second == "C" else "no", split])
    names = ["sequence", "sequence_b", "label", "split"]
    table = write_table(tmp_path / "pairs.tsv", names, rows)
    assert train(table, tmp_path / "out").scores["test"]["accuracy"] == 1


def test_sequences_beyond_the_limit_of_the_encoder_are_not_cut(tmp_path):
    """The label is in the last bases, behind the 14 k-mers that fit into one piece."""
    rows = []
    for index in range(48):
        split = "train" if index < 32 else "dev" if index < 40 else "test"
        rows.append(["G" * 30 + "AC"[index % 2] * 12, str(index % 2), split])
    table = write_table(tmp_path / "long.tsv", ["sequence", "label", "split"], rows)
    config = TINY | {"max_position_embeddings": 16}
    arguments = FAST | {"num_train_epochs": 8}
    result = train(table, tmp_path / "out", config=config, arguments=arguments)
    assert result.scores["test"]["accuracy"] == 1


def test_fine_tuning_starts_from_a_checkpoint(table, tmp_path):
    first = train(table, tmp_path / "first")
    arguments = {"num_train_epochs": 1, "learning_rate": 1e-9}
    second = finetune(
        first.output_dir,
        table,
        output_dir=tmp_path / "second",
        arguments=arguments,
        metric="loss",
    )
    assert second.scores["test"]["accuracy"] == 1
    report = json.loads((tmp_path / "second" / "metrics.json").read_text())
    assert report["model"] == str(first.output_dir)


def test_early_stopping_ends_a_run_that_gets_no_better(table, tmp_path):
    result = train(
        table, tmp_path / "out", early_stopping=1, arguments=FAST | {"num_train_epochs": 20}
    )
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert result.best_step < report["steps"] < 160


def test_a_collapsed_model_is_named(tmp_path, caplog):
    rows = []
    for index, sequence in enumerate(random_sequences(64)):
        split = "train" if index < 32 else "dev" if index < 48 else "test"
        rows.append([sequence, "rare" if index % 4 == 0 else "common", split])
    table = write_table(tmp_path / "noise.tsv", ["sequence", "label", "split"], rows)
    with caplog.at_level(logging.WARNING):
        result = train(table, tmp_path / "out", arguments={"num_train_epochs": 1})
    assert "test split: the model predicts class " in caplog.text
    assert "for 100.0% of the sequences" in result.collapse
    assert "steps are few: train for more epochs" in result.collapse
    assert result.scores["test"]["mcc"] == 0


def test_evaluations_are_logged_in_one_line(table, tmp_path, caplog, capsys):
    with caplog.at_level(logging.INFO, logger="dnabert_hf"):
        train(table, tmp_path / "out", arguments=FAST | {"num_train_epochs": 2})
    assert "training on 64 sequences: epochs 2, steps 16, sequences a step 8" in caplog.text
    assert "epoch 2 of 2, step 16 of 16: validation loss" in caplog.text
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "mc"}, "metrics must be known by name, got 'mc'; did you mean mcc"),
        ({"arguments": {"epochs": 3}}, "arguments must be known by name, got 'epochs'"),
        ({"config": {"layers": 3}}, "config fields must be known by name, got 'layers'"),
        ({"problem_type": "regression"}, "must be 1 finite number"),
    ],
)
def test_options_that_cannot_be_used_leave_nothing_behind(table, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(table, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["ACGTA", "a", "train"], ["ACGTC", "b", "train"], ["ACGTG", "c", "dev"]], "found 'c'"),
        (
            [["ACGTA", "a", "train"], ["ACGTC", "b", "train"], ["ACGTG", "a", "dev"]],
            "validation split must hold different labels to be scored, found only a",
        ),
        ([["AC", "a", "train"], ["ACGTC", "b", "train"]], "3"),
    ],
    ids=["label not seen in training", "dev set with one class", "sequence shorter than k"],
)
def test_data_that_cannot_be_used_leave_nothing_behind(tmp_path, rows, message):
    table = write_table(tmp_path / "bad.tsv", ["sequence", "label", "split"], rows)
    with pytest.raises(ValueError, match=message):
        train(table, tmp_path / "out")
    assert not (tmp_path / "out").exists()


BASELINE = {
    "num_filters": 16,
    "filter_width": 4,
    "pool_width": 4,
    "rnn_size": 8,
    "dense_size": 8,
    "dropout": 0.0,
}


@pytest.mark.parametrize("name", ["cnn", "cnn-lstm", "cnn-gru"])
def test_a_network_to_compare_with_is_trained_and_reported_like_dnabert(name, table, tmp_path):
    arguments = FAST | {"num_train_epochs": 4, "learning_rate": 2e-2}
    result = finetune(
        name, table, output_dir=tmp_path / "out", config=BASELINE, arguments=arguments
    )
    assert result.scores["test"]["accuracy"] == 1
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"model.safetensors", "metrics.json", "predictions.tsv"} <= names
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (report["model"], report["config"], report["learning_rate"]) == (name, BASELINE, 2e-2)
    logits, config = reload_and_predict(result.output_dir, ["GAAAAAAAA", "GCCCCCCCCCC"])
    assert [config.id2label[index] for index in logits.argmax(axis=1)] == ["free", "bound"]
    assert (config.model_type, config.architecture, config.k) == ("dna_cnn", name, 3)


def test_a_stopped_baseline_goes_on_to_the_very_same_weights(table, tmp_path):
    options = {"config": BASELINE | {"dropout": 0.2}, "arguments": FAST}
    finetune("cnn-gru", table, output_dir=tmp_path / "whole", **options)
    parts = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt, match="checkpoint-8 is kept"):
        finetune("cnn-gru", table, output_dir=parts, callbacks=[StopAfterFirstEpoch()], **options)
    finetune("cnn-gru", table, output_dir=parts, resume=True, **options)
    expected, found = (load_file(tmp_path / n / "model.safetensors") for n in ("whole", "parts"))
    assert all(expected[name].equal(found[name]) for name in expected)


def test_baselines_take_larger_steps_more_epochs_and_32_bits(table, tmp_path):
    finetune("cnn", table, output_dir=tmp_path / "out", config=BASELINE)
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (report["learning_rate"], report["steps"]) == (1e-3, 20 * 2)
    assert not report["bf16"]


def test_a_baseline_takes_the_k_of_another_tokenizer(table, tmp_path):
    config = BASELINE | {"k": 5}
    result = finetune("cnn", table, output_dir=tmp_path / "out", config=config, arguments=FAST)
    assert AutoTokenizer.from_pretrained(result.output_dir).k == 5


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("ccn", {}, r"'random' \(in fine-tuning also cnn, .*, basset\), but reading"),
        ("cnn", {"filters": 3}, "config fields must be known by name, got 'filters'; did you mean"),
        ("cnn", {"num_filters": 0}, "must make a network: num_filters must be 1 or more, got 0"),
        ("cnn", {"k": "x"}, "must make a network: Field 'k' expected int, got str"),
        ("cnn", {"architecture": "cnn-gru"}, "cnn: architecture must be 'cnn', as the name says"),
    ],
)
def test_a_baseline_that_cannot_be_made_leaves_nothing_behind(
    table, tmp_path, name, config, message
):
    with pytest.raises(ValueError, match=message):
        finetune(name, table, output_dir=tmp_path / "out", config=config)
    assert not (tmp_path / "out").exists()


def test_finetune_is_a_public_name():
    assert dnabert_hf.finetune is finetune
