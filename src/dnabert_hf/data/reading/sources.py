"""Sources of sequences, whatever callers pass, as one stream of records."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from dnabert_hf.data.reading.checks import check_records
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.records_from_file import read_records
from dnabert_hf.data.reading.sequences import clean_sequence

__all__ = ["Source", "iterate_chunks", "open_source"]

Source = str | Path | Iterable[str | SequenceRecord]

_CHUNK_RECORDS = 2048


def open_source(
    source: Source, *, k: int, columns: Columns | None = None, skip_short: bool = False
) -> Iterator[SequenceRecord]:
    """Give the sequences of a file or an iterable one after the other, cleaned and checked.

    K-mers that the model sees as [UNK] are counted and reported once at the end, through logging.

    Args:
        source: Path ("-" is standard input), or sequences: DNA as text, or records. Texts are
            named by their 0-based number.
        k: Bases per k-mer.
        columns: Names of the columns, for a table.
        skip_short: Whether to leave out, and count, sequences shorter than k.

    Raises:
        ValueError: If the file cannot be read, or a sequence holds letters that are no nucleotides
            or is shorter than k, or reads as a protein.

    Example:
        >>> list(open_source(["acgu"], k=3))
        [SequenceRecord(id='0', sequence='ACGT', label=None, sequence_b=None, split=None)]
    """
    if isinstance(source, str | Path):
        return read_records(source, columns=columns, k=k, skip_short=skip_short)
    return check_records(_cleaned(source), k, skip_short=skip_short)


def _cleaned(sequences: Iterable[str | SequenceRecord]) -> Iterator[SequenceRecord]:
    for index, item in enumerate(sequences):
        record = SequenceRecord(str(index), item) if isinstance(item, str) else item
        source = f"record {record.id}"
        sequence = clean_sequence(record.sequence, source=source)
        sequence_b = record.sequence_b and clean_sequence(record.sequence_b, source=source)
        is_clean = sequence == record.sequence and sequence_b == record.sequence_b
        yield record if is_clean else record._replace(sequence=sequence, sequence_b=sequence_b)


def iterate_chunks(
    records: Iterable[SequenceRecord], *, n_bases: int
) -> Iterator[list[SequenceRecord]]:
    """Group records in order, so that memory stays flat and sorting by length pays.

    Args:
        records: Any number of records.
        n_bases: Bases from which on a chunk is full; a longer sequence is a chunk of its own, or
            ends one. Chunks have 2,048 records at most.

    Example:
        >>> records = [SequenceRecord(str(i), "ACGT") for i in range(3)]
        >>> [len(chunk) for chunk in iterate_chunks(records, n_bases=8)]
        [2, 1]
    """
    chunk: list[SequenceRecord] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += len(record.sequence) + len(record.sequence_b or "")
        if size >= n_bases or len(chunk) == _CHUNK_RECORDS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
