"""Training arguments: DNABERT's fine-tuning recipe, and every field of transformers on top."""

import argparse
import dataclasses
import math
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import HfArgumentParser, TrainingArguments

from dnabert_hf.metrics.scores import LOWER_IS_BETTER
from dnabert_hf.training.shared.names import check_names

__all__ = [
    "FINE_TUNING_RECIPE",
    "check_arguments",
    "fine_tuning_arguments",
    "has_fast_bf16",
    "parse_arguments",
    "pretraining_arguments",
]

# Set by `finetune` itself, with what to use in their place.
_RESERVED = {
    "output_dir": "output_dir of finetune",
    "metric_for_best_model": "metric of finetune",
    "greater_is_better": "metric of finetune",
    "load_best_model_at_end": "nothing: the best checkpoint is always the one kept",
    "remove_unused_columns": "nothing: the collator picks the columns",
}

# Ji et al. 2021, but for the learning rate, which is a quarter of theirs: from pretrained weights
# 2e-4 is known to end in one class for everything on some sets.
FINE_TUNING_RECIPE: dict[str, Any] = {
    "num_train_epochs": 5,
    "per_device_train_batch_size": 32,
    "per_device_eval_batch_size": 64,
    "learning_rate": 5e-5,
    "warmup_steps": 0.1,  # below 1 means a share of all steps
    "lr_scheduler_type": "linear",
    "weight_decay": 0.01,
    "eval_strategy": "epoch",
    "logging_steps": 0.01,
    "save_total_limit": 2,  # the best and the last
    "report_to": "none",
    "ddp_find_unused_parameters": False,  # every parameter of the classifier is used
}

_RESERVED_IN_PRETRAINING = {
    "output_dir": "output_dir of pretrain",
    "remove_unused_columns": "nothing: the data set gives what the model takes",
    "include_num_input_tokens_seen": "nothing: tokens are always counted",
    "load_best_model_at_end": "nothing: the last checkpoint is the one kept",
}

_PRETRAINING: dict[str, Any] = {
    "eval_strategy": "steps",
    "eval_steps": 0.1,
    "save_strategy": "steps",
    "save_steps": 0.1,
    "save_total_limit": 1,
    "logging_steps": 0.005,
    "report_to": "none",
    "dataloader_drop_last": True,
    "ddp_find_unused_parameters": False,
}


# Old names that transformers still takes, with a warning, for what it calls otherwise since 5.24.
_RENAMED = {
    "gradient_checkpointing": "activation_checkpointing",
    "gradient_checkpointing_kwargs": "activation_checkpointing_kwargs",
}


# What the Trainer takes in silence: training that is none, or that ends in NaN.
_RANGES = {
    "learning_rate": (1e-12, 1),
    "num_train_epochs": (1e-6, 1e6),
    "max_steps": (1, 2**31 - 1),
    "per_device_train_batch_size": (1, 2**31 - 1),
    "per_device_eval_batch_size": (1, 2**31 - 1),
    "gradient_accumulation_steps": (1, 2**31 - 1),
    "seed": (0, 2**32 - 1),
    "warmup_steps": (0, 2**31 - 1),
    "weight_decay": (0, 10),
}


def fine_tuning_arguments(
    checkpoints: str | Path,
    overrides: Mapping[str, Any],
    *,
    metric: str,
    recipe: Mapping[str, Any],
    varies_in_length: bool,
) -> TrainingArguments:
    """Complete the recipe of fine-tuning with what the user asks for and the machine can do.

    Args:
        checkpoints: Folder for checkpoints.
        overrides: Fields of `transformers.TrainingArguments`.
        metric: Metric of the validation set by which the best checkpoint is chosen.
        recipe: Fields in which the model departs from DNABERT's recipe, such as the learning rate.
        varies_in_length: Whether sequences differ in length, so that batches of like lengths save
            padding.

    Returns:
        Arguments for the Trainer.

    Raises:
        ValueError: If a field is not known, not free to choose, or contradicts another.
    """
    overrides = check_arguments(overrides)
    chosen = FINE_TUNING_RECIPE | _suited_to_machine(on_cpu=bool(overrides.get("use_cpu")))
    chosen |= _checked(recipe, _RESERVED) | overrides
    if overrides.get("fp16") and "bf16" not in overrides:
        chosen["bf16"] = False
    if varies_in_length:
        chosen = {"train_sampling_strategy": "group_by_length"} | chosen
    # Checkpoints to choose from exist only where the model was evaluated.
    chosen.setdefault("save_strategy", chosen["eval_strategy"])
    if "eval_steps" in chosen:
        chosen.setdefault("save_steps", chosen["eval_steps"])
    return TrainingArguments(
        output_dir=str(checkpoints),
        metric_for_best_model=metric,
        greater_is_better=metric not in LOWER_IS_BETTER,
        load_best_model_at_end=True,
        remove_unused_columns=False,
        **chosen,
    )


