"""Alleles of variants, brought into the one form that every way to write them has."""

from itertools import takewhile
from typing import NamedTuple

from dnabert_hf.data.genome.genome import Genome

__all__ = ["Allele", "normalize_allele"]


class Allele(NamedTuple):
    """An alternative allele of a variant.

    Attributes:
        contig: Contig, as the variants' file calls it.
        start: First base of the reference allele (0-based).
        ref: Reference allele.
        alt: Alternative allele.
    """

    contig: str
    start: int
    ref: str
    alt: str

    @property
    def end(self) -> int:
        """Base after the last one of the reference allele."""
        return self.start + len(self.ref)

    def changed_bases(self) -> tuple[int, int]:
        """Find the bases that change, start and end (0-based, half-open).

        Bases that both alleles begin with do not; of an insertion it is those on either side.

        Example:
            >>> Allele("1", 4, "AT", "A").changed_bases(), Allele("1", 4, "A", "AT").changed_bases()
            ((5, 6), (4, 6))
        """
        pairs = zip(self.ref, self.alt, strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        start = self.start + shared
        return (start, self.end) if start < self.end else (max(start - 1, 0), start + 1)


def normalize_allele(allele: Allele, genome: Genome | None, contig: str) -> Allele:
    """Trim the bases that both alleles share and shift an insertion or deletion to the left.

    This is the normal form of Tan et al. (2015), which `vt normalize` and `bcftools norm` write: as
    few bases as VCF can, as far to the left as the genome allows. All ways to write a change become
    one.

    Args:
        allele: An allele of A, C, G and T whose reference is the genome's.
        genome: The genome; without one, alleles are trimmed and not shifted.
        contig: The genome's name of the allele's contig.

    Returns:
        The allele in its normal form; one whose alleles are equal stays as it is.
    """
    start, ref, alt = allele.start, allele.ref, allele.alt
    if ref == alt or len(ref) == len(alt) == 1:
        return allele
    # At the contig's first base there is nothing to the left that could stand in an empty allele.
    while ref[-1] == alt[-1] and (min(len(ref), len(alt)) > 1 or (genome and start > 0)):
        ref, alt = ref[:-1], alt[:-1]
        if genome and not (ref and alt):
            start -= 1
            before = genome.sequence(contig, start, start + 1)
            ref, alt = before + ref, before + alt
    n_shared = 0
    while n_shared < min(len(ref), len(alt)) - 1 and ref[n_shared] == alt[n_shared]:
        n_shared += 1
    return Allele(allele.contig, start + n_shared, ref[n_shared:], alt[n_shared:])
