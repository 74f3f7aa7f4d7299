"""Classes, probabilities and values that a fine-tuned model gives to sequences."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, compress
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
import torch

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.inference.engine.engine import Engine, Window, cut_into_windows
from dnabert_hf.inference.engine.layers import pooled_of
from dnabert_hf.inference.engine.training_defaults import choose_strands, watch_lengths
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.output.writer import WrittenResults
from dnabert_hf.inference.run import Run, RunFields, RunOptions
from dnabert_hf.inference.stack import Stack, is_stack
from dnabert_hf.metrics.scores import logits_to_predictions

__all__ = [
    "Classifier",
    "Prediction",
    "classify_pieces",
    "cut_into_pieces",
    "find_members",
    "pooled_output",
    "predict",
    "sequence_logits",
]

# A stopped run loses at most this much work: minutes of BERT-base on a CPU, seconds on a GPU.
_CHUNK_BASES = 1 << 19


class Prediction(NamedTuple):
    """Prediction for one sequence.

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
    also: Sequence[str | Path] = (),
    both_strands: bool | None = None,
    **options: Unpack[RunFields],
) -> list[Prediction] | WrittenResults:
    """Classify sequences of any length with a fine-tuned model.

    Args:
        model: Checkpoint folder, repository id on the Hub, a model, which is not changed, or the
            folder of a stack.
        source: File of sequences ("-" is standard input), or sequences: texts or records.
        output: File to write, `.tsv`, `.tsv.gz`, `.csv`, `.csv.gz` or `.parquet`, or "-" for TSV
            on standard output: id, label and `prob_CLASS` for each class, or for regression id and
            the value of each target. None returns the predictions.
        also: Checkpoints to average with, such as those of other k (Ji et al. 2021 train k = 3 to
            6): they must have the same classes.
        both_strands: Whether to predict each sequence and its reverse complement and average the
            probabilities (or values), for signals that may lie on either strand; takes twice as
            long. By default as the model was trained.
        **options: The fields of `RunOptions`.

    Returns:
        The predictions in input order, or where they were written.

    Raises:
        ValueError: If model, source or output cannot be used.
    """
    run = Run(output, RunOptions.of(options))
    members, stack = find_members(model, also)
    for member in members:
        run.start(member, "sequence-classification")
    if stack is not None and both_strands is None:
        both_strands = stack.both_strands
    both_strands = choose_strands(run.engines, both_strands)
    classifier = Classifier(*run.engines, both_strands=both_strands, stack=stack)
    n_passes = len(run.engines) * (1 + both_strands)
    given = run.read(source, n_bases=_CHUNK_BASES, n_passes=n_passes)
    return run.results(
        replace(given, chunks=_watched(given.chunks, run.engines[0].model.config)),
        classifier.predict,
        to_row=_row,
        result_format=None if output is None else _choose_format(output, classifier.scheme),
        depends_on={"both_strands": both_strands} | ({} if stack is None else stack.settings),
    )


def find_members(model: Any, also: Sequence[str | Path]) -> tuple[list[Any], Stack | None]:
    """List the models that answer together, and the stack that joins them, if it is one.

    Args:
        model: A model, or the folder of a stack.
        also: Models to average with.

    Raises:
        ValueError: If a stack cannot be read, or is one of several models.
    """
    if not any(map(is_stack, (model, *also))):
        return [model, *also], None
    if also:
        raise ValueError(
            "a stack has models of its own and is not averaged with others, found also (--also); "
            "leave it out, or make a stack of them all"
        )
    stack = Stack.read(model)
    return list(stack.members), stack


def _watched(chunks: Iterable[list[SequenceRecord]], config: Any) -> Iterator[list[SequenceRecord]]:
    """Warn of records that are far longer than those of training, as they are read."""
    for chunk in chunks:
        yield list(watch_lengths(chunk, config))


