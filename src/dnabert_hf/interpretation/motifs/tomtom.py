"""Motifs beside known ones: Tomtom."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import false_discovery_control

from dnabert_hf.interpretation.motifs.files import KnownMotif
from dnabert_hf.interpretation.motifs.results import Motif

__all__ = ["MotifMatch", "compare_motifs", "import_tomtom"]

_SMALLEST_P = 1e-16  # what float arithmetic leaves of a probability near 0


class MotifMatch(NamedTuple):
    """A known motif that a motif resembles.

    Attributes:
        motif: Name of the motif.
        known: Identifier of the known one.
        known_name: Its alternate name.
        p_value: Chance of such a similarity to a random motif of its width.
        q_value: The same, adjusted by Benjamini and Hochberg over all known motifs.
        offset: Position of the known motif on which the motif begins; negative if it begins before.
        overlap: Positions that lie on each other.
        strand: "-" if the reverse complement of the known motif is meant.
    """

    motif: str
    known: str
    known_name: str
    p_value: float
    q_value: float
    offset: int
    overlap: int
    strand: str


def import_tomtom() -> Any:
    """Import Tomtom.

    Raises:
        ImportError: If it is not installed, with the command that installs it.
    """
    try:
        from memelite import tomtom
    except ImportError as error:
        raise ImportError(
            "comparing motifs with known ones needs memelite; install it with "
            "pip install 'dnabert-hf[motifs]'"
        ) from error
    return tomtom


def compare_motifs(
    motifs: Sequence[Motif], known: Sequence[KnownMotif], *, max_q: float = 0.05
) -> list[MotifMatch]:
    """Find the known motifs that each motif resembles (Tomtom, Gupta et al. 2007).

    Args:
        motifs: The motifs.
        known: Known motifs; some fifty at least, for the chance of a similarity is judged by what
            they look like.
        max_q: Largest adjusted p-value.

    Returns:
        The matches of each motif in turn, best first.

    Raises:
        ImportError: If memelite is not installed.
    """
    tomtom = import_tomtom()
    if not motifs or not known:
        return []
    found = tomtom(
        [motif.matrix.probabilities.T for motif in motifs],
        [each.probabilities.T for each in known],
        n_jobs=1,
    )
    p_values, _, offsets, overlaps, strands = (np.asarray(part) for part in found[:5])
    matches = []
    for row, motif in enumerate(motifs):
        p_of_row = np.clip(p_values[row], _SMALLEST_P, 1)
        q_of_row = false_discovery_control(p_of_row)
        for at in np.argsort(p_values[row], kind="stable").tolist():
            if q_of_row[at] > max_q:
                break
            matches.append(
                MotifMatch(
                    motif.name,
                    known[at].id,
                    known[at].name,
                    float(p_of_row[at]),
                    float(q_of_row[at]),
                    int(offsets[row, at]),
                    int(overlaps[row, at]),
                    "-" if strands[row, at] else "+",
                )
            )
    return matches
