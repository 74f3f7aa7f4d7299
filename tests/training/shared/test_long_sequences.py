"""Classifiers of sequences that the encoder takes in pieces, trained end to end."""

import json
import logging

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from dnabert_hf import DNABertConfig, finetune, predict
from dnabert_hf.data.labelled.splits import with_lengths
from dnabert_hf.training.shared.long_sequences import count_pieces, fit_segments

SMALL = {
    "k": 3,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "classifier_dropout": 0.0,
    "token_pooling": "mean",
    "max_position_embeddings": 52,
}
ARGUMENTS = {
    "use_cpu": True,
    "bf16": False,
    "num_train_epochs": 5,
    "learning_rate": 2e-2,
    "per_device_train_batch_size": 8,
}


@pytest.fixture
def table(tmp_path):
    """200 to 230 bases, five pieces of 50 k-mers; only the end tells the classes apart."""
    generator = np.random.default_rng(0)
    rows = ["sequence\tlabel\tsplit"]
    for index in range(40):
        beginning = "".join(generator.choice(list("ACGT"), size=160))
        end = ("A" if index % 2 else "C") * (70 if index == 0 else 42 + index // 4)
        split = "train" if index < 24 else "dev" if index < 32 else "test"
        rows.append(f"{beginning}{end}\t{index % 2}\t{split}")
    (tmp_path / "long.tsv").write_text("\n".join(rows) + "\n")
    return tmp_path / "long.tsv"


@pytest.mark.parametrize("pooling", ["mean", "concat", "lstm", "gru"])
def test_every_pooling_learns_what_lies_beyond_the_first_piece(table, tmp_path, caplog, pooling):
    with caplog.at_level(logging.INFO, logger="dnabert_hf.training"):
        result = finetune(
            "random",
            table,
            output_dir=tmp_path / "out",
            config=SMALL | {"segment_pooling": pooling},
            arguments=ARGUMENTS | {"gradient_checkpointing": True},
        )
    assert result.scores["test"]["accuracy"] == 1
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    if pooling != "concat":
        assert config["num_segments"] is None
        return
    assert config["num_segments"] == 5  # 228 k-mers
    assert "num_segments is set to 5" in caplog.text
    message = r"record 0: a sequence must fit into the 5 pieces .* found 253 bases \(6 pieces\)"
    with pytest.raises(ValueError, match=message):
        predict(tmp_path / "out", ["A" * 253])
    assert predict(tmp_path / "out", ["A" * 252])[0].label in ("0", "1")


def test_checkpointing_keeps_less_and_trains_alike(table, tmp_path):
    for name, checkpointing in (("with", True), ("without", False)):
        finetune(
            "random",
            table,
            output_dir=tmp_path / name,
            config=SMALL,
            arguments=ARGUMENTS
            | {"gradient_checkpointing": checkpointing, "max_steps": 3, "eval_steps": 3},
        )
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("with", "without"))
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-5)

    def kept_bytes(checkpointing):
        model = AutoModelForSequenceClassification.from_config(
            DNABertConfig(**SMALL | {"num_hidden_layers": 6, "max_position_embeddings": 512})
        ).train()
        if checkpointing:
            # The name that transformers gives it since 5.24, or the one before.
            names = ("activation_checkpointing_enable", "gradient_checkpointing_enable")
            getattr(model, next(name for name in names if hasattr(model, name)))()
        sizes = {}  # by address: all layers keep the one attention mask

        def keep(tensor):
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model(torch.randint(5, 60, (2, 2000)), labels=torch.tensor([0, 1]))
        return sum(sizes.values())

    assert kept_bytes(checkpointing=True) < kept_bytes(checkpointing=False) / 2


def test_a_network_without_layers_to_checkpoint_is_refused(table, tmp_path):
    with pytest.raises(ValueError, match="DNABERT encoder to train, found DNACnnForSequence"):
        finetune(
            "cnn",
            table,
            output_dir=tmp_path / "out",
            config={"num_filters": 4},
            arguments={"gradient_checkpointing": True},
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("is_pair", [False, True])
def test_pieces_are_counted_as_the_model_cuts(tiny_config, tokenizer, is_pair):
    tiny_config.max_position_embeddings = 12
    model = AutoModelForSequenceClassification.from_config(tiny_config).eval()
    lengths = [3, 12, 13, 22, 23, 40]
    columns = {"sequence": ["A" * n for n in lengths]}
    if is_pair:
        columns["sequence_b"] = ["C" * n for n in reversed(lengths)]
    splits, _ = with_lengths(DatasetDict(train=Dataset.from_dict(columns)))
    batch = tokenizer(*columns.values(), padding=True, return_tensors="pt")
    with torch.inference_mode():
        _, rows = model.encode(**batch)
    found = count_pieces(splits["train"], tiny_config)
    assert found.tolist() == torch.bincount(rows).tolist()


def test_concat_takes_the_room_of_the_checkpoint_or_the_options():
    splits = DatasetDict(train=Dataset.from_dict({"length": [600]}))
    config = DNABertConfig(k=6, segment_pooling="concat", num_segments=7)
    fit_segments(config, {"segment_pooling": "concat"}, splits)
    assert config.num_segments == 7
    config = DNABertConfig(k=6)
    fit_segments(config, {"segment_pooling": "concat"}, splits)
    assert (config.segment_pooling, config.num_segments) == ("concat", 2)


def test_a_split_without_room_is_named():
    splits = DatasetDict(
        train=Dataset.from_dict({"length": [600]}), test=Dataset.from_dict({"length": [1200]})
    )
    message = "the test split must fit into num_segments = 2 .* of 3 pieces; give num_segments=3"
    with pytest.raises(ValueError, match=message):
        fit_segments(DNABertConfig(k=6), {"segment_pooling": "concat"}, splits)


def test_concat_is_not_a_field_of_other_networks(table, tmp_path):
    with pytest.raises(ValueError, match="config fields must be known by name, got 'segment_pool"):
        finetune("cnn", table, output_dir=tmp_path / "out", config={"segment_pooling": "concat"})
