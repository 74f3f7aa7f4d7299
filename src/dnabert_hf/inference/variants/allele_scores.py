"""Scores of alleles from pairs of windows, with REF and with ALT."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from dnabert_hf.data.labelled.positive_class import choose_class
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.data.variants.windows import AlleleWindows
from dnabert_hf.inference.embed import mean_over_kmers
from dnabert_hf.inference.engine.engine import Engine, Window
from dnabert_hf.inference.masked_lm_scores import masked_base_log_probabilities
from dnabert_hf.inference.predict import Classifier

__all__ = [
    "ClassifierScorer",
    "JointScorer",
    "MaskedScorer",
    "ShiftedWindows",
    "VariantScorer",
    "change_scores",
]

# The windows of an allele, each with the bases by which it is shifted; the first by 0.
ShiftedWindows = list[tuple[int, AlleleWindows]]

_LETTERS = "ATCG"
_LEAST = 1e-7  # probabilities of 0 and 1 have no odds


class VariantScorer(Protocol):
    """Scores alleles.

    Attributes:
        names: What the scores are called in a table, with the class that they are of.
        fields: What they are called in a VCF, whose header names the class.
        descriptions: What each is, in a line.
        changes: Which of the names are of changes, whose sum means something.
        n_passes: Passes of a window with either allele that it takes for a strand.
    """

    names: tuple[str, ...]
    fields: tuple[str, ...]
    descriptions: tuple[str, ...]
    changes: tuple[str, ...]
    n_passes: float

    def score(self, windows: Sequence[AlleleWindows]) -> np.ndarray:
        """Give the scores, shape (alleles, names); NaN where one is not defined."""

    def strength(self, scores: np.ndarray) -> np.ndarray:
        """Say how strong the effects are that scores tell of, shape (alleles,)."""


def change_scores(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare the probability of a class with either allele, as DNABERT does (Ji et al. 2021).

    Args:
        before: Probability with the reference allele, shape (alleles,).
        after: Probability with the alternative allele, shape (alleles,).

    Returns:
        The difference weighted by the larger of the two, (after - before) max(before, after), and
        the log odds ratio, log2 odds(before) - log2 odds(after): positive where signal is lost.

    Example:
        >>> change_scores(np.array([0.8]), np.array([0.2]))
        (array([-0.48]), array([4.]))
    """
    difference = (after - before) * np.maximum(before, after)
    return np.round(difference, 12), np.round(_log_odds(before) - _log_odds(after), 12)


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log2(clipped) - np.log2(1 - clipped))


class ClassifierScorer:
    """Scores alleles by what a fine-tuned classifier says of a class.

    Args:
        classifier: The model.
        label: Name of the class; None for the class of interest.

    Attributes:
        label: Name of the class.

    Raises:
        ValueError: If there is no such class, or none is named where there are not two.
    """

    fields: tuple[str, ...] = ("prob_ref", "prob_alt", "diff", "log_odds_ratio")
    n_passes = 1.0

    def __init__(self, classifier: Classifier, label: str | None = None):
        label = choose_class(classifier.scheme, label)
        self.label = label
        self.names: tuple[str, ...] = tuple(f"{name}_{label}" for name in self.fields)
        self.changes: tuple[str, ...] = self.names[2:]
        self._column = classifier.scheme.names.index(label)
        self._classifier = classifier
        self.descriptions: tuple[str, ...] = (
            f"Probability of {label} with REF",
            f"Probability of {label} with ALT",
            "(prob_alt - prob_ref) * max(prob_ref, prob_alt)",
            "log2 odds of prob_ref - log2 odds of prob_alt; positive where signal is lost",
        )

    def score(self, windows: Sequence[AlleleWindows]) -> np.ndarray:
        """Give the scores, shape (alleles, 4)."""
        # Alleles of one site share the reference.
        sequences = dict.fromkeys(each for window in windows for each in window[:2])
        records = [SequenceRecord(str(i), sequence) for i, sequence in enumerate(sequences)]
        column = self._classifier.probabilities(records)[:, self._column]
        probability = dict(zip(sequences, column.tolist(), strict=True))
        before = np.array([probability[window.ref] for window in windows])
        after = np.array([probability[window.alt] for window in windows])
        return np.stack([before, after, *change_scores(before, after)], axis=1)

    def strength(self, scores: np.ndarray) -> np.ndarray:
        """Give the size of the difference, shape (alleles,)."""
        return np.abs(scores[:, self.fields.index("diff")])


