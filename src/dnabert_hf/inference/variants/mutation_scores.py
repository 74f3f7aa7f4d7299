"""Scores of every change of a sequence, each part of it encoded once."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.labelled.positive_class import choose_class
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.inference.engine.engine import Engine, Window
from dnabert_hf.inference.masked_lm_scores import masked_base_log_probabilities
from dnabert_hf.inference.predict import (
    Classifier,
    classify_pieces,
    cut_into_pieces,
    pooled_output,
)
from dnabert_hf.inference.variants.allele_scores import change_scores
from dnabert_hf.inference.variants.mutations import Mutation
from dnabert_hf.metrics.scores import logits_to_predictions

__all__ = ["ClassifierMap", "MaskedMap", "MutationScorer", "Target"]

_LETTERS = "ATCG"
_BASES = frozenset("ACGT")
_POOLED_NUMBERS = 1 << 24  # of pooled outputs that are joined at once: 64 MB


class Target(NamedTuple):
    """A sequence to change.

    Attributes:
        id: Name.
        sequence: What the model sees.
        start: First base to change (0-based).
        end: Base after the last one to change.
        region: Where these bases lie on a genome, None if that is not known.
    """

    id: str
    sequence: str
    start: int
    end: int
    region: Interval | None = None


class MutationScorer(Protocol):
    """Scores changes of sequences.

    Attributes:
        names: What the scores are called.
    """

    names: tuple[str, ...]

    def prepare(self, targets: Sequence[Target]) -> None:
        """Compute what all changes of some sequences share."""

    def n_bases(self, target: Target, n_mutations: int) -> int:
        """Count the bases to encode for so many changes of one base."""

    def score(self, mutations: Sequence[tuple[int, Mutation]]) -> np.ndarray:
        """Give the scores, shape (mutations, names), of (target, change); NaN where none."""


class ClassifierMap:
    """Scores changes by what a fine-tuned classifier says of each class.

    The unchanged sequence is encoded once. Beyond one piece (510 k-mers), only the pieces that hold
    a changed k-mer are encoded again, from the change on if bases move; the pooled outputs of the
    others are taken over. Pieces are encoded alone, so that this is exact. Equal pieces, as the
    deletions within AAAA give, are encoded once.

    Args:
        engine: Engine with a DNABertForSequenceClassification.
        label: Class to score; None for all.
        both_strands: Whether to average over both strands.
    """

    def __init__(self, engine: Engine, *, label: str | None = None, both_strands: bool = False):
        scheme = Classifier(engine).scheme
        self._engine = engine
        self._problem_type = scheme.problem_type
        self._both_strands = both_strands
        labels = scheme.names if label is None else [choose_class(scheme, label)]
        self._columns = [scheme.names.index(name) for name in labels]
        scores = (
            ("value_ref", "value", "change")
            if scheme.problem_type == "regression"
            else ("prob_ref", "prob", "logit_change", "diff", "log_odds_ratio")
        )
        is_single = scheme.problem_type == "regression" and len(labels) == 1
        self.names: tuple[str, ...] = tuple(
            score if is_single else f"{score}_{name}" for name in labels for score in scores
        )
        self._strands: list[_Strand] = []

    def prepare(self, targets: Sequence[Target]) -> None:
        """Encode the unchanged sequences."""
        self._strands = [_Strand(self._engine, targets, is_reverse=False)]
        if self._both_strands:
            self._strands.append(_Strand(self._engine, targets, is_reverse=True))

    def n_bases(self, target: Target, n_mutations: int) -> int:
        """Count the bases to encode for so many changes of one base."""
        config = self._engine.model.config
        longest = config.max_position_embeddings - 3 + config.k
        n_strands = 1 + self._both_strands
        return n_strands * n_mutations * min(len(target.sequence), longest)

    def score(self, mutations: Sequence[tuple[int, Mutation]]) -> np.ndarray:
        """Give the scores, shape (mutations, names)."""
        owners = [target for target, _ in mutations]
        logits = [(strand.reference[owners], strand.logits(mutations)) for strand in self._strands]
        before, after = (
            np.mean([logits_to_predictions(each[side], self._problem_type) for each in logits], 0)
            for side in (0, 1)
        )
        moved = np.mean([after_ - before_ for before_, after_ in logits], axis=0)
        columns: list[np.ndarray] = []
        for column in self._columns:
            p_before, p_after = before[:, column], after[:, column]
            columns += [p_before, p_after, moved[:, column]]
            if self._problem_type != "regression":
                columns += change_scores(p_before, p_after)
        return np.stack(columns, axis=1)


class _Strand:
    """Sequences on one strand, with the pooled outputs of their pieces.

    Attributes:
        reference: Logits of the unchanged sequences, shape (targets, labels).
    """

    def __init__(self, engine: Engine, targets: Sequence[Target], *, is_reverse: bool):
        self._engine = engine
        self._is_reverse = is_reverse
        self._records = [
            SequenceRecord(
                each.id, reverse_complement(each.sequence) if is_reverse else each.sequence
            )
            for each in targets
        ]
        pieces = [cut_into_pieces(engine, record) for record in self._records]
        windows = [piece for each in pieces for piece in each]
        pooled = iter(engine.run(windows, pooled_output, weight=0))
        self._pooled = [np.stack([next(pooled) for _ in each]) for each in pieces]
        rows = np.repeat(np.arange(len(pieces)), [len(each) for each in pieces])
        self.reference = classify_pieces(engine, np.concatenate(self._pooled), rows.tolist())

    def logits(self, mutations: Sequence[tuple[int, Mutation]]) -> np.ndarray:
        """Give the logits with each change, shape (mutations, labels)."""
        changed = [self._changed_pieces(target, mutation) for target, mutation in mutations]
        windows = list(dict.fromkeys(piece for _, pieces, _ in changed for piece in pieces))
        pooled = dict(zip(windows, self._engine.run(windows, pooled_output), strict=True))
        parts = []
        for begin, end in self._slices([len(self._pooled[target]) for target, _ in mutations]):
            joined, rows = [], []
            for row in range(begin, end):
                first, pieces, last = changed[row]
                old = self._pooled[mutations[row][0]]
                new = [pooled[piece][None] for piece in pieces]
                joined.append(np.concatenate([old[:first], *new, old[last:]]))
                rows += [row - begin] * len(joined[-1])
            parts.append(classify_pieces(self._engine, np.concatenate(joined), rows))
        return np.concatenate(parts)

    def _changed_pieces(self, target: int, mutation: Mutation) -> tuple[int, list[Window], int]:
        """Cut the pieces that a change touches: they stand for those from first to before last."""
        record, n_old = self._records[target], len(self._pooled[target])
        if self._is_reverse:
            mutation = mutation.on_other_strand(len(record.sequence))
        config = self._engine.model.config
        k, room = config.k, config.max_position_embeddings - 2
        first = min(max(mutation.position - k + 1, 0) // room, n_old - 1)
        is_in_place = len(mutation.ref) == len(mutation.alt)
        last = min(mutation.position // room + 1, n_old) if is_in_place else n_old
        end = last * room + k - 1 if last < n_old else len(record.sequence)
        moved = mutation._replace(position=mutation.position - first * room)
        rest = moved.apply(record.sequence[first * room : end])
        if first == 0 and len(rest) < k:
            raise ValueError(
                f"record {record.id}: a sequence must be at least k = {k} bases long with a "
                f"deletion too, found {len(record.sequence)}; leave it out or ask for no deletions"
            )
        # A deletion may leave less than a k-mer to the last piece: then there is none.
        if len(rest) < k:
            return first, [], last
        return first, cut_into_pieces(self._engine, record._replace(sequence=rest)), last

    def _slices(self, n_pieces: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Split changes so that the pooled outputs of each part fit into memory."""
        room = _POOLED_NUMBERS // self._engine.model.config.hidden_size
        begin = total = 0
        for row, count in enumerate(n_pieces):
            if row > begin and total + count > room:
                yield begin, row
                begin, total = row, 0
            total += count
        yield begin, len(n_pieces)


