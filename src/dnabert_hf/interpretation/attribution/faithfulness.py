"""Faithfulness: whether a model needs the bases that scores say it needs."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Any, NamedTuple, Unpack

import numpy as np

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.predict import Classifier
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.interpretation.attribution.attribution import choose_targets
from dnabert_hf.interpretation.attribution.scores import BaseScores

__all__ = ["Faithfulness", "faithfulness", "replace_bases"]

_CHUNK_RECORDS = 512
_N_DRAWS = 3
_BASES = np.frombuffer(b"ACGT", dtype=np.uint8)


class Faithfulness(NamedTuple):
    """By how much the probability of a class falls when bases are replaced, mean over sequences.

    Attributes:
        n_sequences: How many there were.
        top: Fall by the bases with the highest scores.
        random: Fall by as many bases drawn at random.
        shifted: Fall by bases in the same arrangement as the top ones, but somewhere else: as many
            k-mers change, where scattered bases change more of them than neighbours do.
    """

    n_sequences: int
    top: float
    random: float
    shifted: float


def faithfulness(
    model: Any,
    scores: Iterable[BaseScores],
    *,
    share: float = 0.1,
    label: str | None = None,
    seed: int = 0,
    **options: Unpack[RunFields],
) -> Faithfulness:
    """Replace the bases with the highest scores and see by how much the prediction falls.

    Each base becomes one of the three others, three times over. Scores that say what matters make
    the probability fall further than as many other bases do.

    Args:
        model: Folder or Hub repository of a fine-tuned checkpoint, or a DNABERT classifier.
        scores: Scores of any kind, as `attention_scores` and `attribution_scores` give them.
        share: Share of the bases to replace, at least one base.
        label: Class to score (for regression the target); by default the most probable one of
            each sequence.
        seed: Seed of letters and random bases; a sequence gets the same ones wherever scores put
            its top bases.
        **options: tokenizer, device, dtype and batch_tokens, as in `RunOptions`.

    Returns:
        Falls of the probability, or of the value for regression.

    Raises:
        ValueError: If share is not above 0 and at most 1, there are no scores, or the model has no
            classifier or no such class.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    running = RunOptions.of(options, excluded=["columns", "skip_short", "shard", "overwrite"])
    checkpoint = as_checkpoint(model, running.tokenizer, task="sequence-classification")
    classifier = Classifier(running.start(checkpoint))
    falls: list[np.ndarray] = []
    numbers = count()
    rest = iter(scores)
    while chunk := list(islice(rest, _CHUNK_RECORDS)):
        whole = classifier.probabilities([SequenceRecord(s.id, s.sequence) for s in chunk])
        targets = choose_targets(classifier.scheme, label, whole)
        every = np.arange(len(chunk))
        altered = [_alter(each, share, seed, next(numbers)) for each in chunk]
        columns = []
        for records in zip(*altered, strict=True):  # by kind and draw
            changed = classifier.probabilities(records)
            columns.append(whole[every, targets] - changed[every, targets])
        falls.append(np.stack(columns).reshape(3, _N_DRAWS, -1).mean(axis=1))
    if not falls:
        raise ValueError("faithfulness needs the scores of at least one sequence, got none")
    joined = np.concatenate(falls, axis=1)
    return Faithfulness(joined.shape[1], *joined.mean(axis=1).tolist())


def _alter(scores: BaseScores, share: float, seed: int, number: int) -> Sequence[SequenceRecord]:
    """Make the three kinds of changed sequences, one kind after the other."""
    generator = np.random.default_rng([seed, number])
    n_bases = len(scores.sequence)
    n_replaced = max(1, round(share * n_bases))
    top = np.argsort(-scores.scores, kind="stable")[:n_replaced]

    def replaced_positions() -> Iterator[np.ndarray]:
        yield from [top] * _N_DRAWS
        for _ in range(_N_DRAWS):
            yield generator.choice(n_bases, n_replaced, replace=False)
        for _ in range(_N_DRAWS):
            yield (top + generator.integers(1, n_bases)) % n_bases

    return [
        SequenceRecord(scores.id, replace_bases(scores.sequence, each, generator))
        for each in replaced_positions()
    ]


def replace_bases(sequence: str, positions: np.ndarray, generator: np.random.Generator) -> str:
    """Put another base at each of some positions.

    Args:
        sequence: DNA.
        positions: Positions, 0-based, none of them twice.
        generator: Source of randomness.

    Example:
        >>> changed = replace_bases("AAAA", np.array([1]), np.random.default_rng(0))
        >>> changed[0] + changed[2:], changed[1] == "A"
        ('AAA', False)
    """
    letters = np.frombuffer(sequence.encode("ascii"), dtype=np.uint8).copy()
    digits = np.searchsorted(_BASES, letters[positions])  # of other letters: any
    letters[positions] = _BASES[(digits + generator.integers(1, 4, len(positions))) % 4]
    return letters.tobytes().decode("ascii")
