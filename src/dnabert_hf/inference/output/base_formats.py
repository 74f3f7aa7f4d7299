"""Result files of predictions for bases: a row for each base, or BED of runs of a class."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.data.labelled.labels import UNLABELLED
from dnabert_hf.inference.output.formats import (
    DelimitedFormat,
    ParquetFormat,
    ResultFormat,
    Row,
    choose_format,
)

__all__ = ["BaseBed", "BaseParquet", "BaseTable", "choose_base_format", "find_runs"]

_BASES = np.frombuffer(b"ACGT", dtype=np.uint8)


def choose_base_format(output: str | Path, names: Sequence[str], label: str | None) -> ResultFormat:
    """Find the format that the name of a file asks for; standard output takes TSV.

    Args:
        output: Result file, or "-" for standard output.
        names: Class names.
        label: Class whose runs go into BED; None for every class but the first.

    Raises:
        ValueError: If the suffix is none that is known.
    """
    if str(output) == "-":
        return BaseTable(names, delimiter="\t")
    return choose_format(
        Path(output),
        {
            ".bed": lambda: BaseBed(names, names[1:] if label is None else (label,)),
            ".tsv": lambda: BaseTable(names, delimiter="\t"),
            ".tsv.gz": lambda: BaseTable(names, delimiter="\t", is_gzip=True),
            ".csv": lambda: BaseTable(names, delimiter=","),
            ".csv.gz": lambda: BaseTable(names, delimiter=",", is_gzip=True),
            ".parquet": lambda: BaseParquet(names),
        },
    )


def find_runs(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the longest runs of equal values.

    Args:
        classes: Values, shape (bases,).

    Returns:
        Start and end (0-based, half-open) of each run, in order.

    Example:
        >>> [bounds.tolist() for bounds in find_runs(np.array([0, 0, 1, 1, 1, 0]))]
        [[0, 2, 5], [2, 5, 6]]
    """
    bounds = np.flatnonzero(np.diff(classes)) + 1
    return np.append(0, bounds), np.append(bounds, len(classes))


class BaseTable(DelimitedFormat):
    """TSV or CSV with a row for each base; the rows given are (id, sequence, probabilities).

    Args:
        names: Class names.
        delimiter: Between the cells.
        is_gzip: Whether to compress.
    """

    def __init__(self, names: Sequence[str], *, delimiter: str, is_gzip: bool = False):
        super().__init__(_columns(names), delimiter=delimiter, is_gzip=is_gzip)
        self._names = names

    def header(self) -> bytes:
        """Write the column names as a line of text."""
        return super().encode([self.columns])

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Write a line for each base."""
        return super().encode(list(self._lines(rows)))

    def _lines(self, rows: Sequence[Row]) -> Iterator[Row]:
        for identifier, sequence, probabilities in rows:
            labels = _labels(sequence, probabilities, self._names).tolist()
            for position, (base, label, row) in enumerate(
                zip(sequence, labels, probabilities.tolist(), strict=True)
            ):
                yield [identifier, position, base, label, *row]


class BaseParquet(ParquetFormat):
    """Parquet with a row for each base; the rows given are (id, sequence, probabilities).

    Args:
        names: Class names.
    """

    def __init__(self, names: Sequence[str]):
        import pyarrow as pa

        kinds = [pa.string(), pa.int64(), pa.string(), pa.string(), *[pa.float32()] * len(names)]
        super().__init__(pa.schema(list(zip(_columns(names), kinds, strict=True))))
        self._names = names

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the bases of one chunk."""
        import pyarrow as pa
        from pyarrow import parquet

        columns: list[Any] = [
            np.concatenate([np.full(len(sequence), name, object) for name, sequence, _ in rows]),
            np.concatenate([np.arange(len(sequence)) for _, sequence, _ in rows]),
            list("".join(sequence for _, sequence, _ in rows)),
            np.concatenate([_labels(each[1], each[2], self._names) for each in rows]),
            *np.concatenate([probabilities for _, _, probabilities in rows]).T,
        ]
        arrays = [
            pa.array(column, type=field.type)
            for column, field in zip(columns, self.schema, strict=True)
        ]
        parquet.write_table(pa.table(arrays, schema=self.schema), path)


class BaseBed(DelimitedFormat):
    """BED with a line for each run of bases of one class, its score 1,000 x the mean probability.

    Args:
        names: Class names.
        written: Classes whose runs are written.
    """

    def __init__(self, names: Sequence[str], written: Sequence[str]):
        super().__init__((), delimiter="\t")
        self._names = names
        self._written = frozenset(written)

    def encode(self, rows: Sequence[Row]) -> bytes:
        """Write the runs of each sequence."""
        return super().encode(list(self._lines(rows)))

    def _lines(self, rows: Sequence[Row]) -> Iterator[Row]:
        for identifier, sequence, probabilities in rows:
            classes = probabilities.argmax(axis=1)
            classes[~_is_known(sequence)] = -1
            for start, end in zip(*(bounds.tolist() for bounds in find_runs(classes)), strict=True):
                name = self._names[classes[start]]
                if classes[start] >= 0 and name in self._written:
                    score = 1000 * float(probabilities[start:end, classes[start]].mean())
                    yield [identifier, start, end, name, round(score), "."]


def _columns(names: Sequence[str]) -> list[str]:
    return ["id", "position", "base", "label", *(f"prob_{name}" for name in names)]


def _is_known(sequence: str) -> np.ndarray:
    return np.isin(np.frombuffer(sequence.encode(), dtype=np.uint8), _BASES)


def _labels(sequence: str, probabilities: np.ndarray, names: Sequence[str]) -> np.ndarray:
    labels = np.array(names, dtype=object)[probabilities.argmax(axis=1)]
    labels[~_is_known(sequence)] = UNLABELLED
    return labels
