"""Classes, probabilities and values that a fine-tuned model gives to sequences."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from dnabert_hf.data.labels import LabelScheme
from dnabert_hf.data.reading import Columns, SequenceRecord
from dnabert_hf.data.sequences import reverse_complement
from dnabert_hf.inference.engine import Engine, Window, cut_into_windows
from dnabert_hf.inference.fingerprint import fingerprint_run, fingerprint_weights
from dnabert_hf.inference.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.loading import as_checkpoint
from dnabert_hf.inference.results import WrittenResults
from dnabert_hf.inference.sources import Source, iterate_chunks, open_source
from dnabert_hf.inference.writing import check_output, open_output
from dnabert_hf.metrics import logits_to_predictions

__all__ = ["Classifier", "Prediction", "predict"]

# A stopped run loses at most this much work: minutes of BERT-base on a CPU, seconds on a GPU.
_CHUNK_BASES = 1 << 19


class Prediction(NamedTuple):
    """What a model says about one sequence.

    Attributes:
        id: Id of the record.
        label: The most probable class; for multi-label models the classes with a probability of
            0.5 or more as `a;b`; None for regression.
        probabilities: Probability of each class; for regression the value of each target.
    """

    id: str
    label: str | None
    probabilities: dict[str, float]


def predict(
    model: Any,
    source: Source,
    *,
    output: str | Path | None = None,
    tokenizer: Any = None,
    columns: Columns | None = None,
    both_strands: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int | None = None,
    overwrite: bool = False,
) -> list[Prediction] | WrittenResults:
    """Classify sequences of any length with a fine-tuned model.

    With an output, memory does not grow with the input, and a run that was stopped goes on where
    it ended when the same call is made again.

    Args:
        model: Checkpoint folder, repository id on the Hub, or a model, which is not changed.
        source: File of sequences ("-" is standard input), or sequences: texts or records.
        output: File to write, `.tsv`, `.tsv.gz`, `.csv`, `.csv.gz` or `.parquet`, or "-" for TSV
            on standard output: id, label and `prob_CLASS` for each class, or for regression id and
            the value of each target. None returns the predictions.
        tokenizer: Tokenizer, needed if `model` is an object.
        columns: Names of the columns, if the source is a table.
        both_strands: Whether to predict each sequence and its reverse complement and average the
            probabilities (or values), for signals that may lie on either strand; takes twice as
            long.
        device: "auto", "cpu", "cuda", ...
        dtype: "auto" (the fastest of float32 and bfloat16 here), "float32", "bfloat16", "float16"
            or "int8".
        batch_tokens: Tokens a batch; by default what suits the device.
        overwrite: Whether to replace an existing output.

    Returns:
        The predictions in input order, or where they were written.

    Raises:
        ValueError: If model, source or output cannot be used.
    """
    if output is not None:
        check_output(output, overwrite=overwrite)
    checkpoint = as_checkpoint(model, tokenizer, task="sequence-classification")
    weights = fingerprint_weights(checkpoint.model)
    engine = Engine(checkpoint, device=device, dtype=dtype, batch_tokens=batch_tokens)
    classifier = Classifier(engine, both_strands=both_strands)
    records = open_source(source, k=checkpoint.tokenizer.k, columns=columns)
    if output is None:
        with engine.progress():
            return [
                prediction
                for chunk in iterate_chunks(records, n_bases=_CHUNK_BASES)
                for prediction in classifier.predict(chunk)
            ]
    result_format = _choose_format(output, classifier.scheme)
    fingerprint = fingerprint_run(
        engine, checkpoint, source, weights=weights, columns=columns, both_strands=both_strands
    )
    with (
        open_output(output, result_format, fingerprint=fingerprint, overwrite=overwrite) as writer,
        engine.progress(),
    ):
        rest = islice(records, writer.n_written, None)
        for chunk in iterate_chunks(rest, n_bases=_CHUNK_BASES):
            writer.write([_row(prediction) for prediction in classifier.predict(chunk)])
    return WrittenResults(Path(output), writer.n_written)


class Classifier:
    """A fine-tuned model in an engine.

    Args:
        engine: Engine with a DNABertForSequenceClassification.
        both_strands: Whether to average over each sequence and its reverse complement.

    Attributes:
        scheme: Problem type and class names.
    """

    def __init__(self, engine: Engine, *, both_strands: bool = False):
        self.scheme = LabelScheme.from_config(engine.model.config)
        self._engine = engine
        self._both_strands = both_strands

    def predict(self, records: Sequence[SequenceRecord]) -> list[Prediction]:
        """Classify records that are in memory."""
        names = self.scheme.names
        predictions = []
        for record, row in zip(records, self.probabilities(records).tolist(), strict=True):
            probabilities = dict(zip(names, row, strict=True))
            predictions.append(Prediction(record.id, self._label(probabilities), probabilities))
        return predictions

    def probabilities(self, records: Sequence[SequenceRecord]) -> np.ndarray:
        """Give the probability of each class, or the values, shape (records, labels)."""
        forward = self._predict_strand(records)
        if not self._both_strands:
            return forward
        return (forward + self._predict_strand(list(map(_other_strand, records)))) / 2

    def _predict_strand(self, records: Sequence[SequenceRecord]) -> np.ndarray:
        logits = np.empty((len(records), len(self.scheme.names)), dtype=np.float32)
        is_pair = np.array([record.sequence_b is not None for record in records], dtype=bool)
        for indices, compute in (
            (np.flatnonzero(~is_pair), self._logits),
            (np.flatnonzero(is_pair), self._pair_logits),
        ):
            if len(indices):
                logits[indices] = compute([records[index] for index in indices.tolist()])
        return logits_to_predictions(logits, self.scheme.problem_type)

    def _logits(self, records: Sequence[SequenceRecord]) -> np.ndarray:
        """Cut as the model itself would, so that pieces of all sequences share batches."""
        model, k = self._engine.model, self._engine.tokenizer.k
        config = model.config
        windows: list[Window] = []
        rows: list[int] = []
        for row, record in enumerate(records):
            pieces = cut_into_windows(
                record.sequence, k=k, n_kmers=config.max_position_embeddings - 2
            )
            if config.segment_pooling == "concat" and len(pieces) > config.num_segments:
                raise ValueError(
                    f"record {record.id}: a sequence must fit into the {config.num_segments} "
                    f"pieces of {config.max_position_embeddings - 2} k-mers that the model was "
                    f"made for, found {len(record.sequence)} bases ({len(pieces)} pieces); cut it"
                )
            windows.extend(pieces)
            rows.extend([row] * len(pieces))
        pooled = self._engine.run(
            windows, lambda model, inputs: model.bert(**inputs, return_dict=True).pooler_output
        )
        with torch.inference_mode():
            device = self._engine.device
            pieces_pooled = torch.from_numpy(np.stack(pooled)).to(device)
            logits = model.classify(pieces_pooled, torch.tensor(rows, device=device))
            return np.asarray(logits.float().cpu().numpy())

    def _pair_logits(self, records: Sequence[SequenceRecord]) -> np.ndarray:
        """Leave the cutting to the model: a piece of a pair may hold parts of both sequences."""
        windows = [Window(record.sequence, record.sequence_b) for record in records]
        return np.stack(self._engine.run(windows, lambda model, inputs: model(**inputs).logits))

    def _label(self, probabilities: Mapping[str, float]) -> str | None:
        if self.scheme.problem_type == "regression":
            return None
        if self.scheme.problem_type == "multi_label_classification":
            return ";".join(name for name, value in probabilities.items() if value >= 0.5)
        return max(probabilities, key=probabilities.__getitem__)


def _other_strand(record: SequenceRecord) -> SequenceRecord:
    second = None if record.sequence_b is None else reverse_complement(record.sequence_b)
    return record._replace(sequence=reverse_complement(record.sequence), sequence_b=second)


def _row(prediction: Prediction) -> list[Any]:
    label = [] if prediction.label is None else [prediction.label]
    return [prediction.id, *label, *prediction.probabilities.values()]


def _choose_format(output: str | Path, scheme: LabelScheme) -> ResultFormat:
    if scheme.problem_type == "regression":
        texts, numbers = ["id"], ["value"] if len(scheme.names) == 1 else list(scheme.names)
    else:
        texts, numbers = ["id", "label"], [f"prob_{name}" for name in scheme.names]

    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        fields = [(name, pa.string()) for name in texts]
        fields += [(name, pa.float32()) for name in numbers]
        return ParquetFormat(pa.schema(fields))

    return choose_table(output, texts + numbers, {".parquet": make_parquet})
