"""The bias of the masked language modelling head, which the original adds twice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from dnabert_hf.hub.conversion.weight_names import OURS
from dnabert_hf.inference.evaluate_masked_lm import evaluate_masked_lm

__all__ = ["MLM_BIASES", "MLMBias", "set_mlm_bias"]

MLM_BIASES = ("auto", "single", "double")
_WINDOWS = 100  # of 510 k-mers: some 1,200 masked bases, a minute on a CPU for each of the two


class MLMBias(NamedTuple):
    """Number of times that the bias of a checkpoint is added, and the reason.

    Attributes:
        kind: "single" or "double".
        reason: Why, as a sentence.
        losses: Mean cross-entropy in nats of the masked k-mers by kind, if they were compared.
    """

    kind: str
    reason: str
    losses: Mapping[str, float] | None = None


def set_mlm_bias(
    model: Any, tokenizer: Any, choice: str, *, dna: str | Path | None, origin: str
) -> MLMBias:
    """Decide whether the bias counts once or twice, and fold the second time into the weights.

    The head of the original's code adds its bias twice, that of today once, with the same weights.
    What the published checkpoints were trained with is not known for sure; the right one has the
    lower loss on DNA like that of the training. DNA drawn at random, or of another species, cannot
    tell: the bias holds what k-mers are frequent in the genome, and where others are, the smaller
    bias has the lower loss however the model was trained. So "auto" without DNA leaves the bias as
    `from_pretrained` reads it, and says that it was not compared.

    Args:
        model: DNABertForMaskedLM, which is changed in place.
        tokenizer: Its tokenizer.
        choice: "auto", "single" or "double".
        dna: FASTA file to compare the two on, for "auto".
        origin: Who wrote the checkpoint, as in `Contents`.

    Raises:
        ValueError: If the DNA cannot be used.
    """
    if choice != "auto":
        _scale(model, 2.0 if choice == "double" else 1.0)
        return MLMBias(choice, "as asked for")
    if dna is None:
        if origin == OURS:
            return MLMBias("single", "as the models of dnabert-hf add it")
        return MLMBias(
            "single",
            "not compared: no DNA was given, and random DNA would favour the smaller bias however "
            "the model was trained; the original's code adds it twice (--dna FASTA compares, "
            "--mlm-bias double gives the original's logits)",
        )
    losses = {}
    for kind, factor in (("single", 1.0), ("double", 2.0)):
        _scale(model, factor)
        scores = evaluate_masked_lm(model, dna, tokenizer=tokenizer, n_windows=_WINDOWS).model
        losses[kind] = scores.cross_entropy
    kind = "double" if losses["double"] < losses["single"] else "single"
    if kind == "single":
        _scale(model, 0.5)
    found = "the same loss" if losses["single"] == losses["double"] else "the lower loss"
    return MLMBias(kind, f"{found} on {Path(dna).name}", losses)


def _scale(model: Any, factor: float) -> None:
    with torch.no_grad():
        model.cls.predictions.bias.mul_(factor)
