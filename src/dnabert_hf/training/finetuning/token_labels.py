"""Labels of bases: every k-mer votes on all bases that it covers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from datasets import DatasetDict
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from dnabert_hf.data.labelled.labels import UNLABELLED_ID
from dnabert_hf.data.masking.base_windows import cut_for_bases
from dnabert_hf.metrics.scores import logits_to_predictions
from dnabert_hf.training.shared.initialisation import STARTS
from dnabert_hf.training.shared.names import RANDOM

__all__ = [
    "BaseCollator",
    "BaseLoss",
    "BasePredictions",
    "average_kmer_logits",
    "check_base_learner",
    "kmer_labels",
    "kmer_loss",
    "window_dataset",
]


def check_base_learner(model: str | Path, *, freeze: bool) -> None:
    """Refuse what cannot learn labels of bases.

    Args:
        model: Where training starts.
        freeze: Whether the encoder is frozen.

    Raises:
        ValueError: If the network classifies whole sequences only, or its encoder is frozen.
    """
    if model in STARTS and model != RANDOM:
        raise ValueError(
            f"labels of bases must be learnt by DNABERT, got {str(model)!r}, which classifies "
            f"whole sequences; start from a checkpoint or from {RANDOM!r}"
        )
    if freeze:
        raise ValueError(
            "labels of bases are learnt with the encoder, got freeze; leave it out (--freeze)"
        )


def kmer_labels(labels: Sequence[int], k: int) -> np.ndarray:
    """Give each k-mer the labels of its bases.

    Args:
        labels: Class id of each base, -100 for none, shape (bases,).
        k: Bases per k-mer.

    Returns:
        Shape (k-mers, k): row i holds the labels of bases i to i + k - 1.

    Example:
        >>> kmer_labels([0, 0, 1, -100], k=3).tolist()
        [[0, 0, 1], [0, 1, -100]]
    """
    return np.lib.stride_tricks.sliding_window_view(np.asarray(labels, dtype=np.int16), k)


@dataclass(frozen=True)
class BaseCollator:
    """Tokenises sequences, and gives each token the labels of the bases that its k-mer covers.

    Attributes:
        tokenizer: Tokenizer with the k of the model.
    """

    tokenizer: PreTrainedTokenizerBase

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Make a batch of rows with `sequence` and `labels` (class id of each base).

        Returns:
            The tokenizer's columns, shape (rows, tokens), and `labels`, shape (rows, tokens, k):
            -100 for special tokens, padding and bases without a label.
        """
        sequences = [row["sequence"] for row in rows]
        batch = self.tokenizer(sequences, padding=True, return_tensors="pt")
        k: int = self.tokenizer.k
        votes = np.full((*batch["input_ids"].shape, k), UNLABELLED_ID, dtype=np.int16)
        for index, row in enumerate(rows):
            of_kmers = kmer_labels(row["labels"], k)
            votes[index, 1 : len(of_kmers) + 1] = of_kmers
        return {**batch, "labels": torch.from_numpy(votes)}


