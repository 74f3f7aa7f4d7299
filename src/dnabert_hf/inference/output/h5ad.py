"""AnnData files of embeddings (`.h5ad`), as scanpy and its like read them."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnabert_hf.files.atomic import require_room
from dnabert_hf.inference.output.formats import Row

__all__ = ["H5adFormat", "load_h5py"]

_COLUMNS = ("label", "split")
_BYTES = 1 << 16  # of all but the rows
_BYTES_PER_ROW = 256  # of the name and columns of one, with room to spare
_UNKNOWN = -1  # code of a category that a row does not have


def load_h5py() -> Any:
    """Import h5py, which is an extra.

    Raises:
        ImportError: If it is not installed, with the way out.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "files of AnnData (.h5ad) need h5py: pip install 'dnabert-hf[embeddings]'"
        ) from error
    return h5py


class H5adFormat:
    """AnnData of embeddings: rows are (id, vector, label, split).

    X is a matrix of shape (records, n_dims), in one piece and not compressed, so that a part of it
    is read without the rest. `obs` holds the ids and, where any record has one, label and split:
    categories, or numbers where labels are the values of a regression. `uns["dnabert_hf"]` says
    what made them. The layout is version 0.1.0 of the format's own description
    (https://anndata.readthedocs.io/en/latest/fileformat-prose.html).

    Args:
        n_dims: Numbers in a vector.
        precision: Number format, "float32" or "float16".
        about: What made the vectors, by name.
    """

    def __init__(self, *, n_dims: int, precision: str, about: Mapping[str, str]):
        self.n_dims, self.precision, self.about = n_dims, precision, dict(about)
        self._number = np.dtype(precision).newbyteorder("<")

    def describe(self) -> dict[str, Any]:
        """Give the arguments that make this format."""
        arguments = {"n_dims": self.n_dims, "precision": self.precision, "about": self.about}
        return {"kind": "h5ad", **arguments}

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write names, labels and splits as a line of JSON, and the numbers behind it."""
        ids, vectors, labels, splits = zip(*rows, strict=True)
        with path.open("wb") as target:
            target.write(json.dumps([ids, labels, splits]).encode() + b"\n")
            target.write(np.ascontiguousarray(np.stack(vectors), dtype=self._number).tobytes())

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Write the file part by part: vectors are never all in memory."""
        columns = [_Column(name) for name in _COLUMNS]
        n_rows = 0
        for head, _ in _read(parts):
            n_rows += len(head.ids)
            for column in columns:
                column.see(head.column(column.name))
        n_bytes = self.n_dims * self._number.itemsize + _BYTES_PER_ROW
        require_room(path, n_rows * n_bytes + _BYTES)
        # Not locked by HDF5: who gave the unfinished file holds a lock on it.
        with load_h5py().File(path, "w", locking=False) as file:
            _mark(file, "anndata", "0.1.0")
            obs = _data_frame(file, "obs", n_rows)
            kept = [column for column in columns if column.is_there]
            obs.attrs["column-order"] = _names([column.name for column in kept])
            written = [column.create(obs, n_rows) for column in kept]
            matrix = _array(file, "X", (n_rows, self.n_dims), self._number)
            begin = 0
            for head, numbers in _read(parts):
                end = begin + len(head.ids)
                obs["_index"][begin:end] = head.ids
                matrix[begin:end] = np.frombuffer(numbers, self._number).reshape(-1, self.n_dims)
                for column, target in zip(kept, written, strict=True):
                    target[begin:end] = column.encode(head.column(column.name))
                begin = end
            self._write_rest(file)

    def _write_rest(self, file: Any) -> None:
        var = _data_frame(file, "var", self.n_dims)
        var.attrs["column-order"] = _names([])
        var["_index"][:] = [str(number) for number in range(self.n_dims)]
        for name in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
            _mark(file.create_group(name), "dict", "0.1.0")
        about = file["uns"].create_group("dnabert_hf")
        _mark(about, "dict", "0.1.0")
        for name, value in self.about.items():
            about[name] = value
            _mark(about[name], "string", "0.2.0")


class _Head(NamedTuple):
    ids: list[str]
    labels: list[str | None]
    splits: list[str | None]

    def column(self, name: str) -> list[str | None]:
        """Give the values of a column of `obs`."""
        return self.labels if name == "label" else self.splits


def _read(parts: Sequence[Path]) -> Iterator[tuple[_Head, bytes]]:
    """Give the head and the numbers of each part."""
    for part in parts:
        with part.open("rb") as source:
            head = _Head(*json.loads(source.readline()))
            yield head, source.read()


class _Column:
    """A column of `obs`: which values there are, and then what is written for each.

    Args:
        name: Its name.
    """

    def __init__(self, name: str):
        self.name = name
        self._values: dict[str, int] = {}
        self._is_numeric = True
        self._has_fraction = False

    @property
    def is_there(self) -> bool:
        """Whether any row has a value."""
        return bool(self._values)

    @property
    def _is_of_numbers(self) -> bool:
        return self._is_numeric and self._has_fraction and self.name == "label"

    def see(self, values: Sequence[str | None]) -> None:
        """Take note of the values of some rows."""
        for value in dict.fromkeys(values):
            if value is None or value in self._values:
                continue
            self._values[value] = 0
            number = _number(value)
            self._is_numeric &= math.isfinite(number)
            self._has_fraction |= math.isfinite(number) and not number.is_integer()

    def create(self, obs: Any, n_rows: int) -> Any:
        """Make what its rows are written to."""
        if self._is_of_numbers:
            return _array(obs, self.name, (n_rows,), np.dtype("<f8"))
        group = obs.create_group(self.name)
        _mark(group, "categorical", "0.2.0")
        group.attrs["ordered"] = False
        names = sorted(self._values)
        self._values = {name: code for code, name in enumerate(names)}
        _strings(group, "categories", len(names))[:] = names
        return _array(group, "codes", (n_rows,), np.dtype("<i4"))

    def encode(self, values: Sequence[str | None]) -> list[float] | list[int]:
        """Give what is written for the values of some rows."""
        if self._is_of_numbers:
            return [math.nan if value is None else float(value) for value in values]
        return [_UNKNOWN if value is None else self._values[value] for value in values]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _mark(target: Any, kind: str, version: str) -> None:
    target.attrs["encoding-type"], target.attrs["encoding-version"] = kind, version


def _array(group: Any, name: str, shape: tuple[int, ...], number: np.dtype[Any]) -> Any:
    made = group.create_dataset(name, shape=shape, dtype=number)
    _mark(made, "array", "0.2.0")
    return made


def _strings(group: Any, name: str, n: int) -> Any:
    made = group.create_dataset(name, shape=(n,), dtype=load_h5py().string_dtype())
    _mark(made, "string-array", "0.2.0")
    return made


def _names(names: list[str]) -> np.ndarray:
    return np.array(names, dtype=load_h5py().string_dtype())


def _data_frame(file: Any, name: str, n_rows: int) -> Any:
    group = file.create_group(name)
    _mark(group, "dataframe", "0.2.0")
    group.attrs["_index"] = "_index"
    _strings(group, "_index", n_rows)
    return group
