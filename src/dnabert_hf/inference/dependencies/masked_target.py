"""Probabilities of one masked base, its k-mers all hidden, while other bases change."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from dnabert_hf.data.genome.store import BASE_CODES
from dnabert_hf.inference.engine.engine import Engine, Window
from dnabert_hf.inference.engine.layers import states_of
from dnabert_hf.inference.engine.vocabulary_head import apply_head

__all__ = ["Substitutions", "base_codes", "dependencies_on", "substitute"]

_LETTERS = "ATCG"
_N_SPECIAL = 5  # [PAD] [UNK] [CLS] [SEP] [MASK] have the ids 0 to 4
_OTHERS = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])  # letters that are not this one
_CODE_OF = np.full(256, 4, dtype=np.int64)
for _letter, _code in BASE_CODES.items():
    _CODE_OF[[ord(_letter), ord(_letter.lower())]] = min(_code, 4)
_CODE_OF[[ord("U"), ord("u")]] = _CODE_OF[ord("T")]


def base_codes(sequence: str) -> np.ndarray:
    """Write DNA as digits: A, T, C, G are 0 to 3, any other letter 4; int64, shape (bases,).

    Example:
        >>> base_codes("ATCGN").tolist()
        [0, 1, 2, 3, 4]
    """
    codes: np.ndarray = _CODE_OF[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]
    return codes


class Substitutions(NamedTuple):
    """A window with one base masked, and with each of some other bases replaced by each other.

    Attributes:
        windows: DNA with N in place of the masked base: first as it is, then with substitutions,
            three for each position, in the order A, T, C, G without what is there.
        positions: Where bases are replaced (0-based, in the window), shape (positions,).
        columns: Tokens of the k-mers over the masked base, -1 beyond an end of the window, shape
            (windows, k).
        candidates: Ids of these k-mers with A, T, C and G as the masked base, -1 where there is no
            such k-mer or it has another unknown base, shape (windows, k, 4).
    """

    windows: list[Window]
    positions: np.ndarray
    columns: np.ndarray
    candidates: np.ndarray


def substitute(sequence: str, target: int, positions: np.ndarray, *, k: int) -> Substitutions:
    """Mask a base of a window and replace others, one at a time.

    Args:
        sequence: DNA that the model takes in one row.
        target: The base to mask (0-based).
        positions: Bases to replace: known ones, not the target, int64.
        k: Bases per k-mer.

    Example:
        >>> each = substitute("ACGTA", 2, np.array([0]), k=3)
        >>> [window.sequence for window in each.windows]
        ['ACNTA', 'TCNTA', 'CCNTA', 'GCNTA']
        >>> each.columns[0].tolist()  # [CLS] is token 0
        [1, 2, 3]
    """
    codes = base_codes(sequence)
    where = np.repeat(positions, 3)
    becomes = _OTHERS[codes[positions]].ravel()
    n_rows = 1 + len(where)
    letters = np.tile(np.frombuffer(sequence.encode("ascii"), dtype=np.uint8), (n_rows, 1))
    changed = np.tile(codes, (n_rows, 1))
    rows = np.arange(1, n_rows)
    changed[rows, where] = becomes
    letters[rows, where] = np.frombuffer(_LETTERS.encode(), dtype=np.uint8)[becomes]
    letters[:, target] = ord("N")
    windows = [Window(row.tobytes().decode("ascii")) for row in letters]
    return Substitutions(windows, positions, *_kmers_over(changed, target, k=k))


def _kmers_over(codes: np.ndarray, target: int, *, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the k-mers over a base: their tokens, and their ids with each letter there."""
    n_rows, n_bases = codes.shape
    columns = np.full((n_rows, k), -1)
    candidates = np.full((n_rows, k, 4), -1)
    powers = 4 ** np.arange(k - 1, -1, -1)
    for index, first in enumerate(range(target - k + 1, target + 1)):
        if not 0 <= first <= n_bases - k:
            continue
        columns[:, index] = first + 1  # behind [CLS]
        digits = codes[:, first : first + k].copy()
        digits[:, target - first] = 0
        is_known = np.asarray((digits < 4).all(axis=1))
        ids = digits @ powers + _N_SPECIAL
        each = ids[:, None] + np.arange(4) * powers[target - first]
        candidates[:, index] = np.where(is_known[:, None], each, -1)
    return columns, candidates


def dependencies_on(
    engine: Engine, masked: Sequence[Substitutions]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Compare the odds of masked bases with and without substitutions.

    The dependency of a target on a position is, as Tomaz da Silva et al. (Nature Genetics 2025)
    define it, max |log2(odds of a letter with the substitution / odds without)| over the letters of
    the target and the three substitutions.

    Args:
        engine: Engine with a DNABertForMaskedLM.
        masked: Windows with a masked base and its substitutions.

    Yields:
        For each of them the probabilities of A, T, C and G at the masked base, shape (4,), and the
        dependency on each position, shape (positions,); NaN where no k-mer over the base is known
        but for it.
    """
    windows = [window for each in masked for window in each.windows]
    extras = {
        "columns": np.concatenate([each.columns for each in masked]),
        "candidates": np.concatenate([each.candidates for each in masked]),
    }

    def compute(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return _log_probabilities(model, inputs, mask_token_id=engine.tokenizer.mask_token_id)

    rows = np.stack(engine.run(windows, compute, extras=extras)).astype(np.float64)
    begin = 0
    for each in masked:
        of_target = rows[begin : begin + len(each.windows)]
        begin += len(each.windows)
        odds = _log2_odds(of_target)
        moved = np.abs(odds[1:] - odds[0]).reshape(len(each.positions), 12)
        yield np.exp(of_target[0]), moved.max(axis=1, initial=0.0)


def _log_probabilities(
    model: Any, inputs: dict[str, torch.Tensor], *, mask_token_id: int
) -> torch.Tensor:
    """Give ln P of A, T, C and G from the k-mers over each masked base, shape (rows, 4).

    A k-mer says of the base what it gives to the four k-mers that agree with the other letters; the
    k-mers over a base are joined by the geometric mean, as in `combine_votes`.
    """
    inputs = dict(inputs)
    columns, candidates = inputs.pop("columns"), inputs.pop("candidates")
    ids = inputs["input_ids"]
    n_rows, n_tokens = ids.shape
    is_over = torch.zeros(n_rows, n_tokens + 1, dtype=torch.bool, device=ids.device)
    is_over.scatter_(1, columns.where(columns >= 0, n_tokens), True)
    masked = ids.masked_fill(is_over[:, :-1], mask_token_id)
    outputs = states_of(model.bert, {**inputs, "input_ids": masked}, columns.clamp(min=0))
    of_kmers = outputs.last_hidden_state.flatten(0, 1)
    wanted = candidates.clamp(min=0).flatten(0, 1)
    scores = apply_head(model, of_kmers, wanted, lambda all_, ids: all_.gather(1, ids))
    scores = scores.view_as(candidates)
    is_vote = candidates[..., :1] >= 0
    votes = scores.log_softmax(-1).masked_fill(~is_vote, 0)
    return (votes.sum(1) / is_vote.sum(1)).log_softmax(-1)


def _log2_odds(log_probabilities: np.ndarray) -> np.ndarray:
    """Give log2(p / (1 - p)) of natural logarithms of p, without losing what is near 1."""
    with np.errstate(invalid="ignore"):  # NaN stays NaN
        others = [
            np.logaddexp.reduce(np.delete(log_probabilities, letter, axis=-1), axis=-1)
            for letter in range(4)
        ]
    odds: np.ndarray = (log_probabilities - np.stack(others, axis=-1)) / np.log(2)
    return odds
