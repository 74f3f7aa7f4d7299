"""The sequence around each allele of a variant, with either allele."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.variants.alleles import Allele, normalize_allele
from dnabert_hf.files.counts import counted_reasons

__all__ = ["MISMATCH", "AlleleWindows", "WindowCutter"]

logger = logging.getLogger(__name__)

MISMATCH = "REF is not the base of the genome"
_BASES = frozenset("ACGT")
_MISMATCHES_SHOWN = 5


class AlleleWindows(NamedTuple):
    """The sequence around an allele, of one length with either.

    Attributes:
        ref: DNA with the reference allele.
        alt: DNA with the alternative allele.
        offset: Where the alleles begin in both (0-based).
        allele: The allele in its normal form (see `normalize_allele`).
    """

    ref: str
    alt: str
    offset: int
    allele: Allele

    @property
    def is_single_base(self) -> bool:
        """Whether one base is replaced by another."""
        return len(self.allele.ref) == len(self.allele.alt) == 1

    @property
    def start(self) -> int:
        """First base of the window on the contig (0-based)."""
        return self.allele.start - self.offset


@dataclass
class WindowCutter:
    """Cuts the sequence around alleles, and counts those it cannot.

    Alleles are brought into their normal form first, so that a change has one window however it is
    written. They begin in the middle of the window, or nearer to one end where the contig ends; an
    insertion or a deletion moves what follows it, so that both windows have one length.

    Attributes:
        genome: The genome.
        length: Bases of a window.
        source: What the variants are called in messages.
        skipped: How many alleles were not cut, by reason.
    """

    genome: Genome
    length: int
    source: str = "the variants"
    skipped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.length < 3:
            raise ValueError(f"a window must have 3 bases or more, got {self.length}")
        longest = max(contig.length for contig in self.genome.contigs)
        if self.length > longest:
            raise ValueError(
                f"a window must fit into the genome, got {self.length} bases, where its longest "
                f"contig has {longest}; choose a shorter one (--window)"
            )
        self._names: dict[str, str | None] = {}

    def cut(self, allele: Allele) -> AlleleWindows | str:
        """Cut the window of an allele with both alleles, or say why not, in a few words."""
        found = self._cut(allele)
        if isinstance(found, str):
            self.skipped[found] += 1
        return found

    def cut_shifted(
        self, allele: Allele, shift: int, *, middle: AlleleWindows
    ) -> AlleleWindows | None:
        """Cut a window that lies some bases further on; None if it cannot be, or is the same.

        Args:
            allele: An allele that `cut` has cut.
            shift: Bases from the window of `cut` to this one; less than 0 for one that lies before.
            middle: The window of `cut`.
        """
        found = self._cut(allele, shift)
        return None if isinstance(found, str) or found == middle else found

    def cut_with_shifts(
        self, allele: Allele, shifts: Sequence[int]
    ) -> list[tuple[int, AlleleWindows]] | str:
        """Cut the window of an allele and those beside it, or say why not, in a few words.

        Args:
            allele: The allele.
            shifts: Bases by which further windows are shifted; those that cannot be are left out.

        Returns:
            Shift and window, that of shift 0 first.
        """
        found = self.cut(allele)
        if isinstance(found, str):
            return found
        others = [(shift, self.cut_shifted(allele, shift, middle=found)) for shift in shifts]
        return [(0, found), *((shift, each) for shift, each in others if each is not None)]

    def _cut(self, allele: Allele, shift: int = 0) -> AlleleWindows | str:
        if not _BASES.issuperset(allele.alt) or not allele.alt:
            return _not_bases(allele.alt)
        contig = self.contig_of(allele.contig)
        if contig is None:
            return "contig not in the genome"
        contig_length = self.genome.length(contig)
        if allele.start < 0:
            return "POS 0 (a position is a whole number from 1 on)"
        if allele.end > contig_length:
            return "beyond the end of the contig"
        if self.genome.sequence(contig, allele.start, allele.end) != allele.ref:
            return self._note_mismatch(allele, contig)
        if allele.ref == allele.alt:
            return "ALT is the same as REF"
        allele = normalize_allele(allele, self.genome, contig)
        if max(len(allele.ref), len(allele.alt)) > self.length // 2:
            return "allele longer than half of the window"
        longer = max(len(allele.ref) - len(allele.alt), 0)
        if contig_length < self.length + longer:
            return "contig shorter than the window"
        first = allele.start - (self.length - 1) // 2 + shift
        first = max(0, min(first, contig_length - self.length - longer))
        if allele.start - first + max(len(allele.ref), len(allele.alt)) > self.length:
            return "too near the end of the contig"
        before = self.genome.sequence(contig, first, allele.start)
        n_after = self.length - len(before)
        ref = before + self.genome.sequence(contig, allele.start, allele.start + n_after)
        n_rest = n_after - len(allele.alt)
        alt = before + allele.alt + self.genome.sequence(contig, allele.end, allele.end + n_rest)
        if not _BASES.issuperset(ref) or not _BASES.issuperset(alt):
            return "letters other than A, C, G, T around it"
        return AlleleWindows(ref, alt, len(before), allele)

    def contig_of(self, contig: str) -> str | None:
        """Find the genome's name of a contig of the variants, None if it has none."""
        if contig not in self._names:
            self._names[contig] = self.genome.contig_names.find(contig)
        return self._names[contig]

    def report_contigs(self) -> None:
        """Say which contigs were taken for which of the genome, and which it lacks."""
        found = {name: other for name, other in self._names.items() if other is not None}
        missing = [name for name in self._names if name not in found]
        self.genome.contig_names.report(found, missing, source=self.source)

    def _note_mismatch(self, allele: Allele, contig: str) -> str:
        if self.skipped[MISMATCH] < _MISMATCHES_SHOWN:
            found = self.genome.sequence(contig, allele.start, allele.end)
            logger.warning(
                "%s:%d (1-based): REF must be the genome's %s, found %s; not scored",
                *(allele.contig, allele.start + 1, found[:20], allele.ref[:20]),
            )
        return MISMATCH

    def summary(self) -> str:
        """Say how many alleles were not scored, and why; "" if all were."""
        return counted_reasons(self.skipped)


def _not_bases(alt: str) -> str:
    """Say what an alternative allele is that is no sequence of A, C, G and T."""
    if alt == "*":
        return "allele * (deleted by another record)"
    if alt in (".", ""):
        return "no alternative allele"
    if alt.isalpha():
        return "letters other than A, C, G, T in the alternative allele"
    return "symbolic alternative allele"
