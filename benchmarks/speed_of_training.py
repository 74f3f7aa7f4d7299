"""What speed.py measures of training steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from speed_of_models import NO_DROPOUT, SIZES, K, Row, flop_per_token, matrix_peak, rates, row
from transformers import BertConfig, BertForMaskedLM

from dnabert_hf import DNABertConfig, DNABertForMaskedLM
from dnabert_hf.training.shared.initialisation import choose_attention
from dnabert_hf.training.shared.muon import Muon, muon_groups

__all__ = ["training"]


def _ours(size: str, tokens: int) -> Any:
    model = DNABertForMaskedLM(DNABertConfig(k=K, **SIZES[size], **NO_DROPOUT)).train()
    choose_attention(model, on_cpu=True, longest=tokens)  # as `pretrain` does
    return model


def _adamw(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-4, fused=True)


class _Both:
    """torch's own Muon for the matrices of the layers, and AdamW for the rest."""

    def __init__(self, model: Any):
        matrices, *others = muon_groups(model, learning_rate=1e-4, weight_decay=0.01)
        rest = [parameter for group in others for parameter in group["params"]]
        self._both = (torch.optim.Muon(matrices["params"], lr=1e-4), _adamw(rest))

    def step(self) -> None:
        for each in self._both:
            each.step()

    def zero_grad(self) -> None:
        for each in self._both:
            each.zero_grad()


def _muon(model: Any) -> torch.optim.Optimizer:
    groups = muon_groups(model, learning_rate=1e-4, weight_decay=0.01)
    return Muon(groups, lr=1e-4, fused=True)


def _step(model: Any, optimizer: Any, rows: int, tokens: int) -> Callable[[], None]:
    generator = np.random.default_rng(0)
    ids = torch.from_numpy(generator.integers(5, 4101, size=(rows, tokens)))
    labels = torch.where(torch.from_numpy(generator.random(ids.shape)) < 0.15, ids, -100)

    def step() -> None:
        model(input_ids=ids, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def training() -> list[Row]:
    """Steps with AdamW beside stock transformers; with Muon beside torch's own and AdamW."""
    peak, table = matrix_peak(), []
    for size, rows, tokens, turns in (
        ("base", 1, 128, 3),
        ("base", 4, 128, 2),
        ("mini", 8, 128, 5),
        ("mini", 32, 512, 1),  # the preset's batch
    ):
        ours = _ours(size, tokens)
        stock = BertForMaskedLM(BertConfig(vocab_size=4101, **SIZES[size], **NO_DROPOUT)).train()
        contenders = {
            "ours, AdamW": _step(ours, _adamw(ours.parameters()), rows, tokens),
            "transformers, AdamW": _step(stock, _adamw(stock.parameters()), rows, tokens),
        }
        if size == "mini":
            twin, third = _ours(size, tokens), _ours(size, tokens)
            contenders["ours, Muon"] = _step(twin, _muon(twin), rows, tokens)
            contenders["ours, torch.optim.Muon"] = _step(third, _Both(third), rows, tokens)
        found = rates(contenders, rows * tokens, turns=turns)
        # Backward takes twice the products of forward.
        limit = f"{peak * 1e9 / (3 * flop_per_token(ours.config, tokens)):,.0f}"
        muon, theirs = found.pop("ours, Muon", None), found.pop("ours, torch.optim.Muon", None)
        work = f"training step, {size}, {rows} x {tokens}"
        if muon is not None and theirs is not None:
            above = found["ours, AdamW"] / muon - 1
            table.append(
                Row(
                    f"{work}, Muon ({above:.0%} above AdamW)",
                    "tokens/s",
                    muon,
                    {"torch.optim.Muon": theirs},
                    limit,
                )
            )
        table.append(row(work, "tokens/s", found, limit))
    return table
