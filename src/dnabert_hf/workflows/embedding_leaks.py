"""Leaks by embedding: test sequences that a model holds for nearly the same as training ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from dnabert_hf.data.building.shuffling import shuffle_dinucleotides
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.embeddings.embedding_files import EmbeddingSet
from dnabert_hf.inference.embeddings.nearest import embed_set
from dnabert_hf.inference.embeddings.neighbours import find_exact
from dnabert_hf.inference.run import RunFields

__all__ = ["EmbeddingLeaks", "NearPair", "find_embedding_leaks"]

_CHANCE = 0.01  # of shuffled sequences that are as near
_MOST_SHUFFLED = 2000
_N_EXAMPLES = 5
_SEED = 42
_BASES = frozenset("ACGT")


@dataclass(frozen=True)
class NearPair:
    """A sequence, and the training sequence nearest to it.

    Attributes:
        ids: Their ids, that of the training sequence last.
        split: Split of the first.
        similarity: Cosine of their standardised embeddings.
    """

    ids: tuple[str, str]
    split: str
    similarity: float


@dataclass(frozen=True)
class EmbeddingLeaks:
    """Sequences that are nearer to a training sequence than a similarity.

    Attributes:
        similarity: That similarity, a cosine of embeddings standardised by the training split.
        chance: Share of shuffled sequences that are as near; None if the similarity was given.
        n_near: How many sequences of each split are.
        n_sequences: How many there are.
        examples: The five nearest pairs.
    """

    similarity: float
    chance: float | None
    n_near: dict[str, int]
    n_sequences: dict[str, int]
    examples: tuple[NearPair, ...]

    def lines(self) -> list[str]:
        """Say it in lines of text."""
        about = "as asked for"
        if self.chance is not None:
            about = f"which {self.chance:.0%} of shuffled sequences reach by chance"
        counts = ", ".join(
            f"{n} of {self.n_sequences[name]} in {name}" for name, n in self.n_near.items()
        )
        return [
            f"nearer to a training sequence by embedding than {self.similarity:.4f} ({about}): "
            f"{counts}",
            *(
                f"  {pair.ids[0]} ({pair.split}) and {pair.ids[1]} (train): {pair.similarity:.4f}"
                for pair in self.examples
            ),
        ]


def find_embedding_leaks(
    model: Any,
    records: Sequence[SequenceRecord],
    splits: Sequence[str],
    *,
    similarity: float | None = None,
    **options: Unpack[RunFields],
) -> EmbeddingLeaks:
    """Find sequences whose nearest training sequence, by embedding, is suspiciously near.

    Embeddings are standardised by the training split, for without that all are near each other. How
    near is suspicious is measured: the same sequences are shuffled, dinucleotides kept, so that
    they have nothing in common with the training split but composition, and the similarity that 1
    in 100 of them reaches is the limit. Where many more are beyond it, the splits share more than
    composition.

    Args:
        model: As in `embed`.
        records: Sequences.
        splits: Split of each, "train" among them.
        similarity: The limit, in place of that of shuffled sequences.
        **options: The fields of `RunOptions`; there are no shards.

    Raises:
        ValueError: If there is no training split or no other, or nothing can be shuffled.
    """
    names = np.array(splits)
    held = np.flatnonzero(names != "train")
    if len(held) in (0, len(names)):
        raise ValueError(
            "leaks by embedding are looked for between a train split and others, found "
            f"{', '.join(dict.fromkeys(splits))}; name them in a split column"
        )
    if similarity is not None and not 0 <= similarity <= 1:
        raise ValueError(f"a similarity must be from 0 to 1, got {similarity}")
    shuffled = (
        _shuffle([records[row].sequence for row in held.tolist()]) if similarity is None else []
    )
    given = embed_set(model, [*records, *shuffled], **options)
    vectors = np.concatenate([block for _, block in given.blocks()])
    train = np.flatnonzero(names == "train")
    mean, spread = vectors[train].mean(axis=0), vectors[train].std(axis=0)
    vectors = (vectors - mean) / np.where(spread > 0, spread, 1)
    index = _part(given, vectors, train)
    chance = None
    if similarity is None:
        _, found = _nearest(_part(given, vectors, np.arange(len(records), len(vectors))), index)
        similarity, chance = float(np.quantile(found, 1 - _CHANCE)), _CHANCE
    rows, found = _nearest(_part(given, vectors, held), index)
    is_near = found > similarity
    first = [row for row in np.argsort(-found, kind="stable")[:_N_EXAMPLES] if is_near[row]]
    kinds = list(dict.fromkeys(names[held].tolist()))
    return EmbeddingLeaks(
        similarity=similarity,
        chance=chance,
        n_near={name: int((is_near & (names[held] == name)).sum()) for name in kinds},
        n_sequences={name: int((names == name).sum()) for name in kinds},
        examples=tuple(
            NearPair(
                (records[int(held[row])].id, index.ids[rows[row]]),
                str(names[held[row]]),
                float(found[row]),
            )
            for row in first
        ),
    )


def _shuffle(sequences: Sequence[str]) -> list[SequenceRecord]:
    """Shuffle those without unknown bases, 2,000 at most."""
    known = [each for each in sequences if _BASES.issuperset(each)]
    known = known[:: -(-len(known) // _MOST_SHUFFLED) or 1]
    if not known:
        raise ValueError(
            "how near is suspicious is measured on shuffled sequences of A, C, G and T alone, and "
            "outside the train split all hold other letters; give a similarity (--similarity)"
        )
    shuffled = shuffle_dinucleotides(known, seed=_SEED)
    return [SequenceRecord(f"shuffled {i}", each) for i, each in enumerate(shuffled)]


def _part(given: EmbeddingSet, vectors: np.ndarray, rows: np.ndarray) -> EmbeddingSet:
    return EmbeddingSet(given.name, [given.ids[row] for row in rows], vectors[rows])


def _nearest(query: EmbeddingSet, index: EmbeddingSet) -> tuple[np.ndarray, np.ndarray]:
    found = list(find_exact(query, index, 1))
    rows = np.concatenate([each.rows[:, 0] for each in found])
    return rows, np.concatenate([each.similarities[:, 0] for each in found])
