"""A search chooses by the validation split alone, stops and goes on, and leaves one model."""

import csv
import json
import re
import sys

import numpy as np
import pytest
from safetensors.torch import load_file
from transformers import TrainerCallback

from dnabert_hf import DNABertModel, search_hyperparameters
from dnabert_hf.training.hyperparameter_search.space import list_ranges

CNN = {"num_filters": 4, "filter_width": 4, "dense_size": 4}
SHORT = {"use_cpu": True, "bf16": False, "num_train_epochs": 2, "per_device_train_batch_size": 16}


def write_table(path, *, flip_test=False):
    """Noisy A-rich against C-rich sequences."""
    generator = np.random.default_rng(0)
    rows = ["sequence\tlabel\tsplit"]
    for index in range(96):
        chances = [0.2, 0.4, 0.2, 0.2] if index % 2 else [0.4, 0.2, 0.2, 0.2]
        sequence = "".join(generator.choice(list("ACGT"), size=20, p=chances))
        split = "train" if index < 48 else "dev" if index < 80 else "test"
        label = index % 2 ^ (flip_test and split == "test")
        rows.append(f"{sequence}\t{int(label)}\t{split}")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("data") / "data.tsv")


@pytest.fixture(scope="module")
def whole(table, tmp_path_factory):
    """A search of three trials, written into a folder that is alone in its own."""
    return search(table, tmp_path_factory.mktemp("whole") / "out")


def read_trials(folder):
    with (folder / "search.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def search(table, folder, *, trials=3, model="cnn", config=CNN, arguments=SHORT, **options):
    return search_hyperparameters(
        model,
        table,
        output_dir=folder,
        trials=trials,
        config=config,
        arguments=arguments,
        **options,
    )


def test_the_best_trial_trains_the_model_that_is_kept(whole):
    out = whole.output_dir
    trials = read_trials(out)
    assert [row["trial"] for row in trials] == ["1", "2", "3"]
    assert set(trials[0]) == {"trial", "learning_rate", "dropout", "validation_mcc", "state"}
    # The first takes the values of the recipe.
    assert (float(trials[0]["learning_rate"]), float(trials[0]["dropout"])) == (1e-3, 0)
    report = json.loads((out / "metrics.json").read_text())
    found = report["search"]
    best = trials[found["best_trial"] - 1]
    assert float(best["validation_mcc"]) == max(float(row["validation_mcc"]) for row in trials)
    assert found["validation_mcc"] == pytest.approx(float(best["validation_mcc"]), abs=1e-6)
    # Trained again, the same values and seed give the same model.
    assert report["scores"]["validation"]["mcc"] == pytest.approx(found["validation_mcc"])
    assert report["learning_rate"] == found["values"]["learning_rate"]
    assert found["values"]["learning_rate"] == pytest.approx(float(best["learning_rate"]), 1e-4)
    config = json.loads((out / "config.json").read_text())
    assert config["dropout"] == found["values"]["dropout"]
    assert found["trials"] == 3
    assert set(whole.scores) == {"validation", "test"}
    assert list(out.parent.iterdir()) == [out]  # what the trials needed is gone


def test_labels_of_the_test_split_change_nothing_but_its_scores(whole, tmp_path):
    flipped = search(write_table(tmp_path / "flipped.tsv", flip_test=True), tmp_path / "out")
    assert read_trials(whole.output_dir) == read_trials(tmp_path / "out")
    assert whole.scores["validation"] == flipped.scores["validation"]
    accuracy = flipped.scores["test"]["accuracy"]
    assert whole.scores["test"]["accuracy"] == pytest.approx(1 - accuracy)


class Stop(TrainerCallback):
    """Stops in the second epoch of a training."""

    def __init__(self, number):
        self.number = number

    def on_train_begin(self, args, state, control, **kwargs):
        self.number -= 1

    def on_step_begin(self, args, state, control, **kwargs):
        if self.number == 0 and state.epoch > 1:
            raise KeyboardInterrupt


def test_a_search_stopped_twice_goes_on_to_the_very_same_end(table, whole, tmp_path):
    with pytest.raises(KeyboardInterrupt, match="stopped in trial 2 of 3"):
        search(table, tmp_path / "parts", callbacks=[Stop(2)])
    with pytest.raises(ValueError, match=r"must be empty, found files"):
        search(table, tmp_path / "parts")
    with pytest.raises(ValueError, match="must go on with the settings it began with, but metric"):
        search(table, tmp_path / "parts", resume=True, metric="auroc")
    # Trials 2 and 3, then the training of the model that is kept.
    with pytest.raises(KeyboardInterrupt, match="checkpoint-3 is kept"):
        search(table, tmp_path / "parts", resume=True, callbacks=[Stop(3)])
    search(table, tmp_path / "parts", resume=True)
    assert read_trials(whole.output_dir) == read_trials(tmp_path / "parts")
    folders = (whole.output_dir, tmp_path / "parts")
    a, b = (load_file(folder / "model.safetensors") for folder in folders)
    assert all(a[name].equal(b[name]) for name in a)


def test_trials_worse_than_the_others_end_early(table, tmp_path):
    arguments = {k: v for k, v in SHORT.items() if k != "num_train_epochs"} | {"max_steps": 6}
    arguments |= {"eval_strategy": "steps", "eval_steps": 2}
    search(table, tmp_path / "out", trials=9, metric="loss", arguments=arguments)
    trials = read_trials(tmp_path / "out")
    states = [row["state"] for row in trials]
    assert states[:5] == ["complete"] * 5
    assert "ended early" in states
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())["search"]
    assert report["ended_early"] == states.count("ended early")
    complete = [float(r["validation_loss"]) for r in trials if r["state"] == "complete"]
    assert report["validation_loss"] == pytest.approx(min(complete), abs=1e-5)


