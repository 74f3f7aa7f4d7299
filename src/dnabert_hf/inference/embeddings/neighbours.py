"""Search for the vectors with the highest cosine similarity, exact or by a graph (HNSW)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from dnabert_hf.inference.embeddings.embedding_files import EmbeddingSet

__all__ = ["Neighbours", "check_number", "find_approximate", "find_exact"]

_QUERY_ROWS = 1024
_INDEX_ROWS = 8192  # similarities to so many at a time: 32 MB


class Neighbours(NamedTuple):
    """The nearest vectors of some that were asked for.

    Attributes:
        begin: 0-based row of the first query.
        rows: Rows of the neighbours in the index, the nearest first, shape (queries, k).
        similarities: Their cosine similarities, from -1 to 1, same shape, float32.
    """

    begin: int
    rows: np.ndarray
    similarities: np.ndarray


def check_number(k: int, query: EmbeddingSet, index: EmbeddingSet) -> None:
    """Refuse to look for more neighbours than there are.

    Args:
        k: Neighbours of each query.
        query: Vectors to look for; those of the index itself are no neighbours of themselves.
        index: Vectors to find.

    Raises:
        ValueError: If k is less than 1, or more than there are.
    """
    n_others = len(index) - (query is index)
    if not 1 <= k <= n_others:
        others = "others" if query is index else "vectors"
        raise ValueError(
            f"neighbours must be from 1 to {n_others}, the number of {others} in {index.name}, got "
            f"{k}"
        )


def find_exact(query: EmbeddingSet, index: EmbeddingSet, k: int) -> Iterator[Neighbours]:
    """Find the k nearest vectors of each query, by cosine similarity with all.

    Vectors are read in blocks, so that neither set need fit into memory. Of vectors that are alike
    to the last digit, the first in the file comes first.

    Args:
        query: Vectors to look for. If this is `index` itself, no vector is its own neighbour.
        index: Vectors to find.
        k: Neighbours of each.

    Yields:
        The neighbours of some queries, in order.

    Raises:
        ValueError: If k is out of range, or a vector cannot be compared.
    """
    check_number(k, query, index)
    for begin, asked in query.blocks(_QUERY_ROWS):
        unit = _unit(asked)
        best = _Best(len(unit), k)
        for first, block in index.blocks(max(_INDEX_ROWS, k)):
            similarities = unit @ _unit(block).T
            if query is index:
                own = np.arange(begin, begin + len(unit)) - first
                is_here = (own >= 0) & (own < len(block))
                similarities[np.flatnonzero(is_here), own[is_here]] = -np.inf
            best.add(similarities, first)
        rows, found = best.result()
        yield Neighbours(begin, rows, np.clip(found, -1, 1))


class _Best:
    """The best k of what was seen so far, for each query.

    Args:
        n_queries: Queries.
        k: How many are kept of each.
    """

    def __init__(self, n_queries: int, k: int):
        self._k = k
        self._query = np.empty(0, np.int64)
        self._row = np.empty(0, np.int64)
        self._similarity = np.empty(0, np.float32)
        self._worst = np.full(n_queries, -np.inf, np.float32)  # of the k, once there are k
        self._n_seen = 0

    def add(self, similarities: np.ndarray, first: int) -> None:
        """Take similarities to a block of rows, shape (queries, rows), numbered from `first`."""
        bound = self._worst[:, None]
        if self._n_seen < self._k <= similarities.shape[1]:
            kth = similarities.shape[1] - self._k
            bound = np.partition(similarities, kth, axis=1)[:, kth, None]
            is_better = (similarities >= bound) & (similarities > -np.inf)
        else:  # of equal ones, those seen before stay
            is_better = similarities > bound
        query, column = np.nonzero(is_better)
        self._n_seen += similarities.shape[1]
        self._query = np.concatenate([self._query, query])
        self._row = np.concatenate([self._row, column + first])
        self._similarity = np.concatenate([self._similarity, similarities[query, column]])
        self._keep_best()

    def _keep_best(self) -> None:
        order = np.lexsort((self._row, -self._similarity, self._query))
        query = self._query[order]
        starts = np.searchsorted(query, np.arange(len(self._worst)))
        rank = np.arange(len(query)) - starts[query]
        kept = order[rank < self._k]
        self._query, self._row = self._query[kept], self._row[kept]
        self._similarity = self._similarity[kept]
        n_kept = np.bincount(self._query, minlength=len(self._worst))
        is_full = n_kept == self._k
        last = np.cumsum(n_kept) - 1
        self._worst[is_full] = self._similarity[last[is_full]]

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Give rows and similarities, shape (queries, k), the nearest first."""
        return self._row.reshape(-1, self._k), self._similarity.reshape(-1, self._k)


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def find_approximate(query: EmbeddingSet, index: EmbeddingSet, k: int) -> Iterator[Neighbours]:
    """Find most of the nearest vectors by a graph (HNSW, Malkov and Yashunin 2018).

    The library usearch makes the graph of all of the index first, in memory. Worth it for many
    queries and hundreds of thousands of vectors or more.

    Args:
        query: As in `find_exact`.
        index: Vectors to find.
        k: Neighbours of each.

    Yields:
        As `find_exact`.

    Raises:
        ValueError: As `find_exact`.
        ImportError: If usearch is not installed.
    """
    try:
        from usearch.index import Index
    except ImportError as error:
        raise ImportError(
            "an approximate search needs usearch: pip install 'dnabert-hf[embeddings]'"
        ) from error
    check_number(k, query, index)
    graph: Any = Index(ndim=index.n_dims, metric="cos", dtype="f32")
    for first, block in index.blocks():
        graph.add(np.arange(first, first + len(block)), block)
    is_own = query is index
    for begin, asked in query.blocks(_QUERY_ROWS):
        found = graph.search(asked, min(k + is_own, len(index)))
        keys = np.atleast_2d(found.keys).astype(np.int64)
        similarities = 1 - np.atleast_2d(found.distances)
        if is_own:
            keys, similarities = _without_own(keys, similarities, begin)
        yield Neighbours(begin, keys, np.clip(similarities, -1, 1).astype(np.float32))


def _without_own(
    keys: np.ndarray, similarities: np.ndarray, begin: int
) -> tuple[np.ndarray, np.ndarray]:
    """Leave out each query's own row, or the farthest where that was not found."""
    is_own = keys == np.arange(begin, begin + len(keys))[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    shape = (len(keys), keys.shape[1] - 1)
    return keys[~is_own].reshape(shape), similarities[~is_own].reshape(shape)
