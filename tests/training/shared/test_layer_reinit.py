"""Layers at the top of a checkpoint re-initialised before fine-tuning."""

import pytest
import torch
from transformers import TrainerCallback

from dnabert_hf import DNABertForSequenceClassification, DNABertModel, finetune
from dnabert_hf.training.shared.layer_reinit import reinitialise_top_layers


@pytest.fixture
def start(tiny_config, tokenizer, tmp_path):
    model = DNABertModel(tiny_config)
    for parameter in model.parameters():  # nothing that could be taken for BERT's start
        torch.nn.init.constant_(parameter, 0.5)
    model.save_pretrained(tmp_path / "start")
    tokenizer.save_pretrained(tmp_path / "start")
    return tmp_path / "start"


@pytest.fixture
def table(tmp_path):
    lines = [f"{'ACGTTGCA' * 2 if i % 2 else 'TTTTACGG' * 2}\t{i % 2}" for i in range(40)]
    (tmp_path / "data.tsv").write_text("sequence\tlabel\n" + "\n".join(lines) + "\n")
    return tmp_path / "data.tsv"


def is_constant(layer):
    return all(bool((parameter == 0.5).all()) for parameter in layer.parameters())


def test_only_the_last_layers_are_reinitialised(tiny_config):
    model = DNABertForSequenceClassification(tiny_config)
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, 0.5)
    reinitialise_top_layers(model, 1)
    lower, upper = model.bert.encoder.layer
    assert is_constant(lower)
    assert is_constant(model.bert.embeddings)
    weights = upper.intermediate.dense.weight
    assert weights.std().item() == pytest.approx(0.02, rel=0.1)
    assert abs(weights.mean().item()) < 0.002
    assert bool((upper.output.dense.bias == 0).all())
    assert bool((upper.output.LayerNorm.weight == 1).all())


def test_fine_tuning_starts_from_the_lower_layers_alone(start, table, tmp_path):
    class Look(TrainerCallback):
        def on_train_begin(self, args, state, control, model=None, **_):
            self.found = [is_constant(layer) for layer in model.bert.encoder.layer]

    look = Look()
    finetune(
        start,
        table,
        output_dir=tmp_path / "run",
        reinitialise_layers=1,
        arguments={"use_cpu": True, "max_steps": 1, "eval_strategy": "no"},
        callbacks=[look],
    )
    assert look.found == [True, False]


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("start", {"reinitialise_layers": 3}, r"must be from 0 to 2, .* got 3"),
        ("start", {"reinitialise_layers": -1}, r"must be from 0 to 2, .* got -1"),
        ("start", {"reinitialise_layers": 1, "freeze": True}, "must be trained"),
        ("random", {"reinitialise_layers": 1}, "starts from a checkpoint, got random weights"),
    ],
)
def test_what_cannot_be_reinitialised_is_refused(start, table, tmp_path, model, options, message):
    model = start if model == "start" else model
    with pytest.raises(ValueError, match=message):
        finetune(model, table, output_dir=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