class Classifier:
    """A fine-tuned model in an engine, or several whose probabilities are averaged or stacked.

    Args:
        *engines: Engines with a DNABertForSequenceClassification.
        both_strands: Whether to average over each sequence and its reverse complement.
        stack: What joins several models; None for their mean.

    Attributes:
        scheme: Problem type and class names.

    Raises:
        ValueError: If the models differ in problem type or class names.
    """

    def __init__(self, *engines: Engine, both_strands: bool = False, stack: Stack | None = None):
        schemes = [LabelScheme.from_config(engine.model.config) for engine in engines]
        for scheme in schemes[1:]:
            if scheme != schemes[0]:
                raise ValueError(
                    "models to average must have the same classes in the same order, found "
                    f"{schemes[0].problem_type} {', '.join(schemes[0].names)} and "
                    f"{scheme.problem_type} {', '.join(scheme.names)}; train them on the same data"
                )
        if stack is not None and stack.classes != schemes[0].names:
            raise ValueError(
                f"the members of a stack must have its classes, {', '.join(stack.classes)}, found "
                f"{', '.join(schemes[0].names)}; make the stack again"
            )
        self.scheme = schemes[0]
        self._engines = engines
        self._stack = stack
        self._both_strands = both_strands

    def predict(self, records: Sequence[SequenceRecord]) -> list[Prediction]:
        """Classify records that are in memory."""
        names = self.scheme.names
        probabilities = self.probabilities(records)
        return [
            Prediction(record.id, label, dict(zip(names, row, strict=True)))
            for record, label, row in zip(
                records, self._labels(probabilities), probabilities.tolist(), strict=True
            )
        ]

    def probabilities(self, records: Sequence[SequenceRecord]) -> np.ndarray:
        """Give the probability of each class, or the values, shape (records, labels)."""
        return self.combine(self.of_models(records))

    def of_models(self, records: Sequence[SequenceRecord]) -> np.ndarray:
        """Give what each model says by itself, shape (models, records, labels)."""
        strands = [records]
        if self._both_strands:
            strands.append([_other_strand(record) for record in records])
        said = [
            np.asarray(sum(self._predict(engine, strand) for strand in strands) / len(strands))
            for engine in self._engines
        ]
        counted = None if self._stack is None else self._stack.of_kmers(records)
        return np.stack(said if counted is None else [*said, counted])

    def combine(self, of_models: np.ndarray) -> np.ndarray:
        """Join what the models say, (models, records, labels), to shape (records, labels)."""
        if self._stack is not None:
            return self._stack.combine(of_models)
        return np.asarray(of_models.mean(axis=0))

    def from_pooled(self, engine: Engine, pooled: np.ndarray, rows: Sequence[int]) -> np.ndarray:
        """Give the probability of each class from what the encoder pooled.

        Args:
            engine: Engine whose model pooled it.
            pooled: Pooled outputs of the pieces of all sequences, shape (pieces, hidden).
            rows: Sequence that each piece belongs to, ascending from 0, shape (pieces,).

        Returns:
            Probabilities, or values, shape (sequences, labels).
        """
        return logits_to_predictions(
            classify_pieces(engine, pooled, rows), self.scheme.problem_type
        )

    def _predict(self, engine: Engine, records: Sequence[SequenceRecord]) -> np.ndarray:
        logits = np.empty((len(records), len(self.scheme.names)), dtype=np.float32)
        is_pair = np.array([record.sequence_b is not None for record in records], dtype=bool)
        for indices, compute in (
            (np.flatnonzero(~is_pair), sequence_logits),
            (np.flatnonzero(is_pair), _pair_logits),
        ):
            if len(indices):
                chosen = [records[i] for i in indices.tolist()]
                logits[indices] = compute(engine, chosen, len(chosen) / len(records))
        return logits_to_predictions(logits, self.scheme.problem_type)

    def _labels(self, probabilities: np.ndarray) -> Sequence[str | None]:
        """Name the class or classes of each row of probabilities."""
        names = self.scheme.names
        if self.scheme.problem_type == "regression":
            return [None] * len(probabilities)
        if self.scheme.problem_type == "multi_label_classification":
            chosen = (probabilities >= 0.5).tolist()
            return [";".join(compress(names, row)) for row in chosen]
        return [names[index] for index in probabilities.argmax(axis=1).tolist()]


def sequence_logits(
    engine: Engine, records: Sequence[SequenceRecord], weight: float = 1
) -> np.ndarray:
    """Give the logits of single sequences.

    They are cut as the model itself would cut them, so that pieces of all share batches.

    Args:
        engine: Engine with a DNABertForSequenceClassification.
        records: Single sequences, at least one.
        weight: Share of the work on a chunk that this is, for the progress.

    Returns:
        Logits, shape (records, labels).
    """
    windows = [Window(record.sequence) for record in records]
    rows: Sequence[int] = range(len(records))
    longest = engine.model.config.max_position_embeddings - 3 + engine.tokenizer.k
    if any(len(record.sequence) > longest for record in records):
        pieces = [
            [window] if len(window.sequence) <= longest else cut_into_pieces(engine, record)
            for window, record in zip(windows, records, strict=True)
        ]
        windows = list(chain.from_iterable(pieces))
        rows = [row for row, of_record in enumerate(pieces) for _ in of_record]
    pooled = engine.stack(windows, pooled_output, weight=weight)
    return classify_pieces(engine, pooled, rows)


def cut_into_pieces(engine: Engine, record: SequenceRecord) -> list[Window]:
    """Cut a sequence as the classifier of an engine does.

    Args:
        engine: Engine with a DNABertForSequenceClassification.
        record: A single sequence.

    Returns:
        Pieces in order; neighbours share k - 1 bases.

    Raises:
        ValueError: If the sequence has more pieces than the model was made for.
    """
    config = engine.model.config
    room = config.max_position_embeddings - 2
    pieces = cut_into_windows(record.sequence, k=engine.tokenizer.k, n_kmers=room)
    if config.segment_pooling == "concat" and len(pieces) > config.num_segments:
        raise ValueError(
            f"record {record.id}: a sequence must fit into the {config.num_segments} "
            f"pieces of {room} k-mers that the model was made for, found "
            f"{len(record.sequence)} bases ({len(pieces)} pieces); cut it"
        )
    return pieces


def pooled_output(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Encode a batch and give what the encoder of a classifier pools, (rows, hidden)."""
    return pooled_of(model.bert, inputs)


def classify_pieces(engine: Engine, pooled: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """Join the pooled outputs of pieces to the logits of their sequences.

    Args:
        engine: Engine whose model pooled them.
        pooled: Pooled outputs, shape (pieces, hidden).
        rows: Sequence that each piece belongs to, ascending from 0, shape (pieces,).

    Returns:
        Logits, shape (sequences, labels).
    """
    with torch.inference_mode():
        device = engine.device
        pieces = torch.from_numpy(pooled).to(device)
        of_sequence = torch.from_numpy(np.asarray(rows)).to(device)
        logits = engine.model.classify(pieces, of_sequence)
        return np.asarray(logits.float().cpu().numpy())


def _pair_logits(engine: Engine, records: Sequence[SequenceRecord], weight: float) -> np.ndarray:
    """Leave the cutting to the model: a piece of a pair may hold parts of both sequences."""
    windows = [Window(record.sequence, record.sequence_b) for record in records]
    return engine.stack(windows, lambda model, inputs: model(**inputs).logits, weight=weight)


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
