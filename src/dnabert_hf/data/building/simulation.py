"""Simulated transcription factor binding: a published motif planted in random background DNA."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = ["CTCF", "SimulatedSequence", "background", "draw", "simulate_binding"]

_BASES = np.array(list("ACGT"))

# JASPAR 2022, matrix MA0139.1 (CTCF, human, ChIP-seq; CC BY 4.0): probabilities in percent of A, C,
# G and T at the 19 positions, rounded.
CTCF = (
    *((10, 32, 8, 50), (18, 16, 45, 21), (31, 5, 49, 15), (6, 88, 2, 4), (1, 99, 0, 0)),
    *((82, 1, 7, 10), (4, 58, 37, 1), (12, 47, 5, 36), (93, 1, 4, 2), (1, 0, 99, 0)),
    *((37, 0, 62, 1), (6, 1, 55, 38), (1, 0, 98, 1), (6, 1, 85, 8), (11, 81, 1, 7)),
    *((41, 1, 56, 2), (9, 53, 34, 4), (13, 35, 8, 44), (44, 20, 29, 7)),
)

# Chance in percent of A, C, G and T after A, C, G and T: parameters of our own that give 41 % G and
# C and, as in human DNA, a quarter of the CpG and more CA, TG, AA and TT than by chance.
_AFTER = np.array([[33, 17, 24, 26], [36, 25, 5, 34], [29, 21, 25, 25], [22, 20, 25, 33]]) / 100
# Three equal letters in a row are followed by the same one more often, as in poly-A tracts.
_RUN_FACTOR = 1.5


class SimulatedSequence(NamedTuple):
    """A simulated sequence.

    Attributes:
        sequence: DNA.
        is_bound: Whether the motif was planted; otherwise an instance with its letters shuffled.
        start: Where it was planted, 0-based.
        strand: "+" as in the matrix, "-" as its reverse complement.
    """

    sequence: str
    is_bound: bool
    start: int
    strand: str


def simulate_binding(
    n: int,
    generator: np.random.Generator,
    *,
    length: int = 100,
    motif: Sequence[Sequence[float]] = CTCF,
) -> list[SimulatedSequence]:
    """Simulate bound and free sequences, half of each in random order.

    The background is a Markov chain of order 3 with CpG depletion. Bound sequences carry an
    instance drawn from the motif at a random position on a random strand. Free ones carry such an
    instance too, but with its letters shuffled, so that composition does not tell them apart.

    Args:
        n: Number of sequences.
        generator: Source of randomness.
        length: Bases per sequence.
        motif: Weights of A, C, G and T, shape (positions, 4).

    Returns:
        The sequences.

    Raises:
        ValueError: If the motif does not fit into the sequences.

    Example:
        >>> simulated = simulate_binding(4, np.random.default_rng(0), length=30)
        >>> len(simulated[0].sequence), sum(item.is_bound for item in simulated)
        (30, 2)
    """
    weights = np.asarray(motif, dtype=float)
    if len(weights) > length:
        raise ValueError(
            f"length must be at least that of the motif, {len(weights)} bases, got {length}"
        )
    codes = background(n, length, generator)
    instances = draw(np.broadcast_to(weights, (n, *weights.shape)), generator)
    is_bound = generator.permutation(np.arange(n) < (n + 1) // 2)
    instances[~is_bound] = generator.permuted(instances[~is_bound], axis=1)
    is_reverse = generator.random(n) < 0.5
    instances[is_reverse] = (
        3 - instances[is_reverse, ::-1]
    )  # A 0, C 1, G 2, T 3: complements add to 3
    starts = generator.integers(0, length - len(weights) + 1, size=n)
    columns = starts[:, None] + np.arange(len(weights))
    np.put_along_axis(codes, columns, instances, axis=1)
    return [
        SimulatedSequence("".join(letters), bool(bound), int(start), "-" if reverse else "+")
        for letters, bound, start, reverse in zip(
            _BASES[codes], is_bound, starts, is_reverse, strict=True
        )
    ]


def background(
    n: int, length: int, generator: np.random.Generator, *, after: np.ndarray = _AFTER
) -> np.ndarray:
    """Draw sequences from a Markov chain of order 3, with CpG depletion by default.

    Args:
        n: Number of sequences.
        length: Bases per sequence.
        generator: Source of randomness.
        after: Chance of A, C, G and T after A, C, G and T, shape (4, 4).

    Returns:
        Base codes, A 0, C 1, G 2 and T 3, int64, shape (n, length).
    """
    codes = np.empty((n, length), dtype=np.int64)
    codes[:, 0] = generator.integers(0, 4, size=n)
    for position in range(1, length):
        last = codes[:, position - 1]
        chances = after[last].copy()
        if position >= 3:
            is_run = (codes[:, position - 3 : position] == last[:, None]).all(axis=1)
            chances[is_run, last[is_run]] *= _RUN_FACTOR
        codes[:, position] = draw(chances, generator)
    return codes


def draw(weights: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw an index along the last axis for each row of weights, which need not add to 1.

    Args:
        weights: Weights of 0 or more, shape (..., choices).
        generator: Source of randomness.

    Returns:
        Indices, int64, shape (...).
    """
    cumulative = np.cumsum(weights, axis=-1)
    thresholds = generator.random(weights.shape[:-1]) * cumulative[..., -1]
    return np.asarray((cumulative > thresholds[..., None]).argmax(axis=-1))
