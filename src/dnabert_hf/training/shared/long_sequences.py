"""Sequences that the encoder takes in pieces: how many there are, and room for them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from transformers import BertPreTrainedModel, TrainingArguments

from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.training.shared.cnn import DNACnnConfig
from dnabert_hf.training.shared.initialisation import STARTS, load_classifier_config

__all__ = [
    "check_checkpointing",
    "count_pieces",
    "fit_positions",
    "fit_segments",
    "load_config_before_data",
]

logger = logging.getLogger(__name__)


def load_config_before_data(
    model: str | Path, overrides: Mapping[str, Any]
) -> DNABertConfig | DNACnnConfig:
    """Read or make a configuration that may lack the number of segments, which the data give.

    Args:
        model: As in `load_classifier_config`.
        overrides: Fields of the configuration; "concat" without `num_segments` waits for
            `fit_segments`.

    Raises:
        ValueError: As in `load_classifier_config`.
    """
    is_dnabert = model not in STARTS or STARTS[str(model)].config_class is DNABertConfig
    if is_dnabert and _lacks_segments(overrides):
        overrides = {name: overrides[name] for name in overrides if name != "segment_pooling"}
    return load_classifier_config(model, overrides)


def fit_segments(config: Any, overrides: Mapping[str, Any], splits: DatasetDict) -> None:
    """Make room for the longest training sequence where "concat" has no `num_segments` yet.

    Args:
        config: Configuration, from `load_config_before_data`; changed in place.
        overrides: The fields it was made with.
        splits: Data sets with the column "length".

    Raises:
        ValueError: If "concat" has no room for the longest sequence of a split.
    """
    if not isinstance(config, DNABertConfig):
        return
    if _lacks_segments(overrides):
        if config.num_segments is None:
            config.num_segments = int(count_pieces(splits["train"], config).max())
            logger.info(
                "num_segments is set to %d, the pieces of %d k-mers of the longest training "
                "sequence: the model will take none longer than that",
                config.num_segments,
                config.max_position_embeddings - 2,
            )
        config.segment_pooling = "concat"
    if config.segment_pooling != "concat":
        return
    for name, dataset in splits.items():
        most = int(count_pieces(dataset, config).max()) if len(dataset) else 0
        if most > (config.num_segments or 0):
            raise ValueError(
                f"the {name} split must fit into num_segments = {config.num_segments} pieces of "
                f"{config.max_position_embeddings - 2} k-mers, found a sequence of {most} pieces; "
                f'give num_segments={most}, or segment_pooling "mean", "lstm" or "gru"'
            )


def fit_positions(config: Any, overrides: Mapping[str, Any], splits: DatasetDict) -> None:
    """Make room for the longest sequence in a network with weights for each position.

    Args:
        config: Configuration, from `load_config_before_data`; changed in place.
        overrides: The fields it was made with; `max_length` among them stays.
        splits: Data sets with the column "length".

    Raises:
        ValueError: If a sequence is longer than `max_length`.
    """
    least = getattr(config, "least_length", None)
    if least is None:
        return
    # Between the sequences of a pair lies an empty position.
    longest = max(max(each["length"]) + ("sequence_b" in each.column_names) for each in
                  splits.values() if len(each))  # fmt: skip
    if "max_length" not in overrides:
        config.max_length = max(longest, least)
    elif longest > config.max_length:
        raise ValueError(
            f"sequences must fit into max_length = {config.max_length} positions, found one of "
            f"{longest}; give max_length={longest}, or leave it out"
        )


def _lacks_segments(overrides: Mapping[str, Any]) -> bool:
    return overrides.get("segment_pooling") == "concat" and overrides.get("num_segments") is None


def check_checkpointing(model: Any, arguments: TrainingArguments, *, freeze: bool) -> None:
    """Refuse gradient checkpointing where it saves nothing or the model has none.

    Args:
        model: The classifier.
        arguments: Arguments of the Trainer.
        freeze: Whether the encoder is frozen.

    Raises:
        ValueError: If the activations of the model cannot be checkpointed.
    """
    if arguments.gradient_checkpointing and (freeze or not isinstance(model, BertPreTrainedModel)):
        found = "a frozen one" if freeze else type(model).__name__
        raise ValueError(
            f"gradient checkpointing must have a DNABERT encoder to train, found {found}; leave it "
            "out (gradient_checkpointing)"
        )


def count_pieces(dataset: Dataset, config: DNABertConfig) -> np.ndarray:
    """Count the pieces that a classifier cuts each sequence, or pair, into.

    Args:
        dataset: Data set with the column "length" (both sequences of a pair together).
        config: Configuration of the classifier.

    Returns:
        Pieces, shape (sequences,).

    Example:
        >>> rows = Dataset.from_dict({"length": [8, 515, 516]})
        >>> count_pieces(rows, DNABertConfig(k=6)).tolist()
        [1, 1, 2]
    """
    k = config.k or 0
    n_tokens = np.asarray(dataset["length"], dtype=np.int64) - (k - 1)
    if "sequence_b" in dataset.column_names:
        n_tokens -= k - 2  # [SEP] stands between the two
    room = config.max_position_embeddings - 2
    return np.maximum(-(-n_tokens // room), 1)
