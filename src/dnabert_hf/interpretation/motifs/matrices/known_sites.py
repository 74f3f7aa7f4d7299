"""Sites of known motifs in a sequence, each with the chance of so good a word."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.reading.sequence_array import BASES, JoinedSequences
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix
from dnabert_hf.interpretation.motifs.matrices.sites import score_places

__all__ = ["KnownSite", "MotifScanner", "score_chances"]

_MAX_P = 1e-4  # a site in 5,000 bases of random DNA, both strands
_PER_BIT = 100  # steps into which scores are rounded
_N_SITES = 20  # that probabilities are thought to come from, as where MEME files do not say
_UNIFORM = np.full(len(BASES), 1 / len(BASES))


class KnownSite(NamedTuple):
    """Place where a known motif fits.

    Attributes:
        motif: Name of the motif.
        start: First base, 0-based.
        end: Base after the last one.
        strand: "+" or "-".
        score: Log odds against equally frequent bases, in bits.
        p_value: Chance that a random word of equally frequent bases scores as high.
    """

    motif: str
    start: int
    end: int
    strand: str
    score: float
    p_value: float


class MotifScanner:
    """Looks for sites of known motifs on both strands, as FIMO does (Grant et al. 2011).

    Args:
        motifs: Probabilities of A, C, G and T by the name of each motif, shape (positions, 4).

    Attributes:
        names: Names of the motifs.

    Example:
        >>> scanner = MotifScanner({"GATTACAG": np.eye(4)[[2, 0, 3, 3, 0, 1, 0, 2]]})
        >>> [(site.start, site.strand) for site in scanner.find("TTTTGATTACAGTTT")]
        [(4, '+')]
    """

    def __init__(self, motifs: Mapping[str, np.ndarray]):
        self.names = tuple(motifs)
        self._matrices = {
            name: PositionWeightMatrix(np.asarray(probabilities) * _N_SITES, _UNIFORM)
            for name, probabilities in motifs.items()
        }
        self._chances: dict[str, tuple[int, np.ndarray]] = {}

    def find(self, sequence: str) -> list[KnownSite]:
        """Find the sites in a sequence, in the order of their first base.

        Args:
            sequence: Upper-case DNA.

        Returns:
            Sites with a p-value below 0.0001.
        """
        joined = JoinedSequences.from_text([sequence])
        found = []
        for name, matrix in self._matrices.items():
            if len(matrix) > len(sequence):
                continue
            scores, is_reverse = score_places(joined, None, matrix, both_strands=True)
            for start in np.flatnonzero(np.isfinite(scores)).tolist():
                score = float(scores[start])
                p_value = self._chance(name, score)
                if p_value < _MAX_P:
                    strand = "-" if is_reverse[start] else "+"
                    end = start + len(matrix)
                    found.append(KnownSite(name, start, end, strand, score, p_value))
        return sorted(found, key=lambda site: (site.start, site.p_value))

    def _chance(self, name: str, score: float) -> float:
        if name not in self._chances:
            self._chances[name] = score_chances(self._matrices[name].log_odds)
        lowest, chances = self._chances[name]
        # Half a step a position is what rounding may have taken from the sum of the word itself.
        at = int(score * _PER_BIT - len(self._matrices[name]) / 2) - lowest
        return float(chances[min(max(at, 0), len(chances) - 1)])


def score_chances(log_odds: np.ndarray) -> tuple[int, np.ndarray]:
    """Compute how probable it is that a random word scores so high, exactly but for rounding.

    Position after position, the distribution of the sum is that of the sum before, moved by the
    score of each base (Staden 1989). The scores of bases are rounded to hundredths of a bit.

    Args:
        log_odds: Bits of A, C, G and T, shape (positions, 4).

    Returns:
        The lowest score in hundredths of a bit, and for it and each hundredth above the chance that
        a word of equally frequent bases scores as high or higher, shape (scores,).
    """
    steps = np.rint(log_odds * _PER_BIT).astype(int)
    lows = steps.min(axis=1)
    shares = np.ones(1)
    for row, low in zip(steps, lows, strict=True):
        wider = np.zeros(len(shares) + int(row.max() - low))
        for step in (row - low).tolist():
            wider[step : step + len(shares)] += shares / len(BASES)
        shares = wider
    return int(lows.sum()), np.cumsum(shares[::-1])[::-1]
