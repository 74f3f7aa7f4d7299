"""Start of training: a checkpoint or random weights, and the tokenizer that goes with it."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedTokenizerBase
from transformers.activations import ACT2FN

from dnabert_hf.checkpoints.hub import check_reachable, is_repository
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.files.weights import check_settings, quiet_transformers, readable_weights
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertPreTrainedModel,
)
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
from dnabert_hf.training.shared.cnn import DNACnnConfig, DNACnnForSequenceClassification
from dnabert_hf.training.shared.names import NETWORKS, RANDOM, check_names

__all__ = [
    "RANDOM",
    "STARTS",
    "Start",
    "build_classifier",
    "choose_attention",
    "is_small",
    "load_classifier_config",
    "load_config",
    "load_tokenizer",
    "passes_of_small",
    "recipe_of",
]


class Start(NamedTuple):
    """Random weights that fine-tuning may start from.

    Attributes:
        config_class: Class of the configuration.
        model_class: Class of the classifier.
        fields: Fields of the configuration that the name of the start stands for.
        recipe: Training arguments in which it departs from the recipe of fine-tuning, apart from
            what the size of a model asks for.
    """

    config_class: type[DNABertConfig] | type[DNACnnConfig]
    model_class: type[DNABertForSequenceClassification] | type[DNACnnForSequenceClassification]
    fields: Mapping[str, Any]
    recipe: Mapping[str, Any]


STARTS = {RANDOM: Start(DNABertConfig, DNABertForSequenceClassification, {}, {})} | {
    name: Start(
        DNACnnConfig,
        DNACnnForSequenceClassification,
        {"architecture": name},
        # They need more passes than a pretrained model to learn anything from 1,000 sequences, and
        # a pass costs little. In bfloat16 the CNN learns nothing (ChIP-seq of GABPA: MCC 0.04
        # against 0.69).
        {"learning_rate": 1e-3, "num_train_epochs": 20, "bf16": False},
    )
    for name in NETWORKS
}

_FIELDS = "config fields"

_SMALL = 512  # widest model that the defaults of small ones are for
_SHORT, _MANY, _LEAST_STEPS = 200, 3000, 150  # bases, sequences, steps
_PRETRAINED_RATE, _RANDOM_RATE = 5e-5, 2e-4  # learning rates of a model of BERT's size, 768 wide
_HIGHEST_RATE = 1e-3
# Goes through 5e-5 at 768 and 1e-3 at 256, the best of dnabert-6-mini.
_RATE_EXPONENT = 2.73


def load_classifier_config(
    model: str | Path, overrides: Mapping[str, Any]
) -> DNABertConfig | DNACnnConfig:
    """Read the configuration of a checkpoint, or make one for one of `STARTS`.

    Args:
        model: Folder or Hub repository of a checkpoint, or a name among `STARTS`.
        overrides: Fields of the configuration to set.

    Raises:
        ValueError: As in `load_config`, or if an override contradicts the name or makes no network.
    """
    if model == RANDOM or model not in STARTS:
        return load_config(model, overrides)
    start = STARTS[str(model)]
    check_names(overrides, [f.name for f in dataclasses.fields(start.config_class)], _FIELDS)
    for name, value in start.fields.items():
        if overrides.get(name, value) != value:
            raise ValueError(
                f"{model}: {name} must be {value!r}, as the name says, got {overrides[name]!r}; "
                "leave it out"
            )
    with _one_error(model):
        return start.config_class(**(dict(start.fields) | dict(overrides)))


class _ImpossibleError(Exception):
    """Fields that a configuration takes, since it may be filled in step by step, but no network."""


def _checked(config: DNABertConfig) -> DNABertConfig:
    """Refuse fields of BERT that make no network; modules would, after the data have been read."""
    for name in ("hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size"):
        if (size := getattr(config, name)) < 1:
            raise _ImpossibleError(f"{name} must be 1 or more, got {size}")
    if config.hidden_size % config.num_attention_heads:
        raise _ImpossibleError(
            f"hidden_size must be a multiple of num_attention_heads, got {config.hidden_size} with "
            f"{config.num_attention_heads} heads; change one of them"
        )
    if isinstance(config.hidden_act, str) and config.hidden_act not in ACT2FN:
        raise _ImpossibleError(
            f"hidden_act must be an activation of transformers, {', '.join(sorted(ACT2FN))}, got "
            f"{config.hidden_act!r}"
        )
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"):
        share = getattr(config, name)
        if share is not None and not 0 <= share <= 1:
            raise _ImpossibleError(f"{name} must be from 0 to 1, got {share}")
    return config


@contextmanager
def _one_error(model: str | Path) -> Iterator[None]:
    """Turn what a configuration has against its fields into one sentence."""
    try:
        yield
    # What transformers' own fields, such as dtype and id2label, raise where they are no such thing.
    except (StrictDataclassError, AttributeError, TypeError, _ImpossibleError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"{model}: config fields must make a network: {reason}") from error


def load_config(model: str | Path, overrides: Mapping[str, Any]) -> DNABertConfig:
    """Read the configuration of a checkpoint, or make one for random weights.

    Args:
        model: Folder or Hub repository of a checkpoint, or "random".
        overrides: Fields of `DNABertConfig` to set.

    Raises:
        ValueError: If there is no checkpoint, it is none of DNABERT, or an override is not known
            or contradicts it.
    """
    check_names(overrides, [f.name for f in dataclasses.fields(DNABertConfig)], _FIELDS)
    if model == RANDOM:
        with _one_error(model):
            return _checked(DNABertConfig(**overrides))
    if Path(model).is_dir() and not (Path(model) / "config.json").is_file():
        raise ValueError(
            f"{model}: a checkpoint folder must hold config.json, found none; name the folder that "
            "save_pretrained or dnabert finetune wrote"
        )
    check_settings(model)
    if not Path(model).exists() and is_repository(str(model)):
        check_reachable(str(model))
    try:
        fields, _ = DNABertConfig.get_config_dict(model)
    except OSError as error:
        raise ValueError(
            f"{model}: the model must be a checkpoint folder, a Hub repository or {RANDOM!r} (in "
            f"fine-tuning also {', '.join(NETWORKS)}), but reading its config failed: "
            f"{str(error).strip().splitlines()[0]}"
        ) from error
    # The original repositories have no model type, or "bert" once transformers saved them again.
    model_type = fields.pop("model_type", None)
    if model_type not in ("dnabert", "bert", None):
        raise ValueError(
            f"{model}: the checkpoint must be of type dnabert, found {model_type!r}; use a DNABERT "
            "checkpoint"
        )
    found_k = DNABertConfig.from_dict(fields).k
    if overrides.get("k", found_k) != found_k:
        raise ValueError(
            f"{model}: k must be that of the checkpoint, {found_k}, got {overrides['k']}; leave it "
            "out"
        )
    with _one_error(model):
        return _checked(DNABertConfig.from_dict(fields, **overrides))


def load_tokenizer(
    tokenizer: str | Path | PreTrainedTokenizerBase | None,
    model: str | Path,
    config: DNABertConfig | DNACnnConfig,
) -> PreTrainedTokenizerBase:
    """Find the tokenizer of a model and make sure that it has the same k.

    Args:
        tokenizer: Tokenizer, or folder or Hub repository of one; by default that of the model, and
            for random weights or checkpoints without one, a new one with the model's k.
        model: Folder or Hub repository of the model, or a name among `STARTS`.
        config: Configuration of the model.

    Raises:
        ValueError: If the tokenizer is none of DNABERT, or its k is not that of the model.
    """
    if tokenizer is None:
        has_own = model not in STARTS and not _lacks_tokenizer(Path(model))
        tokenizer = model if has_own else DNABertTokenizer(k=config.k)
    loaded: Any = tokenizer
    if isinstance(tokenizer, str | Path):
        # Not AutoTokenizer: the repositories of the original DNABERT name BertTokenizer.
        loaded = DNABertTokenizer.from_pretrained(str(tokenizer))
    k = getattr(loaded, "k", None)
    if k is None:
        raise ValueError(
            f"the tokenizer must be that of a DNABERT model, found {type(loaded).__name__}, "
            f"which knows no k-mers; use DNABertTokenizer(k={config.k})"
        )
    if k != config.k:
        raise ValueError(
            f"the tokenizer must have the k of the model, {config.k}, found {k}; use "
            f"DNABertTokenizer(k={config.k}) or another model"
        )
    return cast(PreTrainedTokenizerBase, loaded)


def _lacks_tokenizer(folder: Path) -> bool:
    names = ("vocab.txt", "tokenizer_config.json")
    return folder.is_dir() and not any((folder / name).is_file() for name in names)


def is_small(config: Any) -> bool:
    """Tell whether a model is DNABERT in a size below the published one, up to 512 wide."""
    return isinstance(config, DNABertConfig) and config.hidden_size <= _SMALL


def passes_of_small(
    n_sequences: int, length: float, given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Choose batch and passes of a small model over its training sequences.

    Measured on 16 sets of 60 to 500 bases with 100 to 3,000 labels
    (benchmarks/results/fine_tuning.md).

    Args:
        n_sequences: Sequences to train on.
        length: Their median length in bases.
        given: Training arguments that are settled already; the rest is chosen to go with them.

    Returns:
        Training arguments: 10 epochs, of more than 3,000 sequences 5, of few sequences as many as
        make 150 steps, in batches of 32, of more than 200 bases 16.

    Example:
        >>> passes_of_small(1000, length=101)
        {'per_device_train_batch_size': 32, 'num_train_epochs': 10}
        >>> passes_of_small(100, length=500)
        {'per_device_train_batch_size': 16, 'num_train_epochs': 22}
        >>> passes_of_small(100, 500, {"gradient_accumulation_steps": 4})["num_train_epochs"]
        75
    """
    given = given or {}
    batch = given.get("per_device_train_batch_size", 32 if length <= _SHORT else 16)
    epochs = given.get("num_train_epochs", 5)
    if n_sequences <= _MANY and "num_train_epochs" not in given:
        of_step = batch * given.get("gradient_accumulation_steps", 1)
        epochs = max(10, math.ceil(_LEAST_STEPS / math.ceil(n_sequences / of_step)))
    return {"per_device_train_batch_size": batch, "num_train_epochs": epochs}


