"""The masked language modelling head, for as many rows at a time as memory has room for."""

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["apply_head"]

_LARGEST = 2**26  # scores at a time: 256 MiB of float32


def apply_head(
    model: Any,
    states: torch.Tensor,
    candidates: torch.Tensor,
    score: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Score hidden states by the head, and keep what is asked for.

    The scores of a batch of short windows take up to a token each for 65,541 k-mers (k = 8): ten
    times the memory of the network itself.

    Args:
        model: A DNABertForMaskedLM.
        states: Last hidden states of some tokens, shape (tokens, hidden).
        candidates: Ids that `score` looks at for each, shape (tokens, ids).
        score: Makes a tensor (tokens, ...) of scores (tokens, vocabulary), float32, and candidates.

    Returns:
        What `score` gives, for all tokens.
    """
    n_rows = max(1, _LARGEST // model.config.vocab_size)
    pieces = zip(states.split(n_rows), candidates.split(n_rows), strict=True)
    return torch.cat([score(model.cls(piece).float(), ids) for piece, ids in pieces])
