"""A frozen encoder: its embeddings are computed once, and the saved model is an ordinary one."""

import json
import logging
from collections import Counter

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainerCallback,
)

from dnabert_hf import DNABertModel, evaluate, finetune, predict
from dnabert_hf.modeling.modeling_dnabert import DNABertForSequenceClassification
from dnabert_hf.training.finetuning import frozen_encoder

EXACT = {"use_cpu": True, "bf16": False, "num_train_epochs": 3, "learning_rate": 2e-2}


@pytest.fixture
def start(tiny_config, tokenizer, tmp_path):
    """A checkpoint without a head, which takes 10 k-mers at once."""
    tiny_config.max_position_embeddings = 12
    DNABertModel(tiny_config).save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    return tmp_path / "start"


@pytest.fixture
def table(tmp_path):
    """C-rich against A-rich, of 8 to 32 bases: one to three pieces of 10 k-mers."""
    generator = np.random.default_rng(0)
    rows = ["id\tsequence\tlabel\tsplit"]
    for index in range(60):
        chances = [0.04, 0.8, 0.08, 0.08] if index % 2 else [0.8, 0.04, 0.08, 0.08]
        letters = generator.choice(list("ACGT"), size=8 + index % 25, p=chances)
        split = "train" if index < 40 else "dev" if index < 50 else "test"
        rows.append(f"s{index}\t{''.join(letters)}\t{['free', 'bound'][index % 2]}\t{split}")
    (tmp_path / "data.tsv").write_text("\n".join(rows) + "\n")
    return tmp_path / "data.tsv"


def rows_of(table, split):
    lines = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    return [line for line in lines if line[3] == split]


