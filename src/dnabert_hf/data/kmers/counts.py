"""Counts of overlapping k-mers, and linear classifiers on them."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from dnabert_hf.data.reading.sequences import clean_sequence

__all__ = ["KMER_REGRESSION", "KmerRegression", "count_kmers"]

KMER_REGRESSION = "kmer_regression.npz"  # beside a model that was trained on the same rows

_CODES = np.full(256, -1, dtype=np.int64)
_CODES[np.frombuffer(b"ACGT", dtype=np.uint8)] = range(4)
_CHUNK_BASES = 1 << 22  # bounds the memory of the ids of one chunk to some 100 MB


def count_kmers(sequences: Sequence[str], k: int, *, both_strands: bool = False) -> Any:
    """Count the overlapping k-mers of each sequence.

    Args:
        sequences: DNA or RNA of any length and case.
        k: Bases per k-mer, from 1 to 12.
        both_strands: Whether a k-mer and its reverse complement count as the first of the two in
            alphabetical order.

    Returns:
        Counts as a `scipy.sparse.csr_array` of shape (sequences, 4**k), k-mers in alphabetical
        order; those with a letter other than A, C, G and T are not counted.

    Raises:
        ValueError: If k is out of range or a letter is no nucleotide.

    Example:
        >>> count_kmers(["AACA", "TTNT"], k=1).toarray().tolist()
        [[3, 1, 0, 0], [0, 0, 0, 3]]
        >>> count_kmers(["AACA", "TTNT"], k=1, both_strands=True).toarray().tolist()
        [[3, 1, 0, 0], [3, 0, 0, 0]]
    """
    from scipy.sparse import csr_array, vstack

    if not 1 <= k <= 12:
        raise ValueError(f"k must be from 1 to 12, got {k}")
    cleaned = [
        clean_sequence(sequence, source=f"sequence {index} (0-based)")
        for index, sequence in enumerate(sequences)
    ]
    blocks = []
    for chunk in _chunks(cleaned):
        rows, kmers = _kmer_ids(chunk, k)
        if both_strands:
            kmers = np.minimum(kmers, _reverse_complements(kmers, k))
        counts = csr_array(
            (np.ones(len(rows), dtype=np.int64), (rows, kmers)), shape=(len(chunk), 4**k)
        )
        counts.sum_duplicates()
        blocks.append(counts)
    return vstack(blocks, format="csr") if blocks else csr_array((0, 4**k), dtype=np.int64)


def _chunks(sequences: list[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    n_bases = 0
    for sequence in sequences:
        chunk.append(sequence)
        n_bases += len(sequence)
        if n_bases >= _CHUNK_BASES:
            yield chunk
            chunk, n_bases = [], 0
    if chunk:
        yield chunk


def _kmer_ids(sequences: list[str], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find row and number of every countable k-mer, two arrays of shape (n_kmers,)."""
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    codes = _CODES[np.frombuffer("".join(sequences).encode("ascii"), dtype=np.uint8)]
    row_of_base = np.repeat(np.arange(len(sequences)), lengths)
    n_starts = max(len(codes) - k + 1, 0)
    kmers = np.zeros(n_starts, dtype=np.int64)
    is_countable = np.ones(n_starts, dtype=bool)
    for offset in range(k):
        letters = codes[offset : offset + n_starts]
        kmers = 4 * kmers + letters
        is_countable &= letters >= 0
    # A k-mer must not reach over the end of its sequence.
    is_countable &= row_of_base[:n_starts] == row_of_base[k - 1 : k - 1 + n_starts]
    return row_of_base[:n_starts][is_countable], kmers[is_countable]


def _reverse_complements(kmers: np.ndarray, k: int) -> np.ndarray:
    """Number the reverse complements of k-mers, numbered in alphabetical order."""
    others = np.zeros_like(kmers)
    for _ in range(k):
        others = 4 * others + 3 - kmers % 4
        kmers = kmers // 4
    return others


@dataclass(frozen=True)
class KmerRegression:
    """A logistic regression on k-mer counts, as it was fitted.

    Attributes:
        k: Bases per k-mer.
        both_strands: As in `count_kmers`.
        weights: What a k-mer adds to the log-odds of each class, shape (classes, 4**k).
        intercepts: What each class begins with, shape (classes,).
    """

    k: int
    both_strands: bool
    weights: np.ndarray
    intercepts: np.ndarray

    def probabilities(self, sequences: Sequence[str]) -> np.ndarray:
        """Give the probability of each class, shape (sequences, classes).

        Args:
            sequences: DNA or RNA of any length and case.

        Example:
            >>> weights = np.log([[1.0, 1, 1, 1], [3.0, 1, 1, 1]])
            >>> regression = KmerRegression(1, False, weights, np.zeros(2))
            >>> regression.probabilities(["A", "C"])[:, 1].round(2).tolist()
            [0.75, 0.5]
        """
        from scipy.special import softmax

        counts = count_kmers(sequences, self.k, both_strands=self.both_strands)
        return np.asarray(softmax(counts @ self.weights.T + self.intercepts, axis=1))

    def write(self, path: Path) -> None:
        """Write it as arrays of numpy (.npz)."""
        np.savez_compressed(
            path,
            k=self.k,
            both_strands=self.both_strands,
            weights=self.weights,
            intercepts=self.intercepts,
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            ValueError: If it is no such file, or a damaged one.
        """
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                found = {name: file[name] for name in ("weights", "intercepts")}
                k, both_strands = int(file["k"]), bool(file["both_strands"])
            n_classes = len(found["intercepts"])
            if found["weights"].shape != (n_classes, 4**k):
                raise ValueError(f"weights of shape {found['weights'].shape} for k = {k}")
        except (KeyError, TypeError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path} must hold a regression on k-mer counts as dnabert stack writes it, but "
                f"reading it failed: {error}; make it again"
            ) from error
        return cls(k, both_strands, found["weights"], found["intercepts"])
