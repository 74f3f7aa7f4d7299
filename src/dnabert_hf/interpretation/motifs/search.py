"""Motifs in scored sequences: candidates, enrichment, merging, refinement."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import false_discovery_control

from dnabert_hf.data.reading.sequence_array import JoinedSequences
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.motifs.discovery import discover_motifs
from dnabert_hf.interpretation.motifs.matrices.attended import AttendedDNA
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix, count_bases
from dnabert_hf.interpretation.motifs.matrices.sites import (
    Sites,
    cut_windows,
    give_to_best,
    highest_scores,
)
from dnabert_hf.interpretation.motifs.published import WordClusters, count_windows
from dnabert_hf.interpretation.motifs.results import (
    Candidate,
    Motif,
    MotifSearch,
    MotifSettings,
    MotifSite,
)
from dnabert_hf.interpretation.motifs.words.enrichment import (
    Enrichment,
    enrichment_of_words,
    hypergeometric_p,
)
from dnabert_hf.interpretation.motifs.words.regions import find_regions, words_of_regions

__all__ = ["search_motifs"]

_SAMPLE = 1000  # sequences of the other classes that stand for all


def search_motifs(
    sequences: Sequence[str],
    scores: Sequence[np.ndarray],
    is_positive: Sequence[bool] | np.ndarray,
    settings: MotifSettings | None = None,
) -> MotifSearch:
    """Find the motifs that a model looks at in the sequences of one class.

    Runs of high scores in sequences of the class are what the model looks at, as in DNABERT-viz (Ji
    et al. 2021). Their words are candidates, tested for whether more sequences of the class hold
    them than chance explains (hypergeometric test over all sequences).

    Motifs begin as words with a gap, which are enriched around these runs beside the other classes,
    so that long and degenerate motifs are found too, then as enriched candidates; each is refined,
    trimmed by information content, and taken out before the next one is looked for. A motif is
    reported if it is enriched in the class. If `is_refined` is False, enriched candidates that
    overlap are merged and a window is cut around each, as published.

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
        if not isinstance(sequence, str):
            raise ValueError(
                f"sequence {row} (0-based) must be text, found {type(sequence).__name__}"
            )
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
        settings = self.settings
        self.regions = find_regions(self.positives, scores, min_len=settings.min_len)
        found = words_of_regions(sequences, self.regions)
        canonical = {word: min(self._with_other_strand(word)) for word in set(found)}
        words = sorted(set(canonical.values()))
        numbers = {word: number for number, word in enumerate(words)}
        word_of_region = np.array([numbers[canonical[word]] for word in found], dtype=np.int64)
        tested = enrichment_of_words(
            words, self.joined, self.is_positive, both_strands=settings.both_strands
        )
        order = np.lexsort([np.arange(len(words)), tested.p_values])
        enriched = order[tested.q_values[order] < settings.max_q]
        if settings.is_refined:
            drafts = self._discovered([words[index] for index in enriched.tolist()])
        else:
            is_turned = np.array([word != canonical[word] for word in found], dtype=bool)
            clusters = WordClusters.merge(words, enriched, settings)
            regions = (self.regions, word_of_region, is_turned)
            counted = count_windows(clusters, self.positives, *regions, self.background, settings)
            drafts = [_Draft(*each) for each in counted]
        motifs, drafts = self._ranked(drafts)
        of_region = self._explained(drafts)
        if settings.is_refined:
            seeds = _motif_of_words(word_of_region, of_region, len(words))
            seeds[tested.q_values >= settings.max_q] = -1
        else:
            seeds = clusters.of_word
        return MotifSearch(
            motifs,
            _candidates(words, tested, word_of_region, seeds),
            len(self.joined),
            int(self.is_positive.sum()),
            self.background,
            settings,
            len(of_region),
            int((of_region >= 0).sum()),
        )

    def _with_other_strand(self, word: str) -> tuple[str, str]:
        return word, reverse_complement(word) if self.settings.both_strands else word

    def _discovered(self, enriched: Sequence[str]) -> "list[_Draft]":
        """Find motifs in a sample, and their sites in all that the model looks at."""
        settings = self.settings
        attended = AttendedDNA.around(
            self.positives,
            self.regions,
            window=settings.window,
            both_strands=settings.both_strands,
        )
        others = np.flatnonzero(~self.is_positive)
        is_chosen = np.zeros(len(self.joined), dtype=bool)
        is_chosen[others[:: max(len(others) // _SAMPLE, 1)]] = True
        matrices = discover_motifs(
            attended.sample(),
            self.joined.select(is_chosen),
            self.background,
            settings,
            exact_words=enriched,
        )
        found = give_to_best([(attended.sites(matrix), len(matrix)) for matrix in matrices])
        drafts = []
        for seed, (sites, matrix) in enumerate(zip(found, matrices, strict=True)):
            if len(sites.rows) >= settings.min_instances:
                counts = count_bases(cut_windows(self.positives, sites, len(matrix)))
                drafts.append(_Draft(seed, PositionWeightMatrix(counts, self.background), sites))
        return drafts

    def _ranked(self, drafts: "Sequence[_Draft]") -> "tuple[list[Motif], list[_Draft]]":
        """Test in how many sequences each motif is; the enriched ones, most enriched first."""
        if not drafts:
            return [], []
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
        if self.settings.is_refined:
            order = [i for i in order if q_values[i] < self.settings.max_q]
        motifs = [
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
        return motifs, [drafts[i] for i in order]

    def _sites(self, draft: "_Draft") -> list[MotifSite]:
        """Name the sites of a motif by sequence and base."""
        sites, length = draft.sites, len(draft.matrix)
        letters = np.frombuffer(b"ACGTN", dtype="S1")[cut_windows(self.positives, sites, length)]
        texts = letters.view(f"S{length}").ravel().astype(str).tolist()
        first = self.positives.bounds[sites.rows]
        low = sites.lowest(length) - first
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

    def _explained(self, drafts: "Sequence[_Draft]") -> np.ndarray:
        """Give the seed of the motif whose sites lie most in each region; -1 if none does.

        They must cover as many bases of it as a region has at least, or as the motif has.
        """
        n = len(self.positives.codes)
        starts, ends = (
            self.positives.bounds[self.regions.rows] + part for part in self.regions[1:]
        )
        best, seeds = np.zeros(len(starts), dtype=np.int64), np.full(len(starts), -1)
        for draft in drafts:
            length = len(draft.matrix)
            lowest = draft.sites.lowest(length)
            covered = np.bincount(np.clip(lowest, 0, n), minlength=n + 1)
            covered -= np.bincount(np.clip(lowest + length, 0, n), minlength=n + 1)
            n_covered = np.concatenate([[0], np.cumsum(np.cumsum(covered) > 0)])
            shared = n_covered[ends] - n_covered[starts]
            is_better = (shared >= min(self.settings.min_len, length)) & (shared > best)
            best[is_better], seeds[is_better] = shared[is_better], draft.seed
        return seeds


def _candidates(
    words: Sequence[str], tested: Enrichment, word_of_region: np.ndarray, seeds: np.ndarray
) -> list[Candidate]:
    """List all words by p-value."""
    order = np.lexsort([np.arange(len(words)), tested.p_values])
    n_instances = np.bincount(word_of_region, minlength=len(words))
    columns = (n_instances, tested.n_sequences, tested.n_positives)
    numbers = [column[order].tolist() for column in columns]
    chances = [tested.p_values[order].tolist(), tested.q_values[order].tolist()]
    of_word = [None if seed < 0 else seed for seed in seeds[order].tolist()]
    texts = [words[index] for index in order.tolist()]
    return [Candidate(*row) for row in zip(texts, *numbers, *chances, of_word, strict=True)]


def _motif_of_words(word_of_region: np.ndarray, of_region: np.ndarray, n_words: int) -> np.ndarray:
    """Give the motif that explains at least a half of the regions of each word; -1 if none does."""
    n_motifs = int(of_region.max(initial=-1)) + 1
    if not n_motifs:
        return np.full(n_words, -1)
    n_regions = np.bincount(word_of_region, minlength=n_words)
    is_explained = of_region >= 0
    keys = word_of_region[is_explained] * n_motifs + of_region[is_explained]
    counts = np.bincount(keys, minlength=n_words * n_motifs).reshape(n_words, n_motifs)
    return np.where(2 * counts.max(axis=1) >= np.maximum(n_regions, 1), counts.argmax(axis=1), -1)


class _Draft(NamedTuple):
    """Motif to be: number of its seed, matrix and sites."""

    seed: int
    matrix: PositionWeightMatrix
    sites: Sites
