"""Vectors that describe sequences, or each of their bases."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple, Unpack, get_args

import numpy as np
import torch

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.inference.engine.engine import Compute, Engine, Window, cut_into_windows
from dnabert_hf.inference.engine.layers import states_of
from dnabert_hf.inference.output.formats import (
    FolderFormat,
    ParquetFormat,
    ResultFormat,
    Row,
    SafetensorsFormat,
    choose_format,
)
from dnabert_hf.inference.output.h5ad import H5adFormat, load_h5py
from dnabert_hf.inference.output.writer import WrittenResults
from dnabert_hf.inference.run import Run, RunFields, RunOptions

__all__ = ["ABOUT_KEY", "Embedding", "Pooling", "count_tokens", "embed", "spread_over_bases"]

Pooling = Literal["mean", "cls", "base"]
Precision = Literal["float32", "float16"]

ABOUT_KEY = b"dnabert_hf"  # in the metadata of Parquet: what made the vectors, as JSON
_CHUNK_BASES = 1 << 19
_CHUNK_BYTES = 1 << 28  # of per-base vectors


class Embedding(NamedTuple):
    """The vector or vectors of one sequence.

    Attributes:
        id: Id of the record.
        embedding: Shape (hidden,), or (bases, hidden) with one vector per base; float32.
        label: Label of the record as written, None where it has none.
        split: Part of a data set that the record belongs to, as written.
    """

    id: str
    embedding: np.ndarray
    label: str | None = None
    split: str | None = None


def embed(
    model: Any,
    source: Source,
    *,
    output: str | Path | None = None,
    pooling: Pooling = "mean",
    precision: Precision = "float32",
    max_file_mb: int | None = None,
    **options: Unpack[RunFields],
) -> list[Embedding] | WrittenResults:
    """Describe sequences of any length by the last hidden states of a model.

    A sequence longer than the model takes (510 k-mers) is cut into consecutive windows, each k-mer
    in one of them, each window encoded alone.

    Args:
        model: Checkpoint folder, repository id on the Hub, or a model, which is not changed. Of a
            model with a head, the encoder is used.
        source: File of sequences ("-" is standard input), or sequences: texts or records.
        output: `.parquet` (columns id and embedding, a list of numbers or, per base, a list of
            lists), `.safetensors` (one tensor `embeddings` of shape (n, hidden) and the ids as
            JSON in its metadata; per base, a tensor of shape (bases, hidden) for each id) or
            `.h5ad`, AnnData (X; ids, labels and splits in `obs`; what made them in
            `uns["dnabert_hf"]`; not per base; an extra, `dnabert-hf[embeddings]`). None returns
            the embeddings.
        pooling: "mean" over all k-mers, [UNK] among them, [CLS] and [SEP] not; "cls", the state of
            [CLS], over several windows their mean weighted by k-mers; "base": base i is the mean
            over the up to k k-mers that cover it.
        precision: Number format of what is written: "float32", or "float16" for half the size.
        max_file_mb: Makes the output a folder, named as the file would be, of numbered files of
            about so many megabytes (1e6 bytes), each complete in itself; one record, or 8,192 short
            ones, are never divided.
        **options: The fields of `RunOptions`.

    Returns:
        The embeddings in input order, or where they were written.

    Raises:
        ValueError: If model, source or output cannot be used, or records are pairs.
    """
    _check_settings(output, pooling, precision, max_file_mb)
    run = Run(output, RunOptions.of(options), is_folder=max_file_mb is not None)
    engine = run.start(model, "encoder")
    hidden_size = int(engine.model.config.hidden_size)
    n_bases = _CHUNK_BASES
    if pooling == "base":
        n_bases = _CHUNK_BYTES // (4 * hidden_size)
        if max_file_mb is not None:  # so that files need not be larger
            n_bases = min(n_bases, max_file_mb * 10**6 // (4 * hidden_size))
    result_format = None
    has_columns = str(output).lower().endswith(".h5ad")
    if output is not None:
        name = str(model) if isinstance(model, str | Path) else type(model).__name__
        about = {"model": name, "weights": run.weights, "pooling": pooling}
        about["version"] = version("dnabert-hf")
        result_format = _choose_format(Path(output), pooling, precision, hidden_size, about)
        if max_file_mb is not None:
            result_format = FolderFormat(result_format, name=Path(output).name, max_mb=max_file_mb)
    return run.results(
        run.read(source, n_bases=max(1, n_bases)),
        partial(_embed_chunk, engine, pooling),
        to_row=lambda found: _to_row(found, precision, has_columns=has_columns),
        result_format=result_format,
        depends_on={"pooling": pooling, "precision": precision, "max_file_mb": max_file_mb},
    )


def _check_settings(
    output: str | Path | None, pooling: str, precision: str, max_file_mb: int | None
) -> None:
    if pooling not in get_args(Pooling):
        raise ValueError(f"pooling must be one of {', '.join(get_args(Pooling))}, got {pooling!r}")
    if precision not in get_args(Precision):
        known = ", ".join(get_args(Precision))
        raise ValueError(f"precision must be one of {known}, got {precision!r}")
    if max_file_mb is not None and (max_file_mb < 1 or output is None):
        raise ValueError(
            f"max_file_mb (--max-file-mb) must be 1 or more, of an output, got {max_file_mb} for "
            f"{'results in memory' if output is None else output}"
        )


def _to_row(found: Embedding, precision: Precision, *, has_columns: bool) -> Row:
    row = (found.id, found.embedding.astype(precision))
    return (*row, found.label, found.split) if has_columns else row


def _embed_chunk(
    engine: Engine, pooling: Pooling, records: Sequence[SequenceRecord]
) -> Iterator[Embedding]:
    k = engine.tokenizer.k
    room = engine.model.config.max_position_embeddings - 2
    windows: list[Window] = []
    bounds = [0]
    for record in records:
        if record.sequence_b is not None:
            raise ValueError(
                f"record {record.id}: an embedding describes one sequence, found a pair; give the "
                "two as records of their own"
            )
        windows.extend(cut_into_windows(record.sequence, k=k, n_kmers=room))
        bounds.append(len(windows))
    states = engine.run(windows, _COMPUTE[pooling])
    for record, begin, end in zip(records, bounds[:-1], bounds[1:], strict=True):
        if pooling == "base":
            embedding = spread_over_bases(np.concatenate(states[begin:end]), k=k)
        else:
            n_kmers = [len(window.sequence) - k + 1 for window in windows[begin:end]]
            embedding = np.average(states[begin:end], axis=0, weights=n_kmers)
        yield Embedding(record.id, embedding.astype(np.float32), record.label, record.split)


def spread_over_bases(kmer_states: np.ndarray, *, k: int) -> np.ndarray:
    """Average over each base the states of the k-mers that cover it.

    Args:
        kmer_states: State of each k-mer of a sequence, shape (n_kmers, hidden).
        k: Bases per k-mer.

    Returns:
        State of each base, shape (n_kmers + k - 1, hidden).

    Example:
        >>> spread_over_bases(np.array([[1.0], [3.0]], dtype=np.float32), k=3)[:, 0].tolist()
        [1.0, 2.0, 2.0, 3.0]
    """
    n_kmers, hidden = kmer_states.shape
    sums = np.zeros((n_kmers + k - 1, hidden), dtype=np.float32)
    n_covering = np.zeros((n_kmers + k - 1, 1), dtype=np.float32)
    for shift in range(k):
        sums[shift : shift + n_kmers] += kmer_states
        n_covering[shift : shift + n_kmers] += 1
    return sums / n_covering


def _hidden_states(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    encoder = getattr(model, "bert", model)  # of a model with a head
    states: torch.Tensor = encoder(**inputs, return_dict=True).last_hidden_state
    return states


def count_tokens(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Count the tokens of each row of a batch, special ones included, shape (rows,)."""
    rows, width = inputs["input_ids"].shape
    if "attention_mask" in inputs:
        return inputs["attention_mask"].sum(dim=1)
    return torch.full((rows,), width, device=inputs["input_ids"].device)


