"""Batch 4 x accumulation 1 must step exactly as batch 1 x accumulation 4, through the Trainer."""

import pytest
import torch
from datasets import Dataset
from transformers import Trainer, TrainingArguments

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
)
from dnabert_hf.training.finetuning.losses import BalancedLoss

TINY = {
    "k": 3,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.3,
}
IDS = torch.randint(5, 69, (4, 10), generator=torch.Generator().manual_seed(1)).tolist()
# Rows with unequal numbers of labelled tokens: 1, 2, 5 and 8 of 10.
TOKENS = [[5 if i < n else -100 for i in range(10)] for n in (1, 2, 5, 8)]

SEVERAL = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
SEQUENCE_TASKS = {
    "single label": ("single_label_classification", 3, [0, 2, 1, 1]),
    "multi-label": (
        "multi_label_classification",
        2,
        [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]],
    ),
    "regression": ("regression", 1, [0.3, -1.0, 2.0, 0.5]),
    "several targets": ("regression", 2, [[0.3, 1.0], [-1.0, 0.1], [2.0, 0.0], [0.5, 0.5]]),
}


def gradient_of_one_step(make_model, labels, folder, *, batch_size, loss=None):
    """Gradient by parameter of one optimiser step, read back from a step of SGD with rate 1."""
    torch.manual_seed(0)
    model = make_model()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    arguments = TrainingArguments(
        str(folder),
        per_device_train_batch_size=batch_size,
        gradient_accumulation_steps=4 // batch_size,
        max_steps=1,
        optim="sgd",
        learning_rate=1.0,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        use_cpu=True,
        dataloader_pin_memory=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    rows = Dataset.from_dict({"input_ids": IDS, "labels": labels})
    Trainer(model, arguments, train_dataset=rows, compute_loss_func=loss).train()
    return {name: before[name] - value.detach() for name, value in model.named_parameters()}


def assert_accumulation_is_exact(make_model, labels, folder, **options):
    whole, parts = (
        gradient_of_one_step(make_model, labels, folder, batch_size=size, **options)
        for size in (4, 1)
    )
    assert max(float(gradient.abs().max()) for gradient in whole.values()) > 1e-2
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "concat", "gru"])
@pytest.mark.parametrize("task", SEQUENCE_TASKS)
def test_sequence_classification(task, pooling, tmp_path):
    problem_type, num_labels, labels = SEQUENCE_TASKS[task]
    config = DNABertConfig(
        **TINY,
        problem_type=problem_type,
        num_labels=num_labels,
        segment_pooling=pooling,
        num_segments=1,
    )
    assert_accumulation_is_exact(lambda: DNABertForSequenceClassification(config), labels, tmp_path)


@pytest.mark.parametrize("task", ["single label", "multi-label"])
def test_sequence_classification_with_class_weights(task, tmp_path):
    problem_type, num_labels, labels = SEQUENCE_TASKS[task]
    names = tuple(f"class {index}" for index in range(num_labels))
    loss = BalancedLoss.from_labels(
        Dataset.from_dict({"labels": labels}), LabelScheme(problem_type, names)
    )
    config = DNABertConfig(**TINY, problem_type=problem_type, num_labels=num_labels)
    assert_accumulation_is_exact(
        lambda: DNABertForSequenceClassification(config), labels, tmp_path, loss=loss
    )


def test_masked_language_modelling(tmp_path):
    assert_accumulation_is_exact(
        lambda: DNABertForMaskedLM(DNABertConfig(**TINY)), TOKENS, tmp_path
    )


def test_token_classification(tmp_path):
    labels = [[min(label, 2) for label in row] for row in TOKENS]
    config = DNABertConfig(**TINY, num_labels=3)
    assert_accumulation_is_exact(lambda: DNABertForTokenClassification(config), labels, tmp_path)
