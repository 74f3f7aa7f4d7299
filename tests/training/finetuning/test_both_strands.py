"""Training on either strand, and predictions that are means over both."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TextClassificationPipeline,
    TrainerCallback,
    pipeline,
)

from dnabert_hf import finetune, predict
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
from dnabert_hf.training.finetuning.after_training import calibrate
from dnabert_hf.training.finetuning.collators import OTHER_STRAND, BothStrandsCollator

TINY = {
    "k": 3,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "initializer_range": 0.5,
}
FAST = {"num_train_epochs": 2, "per_device_train_batch_size": 8, "bf16": False, "use_cpu": True}


def reverse_complement(sequence):
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


def random_dna(n, *, length=14, seed=0):
    letters = np.random.default_rng(seed).choice(list("ACGT"), size=(n, length))
    return ["".join(row) for row in letters]


def write_table(path, labels, *, n_dev=16):
    splits = ["train"] * 32 + ["dev"] * n_dev + ["test"] * 16
    sequences = random_dna(len(splits))
    rows = [
        f"s{i}\t{sequence}\t{labels[i % len(labels)]}\t{split}"
        for i, (sequence, split) in enumerate(zip(sequences, splits, strict=True))
    ]
    path.write_text("\n".join(["id\tsequence\tlabel\tsplit", *rows]) + "\n")
    return path


def rows_of(sequences):
    return [{"sequence": s, "labels": 0, "row": i} for i, s in enumerate(sequences)]


def test_a_training_row_is_turned_in_half_of_the_epochs_whatever_stands_beside_it():
    tokenizer = DNABertTokenizer(k=3)
    collate = BothStrandsCollator(tokenizer, seed=1)
    (sequence,) = random_dna(1)
    forward, backward = (
        tokenizer([s])["input_ids"][0] for s in (sequence, reverse_complement(sequence))
    )
    choices = []
    for epoch in range(20):
        collate.epoch = epoch
        ids = collate(rows_of([sequence] * 50))["input_ids"].tolist()
        assert all(row in (forward, backward) for row in ids)
        alone = [collate([row])["input_ids"].tolist()[0] for row in rows_of([sequence] * 50)[::-1]]
        assert alone[::-1] == ids  # neither order nor batch matter
        choices.append([row == backward for row in ids])
    turned = np.array(choices)
    assert 0.45 < turned.mean() < 0.55
    assert len(np.unique(turned, axis=0)) == 20  # afresh for each epoch
    again = BothStrandsCollator(tokenizer, seed=1)
    again.epoch = 19
    assert again(rows_of([sequence] * 50))["input_ids"].tolist() == ids
    other_seed = BothStrandsCollator(tokenizer, seed=2)
    other_seed.epoch = 19
    assert other_seed(rows_of([sequence] * 50))["input_ids"].tolist() != ids


def test_rows_to_evaluate_come_with_their_reverse_complements_and_both_halves_of_a_pair():
    tokenizer = DNABertTokenizer(k=3)
    rows = [
        {"sequence": "AACCGT", "sequence_b": "GGGTT", "labels": 1},
        {"sequence": "ACGTTTGCA", "sequence_b": "TTTTA", "labels": 0},
    ]
    batch = BothStrandsCollator(tokenizer, seed=0)(rows)
    expected = tokenizer(
        [reverse_complement(row["sequence"]) for row in rows],
        [reverse_complement(row["sequence_b"]) for row in rows],
        padding=True,
    )
    assert batch[OTHER_STRAND].tolist() == expected["input_ids"]
    assert batch["attention_mask"].tolist() == expected["attention_mask"]


@pytest.mark.parametrize(
    ("labels", "mean"),
    [
        (("free", "bound"), lambda a, b: (a.softmax(-1) + b.softmax(-1)) / 2),
        (("x;y", "x", "y", ""), lambda a, b: (a.sigmoid() + b.sigmoid()) / 2),
        (("0.5", "1.5", "2.5"), lambda a, b: (a + b) / 2),
    ],
    ids=["classes", "several labels", "regression"],
)
def test_evaluation_averages_what_stock_code_gives_of_either_strand(tmp_path, labels, mean):
    table = write_table(tmp_path / "t.tsv", labels)
    finetune(
        "random",
        table,
        output_dir=tmp_path / "out",
        config=TINY,
        arguments=FAST,
        both_strands=True,
    )
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    assert model.config.both_strands is True
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["both_strands"] is True
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    sequences = random_dna(64)[48:]
    with torch.inference_mode():
        strands = [
            model(**tokenizer(list(strand), return_tensors="pt")).logits
            for strand in (sequences, map(reverse_complement, sequences))
        ]
    expected = mean(*strands).numpy()
    with (tmp_path / "out" / "predictions.tsv").open() as file:
        found = [
            [float(v) for name, v in row.items() if name.startswith(("prob_", "value"))]
            for row in csv.DictReader(file, delimiter="\t")
        ]
    assert np.array(found) == pytest.approx(expected, abs=1e-4)
    check_code_of_card(tmp_path / "out")


class StopInSecondEpoch(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == 6:
            raise KeyboardInterrupt


def check_code_of_card(folder):
    """What the card shows for the pipeline that reads one strand gives what `predict` gives."""
    card = (folder / "README.md").read_text()
    assert "reads only the strand it is given" in card
    _, code, *_ = [part for part in card.split("```") if part.startswith("python\n")]
    *steps, answer = code.removeprefix("python\n").strip().splitlines()
    names = {
        "classify": pipeline(
            "text-classification", str(folder), pipeline_class=TextClassificationPipeline
        )
    }
    exec("\n".join(steps), names)
    (expected,) = predict(folder, [names["sequence"]], dtype="float32")
    assert eval(answer, names) == pytest.approx(expected.probabilities, abs=1e-5)


@pytest.mark.parametrize("save", [{}, {"eval_strategy": "steps", "eval_steps": 5}])
def test_a_stopped_run_goes_on_with_the_strands_it_would_have_read(tmp_path, save):
    table = write_table(tmp_path / "t.tsv", ("free", "bound"))
    options = {
        "config": TINY | {"hidden_dropout_prob": 0.0},
        "arguments": FAST | save,
        "both_strands": True,
        "optimizer": "muon",
    }
    finetune("random", table, output_dir=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        finetune(
            "random",
            table,
            output_dir=tmp_path / "parts",
            callbacks=[StopInSecondEpoch()],
            **options,
        )
    finetune("random", table, output_dir=tmp_path / "parts", resume=True, **options)
    whole, parts = (load_file(tmp_path / n / "model.safetensors") for n in ("whole", "parts"))
    assert all(whole[name].equal(parts[name]) for name in whole)


def test_calibrated_probabilities_are_those_of_the_model_divided_by_a_temperature(tmp_path):
    """The weights of the last layer carry it, so stock code gives calibrated probabilities too."""
    table = write_table(tmp_path / "d.tsv", ["a", "b", "a", "b"], n_dev=50)
    options = {"config": TINY, "arguments": FAST | {"seed": 1}, "both_strands": True}
    plain = finetune("random", table, output_dir=tmp_path / "plain", **options)
    scaled = finetune("random", table, output_dir=tmp_path / "scaled", calibrate=True, **options)
    report = json.loads((tmp_path / "scaled" / "metrics.json").read_text())["calibration"]
    temperature = report["temperature"]
    before, after = (load_file(each.output_dir / "model.safetensors") for each in (plain, scaled))
    for name, weights in before.items():
        divided = weights / temperature if name.startswith("classifier") else weights
        torch.testing.assert_close(after[name], divided)
    assert temperature != pytest.approx(1, abs=0.01)

    dev = [row.split("\t") for row in table.read_text().splitlines() if row.endswith("\tdev")]
    chosen = {
        each: [
            prediction.probabilities[row[2]]
            for row, prediction in zip(dev, predict(each, [r[1] for r in dev]), strict=True)
        ]
        for each in (plain.output_dir, scaled.output_dir)
    }
    loss = {folder: -np.log(values).mean() for folder, values in chosen.items()}
    assert loss[scaled.output_dir] < loss[plain.output_dir]
    assert report["expected_calibration_error"].keys() == {"validation", "test"}
    assert report["interval"][0] < temperature < report["interval"][1]
    assert (scaled.output_dir / "calibration.png").read_bytes().startswith(b"\x89PNG")
    assert "(calibration.png)" in (scaled.output_dir / "README.md").read_text()
    assert "calibration.png" not in (plain.output_dir / "README.md").read_text()


def test_a_model_that_tells_nothing_is_left_as_it_is(caplog):
    labels = np.array([0, 1] * 30)
    output = SimpleNamespace(predictions=np.array([[1.0, 0.0]] * 60), label_ids=labels)
    trainer = SimpleNamespace(predict=lambda _: output)  # and no model, which is not asked for
    scheme = LabelScheme("single_label_classification", ("a", "b"))
    assert calibrate(trainer, None, scheme) is None
    assert caplog.messages[0].startswith("not calibrated: the best temperature would be 100, the")


def test_few_sequences_are_not_calibrated_by(tmp_path):
    table = write_table(tmp_path / "d.tsv", ["a", "b"], n_dev=49)
    with pytest.raises(ValueError, match=r"needs 50 sequences in the validation split.* found 49"):
        finetune("random", table, output_dir=tmp_path / "m", config=TINY, calibrate=True)
    assert not (tmp_path / "m").exists()


def test_values_cannot_be_calibrated(tmp_path):
    table = write_table(tmp_path / "d.tsv", ["0.5", "1.25", "-3.5", "2.5"])
    with pytest.raises(ValueError, match="calibrate is for classes of sequences, found regression"):
        finetune("random", table, output_dir=tmp_path / "m", config=TINY, calibrate=True)
    assert not (tmp_path / "m").exists()