def mean_over_kmers(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Encode a batch and average the last hidden states over the k-mers, (rows, hidden)."""
    states = _hidden_states(model, inputs).float()
    last = count_tokens(inputs) - 1  # of [SEP]
    column = torch.arange(states.shape[1], device=states.device)
    is_kmer = (column > 0) & (column < last[:, None])
    return (states * is_kmer[:, :, None]).sum(dim=1) / (last - 1)[:, None]


def _cls(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    encoder = getattr(model, "bert", model)
    first = torch.zeros_like(inputs["input_ids"][:, :1])
    states: torch.Tensor = states_of(encoder, inputs, first).last_hidden_state[:, 0]
    return states


def _kmers(model: Any, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    states, n_tokens = _hidden_states(model, inputs), count_tokens(inputs).tolist()
    return [row[1 : n - 1] for row, n in zip(states, n_tokens, strict=True)]


_COMPUTE: dict[str, Compute] = {"mean": mean_over_kmers, "cls": _cls, "base": _kmers}


def _choose_format(
    output: Path,
    pooling: Pooling,
    precision: Precision,
    hidden_size: int,
    about: Mapping[str, str],
) -> ResultFormat:
    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        number = pa.float32() if precision == "float32" else pa.float16()
        vector = pa.list_(number, hidden_size)
        kind = pa.list_(vector) if pooling == "base" else vector
        columns = [("id", pa.string()), ("embedding", kind)]
        return ParquetFormat(pa.schema(columns, metadata={ABOUT_KEY: json.dumps(about)}))

    def make_h5ad() -> ResultFormat:
        if pooling == "base":
            raise ValueError(
                f"{output} has one vector a sequence, and pooling is 'base', a vector a base; "
                "write Parquet or safetensors, or pool by mean or cls"
            )
        load_h5py()
        return H5adFormat(n_dims=hidden_size, precision=precision, about=about)

    return choose_format(
        output,
        {
            ".parquet": make_parquet,
            ".h5ad": make_h5ad,
            ".safetensors": lambda: SafetensorsFormat(
                is_stacked=pooling != "base", precision=precision, about=about
            ),
        },
    )
