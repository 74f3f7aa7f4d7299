"""Batches for training: sequences become padded token ids as the batch is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

__all__ = ["SequenceCollator"]


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
