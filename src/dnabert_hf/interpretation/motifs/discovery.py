"""Motifs one after the other: each begins as an enriched word, and its sites are then taken out.

As in MEME and STREME (Bailey 2021), what a motif explains is taken out before the next one is
looked for, so that motifs neither blend nor come twice.
"""

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from dnabert_hf.data.reading.sequence_array import BASES, JoinedSequences, encode_bases
from dnabert_hf.interpretation.motifs.matrices.attended import AttendedDNA, refine
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix, count_bases
from dnabert_hf.interpretation.motifs.matrices.similarity import TargetMotifs, compare_with_targets
from dnabert_hf.interpretation.motifs.matrices.sites import cut_windows
from dnabert_hf.interpretation.motifs.matrices.splitting import split_windows
from dnabert_hf.interpretation.motifs.results import MotifSettings
from dnabert_hf.interpretation.motifs.words.gapped import (
    SHORTEST_GAPPED_WORD,
    Holders,
    count_gapped_words,
    excess_p_values,
    most_enriched_gapped_word,
)

__all__ = ["discover_motifs", "find_same"]

_LONGEST_GAP = 12
_MOST_MOTIFS = 50
_MOST_FAILURES = 10  # in a row
_MOST_EXACT_WORDS = 100
_MOST_SPLITS = 4
_SAME_P = 0.01  # chance of such a likeness of two motifs from which down they may be one
_PART_P = 0.05


def discover_motifs(
    attended: AttendedDNA,
    others: JoinedSequences,
    background: np.ndarray,
    settings: MotifSettings,
    *,
    exact_words: Sequence[str] = (),
) -> list[PositionWeightMatrix]:
    """Find motifs in attended DNA that other sequences do not hold as often.

    The gapped word that is most enriched begins a motif: its occurrences are aligned, counted, and
    refined. What the motif explains is taken out, and the next word is looked for in the rest. If
    none leads to a motif, as may be with few sequences, exact words take their turn, of which fewer
    are tried.

    Args:
        attended: DNA of the class that the model looks at, or a sample of it.
        others: Sequences that are not of the class, or a sample of them.
        background: Probabilities of A, C, G and T, shape (4,).
        settings: How to search.
        exact_words: Words enriched in the class, best first.

    Returns:
        Different motifs, in the order in which they were found.
    """
    search = _Discovery(attended, others, background, settings)
    while len(search.found) < _MOST_MOTIFS and search.failures < _MOST_FAILURES:
        word = search.next_gapped_word()
        if word is None:
            break
        if not search.begin_with(word):
            search.take_out(word)
    if not search.found:
        for word in search.still_enriched(exact_words):
            search.begin_with(word)
    return search.found


