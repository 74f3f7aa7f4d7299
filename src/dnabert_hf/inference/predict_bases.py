"""Classes of single bases that a token classifier gives to sequences of any length."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
import torch

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.masking.base_windows import cut_for_bases
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.inference.embed import count_tokens, spread_over_bases
from dnabert_hf.inference.engine.checkpoint import architecture_of
from dnabert_hf.inference.engine.engine import Engine, Window
from dnabert_hf.inference.engine.training_defaults import choose_strands
from dnabert_hf.inference.output.base_formats import choose_base_format
from dnabert_hf.inference.output.writer import WrittenResults
from dnabert_hf.inference.run import Run, RunFields, RunOptions

__all__ = ["BaseClassifier", "BasePrediction", "predict_bases"]

_CHUNK_BASES = 1 << 19


class BasePrediction(NamedTuple):
    """Prediction for the bases of one sequence.

    Attributes:
        id: Id of the record.
        sequence: Its DNA.
        names: Class names.
        probabilities: Probability of each class for each base, float32, shape (bases, classes).
    """

    id: str
    sequence: str
    names: tuple[str, ...]
    probabilities: np.ndarray

    @property
    def labels(self) -> str:
        """The most probable class of each base, as a string of one letter each."""
        return "".join(self.names[index] for index in self.probabilities.argmax(axis=1).tolist())


def predict_bases(
    model: Any,
    source: Source,
    *,
    output: str | Path | None = None,
    label: str | None = None,
    both_strands: bool | None = None,
    **options: Unpack[RunFields],
) -> list[BasePrediction] | WrittenResults:
    """Classify each base of sequences of any length with a fine-tuned token classifier.

    A base gets the mean of the probabilities that the k-mers over it have. Sequences beyond the
    model's limit are cut into windows that share a quarter of their bases; each base is taken from
    the window in which it lies farther from the border. Memory grows with the longest sequence.

    Args:
        model: Checkpoint folder, repository id on the Hub, or a model, which is not changed.
        source: File of sequences ("-" is standard input), or sequences: texts or records.
        output: `.bed` for runs of bases of one class (sequence, start, end, class, 1,000 x its mean
            probability, "."), or a table with a row for each base, `.tsv`, `.tsv.gz`, `.csv`,
            `.csv.gz` or `.parquet`: id, position (0-based), base, label and `prob_CLASS` for each
            class; "-" is such a table on standard output. N and its like have the label "." and no
            runs. None returns the predictions.
        label: Class whose runs are written; by default every class but the first.
        both_strands: Whether to average over each sequence and its reverse complement.
        **options: The fields of `RunOptions`.

    Returns:
        The predictions in input order, or where they were written.

    Raises:
        ValueError: If model, source or output cannot be used, a record is a pair, or the class is
            not known.
    """
    run = Run(output, RunOptions.of(options))
    architecture = architecture_of(model)
    if not architecture.endswith("ForTokenClassification"):
        raise ValueError(
            "bases are classified by a DNABertForTokenClassification, found "
            f"{architecture or 'no name of one'}; train one with labels of bases "
            "(dnabert finetune --task token), or use predict"
        )
    engine = run.start(model, "token-classification")
    both_strands = choose_strands([engine], both_strands)
    classifier = BaseClassifier(engine, both_strands=both_strands)
    names = classifier.scheme.names
    if label is not None and label not in names:
        raise ValueError(f"the class must be one of {', '.join(names)}, got {label!r}")
    return run.results(
        run.read(source, n_bases=_CHUNK_BASES, n_passes=1 + both_strands),
        classifier.predict,
        to_row=lambda found: (found.id, found.sequence, found.probabilities),
        result_format=None if output is None else choose_base_format(output, names, label),
        depends_on={"both_strands": both_strands, "label": label},
    )


class BaseClassifier:
    """A fine-tuned token classifier in an engine.

    Args:
        engine: Engine with a DNABertForTokenClassification.
        both_strands: Whether to average over each sequence and its reverse complement.

    Attributes:
        scheme: Class names.
    """

    def __init__(self, engine: Engine, *, both_strands: bool = False):
        labels = engine.model.config.id2label
        names = tuple(labels[index] for index in range(len(labels)))
        self.scheme = LabelScheme("token_classification", names)
        self._engine = engine
        self._both_strands = both_strands

    def predict(self, records: Sequence[SequenceRecord]) -> Iterator[BasePrediction]:
        """Classify the bases of records that are in memory."""
        for record, probabilities in zip(records, self.of_records(records), strict=True):
            yield BasePrediction(record.id, record.sequence, self.scheme.names, probabilities)

    def of_records(self, records: Sequence[SequenceRecord]) -> list[np.ndarray]:
        """Give the probabilities of the bases of each record, shape (bases, classes)."""
        for record in records:
            if record.sequence_b is not None:
                raise ValueError(
                    f"record {record.id}: bases are classified in one sequence, found a pair; give "
                    "single sequences"
                )
        sequences = [record.sequence for record in records]
        forward = self._run(sequences)
        if not self._both_strands:
            return forward
        backward = self._run([reverse_complement(sequence) for sequence in sequences])
        return [(one + other[::-1]) / 2 for one, other in zip(forward, backward, strict=True)]

    def probabilities(self, records: Sequence[SequenceRecord]) -> np.ndarray:
        """Give the probabilities of all bases, one record after the other, (bases, classes)."""
        return np.concatenate(self.of_records(records))

    def _run(self, sequences: Sequence[str]) -> list[np.ndarray]:
        k = self._engine.tokenizer.k
        room = self._engine.model.config.max_position_embeddings - 2
        cuts = [cut_for_bases(len(sequence), k=k, n_kmers=room) for sequence in sequences]
        results = iter(
            self._engine.run(
                [
                    Window(sequence[window.start : window.end])
                    for sequence, windows in zip(sequences, cuts, strict=True)
                    for window in windows
                ],
                _kmer_probabilities,
            )
        )
        return [
            np.concatenate(
                [
                    spread_over_bases(next(results), k=k)[
                        window.first - window.start : window.last - window.start
                    ]
                    for window in windows
                ]
            )
            for windows in cuts
        ]


def _kmer_probabilities(model: Any, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    probabilities = model(**inputs).logits.float().softmax(-1)
    n_tokens = count_tokens(inputs).tolist()
    return [row[1 : n - 1] for row, n in zip(probabilities, n_tokens, strict=True)]