class MaskedScorer:
    """Scores alleles with a pretrained model alone.

    Args:
        engine: Engine with a DNABertForMaskedLM.
        both_strands: Whether to average over both strands.
    """

    names: tuple[str, ...] = ("log_likelihood_ratio", "embedding_distance")
    fields = names
    changes = names
    descriptions: tuple[str, ...] = (
        "ln P(ALT) - ln P(REF) of the masked base, from all k-mers over it; single bases only",
        "Cosine distance between the mean hidden states with REF and with ALT",
    )
    n_passes = 1.5  # and one window with the base masked

    def __init__(self, engine: Engine, *, both_strands: bool = False):
        self._engine = engine
        self._both_strands = both_strands

    def score(self, windows: Sequence[AlleleWindows]) -> np.ndarray:
        """Give the scores, shape (alleles, 2); the ratio is NaN where no single base changes."""
        strands = [list(windows)]
        if self._both_strands:
            strands.append([_other_strand(window) for window in windows])
        scores = [
            np.stack([self._likelihood_ratios(each), self._distances(each)], axis=1)
            for each in strands
        ]
        return np.asarray(sum(scores) / len(scores))

    def strength(self, scores: np.ndarray) -> np.ndarray:
        """Give the size of the ratio, or the distance where there is none, shape (alleles,)."""
        ratios, distances = scores.T
        return np.where(np.isnan(ratios), distances, np.abs(ratios))

    def _likelihood_ratios(self, windows: Sequence[AlleleWindows]) -> np.ndarray:
        k = self._engine.tokenizer.k
        ratios = np.full(len(windows), np.nan)
        sites: dict[str, None] = {}
        changes = []
        for row, window in enumerate(windows):
            ref, alt, offset = window[:3]
            if window.is_single_base and k <= offset < len(ref) - k:
                site = f"{ref[:offset]}N{ref[offset + 1 :]}"
                sites[site] = None
                changes.append((row, site, ref[offset], alt[offset]))
        if not changes:
            return ratios
        masked = [Window(site) for site in sites]
        logs = masked_base_log_probabilities(self._engine, masked, weight=0.5)
        row_of = {site: row for row, site in enumerate(sites)}
        for row, site, before, after in changes:
            of_site = logs[row_of[site]]
            ratios[row] = of_site[_LETTERS.index(after)] - of_site[_LETTERS.index(before)]
        return ratios

    def _distances(self, windows: Sequence[AlleleWindows]) -> np.ndarray:
        sequences = dict.fromkeys(each for window in windows for each in window[:2])
        states = self._engine.run(
            [Window(sequence) for sequence in sequences],
            mean_over_kmers,
        )
        unit = {
            sequence: state / np.linalg.norm(state)
            for sequence, state in zip(sequences, np.stack(states).astype(np.float64), strict=True)
        }
        return np.array([1 - unit[window.ref] @ unit[window.alt] for window in windows])


class JointScorer:
    """Scores alleles by several models, each in the window where it sees the strongest effect.

    Args:
        scorers: A scorer for each model, by its name; the names are added to those of the scores,
            unless there is one.
        has_shifts: Whether alleles come in several windows.

    Attributes:
        names, fields, descriptions: As of a `VariantScorer`.
        ends: What is added to the names of each model.
    """

    def __init__(self, scorers: Mapping[str, VariantScorer], *, has_shifts: bool):
        self._scorers = list(scorers.values())
        self._has_shifts = has_shifts
        self.ends = tuple(f"_{model}" * (len(scorers) > 1) for model in scorers)
        names, fields, descriptions = [], [], []
        for model, scorer in scorers.items():
            end = f"_{model}" if len(scorers) > 1 else ""
            of_model = f" ({model})" if len(scorers) > 1 else ""
            shift = "Bases by which the window is shifted that has the strongest effect"
            names += [name + end for name in (*scorer.names, *["shift"] * has_shifts)]
            fields += [name + end for name in (*scorer.fields, *["shift"] * has_shifts)]
            texts = (*scorer.descriptions, *[shift] * has_shifts)
            descriptions += [text + of_model for text in texts]
        self.names, self.fields = tuple(names), tuple(fields)
        self.descriptions = tuple(descriptions)

    def score(self, alleles: Sequence[ShiftedWindows]) -> np.ndarray:
        """Give the scores, shape (alleles, names); NaN where one is not defined."""
        windows = [window for allele in alleles for _, window in allele]
        shifts = np.array([shift for allele in alleles for shift, _ in allele])
        bounds = np.cumsum([0, *map(len, alleles)])
        parts = []
        for scorer in self._scorers:
            scores = scorer.score(windows)
            strength = scorer.strength(scores)
            best = [begin + int(strength[begin:end].argmax()) for begin, end in pairwise(bounds)]
            parts.append(scores[best])
            if self._has_shifts:
                parts.append(shifts[best, None].astype(np.float64))
        return np.concatenate(parts, axis=1)

    def strengths(self, scores: np.ndarray) -> np.ndarray:
        """Give the size of the effect by each model, shape (alleles, models).

        Args:
            scores: What `score` gave.
        """
        widths = [len(scorer.names) + self._has_shifts for scorer in self._scorers]
        parts = np.split(scores, np.cumsum(widths)[:-1], axis=1)
        pairs = zip(self._scorers, parts, strict=True)
        return np.stack(
            [scorer.strength(part[:, : len(scorer.names)]) for scorer, part in pairs], axis=1
        )


def _other_strand(window: AlleleWindows) -> AlleleWindows:
    """Turn a window over; the offset is that of a single base."""
    return AlleleWindows(
        reverse_complement(window.ref),
        reverse_complement(window.alt),
        len(window.ref) - 1 - window.offset,
        window.allele,
    )
