"""Result files: how rows become parts, and how parts become one file."""

import csv
import gzip
import io
import json
import shutil
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

__all__ = [
    "DelimitedFormat",
    "FolderFormat",
    "ParquetFormat",
    "ResultFormat",
    "Row",
    "SafetensorsFormat",
    "choose_format",
    "choose_table",
]

# Values in the order of the columns; arrays in a column of embeddings.
Row = Sequence[Any]
_COPY_BYTES = 1 << 20
_MEGABYTE = 10**6


class ResultFormat(Protocol):
    """Format of a result file: rows are written to parts, which are then joined."""

    def describe(self) -> dict[str, Any]:
        """Give what `join` needs to know as JSON has it, the name of the format as `kind`."""

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the rows of one chunk."""

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Make one file of all parts."""


def choose_format(path: Path, formats: Mapping[str, Callable[[], ResultFormat]]) -> ResultFormat:
    """Find the format that the name of a file asks for.

    Args:
        path: Result file.
        formats: Makers of the formats that are possible, by suffix.

    Raises:
        ValueError: If the suffix is none of them.
    """
    for suffix, make in formats.items():
        if path.name.lower().endswith(suffix):
            return make()
    raise ValueError(
        f"the output must be named {', '.join(f'*{suffix}' for suffix in formats)}, got "
        f"{path.name}; the suffix chooses the format"
    )


def choose_table(
    output: str | Path,
    columns: Sequence[str],
    more_formats: Mapping[str, Callable[[], ResultFormat]] | None = None,
) -> ResultFormat:
    """Find the table format that the name of a file asks for; standard output takes TSV.

    Args:
        output: Result file, or "-" for standard output.
        columns: Column names.
        more_formats: Makers of formats beside TSV and CSV, by suffix.

    Raises:
        ValueError: If the suffix is none of them.

    Example:
        >>> choose_table("scores.csv.gz", ["id", "label"]).delimiter
        ','
    """
    formats: dict[str, Callable[[], ResultFormat]] = {
        ".tsv": lambda: DelimitedFormat(columns, delimiter="\t"),
        ".tsv.gz": lambda: DelimitedFormat(columns, delimiter="\t", is_gzip=True),
        ".csv": lambda: DelimitedFormat(columns, delimiter=","),
        ".csv.gz": lambda: DelimitedFormat(columns, delimiter=",", is_gzip=True),
    }
    if str(output) == "-":
        return formats[".tsv"]()
    return choose_format(Path(output), {**formats, **(more_formats or {})})


