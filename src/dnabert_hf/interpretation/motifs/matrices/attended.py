"""DNA that a model looks at: words and motifs in it, and matrices refined on it."""

from dataclasses import replace
from functools import cached_property
from typing import Self

import numpy as np

from dnabert_hf.data.reading.sequence_array import UNKNOWN, JoinedSequences
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix, count_bases
from dnabert_hf.interpretation.motifs.matrices.sites import (
    COMPLEMENTS,
    Sites,
    best_of_overlapping,
    cut_windows,
    score_places,
)
from dnabert_hf.interpretation.motifs.words.regions import Regions

__all__ = ["AttendedDNA", "refine"]

_ROUNDS = 6
_STEADY = 0.03  # share of sites by which rounds that agree may differ
_DOUBT = 0.3  # share of background in the matrix of the first round
_SAMPLE = 1000  # sequences that stand for all


class AttendedDNA:
    """What lies around the regions that a model looks at.

    Args:
        joined: Sequences of the class.
        is_attended: Whether each of their bases belongs to it, shape (bases,).
        both_strands: Whether a site may lie on the other strand.
        threshold: Bits from which on a place is a site; by default those from which on it is more
            likely one than background, were there one a sequence.
    """

    def __init__(
        self,
        joined: JoinedSequences,
        is_attended: np.ndarray,
        *,
        both_strands: bool,
        threshold: float | None = None,
    ):
        self.joined, self.both_strands = joined, both_strands
        self._is_attended, self._threshold = is_attended, threshold

    @classmethod
    def around(
        cls, joined: JoinedSequences, regions: Regions, *, window: int, both_strands: bool
    ) -> Self:
        """Take the regions, and at least a window of so many bases around the middle of each."""
        first, last = joined.bounds[regions.rows], joined.bounds[regions.rows + 1]
        low = (regions.starts + regions.ends - window) // 2
        starts = first + np.maximum(np.minimum(regions.starts, low), 0)
        ends = np.minimum(first + np.maximum(regions.ends, low + window), last)
        return cls(joined, _covered(starts, ends, len(joined.codes)), both_strands=both_strands)

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """All bases in order, and how many known ones in a row begin at each."""
        places = np.flatnonzero(self._is_attended)
        if not len(places):
            return places, places
        ends = np.concatenate([np.flatnonzero(np.diff(places) != 1) + 1, [len(places)]])
        run_end = places[ends - 1] + 1
        room = run_end[np.searchsorted(ends, np.arange(len(places)), side="right")] - places
        return places, np.minimum(room, self.joined.n_known[places])

    @property
    def threshold(self) -> float:
        """Bits from which on a place is a site."""
        if self._threshold is None:
            places = self.places[0]
            n_sequences = len(np.unique(self.joined.rows[places]))
            n_places = len(places) * (1 + self.both_strands)
            self._threshold = float(np.log2(max(n_places / max(n_sequences, 1), 2)))
        return self._threshold

    def sample(self) -> "AttendedDNA":
        """Take some thousand sequences, evenly chosen."""
        is_chosen = np.arange(len(self.joined)) % max(len(self.joined) // _SAMPLE, 1) == 0
        is_attended = self._is_attended[is_chosen[self.joined.rows]]
        return AttendedDNA(
            self.joined.select(is_chosen),
            is_attended,
            both_strands=self.both_strands,
            threshold=self.threshold,
        )

    def without(self, sites: Sites, length: int) -> "AttendedDNA":
        """Take the bases of some sites out."""
        lowest = sites.lowest(length)
        is_out = _covered(lowest, lowest + length, len(self.joined.codes))
        return AttendedDNA(
            self.joined,
            self._is_attended & ~is_out,
            both_strands=self.both_strands,
            threshold=self.threshold,
        )

    def occurrences(self, word: np.ndarray) -> Sites:
        """Find a word.

        Args:
            word: Codes of its bases, any base where unknown, shape (positions,).
        """
        places, room = self.places
        places = places[room >= len(word)]
        strands = [places[self._is_word(word, places)]]
        if self.both_strands:
            turned = COMPLEMENTS[word[::-1]]
            if not np.array_equal(turned, word):
                strands.append(places[self._is_word(turned, places)] + len(word) - 1)
        first = np.concatenate(strands)
        is_reverse = np.arange(len(first)) >= len(strands[0])
        rows = self.joined.rows[first].astype(np.int64)
        return Sites(rows, first, is_reverse, np.zeros(len(rows), dtype=np.float32))

    def _is_word(self, word: np.ndarray, places: np.ndarray) -> np.ndarray:
        is_here = np.ones(len(places), dtype=bool)
        for offset in np.flatnonzero(word != UNKNOWN).tolist():
            is_here[is_here] = self.joined.codes[places[is_here] + offset] == word[offset]
        return is_here

    def sites(self, matrix: PositionWeightMatrix) -> Sites:
        """Find the sites of a motif, the best one where they overlap."""
        places, room = self.places
        places = places[room >= len(matrix)]
        scores, is_reverse = score_places(
            self.joined, places, matrix, both_strands=self.both_strands
        )
        is_site = scores >= self.threshold
        places, scores, is_reverse = places[is_site], scores[is_site], is_reverse[is_site]
        kept = best_of_overlapping(places, scores, len(matrix))
        places, is_reverse = places[kept], is_reverse[kept]
        rows = self.joined.rows[places].astype(np.int64)
        first = places + np.where(is_reverse, len(matrix) - 1, 0)
        return Sites(rows, first, is_reverse, scores[kept])


def refine(
    windows: np.ndarray, background: np.ndarray, attended: AttendedDNA, *, min_sites: int
) -> tuple[PositionWeightMatrix, Sites] | None:
    """Turn about between a matrix and its sites until they agree.

    Counts of the windows give a matrix; its uninformative ends are cut; the attended DNA is
    searched with it; windows of the first length around the middle of the sites give the next
    matrix, so that it can grow and move. It ends when hardly any site comes or goes, since matrices
    that go on taking in what is a little like them end as a blend.

    Args:
        windows: Codes of aligned windows to begin with, shape (sites, length).
        background: Probabilities of A, C, G and T, shape (4,).
        attended: Where to search.
        min_sites: Sites of a motif, at least.

    Returns:
        The trimmed matrix and its sites; None if too few are left.
    """
    length = windows.shape[1]
    matrix = _trimmed(windows, background)
    # The word that all windows share would let in nothing but itself.
    matrix = replace(matrix, pseudocount=_DOUBT / (1 - _DOUBT) * len(windows))
    before = np.zeros(0, dtype=np.int64)
    for _ in range(_ROUNDS):
        sites = attended.sites(matrix)
        if len(sites.rows) < min_sites:
            return None
        here = sites.places + (1 - 2 * sites.is_reverse) * (len(matrix) // 2)
        if len(np.setxor1d(before, here)) <= _STEADY * len(here):
            break
        before = here
        windows = cut_windows(attended.joined, sites.moved((length - len(matrix)) // 2), length)
        matrix = _trimmed(windows, background)
    return matrix, sites


def _trimmed(windows: np.ndarray, background: np.ndarray) -> PositionWeightMatrix:
    whole = PositionWeightMatrix(count_bases(windows), background)
    return whole.part(whole.informative_part())


def _covered(starts: np.ndarray, ends: np.ndarray, n: int) -> np.ndarray:
    """Tell which of n bases lie in any of some stretches."""
    opened = np.bincount(starts, minlength=n + 1) - np.bincount(ends, minlength=n + 1)
    return np.asarray(np.cumsum(opened)[:-1] > 0)
