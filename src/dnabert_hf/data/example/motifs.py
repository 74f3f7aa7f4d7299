"""Motifs of the example: consensus sequences of textbooks as matrices, and one of JASPAR."""

from collections.abc import Sequence

import numpy as np

from dnabert_hf.data.building.simulation import CTCF

__all__ = ["ACCEPTOR", "DONOR", "INITIATOR", "KNOWN_MOTIFS", "TATA_BOX", "consensus_matrix"]

_LETTERS = dict(
    zip(
        "ACGTRYSWKMBDHVN",
        [
            "A",
            "C",
            "G",
            "T",
            "AG",
            "CT",
            "CG",
            "AT",
            "GT",
            "AC",
            "CGT",
            "AGT",
            "ACT",
            "ACG",
            "ACGT",
        ],
        strict=True,
    )
)


def consensus_matrix(
    consensus: str, *, weight: float = 0.91, certain: Sequence[int] = ()
) -> np.ndarray:
    """Make a matrix of probabilities of a consensus sequence.

    Args:
        consensus: IUPAC letters; those that one stands for are equally probable.
        weight: Probability of the bases that each letter stands for, together.
        certain: Positions where no other base occurs, 0-based.

    Returns:
        Probabilities of A, C, G and T, float64, shape (positions, 4).

    Example:
        >>> consensus_matrix("GY", weight=0.8, certain=[0]).tolist()
        [[0.0, 0.0, 1.0, 0.0], [0.1, 0.4, 0.1, 0.4]]
    """
    rows = []
    for position, letter in enumerate(consensus):
        meant = np.array([base in _LETTERS[letter] for base in "ACGT"])
        share = 1 if position in certain or meant.all() else weight
        others = max(4 - meant.sum(), 1)
        rows.append(np.where(meant, share / meant.sum(), (1 - share) / others))
    return np.array(rows).round(6)


# Bucher, J. Mol. Biol. 212 (1990): the TATA box, some 30 bases before the start, and the initiator
# around it, whose third letter is the first transcribed base.
TATA_BOX = consensus_matrix("STATAWAWR", weight=0.88)
INITIATOR = consensus_matrix("YYANWYY", weight=0.85, certain=[2])
# Shapiro and Senapathy, Nucleic Acids Res. 15 (1987): the last three bases of an exon and the first
# six of the intron; the last fifteen of an intron and the first of the next exon.
DONOR = consensus_matrix("MAGGTRAGT", weight=0.8, certain=[3, 4])
ACCEPTOR = consensus_matrix("YYYYYYYYYYYNYAGG", weight=0.85, certain=[13, 14])

# What the example's peaks are compared with: the planted motif (JASPAR 2022 MA0139.1, CC BY 4.0)
# and consensus sequences of other factors.
KNOWN_MOTIFS = {
    "CTCF": np.array(CTCF) / np.sum(CTCF, axis=1, keepdims=True),
    **{
        name: consensus_matrix(consensus)
        for name, consensus in {
            "AP-1": "RTGASTCAY",
            "CRE": "TGACGTCAY",
            "E-box": "RCCACGTGG",
            "ETS": "RCCGGAAGTR",
            "GATA": "WGATAASR",
            "HNF4": "GGGGTCAAAGGTCA",
            "MEF2": "KCTAWAAATAGM",
            "NF-Y": "RRCCAATSR",
            "NRF1": "YGCGCATGCGCR",
            "p53": "RRRCWWGYYYRRRCWWGYYY",
            "REST": "TCAGCACCNNGGACAGCGCC",
            "SP1": "GGGGCGGGGY",
            "SRF": "CCWWWWWWGG",
            "TATA": "STATAWAWR",
            "YY1": "AANATGGCGGC",
        }.items()
    },
}
