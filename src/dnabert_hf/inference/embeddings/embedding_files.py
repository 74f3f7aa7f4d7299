"""Sets of embeddings: vectors and what is known of each, read from the files of `embed`."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.inference.embed import ABOUT_KEY, Embedding
from dnabert_hf.inference.output.h5ad import load_h5py

__all__ = ["EmbeddingSet", "as_set", "is_embedding_file", "read_embeddings"]

_BLOCK_BYTES = 1 << 26
_SUFFIXES = (".h5ad", ".npy", ".parquet", ".safetensors")


@dataclass(frozen=True)
class EmbeddingSet:
    """Vectors of sequences, which may lie on disk.

    Attributes:
        name: Where they are from.
        ids: Id of each; of a file without ids its 0-based number.
        vectors: Shape (n, dimensions), an array or what gives one for a slice of rows.
        labels: Label of each as text, None where there is none; None if nothing has labels.
        splits: Split of each, in the same way.
        about: What made them, as far as the file says: model, weights, pooling, version.
    """

    name: str
    ids: Sequence[str]
    vectors: Any
    labels: Sequence[str | None] | None = None
    splits: Sequence[str | None] | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the vectors."""
        return len(self.ids)

    @property
    def n_dims(self) -> int:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])

    def blocks(self, n_rows: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Read some vectors at a time, and make sure that they can be compared.

        Args:
            n_rows: How many; by default 64 MB of them.

        Yields:
            The 0-based number of the first, and vectors of shape (n, dimensions), float32.

        Raises:
            ValueError: If a number is not finite, or a vector all zeros.
        """
        n_rows = n_rows or max(1, _BLOCK_BYTES // (4 * self.n_dims))
        for begin in range(0, len(self), n_rows):
            end = min(begin + n_rows, len(self))
            block = np.asarray(self.vectors[begin:end], dtype=np.float32)
            # A sum is finite only where every number is, and needs no array of flags.
            lengths = np.einsum("ij,ij->i", block, block, dtype=np.float64)
            is_bad = ~np.isfinite(lengths) | (lengths == 0)
            if is_bad.any():
                row = int(np.argmax(is_bad))
                found = "nothing but zeros" if lengths[row] == 0 else "NaN or infinity"
                raise ValueError(
                    f"{self.name}, record {self.ids[begin + row]}: a vector must hold finite "
                    f"numbers, not all 0, found {found}; embed the sequences anew, or leave it out"
                )
            yield begin, block

    def check_same_space(self, other: "EmbeddingSet") -> None:
        """Refuse vectors that are not of the same model and pooling, as far as files say.

        Args:
            other: Vectors to compare these with.

        Raises:
            ValueError: If dimensions differ, or models, or what they pool.
        """
        if self.n_dims != other.n_dims:
            raise ValueError(
                f"vectors must have as many dimensions as those they are compared with, found "
                f"{self.n_dims} in {self.name} and {other.n_dims} in {other.name}; embed both with "
                "one model"
            )
        for name, word in (("weights", "model"), ("pooling", "pooling")):
            found = self.about.get(name), other.about.get(name)
            if None not in found and found[0] != found[1]:
                raise ValueError(
                    f"vectors must be of one {word} to be compared, found {self.about.get(word)} "
                    f"in {self.name} and {other.about.get(word)} in {other.name}"
                    + (", with other weights" if name == "weights" else "")
                    + "; embed both in the same way"
                )


def as_set(
    found: Sequence[Embedding], *, name: str, about: Mapping[str, str] | None = None
) -> EmbeddingSet:
    """Make a set of embeddings in memory.

    Args:
        found: What `embed` gave, one vector a sequence.
        name: What to call it in messages.
        about: What made them.

    Raises:
        ValueError: If there are none, or they are of bases.
    """
    if not found or found[0].embedding.ndim != 1:
        kind = "vectors of bases" if found else "no sequences"
        raise ValueError(f"{name} must have one vector a sequence, found {kind}")
    return EmbeddingSet(
        name,
        [each.id for each in found],
        np.stack([each.embedding for each in found]),
        labels=[each.label for each in found],
        splits=[each.split for each in found],
        about=about or {},
    )


def is_embedding_file(path: str | Path) -> bool:
    """Tell whether a file holds vectors and not sequences, by its name and a table's columns."""
    suffix = Path(path).suffix.lower()
    if suffix != ".parquet":
        return suffix in _SUFFIXES
    from pyarrow import ArrowInvalid, parquet

    try:
        return "embedding" in parquet.read_schema(path).names
    except (OSError, ArrowInvalid):
        return False  # what it is instead is said by who reads it


def read_embeddings(path: str | Path) -> EmbeddingSet:
    """Open a file of embeddings, one vector a sequence.

    Args:
        path: `.h5ad` (X of AnnData, obs_names, and label and split of obs), `.parquet` (columns id
            and embedding; label and split, where they are there) or `.safetensors`, as `embed`
            writes them; or `.npy` of shape (n, dimensions). The vectors stay on disk but for
            Parquet's.

    Raises:
        ValueError: If it is none of these, is damaged, holds no vectors or has vectors of bases.
        ImportError: If a `.h5ad` is given and h5py is not installed.
    """
    path = Path(path)
    readers: dict[str, Callable[[Path], EmbeddingSet]] = {
        ".h5ad": _read_h5ad,
        ".npy": _read_npy,
        ".parquet": _read_parquet,
        ".safetensors": _read_safetensors,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ValueError(
            f"{path}: embeddings must be in a file *{', *'.join(readers)}, as dnabert embed writes "
            "them; name one"
        )
    try:
        found = reader(path)
    except (KeyError, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) or str(error).startswith(str(path)):
            raise
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} must hold one vector a sequence, as dnabert embed writes them, and cannot be "
            f"read: {reason}"
        ) from error
    if len(getattr(found.vectors, "shape", ())) != 2 or not len(found) or not found.n_dims:
        shape = tuple(getattr(found.vectors, "shape", ()))
        raise ValueError(
            f"{path} must hold one vector a sequence, shape (sequences, dimensions), found {shape}"
        )
    return found


