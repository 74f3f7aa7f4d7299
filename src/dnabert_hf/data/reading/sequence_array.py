"""Many sequences as one array of bases, so that words are looked for in all of them at once."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Self

import numpy as np

__all__ = ["BASES", "UNKNOWN", "WORD_BASES", "JoinedSequences", "encode_bases"]

BASES = "ACGT"
UNKNOWN = 4
WORD_BASES = 10  # 4**10 words: a table with one entry for each stays within a core's cache

_CODES = np.full(256, UNKNOWN, dtype=np.uint8)
_CODES[np.frombuffer(BASES.encode(), dtype=np.uint8)] = np.arange(len(BASES))


def encode_bases(sequence: str) -> np.ndarray:
    """Give the code of each base: A 0, C 1, G 2, T 3, anything else 4; complements add to 3.

    Args:
        sequence: Upper-case DNA.

    Returns:
        Codes, uint8, shape (bases,).

    Example:
        >>> encode_bases("ACGTN").tolist()
        [0, 1, 2, 3, 4]
    """
    return _CODES[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]


class JoinedSequences:
    """Sequences one behind the other.

    Args:
        codes: Codes of all bases as `encode_bases` gives them, shape (bases,).
        bounds: Where each sequence begins in `codes`, and the end of the last one, shape (n + 1,).

    Example:
        >>> joined = JoinedSequences.from_text(["ACG", "TTNA"])
        >>> joined.bounds.tolist(), joined.rows.tolist(), joined.n_known.tolist()
        ([0, 3, 7], [0, 0, 0, 1, 1, 1, 1], [3, 2, 1, 2, 1, 0, 1])
    """

    def __init__(self, codes: np.ndarray, bounds: np.ndarray):
        self.codes = codes
        self.bounds = bounds

    @classmethod
    def from_text(cls, sequences: Sequence[str]) -> Self:
        """Join upper-case DNA."""
        lengths = [len(sequence) for sequence in sequences]
        return cls(encode_bases("".join(sequences)), np.cumsum([0, *lengths]))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @cached_property
    def rows(self) -> np.ndarray:
        """Sequence that each base belongs to, int32, shape (bases,)."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.bounds))

    @cached_property
    def n_known(self) -> np.ndarray:
        """Count the bases from each one on that are A, C, G or T of its sequence, int32."""
        n = len(self.codes)
        ends = np.concatenate([np.flatnonzero(self.codes == UNKNOWN), self.bounds[1:]])
        next_end = np.full(n + 1, n, dtype=np.int32)
        next_end[ends] = ends
        next_end = np.minimum.accumulate(next_end[::-1])[::-1]
        # A base that ends a run because the next sequence begins there is no end of its own run.
        following = next_end[1:]
        known = following - np.arange(n, dtype=np.int32)
        known[self.codes == UNKNOWN] = 0
        return np.asarray(known)

    @cached_property
    def words(self) -> np.ndarray:
        """Base-4 number of the WORD_BASES bases from each one on, uint32, shape (bases,).

        Digits that do not belong to the sequence or are no base mean nothing: see `n_known`.
        """
        padded = np.zeros(len(self.codes) + WORD_BASES, dtype=np.uint32)
        padded[: len(self.codes)] = self.codes & 3
        two = padded[:-1] << 2 | padded[1:]
        four = two[:-2] << 4 | two[2:]
        eight = four[:-4] << 8 | four[4:]
        ten = eight[:-2] << 4 | two[8 : 8 + len(eight) - 2]
        return ten[: len(self.codes)]

    def select(self, is_chosen: np.ndarray) -> Self:
        """Join some of the sequences.

        Args:
            is_chosen: Whether to take each sequence, shape (n,).
        """
        lengths = np.diff(self.bounds)
        bounds = np.concatenate([[0], np.cumsum(lengths[is_chosen])])
        return type(self)(self.codes[np.repeat(is_chosen, lengths)], bounds)

    def parts(self, n_bases: int) -> Iterator[tuple[slice, Self]]:
        """Go through the sequences in parts of about so many bases, so that memory stays flat.

        Yields:
            Which sequences, and these joined.
        """
        start = 0
        while start < len(self):
            end = int(np.searchsorted(self.bounds, self.bounds[start] + n_bases, side="right")) - 1
            end = max(end, start + 1)
            bounds = self.bounds[start : end + 1]
            codes = self.codes[bounds[0] : bounds[-1]]
            yield slice(start, end), type(self)(codes, bounds - bounds[0])
            start = end
