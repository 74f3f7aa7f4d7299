"""FASTA and FASTQ in big blocks, as whole records or, for a genome, in pieces of bounded size."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, NoReturn

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import begins_as_kmers, clean_all, clean_letters
from dnabert_hf.data.reading.streams import open_uncompressed

__all__ = ["read_fasta", "read_fasta_pieces", "read_fastq"]

_BLOCK_SIZE = 1 << 20  # bytes; what follows is faster in the processor's cache
_BEGINNING = 64  # bytes in which the first two words of k-mer text stand


def read_fasta(stream: BinaryIO, name: str) -> Iterator[SequenceRecord]:
    """Read FASTA records one after the other.

    Args:
        stream: Uncompressed FASTA.
        name: Name of the file, for the errors.

    Yields:
        One record per header; its id is the first word of the header.

    Raises:
        ValueError: If the file does not begin with ">", a record has no sequence, or a letter is no
            nucleotide code.
    """
    n_records = 0
    last: _LastRecord | None = None  # of a block; it may go on in the next one
    # The rest of the last line comes along, so that every block begins at the start of a line.
    while block := stream.read(_BLOCK_SIZE) + stream.readline():
        continued, *entries = (b"\n" + block).split(b"\n>")
        if last is not None:
            last.extend(continued)
        elif continued.strip():
            raise ValueError(
                f"{name}: a FASTA file must begin with a header line '>name', found text before "
                "the first '>'; add the header or name the file's format"
            )
        if entries:
            if last is not None:
                yield last.finish()
            *records, (last_id, letters) = _split_entries(entries, n_records, name)
            n_records += len(entries)
            yield from _clean_entries(records, name)
            last = _LastRecord(last_id, letters, name)
    if last is not None:
        yield last.finish()


class _LastRecord:
    """A record that may go on: cleaned piece by piece, so that a chromosome is there twice at most.

    What may be k-mer text is kept as it stands, for only the whole tells.
    """

    def __init__(self, record_id: str, letters: bytes, name: str):
        self._id = record_id
        self._source = _source(name, record_id)
        self._waiting: list[bytes] = []
        self._beginning = b""
        self._pieces: list[str] = []
        self.extend(letters)

    def extend(self, letters: bytes) -> None:
        """Add whole lines."""
        if len(self._beginning) < _BEGINNING:
            self._beginning += letters[:_BEGINNING]
        self._waiting.append(letters)
        if not begins_as_kmers(self._beginning):
            self._clean()

    def _clean(self) -> None:
        start = sum(map(len, self._pieces))
        letters = b"".join(self._waiting)
        self._waiting = []
        self._pieces.append(clean_letters(letters, source=self._source, start=start))

    def finish(self) -> SequenceRecord:
        """Give the record, which must have a sequence."""
        if self._waiting:
            self._clean()
        sequence = "".join(self._pieces)
        self._pieces = []
        if not sequence:
            _raise_for_empty(self._source)
        return SequenceRecord(self._id, sequence)


def _source(name: str, record_id: str) -> str:
    return f"{name}, record {record_id}"


def _raise_for_empty(source: str) -> NoReturn:
    raise ValueError(
        f"{source} has a header but no sequence; add the sequence or remove the header"
    )


def _split_entries(entries: list[bytes], n_before: int, name: str) -> list[tuple[str, bytes]]:
    parts = [entry.partition(b"\n") for entry in entries]
    numbered = enumerate(parts, start=n_before)
    return [(_first_word(header, n, name), letters) for n, (header, _, letters) in numbered]


def _clean_entries(entries: list[tuple[str, bytes]], name: str) -> Iterator[SequenceRecord]:
    if not entries:
        return
    ids, letters = zip(*entries, strict=True)
    sequences = clean_all(letters, source_of=lambda index: _source(name, ids[index]))
    n_before = sequences.index("") if "" in sequences else len(sequences)
    yield from map(SequenceRecord, ids[:n_before], sequences)
    if n_before < len(sequences):
        _raise_for_empty(_source(name, ids[n_before]))


def _first_word(header: bytes, number: int, name: str) -> str:
    words = header.split(maxsplit=1)
    if not words:
        return str(number)
    try:
        return words[0].decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}: headers must be UTF-8 text, found the bytes {words[0]!r} in the header of "
            f"record {number} (0-based); convert the file to UTF-8"
        ) from error


def read_fastq(stream: BinaryIO, name: str) -> Iterator[SequenceRecord]:
    """Read FASTQ records of four lines each; the qualities are checked for length and dropped.

    Args:
        stream: Uncompressed FASTQ.
        name: Name of the file, for the errors.

    Yields:
        One record per read; its id is the first word of the header.

    Raises:
        ValueError: If a record is cut short or malformed, or a letter is no nucleotide code.
    """
    lines = iter(stream)
    for number, record in enumerate(zip_longest(lines, lines, lines, lines, fillvalue=b"")):
        header, letters, plus, quality = record
        # Blank lines can only end the file: anything after them fails the check below.
        if not header.strip() and not b"".join(record).strip():
            continue
        line = 4 * number + 1
        if not header.startswith(b"@") or not (plus.startswith(b"+") or not plus):
            raise ValueError(
                f"{name}, line {line}: a FASTQ record must have four lines, '@name', bases, '+' "
                f"and qualities, found {header[:20].rstrip()!r} and {plus[:20].rstrip()!r} as its "
                "first and third; write each read on four lines"
            )
        if not quality:
            raise ValueError(
                f"{name}, line {line}: the file ends in the middle of this FASTQ record; copy or "
                "download it again"
            )
        record_id = _first_word(header[1:], number, name)
        source = _source(f"{name}, line {line}", record_id)
        sequence = clean_letters(letters, source=source)
        if not sequence:
            _raise_for_empty(source)
        n_qualities = len(quality.rstrip(b"\r\n"))
        if n_qualities != len(sequence):
            raise ValueError(
                f"{source} must have one quality per base, found {len(sequence)} bases and "
                f"{n_qualities} qualities; copy or download the file again"
            )
        yield SequenceRecord(record_id, sequence)


def read_fasta_pieces(
    source: Path, *, report: Callable[[int], object]
) -> Iterator[tuple[bytes | None, bytes]]:
    """Read FASTA in pieces of at most one block, however long its records and lines are.

    Args:
        source: FASTA file, plain, gzip or bgzip.
        report: Called with the number of bytes read, uncompressed, after each block.

    Yields:
        A header line without ">", None where a piece continues the record before it; and letters
        as they stand in the file, white space included.

    Raises:
        ValueError: If the file is empty, does not begin with ">", or is a damaged gzip file.
    """
    try:
        with open_uncompressed(source, str(source)) as (_, stream):
            yield from _split(stream, str(source), report)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{source} is a truncated or damaged gzip file; copy or download it again"
        ) from error


def _split(
    stream: BinaryIO, name: str, report: Callable[[int], object]
) -> Iterator[tuple[bytes | None, bytes]]:
    has_begun = False
    pending = b"\n"
    # Not by lines: a chromosome may stand on a single one.
    while block := stream.read(_BLOCK_SIZE):
        text = pending + block
        # A header that may go on in the next block waits for it, and so does a line break. Looking
        # for ">" first is many times as fast: it is rare, and line breaks are not.
        header = text.rfind(b"\n>") if b">" in text else -1
        is_cut = header >= 0 and text.find(b"\n", header + 1) < 0
        end = header if is_cut else len(text) - text.endswith(b"\n")
        pending = text[end:]
        continued, *entries = text[:end].split(b"\n>") if header >= 0 else [text[:end]]
        if has_begun:
            yield None, continued
        elif continued.strip():
            raise ValueError(
                f"{name}: a genome must be FASTA, beginning with a header line '>name', found text "
                "before the first '>'; convert the file or add the header"
            )
        for entry in entries:
            first_line, _, letters = entry.partition(b"\n")
            yield first_line, letters
            has_begun = True
        report(len(block))
    if pending.startswith(b"\n>"):
        yield pending[2:], b""
