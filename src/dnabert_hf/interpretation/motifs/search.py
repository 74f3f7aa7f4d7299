"""Motifs in scored sequences: candidates, enrichment, merging, refinement."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import false_discovery_control

from dnabert_hf.data.reading.sequence_array import JoinedSequences
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.motifs.discovery import discover_motifs
from dnabert_hf.interpretation.motifs.matrices.pwm import (
    PositionWeightMatrix,
    count_bases,
)
from dnabert_hf.interpretation.motifs.matrices.sites import (
    AttendedDNA,
    Sites,
    cut_windows,
    give_to_best,
    highest_scores,
)
from dnabert_hf.interpretation.motifs.results import (
    Candidate,
    Motif,
    MotifSearch,
    MotifSettings,
    MotifSite,
)
from dnabert_hf.interpretation.motifs.words.enrichment import enrichment_of_words, hypergeometric_p
from dnabert_hf.interpretation.motifs.words.merging import Placement, merge_words
from dnabert_hf.interpretation.motifs.words.regions import find_regions, words_of_regions

__all__ = ["search_motifs"]

_SAME = 0.75  # similarity from which on two motifs are one


def search_motifs(
    sequences: Sequence[str],
    scores: Sequence[np.ndarray],
    is_positive: Sequence[bool] | np.ndarray,
    settings: MotifSettings | None = None,
) -> MotifSearch:
    """Find the motifs that a model looks at in the sequences of one class.

    As in DNABERT-viz (Ji et al. 2021): runs of high scores in sequences of the class are
    candidates; those kept are in more sequences of the class than chance explains, by the
    hypergeometric test over all sequences; kept ones that overlap are merged; a window is cut
    around each. Then, unless `is_refined` is False, each matrix is refined on the DNA around all
    runs, trimmed by information content, and left out if much like a better one.

    Args:
        sequences: Upper-case DNA.
        scores: Score of each base of each, shape (bases,); any measure of importance.
        is_positive: Whether each sequence is of the class.
        settings: How to search.

    Raises:
        ValueError: If scores and sequences differ in number or length, or there are sequences of
            the class only, or none.
    """
    settings = settings or MotifSettings()
    is_positive = np.asarray(is_positive, dtype=bool)
    _check(sequences, scores, is_positive)
    joined = JoinedSequences.from_text(sequences)
    search = _Search(joined, is_positive, settings)
    rows = np.flatnonzero(is_positive)
    positive_scores = np.concatenate([scores[row] for row in rows.tolist()])
    return search.run([sequences[row] for row in rows.tolist()], positive_scores)


def _check(sequences: Sequence[str], scores: Sequence[np.ndarray], is_positive: np.ndarray) -> None:
    if not len(sequences) == len(scores) == len(is_positive):
        raise ValueError(
            f"sequences, scores and labels must be of one number, found {len(sequences)}, "
            f"{len(scores)} and {len(is_positive)}"
        )
    for row, (sequence, of_bases) in enumerate(zip(sequences, scores, strict=True)):
        if len(sequence) != len(of_bases) or not sequence:
            raise ValueError(
                f"sequence {row} (0-based) must have bases and a score for each, found "
                f"{len(sequence)} bases and {len(of_bases)} scores"
            )
    n_positive = int(is_positive.sum())
    if not 0 < n_positive < len(is_positive):
        raise ValueError(
            "a search for motifs compares sequences of a class with others, found "
            f"{n_positive} of the class and {len(is_positive) - n_positive} others; add the "
            "missing ones"
        )


class _Search:
    """The steps of a search, on the joined sequences."""

    def __init__(self, joined: JoinedSequences, is_positive: np.ndarray, settings: MotifSettings):
        self.joined, self.is_positive, self.settings = joined, is_positive, settings
        self.positives = joined.select(is_positive)
        self.rows = np.flatnonzero(is_positive)
        counts = np.bincount(joined.codes, minlength=5)[:4] + 1.0
        if settings.both_strands:
            counts = counts + counts[::-1]
        self.background = counts / counts.sum()

    def run(self, sequences: Sequence[str], scores: np.ndarray) -> MotifSearch:
        """Search.

        Args:
            sequences: Those of the class.
            scores: Score of each of their bases, one behind the other.
        """
        self.regions = find_regions(self.positives, scores, min_len=self.settings.min_len)
        found = words_of_regions(sequences, self.regions)
        canonical = {word: min(self._with_other_strand(word)) for word in set(found)}
        numbers = {word: number for number, word in enumerate(sorted(set(canonical.values())))}
        word_of_region = np.array([numbers[canonical[word]] for word in found], dtype=np.int64)
        is_turned = np.array([word != canonical[word] for word in found], dtype=bool)
        candidates, seeds = self._candidates(list(numbers), word_of_region)
        motifs = self._motifs(seeds, word_of_region, is_turned)
        n_positives = int(self.is_positive.sum())
        return MotifSearch(
            motifs, candidates, len(self.joined), n_positives, self.background, self.settings
        )

    def _with_other_strand(self, word: str) -> tuple[str, str]:
        return word, reverse_complement(word) if self.settings.both_strands else word

    def _candidates(
        self, words: Sequence[str], word_of_region: np.ndarray
    ) -> tuple[list[Candidate], "_Seeds"]:
        """Test all candidates and merge the enriched ones."""
        settings = self.settings
        found = enrichment_of_words(
            words, self.joined, self.is_positive, both_strands=settings.both_strands
        )
        order = np.lexsort([np.arange(len(words)), found.p_values])
        is_kept = found.q_values < settings.max_q
        kept = order[is_kept[order]]
        placements = merge_words(
            [words[index] for index in kept.tolist()],
            min_len=settings.min_len,
            both_strands=settings.both_strands,
        )
        seeds = _Seeds.of(words, kept, placements)
        n_instances = np.bincount(word_of_region, minlength=len(words))
        columns = (n_instances, found.n_sequences, found.n_positives)
        numbers = [column[order].tolist() for column in columns]
        chances = [found.p_values[order].tolist(), found.q_values[order].tolist()]
        of_word = [None if seed < 0 else seed for seed in seeds.of_word[order].tolist()]
        texts = [words[index] for index in order.tolist()]
        rows = zip(texts, *numbers, *chances, of_word, strict=True)
        return [Candidate(*row) for row in rows], seeds

    def _motifs(
        self, seeds: "_Seeds", word_of_region: np.ndarray, is_turned: np.ndarray
    ) -> list[Motif]:
        """Make a motif of each cluster of candidates, the best first."""
        settings = self.settings
        of_region = seeds.of_word[word_of_region]
        attended = AttendedDNA.around(
            self.positives,
            self.regions,
            window=settings.window,
            both_strands=settings.both_strands,
        )
        if settings.is_refined:
            return self._ranked(self._discovered(attended))
        drafts: list[_Draft] = []
        for seed, length in enumerate(seeds.leader_lengths):
            chosen = np.flatnonzero(of_region == seed)
            if len(chosen) < settings.min_instances:
                continue
            words = word_of_region[chosen]
            is_reverse = is_turned[chosen] ^ seeds.is_reverse[words]
            skipped = seeds.offsets[words] + (settings.window - length) // 2
            drafts.append(_Draft(seed, *self._counted(self._windows(chosen, is_reverse, skipped))))
        return self._ranked(drafts)

    def _discovered(self, attended: AttendedDNA) -> "list[_Draft]":
        others = self.joined.select(~self.is_positive)
        step = max(len(others) // 1000, 1)
        others = others.select(np.arange(len(others)) % step == 0)
        matrices = discover_motifs(attended.sample(), others, self.background, self.settings)
        found = [(attended.sites(matrix), len(matrix)) for matrix in matrices]
        drafts = []
        for seed, (sites, matrix) in enumerate(zip(give_to_best(found), matrices, strict=True)):
            if len(sites.rows) < self.settings.min_instances:
                continue
            counts = count_bases(cut_windows(self.positives, sites, len(matrix)))
            drafts.append(_Draft(seed, PositionWeightMatrix(counts, self.background), sites))
        return drafts

    def _windows(self, chosen: np.ndarray, is_reverse: np.ndarray, skipped: np.ndarray) -> Sites:
        """Place windows around regions so that the words in them lie on one another."""
        rows, starts, ends = (part[chosen] for part in self.regions)
        first = self.positives.bounds[rows] + np.where(is_reverse, ends - 1, starts)
        places = first + np.where(is_reverse, skipped, -skipped)
        return Sites(rows, places, is_reverse, np.zeros(len(rows), dtype=np.float32))

    def _counted(self, windows: Sites) -> tuple[PositionWeightMatrix, Sites]:
        """Count windows into a matrix, as published."""
        codes = cut_windows(self.positives, windows, self.settings.window)
        matrix = PositionWeightMatrix(count_bases(codes), self.background)
        bits = np.column_stack([matrix.log_odds, np.zeros(len(matrix))])  # unknown bases: 0
        scores = bits[np.arange(len(matrix)), codes].sum(axis=1)
        return matrix, windows._replace(scores=scores.astype(np.float32))

    def _ranked(self, drafts: "list[_Draft]") -> list[Motif]:
        """Test in how many sequences each motif is, and put the most enriched first."""
        if not drafts:
            return []
        strands = 1 + self.settings.both_strands
        threshold = np.log2(max(strands * len(self.joined.codes) / len(self.joined), 2))
        is_held = np.stack(
            [
                highest_scores(self.joined, draft.matrix, both_strands=self.settings.both_strands)
                >= threshold
                for draft in drafts
            ]
        )
        n_sequences, n_positives = is_held.sum(axis=1), is_held[:, self.is_positive].sum(axis=1)
        p_values = hypergeometric_p(
            n_positives, n_sequences, n_positive=int(self.is_positive.sum()), n=len(self.joined)
        )
        q_values = false_discovery_control(p_values)
        order = np.argsort(p_values, kind="stable").tolist()
        return [
            Motif(
                f"motif_{rank}",
                drafts[i].matrix,
                self._sites(drafts[i]),
                int(n_sequences[i]),
                int(n_positives[i]),
                float(p_values[i]),
                float(q_values[i]),
                drafts[i].seed,
            )
            for rank, i in enumerate(order, start=1)
        ]

    def _sites(self, draft: "_Draft") -> list[MotifSite]:
        """Name the sites of a motif by sequence and base."""
        sites, length = draft.found, len(draft.matrix)
        letters = np.frombuffer(b"ACGTN", dtype="S1")[cut_windows(self.positives, sites, length)]
        texts = letters.view(f"S{length}").ravel().astype(str).tolist()
        first = self.positives.bounds[sites.rows]
        low = sites.places - np.where(sites.is_reverse, length - 1, 0) - first
        ends = np.minimum(low + length, self.positives.bounds[sites.rows + 1] - first)
        columns = (
            self.rows[sites.rows].tolist(),
            np.maximum(low, 0).tolist(),
            ends.tolist(),
            np.where(sites.is_reverse, "-", "+").tolist(),
            sites.scores.tolist(),
            texts,
        )
        return sorted(MotifSite(*row) for row in zip(*columns, strict=True))


class _Draft(NamedTuple):
    """Motif to be: seed, matrix, and its sites or, before they are known, their bits in all."""

    seed: int
    matrix: PositionWeightMatrix
    found: Any


class _Seeds(NamedTuple):
    """Clusters of enriched candidates: cluster of each word (-1: none) and its place on it."""

    of_word: np.ndarray
    offsets: np.ndarray
    is_reverse: np.ndarray
    leader_lengths: list[int]

    @classmethod
    def of(
        cls, words: Sequence[str], kept: np.ndarray, placements: Sequence[Placement]
    ) -> "_Seeds":
        of_word = np.full(len(words), -1, dtype=np.int64)
        offsets, is_reverse = np.zeros_like(of_word), np.zeros(len(words), dtype=bool)
        lengths: dict[int, int] = {}
        for index, place in zip(kept.tolist(), placements, strict=True):
            of_word[index], offsets[index], is_reverse[index] = place
        for index in sorted(kept.tolist(), key=lambda index: len(words[index])):
            lengths.setdefault(int(of_word[index]), len(words[index]))
        return cls(of_word, offsets, is_reverse, [lengths[seed] for seed in sorted(lengths)])
