"""Exported files, run beside the model that they were made from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.hub.export.formats import INPUTS, Run
from dnabert_hf.inference.embed import embed
from dnabert_hf.inference.engine.checkpoint import Checkpoint
from dnabert_hf.inference.predict import Classifier
from dnabert_hf.inference.run import RunOptions
from dnabert_hf.metrics.scores import logits_to_predictions

__all__ = ["TOLERANCE", "Expected"]

TOLERANCE = 1e-4  # of probabilities; of other numbers, of the largest of them if that is above 1
_EXACT: dict[str, Any] = {"device": "cpu", "dtype": "float32"}


class Expected:
    """Batches of sequences of several lengths, and what the model says of them.

    Args:
        checkpoint: The model and its tokenizer.
        task: What it is for, as in `load_checkpoint`.
        tokenizer: Tokenizer that lies beside the exported files.

    Raises:
        RuntimeError: If that one gives other ids than the model's.
    """

    def __init__(self, checkpoint: Checkpoint, task: str, tokenizer: Tokenizer):
        self._task = task
        self._config = checkpoint.model.config
        tokenizer.enable_padding()
        k = checkpoint.tokenizer.k
        longest = self._config.max_position_embeddings + k - 3  # bases in one piece
        self._batches = []
        for lengths in ((longest,), (k, 40, 100), (longest + 1, 60, 2 * longest)):
            sequences = _random_sequences(lengths)
            rows = tokenizer.encode_batch(sequences)
            ids = checkpoint.tokenizer(sequences)["input_ids"]
            if [row.ids[: sum(row.attention_mask)] for row in rows] != ids:
                raise RuntimeError(
                    "tokenizer.json must give the ids of the model's tokenizer, but does not; "
                    "nothing was written: please report this"
                )
            columns = ("ids", "attention_mask", "type_ids")
            inputs = {
                name: np.array([getattr(row, column) for row in rows])
                for name, column in zip(INPUTS, columns, strict=True)
            }
            self._batches.append((inputs, _ask(checkpoint, task, sequences, ids)))

    def difference(self, run: Run) -> float:
        """Give the largest difference between what a file says and what the model does.

        It is that of the probabilities of a classifier, and otherwise relative to the largest of
        the numbers, if that is above 1.
        """
        largest = 0.0
        for inputs, expected in self._batches:
            given = self._comparable(run(inputs), inputs)
            for name, values in expected.items():
                scale = max(1.0, float(np.abs(values).max()))
                largest = max(largest, float(np.abs(given[name] - values).max()) / scale)
        return largest

    def _comparable(
        self, outputs: Mapping[str, np.ndarray], inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        if self._task == "sequence-classification":
            problem_type = LabelScheme.from_config(self._config).problem_type
            return {"logits": logits_to_predictions(outputs["logits"], problem_type)}
        is_kmer = inputs["attention_mask"].astype(bool)
        is_kmer[:, 0] = False
        is_kmer[np.arange(len(is_kmer)), inputs["attention_mask"].sum(axis=1) - 1] = False
        return {
            name: values[is_kmer] if values.ndim > 2 else values for name, values in outputs.items()
        }


def _random_sequences(lengths: tuple[int, ...]) -> list[str]:
    generator = np.random.default_rng(0)
    return ["".join(generator.choice(list("ACGT"), n)) for n in lengths]


def _ask(
    checkpoint: Checkpoint, task: str, sequences: list[str], ids: list[list[int]]
) -> dict[str, np.ndarray]:
    """Give what this package says: by the engine, or of k-mers by the model, piece by piece."""
    if task == "sequence-classification":
        engine = RunOptions(**_EXACT).start(checkpoint)
        classifier = Classifier(engine, both_strands=bool(checkpoint.model.config.both_strands))
        records = [SequenceRecord(str(i), each) for i, each in enumerate(sequences)]
        return {"logits": classifier.probabilities(records)}
    found = {"last_hidden_state" if task == "encoder" else "logits": _of_kmers(checkpoint, ids)}
    if task == "encoder":
        vectors: Any = embed(checkpoint.model, sequences, tokenizer=checkpoint.tokenizer, **_EXACT)
        found["sentence_embedding"] = np.stack([vector.embedding for vector in vectors])
    return found


def _of_kmers(checkpoint: Checkpoint, ids: list[list[int]]) -> np.ndarray:
    """Give what the model says of each k-mer of all sequences, shape (k-mers, ...)."""
    room = checkpoint.model.config.max_position_embeddings - 2
    parts = []
    for row in ids:
        for begin in range(1, len(row) - 1, room):
            piece = row[begin : min(begin + room, len(row) - 1)]
            with torch.no_grad():
                output = checkpoint.model(torch.tensor([[row[0], *piece, row[-1]]]))
            parts.append(output[0][0, 1:-1].numpy())
    return np.concatenate(parts)
