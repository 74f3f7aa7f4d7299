"""Files of sequences, in every common format, read as a stream of records."""

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from dnabert_hf.data.reading.checks import check_records
from dnabert_hf.data.reading.fasta import read_fasta, read_fastq
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.sequences import is_kmer_text
from dnabert_hf.data.reading.streams import open_uncompressed
from dnabert_hf.data.reading.tables import read_kmer_lines, read_parquet, read_table

__all__ = ["has_known_suffix", "read_records"]

_FORMATS = ("csv", "fasta", "fastq", "kmers", "parquet", "tsv")
# A .txt file may be a table or k-mer text: its first line tells, as for standard input.
_FORMAT_OF_SUFFIX = {
    ".csv": "csv",
    ".fa": "fasta",
    ".fasta": "fasta",
    ".ffn": "fasta",
    ".fna": "fasta",
    ".fastq": "fastq",
    ".fq": "fastq",
    ".parquet": "parquet",
    ".tsv": "tsv",
    ".txt": None,
}


def read_records(
    path: str | Path,
    *,
    file_format: str | None = None,
    columns: Columns | None = None,
    k: int | None = None,
    labelled: bool = False,
    skip_short: bool = False,
) -> Iterator[SequenceRecord]:
    """Read the sequences of a file one after the other; memory does not grow with the file.

    Args:
        path: FASTA, FASTQ, TSV, CSV, Parquet or k-mer text, plain or gzip; "-" is standard input.
        file_format: "csv", "fasta", "fastq", "kmers" (the files of the first DNABERT, with or
            without a header), "parquet" or "tsv"; by default the suffix tells, else the content.
        columns: Names of the columns of a table.
        k: Bases per k-mer. Sequences shorter than this are refused, and k-mers that the model will
            see as [UNK] are counted and reported once, through logging.
        labelled: Whether the file must have labels.
        skip_short: Whether to leave out, and count, sequences shorter than k.

    Returns:
        The records in the order of the file, each read when it is asked for.

    Raises:
        ValueError: At once if there is no such file or format; while reading, if the file is empty,
            damaged or has no sequence column, or if a sequence is empty, shorter than k, reads as a
            protein or holds letters that are no nucleotides.
    """
    if file_format not in (None, *_FORMATS):
        raise ValueError(
            f"file_format must be one of {', '.join(_FORMATS)}, got {file_format!r}; leave it out "
            "to have it found"
        )
    if not isinstance(path, str | Path):
        raise ValueError(
            f"the file of sequences must be a path, got {type(path).__name__}; write sequences "
            "to a table and name it"
        )
    is_stdin = str(path) == "-"
    name = "standard input" if is_stdin else str(path)
    if not is_stdin and not Path(path).exists():
        raise ValueError(
            f"{name} must be a file of sequences, found no such file; check the path, or give "
            "sequences as a list"
        )
    if not is_stdin and Path(path).is_dir():
        raise ValueError(f"{name} must be a file of sequences, found a folder; name a file in it")
    if file_format is None and not is_stdin:
        file_format = _FORMAT_OF_SUFFIX.get(_suffix(Path(path)))
    columns = columns or Columns()
    required = columns.renamed() | ({"sequence", "label"} if labelled else {"sequence"})
    if not is_stdin:
        # What it is, and whether it is whole, is asked before anything is made of it.
        with (
            contextlib.suppress(EOFError, zlib.error, OSError),
            open_uncompressed(Path(path), name),
        ):
            pass
    records = _read(None if is_stdin else Path(path), name, file_format, columns, required)
    return records if k is None else check_records(records, k, name=name, skip_short=skip_short)


def has_known_suffix(path: Path) -> bool:
    """Tell whether the name of a file says that it may hold sequences.

    Example:
        >>> has_known_suffix(Path("train.tsv.gz")), has_known_suffix(Path("train.log"))
        (True, False)
    """
    return _suffix(path) in _FORMAT_OF_SUFFIX


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    return path.with_suffix("").suffix.lower() if suffix in (".gz", ".bgz") else suffix


def _read(
    path: Path | None,
    name: str,
    file_format: str | None,
    columns: Columns,
    required: frozenset[str],
) -> Iterator[SequenceRecord]:
    try:
        with open_uncompressed(path, name) as (head, stream):
            first_line = head.split(b"\n", 1)[0].decode("utf-8", "replace")
            file_format = file_format or _sniff(head, first_line)
            is_table = file_format in ("csv", "tsv", "parquet")
            if file_format == "kmers":
                is_table = "\t" in first_line or first_line.strip() == columns.sequence
            if not is_table and required != {"sequence"}:
                raise ValueError(
                    f"{name} must be a table to have columns for {', '.join(sorted(required))}, "
                    f"found {file_format}; give a table, or leave labels and column names out"
                )
            if file_format == "parquet":
                yield from read_parquet(stream, name, columns=columns, required=required)
            elif is_table:
                delimiter = "," if file_format == "csv" else "\t"
                yield from read_table(
                    stream, name, delimiter=delimiter, columns=columns, required=required
                )
            else:
                readers = {"fasta": read_fasta, "fastq": read_fastq, "kmers": read_kmer_lines}
                yield from readers[str(file_format)](stream, name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{name} is a truncated or damaged gzip file; copy or download it again"
        ) from error


def _sniff(head: bytes, first_line: str) -> str:
    """Name the format of a file by its first bytes."""
    for format_, magic in {"fasta": b">", "fastq": b"@", "parquet": b"PAR1"}.items():
        if head.lstrip().startswith(magic):
            return format_
    if "\t" not in first_line and "," in first_line:
        return "csv"
    # Two words tell: the line may be cut in the middle of a later one.
    is_kmers = "\t" not in first_line and is_kmer_text(" ".join(first_line.split()[:2]))
    return "kmers" if is_kmers else "tsv"
