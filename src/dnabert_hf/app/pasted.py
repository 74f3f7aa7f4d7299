"""Reading of what is pasted into the page: one sequence, or several as FASTA."""

import logging
from io import BytesIO

from dnabert_hf.data.reading.checks import check_records
from dnabert_hf.data.reading.fasta import read_fasta
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import clean_sequence

__all__ = ["MOST_BASES", "MOST_SEQUENCES", "read_pasted"]

logger = logging.getLogger(__name__)

MOST_SEQUENCES = 200
MOST_BASES = 100_000  # of all sequences; what a small model reads on a CPU while one waits
_SOURCE = "the pasted text"


def read_pasted(text: str, *, k: int) -> list[SequenceRecord]:
    r"""Read one sequence, broken into lines or not, or FASTA; as everywhere, T stands for U.

    Args:
        text: What was pasted.
        k: Bases per k-mer of the model.

    Raises:
        ValueError: If there is none, a letter is no nucleotide, a sequence is shorter than k or
            reads as a protein, or there is more than a page can show.

    Example:
        >>> [record.sequence for record in read_pasted("acgu\nACGN", k=3)]
        ['ACGTACGN']
    """
    if not text.strip():
        raise ValueError("there must be a sequence to look at, found none; paste DNA or FASTA")
    if len(text) > 2 * MOST_BASES:
        raise ValueError(_too_much(f"{len(text):,} letters"))
    if text.lstrip().startswith(">"):
        given = list(read_fasta(BytesIO(text.lstrip().encode()), _SOURCE))
    else:
        given = [SequenceRecord("pasted", clean_sequence(text, source=_SOURCE))]
        n_lines = len(text.split())
        if n_lines > 1:
            logger.warning(
                "the %d parts of the pasted text were joined to one sequence; to have several, put "
                "a line such as >name before each",
                n_lines,
            )
    n_bases = sum(len(record.sequence) for record in given)
    if len(given) > MOST_SEQUENCES or n_bases > MOST_BASES:
        raise ValueError(_too_much(f"{len(given):,} of {n_bases:,}"))
    return list(check_records(given, k))


def _too_much(found: str) -> str:
    return (
        f"the page takes up to {MOST_SEQUENCES:,} sequences of {MOST_BASES:,} bases together, "
        f"found {found}; `dnabert predict` reads files of any size, `dnabert scan` genomes"
    )
