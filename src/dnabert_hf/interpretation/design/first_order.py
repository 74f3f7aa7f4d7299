"""First-order estimates of every substitution: one pass forward and back in place of thousands.

As gradient-guided designs do (Linder and Seelig 2021; Schreiber et al. 2025, Ledidi), with k-mers
in place of one-hot bases: a base changes all the k-mers over it, and each pulls its embedding along
the gradient.
"""

from typing import Any

import numpy as np
import torch

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.predict import cut_into_pieces
from dnabert_hf.interpretation.attribution.gradients import class_logits
from dnabert_hf.interpretation.experiments.scoring import ClassScorer

__all__ = ["estimate_substitutions"]

_N_SPECIAL = 5
_DIGITS = "ATCG"  # of the ids of k-mers
_COLUMNS = ["ACGT".index(letter) for letter in _DIGITS]


def estimate_substitutions(scorer: ClassScorer, sequence: str) -> np.ndarray:
    """Estimate how each substitution changes the log odds of a class, or a value.

    Args:
        scorer: The model and its class.
        sequence: Upper-case DNA, of any length that the model takes.

    Returns:
        Estimates for A, C, G and T at each base, shape (bases, 4), 0 for the base that is there;
        k-mers with an unknown base count for nothing.
    """
    estimates = _of_strand(scorer, sequence)
    if scorer.both_strands:
        others = _of_strand(scorer, reverse_complement(sequence))
        estimates = (estimates + others[::-1, ::-1]) / 2
    return estimates


def _of_strand(scorer: ClassScorer, sequence: str) -> np.ndarray:
    engine = scorer.engine
    engine.model.requires_grad_(False)  # this is the engine's own copy of the model
    k = engine.tokenizer.k
    pieces = cut_into_pieces(engine, SequenceRecord("sequence", sequence))
    found = np.zeros((len(sequence), 4))
    with torch.enable_grad():
        inputs = engine.tokenize(pieces)
        gradients = _gradients(scorer, engine, inputs)
    # Each k-mer of the sequence is in one piece, behind [CLS].
    starts = np.cumsum([0, *(len(piece.sequence) - k + 1 for piece in pieces)])
    for row, piece in enumerate(pieces):
        n_kmers = len(piece.sequence) - k + 1
        ids = inputs["input_ids"][row, 1 : n_kmers + 1]
        of_piece = _of_kmers(engine.model, ids, gradients[row, 1 : n_kmers + 1], k)
        found[starts[row] : starts[row] + len(of_piece)] += of_piece
    return found


def _gradients(
    scorer: ClassScorer, engine: Engine, inputs: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Give the gradient of the class by the embedding of each token, (pieces, tokens, hidden)."""
    model = engine.model
    words = model.bert.embeddings.word_embeddings
    point = words(inputs["input_ids"]).detach().requires_grad_()
    hook = words.register_forward_hook(lambda *_: point)
    try:
        pooled = model.bert(**inputs, return_dict=True).pooler_output.float()
    finally:
        hook.remove()
    rows = torch.zeros(len(pooled), dtype=torch.long, device=pooled.device)
    with torch.backends.cudnn.flags(enabled=False):  # its LSTM has no way back in evaluation
        logits = model.classify(pooled, rows)
    target = torch.tensor([scorer.column], device=logits.device)
    objective = class_logits(logits.float(), target, scorer.problem_type).sum()
    (gradient,) = torch.autograd.grad(objective, point)
    return gradient.float()


def _of_kmers(model: Any, ids: torch.Tensor, gradients: torch.Tensor, k: int) -> np.ndarray:
    """Add up what the k-mers over each base say of its substitutions, (bases, 4)."""
    table = model.bert.embeddings.word_embeddings.weight.float()
    codes = ids - _N_SPECIAL
    is_known = codes >= 0
    own = (gradients * table[ids]).sum(-1)
    found = np.zeros((len(ids) + k - 1, 4))
    for offset in range(k):
        power = 4 ** (k - 1 - offset)
        digit = codes.div(power, rounding_mode="floor") % 4
        for letter, column in enumerate(_COLUMNS):
            changed = torch.where(is_known, ids + (letter - digit) * power, ids)
            gain = ((gradients * table[changed]).sum(-1) - own).cpu().numpy()
            found[offset : offset + len(ids), column] += gain
    return found