def _read_npy(path: Path) -> EmbeddingSet:
    vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise ValueError(
            f"{path} must hold floats of shape (sequences, dimensions), found {vectors.dtype} of "
            f"shape {vectors.shape}"
        )
    return EmbeddingSet(str(path), _numbers(len(vectors)), vectors)


def _read_safetensors(path: Path) -> EmbeddingSet:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            names = list(file.keys())
            if names != ["embeddings"]:
                raise ValueError(
                    f"{path} must hold one tensor, embeddings, found {', '.join(names[:3])}; embed "
                    "with pooling mean or cls"
                )
            about = dict(file.metadata() or {})
            vectors = file.get_slice("embeddings")
            shape = vectors.get_shape()
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    ids = json.loads(about.pop("ids")) if "ids" in about else _numbers(shape[0])
    return EmbeddingSet(str(path), ids, _Slices(vectors, tuple(shape)), about=about)


@dataclass(frozen=True)
class _Slices:
    """Rows of a tensor on disk, with its shape."""

    rows: Any
    shape: tuple[int, ...]

    def __getitem__(self, rows: slice) -> Any:
        return self.rows[rows]


def _read_parquet(path: Path) -> EmbeddingSet:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise ValueError(str(error)) from error
    names = file.schema_arrow.names
    if "embedding" not in names:
        raise ValueError(f"{path} must have a column embedding, found {', '.join(names)}")
    columns = [name for name in ("id", "label", "split") if name in names]
    texts = file.read(columns)
    kind = file.schema_arrow.field("embedding").type
    if not hasattr(kind, "value_type") or not pa.types.is_floating(kind.value_type):
        raise ValueError(f"{path}: an embedding must be a list of numbers, found {kind}")
    vectors = _matrix(file, path)
    named = {name: [_text(each) for each in texts[name].to_pylist()] for name in columns}
    return EmbeddingSet(
        str(path),
        [each or "" for each in named["id"]] if "id" in named else _numbers(len(vectors)),
        vectors,
        labels=named.get("label"),
        splits=named.get("split"),
        about=json.loads((file.schema_arrow.metadata or {}).get(ABOUT_KEY, b"{}")),
    )


