"""Tables of sequences: TSV, CSV, Parquet, and k-mer text with one sequence a line."""

import csv
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.sequences import clean_sequence, join_kmers

__all__ = ["read_batches", "read_kmer_lines", "read_parquet", "read_table"]

_BATCH_ROWS = 256
_DELIMITERS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "bars", " ": "blanks"}
_EXCEL_SEPARATOR = re.compile(r"(?i)sep=.")  # a first line for Excel, which tells it the delimiter
_BUFFER_SIZE = 1 << 20  # bytes


def read_table(
    stream: BinaryIO, name: str, *, delimiter: str, columns: Columns, required: frozenset[str]
) -> Iterator[SequenceRecord]:
    """Read the rows of a TSV or CSV file with a header.

    Args:
        stream: Uncompressed UTF-8 text.
        name: Name of the file, for the errors.
        delimiter: Character between two cells.
        columns: Which column holds what.
        required: Attributes of `columns` that must be in the file.

    Yields:
        One record per row; k-mer text is joined to sequences.

    Raises:
        ValueError: If there is no header, a column is missing, a row has another number of cells
            than the header, a sequence is empty or a letter is no nucleotide code.
    """
    rows = _rows(stream, name, delimiter)
    line, header = next(rows, (1, []))
    if _EXCEL_SEPARATOR.fullmatch(delimiter.join(header)):
        line, header = next(rows, (line, []))
    header = [cell.strip() for cell in header]
    indices = _locate(header, columns, required, f"{name}, line {line}")
    number = -1
    for number, (line, row) in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(
                f"{name}, line {line}: each row must have as many cells as the header, "
                f"{len(header)}, found {len(row)}; correct the row"
            )
        cells = {attribute: row[index].strip() for attribute, index in indices.items()}
        yield _record(cells, number, f"{name}, line {line}", columns.id)
    if number < 0:
        raise ValueError(f"{name} has a header but no rows; add one sequence a row")


