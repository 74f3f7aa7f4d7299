"""Schedules of masking: shares and span lengths, and their change during training."""

from dataclasses import dataclass

import numpy as np

__all__ = ["MaskingStage", "centre_probability", "published_schedule", "random_mask_schedule"]


def centre_probability(mlm_probability: float, k: int, max_span: int | None = None) -> float:
    """Probability of a k-mer to be the centre of a span that masks a given share of the tokens.

    A token stays visible if no span reaches it.

    Args:
        mlm_probability: Share of the k-mers to be masked, between 0 and 1.
        k: Tokens of the shortest span.
        max_span: Tokens of the longest span, all lengths from k on alike; k if None.

    Returns:
        p with 1 - (1 - p)**k = mlm_probability, where all spans have k tokens.

    Example:
        >>> round(centre_probability(0.75, k=2), 6)
        0.5
    """
    lengths = np.arange(k, (max_span or k) + 1)
    reaches = (lengths[:, None] > np.arange(lengths[-1])).mean(axis=0)  # by distance, (max_span,)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if 1 - np.prod(1 - middle * reaches) < mlm_probability:
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True)
class MaskingStage:
    """Masking from one example on.

    Attributes:
        begin: First example of the stage, 0-based.
        mlm_probability: Share of the k-mers to be masked, between 0 and 1, exclusive.
        max_span: Longest span; each is drawn from k to this length alike. None: always k.
    """

    begin: int
    mlm_probability: float
    max_span: int | None = None


def published_schedule(
    n_examples: int, *, early: float = 0.15, late: float = 0.20
) -> tuple[MaskingStage, ...]:
    """Mask a larger share in the last sixth of the training (Ji et al. 2021).

    Args:
        n_examples: Examples of the whole training.
        early: Share of the k-mers masked at first.
        late: Share in the last sixth.

    Returns:
        Two stages, by the number of their first example.

    Example:
        >>> [(stage.begin, stage.mlm_probability) for stage in published_schedule(1200)]
        [(0, 0.15), (1000, 0.2)]
    """
    return (MaskingStage(0, early), MaskingStage(n_examples * 5 // 6, late))


def random_mask_schedule(
    n_examples: int, k: int, *, mlm_probability: float = 0.15, n_stages: int = 5, step: int = 2
) -> tuple[MaskingStage, ...]:
    """Let spans grow during training, so that their bases get harder to tell.

    RandomMask (Liang et al., arXiv 2310.07644) draws the length of each span up to a limit that is
    raised stage by stage, here in stages of equal length.

    Args:
        n_examples: Examples of the whole training.
        k: Bases per k-mer, the length of all spans of the first stage.
        mlm_probability: Share of the k-mers masked.
        n_stages: Stages.
        step: Tokens by which the limit grows from stage to stage.

    Returns:
        The stages, by the number of their first example.

    Example:
        >>> [(stage.begin, stage.max_span) for stage in random_mask_schedule(100, k=6, n_stages=2)]
        [(0, 6), (50, 8)]
    """
    return tuple(
        MaskingStage(n_examples * stage // n_stages, mlm_probability, k + step * stage)
        for stage in range(n_stages)
    )
