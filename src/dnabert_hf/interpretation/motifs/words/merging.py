"""Words that overlap well are taken for one motif."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.reading.sequence_array import encode_bases
from dnabert_hf.data.reading.sequences import reverse_complement

__all__ = ["Placement", "merge_words"]

_MACHINE_WORD = 64  # bases of a word that are compared: one bit each
_ALL = np.uint64(2**_MACHINE_WORD - 1)


class Placement(NamedTuple):
    """Where a word lies on the motif that it was merged into.

    Attributes:
        motif: Number of the motif, 0-based, in the order of their first words.
        offset: Base of the motif's first word on which the word begins (0-based); negative if it
            begins before.
        is_reverse: Whether the reverse complement of the word is meant.
    """

    motif: int
    offset: int
    is_reverse: bool


def merge_words(
    words: Sequence[str], *, min_len: int = 5, both_strands: bool = False
) -> list[Placement]:
    """Join words to motifs, shortest first, as DNABERT-viz does (Ji et al. 2021).

    The first word of a motif stands for it. Each further word is laid over these without gaps, one
    point for each equal base; it joins the best one if the score is at least the larger of
    `min_len` - 1 and half the shorter of the two, and begins a motif of its own otherwise. Of equal
    scores the earliest motif, then the leftmost overlap is taken, the word itself before its
    reverse complement. Of words beyond 64 bases the middle 64 are compared.

    Args:
        words: Words of A, C, G and T; those of one length in order of importance.
        min_len: Least number of bases of a word.
        both_strands: Whether to try the reverse complement of each word too.

    Returns:
        The place of each word.

    Example:
        >>> merge_words(["CACGTG", "TCACGTGA", "GGGGGG"])  # doctest: +NORMALIZE_WHITESPACE
        [Placement(motif=0, offset=0, is_reverse=False),
         Placement(motif=0, offset=-1, is_reverse=False),
         Placement(motif=1, offset=0, is_reverse=False)]
    """
    order = sorted(range(len(words)), key=lambda index: len(words[index]))
    longest = min(max(map(len, words), default=0), _MACHINE_WORD)
    leaders = _Leaders(longest)
    placements = [Placement(0, 0, False)] * len(words)
    for index in order:
        word, skipped = _middle(words[index])
        strands = [word, reverse_complement(word)] if both_strands else [word]
        best_score, best = 0, None
        for is_reverse, strand in enumerate(strands):
            score, motif, offset = leaders.best(strand, min_len)
            if score > best_score:
                shift = len(words[index]) - len(word) - skipped if is_reverse else skipped
                place = Placement(motif, offset - shift + leaders.skipped[motif], bool(is_reverse))
                best_score, best = score, place
        placements[index] = best or Placement(leaders.add(word, skipped), 0, False)
    return placements


def _middle(word: str) -> tuple[str, int]:
    skipped = max(len(word) - _MACHINE_WORD, 0) // 2
    return word[skipped : skipped + _MACHINE_WORD], skipped


class _Leaders:
    """First words of motifs, each laid at every offset, as bits."""

    def __init__(self, longest: int):
        # Offsets at which a word of up to `longest` bases begins on another one.
        self._offsets = np.arange(1 - longest, longest)
        self._n = 0
        self._bits = np.zeros((3, 64, len(self._offsets)), dtype=np.uint64)
        self._lengths = np.zeros(64, dtype=np.int64)
        self.skipped: list[int] = []

    def add(self, word: str, skipped: int) -> int:
        """Take a word in; gives its number."""
        if self._n == len(self._lengths):
            self._bits = np.concatenate([self._bits, np.zeros_like(self._bits)], axis=1)
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
        left = np.maximum(self._offsets, 0).astype(np.uint64)
        right = np.maximum(-self._offsets, 0).astype(np.uint64)
        for plane, bits in zip(self._bits, _bits(word), strict=True):
            plane[self._n] = bits >> left << right
        self._lengths[self._n] = len(word)
        self.skipped.append(skipped)
        self._n += 1
        return self._n - 1

    def best(self, word: str, min_len: int) -> tuple[int, int, int]:
        """Find the motif that a word fits best: score, number, offset; score 0 if none."""
        if not self._n:
            return 0, -1, 0
        low, high, mask = _bits(word)
        lows, highs, masks = self._bits[:, : self._n]
        differs = (lows ^ low) | (highs ^ high)
        scores = np.bitwise_count(~differs & masks & mask)
        at = scores.argmax(axis=1)
        best = scores[np.arange(self._n), at].astype(np.int64)
        shorter = np.minimum(self._lengths[: self._n], len(word))
        best[best < np.maximum(min_len - 1, shorter / 2)] = 0
        motif = int(best.argmax())
        return int(best[motif]), motif, int(self._offsets[at[motif]])


def _bits(word: str) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Low and high bit of the code of each base, and which bits are used; base 0 is bit 0."""
    codes = encode_bases(word).astype(np.uint64)
    places = np.arange(len(word), dtype=np.uint64)
    low = np.bitwise_or.reduce((codes & np.uint64(1)) << places)
    high = np.bitwise_or.reduce((codes >> np.uint64(1)) << places)
    return low, high, _ALL >> np.uint64(_MACHINE_WORD - len(word))