class _Discovery:
    """What was found, and the attended DNA that is left."""

    def __init__(
        self,
        attended: AttendedDNA,
        others: JoinedSequences,
        background: np.ndarray,
        settings: MotifSettings,
    ):
        self._background, self._settings = background, settings
        self.left = attended
        self.found: list[PositionWeightMatrix] = []
        self.failures = 0
        everywhere = np.ones(len(others.codes), dtype=bool)
        self._others = AttendedDNA(others, everywhere, both_strands=settings.both_strands)
        self._of_others = self._count_gapped_words(self._others)

    def next_gapped_word(self) -> np.ndarray | None:
        """Give the codes of the most enriched gapped word in what is left; None if none is."""
        if not len(self.left.places[0]):
            return None
        return most_enriched_gapped_word(
            self._count_gapped_words(self.left),
            self._of_others,
            max_p=self._settings.max_q,
            min_holders=self._settings.min_instances,
        )

    def _count_gapped_words(self, attended: AttendedDNA) -> Holders:
        longest_gap = max(min(_LONGEST_GAP, self._settings.window - SHORTEST_GAPPED_WORD), 0)
        places, room = attended.places
        return count_gapped_words(
            attended.joined,
            places,
            room,
            n_gaps=longest_gap + 1,
            both_strands=attended.both_strands,
        )

    def still_enriched(self, words: Sequence[str]) -> Iterator[np.ndarray]:
        """Give the codes of the best words that are enriched in what is left at their turn."""
        words = [word for word in words if len(word) <= self._settings.window]
        tried = [encode_bases(word) for word in words[:_MOST_EXACT_WORDS]]
        for word in tried:
            here, elsewhere = (self._holders(each, word) for each in (self.left, self._others))
            p_value = float(excess_p_values(here, elsewhere)[0, 0]) * len(tried)
            if here.counts[0, 0] >= self._settings.min_instances and p_value < self._settings.max_q:
                yield word

    def _holders(self, attended: AttendedDNA, word: np.ndarray) -> Holders:
        n_holders = len(np.unique(attended.occurrences(word).rows))
        places, room = attended.places
        n_sequences = len(np.unique(attended.joined.rows[places]))
        n_places = (1 + attended.both_strands) * np.count_nonzero(room >= len(word))
        return Holders(np.array([[n_holders]]), n_sequences, np.array([n_places]))

    def begin_with(self, word: np.ndarray) -> bool:
        """Make a motif of a word; whether it became a new one, whose sites are then taken out."""
        length = self._settings.window
        occurrences = self.left.occurrences(word).moved((length - len(word)) // 2)
        matrix = self._refined(cut_windows(self.left.joined, occurrences, length))
        both_strands = self._settings.both_strands
        if matrix is None or find_same(matrix, self.found, both_strands=both_strands) is not None:
            self.failures += 1
            return False
        self.failures = 0
        self.found.append(matrix)
        self.left = self.left.without(self.left.sites(matrix), len(matrix))
        return True

    def take_out(self, word: np.ndarray) -> None:
        """Leave the occurrences of a word out from here on."""
        self.left = self.left.without(self.left.occurrences(word), len(word))

    def _refined(self, windows: np.ndarray) -> PositionWeightMatrix | None:
        """Make a matrix of windows: of one motif, though they may be of several."""
        least, length = self._settings.min_instances, self._settings.window
        windows = self._of_one_motif(windows)
        refined = refine(windows, self._background, self.left, min_sites=least)
        if refined is None:
            return None
        matrix, sites = refined
        margin = (length - len(matrix)) // 2
        windows = cut_windows(self.left.joined, sites.moved(margin), length)
        shared = slice(margin, margin + len(matrix))
        for _ in range(_MOST_SPLITS):
            is_second = split_windows(windows[:, shared])
            if is_second is None:
                break
            fewer, more = sorted([windows[is_second], windows[~is_second]], key=len)
            of_fewer, of_more = self._count(fewer), self._count(more)
            if len(fewer) < least or not _are_two(of_fewer.part(shared), of_more.part(shared)):
                break
            windows, matrix = more, of_more.part(of_more.informative_part())
        return matrix

    def _of_one_motif(self, windows: np.ndarray) -> np.ndarray:
        """Take the windows with most information out of those of several motifs and of chance."""
        for _ in range(_MOST_SPLITS):
            is_second = split_windows(windows)
            if is_second is None:
                break
            parts = [windows[is_second], windows[~is_second]]
            windows = max(parts, key=lambda part: len(part) * self._count(part).information.sum())
        return windows

    def _count(self, windows: np.ndarray) -> PositionWeightMatrix:
        return PositionWeightMatrix(count_bases(windows), self._background)


def find_same(
    matrix: PositionWeightMatrix, others: Sequence[PositionWeightMatrix], *, both_strands: bool
) -> int | None:
    """Find a motif of others that a motif is.

    It is one if it is more like it than chance explains (p below 0.01), and if three quarters of
    the positions that lie on each other do not ask for different bases: two motifs that share half
    of their positions are no chance, but two. Of a motif that is wholly part of another one without
    any such position, a p below 0.05 is enough: short ones reach no smaller one.

    Returns:
        Index of the first such motif; None if there is none.
    """
    if not others:
        return None
    columns = np.concatenate([each.probabilities for each in (matrix, *others)])
    # Chance is what columns as sharp as these, but of other bases, are like.
    shuffled = columns[:, list(permutations(range(len(BASES))))].reshape(-1, len(BASES))
    targets = TargetMotifs(
        [other.probabilities for other in others],
        both_strands=both_strands,
        random_columns=shuffled,
    )
    found = compare_with_targets(matrix.probabilities, targets)
    for index in np.flatnonzero(found.p_values < _PART_P).tolist():
        target = others[index].probabilities
        target = target[::-1, ::-1] if found.is_reverse[index] else target
        offset = int(found.offsets[index])
        here = target[max(offset, 0) : offset + len(matrix)]
        own = matrix.probabilities[max(-offset, 0) :][: len(here)]
        is_sharp = np.minimum(own.max(axis=1), here.max(axis=1)) > 0.5
        n_other = int((is_sharp & (own.argmax(axis=1) != here.argmax(axis=1))).sum())
        is_part = n_other == 0 and len(here) == min(len(matrix), len(target))
        if is_part or (found.p_values[index] < _SAME_P and 4 * n_other < len(here)):
            return index
    return None


def _are_two(one: PositionWeightMatrix, other: PositionWeightMatrix) -> bool:
    """Tell whether the parts of a blend differ in a third of the positions, not in one or two."""
    moved = np.abs(one.probabilities - other.probabilities).sum(axis=1) / 2
    return bool(3 * (moved > 0.4).sum() >= len(moved))
