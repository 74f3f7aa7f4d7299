"""Single changes of a sequence: a base replaced, deleted or inserted."""

from collections.abc import Iterator
from typing import NamedTuple

from dnabert_hf.data.reading.sequences import reverse_complement

__all__ = ["Mutation", "mutations_at"]

_BASES = "ACGT"


class Mutation(NamedTuple):
    """One change of a sequence.

    Attributes:
        position: Base that changes, or before which one is inserted (0-based).
        ref: What stands there, "" for an insertion.
        alt: What stands there instead, "" for a deletion.
    """

    position: int
    ref: str
    alt: str

    def apply(self, sequence: str) -> str:
        """Change a sequence.

        Example:
            >>> Mutation(1, "C", "T").apply("ACG"), Mutation(1, "", "T").apply("ACG")
            ('ATG', 'ATCG')
        """
        return sequence[: self.position] + self.alt + sequence[self.position + len(self.ref) :]

    def on_other_strand(self, length: int) -> "Mutation":
        """Describe the same change on the reverse complement of a sequence.

        Args:
            length: Bases of the sequence before the change.

        Example:
            >>> Mutation(0, "A", "C").on_other_strand(3)
            Mutation(position=2, ref='T', alt='G')
        """
        return Mutation(
            length - self.position - len(self.ref),
            reverse_complement(self.ref),
            reverse_complement(self.alt),
        )


def mutations_at(
    sequence: str, position: int, *, deletions: bool = False, insertions: bool = False
) -> Iterator[Mutation]:
    """List the changes of one base.

    Args:
        sequence: DNA, upper case.
        position: The base (0-based). One that is not A, C, G or T has no changes.
        deletions: Whether to leave it out, too.
        insertions: Whether to insert each of the four bases before it, too.

    Example:
        >>> [mutation.alt for mutation in mutations_at("ACG", 1, deletions=True)]
        ['A', 'G', 'T', '']
    """
    ref = sequence[position]
    if ref not in _BASES:
        return
    yield from (Mutation(position, ref, alt) for alt in _BASES if alt != ref)
    if deletions:
        yield Mutation(position, ref, "")
    if insertions:
        yield from (Mutation(position, "", alt) for alt in _BASES)
