import pytest
import torch

from dnabert_hf.checkpoints import checkpoint
from dnabert_hf.training.pretraining.recipes import PRESETS
from dnabert_hf.training.shared.arguments import (
    fine_tuning_arguments,
    parse_arguments,
    pretraining_arguments,
)
from dnabert_hf.training.shared.initialisation import load_classifier_config, recipe_of


def make(tmp_path, overrides=None, **changes):
    options = {"metric": "mcc", "recipe": {}, "varies_in_length": False} | changes
    return fine_tuning_arguments(tmp_path / "checkpoints", overrides or {}, **options)


def test_the_recipe_is_that_of_dnabert(tmp_path):
    arguments = make(tmp_path)
    assert arguments.optim == "adamw_torch_fused" or arguments.optim.startswith("adamw")
    assert (arguments.warmup_steps, arguments.lr_scheduler_type) == (0.1, "linear")
    assert (arguments.weight_decay, arguments.per_device_train_batch_size) == (0.01, 32)
    assert (arguments.num_train_epochs, arguments.learning_rate) == (5, 5e-5)
    assert arguments.eval_strategy == arguments.save_strategy == "epoch"
    assert arguments.load_best_model_at_end
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("name", "hidden_size", "rate"),
    [
        ("random", 768, 2e-4),
        ("random", 256, 1e-3),
        ("cnn", None, 1e-3),
        ("cnn-gru", None, 1e-3),
        (checkpoint("dnabert-6-mini"), None, 1e-3),
    ],
)
def test_random_weights_and_small_models_learn_faster_unless_told_otherwise(
    tmp_path, name, hidden_size, rate
):
    fields = {} if hidden_size is None else {"hidden_size": hidden_size, "num_attention_heads": 4}
    recipe = recipe_of(name, load_classifier_config(name, fields))
    assert make(tmp_path, recipe=recipe).learning_rate == rate
    assert make(tmp_path, {"learning_rate": 1e-5}, recipe=recipe).learning_rate == 1e-5


def test_sequences_of_different_lengths_are_grouped(tmp_path):
    assert make(tmp_path).train_sampling_strategy == "random"
    assert make(tmp_path, varies_in_length=True).train_sampling_strategy == "group_by_length"


def test_checkpoints_are_saved_when_the_model_is_evaluated(tmp_path):
    arguments = make(tmp_path, {"eval_strategy": "steps", "eval_steps": 7})
    assert (arguments.save_strategy, arguments.save_steps) == ("steps", 7)


@pytest.mark.parametrize(("metric", "greater"), [("mcc", True), ("rmse", False), ("loss", False)])
def test_the_best_checkpoint_has_the_greatest_score_or_the_least_error(tmp_path, metric, greater):
    assert make(tmp_path, metric=metric).greater_is_better is greater


def test_fp16_takes_the_place_of_bf16(tmp_path):
    assert not make(tmp_path, {"fp16": True, "use_cpu": True}).bf16


def test_bf16_is_used_where_the_cpu_multiplies_it_faster(tmp_path):
    is_fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    assert make(tmp_path, {"use_cpu": True}).bf16 is is_fast


def test_a_misspelt_argument_is_answered_with_the_closest(tmp_path):
    with pytest.raises(ValueError, match=r"got 'learning_rat'; did you mean learning_rate"):
        make(tmp_path, {"learning_rat": 1})


@pytest.mark.parametrize("name", ["output_dir", "metric_for_best_model"])
def test_what_finetune_decides_itself_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f"arguments must leave out '{name}'; use"):
        make(tmp_path, {name: "x"})


def make_pretraining(tmp_path, overrides=None, recipe=None):
    recipe = PRESETS["paper"].arguments if recipe is None else recipe
    return pretraining_arguments(tmp_path / "checkpoints", overrides or {}, recipe=recipe)


def test_pretraining_follows_the_recipe_unless_told_otherwise(tmp_path):
    arguments = make_pretraining(
        tmp_path, {"learning_rate": 3e-4, "gradient_accumulation_steps": 5}
    )
    assert (arguments.adam_beta2, arguments.warmup_steps) == (0.98, 10_000)
    assert (arguments.max_steps, arguments.per_device_train_batch_size) == (120_000, 10)
    assert (arguments.learning_rate, arguments.gradient_accumulation_steps) == (3e-4, 5)
    assert arguments.include_num_input_tokens_seen == "non_padding"
    assert not arguments.remove_unused_columns
    assert not (tmp_path / "checkpoints").exists()


