"""A model in memory that answers questions about pasted sequences, one after the other."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.app.answers import Answer, Table, collected_notes
from dnabert_hf.app.card import read_card, read_examples
from dnabert_hf.app.pasted import read_pasted
from dnabert_hf.cards.regression import RegressionNote, read_regression
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import known_positive
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.engine.checkpoint import architecture_of, as_checkpoint
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.training_defaults import choose_strands
from dnabert_hf.inference.predict import predict
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.inference.variants.mutation_scores import (
    ClassifierMap,
    MaskedMap,
    MutationScorer,
    Target,
)
from dnabert_hf.inference.variants.mutations import Mutation, mutations_at
from dnabert_hf.interpretation.attribution.attention import attention_scores
from dnabert_hf.interpretation.attribution.attribution import attribution_scores
from dnabert_hf.interpretation.motifs.matrices.known_sites import MotifScanner

__all__ = ["MOST_LETTERS", "Explorer"]

_BASES = "ACGT"
MOST_LETTERS = 1_000  # bases that are drawn one by one, and changed
_TASKS = {
    "ForSequenceClassification": "sequence-classification",
    "ForMaskedLM": "masked-lm",
}


class Explorer:
    """A model that is loaded once; questions of several threads wait for each other.

    All is computed in float32, so that gradients and predictions are of the same weights.

    Args:
        model: Folder or Hub repository of a classifier of sequences or a masked language model, or
            name of a checkpoint that comes with the package.
        motifs: Probabilities of known motifs by name, shape (positions, 4).
        both_strands: Whether to average over both strands; by default as the model was trained.
        device: "auto", "cpu", "cuda", ...

    Attributes:
        name: Name of the model, without its folders.
        k: Bases per k-mer.
        is_classifier: Whether it has classes or values, else it is a masked language model.
        scheme: Its labels; None of a masked language model.
        positive: The class of interest, if there is one.
        both_strands: Whether answers are means over both strands.
        lengths: Least, median and most bases of training, if known.
        regression: What stands beside the model; None of a masked language model.
        examples: Sequences of the model's card to try: title and sequence.
        motifs: Names of the known motifs.

    Raises:
        ValueError: If there is no such model, or it is of another kind.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        motifs: Mapping[str, np.ndarray],
        both_strands: bool | None = None,
        device: str = "auto",
    ):
        architecture = architecture_of(model)
        kind = next((end for end in _TASKS if architecture.endswith(end)), None)
        if kind is None:
            raise ValueError(
                "the app shows classifiers of sequences and masked language models, found "
                f"{architecture or 'no name of either'} in {model}; bases are classified by "
                "`dnabert predict`, and a model without a head is trained with `dnabert finetune`"
            )
        checkpoint = as_checkpoint(model, None, task=_TASKS[kind])
        self._engine: Engine = RunOptions(device=device, dtype="float32").start(checkpoint)
        self._running: RunFields = {
            "tokenizer": self._engine.tokenizer,
            "device": str(self._engine.device),
            "dtype": "float32",
        }
        self._lock = threading.Lock()
        self._scanner = MotifScanner(motifs)
        config = self._engine.model.config
        self.name = Path(model).resolve().name if Path(model).is_dir() else str(model)
        self.k: int = config.k
        self.is_classifier = kind == "ForSequenceClassification"
        self.scheme = LabelScheme.from_config(config) if self.is_classifier else None
        self.positive = None if self.scheme is None else known_positive(self.scheme)
        self.both_strands = choose_strands([self._engine], both_strands)
        self.lengths: Sequence[int] | None = getattr(config, "training_lengths", None)
        card = read_card(model)
        self.regression: RegressionNote | None = None
        if self.is_classifier:
            self.regression = read_regression(card)
        self.examples = read_examples(card, self.k)
        self.motifs = self._scanner.names

    def predict(self, text: str) -> Answer:
        """Give the probability of each class (or values) of pasted sequences, as `predict` does.

        A masked language model gives their ids and lengths alone.

        Args:
            text: A sequence, or FASTA.

        Returns:
            The table `sequences` (id, sequence) and, of a classifier, `predictions`.

        Raises:
            ValueError: If the text cannot be used.
        """
        with self._asked() as notes:
            records = read_pasted(text, k=self.k)
            rows = [(record.id, record.sequence) for record in records]
            tables = {"sequences": Table(("id", "sequence"), rows)}
            if self.scheme is not None:
                tables["predictions"] = self._predict(records)
            return Answer(tables, notes)

    def _predict(self, records: Sequence[SequenceRecord]) -> Table:
        assert self.scheme is not None
        names = self.scheme.names
        found: Any = predict(
            self._engine.model, records, both_strands=self.both_strands, **self._running
        )
        if self.scheme.problem_type == "regression":
            columns = ["id", *(("value",) if len(names) == 1 else names)]
            return Table(columns, [[each.id, *each.probabilities.values()] for each in found])
        columns = ["id", "label", *(f"prob_{name}" for name in names)]
        rows = [[each.id, each.label, *each.probabilities.values()] for each in found]
        return Table(columns, rows)

    def score_bases(self, sequence: str, label: str | None = None) -> Answer:
        """Score each base by attribution to a class and by attention.

        Args:
            sequence: DNA of at most `MOST_LETTERS` bases.
            label: Class; None for the class of interest, or else the most probable one.

        Returns:
            The table `bases`: position (0-based), base, attribution (of a classifier) and
            attention.

        Raises:
            ValueError: If the sequence cannot be used, or there is no such class.
        """
        with self._asked() as notes:
            record = self._single(sequence)
            model = self._engine.model
            columns = ["position", "base"]
            scores = []
            if self.scheme is not None:
                found: Any = attribution_scores(model, [record], label=label, **self._running)
                columns.append("attribution")
                scores.append(found[0].scores.tolist())
            found = attention_scores(model, [record], **self._running)
            columns.append("attention")
            scores.append(found[0].scores.tolist())
            rows = list(zip(range(len(record.sequence)), record.sequence, *scores, strict=True))
            return Answer({"bases": Table(columns, rows)}, notes)

    def map_mutations(
        self, sequence: str, label: str | None = None, *, start: int, end: int
    ) -> Answer:
        """Score every change of some bases of a sequence to another, as `mutagenesis` does.

        Args:
            sequence: DNA of at most `MOST_LETTERS` bases.
            label: Class; None for all.
            start: First base to change, 0-based.
            end: Base after the last one to change.

        Returns:
            The table `mutations`, with the columns that `mutagenesis` gives but the id; of a masked
            language model also `expected`: position, base, and the probability of A, C, G and T
            where the base is masked.

        Raises:
            ValueError: If the sequence cannot be used, or there are no such bases or class.
        """
        with self._asked() as notes:
            record = self._single(sequence)
            if not 0 <= start < end <= len(record.sequence):
                raise ValueError(
                    f"bases to change must lie from 0 to {len(record.sequence)}, got {start} to "
                    f"{end}"
                )
            scorer: MutationScorer
            if self.scheme is not None:
                is_regression = self.scheme.problem_type == "regression"
                label = None if is_regression else label  # all targets: classes alone are chosen
                scorer = ClassifierMap(self._engine, label=label, both_strands=self.both_strands)
            else:
                scorer = MaskedMap(self._engine, both_strands=self.both_strands)
            target = Target(record.id, record.sequence, start, end)
            changes = [
                change
                for position in range(start, end)
                for change in mutations_at(record.sequence, position)
            ]
            scores = np.empty((0, len(scorer.names)))
            if changes:
                scorer.prepare([target])
                scores = scorer.score([(0, change) for change in changes])
            rows = [[*each, *_plain(row)] for each, row in zip(changes, scores, strict=True)]
            tables = {"mutations": Table(["position", "ref", "alt", *scorer.names], rows)}
            if self.scheme is None:
                tables["expected"] = _expected(changes, scores[:, 0])
            return Answer(tables, notes)

    def find_motifs(self, sequence: str) -> Answer:
        """Find sites of known motifs in a sequence, on both strands.

        Args:
            sequence: DNA.

        Returns:
            The table `motifs`: motif, start and end (0-based, half-open), strand, score in bits,
            and the chance that a random word scores as high.

        Raises:
            ValueError: If the sequence cannot be used.
        """
        with self._asked() as notes:
            record = self._single(sequence)
            sites = self._scanner.find(record.sequence)
            columns = ("motif", "start", "end", "strand", "score", "p_value")
            return Answer({"motifs": Table(columns, [tuple(site) for site in sites])}, notes)

    def _single(self, sequence: str) -> SequenceRecord:
        records = read_pasted(sequence, k=self.k)
        if len(records) > 1:
            raise ValueError(f"one sequence is looked at base by base, found {len(records)}")
        if len(records[0].sequence) > MOST_LETTERS:
            raise ValueError(
                f"a sequence must have at most {MOST_LETTERS:,} bases to be looked at base by "
                f"base, found {len(records[0].sequence):,}; paste a part of it"
            )
        return records[0]

    @contextmanager
    def _asked(self) -> Iterator[list[str]]:
        """Wait for the questions before, and collect what the package warns of meanwhile."""
        with self._lock, collected_notes() as notes:
            yield notes


def _plain(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]


def _expected(changes: Sequence[Mutation], ratios: np.ndarray) -> Table:
    """Turn log-likelihood ratios against a base into probabilities of the four."""
    rows: list[list[Any]] = []
    pairs = zip(changes, ratios, strict=True)
    for position, group in groupby(pairs, key=lambda pair: pair[0].position):
        odds: dict[str, float] = {}
        for change, ratio in group:
            odds |= {change.ref: 1.0, change.alt: float(np.exp(ratio))}
        shares = np.array([odds[base] for base in _BASES])
        rows.append([position, change.ref, *_plain(shares / shares.sum())])
    return Table(["position", "base", *(f"prob_{base}" for base in _BASES)], rows)
