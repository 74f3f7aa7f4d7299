"""Motifs beside known ones: Tomtom."""

import logging
from collections.abc import Sequence

from scipy.stats import false_discovery_control
from tqdm import tqdm

from dnabert_hf.interpretation.motifs.files import KnownMotif
from dnabert_hf.interpretation.motifs.matrices.similarity import TargetMotifs, compare_with_targets
from dnabert_hf.interpretation.motifs.results import Motif, MotifMatch

__all__ = ["compare_motifs"]

logger = logging.getLogger(__name__)

_FEW = 50  # below it, MEME's own tomtom warns too


def compare_motifs(
    motifs: Sequence[Motif], known: Sequence[KnownMotif], *, max_q: float = 0.05
) -> list[MotifMatch]:
    """Find the known motifs that each motif resembles, on either strand (Gupta et al. 2007).

    Progress is shown on standard error, if that is a terminal.

    Args:
        motifs: The motifs.
        known: Known motifs; some fifty at least, for the chance of a similarity is judged by what
            they look like.
        max_q: Largest adjusted p-value.

    Returns:
        The matches of each motif in turn, best first.
    """
    if not motifs or not known:
        return []
    if len(known) < _FEW:
        logger.warning(
            "p-values of matches are judged by what the known motifs look like, and there are only "
            "%d; give all of a database, such as JASPAR's",
            len(known),
        )
    targets = TargetMotifs([each.probabilities for each in known])
    matches = []
    for motif in tqdm(motifs, desc="known motifs", unit=" motifs", disable=None):
        found = compare_with_targets(motif.matrix.probabilities, targets)
        q_values = false_discovery_control(found.p_values)
        for at in found.p_values.argsort(kind="stable").tolist():
            if q_values[at] > max_q:
                break
            matches.append(
                MotifMatch(
                    motif.name,
                    known[at].id,
                    known[at].name,
                    float(found.p_values[at]),
                    float(q_values[at]),
                    int(found.offsets[at]),
                    int(found.overlaps[at]),
                    "-" if found.is_reverse[at] else "+",
                )
            )
    return matches