@pytest.mark.parametrize("token_pooling", ["mean", "cls"])
@pytest.mark.parametrize("segment_pooling", ["mean", "concat", "lstm", "gru"])
def test_saved_logits_are_those_of_the_head_on_the_embeddings(
    start, table, tmp_path, segment_pooling, token_pooling
):
    config = {"segment_pooling": segment_pooling, "token_pooling": token_pooling}
    finetune(
        start,
        table,
        output_dir=tmp_path / "out",
        config=config,
        freeze=tmp_path / "kept",
        arguments=EXACT,
    )
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    test = rows_of(table, "test")
    # The file of the split with as many pieces as the test sequences have.
    n_pieces = [max(1, -(-(len(row[1]) - 2) // 10)) for row in test]
    files = [path for path in (tmp_path / "kept").glob("*.npy") if ".done." not in path.name]
    (vectors,) = [v for v in map(np.load, files) if len(v) == sum(n_pieces)]
    with torch.inference_mode():
        pooled = torch.tanh(model.bert.pooler.dense(torch.from_numpy(vectors)))
        rows = torch.repeat_interleave(torch.arange(len(test)), torch.tensor(n_pieces))
        expected = model.classify(pooled, rows)
        batch = tokenizer([row[1] for row in test], padding=True, return_tensors="pt")
        found = model(**batch).logits
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    written = (tmp_path / "out" / "predictions.tsv").read_text().splitlines()[1:]
    probabilities = [float(line.split("\t")[3]) for line in written]
    assert probabilities == pytest.approx(expected.softmax(dim=1)[:, 0].tolist(), abs=1e-4)


def test_the_encoder_keeps_its_bytes_and_the_head_learns(start, table, tmp_path):
    arguments = EXACT | {"num_train_epochs": 20}
    result = finetune(
        start,
        table,
        output_dir=tmp_path / "out",
        config={"token_pooling": "mean"},
        freeze=True,
        arguments=arguments,
    )
    before = load_file(start / "model.safetensors")
    after = load_file(tmp_path / "out" / "model.safetensors")
    encoder = {name for name in before if not name.startswith("pooler.")}
    assert {f"bert.{name}" for name in encoder} == {
        name for name in after if not name.startswith(("bert.pooler.", "classifier."))
    }
    for name in encoder:
        assert after[f"bert.{name}"].numpy().tobytes() == before[name].numpy().tobytes()
    assert not after["bert.pooler.dense.weight"].equal(before["pooler.dense.weight"])
    assert result.scores["test"]["accuracy"] == 1
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"metrics.json", "predictions.tsv"} <= names
    assert not {"checkpoints", "embeddings"} & names
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (report["freeze"], report["splits"]["train"]["sequences"]) == (True, 40)
    again = evaluate(tmp_path / "out", table, split="test", dtype="float32").scores
    assert again["accuracy"] == 1
    assert predict(tmp_path / "out", ["CCCCCCCCCCCCCCC"])[0].label == "bound"


def test_the_defaults_are_those_of_a_head(start, table, tmp_path):
    finetune(
        start, table, output_dir=tmp_path / "out", freeze=True, arguments={"num_train_epochs": 1}
    )
    report = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (report["learning_rate"], report["bf16"]) == (3e-3, False)


class Counted:
    """Counts the batches that an encoder embeds, and stops at one of them."""

    def __init__(self, monkeypatch, stop_at=None):
        self.calls = 0
        encode = DNABertForSequenceClassification.encode

        def counted(model, *args, **kwargs):
            if self.calls == stop_at:
                raise KeyboardInterrupt
            self.calls += 1
            return encode(model, *args, **kwargs)

        monkeypatch.setattr(DNABertForSequenceClassification, "encode", counted)


def test_a_stop_while_embedding_loses_no_batch(start, table, tmp_path, monkeypatch):
    monkeypatch.setattr(frozen_encoder, "_BATCH_TOKENS", 100)
    options = {"freeze": True, "arguments": EXACT}
    with monkeypatch.context() as patch:
        whole = Counted(patch)
        finetune(start, table, output_dir=tmp_path / "whole", **options)
    assert whole.calls > 8
    with monkeypatch.context() as patch:
        Counted(patch, stop_at=5)
        with pytest.raises(KeyboardInterrupt, match=r"while the train split was embedded.*resume"):
            finetune(start, table, output_dir=tmp_path / "parts", **options)
    rest = Counted(monkeypatch)
    finetune(start, table, output_dir=tmp_path / "parts", resume=True, **options)
    assert rest.calls == whole.calls - 5
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(a[name].equal(b[name]) for name in a)


class StopInSecondEpoch(TrainerCallback):
    def on_step_begin(self, args, state, control, **kwargs):
        if state.epoch > 1:
            raise KeyboardInterrupt


def test_a_stop_while_the_head_learns_embeds_nothing_again(start, table, tmp_path, monkeypatch):
    options = {"freeze": True, "arguments": EXACT}
    finetune(start, table, output_dir=tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt, match="checkpoint-2 is kept"):
        finetune(
            start, table, output_dir=tmp_path / "parts", callbacks=[StopInSecondEpoch()], **options
        )
    again = Counted(monkeypatch)
    finetune(start, table, output_dir=tmp_path / "parts", resume=True, **options)
    assert again.calls == 0
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(a[name].equal(b[name]) for name in a)


def test_pairs_with_class_weights(start, tmp_path):
    rows = ["sequence\tsequence_b\tlabel\tsplit"]
    for index in range(48):
        first, second = "AC"[index & 1], "AC"[index >> 1 & 1]
        split = "train" if index < 32 else "dev" if index < 40 else "test"
        rows.append(f"G{first * 8}\tG{second * 6}\t{int(second == 'C')}\t{split}")
    (tmp_path / "pairs.tsv").write_text("\n".join(rows) + "\n")
    result = finetune(
        start,
        tmp_path / "pairs.tsv",
        output_dir=tmp_path / "out",
        freeze=True,
        class_weights=True,
        arguments=EXACT | {"num_train_epochs": 20},
    )
    assert result.scores["test"]["accuracy"] == 1


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("random", {}, "a frozen encoder must have been pretrained, got 'random'"),
        ("cnn", {}, "a frozen encoder must have been pretrained, got 'cnn'"),
        (None, {"lora": 2}, "either frozen or changed by adapters, got both freeze and lora"),
        (
            None,
            {"arguments": {"gradient_checkpointing": True}},
            "must have a DNABERT encoder to train, found a frozen one",
        ),
    ],
)
def test_what_cannot_be_frozen_is_refused(start, table, tmp_path, model, changes, message):
    with pytest.raises(ValueError, match=message):
        finetune(model or start, table, output_dir=tmp_path / "out", freeze=True, **changes)
    assert not (tmp_path / "out").exists()


def test_embeddings_serve_runs_of_the_same_encoder_and_sequences(
    start, table, tmp_path, monkeypatch, caplog
):
    counted = Counted(monkeypatch)
    calls = Counter()
    for name, arguments in (("a", EXACT), ("b", EXACT | {"learning_rate": 1e-3})):
        with caplog.at_level(logging.WARNING):
            finetune(
                start,
                table,
                output_dir=tmp_path / name,
                freeze=tmp_path / "kept",
                arguments=arguments,
            )
        calls[name] = counted.calls
    assert calls["a"] == calls["b"] == 3  # a batch for each split
