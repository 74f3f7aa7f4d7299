"""Records of sequences read from files, and the table columns they come from."""

from dataclasses import dataclass, fields
from typing import NamedTuple

__all__ = ["Columns", "SequenceRecord"]


class SequenceRecord(NamedTuple):
    """One sequence read from a file.

    Attributes:
        id: Name in the file; where the file has none, the 0-based number of the record.
        sequence: Upper-case DNA: A, C, G, T and the IUPAC codes, T for U.
        label: Label as written, None where the file has none.
        sequence_b: Second sequence of a pair, in the form of `sequence`.
        split: Part of the data set that the record belongs to, as written.
    """

    id: str
    sequence: str
    label: str | None = None
    sequence_b: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Columns:
    """Names of the table columns that hold the parts of a record.

    The sequence column must be there. The others are read when they are there, and must be there
    once their name was changed here.

    Attributes:
        sequence: DNA, RNA or k-mer text.
        label: Class name, number, or several class names as `a;b`.
        id: Name of the record.
        split: Part of the data set, such as train, dev or test.
        sequence_b: Second sequence of a pair.
    """

    sequence: str = "sequence"
    label: str = "label"
    id: str = "id"
    split: str = "split"
    sequence_b: str = "sequence_b"

    def renamed(self) -> frozenset[str]:
        """Name the attributes that differ from their default.

        Example:
            >>> Columns(label="strength").renamed()
            frozenset({'label'})
        """
        return frozenset(f.name for f in fields(self) if getattr(self, f.name) != f.default)