class DelimitedFormat:
    """TSV or CSV, plain or gzip.

    Args:
        columns: Column names, written once at the top.
        delimiter: Between the cells.
        is_gzip: Whether to compress.
    """

    def __init__(self, columns: Sequence[str], *, delimiter: str, is_gzip: bool = False):
        self.columns = columns
        self.delimiter = delimiter
        self.is_gzip = is_gzip

    def describe(self) -> dict[str, Any]:
        """Give the arguments that make this format."""
        arguments = {"delimiter": self.delimiter, "is_gzip": self.is_gzip}
        return {"kind": "delimited", "columns": list(self.columns), **arguments}

    def header(self) -> bytes:
        """Write the column names as a line of text; without columns there is none."""
        return self.encode([self.columns]) if self.columns else b""

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Write rows as text, numbers with six digits.

        Example:
            >>> DelimitedFormat(["id", "p"], delimiter=",").encode([["a", 0.25]]).decode().strip()
            'a,0.25'
        """
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.delimiter, lineterminator="\n")
        writer.writerows(zip(*map(_texts, zip(*rows, strict=True)), strict=True))
        return text.getvalue().encode()

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the rows of one chunk."""
        path.write_bytes(self._compress(self.encode(rows)))

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the parts end to end, which for gzip makes one valid file too."""
        with path.open("wb") as target:
            target.write(self._compress(self.header()))
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, target, _COPY_BYTES)

    def _compress(self, content: bytes) -> bytes:
        # No time stamp: the same results give the same bytes.
        return gzip.compress(content, mtime=0) if self.is_gzip else content


def _texts(column: Sequence[Any]) -> Sequence[Any]:
    """Write the floats of a column with six digits; the others are left to the csv module."""
    if not any(issubclass(kind, float) for kind in set(map(type, column))):
        return column
    return [f"{cell:.6g}" if isinstance(cell, float) else cell for cell in column]


class ParquetFormat:
    """Parquet, one row group a part.

    Args:
        schema: Arrow schema of the columns. Those of lists take arrays: a list of fixed size one of
            shape (size,), a list of such lists one of shape (any, size).
    """

    def __init__(self, schema: Any):
        self.schema = schema
        # Numbers of vectors hardly ever repeat: a dictionary of them takes time and room.
        self._with_dictionary = [field.name for field in schema if not field.type.num_fields]

    def describe(self) -> dict[str, Any]:
        """Give the schema, as Arrow writes it, in base64."""
        return {"kind": "parquet", "schema": b64encode(self.schema.serialize()).decode()}

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the rows of one chunk."""
        import pyarrow as pa
        from pyarrow import parquet

        columns = zip(*rows, strict=True)
        arrays = [
            _arrow_array(column, field.type)
            for column, field in zip(columns, self.schema, strict=True)
        ]
        table = pa.table(arrays, schema=self.schema)
        parquet.write_table(table, path, use_dictionary=self._with_dictionary)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Copy the row groups into one file, one in memory at a time."""
        from pyarrow import parquet

        options = {"use_dictionary": self._with_dictionary}
        with parquet.ParquetWriter(path, self.schema, **options) as writer:
            for part in parts:
                writer.write_table(parquet.ParquetFile(part).read())


def _arrow_array(cells: Sequence[Any] | np.ndarray, kind: Any) -> Any:
    """Make a column from its buffers: `pyarrow.array` imports pandas, for a second, to see a list.

    Args:
        cells: Cells in order; None is a missing text or number.
        kind: Arrow type: texts, numbers, or lists of numbers or of such lists.
    """
    import pyarrow as pa

    if pa.types.is_fixed_size_list(kind):
        numbers = _arrow_array(np.concatenate(cells), kind.value_type)
        return pa.FixedSizeListArray.from_arrays(numbers, kind.list_size)
    if pa.types.is_list(kind):
        offsets = _arrow_array(np.cumsum([0, *map(len, cells)]), pa.int32())
        is_flat = pa.types.is_primitive(kind.value_type)
        inner = np.concatenate(cells) if is_flat else [cell.ravel() for cell in cells]
        return pa.ListArray.from_arrays(offsets, _arrow_array(inner, kind.value_type))
    validity = None
    if not isinstance(cells, np.ndarray) and None in cells:
        is_there = np.array([cell is not None for cell in cells])
        validity = pa.py_buffer(np.packbits(is_there, bitorder="little"))
        empty: Any = "" if pa.types.is_string(kind) else 0
        cells = [empty if cell is None else cell for cell in cells]
    if not pa.types.is_string(kind):
        numbers = np.ascontiguousarray(cells, dtype=kind.to_pandas_dtype())
        return pa.Array.from_buffers(kind, len(cells), [validity, pa.py_buffer(numbers)])
    texts = [text.encode() for text in cells]
    ends = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    buffers = [validity, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(kind, len(texts), buffers)


class SafetensorsFormat:
    """Safetensors of embeddings: rows are (id, array).

    Args:
        is_stacked: Whether all arrays have one shape (hidden,) and go into one tensor `embeddings`
            of shape (n, hidden), with the ids as a JSON list in the metadata (`ids`); otherwise
            each record is a tensor of its own, named by its id.
        precision: Number format, "float32" or "float16".
        about: What made them, for the metadata.
    """

    def __init__(
        self,
        *,
        is_stacked: bool,
        precision: str = "float32",
        about: Mapping[str, str] | None = None,
    ):
        self.is_stacked, self.precision, self.about = is_stacked, precision, dict(about or {})
        self._number = np.dtype(precision).newbyteorder("<")

    def describe(self) -> dict[str, Any]:
        """Give the arguments that make this format."""
        return {
            "kind": "safetensors",
            "is_stacked": self.is_stacked,
            "precision": self.precision,
            "about": self.about,
        }

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write ids and shapes as a line of JSON, and the numbers behind it."""
        index = [(name, array.shape) for name, array in rows]
        with path.open("wb") as target:
            target.write(json.dumps(index).encode() + b"\n")
            for _, array in rows:
                target.write(np.ascontiguousarray(array, dtype=self._number).tobytes())

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Write the header, then copy the numbers: tensors are never all in memory."""
        index: list[tuple[str, list[int]]] = []
        for part in parts:
            with part.open("rb") as source:
                index.extend(json.loads(source.readline()))
        header = json.dumps(self._header(index)).encode()
        header += b" " * (-len(header) % 8)
        with path.open("wb") as target:
            target.write(struct.pack("<Q", len(header)) + header)
            for part in parts:
                with part.open("rb") as source:
                    source.readline()
                    shutil.copyfileobj(source, target, _COPY_BYTES)

    def _header(self, index: Sequence[tuple[str, list[int]]]) -> dict[str, Any]:
        # The layout of the safetensors format: name -> dtype, shape and place in the data.
        ids, size = [name for name, _ in index], self._number.itemsize
        kind = f"F{8 * size}"
        if self.is_stacked:
            shape = [len(index), index[0][1][0] if index else 0]
            end = size * shape[0] * shape[1]
            tensor = {"dtype": kind, "shape": shape, "data_offsets": [0, end]}
            return {"__metadata__": {"ids": json.dumps(ids), **self.about}, "embeddings": tensor}
        header: dict[str, Any] = {"__metadata__": self.about}
        begin = 0
        for name, shape in index:
            if name in header:
                raise ValueError(
                    f"a safetensors file needs a name of its own for each record, found {name!r} "
                    "twice; rename it, or write Parquet"
                )
            end = begin + size * shape[0] * shape[1]
            header[name] = {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}
            begin = end
        return header


class FolderFormat:
    """A folder of numbered files, each complete in itself: `x-00000-of-00003.parquet`, ...

    Args:
        of_files: Format of the files.
        name: Name of the folder, which ends in the suffix of the files.
        max_mb: Size of a file in 1e6 bytes, as far as its parts, none of which is divided, allow.
    """

    def __init__(self, of_files: ResultFormat, *, name: str, max_mb: int):
        self.of_files, self.name, self.max_mb = of_files, name, max_mb

    def describe(self) -> dict[str, Any]:
        """Give the arguments that make this format."""
        arguments = {"name": self.name, "max_mb": self.max_mb}
        return {"kind": "folder", "of_files": self.of_files.describe(), **arguments}

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the rows of one chunk."""
        self.of_files.write_part(path, rows)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Make a folder of files of parts that follow each other; without parts, of one file."""
        groups = list(self._groups(parts)) or [[]]
        stem, suffix = Path(self.name).stem, Path(self.name).suffix
        path.mkdir(exist_ok=True)
        for index, group in enumerate(groups):
            name = f"{stem}-{index:05d}-of-{len(groups):05d}{suffix}"
            self.of_files.join(group, path / name)

    def _groups(self, parts: Sequence[Path]) -> Iterator[list[Path]]:
        group: list[Path] = []
        size = 0
        for part in parts:
            size += part.stat().st_size
            if group and size > self.max_mb * _MEGABYTE:
                yield group
                group, size = [], part.stat().st_size
            group.append(part)
        if group:
            yield group