def test_pretraining_saves_and_scores_ten_times(tmp_path):
    arguments = make_pretraining(tmp_path)
    assert (arguments.eval_strategy, arguments.eval_steps) == ("steps", 0.1)
    assert (arguments.save_strategy, arguments.save_steps) == ("steps", 0.1)
    assert (arguments.save_total_limit, arguments.report_to) == (1, [])
    assert make_pretraining(tmp_path, {"save_steps": 7, "eval_strategy": "no"}).save_steps == 7


def test_passes_asked_for_take_the_place_of_the_steps_of_a_recipe(tmp_path):
    assert make_pretraining(tmp_path, {"num_train_epochs": 2}).max_steps == -1
    both = make_pretraining(tmp_path, {"num_train_epochs": 2, "max_steps": 9})
    assert both.max_steps == 9
    assert make_pretraining(tmp_path, {"max_steps": 9}, PRESETS["mini"].arguments).max_steps == 9


def test_pretraining_is_in_16_bits_where_the_machine_is_made_for_it(tmp_path):
    is_fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    assert make_pretraining(tmp_path, {"use_cpu": True}).bf16 is is_fast
    assert not make_pretraining(tmp_path, {"fp16": True, "use_cpu": True}).bf16
    assert make_pretraining(tmp_path, {"bf16": True, "use_cpu": True}).bf16


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("output_dir", "output_dir of pretrain"),
        ("remove_unused_columns", "nothing: the data set"),
        ("include_num_input_tokens_seen", "nothing: tokens are always counted"),
        ("load_best_model_at_end", "nothing: the last checkpoint"),
    ],
)
def test_what_pretrain_decides_itself_is_refused(tmp_path, name, remedy):
    with pytest.raises(ValueError, match=f"arguments must leave out '{name}'; use {remedy}"):
        make_pretraining(tmp_path, {name: "x"})
    with pytest.raises(ValueError, match="got 'learning_rat'; did you mean learning_rate"):
        make_pretraining(tmp_path, {"learning_rat": 1})


def test_texts_get_the_types_of_their_fields():
    texts = ["learning-rate=1e-3", "num_train_epochs=2", "bf16=False", "lr_scheduler_type=cosine"]
    assert parse_arguments(texts) == {
        "learning_rate": 1e-3,
        "num_train_epochs": 2.0,
        "bf16": False,
        "lr_scheduler_type": "cosine",
    }
    assert parse_arguments([]) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "must be written name=value, got 'seed'"),
        ("sed=1", "got 'sed'; did you mean seed"),
        ("zzzz=1", "got 'zzzz'; remove it"),
        ("learning_rate=fast", "type of their field: .*learning_rate.*fast"),
        ("bf16=perhaps", "type of their field: .*perhaps"),
    ],
)
def test_texts_that_cannot_be_read_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_arguments([text])


def test_the_published_decay_keeps_its_shape_at_another_learning_rate(tmp_path):
    recipe = PRESETS["paper"].arguments
    training = pretraining_arguments(tmp_path, {"learning_rate": 1e-4}, recipe=recipe)
    assert training.lr_scheduler_kwargs["lr_end"] == pytest.approx(1e-4 * 80 / 190)
    assert recipe["lr_scheduler_kwargs"]["lr_end"] == pytest.approx(4e-4 * 80 / 190)


@pytest.mark.parametrize(
    "overrides",
    [
        {"num_train_epochs": 0},
        {"num_train_epochs": float("nan")},
        {"max_steps": 0},
        {"learning_rate": 0.0},
        {"learning_rate": 1e20},
        {"per_device_train_batch_size": 0},
        {"seed": -1},
    ],
)
def test_numbers_that_train_nothing_are_refused(tmp_path, overrides):
    (name,) = overrides
    for make in (
        lambda: fine_tuning_arguments(
            tmp_path, overrides, metric="mcc", recipe={}, varies_in_length=False
        ),
        lambda: pretraining_arguments(tmp_path, overrides, recipe={}),
    ):
        with pytest.raises(ValueError, match=rf"{name} must be from \S+ to \S+, got"):
            make()
