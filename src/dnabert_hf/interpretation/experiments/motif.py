"""Motifs to work with in experiments: IUPAC letters, or matrices of a file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.example.motifs import consensus_matrix
from dnabert_hf.data.reading.sequence_array import BASES
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.motifs.files import KnownMotif
from dnabert_hf.interpretation.motifs.jaspar import read_motif_file
from dnabert_hf.interpretation.motifs.matrices.known_sites import MotifScanner

__all__ = ["Occurrence", "PlacedMotif", "read_motif", "read_motifs"]

_IUPAC = frozenset("ACGTRYSWKMBDHVN")
_CODES = np.frombuffer(BASES.encode("ascii"), dtype=np.uint8)
_SHORTEST_MATRIX = 7  # positions: a shorter one has no site with a p-value below 0.0001


class Occurrence(NamedTuple):
    """Place of a motif in a sequence, 0-based and half-open, and its strand."""

    start: int
    end: int
    strand: str


@dataclass(frozen=True, eq=False)
class PlacedMotif:
    """A motif that is put into sequences, or looked for in them.

    Attributes:
        name: What it is called.
        probabilities: Probability of A, C, G and T, shape (positions, 4).
        letters: IUPAC letters, if it was written so; None of a matrix.
    """

    name: str
    probabilities: np.ndarray
    letters: str | None = None

    def __len__(self) -> int:
        return len(self.probabilities)

    def site(self, rng: np.random.Generator, kind: str) -> str:
        """Give a site of the motif.

        Args:
            rng: What decides.
            kind: "sampled" draws each base by its probability, "consensus" takes the most probable
                one.
        """
        if kind == "consensus":
            best = self.probabilities.argmax(axis=1)
            return _CODES[best].tobytes().decode("ascii")
        bounds = np.cumsum(self.probabilities, axis=1)[:, :-1]
        drawn = (rng.random((len(self), 1)) >= bounds).sum(axis=1)
        return _CODES[drawn].tobytes().decode("ascii")

    def check_consensus(self) -> None:
        """Refuse to choose between the bases that a letter stands for.

        Raises:
            ValueError: If there is a choice.
        """
        if self.letters is not None and not set(self.letters) <= set(BASES):
            raise ValueError(
                f"motif {self.letters} has no consensus of single bases; write A, C, G and T "
                "alone, or draw sites (sampled)"
            )

    def find(self, sequence: str) -> list[Occurrence]:
        """Find the motif on both strands: where letters match, or a matrix with p below 0.0001.

        Args:
            sequence: Upper-case DNA.

        Returns:
            Occurrences in order; a palindrome is there once, on the forward strand.

        Example:
            >>> [tuple(each) for each in read_motif("TGASTCA").find("AATGACTCAA")]
            [(2, 9, '+')]
        """
        if self.letters is None:
            found = self._scanner.find(sequence)
            return [Occurrence(site.start, site.end, site.strand) for site in found]
        places = {}
        for strand, pattern in (("-", self._patterns[1]), ("+", self._patterns[0])):
            for match in pattern.finditer(sequence):
                places[match.start()] = strand
        return [Occurrence(at, at + len(self), places[at]) for at in sorted(places)]

    @cached_property
    def _scanner(self) -> MotifScanner:
        if len(self) < _SHORTEST_MATRIX:
            raise ValueError(
                f"a matrix must have {_SHORTEST_MATRIX} positions or more to be looked for, found "
                f"{len(self)} ({self.name}); write the motif as IUPAC letters"
            )
        return MotifScanner({self.name: self.probabilities})

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        assert self.letters is not None
        both = (self.letters, reverse_complement(self.letters))
        one, other = (re.compile(f"(?={''.join(map(_letters_of, each))})") for each in both)
        return one, other


def _letters_of(letter: str) -> str:
    meant = consensus_matrix(letter, weight=1.0)[0] > 0
    bases = "".join(base for base, is_meant in zip(BASES, meant, strict=True) if is_meant)
    return bases if len(bases) == 1 else f"[{bases}]"


def read_motif(text: str) -> PlacedMotif:
    """Read one motif as it is written: IUPAC letters, FILE, or FILE:NAME.

    Args:
        text: Letters such as "TGASTCA", a MEME or JASPAR file of one motif, or such a file and the
            id or name of one of its motifs.

    Raises:
        ValueError: If it is none of these.

    Example:
        >>> len(read_motif("tgastca")), read_motif("TGAUTCA").letters
        (7, 'TGATTCA')
    """
    motifs = read_motifs([text])
    if len(motifs) > 1:
        names = ", ".join(each.name for each in motifs[:3])
        raise ValueError(
            f"{text} must be one motif, found {len(motifs)}; name one, such as "
            f"{text}:{motifs[0].name} (there are {names}, ...)"
        )
    return motifs[0]


def read_motifs(texts: Sequence[str]) -> list[PlacedMotif]:
    """Read motifs as they are written; a file without a name stands for all that it holds.

    Args:
        texts: Each as in `read_motif`.

    Raises:
        ValueError: If one cannot be read, or two have one name.
    """
    motifs = [motif for text in texts for motif in _read(str(text))]
    if not motifs:
        raise ValueError("an experiment needs a motif, found none; give letters or a file")
    names = [each.name for each in motifs]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"motifs must have names of their own, found {repeated} twice")
    return motifs


def _read(text: str) -> list[PlacedMotif]:
    file, colon, name = text.rpartition(":")
    if Path(text).is_file():
        return [_of_file(each) for each in read_motif_file(text)]
    if colon and Path(file).is_file():
        motifs = read_motif_file(file)
        chosen = [each for each in motifs if name in (each.id, each.name)]
        if len(chosen) != 1:
            known = ", ".join(each.name or each.id for each in motifs[:5])
            raise ValueError(
                f"{file} must hold one motif with the id or name {name}, found {len(chosen)}; it "
                f"has {known}{', ...' if len(motifs) > 5 else ''}"
            )
        return [_of_file(chosen[0])]
    letters = text.strip().upper().replace("U", "T")
    if not letters or not _IUPAC.issuperset(letters):
        wrong = next((letter for letter in letters if letter not in _IUPAC), "nothing")
        raise ValueError(
            "a motif must be IUPAC letters such as TGASTCA, or a MEME or JASPAR file, FILE or "
            f"FILE:NAME, got {text!r} ({wrong!r} is no letter of DNA, and there is no such file)"
        )
    return [PlacedMotif(letters, consensus_matrix(letters, weight=1.0), letters)]


def _of_file(motif: KnownMotif) -> PlacedMotif:
    name = f"{motif.id} {motif.name}".strip() if motif.name != motif.id else motif.id
    return PlacedMotif(name, motif.probabilities)
