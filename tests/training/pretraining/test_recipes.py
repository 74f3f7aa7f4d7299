import dataclasses

import pytest
import torch
from torch.optim import SGD
from transformers import TrainingArguments, get_scheduler

from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import DNABertForMaskedLM
from dnabert_hf.training.pretraining.recipes import PRESETS


def test_the_paper_has_the_published_recipe():
    paper = PRESETS["paper"]
    config = DNABertConfig(**paper.config)
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (
        12,
        768,
        12,
    )
    assert (config.intermediate_size, config.hidden_dropout_prob) == (3072, 0.1)
    assert config.attention_probs_dropout_prob == 0.1
    arguments = paper.arguments
    sequences = arguments["per_device_train_batch_size"] * arguments["gradient_accumulation_steps"]
    assert (sequences, arguments["max_steps"]) == (2000, 120_000)
    assert (arguments["adam_beta1"], arguments["adam_beta2"]) == (0.9, 0.98)
    assert (arguments["adam_epsilon"], arguments["weight_decay"]) == (1e-6, 0.01)
    assert arguments["max_grad_norm"] == 1.0
    assert (paper.masking, paper.mlm_probability, paper.late_mlm_probability) == (
        "published",
        0.15,
        0.2,
    )
    assert (paper.segments, paper.max_tokens) == ("both", 510)
    assert (paper.per_span, paper.reverse_complement, paper.weights) == (False, False, "normal")


def test_the_learning_rate_of_the_paper_falls_to_zero_at_step_200_000(tmp_path):
    arguments = TrainingArguments(str(tmp_path), use_cpu=True, **PRESETS["paper"].arguments)
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=arguments.learning_rate)
    scheduler = get_scheduler(
        arguments.lr_scheduler_type,
        optimizer,
        num_warmup_steps=arguments.get_warmup_steps(arguments.max_steps),
        num_training_steps=arguments.max_steps,
        scheduler_specific_kwargs=arguments.lr_scheduler_kwargs,
    )
    (rate,) = scheduler.lr_lambdas
    # Warm-up over 10,000 steps to 4e-4, then a straight line: (200,000 - step) / 190,000 of it.
    for step, share in (
        (0, 0),
        (5000, 0.5),
        (10_000, 1),
        (105_000, 0.5),
        (119_999, 80_001 / 190_000),
    ):
        assert rate(step) == pytest.approx(share)


@pytest.mark.parametrize(
    ("name", "layers", "hidden", "n_parameters"),
    [
        ("base", 12, 768, 89_787_141 - 590_592),  # DNABERT's with the head, less its pooler
        ("small", 6, 512, 21_545_989),
        ("mini", 4, 256, 4_411_397),
    ],
)
def test_models_have_the_sizes_of_their_names(name, layers, hidden, n_parameters):
    config = DNABertConfig(**PRESETS[name].config)
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0
    with torch.device("meta"):
        model = DNABertForMaskedLM(config)
    assert sum(parameter.numel() for parameter in model.parameters()) == n_parameters
    # Words, positions, types and their norm; layers; and the head, whose matrix is that of words.
    embeddings = (4101 + 512 + 2 + 2) * hidden
    head = hidden**2 + 3 * hidden + 4101
    assert embeddings + layers * (12 * hidden**2 + 13 * hidden) + head == n_parameters


@pytest.mark.parametrize("name", ["base", "small", "mini"])
def test_smaller_recipes_read_the_genome_once_without_leaks(name):
    recipe = PRESETS[name]
    assert recipe.arguments["num_train_epochs"] == 1
    assert (recipe.per_span, recipe.weights, recipe.reverse_complement) == (
        True,
        "structured",
        True,
    )


@pytest.mark.parametrize("name", PRESETS)
def test_every_field_is_one_of_its_class(name):
    recipe = PRESETS[name]
    assert set(recipe.config) <= {field.name for field in dataclasses.fields(DNABertConfig)}
    assert set(recipe.arguments) <= {field.name for field in dataclasses.fields(TrainingArguments)}
