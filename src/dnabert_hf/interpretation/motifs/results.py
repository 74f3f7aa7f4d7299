"""What a search for motifs is told, and what it finds."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix

__all__ = [
    "NOTHING_STANDS_OUT",
    "Candidate",
    "Motif",
    "MotifMatch",
    "MotifSearch",
    "MotifSettings",
    "MotifSite",
]

# Said where there are no places at all, on the page and by the command.
NOTHING_STANDS_OUT = (
    "nothing stands out: in no sequence of the class does the model look at some bases in a row "
    "far more than at the others"
)
_LEAST_LEN = 2


@dataclass(frozen=True)
class MotifSettings:
    """How motifs are searched for; numbers are those of DNABERT-viz (Ji et al. 2021) by default.

    Attributes:
        min_len: Bases of a candidate, at least.
        max_q: Largest adjusted p-value of a candidate; unless as published, of a motif too.
        window: Bases that are cut out around each candidate; a refined motif is no longer.
        min_instances: Sites of a motif, at least.
        both_strands: Whether words, motifs and sites on the other strand count too.
        is_refined: Whether motifs are looked for one after the other, also as words with gaps,
            refined and trimmed; otherwise each is the plain count of the windows around words that
            overlap, as published.
    """

    min_len: int = 5
    max_q: float = 0.005
    window: int = 24
    min_instances: int = 3
    both_strands: bool = False
    is_refined: bool = True

    def __post_init__(self) -> None:
        for name, least in (("min_len", _LEAST_LEN), ("window", 2), ("min_instances", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 < self.max_q <= 1:
            raise ValueError(f"max_q must be above 0 and at most 1, got {self.max_q}")


class Candidate(NamedTuple):
    """A word that the model looks at in sequences of the class.

    Attributes:
        word: Its bases; on both strands, of a word and its reverse complement the first by letter.
        n_instances: How often the model looks at it.
        n_sequences: Sequences that hold it.
        n_positives: Sequences of the class among them.
        p_value: Hypergeometric upper tail.
        q_value: The same, adjusted by Benjamini and Hochberg over all candidates.
        seed: Number of the motif that explains at least a half of its instances or, as published,
            of the cluster that it was merged into (0-based); None if not enriched, or if there is
            none.
    """

    word: str
    n_instances: int
    n_sequences: int
    n_positives: int
    p_value: float
    q_value: float
    seed: int | None


class MotifSite(NamedTuple):
    """A place of a motif in a sequence of the class.

    Attributes:
        row: Sequence, 0-based.
        start: Lowest base in it (0-based).
        end: Base after the highest.
        strand: "+", or "-" where the motif reads on the other strand.
        score: Log odds in bits.
        bases: Its bases in the direction of the motif; N beyond an end of the sequence.
    """

    row: int
    start: int
    end: int
    strand: str
    score: float
    bases: str


@dataclass(frozen=True)
class Motif:
    """A motif and where it is.

    Attributes:
        name: Such as "motif_1", in the order of the p-values.
        matrix: Its position weight matrix.
        sites: Where the model looks at it in the sequences of the class.
        n_sequences: Sequences with a site at the threshold of the motif, looked at or not.
        n_positives: Sequences of the class among them.
        p_value: Hypergeometric upper tail of the two. The motif was found in the same sequences:
            the value ranks, and promises nothing about others.
        q_value: The same, adjusted by Benjamini and Hochberg over the motifs.
        seed: Its number in the order in which motifs were found or, as published, that of the
            cluster of candidates that it was made from.
    """

    name: str
    matrix: PositionWeightMatrix
    sites: list[MotifSite]
    n_sequences: int
    n_positives: int
    p_value: float
    q_value: float
    seed: int


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


@dataclass(frozen=True)
class MotifSearch:
    """What a search for motifs found.

    Attributes:
        motifs: Motifs, best first; may be none.
        candidates: All candidates, by p-value.
        n_sequences: Sequences searched.
        n_positives: Sequences of the class among them.
        background: Probability of A, C, G and T in them, shape (4,).
        settings: How they were searched.
        n_regions: Places in sequences of the class that the model looks at.
        n_explained: Those that lie in a site of a motif.
        label: Class whose motifs they are; "" if it has no name.
        matches: Known motifs that each motif resembles, best first; None if not compared.
    """

    motifs: list[Motif]
    candidates: list[Candidate]
    n_sequences: int
    n_positives: int
    background: np.ndarray
    settings: MotifSettings
    n_regions: int
    n_explained: int
    label: str = ""
    matches: list[MotifMatch] | None = None

    def best_match(self, motif: str) -> MotifMatch | None:
        """Give the known motif that a motif, by its name, resembles most; None if it does none."""
        return next((match for match in self.matches or () if match.motif == motif), None)

    def advice(self) -> str:
        """Say what may help where no motif was found, without what was done already."""
        ways = [] if self.settings.both_strands else ["both strands (--rc)"]
        ways.append("another --score")
        if self.settings.min_len > _LEAST_LEN:
            ways.append("shorter candidates (--min-len)")
        return f"try {', '.join(ways)} or more sequences"

    @property
    def unexplained_share(self) -> float:
        """Share of the places that the model looks at which no motif explains; 0 if there are none.

        They may be noise of the scores, or motifs that were not found.
        """
        return 1 - self.n_explained / self.n_regions if self.n_regions else 0.0