def recipe_of(model: str | Path, config: DNABertConfig | DNACnnConfig) -> dict[str, Any]:
    """Say in which training arguments a start departs from the recipe of fine-tuning.

    Small models need a higher learning rate than large ones, weights that were pretrained a lower
    one than random weights.

    Args:
        model: Folder or Hub repository of a checkpoint, or a name among `STARTS`.
        config: Its configuration.

    Example:
        >>> recipe_of("a/checkpoint", DNABertConfig(hidden_size=768))
        {'learning_rate': 5e-05}
        >>> recipe_of("a/checkpoint", DNABertConfig(hidden_size=512))
        {'learning_rate': 0.00015}
    """
    recipe = dict(STARTS[str(model)].recipe) if model in STARTS else {}
    if isinstance(config, DNABertConfig):
        rate = _RANDOM_RATE if model == RANDOM else _PRETRAINED_RATE
        rate *= (768 / config.hidden_size) ** _RATE_EXPONENT
        recipe["learning_rate"] = float(f"{min(rate, _HIGHEST_RATE):.2g}")
    return recipe


def build_classifier(
    model: str | Path, config: DNABertConfig | DNACnnConfig, scheme: LabelScheme
) -> (
    DNABertForSequenceClassification
    | DNABertForTokenClassification
    | DNACnnForSequenceClassification
):
    """Make the classifier that is to be trained; a head of another shape starts anew.

    Args:
        model: Folder or Hub repository of a checkpoint, or a name among `STARTS`.
        config: Its configuration, which receives the labels.
        scheme: Labels of the task.
    """
    is_per_base = scheme.problem_type == "token_classification"
    if scheme.problem_type == "token_classification":
        config.problem_type = None  # transformers has no word for it
    else:
        config.problem_type = scheme.problem_type
    config.id2label = dict(scheme.id2label)
    config.label2id = dict(scheme.label2id)
    model_class: Any = DNABertForSequenceClassification
    if is_per_base:
        model_class = DNABertForTokenClassification
    elif model in STARTS:
        model_class = STARTS[str(model)].model_class
    if model in STARTS:
        return cast(DNABertForSequenceClassification, model_class(config))
    # In 32 bits, whatever the file holds: training adds small steps to large numbers.
    options = {"ignore_mismatched_sizes": True, "dtype": torch.float32}
    with quiet_transformers(), readable_weights(model):
        loaded = model_class.from_pretrained(model, config=config, **options)
    return cast(DNABertForSequenceClassification, loaded)


# Measured with the mini model on two cores (benchmarks/results/pretraining.md): plain attention
# trains 1.3 times as fast at 126 k-mers, and 0.9 times at 510, where it takes more memory.
_EAGER_UP_TO = 256


def choose_attention(model: DNABertPreTrainedModel, *, on_cpu: bool, longest: int) -> None:
    """Switch a model to plain attention where it trains faster than the fused kernel.

    Args:
        model: Model to be trained.
        on_cpu: Whether it trains on the CPU.
        longest: K-mers of the longest sequence.
    """
    if on_cpu and longest <= _EAGER_UP_TO and model.config._attn_implementation == "sdpa":
        model.set_attn_implementation("eager")