def _matrix(file: Any, path: Path) -> np.ndarray:
    """Read the lists of a column into one array, some rows at a time."""
    import pyarrow.compute as pc

    vectors, begin = np.empty((0, 0), np.float32), 0
    for batch in file.iter_batches(1 << 14, columns=["embedding"]):
        column = batch.column(0)
        lengths = pc.unique(pc.list_value_length(column)).to_pylist()
        if begin == 0 and lengths[0]:
            vectors = np.empty((file.metadata.num_rows, lengths[0]), np.float32)
        if lengths != [vectors.shape[1]]:
            found = ", ".join(map(str, dict.fromkeys([vectors.shape[1], *lengths])))
            raise ValueError(
                f"{path}: each embedding must hold the same number of numbers, found {found}; "
                "embed the sequences anew"
            )
        numbers = column.flatten().to_numpy(zero_copy_only=False)
        vectors[begin : begin + len(batch)] = numbers.reshape(len(batch), -1)
        begin += len(batch)
    return vectors


def _read_h5ad(path: Path) -> EmbeddingSet:
    h5py = load_h5py()
    # Without a lock, which some file systems do not have.
    file = h5py.File(path, "r", locking=False)  # closed with the last array that is read from it
    matrix = file["X"]
    if not isinstance(matrix, h5py.Dataset):
        raise ValueError(
            f"{path}: X must be dense, found {dict(matrix.attrs).get('encoding-type')}"
        )
    obs = file["obs"]
    ids = obs[obs.attrs["_index"]]
    # With pandas 3, anndata writes texts as values and a mask.
    ids = (ids["values"] if isinstance(ids, h5py.Group) else ids).asstr()[:].tolist()
    if matrix.shape[0] != len(ids):
        raise ValueError(f"{path}: X must have a row for each of {len(ids)} ids: {matrix.shape}")
    about = file.get("uns/dnabert_hf", {})
    offset = matrix.id.get_offset()
    vectors = matrix
    if offset is not None:  # in one piece: read without a copy of HDF5's own
        vectors = np.memmap(path, matrix.dtype, "r", offset=offset, shape=matrix.shape)
    return EmbeddingSet(
        str(path),
        ids,
        vectors,
        labels=_column(h5py, obs, "label"),
        splits=_column(h5py, obs, "split"),
        about={name: value.asstr()[()] for name, value in about.items()},
    )


def _column(h5py: Any, obs: Any, name: str) -> list[str | None] | None:
    """Read a column of AnnData: categories, texts or numbers."""
    if name not in obs:
        return None
    found = obs[name]
    if isinstance(found, h5py.Group) and "values" in found:
        pairs = zip(_plain(found["values"]), found["mask"][:].tolist(), strict=True)
        return [None if is_missing else _text(value) for value, is_missing in pairs]
    if isinstance(found, h5py.Group):
        kinds = found["categories"]
        if isinstance(kinds, h5py.Group):
            kinds = kinds["values"]
        texts = kinds.asstr()[:] if kinds.dtype.kind == "O" else kinds[:]
        names = [*(str(each) for each in texts), None]
        return [names[code] for code in found["codes"][:]]
    if found.dtype.kind == "O":
        return list(found.asstr()[:].tolist())
    return [_text(each) for each in found[:].tolist()]


def _plain(found: Any) -> list[Any]:
    """Give what a dataset holds: texts or numbers."""
    return list((found.asstr() if found.dtype.kind == "O" else found)[:].tolist())


def _text(value: object) -> str | None:
    if value is None or value != value:  # NaN
        return None
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _numbers(n: int) -> list[str]:
    return [str(number) for number in range(n)]