def _rows(stream: BinaryIO, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the 1-based number of its last line."""
    # The limit of 131,072 letters a cell is the process's; raising it only lets longer cells pass.
    csv.field_size_limit(max(csv.field_size_limit(), sys.maxsize))
    reader = csv.reader(_decoded_lines(stream, name), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(
            f"{name}, line {reader.line_num}: a row must be readable as cells, found a mistake in "
            f"its quotes or line ends ({error}); correct it"
        ) from error


def _decoded_lines(stream: BinaryIO, name: str) -> Iterator[str]:
    """Yield the lines up to the blank ones that may end a file."""
    blank_line = 0
    for line, letters in enumerate(stream, start=1):
        if letters in (b"\n", b"\r\n"):
            blank_line = blank_line or line
            continue
        if blank_line:
            raise ValueError(
                f"{name}, line {blank_line}: a table must have no blank lines before or between "
                "its rows, found one; remove it"
            )
        try:
            yield letters.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name}, line {line}: a table must be UTF-8 text, found the byte "
                f"0x{letters[error.start]:02x} at byte {error.start} (0-based) of the line; "
                "convert the file to UTF-8"
            ) from error


# How the first DNABERT heads the two sequences of its tables of pairs (its task dnapair).
_PAIR = {"sequence": "seq1", "sequence_b": "seq2"}


def _locate(
    header: Sequence[str], columns: Columns, required: frozenset[str], location: str
) -> dict[str, int]:
    """Map the attributes of a record to the index of their column."""
    attributes = ("id", "sequence", "label", "sequence_b", "split")
    names = {attribute: getattr(columns, attribute) for attribute in attributes}
    is_named = columns.renamed() & _PAIR.keys() or _PAIR.keys() & set(header)
    if not is_named and set(_PAIR.values()) <= set(header):
        names |= _PAIR
    found = ", ".join(repr(cell[:30]) for cell in header)
    if not set(names.values()) & set(header) and any(map(_reads_as_dna, header)):
        wanted = ", ".join(repr(names[attribute]) for attribute in attributes)
        raise ValueError(
            f"{location}: a table must begin with a header that names its columns (expected: "
            f"{wanted}), found what looks like data: {found}; add a header line"
        )
    for attribute, column in names.items():
        if attribute in required and column not in header:
            raise ValueError(
                f"{location}: the table must have the column {column!r} for the {attribute}, found "
                f"{found}; {_hint(header, column)}"
            )
        if header.count(column) > 1:
            raise ValueError(
                f"{location}: each column must have a name of its own, found {column!r} "
                f"{header.count(column)} times; rename all but one"
            )
    return {name: header.index(column) for name, column in names.items() if column in header}


def _hint(header: Sequence[str], column: str) -> str:
    """Say what to do about a missing column."""
    (first, *others) = header or [""]
    for delimiter, name in _DELIMITERS.items():
        if not others and column in map(str.strip, first.split(delimiter)) and delimiter in first:
            return f"its cells seem to be divided by {name}: write tabs (.tsv) or commas (.csv)"
    for cell in header:
        if cell.casefold() == column.casefold():
            named = column in vars(Columns()).values()  # else an option of its own named it
            option = f"--{column}-column {cell}" if named else "its own name"
            return f"rename {cell!r}, which differs in case, or name it ({option})"
    return "rename the column or name the right one"


def _reads_as_dna(cell: str) -> bool:
    return len(cell) > 2 and not set(cell.upper()) - set("ACGTUN ")


def _record(
    cells: Mapping[str, str | None], number: int, location: str, id_column: str = "id"
) -> SequenceRecord:
    record_id = cells.get("id", str(number))
    if not record_id:
        raise ValueError(
            f"{location}: each row must have a value in the column {id_column!r}, found an empty "
            "one; add it"
        )
    source = f"{location}, record {record_id}"
    return SequenceRecord(
        id=record_id,
        sequence=_sequence(cells["sequence"], source),
        label=cells.get("label"),
        sequence_b=_sequence(cells["sequence_b"], source) if "sequence_b" in cells else None,
        split=cells.get("split"),
    )


def _sequence(cell: str | None, source: str) -> str:
    if not cell or cell.isspace():
        raise ValueError(f"{source} has an empty sequence; add the sequence or remove the row")
    # Letters alone are the common case: nothing to join.
    letters = cell if cell.isalpha() else join_kmers(cell, source=source)
    return clean_sequence(letters, source=source)


def read_kmer_lines(stream: BinaryIO, name: str) -> Iterator[SequenceRecord]:
    """Read k-mer text without a header, one sequence a line, as the first DNABERT is pretrained on.

    Args:
        stream: Uncompressed text.
        name: Name of the file, for the errors.

    Yields:
        One record per line; its id is the 0-based number of the line.

    Raises:
        ValueError: If a line is blank, its k-mers do not overlap or a letter is no nucleotide code.
    """
    for number, text in enumerate(_decoded_lines(stream, name)):
        yield _record({"sequence": text}, number, f"{name}, line {number + 1}")


def read_parquet(
    stream: BinaryIO, name: str, *, columns: Columns, required: frozenset[str]
) -> Iterator[SequenceRecord]:
    """Read the rows of a Parquet file, a few at a time.

    Args:
        stream: The file; where one cannot seek in it, it is first copied to a temporary file.
        name: Name of the file, for the errors.
        columns: Which column holds what.
        required: Attributes of `columns` that must be in the file.

    Yields:
        One record per row; numbers become text, k-mer text is joined to sequences.

    Raises:
        ValueError: If the file is damaged, a column is missing or of a type that cannot be read, a
            sequence is empty or a letter is no nucleotide code.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryFile() as copy:
        if not stream.seekable():
            shutil.copyfileobj(stream, copy, _BUFFER_SIZE)
            stream = copy
        try:
            file = pq.ParquetFile(stream, pre_buffer=False, buffer_size=_BUFFER_SIZE)
            if not file.metadata.num_rows:
                raise ValueError(f"{name} has columns but no rows; add one sequence a row")
            yield from read_batches(
                file.schema_arrow,
                lambda used: file.iter_batches(_BATCH_ROWS, columns=used),
                name,
                columns=columns,
                required=required,
            )
        except (pa.ArrowException, OSError) as error:
            raise ValueError(
                f"{name} must be a readable Parquet file, found damage ({error}); copy or download "
                "it again"
            ) from error


def read_batches(
    schema: Any,
    batches: Callable[[list[str]], Iterable[Any]],
    name: str,
    *,
    columns: Columns,
    required: frozenset[str],
) -> Iterator[SequenceRecord]:
    """Read the rows of an Arrow table that comes in pieces.

    Args:
        schema: `pyarrow.Schema` of the table.
        batches: Function that takes the names of columns and gives tables or record batches with
            these columns.
        name: Name of the table, for the errors.
        columns: Which column holds what.
        required: Attributes of `columns` that must be in the table.

    Yields:
        One record per row; numbers become text, k-mer text is joined to sequences.

    Raises:
        ValueError: If a column is missing or of a type that cannot be read, a sequence is empty or
            a letter is no nucleotide code.
    """
    used = {
        attribute: schema.names[index]
        for attribute, index in _locate(schema.names, columns, required, name).items()
    }
    as_text = {
        attribute: _text_of(schema.field(used[attribute]), attribute, name) for attribute in used
    }
    number = 0
    for batch in batches(sorted(set(used.values()))):
        values = {attribute: batch.column(used[attribute]).to_pylist() for attribute in used}
        for row in range(batch.num_rows):
            cells = {attribute: as_text[attribute](values[attribute][row]) for attribute in used}
            yield _record(cells, number, name, columns.id)
            number += 1


def _text_of(field: Any, attribute: str, name: str) -> Callable[[Any], str | None]:
    """Choose how the values of a Parquet column become text."""
    import pyarrow.types as types

    kind = field.type.value_type if types.is_dictionary(field.type) else field.type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return lambda value: value and value.strip()
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
    if is_number and not attribute.startswith("sequence"):
        return lambda value: None if value is None else str(value)
    wanted = "text" if attribute.startswith("sequence") else "text or numbers"
    raise ValueError(
        f"{name}: the column {field.name!r} ({attribute}) must hold {wanted}, found {kind}; "
        "convert the column"
    )
