"""A frozen encoder: what it says of each sequence is computed once, and only the head learns."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from torch import nn
from tqdm import tqdm
from transformers.modeling_outputs import SequenceClassifierOutput

from dnabert_hf.files.atomic import atomic_file
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForSequenceClassification,
    sequence_loss,
)
from dnabert_hf.training.finetuning.collators import SequenceCollator
from dnabert_hf.training.shared.initialisation import STARTS
from dnabert_hf.training.shared.long_sequences import count_pieces

__all__ = ["FROZEN_RECIPE", "EmbeddingCollator", "Embeddings", "FrozenHead", "check_freezable"]

FROZEN_RECIPE: dict[str, Any] = {"learning_rate": 3e-3, "num_train_epochs": 30, "bf16": False}

_BATCH_TOKENS = 16384


def check_freezable(model: str | Path, *, lora: int | None) -> None:
    """Refuse to freeze what has learnt nothing, or what adapters are to change.

    Args:
        model: Where training starts.
        lora: Rank of adapters, None without.

    Raises:
        ValueError: If there is nothing to freeze.
    """
    if model in STARTS:
        raise ValueError(
            f"a frozen encoder must have been pretrained, got {str(model)!r}, which starts from "
            "random weights; name a checkpoint or leave freezing out"
        )
    if lora is not None:
        raise ValueError(
            "an encoder is either frozen or changed by adapters, got both freeze and lora; leave "
            "one of them out (--freeze, --lora)"
        )


class FrozenHead(nn.Module):
    """The part of a classifier that learns while its encoder is frozen: pooler and head.

    The pooler (a dense layer and tanh) learns with the head, since no pretraining trains it: what
    is frozen gives the vector that goes into it, the mean of the k-mers' last hidden states or that
    of [CLS], as `config.token_pooling` says, for each piece of a long sequence. So the network is
    an ordinary classifier's, of which this shares the weights.

    Args:
        classifier: The classifier.

    Attributes:
        classifier: The classifier, not a submodule: checkpoints hold the head alone.
    """

    # As in DNABertForSequenceClassification.
    accepts_loss_kwargs = False

    def __init__(self, classifier: DNABertForSequenceClassification):
        super().__init__()
        self.pooler: Any = classifier.bert.pooler
        self.dropout = classifier.dropout
        self.classifier = classifier.classifier
        object.__setattr__(self, "whole_classifier", classifier)

    def forward(
        self, vectors: torch.Tensor, n_pieces: torch.Tensor, labels: torch.Tensor | None = None
    ) -> SequenceClassifierOutput:
        """Classify sequences by what the encoder says of their pieces.

        Args:
            vectors: Inputs of the pooler, shape (batch, most pieces, hidden).
            n_pieces: Pieces of each sequence, shape (batch,).
            labels: As in `DNABertForSequenceClassification.forward`.

        Returns:
            `loss` if labels are given and `logits` of shape (batch, labels).
        """
        classifier: Any = self.whole_classifier
        is_piece = torch.arange(vectors.shape[1], device=vectors.device) < n_pieces[:, None]
        rows = is_piece.nonzero()[:, 0]
        logits = classifier.classify(self.pooler(vectors[is_piece][:, None]), rows)
        loss = None if labels is None else sequence_loss(classifier, logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


@dataclass(frozen=True)
class EmbeddingCollator:
    """Looks up what the encoder said of the sequences of a batch.

    Attributes:
        embeddings: The embeddings, by split.
    """

    embeddings: "Embeddings"

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Make a batch of rows with `split`, `row` and `labels`, as `FrozenHead` takes it."""
        pieces = [self.embeddings.pieces(row["split"], row["row"]) for row in rows]
        vectors = nn.utils.rnn.pad_sequence(
            [torch.from_numpy(np.array(piece)) for piece in pieces], batch_first=True
        )
        return {
            "vectors": vectors,
            "n_pieces": torch.tensor([len(piece) for piece in pieces]),
            "labels": torch.tensor([row["labels"] for row in rows]),
        }


