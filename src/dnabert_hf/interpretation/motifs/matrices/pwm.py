"""Position weight matrices: which bases a motif has where."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dnabert_hf.data.reading.sequence_array import BASES, UNKNOWN

__all__ = ["PositionWeightMatrix", "count_bases"]

# Nishida et al. 2009 (Nucleic Acids Research 37:939) find about 0.8 best over many motifs.
_PSEUDOCOUNT = 0.8
_PAIRS = {"AG": "R", "CT": "Y", "CG": "S", "AT": "W", "GT": "K", "AC": "M"}


@dataclass(frozen=True, eq=False)
class PositionWeightMatrix:
    """Counts of the bases at each position of aligned sites, beside a background.

    Attributes:
        counts: Counts of A, C, G and T, shape (positions, 4); need not be whole numbers.
        background: Probability of A, C, G and T outside of motifs, shape (4,).
        pseudocount: Sites of pure background that each position is thought to have seen too.

    Example:
        >>> matrix = PositionWeightMatrix(np.array([[8, 0, 0, 0], [2, 2, 2, 2]]), np.full(4, 0.25))
        >>> matrix.consensus, matrix.information.round(1).tolist()
        ('AN', [1.5, 0.0])
    """

    counts: np.ndarray
    background: np.ndarray
    pseudocount: float = _PSEUDOCOUNT

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Probability of each base with pseudocounts, shape (positions, 4)."""
        counts = self.counts + self.pseudocount * self.background
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))

    @cached_property
    def log_odds(self) -> np.ndarray:
        """Bits by which each base speaks for the motif, shape (positions, 4)."""
        return np.asarray(np.log2(self.probabilities / self.background))

    @cached_property
    def information(self) -> np.ndarray:
        """Information against the background in bits, shape (positions,)."""
        return np.asarray((self.probabilities * self.log_odds).sum(axis=1))

    @property
    def consensus(self) -> str:
        """One letter a position (Cavener 1987).

        A base that makes up over half and twice the next, else the IUPAC code of two that make up
        three quarters, else N.
        """
        letters = []
        for row in self.probabilities:
            order = np.argsort(-row, kind="stable")
            first, second = row[order[:2]]
            if first > 0.5 and first > 2 * second:
                letters.append(BASES[order[0]])
            elif first + second > 0.75:
                letters.append(_PAIRS["".join(sorted(BASES[i] for i in order[:2]))])
            else:
                letters.append("N")
        return "".join(letters)

    def reverse_complement(self) -> "PositionWeightMatrix":
        """Read the motif on the other strand."""
        return PositionWeightMatrix(
            self.counts[::-1, ::-1], self.background[::-1], self.pseudocount
        )

    def informative_part(self, *, threshold: float = 0.3, min_len: int = 5) -> slice:
        """Find what is left when uninformative positions are cut from both ends.

        What few sites have in information by chance, 3 / (2 ln 2) bits over their number (Schneider
        et al. 1986), counts for nothing.

        Args:
            threshold: Bits that the outermost positions must have.
            min_len: Positions to leave at least; the most informative ones in a row.

        Example:
            >>> counts = np.array([[9, 9, 9, 9], [36, 0, 0, 0], [9, 9, 9, 9], [0, 0, 36, 0]])
            >>> PositionWeightMatrix(counts, np.full(4, 0.25)).informative_part(min_len=2)
            slice(1, 4, None)
        """
        chance = 3 / (2 * np.log(2) * np.maximum(self.counts.sum(axis=1), 1))
        kept = np.flatnonzero(self.information - chance >= threshold)
        if len(kept) and kept[-1] + 1 - kept[0] >= min_len:
            return slice(int(kept[0]), int(kept[-1]) + 1)
        length = min(min_len, len(self))
        sums = np.convolve(self.information, np.ones(length), mode="valid")
        start = int(sums.argmax())
        return slice(start, start + length)

    def part(self, positions: slice) -> "PositionWeightMatrix":
        """Take some positions."""
        return PositionWeightMatrix(self.counts[positions], self.background, self.pseudocount)


def count_bases(windows: np.ndarray) -> np.ndarray:
    """Count the bases at each position of aligned windows; unknown ones count for nothing.

    Args:
        windows: Codes of bases, shape (sites, positions).

    Returns:
        Counts of A, C, G and T, float64, shape (positions, 4).

    Example:
        >>> count_bases(np.array([[0, 1], [0, 4]])).tolist()
        [[2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    """
    codes = range(UNKNOWN)
    return np.stack([(windows == code).sum(axis=0) for code in codes], axis=1).astype(np.float64)
