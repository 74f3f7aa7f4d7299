"""Edited sequences of each experiment, made from one background after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.experiments.backgrounds import Background
from dnabert_hf.interpretation.experiments.motif import PlacedMotif

__all__ = ["Edit", "Insertions", "PairedMotifs", "Plan", "Positions", "replace_bases"]

STRANDS = ("+", "-")


class Edit(NamedTuple):
    """An edited sequence.

    Attributes:
        cells: Values of the plan's columns.
        sequence: The sequence with the edit.
        parts: For two motifs the sequences with the first alone, and with the second alone.
    """

    cells: tuple[Any, ...]
    sequence: str
    parts: tuple[str, ...] = ()


class Plan(Protocol):
    """What an experiment does to each sequence.

    Attributes:
        columns: Columns that tell edits apart, and their types.
        conditions: Those of them by which edits are averaged over sequences.
        has_parts: Whether edits have parts.
    """

    columns: ClassVar[dict[str, type]]
    conditions: ClassVar[tuple[str, ...]]
    has_parts: ClassVar[bool]

    def edits(self, background: Background) -> Iterator[Edit]:
        """Give the edits of a sequence.

        Raises:
            ValueError: If it is too short for them.
        """

    def count(self, sequence: str, /) -> int | None:
        """Count them, None where that takes a search."""


def replace_bases(sequence: str, start: int, bases: str) -> str:
    """Put bases in place of those that are there.

    Example:
        >>> replace_bases("AAAAAA", 2, "CG")
        'AACGAA'
    """
    return sequence[:start] + bases + sequence[start + len(bases) :]


def on_strand(site: str, strand: str) -> str:
    """Read a site on a strand."""
    return site if strand == "+" else reverse_complement(site)


def check_fit(name: str, n_bases: int, start: int, width: int, what: str) -> None:
    """Refuse a place that is not within a sequence.

    Raises:
        ValueError: If it is not.
    """
    if not 0 <= start <= n_bases - width:
        raise ValueError(
            f"record {name}: {what} of {width} bases must lie within the sequence, found it at "
            f"{start} (0-based) of {n_bases} bases; choose another position or a longer sequence"
        )


@dataclass(frozen=True)
class Insertions:
    """Motifs, each alone, at one position.

    Attributes:
        motifs: The motifs.
        position: First base, 0-based, negative from the end; None for the middle.
        strands: Strands that motifs are read on.
        sites: "sampled" or "consensus".
    """

    motifs: Sequence[PlacedMotif]
    position: int | None
    strands: Sequence[str]
    sites: str
    columns: ClassVar[dict[str, type]] = {"motif": str, "site": str, "position": int, "strand": str}
    conditions: ClassVar[tuple[str, ...]] = ("motif", "strand")
    has_parts: ClassVar[bool] = False

    def edits(self, background: Background) -> Iterator[Edit]:
        """Give the sequence with each motif on each strand."""
        name, _, sequence, rng, _ = background
        for motif in self.motifs:
            site = motif.site(rng, self.sites)
            start = _start(self.position, len(sequence), len(motif))
            check_fit(name, len(sequence), start, len(motif), f"motif {motif.name}")
            for strand in self.strands:
                edited = replace_bases(sequence, start, on_strand(site, strand))
                yield Edit((motif.name, site, start, strand), edited)

    def count(self, _: str, /) -> int | None:
        """Count motifs and strands."""
        return len(self.motifs) * len(self.strands)


def _start(position: int | None, n_bases: int, width: int) -> int:
    if position is None:
        return n_bases // 2 - width // 2
    return position + n_bases if position < 0 else position


@dataclass(frozen=True)
class Positions:
    """One motif at every position.

    Attributes:
        motif: The motif.
        step: Bases from a position to the next.
        strands: Strands that it is read on.
        sites: "sampled" (one site for each sequence) or "consensus".
    """

    motif: PlacedMotif
    step: int
    strands: Sequence[str]
    sites: str
    columns: ClassVar[dict[str, type]] = {"site": str, "position": int, "strand": str}
    conditions: ClassVar[tuple[str, ...]] = ("position", "strand")
    has_parts: ClassVar[bool] = False

    def edits(self, background: Background) -> Iterator[Edit]:
        """Give the sequence with the motif at each position on each strand."""
        name, _, sequence, rng, _ = background
        site = self.motif.site(rng, self.sites)
        check_fit(name, len(sequence), 0, len(site), f"motif {self.motif.name}")
        for start in range(0, len(sequence) - len(site) + 1, self.step):
            for strand in self.strands:
                edited = replace_bases(sequence, start, on_strand(site, strand))
                yield Edit((site, start, strand), edited)

    def count(self, sequence: str, /) -> int | None:
        """Count positions and strands."""
        n_positions = max(len(sequence) - len(self.motif) + 1, 0)
        return -(-n_positions // self.step) * len(self.strands)


@dataclass(frozen=True)
class PairedMotifs:
    """Two motifs at all distances, on all strands, in both orders; the first stays where it is.

    Attributes:
        motif_a: The motif that stays.
        motif_b: The one that moves, to its right and to its left.
        position: First base of motif A, 0-based, negative from the end; None for the middle.
        distances: Bases between the two.
        sites: "sampled" (one site of each for each sequence) or "consensus".
    """

    motif_a: PlacedMotif
    motif_b: PlacedMotif
    position: int | None
    distances: Sequence[int]
    sites: str
    columns: ClassVar[dict[str, type]] = {
        "order": str, "strand_a": str, "strand_b": str, "distance": int,
        "site_a": str, "site_b": str, "start_a": int, "start_b": int,
    }  # fmt: skip
    conditions: ClassVar[tuple[str, ...]] = ("order", "strand_a", "strand_b", "distance")
    has_parts: ClassVar[bool] = True

    def edits(self, background: Background) -> Iterator[Edit]:
        """Give the sequence with both motifs, wherever both fit."""
        name, _, sequence, rng, _ = background
        site_a, site_b = (each.site(rng, self.sites) for each in (self.motif_a, self.motif_b))
        start_a = _start(self.position, len(sequence), len(site_a))
        check_fit(name, len(sequence), start_a, len(site_a), f"motif {self.motif_a.name}")
        is_fitting = False
        for order, start_b, distance in self._places(start_a, len(sequence)):
            is_fitting = True
            for strand_a in STRANDS:
                with_a = replace_bases(sequence, start_a, on_strand(site_a, strand_a))
                for strand_b in STRANDS:
                    placed_b = on_strand(site_b, strand_b)
                    parts = with_a, replace_bases(sequence, start_b, placed_b)
                    cells = (order, strand_a, strand_b, distance, site_a, site_b, start_a, start_b)
                    yield Edit(cells, replace_bases(with_a, start_b, placed_b), parts)
        if not is_fitting:
            raise ValueError(
                f"record {name}: motifs of {len(site_a)} and {len(site_b)} bases must fit into the "
                f"sequence {min(self.distances)} bases apart, found {len(sequence)} bases with "
                f"{self.motif_a.name} at {start_a}; choose other distances or a longer sequence"
            )

    def _places(self, start_a: int, n_bases: int) -> Iterator[tuple[str, int, int]]:
        width_a, width_b = len(self.motif_a), len(self.motif_b)
        for order in ("AB", "BA"):
            for distance in self.distances:
                right, left = start_a + width_a + distance, start_a - distance - width_b
                start_b = right if order == "AB" else left
                if 0 <= start_b <= n_bases - width_b:
                    yield order, start_b, distance

    def count(self, sequence: str, /) -> int | None:
        """Count orders, distances and strands that fit."""
        start_a = _start(self.position, len(sequence), len(self.motif_a))
        return 4 * sum(1 for _ in self._places(start_a, len(sequence)))