class MaskedMap:
    """Scores changes with a pretrained model alone, as `log_likelihood_ratio` of variants.

    One pass with a base masked gives its three changes. Of a sequence that is longer than the model
    takes, it sees as much as it can around the base.

    Args:
        engine: Engine with a DNABertForMaskedLM.
        both_strands: Whether to average over both strands.
    """

    names: tuple[str, ...] = ("log_likelihood_ratio",)

    def __init__(self, engine: Engine, *, both_strands: bool = False):
        config = engine.model.config
        self._engine = engine
        self._longest = config.max_position_embeddings - 3 + config.k
        self._both_strands = both_strands
        self._targets: Sequence[Target] = ()

    def prepare(self, targets: Sequence[Target]) -> None:
        """Remember the sequences."""
        self._targets = targets

    def n_bases(self, target: Target, n_mutations: int) -> int:
        """Count the bases to encode for the changes of one base."""
        n_passes = (1 + self._both_strands) * min(n_mutations, 1)
        return n_passes * min(len(target.sequence), self._longest)

    def score(self, mutations: Sequence[tuple[int, Mutation]]) -> np.ndarray:
        """Give the scores, shape (mutations, 1); NaN within k bases of an end and beside N."""
        sites = {(target, each.position): None for target, each in mutations}
        windows = {site: window for site in sites if (window := self._window(*site)) is not None}
        ratios = np.full((len(mutations), 1), np.nan)
        if not windows:
            return ratios
        logs = self._log_probabilities(list(windows.values()))
        row_of = {site: row for row, site in enumerate(windows)}
        for row, (target, (position, ref, alt)) in enumerate(mutations):
            if (target, position) in row_of:
                of_site = logs[row_of[target, position]]
                ratios[row] = of_site[_LETTERS.index(alt)] - of_site[_LETTERS.index(ref)]
        return ratios

    def _log_probabilities(self, windows: list[str]) -> np.ndarray:
        logs = masked_base_log_probabilities(self._engine, [Window(each) for each in windows])
        if not self._both_strands:
            return logs
        others = [Window(reverse_complement(each)) for each in windows]
        # A, T, C, G are T, A, G, C there.
        return (logs + masked_base_log_probabilities(self._engine, others)[:, [1, 0, 3, 2]]) / 2

    def _window(self, target: int, position: int) -> str | None:
        """Cut what the model sees, N in place of the base; None if it cannot be scored."""
        sequence, k = self._targets[target].sequence, self._engine.tokenizer.k
        first = max(0, min(position - self._longest // 2, len(sequence) - self._longest))
        before, after = sequence[first:position], sequence[position + 1 : first + self._longest]
        if min(len(before), len(after)) < k or not _BASES.issuperset(before + after):
            return None
        return f"{before}N{after}"
