"""Occlusion: what a class loses when a base is masked."""

from typing import Any

import numpy as np
import torch

from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.layers import pooled_of
from dnabert_hf.inference.predict import classify_pieces
from dnabert_hf.interpretation.attribution.gradients import class_logits
from dnabert_hf.interpretation.attribution.scores import Pieces

__all__ = ["attribute_by_occlusion", "pool_masked"]

_MASK_ID = 4
_BLOCK_PIECES = 4096  # that are joined at a time


def attribute_by_occlusion(
    engine: Engine,
    pieces: Pieces,
    pooled: np.ndarray,
    targets: np.ndarray,
    *,
    problem_type: str,
) -> list[np.ndarray]:
    """Hide each base, that is, all k-mers over it, and see by how much a class falls.

    Only the one or two pieces that hold the base are run again.

    Args:
        engine: Engine with a DNABertForSequenceClassification.
        pieces: The records, cut.
        pooled: What the model pools of each piece, shape (pieces, hidden).
        targets: Class to explain of each record, int64, shape (records,).
        problem_type: As in a transformers config.

    Returns:
        Fall of the log odds of the class by each base, float32, shape (bases,).
    """
    k = engine.tokenizer.k
    n_bases = np.array([len(window.sequence) for window in pieces.windows])
    piece = np.repeat(np.arange(len(n_bases)), n_bases)
    base = np.arange(len(piece)) - np.repeat(np.cumsum(n_bases) - n_bases, n_bases)
    # Behind [CLS], k-mer i is token i + 1 and covers the bases i to i + k - 1.
    first = np.maximum(base - k + 1, 0) + 1
    end = np.minimum(base, n_bases[piece] - k) + 2
    changed = np.stack(
        engine.run(
            [pieces.windows[i] for i in piece.tolist()],
            pool_masked,
            extras={"first": first, "end": end},
        )
    )
    found = []
    for row, target in enumerate(targets.tolist()):
        here = slice(pieces.bounds[row], pieces.bounds[row + 1])
        is_here = (piece >= here.start) & (piece < here.stop)
        # A piece begins where k - 1 bases of the one before it are left.
        begin = np.cumsum(n_bases[here] - k + 1) - (n_bases[here] - k + 1)
        position = begin[piece[is_here] - here.start] + base[is_here]
        logits = _logits_without(
            engine, pooled[here], changed[is_here], piece[is_here] - here.start, position
        )
        whole = classify_pieces(engine, pooled[here], [0] * (here.stop - here.start))
        both = torch.from_numpy(np.concatenate([whole, logits]))
        values = class_logits(both, torch.full((len(both),), target), problem_type).numpy()
        found.append((values[0] - values[1:]).astype(np.float32))
    return found


def _logits_without(
    engine: Engine,
    pooled: np.ndarray,
    changed: np.ndarray,
    piece: np.ndarray,
    position: np.ndarray,
) -> np.ndarray:
    """Join the pieces of a record, those that hold a base replaced; logits (bases, labels)."""
    n_pieces, hidden = pooled.shape
    n_bases = int(position.max()) + 1
    size = max(1, _BLOCK_PIECES // n_pieces)
    logits = []
    for begin in range(0, n_bases, size):
        n_here = min(size, n_bases - begin)
        states = np.tile(pooled, (n_here, 1, 1))
        is_here = (position >= begin) & (position < begin + n_here)
        states[position[is_here] - begin, piece[is_here]] = changed[is_here]
        rows = np.repeat(np.arange(n_here), n_pieces).tolist()
        logits.append(classify_pieces(engine, states.reshape(-1, hidden), rows))
    return np.concatenate(logits)


def pool_masked(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Give what is pooled of rows with the tokens from `first` to before `end` as [MASK]."""
    first, end = inputs.pop("first")[:, None], inputs.pop("end")[:, None]
    column = torch.arange(inputs["input_ids"].shape[1], device=first.device)
    is_masked = (column >= first) & (column < end)
    inputs["input_ids"] = inputs["input_ids"].masked_fill(is_masked, _MASK_ID)
    return pooled_of(model.bert, inputs)
