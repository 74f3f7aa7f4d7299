"""Gradient x input and integrated gradients over the word embeddings of k-mers.

Own code, and not captum's: the joining of pieces, bounded batches and the split of a k-mer among
its bases are most of it, and what would be left to a library is one weighted sum.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.layers import pooled_of
from dnabert_hf.interpretation.attribution.scores import Pieces

__all__ = ["attribute_by_gradients", "class_logits"]

_N_SPECIAL = 5
_UNK_ID, _MASK_ID = 1, 4


def class_logits(logits: torch.Tensor, targets: torch.Tensor, problem_type: str) -> torch.Tensor:
    """Give the log odds of a class of each sequence; for regression the value.

    Args:
        logits: Shape (sequences, labels).
        targets: Index of the class, shape (sequences,).
        problem_type: As in a transformers config.

    Returns:
        log(p / (1 - p)), shape (sequences,).

    Example:
        >>> logits = torch.tensor([[1.0, 3.0]])
        >>> class_logits(logits, torch.tensor([1]), "single_label_classification").tolist()
        [2.0]
    """
    of_target = logits.gather(1, targets[:, None])[:, 0]
    if problem_type != "single_label_classification":
        return of_target
    is_target = torch.nn.functional.one_hot(targets, logits.shape[1]).bool()
    return of_target - logits.masked_fill(is_target, -torch.inf).logsumexp(dim=1)


def attribute_by_gradients(
    engine: Engine,
    pieces: Pieces,
    targets: np.ndarray,
    *,
    problem_type: str,
    steps: int | None,
) -> list[np.ndarray]:
    """Attribute a class of each record to its bases.

    Args:
        engine: Engine with a DNABertForSequenceClassification.
        pieces: The records, cut.
        targets: Class to explain of each record, int64, shape (records,).
        problem_type: As in a transformers config.
        steps: Points of integrated gradients from [MASK]; None for gradient x input.

    Returns:
        Scores of the bases of each record, float32, shape (bases,).
    """
    # Weights need no gradient: this is the engine's own copy of the model.
    engine.model.requires_grad_(False)
    if steps is None:
        points = [(1.0, 1.0)]
    else:
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        points = list(zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True))
    n_pieces = np.diff(pieces.bounds)
    is_alone = n_pieces[pieces.rows] == 1
    k = engine.tokenizer.k
    sums = [np.zeros(len(window.sequence) - k + 1) for window in pieces.windows]
    for group in (np.flatnonzero(is_alone), np.flatnonzero(~is_alone)):
        if not len(group):
            continue
        windows = [pieces.windows[i] for i in group.tolist()]
        part = len(group) / len(pieces.windows)
        passes = _Passes(engine, problem_type, from_mask=steps is not None)
        for share, weight in points:
            passes.share = share
            if is_alone[group[0]]:
                extras = {"target": targets[pieces.rows[group]]}
            else:
                pooled = np.stack(engine.run(windows, passes.pool, weight=0))
                _, rows = np.unique(pieces.rows[group], return_inverse=True)
                of_records = targets[np.unique(pieces.rows[group])]
                extras = {"direction": passes.direction(pooled, rows, of_records)}
            found = engine.run(windows, passes.attribute, extras=extras, weight=part)
            for index, of_tokens in zip(group.tolist(), found, strict=True):
                sums[index] += weight * of_tokens[: len(sums[index])]
    return _to_bases(sums, pieces, k)


def _to_bases(of_kmers: Sequence[np.ndarray], pieces: Pieces, k: int) -> list[np.ndarray]:
    """Divide the share of each k-mer among its k bases, so that the sum stays."""
    joined = (
        np.concatenate(of_kmers[begin:end])
        for begin, end in zip(pieces.bounds[:-1], pieces.bounds[1:], strict=True)
    )
    return [np.convolve(each, np.full(k, 1 / k)).astype(np.float32) for each in joined]


class _Passes:
    """Passes through the model with embeddings on the way from a baseline to the sequence.

    Args:
        engine: Engine that runs them.
        problem_type: As in a transformers config.
        from_mask: Whether the baseline is [MASK] in place of each k-mer; otherwise it is zero.

    Attributes:
        share: How far on the way, from 0 to 1.
    """

    def __init__(self, engine: Engine, problem_type: str, *, from_mask: bool):
        self.share = 1.0
        self._engine, self._problem_type, self._from_mask = engine, problem_type, from_mask

    def pool(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Give what is pooled of each row, shape (rows, hidden)."""
        baseline, difference = self._embed(model, inputs["input_ids"])
        return self._run(model, inputs, baseline + self.share * difference)

    def attribute(self, model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """Give gradient times difference of each token from 1 on, shape (rows, tokens - 1)."""
        with torch.inference_mode(False), torch.enable_grad():
            # Tensors made in inference mode cannot be saved for the way back; their copies can.
            inputs = {name: tensor.clone() for name, tensor in inputs.items()}
            target, direction = inputs.pop("target", None), inputs.pop("direction", None)
            baseline, difference = self._embed(model, inputs["input_ids"])
            point = (baseline + self.share * difference).detach().requires_grad_()
            pooled = self._run(model, inputs, point).float()
            if direction is not None:
                objective = (pooled * direction).sum()
            else:
                objective = self._explained(model, pooled, None, target)
            (gradient,) = torch.autograd.grad(objective, point)
            return (gradient * difference).sum(dim=-1)[:, 1:].detach()

    def direction(self, pooled: np.ndarray, rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Give the gradient of the classes by what is pooled of pieces, shape (pieces, hidden)."""
        device = self._engine.device
        states = torch.from_numpy(pooled).to(device).requires_grad_()
        of_pieces, of_records = (torch.from_numpy(each).to(device) for each in (rows, targets))
        objective = self._explained(self._engine.model, states, of_pieces, of_records)
        (gradient,) = torch.autograd.grad(objective, states)
        return np.asarray(gradient.cpu().numpy())

    def _explained(
        self,
        model: Any,
        pooled: torch.Tensor,
        rows: torch.Tensor | None,
        targets: torch.Tensor | None,
    ) -> torch.Tensor:
        assert targets is not None
        with torch.backends.cudnn.flags(enabled=False):  # its LSTM has no way back in evaluation
            logits = model.classify(pooled, rows)
        return class_logits(logits, targets, self._problem_type).sum()

    def _embed(self, model: Any, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give word embeddings of the baseline and the way from there, (rows, tokens, hidden)."""
        words = model.bert.embeddings.word_embeddings
        embedded = words(ids).float()
        if not self._from_mask:
            return torch.zeros_like(embedded), embedded
        is_kmer = (ids >= _N_SPECIAL) | (ids == _UNK_ID)
        baseline = words(ids.masked_fill(is_kmer, _MASK_ID)).float()
        return baseline, embedded - baseline

    def _run(
        self, model: Any, inputs: dict[str, torch.Tensor], embedded: torch.Tensor
    ) -> torch.Tensor:
        """Run the encoder on ids, which pooling reads, with other word embeddings."""
        words = model.bert.embeddings.word_embeddings
        given = embedded.to(words.weight.dtype)
        hook = words.register_forward_hook(lambda *_: given)
        try:
            return pooled_of(model.bert, inputs)
        finally:
            hook.remove()
