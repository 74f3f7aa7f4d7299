"""Sources of sequences, whatever callers pass, as one stream of records."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dnabert_hf.data.reading.checks import check_records
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.records_from_file import read_records
from dnabert_hf.data.reading.sequences import clean_sequence

__all__ = ["Source", "iterate_chunks", "iterate_records", "open_source"]

logger = logging.getLogger(__name__)

Source = str | Path | Iterable[str | SequenceRecord]

# Between chunks a GPU waits for the host, and each writes and syncs two files.
_CHUNK_RECORDS = 8192
_LOOKED_AT = 200_000  # ids


def open_source(
    source: Source, *, k: int, columns: Columns | None = None, skip_short: bool = False
) -> Iterator[SequenceRecord]:
    """Give the sequences of a file or an iterable one after the other, cleaned and checked.

    K-mers that the model sees as [UNK], and ids of a file that come again among its first 200,000,
    are counted and reported once at the end, through logging.

    Args:
        source: Path ("-" is standard input), or sequences: DNA as text, or records. Texts are
            named by their 0-based number.
        k: Bases per k-mer.
        columns: Names of the columns, for a table.
        skip_short: Whether to leave out, and count, sequences shorter than k.

    Raises:
        ValueError: If the file cannot be read, the source holds something else than text and
            records, or a sequence holds letters that are no nucleotides or is shorter than k, or
            reads as a protein.

    Example:
        >>> list(open_source(["acgu"], k=3))
        [SequenceRecord(id='0', sequence='ACGT', label=None, sequence_b=None, split=None)]
    """
    if isinstance(source, str | Path):
        records = read_records(source, columns=columns, k=k, skip_short=skip_short)
        return _report_repeated_ids(records, str(source))
    return check_records(_cleaned(iterate_records(source)), k, skip_short=skip_short)


def _report_repeated_ids(records: Iterable[SequenceRecord], name: str) -> Iterator[SequenceRecord]:
    """Say at the end that ids came several times: nobody can tell their rows apart afterwards."""
    seen: set[int] = set()  # hashes, to stay small
    n_repeated, example = 0, ""
    for record in records:
        key = hash(record.id)
        if key in seen:
            n_repeated, example = n_repeated + 1, example or record.id
        elif len(seen) < _LOOKED_AT:
            seen.add(key)
        yield record
    if n_repeated:
        logger.warning(
            "%s: %d sequences have the id of one before, such as %r (an id of FASTA ends at the "
            "first blank): give them ids of their own, if results are to be told apart by them",
            *(name, n_repeated, example),
        )


def iterate_records(sequences: Any) -> Iterator[SequenceRecord]:
    """Give the sequences of an iterable as records, as they are; texts are named by their number.

    Args:
        sequences: Iterable of DNA as text, or of records.

    Raises:
        ValueError: If it is none, or one of them is neither, such as bytes.

    Example:
        >>> [record.id for record in iterate_records(["ACGT", "TTTT"])]
        ['0', '1']
    """
    if isinstance(sequences, bytes | bytearray | Mapping) or not isinstance(sequences, Iterable):
        raise ValueError(
            f"the source must be a file, or sequences as text or records, got {_shown(sequences)}"
        )
    if hasattr(sequences, "columns"):  # of pandas, polars or pyarrow: it iterates over names
        raise ValueError(
            f"the source must be a file, or sequences as text or records, got a table "
            f'({type(sequences).__name__}); give its column, such as table["sequence"]'
        )
    for index, item in enumerate(sequences):
        record = SequenceRecord(str(index), item) if isinstance(item, str) else item
        if not isinstance(record, SequenceRecord) or not isinstance(record.sequence, str):
            found = record.sequence if isinstance(record, SequenceRecord) else record
            remedy = '; decode it: .decode("ascii")' if isinstance(found, bytes | bytearray) else ""
            raise ValueError(
                f"sequence {index} must be DNA as text or a SequenceRecord, got {_shown(found)}"
                f"{remedy}"
            )
        yield record


def _shown(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 40 else f'{text[:40]}...'}"


def _cleaned(records: Iterable[SequenceRecord]) -> Iterator[SequenceRecord]:
    for record in records:
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
            ends one. Chunks have 8,192 records at most.

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
