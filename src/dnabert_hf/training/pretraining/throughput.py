"""How fast training could be: the machine's matrix peak and what a token costs."""

import time
from typing import Any

import torch

from dnabert_hf.modeling.modeling_dnabert import DNABertPreTrainedModel

__all__ = ["peak_matmul_flops", "training_flops"]

_SIZE = 2048
_SECONDS = 0.3


def peak_matmul_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the product of two square matrices: operations a second, the best of a few.

    Args:
        device: Where to multiply.
        dtype: Of the matrices.

    Returns:
        Floating point operations a second, a multiplication and an addition being two.
    """
    with torch.random.fork_rng(devices=[]):
        a = torch.randn(_SIZE, _SIZE, dtype=torch.float32).to(device, dtype)
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while True:
        begin = time.perf_counter()
        torch.matmul(a, a)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        best = min(best, time.perf_counter() - begin)
        if time.perf_counter() > end:
            return 2 * _SIZE**3 / best


def training_flops(model: DNABertPreTrainedModel, n_tokens: int) -> float:
    """Estimate the operations of a training step for each token of a sequence.

    Six for each weight of a matrix (two forward, four backward) and twelve for each pair of tokens
    and hidden dimension in attention (Kaplan et al. 2020, arXiv 2001.08361, section 2.1), without
    embeddings and head, which runs on the masked k-mers alone.

    Args:
        model: The model.
        n_tokens: Tokens of the sequence.

    Returns:
        Floating point operations a token.
    """
    bare: Any = getattr(model, "module", model)  # what DistributedDataParallel wraps
    weights = sum(p.numel() for p in bare.bert.encoder.layer.parameters() if p.ndim == 2)
    config = bare.config
    return float(6 * weights + 12 * config.num_hidden_layers * n_tokens * config.hidden_size)
