"""Sites of a motif: found by its matrix, cut out, and counted into a better matrix."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from dnabert_hf.data.reading.sequence_array import UNKNOWN, WORD_BASES, JoinedSequences
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix, count_bases
from dnabert_hf.interpretation.motifs.words.regions import Regions

__all__ = ["AttendedDNA", "Sites", "cut_windows", "give_to_best", "highest_scores", "refine"]

_ROUNDS = 6
_STEADY = 0.03  # share of sites by which rounds that agree may differ
_SAMPLE = 1000  # sequences that the rounds look at; the last look is at all
_PIECE = 8  # bases looked up at once: a table of 4**8 floats is small and quickly made
_PART_BASES = 1 << 18


class Sites(NamedTuple):
    """Places of a motif in joined sequences.

    Attributes:
        rows: Sequence of each, int64, shape (sites,).
        places: First base among all bases (0-based), in the direction of the motif: the highest one
            on the other strand. May lie outside of the sequence. int64, shape (sites,).
        is_reverse: Whether the motif reads on the other strand, shape (sites,).
        scores: Log odds in bits, float32, shape (sites,).
    """

    rows: np.ndarray
    places: np.ndarray
    is_reverse: np.ndarray
    scores: np.ndarray

    def moved(self, n: int) -> "Sites":
        """Begin so many bases earlier in the direction of the motif."""
        return self._replace(places=self.places + np.where(self.is_reverse, n, -n))


def cut_windows(joined: JoinedSequences, sites: Sites, length: int) -> np.ndarray:
    """Cut aligned windows out of sequences; bases beyond an end of a sequence are unknown.

    Args:
        joined: The sequences.
        sites: Where windows begin.
        length: Bases of a window.

    Returns:
        Codes in the direction of the motif, uint8, shape (sites, length).

    Example:
        >>> joined = JoinedSequences.from_text(["AACGT", "GG"])
        >>> rows, places, scores = np.array([0, 0]), np.array([-1, 4]), np.zeros(2)
        >>> cut_windows(joined, Sites(rows, places, np.array([False, True]), scores), 3)
        array([[4, 0, 0],
               [0, 1, 2]], dtype=uint8)
    """
    steps = np.where(sites.is_reverse, -1, 1)[:, None]
    at = sites.places[:, None] + steps * np.arange(length)
    first, last = joined.bounds[sites.rows, None], joined.bounds[sites.rows + 1, None]
    codes = joined.codes[np.clip(at, first, last - 1)]
    codes[sites.is_reverse] = np.array([3, 2, 1, 0, UNKNOWN])[codes[sites.is_reverse]]
    codes[(at < first) | (at >= last)] = UNKNOWN
    return np.asarray(codes)


def highest_scores(
    joined: JoinedSequences, matrix: PositionWeightMatrix, *, both_strands: bool
) -> np.ndarray:
    """Score the best site of each sequence.

    Returns:
        Log odds in bits, shape (n,); minus infinity where the motif does not fit.
    """
    found = np.full(len(joined), -np.inf, dtype=np.float32)
    for which, part in joined.parts(_PART_BASES):
        scores, _ = _score(part, None, matrix, both_strands=both_strands)
        # Sequences of no bases have no place in reduceat.
        is_filled = np.diff(part.bounds) > 0
        if is_filled.any():
            best = np.maximum.reduceat(scores, part.bounds[:-1][is_filled])
            found[which][is_filled] = best
    return found


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
        ends = np.concatenate([np.flatnonzero(np.diff(places) != 1) + 1, [len(places)]])
        run_end = places[ends - 1] + 1
        room = run_end[np.searchsorted(ends, np.arange(len(places)), side="right")] - places
        return places, np.minimum(room, self.joined.n_known[places])

    @property
    def threshold(self) -> float:
        """Bits from which on a place is a site."""
        if self._threshold is None:
            places = self.places[0]
            n_sequences = np.count_nonzero(np.diff(self.joined.rows[places], prepend=-1))
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

    def without(self, starts: np.ndarray, length: int) -> "AttendedDNA":
        """Take out some bases from each start on."""
        n = len(self.joined.codes)
        is_out = _covered(starts, np.minimum(starts + length, n), n)
        return AttendedDNA(
            self.joined,
            self._is_attended & ~is_out,
            both_strands=self.both_strands,
            threshold=self.threshold,
        )

    def sites(self, matrix: PositionWeightMatrix, *, bits_less: float = 0) -> Sites:
        """Find the sites, the best one where they overlap.

        Args:
            matrix: What to look for.
            bits_less: By how much a site may miss the threshold.
        """
        places, room = self.places
        places = places[room >= len(matrix)]
        scores, is_reverse = _score(self.joined, places, matrix, both_strands=self.both_strands)
        is_site = scores >= self.threshold - bits_less
        places, scores, is_reverse = places[is_site], scores[is_site], is_reverse[is_site]
        kept = _best_of_overlapping(places, scores, len(matrix))
        places, is_reverse = places[kept], is_reverse[kept]
        rows = self.joined.rows[places].astype(np.int64)
        first = places + np.where(is_reverse, len(matrix) - 1, 0)
        return Sites(rows, first, is_reverse, scores[kept])


def give_to_best(found: Sequence[tuple[Sites, int]]) -> list[Sites]:
    """Give places that several motifs claim to the one that scores best there.

    Args:
        found: Sites of each motif, in order of their lowest base, and its length.

    Returns:
        The sites of each motif without those that overlap a better one of another motif by more
        than half of the shorter of the two.
    """
    lowest = [
        sites.places - np.where(sites.is_reverse, length - 1, 0) for sites, length in found
    ]
    kept = []
    for number, (sites, length) in enumerate(found):
        is_best = np.ones(len(sites.rows), dtype=bool)
        for other, (rivals, width) in enumerate(found):
            if other == number or not len(rivals.rows):
                continue
            after = np.searchsorted(lowest[other], lowest[number] + (length - width) / 2)
            for rival in (np.maximum(after - 1, 0), np.minimum(after, len(rivals.rows) - 1)):
                starts = np.maximum(lowest[number], lowest[other][rival])
                ends = np.minimum(lowest[number] + length, lowest[other][rival] + width)
                is_beaten = (2 * (ends - starts) > min(length, width)) & (
                    rivals.scores[rival] > sites.scores
                )
                is_best &= ~is_beaten
        kept.append(Sites(*(part[is_best] for part in sites)))
    return kept


def _covered(starts: np.ndarray, ends: np.ndarray, n: int) -> np.ndarray:
    """Tell which of n bases lie in any of some stretches."""
    opened = np.bincount(starts, minlength=n + 1) - np.bincount(ends, minlength=n + 1)
    return np.asarray(np.cumsum(opened)[:-1] > 0)


def _best_of_overlapping(places: np.ndarray, scores: np.ndarray, length: int) -> np.ndarray:
    """Choose sites, the best first, that overlap none chosen before; indices in order."""
    low = np.searchsorted(places, places - length, side="right")
    high = np.searchsorted(places, places + length)
    is_kept = high - low == 1
    disputed = np.flatnonzero(~is_kept)
    for index in disputed[np.argsort(-scores[disputed], kind="stable")].tolist():
        is_kept[index] = not is_kept[low[index] : high[index]].any()
    return np.flatnonzero(is_kept)


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


def _score(
    joined: JoinedSequences,
    places: np.ndarray | None,
    matrix: PositionWeightMatrix,
    *,
    both_strands: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Score sites that begin at places (None: everywhere); bits, and whether on the other strand.

    Tables hold the score of each word of eight bases, so that a site costs a few look-ups.
    """
    strands = [matrix.log_odds]
    if both_strands:
        strands.append(matrix.log_odds[::-1, ::-1])
    words = joined.words
    known = joined.n_known if places is None else joined.n_known[places]
    totals = np.zeros((len(strands), len(known)), dtype=np.float32)
    for offset in range(0, len(matrix), _PIECE):
        n_bases = min(_PIECE, len(matrix) - offset)
        if places is None:
            here = words[offset:]
        else:
            here = words[np.minimum(places + offset, len(words) - 1)]
        here = here >> (2 * (WORD_BASES - n_bases))
        for total, strand in zip(totals, strands, strict=True):
            total[: len(here)] += _table(strand[offset : offset + n_bases])[here]
    totals[:, known < len(matrix)] = -np.inf
    if not both_strands:
        return totals[0], np.zeros(len(known), dtype=bool)
    return totals.max(axis=0), totals[1] > totals[0]


def _table(log_odds: np.ndarray) -> np.ndarray:
    """Sum of log odds of each word as long as the matrix, float32, shape (4**bases,)."""
    if len(log_odds) == 1:
        return np.asarray(log_odds[0], dtype=np.float32)
    half = len(log_odds) // 2
    return np.add.outer(_table(log_odds[:half]), _table(log_odds[half:])).ravel()
