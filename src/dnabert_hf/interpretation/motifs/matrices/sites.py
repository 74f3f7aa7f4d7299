"""Sites of a motif: found by its matrix, cut out, and counted into a better matrix."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.reading.sequence_array import UNKNOWN, WORD_BASES, JoinedSequences
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix

__all__ = [
    "COMPLEMENTS",
    "Sites",
    "best_of_overlapping",
    "cut_windows",
    "give_to_best",
    "highest_scores",
    "score_places",
]

_PIECE = 8  # bases looked up at once: a table of 4**8 floats is small and quickly made
_PART_BASES = 1 << 18
COMPLEMENTS = np.array([3, 2, 1, 0, UNKNOWN], dtype=np.uint8)


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

    def lowest(self, length: int) -> np.ndarray:
        """Give the lowest base of each site of so many bases, on either strand."""
        return np.asarray(self.places - np.where(self.is_reverse, length - 1, 0))


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
    codes[sites.is_reverse] = COMPLEMENTS[codes[sites.is_reverse]]
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
        scores, _ = score_places(part, None, matrix, both_strands=both_strands)
        # Sequences of no bases have no place in reduceat.
        is_filled = np.diff(part.bounds) > 0
        if is_filled.any():
            best = np.maximum.reduceat(scores, part.bounds[:-1][is_filled])
            found[which][is_filled] = best
    return found


def give_to_best(found: Sequence[tuple[Sites, int]]) -> list[Sites]:
    """Give places that several motifs claim to the one that scores best there.

    Args:
        found: Sites of each motif, in order of their lowest base, and its length.

    Returns:
        The sites of each motif without those that overlap a better one of another motif by more
        than half of the shorter of the two.
    """
    lowest = [sites.lowest(length) for sites, length in found]
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


def best_of_overlapping(places: np.ndarray, scores: np.ndarray, length: int) -> np.ndarray:
    """Choose sites, the best first, that overlap none chosen before; indices in order."""
    low = np.searchsorted(places, places - length, side="right")
    high = np.searchsorted(places, places + length)
    is_kept = high - low == 1
    disputed = np.flatnonzero(~is_kept)
    for index in disputed[np.argsort(-scores[disputed], kind="stable")].tolist():
        is_kept[index] = not is_kept[low[index] : high[index]].any()
    return np.flatnonzero(is_kept)


def score_places(
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
