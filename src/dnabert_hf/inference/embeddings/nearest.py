"""The nearest sequences: those whose embeddings point in the same direction."""

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Unpack

from dnabert_hf.data.reading.sources import Source
from dnabert_hf.files.fingerprint import fingerprint_weights
from dnabert_hf.inference.embed import Pooling, embed
from dnabert_hf.inference.embeddings.embedding_files import (
    EmbeddingSet,
    as_set,
    is_embedding_file,
    read_embeddings,
)
from dnabert_hf.inference.embeddings.neighbours import (
    Neighbours,
    check_number,
    find_approximate,
    find_exact,
)
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.output.writer import check_output, open_output
from dnabert_hf.inference.run import RunFields, RunOptions

__all__ = ["NearestSequence", "WrittenNeighbours", "embed_set", "nearest"]

_COLUMNS = ("query", "rank", "neighbour", "similarity", "label")


class NearestSequence(NamedTuple):
    """One of the nearest sequences of another.

    Attributes:
        query: Id of the sequence that was asked for.
        rank: 1 for the nearest.
        neighbour: Id of what was found.
        similarity: Cosine of the angle between the two vectors, from -1 to 1.
        label: Label of what was found, None where there is none.
    """

    query: str
    rank: int
    neighbour: str
    similarity: float
    label: str | None


class WrittenNeighbours(NamedTuple):
    """Neighbours that went to a file.

    Attributes:
        path: The file.
        n_queries: Sequences that were asked for.
        neighbours: Neighbours of each.
        n_searched: Sequences that were looked through.
    """

    path: Path
    n_queries: int
    neighbours: int
    n_searched: int

    def summary(self) -> str:
        """Say how many there are.

        Example:
            >>> WrittenNeighbours(Path("x.tsv"), 1200, 5, 40000).summary()
            'the 5 nearest of 40,000 sequences to each of 1,200'
        """
        found = f"the {self.neighbours} nearest of {self.n_searched:,} sequences"
        return f"{found} to each of {self.n_queries:,}"


def nearest(
    query: Source,
    index: str | Path | None = None,
    *,
    output: str | Path | None = None,
    neighbours: int = 5,
    approximate: bool = False,
    model: Any = None,
    **options: Unpack[RunFields],
) -> list[NearestSequence] | WrittenNeighbours:
    """Find the sequences whose embeddings are nearest, by cosine similarity.

    All vectors are compared, block by block, so that neither file need fit into memory; or most of
    the nearest are found by a graph.

    Args:
        query: File of embeddings (see `read_embeddings`); or sequences, which are embedded first.
        index: File of embeddings to search; None searches the query's, in which no sequence is a
            neighbour of itself.
        output: `.tsv`, `.csv` (also `.gz`) or `.parquet`, or "-" for standard output. None returns
            the neighbours.
        neighbours: Neighbours of each.
        approximate: Search by a graph (HNSW), with the library usearch, an extra.
        model: Model to embed sequences with; by default the one that the index names.
        **options: The fields of `RunOptions`, most of them for embedding sequences; there are no
            shards.

    Returns:
        The neighbours, query by query and the nearest first, or where they were written.

    Raises:
        ValueError: If a file cannot be used, vectors are not of one model, hold NaN or are all
            zeros, or there are fewer than so many neighbours.
        ImportError: If an extra is not installed.
    """
    running = RunOptions.of(options, excluded=["shard"])
    if output is not None:
        inputs = [query, *([] if index is None else [index])]
        check_output(output, overwrite=running.overwrite, inputs=inputs)
        result_format = _choose_format(output)
    searched = None if index is None else read_embeddings(index)
    asked = _open_query(query, searched, model, options)
    searched = asked if searched is None else searched
    asked.check_same_space(searched)
    check_number(neighbours, asked, searched)
    find = find_approximate if approximate else find_exact
    if output is None:
        return [
            each
            for found in find(asked, searched, neighbours)
            for each in _rows(found, asked, searched)
        ]
    with open_output(
        output, result_format, fingerprint=None, overwrite=running.overwrite
    ) as opened:
        for found in opened.remaining(find(asked, searched, neighbours)):
            opened.write(list(_rows(found, asked, searched)))
    return WrittenNeighbours(Path(output), len(asked), neighbours, len(searched))


def _open_query(
    query: Source, index: EmbeddingSet | None, model: Any, options: RunFields
) -> EmbeddingSet:
    if isinstance(query, str | Path) and is_embedding_file(query):
        if model is not None:
            raise ValueError(
                f"a model embeds sequences, and {query} holds embeddings; leave the model out "
                "(--model), or give the sequences"
            )
        return read_embeddings(query)
    if index is None:
        raise ValueError(
            f"sequences are looked for among embeddings: name a file of them (--in), as dnabert "
            f"embed writes it, found none beside {query}"
        )
    model = model or index.about.get("model")
    if model is None:
        raise ValueError(
            f"sequences must be embedded by the model of {index.name}, which does not say which; "
            "name it (--model)"
        )
    pooling: Any = index.about.get("pooling", "mean")
    return embed_set(model, query, pooling=pooling, **options)


def embed_set(
    model: Any, source: Source, *, pooling: Pooling = "mean", **options: Unpack[RunFields]
) -> EmbeddingSet:
    """Embed sequences into memory, with what made their vectors.

    Args:
        model: As in `embed`.
        source: As in `embed`.
        pooling: "mean" or "cls".
        **options: The fields of `RunOptions`.
    """
    checkpoint = as_checkpoint(model, options.get("tokenizer"), task="encoder")
    about = {"model": checkpoint.name, "weights": fingerprint_weights(checkpoint.model)}
    about |= {"pooling": pooling, "version": version("dnabert-hf")}
    running: RunFields = {**options, "tokenizer": checkpoint.tokenizer}
    found = embed(checkpoint.model, source, pooling=pooling, **running)
    assert isinstance(found, list)
    return as_set(
        found, name=str(source) if isinstance(source, str | Path) else "sequences", about=about
    )


def _rows(found: Neighbours, query: EmbeddingSet, index: EmbeddingSet) -> Iterator[NearestSequence]:
    labels: Sequence[str | None] = index.labels or ()
    for offset, (rows, similarities) in enumerate(
        zip(found.rows.tolist(), found.similarities.tolist(), strict=True)
    ):
        name = query.ids[found.begin + offset]
        for rank, (row, similarity) in enumerate(zip(rows, similarities, strict=True), start=1):
            label = labels[row] if labels else None
            yield NearestSequence(name, rank, index.ids[row], similarity, label)


def _choose_format(output: str | Path) -> ResultFormat:
    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        kinds = {"rank": pa.int32(), "similarity": pa.float32()}
        return ParquetFormat(pa.schema([(name, kinds.get(name, pa.string())) for name in _COLUMNS]))

    more: dict[str, Callable[[], ResultFormat]] = {".parquet": make_parquet}
    return choose_table(output, _COLUMNS, more)