def pretraining_arguments(
    checkpoints: str | Path,
    overrides: Mapping[str, Any],
    *,
    recipe: Mapping[str, Any],
) -> TrainingArguments:
    """Complete a recipe of pretraining with what the user asks for and the machine can do.

    Args:
        checkpoints: Folder for checkpoints.
        overrides: Fields of `transformers.TrainingArguments`.
        recipe: Fields that hold where `overrides` says nothing.

    Returns:
        Arguments for the Trainer.

    Raises:
        ValueError: If a field is not known, not free to choose, or contradicts another.
    """
    overrides = _checked(overrides, _RESERVED_IN_PRETRAINING)
    recipe = dict(recipe)
    if "num_train_epochs" in overrides and "max_steps" not in overrides:
        recipe.pop("max_steps", None)
    kwargs = recipe.get("lr_scheduler_kwargs", {})
    if "learning_rate" in overrides and "lr_end" in kwargs:  # the schedule keeps its shape
        ratio = overrides["learning_rate"] / recipe["learning_rate"]
        recipe["lr_scheduler_kwargs"] = kwargs | {"lr_end": kwargs["lr_end"] * ratio}
    defaults = _PRETRAINING | recipe | _suited_to_machine(on_cpu=bool(overrides.get("use_cpu")))
    chosen = defaults | dict(overrides)
    if overrides.get("fp16") and "bf16" not in overrides:
        chosen["bf16"] = False
    return TrainingArguments(
        output_dir=str(checkpoints),
        remove_unused_columns=False,
        include_num_input_tokens_seen="non_padding",
        **chosen,
    )


def check_arguments(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse what cannot be arguments of fine-tuning, and give those a newer name has to theirs.

    Args:
        overrides: Fields of `transformers.TrainingArguments`.

    Raises:
        ValueError: If a field is not known, not free to choose or out of range.
    """
    return _checked(overrides, _RESERVED)


def _checked(overrides: Mapping[str, Any], reserved: Mapping[str, str]) -> dict[str, Any]:
    """Refuse fields that are unknown or not free, and give those a newer name has to theirs."""
    fields = [f.name for f in dataclasses.fields(TrainingArguments)]
    check_names(overrides, fields, "arguments")
    for name in overrides:
        if name in reserved:
            raise ValueError(f"arguments must leave out {name!r}; use {reserved[name]}")
    for name, (least, most) in _RANGES.items():
        value = overrides.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if name == "max_steps" and value == -1:  # transformers' own: epochs count
            continue
        if not least <= value <= most:
            raise ValueError(f"{name} must be from {least:g} to {most:g}, got {value}")
    return {
        new if (new := _RENAMED.get(name)) in fields else name: value
        for name, value in overrides.items()
    }


def has_fast_bf16(*, on_cpu: bool) -> bool:
    """Find out whether training in bfloat16 is fast on this machine.

    Args:
        on_cpu: Whether training is to use the CPU although there may be an accelerator.
    """
    if torch.accelerator.is_available() and not on_cpu:
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    # Without tiles (AMX), the mini model trains 1.5 times and the base model 1.9 times as fast on
    # AVX-512 with bfloat16 (benchmarks/results/pretraining.md).
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def _suited_to_machine(*, on_cpu: bool) -> dict[str, Any]:
    has_accelerator = torch.accelerator.is_available() and not on_cpu
    return {
        "use_cpu": not has_accelerator,
        "bf16": has_fast_bf16(on_cpu=on_cpu),
        "dataloader_pin_memory": has_accelerator,
        "disable_tqdm": not sys.stderr.isatty(),
    }


def parse_arguments(assignments: Iterable[str]) -> dict[str, Any]:
    """Read fields of `transformers.TrainingArguments` written as `name=value`.

    Args:
        assignments: Texts such as "learning_rate=1e-4" and "bf16=true".

    Returns:
        The values by name, of the types that the fields have.

    Raises:
        ValueError: If there is no "=", a name is not known, or a value has the wrong type.

    Example:
        >>> parse_arguments(["learning_rate=1e-4", "bf16=true", "eval_strategy=steps"])
        {'learning_rate': 0.0001, 'bf16': True, 'eval_strategy': 'steps'}
    """
    texts = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ValueError(f"an argument must be written name=value, got {assignment!r}")
        texts[name.strip().replace("-", "_")] = value.strip()
    check_names(texts, [f.name for f in dataclasses.fields(TrainingArguments)], "arguments")
    fields: Any = TrainingArguments
    parser = HfArgumentParser(fields, exit_on_error=False, allow_abbrev=False)
    try:
        parsed = parser.parse_args([f"--{name}={value}" for name, value in texts.items()])
    except (argparse.ArgumentError, argparse.ArgumentTypeError) as error:
        raise ValueError(f"arguments must have the type of their field: {error}") from error
    values = {name: getattr(parsed, name) for name in texts}
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {texts[name]}")
    return values
