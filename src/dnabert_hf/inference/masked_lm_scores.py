"""Scores of masked bases by a masked language model, from all k-mers over them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from dnabert_hf.data.masking.masked_bases import (
    MaskedBases,
    MaskedBaseScores,
    agreeing_kmers,
    combine_votes,
    score_bases,
)
from dnabert_hf.inference.engine.engine import Engine, Window
from dnabert_hf.inference.engine.layers import states_of
from dnabert_hf.inference.engine.progress import Progress
from dnabert_hf.inference.engine.vocabulary_head import apply_head

__all__ = ["ModelScores", "masked_base_log_probabilities", "score_model"]

_CHUNK_WINDOWS = 2048
_N_SPECIAL = 5  # [PAD] [UNK] [CLS] [SEP] [MASK] have the ids 0 to 4
_LETTERS = np.frombuffer(b"ATCG", dtype=np.uint8)


class ModelScores(NamedTuple):
    """Scores of a masked language model.

    Attributes:
        bases: Scores of the masked bases, from the k-mers over each of them.
        cross_entropy: Of the masked k-mers, mean in nats over the whole vocabulary.
        perplexity: exp(cross_entropy).
        kmer_accuracy: Share of the masked k-mers that the model gives the highest score.
    """

    bases: MaskedBaseScores
    cross_entropy: float
    perplexity: float
    kmer_accuracy: float

    def of_kmers(self) -> dict[str, float]:
        """Give the scores of the masked k-mers by their names."""
        return {name: value for name, value in self._asdict().items() if name != "bases"}


def score_model(engine: Engine, codes: np.ndarray, masked: MaskedBases) -> ModelScores:
    """Hide bases from a model and score what it says of them.

    Args:
        engine: Engine with a DNABertForMaskedLM.
        codes: The DNA that the bases were chosen in: digits 0 to 3 for A, T, C, G, uint8; the soft
            mask (bit 7) is ignored.
        masked: The bases.

    Returns:
        The scores.
    """
    k = engine.tokenizer.k
    chunks = []
    progress = Progress[list[Window]]("windows", lambda: len(masked.starts))
    for windows in progress.follow(_cut_windows(codes, masked), [engine]):
        rows = engine.run(windows, lambda model, inputs: _score_kmers(model, inputs, engine))
        chunks.append(np.concatenate(rows).reshape(-1, k, 5))
    scores = np.concatenate(chunks)
    truth = codes[masked.positions] & 3
    of_truth = np.take_along_axis(scores, truth[:, None, None].astype(np.intp), axis=2)[..., 0]
    cross_entropy = -float(of_truth.mean(dtype=np.float64))
    votes = combine_votes(scores[..., :4].astype(np.float64))
    return ModelScores(
        bases=score_bases(votes, truth, masked.windows),
        cross_entropy=cross_entropy,
        perplexity=float(np.exp(cross_entropy)),
        kmer_accuracy=float((of_truth == scores[..., 4]).mean()),
    )


def masked_base_log_probabilities(
    engine: Engine, windows: Sequence[Window], *, weight: float = 1
) -> np.ndarray:
    """Let a model say what a masked base is, from all k-mers over it.

    Args:
        engine: Engine with a DNABertForMaskedLM.
        windows: DNA of A, C, G and T with one N, the masked base, which has k bases or more on
            either side.
        weight: Share of the work on a chunk that this is, for the progress.

    Returns:
        Natural logarithms of the probabilities of A, T, C and G, float64, shape (windows, 4).
    """
    rows = engine.run(
        windows, lambda model, inputs: _score_kmers(model, inputs, engine), weight=weight
    )
    return combine_votes(np.stack(rows)[..., :4].astype(np.float64))


def _cut_windows(codes: np.ndarray, masked: MaskedBases) -> Iterator[list[Window]]:
    """Give the windows in chunks, N in place of each masked base."""
    firsts = np.searchsorted(masked.windows, np.arange(len(masked.starts) + 1))
    chunk: list[Window] = []
    for window, (start, end) in enumerate(zip(masked.starts, masked.ends, strict=True)):
        letters = _LETTERS[codes[start:end] & 3]
        positions = masked.positions[firsts[window] : firsts[window + 1]]
        letters[positions - start] = ord("N")
        chunk.append(Window(letters.tobytes().decode("ascii")))
        if len(chunk) == _CHUNK_WINDOWS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _score_kmers(
    model: Any, inputs: dict[str, torch.Tensor], engine: Engine
) -> tuple[torch.Tensor, ...]:
    """Score the k-mers over masked bases, a tensor of shape (masked k-mers, 5) for each row.

    The columns are the log-probabilities of the four k-mers with A, T, C and G in place of the
    masked base, and the highest one of all k-mers: 5 numbers for 4^k, which would not fit.
    """
    tokenizer, k = engine.tokenizer, engine.tokenizer.k
    is_masked = inputs["input_ids"] == tokenizer.unk_token_id
    ids = inputs["input_ids"].cpu().numpy()
    rows, columns = (index.reshape(-1, k)[:, 0] for index in is_masked.cpu().numpy().nonzero())
    before, after = ids[rows, columns - 1], ids[rows, columns + k]
    agreeing = agreeing_kmers(before - _N_SPECIAL, after - _N_SPECIAL, k=k) + _N_SPECIAL
    masked = inputs["input_ids"].masked_fill(is_masked, tokenizer.mask_token_id)
    n_masked = is_masked.sum(dim=1)
    # The masked ones first, in order; rows with fewer get others behind them.
    wanted = (~is_masked).to(torch.uint8).argsort(dim=1, stable=True)[:, : int(n_masked.max())]
    states = states_of(model.bert, {**inputs, "input_ids": masked}, wanted).last_hidden_state
    is_wanted = torch.arange(wanted.shape[1], device=wanted.device) < n_masked[:, None]
    candidates = torch.from_numpy(agreeing.reshape(-1, 4)).to(states.device)
    scores = apply_head(model, states[is_wanted], candidates, _agreeing_and_highest)
    return scores.split(n_masked.tolist())


def _agreeing_and_highest(scores: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
    log_probabilities = scores.log_softmax(-1)
    highest = log_probabilities.amax(1, keepdim=True)
    return torch.cat([log_probabilities.gather(1, candidates), highest], dim=1)
