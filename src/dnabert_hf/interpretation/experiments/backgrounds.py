"""Sequences that experiments edit: as they are, shuffled, or drawn at random."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.building.shuffling import shuffle_dinucleotides
from dnabert_hf.data.reading.records import SequenceRecord

__all__ = ["Background", "RandomSequences", "shuffled_backgrounds"]

_BASES = np.frombuffer(b"ACGT", dtype=np.uint8)


class Background(NamedTuple):
    """A sequence to edit.

    Attributes:
        id: Name of the record that it comes from.
        number: Which shuffle of the record it is, 0 of one that is as it was.
        sequence: Upper-case DNA.
        rng: What decides about its edits, the same in every run and process.
        region: First base and base after the last one of the region within its flanks.
    """

    id: str
    number: int
    sequence: str
    rng: np.random.Generator
    region: tuple[int, int]


class RandomSequences(NamedTuple):
    """Random sequences, in place of given ones.

    Attributes:
        n: How many.
        length: Bases of each; None for the median length that the model was trained on.
        gc: Share of G and C; the bases are drawn independently. By default that of the human
            genome.
    """

    n: int
    length: int | None = None
    gc: float = 0.41

    def draw(self, length: int, seed: int) -> list[SequenceRecord]:
        """Draw them.

        Args:
            length: Bases of each.
            seed: Decides which.

        Raises:
            ValueError: If there are none, or the share of G and C is none.
        """
        if self.n < 1 or length < 1 or not 0 <= self.gc <= 1:
            raise ValueError(
                "random sequences must be 1 or more, of 1 base or more, with a share of G and C "
                f"from 0 to 1, got {self.n}, {length} and {self.gc}"
            )
        strong, weak = self.gc / 2, (1 - self.gc) / 2
        drawn = np.random.default_rng(seed).choice(
            4, size=(self.n, length), p=[weak, strong, strong, weak]
        )
        texts = _BASES[drawn]
        return [
            SequenceRecord(f"random{row}", texts[row].tobytes().decode("ascii"))
            for row in range(self.n)
        ]


def shuffled_backgrounds(
    name: str, sequence: str, region: tuple[int, int], *, index: int, seed: int, n_shuffles: int
) -> Iterator[Background]:
    """Give a sequence as it is, or dinucleotide shuffles of it.

    Args:
        name: Name of the record.
        sequence: Upper-case DNA.
        region: The region within it.
        index: Number of the record, 0-based.
        seed: Seed of the run; with the index it decides all.
        n_shuffles: Shuffles; 0 gives the sequence as it is.

    Raises:
        ValueError: If a sequence that is to be shuffled holds other letters than A, C, G and T.
    """
    rng = np.random.default_rng([seed, index])
    if not n_shuffles:
        yield Background(name, 0, sequence, rng, region)
        return
    if not set(sequence) <= set("ACGT"):
        raise ValueError(
            f"record {name}: a sequence must hold A, C, G and T alone to be shuffled, found "
            f"{', '.join(sorted(set(sequence) - set('ACGT')))}; leave it out"
        )
    seed_of_shuffles = int(rng.integers(2**32))
    for number, text in enumerate(
        shuffle_dinucleotides([sequence] * n_shuffles, seed=seed_of_shuffles)
    ):
        yield Background(name, number, text, rng, region)
