"""Losses in which rare classes weigh as much as common ones."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from datasets import Dataset
from torch.nn import functional

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.splits import count_labels
from dnabert_hf.training.finetuning.token_labels import kmer_loss

__all__ = ["BalancedLoss"]


@dataclass(frozen=True)
class BalancedLoss:
    """Loss for the `compute_loss_func` of the Trainer that weighs classes against their frequency.

    Single-label: cross entropy in which class c weighs n / (classes * n_c), on average 1; for
    labels of bases that of `kmer_loss`.
    Multi-label: binary cross entropy in which a positive of class c weighs its negatives / its
    positives. Both are sums over the whole optimiser step divided by its number of items, so
    gradient accumulation is exact.

    Attributes:
        problem_type: Of the labels, any but "regression".
        weights: Weight of each class, shape (classes,).
    """

    problem_type: str
    weights: tuple[float, ...]

    @classmethod
    def from_labels(cls, train: Dataset, scheme: LabelScheme) -> Self:
        """Weigh classes by how often they occur in training.

        Args:
            train: Training set.
            scheme: Labels of the task.

        Raises:
            ValueError: If the task is a regression, or a class never or always occurs.
        """
        if scheme.problem_type == "regression":
            raise ValueError(
                "class weights must go with classes, found a regression; leave them out"
            )
        counts = np.array(list(count_labels(train, scheme).values()), dtype=float)
        numerators = len(train) - counts
        if scheme.problem_type != "multi_label_classification":
            numerators = np.full(len(counts), counts.sum() / len(counts))
        if (counts == 0).any() or (numerators == 0).any():
            raise ValueError(
                "class weights need every class to occur, and multi-label ones to be absent at "
                f"least once, in training; the classes occur {counts.astype(int).tolist()} times "
                f"in {len(train)} sequences; leave the weights out or add sequences"
            )
        return cls(scheme.problem_type, tuple((numerators / counts).tolist()))

    def __call__(
        self,
        outputs: Any,
        labels: torch.Tensor,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Weigh the loss of one batch.

        Args:
            outputs: Model output with `logits` of shape (rows, classes).
            labels: Shape (rows,) or (rows, classes); votes on bases (rows, tokens, k).
            num_items_in_batch: Labels in the whole optimiser step; None in evaluation, where the
                loss is divided by the labels of this batch.
        """
        logits = outputs["logits"]
        weights = torch.tensor(self.weights, device=logits.device, dtype=logits.dtype)
        if self.problem_type == "token_classification":
            return kmer_loss(logits, labels, num_items_in_batch, weights=weights)
        if self.problem_type == "single_label_classification":
            loss = functional.cross_entropy(logits, labels, weight=weights, reduction="sum")
        else:
            loss = functional.binary_cross_entropy_with_logits(
                logits, labels.to(logits.dtype), pos_weight=weights, reduction="sum"
            )
        return loss / (labels.numel() if num_items_in_batch is None else num_items_in_batch)