def test_a_frozen_encoder_is_embedded_once_for_all_trials(
    table, tiny_config, tokenizer, tmp_path, monkeypatch
):
    from dnabert_hf.modeling.modeling_dnabert import DNABertForSequenceClassification

    DNABertModel(tiny_config).save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    calls = []
    encode = DNABertForSequenceClassification.encode
    monkeypatch.setattr(
        DNABertForSequenceClassification,
        "encode",
        lambda *args, **kwargs: calls.append(1) or encode(*args, **kwargs),
    )
    search(table, tmp_path / "out", model=tmp_path / "start", config={}, freeze=True)
    assert len(calls) == 3  # train, validation and, at last, test
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert report["freeze"]
    assert set(report["search"]["values"]) == {"learning_rate", "classifier_dropout"}


def test_what_is_searched_depends_on_the_start_and_on_what_is_given():
    found = {r.field: r[1:] for r in list_ranges("dnabert-6-mini", {})}
    assert found["learning_rate"] == pytest.approx((1e-5, 2e-3, 5e-5))
    assert found["num_train_epochs"] == (3, 10, 5)
    assert found["classifier_dropout"] == (0.0, 0.5, 0.1)
    given = {"arguments": {"learning_rate": 1e-3, "max_steps": 6}}
    assert [r.field for r in list_ranges("random", given)] == ["classifier_dropout"]
    with pytest.raises(ValueError, match="learning rate, epochs and dropout are all given"):
        list_ranges("cnn-lstm", given | {"config": {"dropout": 0.1}})


def test_a_search_that_cannot_begin_leaves_nothing_behind(table, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="must have 1 trial or more, got 0"):
        search(table, tmp_path / "out", trials=0)
    with pytest.raises(ValueError, match="metrics must be known by name, got 'mc'"):
        search(table, tmp_path / "out", metric="mc")
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        with pytest.raises(ValueError, match="must run in one process, found WORLD_SIZE = 2"):
            search(table, tmp_path / "out")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'dnabert-hf[search]'")):
        search(table, tmp_path / "out")
    assert not any(tmp_path.iterdir())