class Embeddings:
    """Embeddings of the sequences of each split by a frozen encoder, in memory-mapped files.

    A file is named by a hash of the encoder and the sequences: what was computed before a stop, or
    by another run, is not computed again, and memory does not grow with the data.

    Args:
        classifier: The classifier whose encoder is frozen.
        splits: Data sets with `sequence`, perhaps `sequence_b`, `labels` and `length`.
        collator: Makes batches of token ids.
        folder: Where the files lie; made when they are computed.
        bf16: Whether the encoder computes in bfloat16.
    """

    def __init__(
        self,
        classifier: DNABertForSequenceClassification,
        splits: DatasetDict,
        collator: SequenceCollator,
        *,
        folder: Path,
        bf16: bool,
    ):
        self._classifier = classifier
        self._splits = splits
        self._collator = collator
        self._folder = folder
        self._bf16 = bf16
        self._offsets = {
            name: np.concatenate([[0], np.cumsum(count_pieces(dataset, classifier.config))])
            for name, dataset in splits.items()
        }
        self._vectors: dict[str, np.ndarray] = {}

    def pieces(self, split: str, row: int) -> np.ndarray:
        """Look up a sequence: vectors of its pieces, shape (pieces, hidden)."""
        begin, end = self._offsets[split][row : row + 2]
        return self._vectors[split][begin:end]

    def references(self) -> DatasetDict:
        """Replace the sequences of each split by where the collator finds their embeddings."""
        return DatasetDict(
            {
                name: dataset.remove_columns(
                    [c for c in ("sequence", "sequence_b") if c in dataset.column_names]
                )
                .add_column("split", [name] * len(dataset))
                .add_column("row", np.arange(len(dataset)))
                for name, dataset in self._splits.items()
            }
        )

    def compute(self, accelerator: Any) -> None:
        """Compute what the files lack, each process a part, and open them.

        Args:
            accelerator: The Trainer's `accelerate.Accelerator`.

        Raises:
            KeyboardInterrupt: If it is stopped, with a message that says how to go on.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        bert = self._classifier.bert.to(accelerator.device)
        weights = _hash_tensors(bert, excluded="pooler.")
        hidden = bert.config.hidden_size
        for name, dataset in self._splits.items():
            key = self._hash(weights, dataset)
            path, marks_path = self._folder / f"{key}.npy", self._folder / f"{key}.done.npy"
            batches = self._batches(dataset)
            if accelerator.is_main_process and not marks_path.exists():
                # The marks come last: with them there, the vectors are.
                _create(path, (int(self._offsets[name][-1]), hidden), np.float32)
                _create(marks_path, (len(batches),), np.bool_)
            accelerator.wait_for_everyone()
            vectors, marks = np.load(path, mmap_mode="r+"), np.load(marks_path, mmap_mode="r+")
            mine = range(accelerator.process_index, len(batches), accelerator.num_processes)
            missing = [index for index in mine if not marks[index]]
            try:
                with _without_pooler(self._classifier):
                    for i in tqdm(missing, desc=f"embedding {name}", unit="batch", disable=None):
                        self._embed(dataset, batches[i], vectors, self._offsets[name])
                        vectors.flush()
                        marks[i] = True
            except KeyboardInterrupt:
                raise KeyboardInterrupt(
                    f"stopped while the {name} split was embedded; what was done is kept: give the "
                    "same again with resume (--resume) to go on"
                ) from None
            accelerator.wait_for_everyone()
            self._vectors[name] = np.load(path, mmap_mode="r")

    def _batches(self, dataset: Dataset) -> list[np.ndarray]:
        """Put rows of like lengths together, longest first."""
        lengths = np.asarray(dataset["length"])
        order = np.argsort(-lengths, kind="stable")
        batches = []
        while len(order):
            n_rows = max(1, _BATCH_TOKENS // int(lengths[order[0]]))
            batches.append(order[:n_rows])
            order = order[n_rows:]
        return batches

    def _embed(
        self, dataset: Dataset, rows: np.ndarray, vectors: np.ndarray, offsets: np.ndarray
    ) -> None:
        inputs = self._collator(dataset.select(rows).to_list())
        del inputs["labels"]
        device = self._classifier.bert.device
        inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, self._bf16):
            found = self._classifier.encode(**inputs)[0].pooler_output.float().cpu().numpy()
        targets = [np.arange(offsets[row], offsets[row + 1]) for row in rows]
        vectors[np.concatenate(targets)] = found

    def _hash(self, weights: str, dataset: Dataset) -> str:
        config = self._classifier.config
        settings = (weights, config.token_pooling, config.max_position_embeddings, self._bf16)
        digest = hashlib.sha256(repr(settings).encode())
        for column in ("sequence", "sequence_b"):
            if column in dataset.column_names:
                for sequence in dataset[column]:
                    digest.update(f"{sequence}\n".encode())
        return digest.hexdigest()[:16]


class _FirstToken(nn.Module):
    """In place of a pooler, gives what the pooler would get."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden[:, 0]


@contextmanager
def _without_pooler(classifier: DNABertForSequenceClassification) -> Iterator[None]:
    bert: Any = classifier.bert
    pooler, is_training = bert.pooler, classifier.training
    bert.pooler = _FirstToken()
    classifier.eval()
    try:
        yield
    finally:
        bert.pooler = pooler
        classifier.train(is_training)


def _create(path: Path, shape: tuple[int, ...], dtype: type) -> None:
    with atomic_file(path, is_shared=True) as partial:
        np.lib.format.open_memmap(partial, mode="w+", dtype=dtype, shape=shape).flush()


def _hash_tensors(module: nn.Module, *, excluded: str) -> str:
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        if not name.startswith(excluded):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
