"""Batches for training: sequences become padded token ids as the batch is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import (
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from dnabert_hf.data.reading.sequences import reverse_complement

__all__ = ["OTHER_STRAND", "BothStrandsCollator", "SequenceCollator", "StrandsOfEpoch"]

OTHER_STRAND = "other_strand_ids"
ROW = "row"  # column that only training sets have


@dataclass(frozen=True)
class SequenceCollator:
    """Tokenises sequences, or pairs of them, and pads them to the longest of the batch.

    Nothing is cut off: a classifier takes sequences of any length. Tokenising here costs less
    than a thousandth of a training step and keeps the data set as small as its letters.

    Attributes:
        tokenizer: Tokenizer with the k of the model.
    """

    tokenizer: PreTrainedTokenizerBase

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Make a batch of rows with `sequence`, `labels` and, for pairs, `sequence_b`.

        Returns:
            The tokenizer's columns, shape (rows, tokens), and `labels`: class ids as int64 (rows,),
            everything else as float32.
        """
        pairs = [row["sequence_b"] for row in rows] if "sequence_b" in rows[0] else None
        batch = self.tokenizer(
            [row["sequence"] for row in rows],
            pairs,
            padding=True,
            return_tensors="pt",
        )
        labels = torch.tensor([row["labels"] for row in rows])
        return {**batch, "labels": labels}


class BothStrandsCollator:
    """Reads sequences from either strand in training, and from both in evaluation.

    A row of training (one with the column `row`) is read from the opposite strand with probability
    1/2, decided afresh for each epoch: by the seed, the epoch and the number of the row alone, so
    that order, ranks and a stop in between change nothing.

    Args:
        tokenizer: Tokenizer with the k of the model.
        seed: Seed of the choices.

    Attributes:
        epoch: Epoch, from 0, as `StrandsOfEpoch` sets it.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, seed: int):
        self._collate = SequenceCollator(tokenizer)
        self._seed = seed
        self.epoch = 0

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Make a batch.

        Returns:
            What `SequenceCollator` makes; of rows that are no training also `other_strand_ids`, the
            token ids of the reverse complements, shape (rows, tokens).
        """
        if ROW in rows[0]:
            return self._collate([_turn(row) if self._is_turned(row) else row for row in rows])
        batch = self._collate(rows)
        return {**batch, OTHER_STRAND: self._collate([*map(_turn, rows)])["input_ids"]}

    def _is_turned(self, row: Mapping[str, Any]) -> bool:
        generator = np.random.default_rng([self._seed, self.epoch, row[ROW]])
        return bool(generator.random() < 0.5)


def _turn(row: Mapping[str, Any]) -> dict[str, Any]:
    """Read a row from the opposite strand; of a pair, both sequences."""
    turned = {
        column: reverse_complement(row[column])
        for column in ("sequence", "sequence_b")
        if column in row
    }
    return {**row, **turned}


class StrandsOfEpoch(TrainerCallback):
    """Tells a collator which epoch it is.

    Args:
        collator: Collator to tell.
    """

    def __init__(self, collator: BothStrandsCollator):
        self._collator = collator

    def on_epoch_begin(
        self,
        args: TrainingArguments,  # noqa: ARG002 - the Trainer passes it by position
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Set the epoch; that of a run that goes on is a fraction."""
        self._collator.epoch = int((state.epoch or 0) + 1e-6)
