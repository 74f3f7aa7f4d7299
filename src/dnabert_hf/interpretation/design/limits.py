"""Limits of a design: what must not be changed, and what a sequence must not hold."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from dnabert_hf.interpretation.experiments.motif import PlacedMotif, read_motifs

__all__ = ["Limits"]

_BASES = frozenset("ACGT")
_RUN = re.compile(r"(.)\1*")


@dataclass(frozen=True)
class Limits:
    """What a designed sequence has to keep to.

    Attributes:
        edits: Bases that differ from the sequence at most.
        frozen: Stretches that stay as they are, 0-based and half-open, of every sequence.
        frozen_of: More of them, by the id of a sequence.
        gc: Least and highest share of G and C; None for any.
        forbidden: Motifs that must not occur on either strand: IUPAC letters or "FILE:NAME".
        max_homopolymer: Longest run of one base; None for any.

    Raises:
        ValueError: If they contradict each other.

    Example:
        >>> limits = Limits(edits=3, gc=(0.4, 0.6), forbidden=["GAATTC"], max_homopolymer=4)
        >>> limits.violation("ACGTAACCGGTT"), limits.violation("GAATTCGGGGGG")
        (0, 4)
    """

    edits: int = 10
    frozen: Sequence[tuple[int, int]] = ()
    frozen_of: dict[str, list[tuple[int, int]]] | None = None
    gc: tuple[float, float] | None = None
    forbidden: Sequence[str] = ()
    max_homopolymer: int | None = None

    def __post_init__(self) -> None:
        if self.edits < 1:
            raise ValueError(f"a design needs 1 edit or more, got {self.edits}")
        if self.gc is not None and not 0 <= self.gc[0] <= self.gc[1] <= 1:
            raise ValueError(
                f"the share of G and C must be from 0 to 1, the least first, got {self.gc[0]:g}-"
                f"{self.gc[1]:g}"
            )
        if self.max_homopolymer is not None and self.max_homopolymer < 1:
            raise ValueError(f"the longest run must be 1 or more, got {self.max_homopolymer}")
        for motif in self.motifs:
            motif.find("")  # refuses a matrix that is too short to be found

    @cached_property
    def motifs(self) -> list[PlacedMotif]:
        """The forbidden motifs."""
        return read_motifs(self.forbidden) if self.forbidden else []

    def free_positions(self, name: str, sequence: str) -> np.ndarray:
        """Find the bases that may change: not frozen, and A, C, G or T.

        Args:
            name: Id of the sequence.
            sequence: Upper-case DNA.

        Returns:
            Whether each may, shape (bases,).

        Raises:
            ValueError: If none may, or a stretch does not lie within the sequence.
        """
        is_free = np.array([base in _BASES for base in sequence], dtype=bool)
        for start, end in self._frozen(name):
            if not 0 <= start < end <= len(sequence):
                raise ValueError(
                    f"record {name}: frozen bases must lie within the sequence, got {start}-{end} "
                    f"(0-based, the end is not in it) of {len(sequence)} bases; correct them"
                )
            is_free[start:end] = False
        if not is_free.any():
            raise ValueError(
                f"record {name}: there must be a base that may change, found all "
                f"{len(sequence)} frozen or unknown; free some"
            )
        return is_free

    def _frozen(self, name: str) -> Iterable[tuple[int, int]]:
        yield from self.frozen
        yield from (self.frozen_of or {}).get(name, ())

    def check_frozen(self, name: str, sequence: str, is_free: np.ndarray) -> None:
        """Refuse what no edit could mend: a forbidden motif or a long run in frozen bases.

        Raises:
            ValueError: If there is one.
        """
        for motif in self.motifs:
            for start, end, strand in motif.find(sequence):
                if not is_free[start:end].any():
                    raise ValueError(
                        f"record {name}: the forbidden motif {motif.name} lies in frozen bases "
                        f"({start}-{end}, 0-based, strand {strand}); free them, or allow the motif"
                    )
        for start, end in _long_runs(sequence, self.max_homopolymer):
            frozen = [0, *(np.flatnonzero(is_free[start:end]) + 1).tolist(), end - start + 1]
            gaps = max(second - first - 1 for first, second in pairwise(frozen))
            if self.max_homopolymer is not None and gaps > self.max_homopolymer:
                raise ValueError(
                    f"record {name}: a run of {gaps} {sequence[start]} lies in frozen bases near "
                    f"{start} (0-based), longer than {self.max_homopolymer}; free them, or allow it"
                )

    def violation(self, sequence: str) -> int:
        """Count what is wrong: bases of G and C too many or too few, motifs, bases of long runs.

        Args:
            sequence: Upper-case DNA.

        Returns:
            0 of a sequence that keeps to all limits but those of edits and frozen bases.
        """
        wrong = 0
        if self.gc is not None:
            n_known = sum(map(sequence.count, "ACGT"))
            n_strong = sequence.count("G") + sequence.count("C")
            # A share that is given as 0.4 means 4 of 10, whatever the last bit of 0.4 is.
            least = int(np.ceil(self.gc[0] * n_known - 1e-9))
            most = int(np.floor(self.gc[1] * n_known + 1e-9))
            wrong += max(least - n_strong, n_strong - most, 0)
        wrong += sum(len(motif.find(sequence)) for motif in self.motifs)
        if self.max_homopolymer is not None:
            runs = _long_runs(sequence, self.max_homopolymer)
            wrong += sum(end - start - self.max_homopolymer for start, end in runs)
        return wrong


def _long_runs(sequence: str, longest: int | None) -> list[tuple[int, int]]:
    """Find the runs of one base that are too long, 0-based and half-open."""
    if longest is None:
        return []
    return [
        match.span()
        for match in _RUN.finditer(sequence)
        if match[1] in _BASES and match.end() - match.start() > longest
    ]
