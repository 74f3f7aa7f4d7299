"""Scores of a model in training on bases that it never saw."""

import math
from typing import Any

import numpy as np
import torch

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.masking.masked_bases import (
    agreeing_kmers,
    choose_masked_bases,
    combine_votes,
    score_bases,
)
from dnabert_hf.modeling.tokenization_dnabert import kmer_ids

__all__ = ["HeldOutScorer"]

_BATCH_TOKENS = 8192
_CLS, _SEP, _MASK, _N_SPECIAL = 2, 3, 4, 5


class HeldOutScorer:
    """Scores a masked language model on the same masked bases each time.

    Args:
        genome: The genome.
        runs: N-free runs held out of training, shape (runs, 3), as `Genome.runs`.
        k: Bases per k-mer.
        n_windows: Windows to score, spread evenly over the runs.
        n_kmers: K-mers of a window.
        seed: Fixes the masked bases.
    """

    def __init__(
        self, genome: Genome, runs: np.ndarray, *, k: int, n_windows: int, n_kmers: int, seed: int
    ):
        stretches = genome.offsets[runs[:, 0], None] + runs[:, 1:]
        hidden = choose_masked_bases(
            stretches, k=k, n_kmers=n_kmers, n_windows=n_windows, seed=seed
        )
        self.hidden, self.k = hidden, k
        self._rows = [
            kmer_ids(genome.codes[start:end] & 3, k).astype(np.int64)
            for start, end in zip(hidden.starts, hidden.ends, strict=True)
        ]
        self._truth = (genome.codes[hidden.positions] & 3).astype(np.int64)

    @torch.no_grad()
    def __call__(self, model: Any) -> dict[str, float]:
        """Score a model, which must be in evaluation mode.

        Returns:
            Per masked base, `bits_per_base`, `standard_error` and `accuracy`; per masked k-mer, all
            of which are hidden, `loss` (nats) and `perplexity`; `n_bases`.
        """
        votes, losses = [], []
        n_rows = max(1, _BATCH_TOKENS // (max(map(len, self._rows)) + 2))
        for first in range(0, len(self._rows), n_rows):
            batch_votes, batch_losses = self._score_rows(model, first, first + n_rows)
            votes.append(batch_votes)
            losses.append(batch_losses)
        scores = score_bases(combine_votes(np.concatenate(votes)), self._truth, self.hidden.windows)
        loss = float(np.concatenate(losses).mean())
        return {
            **scores._asdict(),
            "loss": loss,
            "perplexity": math.exp(loss),
            "n_bases": len(self._truth),
        }

    def _score_rows(self, model: Any, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Votes (bases, k, 4) and losses (bases, k) of the masked bases of some windows."""
        rows, k = self._rows[first:last], self.k
        within = slice(*np.searchsorted(self.hidden.windows, [first, last]))
        row = self.hidden.windows[within] - first
        base = self.hidden.positions[within] - self.hidden.starts[first + row]
        kmer = (base - k + 1)[:, None] + np.arange(k)  # the k-mers over each masked base
        ids = np.zeros((len(rows), max(map(len, rows)) + 2), dtype=np.int64)
        for target, tokens in zip(ids, rows, strict=True):
            target[0], target[len(tokens) + 1] = _CLS, _SEP
            target[1 : len(tokens) + 1] = tokens
        original = ids[row[:, None], kmer + 1]
        before = ids[row, kmer[:, 0]] - _N_SPECIAL
        after = ids[row, kmer[:, -1] + 2] - _N_SPECIAL
        mask = (ids != 0).astype(np.int64)
        is_hidden = np.zeros(ids.shape, dtype=bool)
        is_hidden[row[:, None], kmer + 1] = True
        ids[is_hidden] = _MASK
        device = next(model.parameters()).device
        inputs = {"input_ids": ids, "attention_mask": mask}
        inputs = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
        states = model.bert(**inputs, return_dict=True).last_hidden_state
        # The head on the masked k-mers alone: those of all tokens would take many times the memory.
        logits = model.cls(states[torch.from_numpy(is_hidden).to(device)])
        scores = logits.float().log_softmax(-1).view(len(row), k, -1)
        candidates = agreeing_kmers(before, after, k=k) + _N_SPECIAL
        chosen = torch.from_numpy(np.concatenate([candidates, original[..., None]], axis=-1))
        found = scores.gather(-1, chosen.to(device)).cpu().numpy()
        return found[..., :4], -found[..., 4]
