"""Files of dependency maps: tables of pairs, and matrices of NumPy."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnabert_hf.data.reading.lines import text_lines
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, Row, choose_table
from dnabert_hf.inference.variants.mutation_scores import Target

__all__ = ["DependencyMap", "choose_map_format", "read_dependency_maps", "to_rows"]

_COLUMNS = ("id", "target", "query", "target_base", "query_base", "dependency")


class DependencyMap(NamedTuple):
    """How much each base of a sequence depends on each other.

    Attributes:
        id: Name of the sequence.
        sequence: Its bases.
        scores: Dependency of targets on queries, float32, shape (bases, bases): [query, target];
            NaN on the diagonal and where there is none.
    """

    id: str
    sequence: str
    scores: np.ndarray


def to_rows(
    target: Target, scores: Iterable[tuple[int, np.ndarray, np.ndarray]]
) -> Iterator[list[Any]]:
    """Make a row of each pair.

    Args:
        target: The sequence.
        scores: Masked bases, each with the bases that were replaced and its dependencies on them.
    """
    sequence, start = target.sequence, target.start
    for position, queries, of_target in scores:
        for query, value in zip(queries.tolist(), of_target.tolist(), strict=True):
            letters = [sequence[position], sequence[query]]
            number = None if value != value else value
            yield [target.id, position - start, query - start, *letters, number]


def choose_map_format(output: str | Path) -> ResultFormat:
    """Find the format that the name of a file asks for; standard output takes TSV.

    Raises:
        ValueError: If the suffix is none that is known.
    """

    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        kinds = {"target": pa.int32(), "query": pa.int32(), "dependency": pa.float32()}
        return ParquetFormat(pa.schema([(name, kinds.get(name, pa.string())) for name in _COLUMNS]))

    return choose_table(output, _COLUMNS, {".parquet": make_parquet, ".npz": _MatrixFormat})


class _MatrixFormat:
    """Matrices of NumPy, one a sequence; joined in memory."""

    def describe(self) -> dict[str, Any]:
        """Name the format; its parts are joined by the run that wrote them."""
        return {"kind": "npz"}

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the rows of one chunk."""
        with path.open("wb") as file:
            names, columns = _COLUMNS, zip(*rows, strict=True)
            arrays: dict[str, Any] = {
                name: np.array(column, dtype=np.float32 if name == "dependency" else None)
                for name, column in zip(names, columns, strict=True)
            }
            np.savez(file, **arrays)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Make a matrix of the pairs of each sequence."""
        maps = list(_maps_of(row for part in parts for row in _rows_of(part)))
        arrays: dict[str, Any] = {
            "ids": np.array([each.id for each in maps], dtype=np.str_),
            "sequences": np.array([each.sequence for each in maps], dtype=np.str_),
        }
        arrays |= {f"map_{index}": each.scores for index, each in enumerate(maps)}
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)


def read_dependency_maps(path: str | Path) -> list[DependencyMap]:
    """Read the maps that `dependency_maps` wrote.

    Args:
        path: .npz, .parquet, .tsv or .csv (either may end in .gz).

    Raises:
        ValueError: If it is no such file.
    """
    path = Path(path)
    try:
        if path.name.endswith(".npz"):
            with np.load(path) as arrays:
                pairs = zip(arrays["ids"].tolist(), arrays["sequences"].tolist(), strict=True)
                return [DependencyMap(*pair, arrays[f"map_{i}"]) for i, pair in enumerate(pairs)]
        return list(_maps_of(_table_rows(path)))
    except (KeyError, IndexError, TypeError, OSError) as error:
        raise ValueError(
            f"{path} must be a file of dependency maps, as `dnabert dependencies` writes it, found "
            f"something else ({error})"
        ) from error


def _table_rows(path: Path) -> Iterator[Row]:
    if path.name.endswith(".parquet"):
        from pyarrow import parquet

        for batch in parquet.ParquetFile(path).iter_batches(columns=list(_COLUMNS)):
            yield from zip(*(batch[name].to_pylist() for name in _COLUMNS), strict=True)
        return
    lines = (line for _, line in text_lines(path))
    reader = csv.DictReader(lines, delimiter="," if ".csv" in path.name else "\t")
    for row in reader:
        values = [row[name] for name in _COLUMNS]
        yield [values[0], int(values[1]), int(values[2]), *values[3:5], float(values[5] or "nan")]


def _rows_of(part: Path) -> Iterator[Row]:
    with np.load(part) as arrays:
        yield from zip(*(arrays[name].tolist() for name in _COLUMNS), strict=True)


def _maps_of(rows: Iterable[Row]) -> Iterator[DependencyMap]:
    """Make maps of rows: a sequence begins where the name changes, or the targets begin again."""
    number, before = 0, ("", -1)

    def number_of(row: Row) -> int:
        nonlocal number, before
        name, target = row[0], row[1]
        number += name != before[0] or target < before[1]
        before = (name, target)
        return number

    for _, group in groupby(rows, number_of):
        columns = list(zip(*group, strict=True))
        targets, queries = np.array(columns[1]), np.array(columns[2])
        n_bases = int(max(targets.max(), queries.max())) + 1
        letters = ["N"] * n_bases
        for position, letter in zip(columns[1], columns[3], strict=True):
            letters[position] = letter
        scores = np.full((n_bases, n_bases), np.nan, dtype=np.float32)
        scores[queries, targets] = np.array(columns[5], dtype=np.float32)
        yield DependencyMap(str(columns[0][0]), "".join(letters), scores)
