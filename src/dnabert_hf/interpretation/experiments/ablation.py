"""Edits that take something away: a motif's occurrences, or a region, and as much elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from dnabert_hf.data.building.shuffling import shuffle_dinucleotides
from dnabert_hf.interpretation.experiments.backgrounds import Background
from dnabert_hf.interpretation.experiments.edits import Edit, replace_bases
from dnabert_hf.interpretation.experiments.effects import PLACES
from dnabert_hf.interpretation.experiments.motif import PlacedMotif

__all__ = ["Ablations"]

_TRIES = 100  # places elsewhere, and shuffles, that are drawn before one is given up
_BASES = frozenset("ACGT")

Span = tuple[int, int]


@dataclass(frozen=True)
class Ablations:
    """Parts of sequences replaced, and parts as long elsewhere.

    Attributes:
        motif: Motif whose occurrences are replaced, all of a sequence at once; None for a region.
        region: First base and base after the last one, 0-based, of all sequences alike; None for
            that of each background.
        replacement: "background" puts the letters in that a dinucleotide shuffle of the whole
            sequence has there, "shuffled" a dinucleotide shuffle of the part itself.
        n_draws: Times that this is done to each sequence.
    """

    motif: PlacedMotif | None
    region: Span | None
    replacement: str
    n_draws: int
    columns: ClassVar[dict[str, type]] = {"place": str, "spans": str, "draw": int}
    conditions: ClassVar[tuple[str, ...]] = ("place",)
    has_parts: ClassVar[bool] = False

    def edits(self, background: Background) -> Iterator[Edit]:
        """Give each draw: the parts replaced, and then parts as long elsewhere.

        A sequence without the motif has none. Where there is no room elsewhere, or no other order
        of the letters, that edit is left out.
        """
        name, _, sequence, rng, of_background = background
        taken = self.spans(name, sequence, of_background)
        if taken and not set(sequence) <= _BASES:
            raise ValueError(
                f"record {name}: a sequence must hold A, C, G and T alone to be shuffled, found "
                f"{', '.join(sorted(set(sequence) - _BASES))}; leave it out"
            )
        n_draws = self.n_draws if taken else 0
        others = [_elsewhere(taken, len(sequence), rng) for _ in range(n_draws)]
        wanted = [
            (place, draw, spans)
            for draw, elsewhere in enumerate(others)
            for place, spans in zip(PLACES, (taken, elsewhere), strict=True)
            if spans
        ]
        edited = self._replace(sequence, [spans for *_, spans in wanted], rng)
        for (place, draw, spans), text in zip(wanted, edited, strict=True):
            if text != sequence:
                where = ",".join(f"{start}-{end}" for start, end in spans)
                yield Edit((place, where, draw), text)

    def spans(self, name: str, sequence: str, of_background: Span) -> list[Span]:
        """Give the parts of a sequence that are replaced; occurrences that overlap are one part.

        Raises:
            ValueError: If the region does not lie within it.
        """
        if self.motif is not None:
            merged: list[Span] = []
            for start, end, _ in self.motif.find(sequence):
                if merged and start < merged[-1][1]:
                    merged[-1] = merged[-1][0], max(end, merged[-1][1])
                else:
                    merged.append((start, end))
            return merged
        start, end = self.region or of_background
        if not 0 <= start < end <= len(sequence):
            raise ValueError(
                f"record {name}: the region must lie within the sequence, got {start}-{end} "
                f"(0-based, the end is not in it) of {len(sequence)} bases; choose another"
            )
        return [(start, end)]

    def _replace(
        self, sequence: str, wanted: Sequence[Sequence[Span]], rng: np.random.Generator
    ) -> list[str]:
        """Replace the parts of each edit; what has no other order stays as it is."""
        edited = [sequence] * len(wanted)
        for _ in range(_TRIES):
            rows = [row for row, text in enumerate(edited) if text == sequence]
            if not rows:
                break
            seed = int(rng.integers(2**32))
            parts = self._shuffles(sequence, [wanted[row] for row in rows], seed)
            for row, of_edit in zip(rows, parts, strict=True):
                for (start, _), part in zip(wanted[row], of_edit, strict=True):
                    edited[row] = replace_bases(edited[row], start, part)
        return edited

    def _shuffles(
        self, sequence: str, wanted: Sequence[Sequence[Span]], seed: int
    ) -> list[list[str]]:
        """Draw what comes in place of the parts of each edit, all in one shuffle."""
        if self.replacement == "background":
            whole = shuffle_dinucleotides([sequence] * len(wanted), seed=seed)
            return [
                [text[start:end] for start, end in spans]
                for text, spans in zip(whole, wanted, strict=True)
            ]
        parts = iter(
            shuffle_dinucleotides(
                [sequence[start:end] for spans in wanted for start, end in spans], seed=seed
            )
        )
        return [[next(parts) for _ in spans] for spans in wanted]

    def count(self, _: str, /) -> int | None:
        """Count the edits of a region; occurrences of a motif would have to be looked for."""
        return None if self.motif is not None else 2 * self.n_draws


def _elsewhere(taken: Sequence[Span], n_bases: int, rng: np.random.Generator) -> list[Span]:
    """Draw as many parts of the same lengths that overlap neither these nor each other."""
    for _ in range(_TRIES):
        drawn: list[Span] = []
        for start, end in taken:
            width = end - start
            first = int(rng.integers(n_bases - width + 1))
            drawn.append((first, first + width))
        spans = sorted([*taken, *drawn])
        if all(one[1] <= other[0] for one, other in pairwise(spans)):
            return sorted(drawn)
    return []