def kmer_loss(
    logits: torch.Tensor,
    votes: torch.Tensor,
    n_votes: torch.Tensor | int | None = None,
    *,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross entropy of each k-mer's classes with the labels of all bases that it covers.

    So the target of a k-mer is the share of each class among its labelled bases, and the mean over
    the k-mers that cover a base, by which bases are predicted, crosses one half where a region
    begins and ends, for every k. (With the label of one base of the k-mer the border moves by half
    a base for even k.)

    Args:
        logits: Shape (rows, tokens, classes).
        votes: Class ids as `BaseCollator` gives them, shape (rows, tokens, k).
        n_votes: Votes to divide by, those of the whole optimiser step; None for those given.
        weights: Weight of each class, shape (classes,).

    Returns:
        The mean loss of a vote, a scalar.

    Example:
        >>> loss = kmer_loss(torch.zeros(1, 1, 2), torch.tensor([[[0, 1, -100]]]))
        >>> round(loss.item(), 3)
        0.693
    """
    losses = -functional.log_softmax(logits.float(), dim=-1)
    if weights is not None:
        losses = losses * weights
    targets = functional.one_hot((votes.long() + 1).clamp(min=0), losses.shape[-1] + 1)
    loss = (losses * targets.sum(dim=2)[..., 1:]).sum()
    return loss / ((votes != UNLABELLED_ID).sum() if n_votes is None else n_votes)


class BaseLoss:
    """`kmer_loss` as the Trainer calls its `compute_loss_func`."""

    def __call__(
        self,
        outputs: Any,
        labels: torch.Tensor,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Compute the loss of a batch."""
        return kmer_loss(outputs["logits"], labels, num_items_in_batch)


class BasePredictions(NamedTuple):
    """Predictions for the labelled bases of some sequences, in order.

    Attributes:
        rows: Sequence that each base belongs to, shape (bases,).
        positions: Place of the base in it (0-based), shape (bases,).
        labels: Class id, shape (bases,).
        probabilities: Shape (bases, classes).
    """

    rows: np.ndarray
    positions: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray


def average_kmer_logits(logits: np.ndarray, votes: np.ndarray) -> BasePredictions:
    """Average over each labelled base the probabilities that the k-mers over it give.

    Args:
        logits: Shape (rows, tokens, classes).
        votes: Labels as `BaseCollator` gives them, shape (rows, tokens, k).

    Example:
        >>> votes = np.array([[[-100, -100], [0, 1], [1, 1]]])  # [CLS] and two 2-mers
        >>> logits = np.log([[[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]])
        >>> joined = average_kmer_logits(logits, votes)
        >>> joined.labels.tolist(), joined.probabilities[:, 1].round(2).tolist()
        ([0, 1, 1], [0.25, 0.5, 0.75])
    """
    n_rows, n_tokens, k = votes.shape
    probabilities = logits_to_predictions(logits, "token_classification")
    # The k-mer of token t covers the bases t - 1 to t + k - 2.
    sums = np.zeros((n_rows, n_tokens + k - 1, logits.shape[-1]))
    counts = np.zeros(sums.shape[:2])
    labels = np.full(sums.shape[:2], UNLABELLED_ID)
    for offset in range(k):
        columns = slice(offset, offset + n_tokens)
        has_label = votes[..., offset] != UNLABELLED_ID
        sums[:, columns] += probabilities * has_label[..., None]
        counts[:, columns] += has_label
        labels[:, columns] = np.where(has_label, votes[..., offset], labels[:, columns])
    rows, positions = np.nonzero(counts)
    means = sums[rows, positions] / counts[rows, positions, None]
    return BasePredictions(rows, positions - 1, labels[rows, positions], means)


def window_dataset(splits: DatasetDict, *, k: int, n_kmers: int) -> DatasetDict:
    """Cut sequences that are too long for the encoder into windows, as in prediction.

    Args:
        splits: Data sets with the columns id, sequence, labels and length.
        k: Bases per k-mer.
        n_kmers: K-mers that the encoder takes.

    Returns:
        The data sets; bases that two windows share have their label in one of them.
    """
    return DatasetDict(
        {
            name: dataset.map(_cut_batch, batched=True, fn_kwargs={"k": k, "n_kmers": n_kmers})
            if len(dataset) and max(dataset["length"]) > n_kmers + k - 1
            else dataset
            for name, dataset in splits.items()
        }
    )


def _cut_batch(batch: dict[str, list[Any]], *, k: int, n_kmers: int) -> dict[str, list[Any]]:
    cut: dict[str, list[Any]] = {name: [] for name in batch}
    for identifier, sequence, labels in zip(
        batch["id"], batch["sequence"], batch["labels"], strict=True
    ):
        windows = cut_for_bases(len(sequence), k=k, n_kmers=n_kmers)
        for start, end, first, last in windows:
            before, after = [UNLABELLED_ID] * (first - start), [UNLABELLED_ID] * (end - last)
            is_whole = len(windows) == 1
            cut["id"].append(identifier if is_whole else f"{identifier}:{start}-{end}")
            cut["sequence"].append(sequence[start:end])
            cut["labels"].append([*before, *labels[first:last], *after])
            cut["length"].append(end - start)
    return cut
