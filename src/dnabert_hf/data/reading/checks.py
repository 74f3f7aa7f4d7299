"""Check that records suit a model: long enough, DNA and no protein, with known bases."""

import logging
from collections.abc import Iterable, Iterator

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import count_unknown

__all__ = ["check_records"]

logger = logging.getLogger(__name__)

_AMBIGUOUS = "RYSWKMBDHV"  # IUPAC codes of two or three bases
_SHORTEST_PROTEIN = 20  # letters; a shorter text of such codes may be an oligonucleotide


def check_records(
    records: Iterable[SequenceRecord], k: int, *, name: str = "", skip_short: bool = False
) -> Iterator[SequenceRecord]:
    """Yield records that a model of k-mers can read.

    K-mers that the model sees as [UNK], records that have no others, and records left out, are
    counted and reported once at the end, through logging.

    Args:
        records: Cleaned records.
        k: Bases per k-mer.
        name: Name of their file, for messages.
        skip_short: Whether to leave out records with a sequence shorter than k.

    Raises:
        ValueError: If a sequence is shorter than k, or reads as a protein: more than a third of its
            letters are codes of several bases.
    """
    n_kmers = n_unknown = n_short = 0
    n_all_unknown, first_unknown = 0, ""
    begin = f"{name}: " if name else ""
    for record in records:
        sequence = record.sequence
        if record.sequence_b is None and len(sequence) >= k and not count_unknown(sequence, k):
            n_kmers += len(sequence) - k + 1
            yield record
            continue
        parts: tuple[str, ...] = (record.sequence,)
        if record.sequence_b is not None:
            parts += (record.sequence_b,)
        source = f"{name}, record {record.id}" if name else f"record {record.id}"
        shortest = min(map(len, parts))
        if shortest < k and skip_short:
            n_short += 1
            continue
        if shortest < k:
            raise ValueError(
                f"{source}: a sequence must be at least k = {k} bases long, found {shortest}; "
                "leave it out (--skip-short, where a model is run) or use a model with a smaller k"
            )
        of_record = 0
        for part in parts:
            of_part = count_unknown(part, k)
            if of_part > (len(part) - k + 1) / 2:
                _refuse_protein(part, source)
            of_record += of_part
        n_of_record = sum(map(len, parts)) - len(parts) * (k - 1)
        n_kmers += n_of_record
        n_unknown += of_record
        if of_record == n_of_record:
            n_all_unknown += 1
            first_unknown = first_unknown or record.id
        yield record
    if n_short:
        logger.warning("%s%d sequences shorter than k = %d left out", begin, n_short, k)
    if n_unknown:
        logger.warning(
            "%s%d of %d k-mers (k = %d) hold letters other than A, C, G, T and become [UNK]",
            begin,
            n_unknown,
            n_kmers,
            k,
        )
    if n_all_unknown:
        logger.warning(
            "%ssequences with no k-mer of A, C, G and T alone: %d (first: %s); what is predicted "
            "of them says nothing",
            begin,
            n_all_unknown,
            first_unknown,
        )


def _refuse_protein(sequence: str, source: str) -> None:
    n_ambiguous = sum(map(sequence.count, _AMBIGUOUS))
    if n_ambiguous > len(sequence) / 3 and len(sequence) >= _SHORTEST_PROTEIN:
        raise ValueError(
            f"{source}: a sequence must be DNA, found {n_ambiguous} of {len(sequence)} letters "
            f"that stand for several bases ({sequence[:20]}...), as in a protein; give its DNA"
        )
