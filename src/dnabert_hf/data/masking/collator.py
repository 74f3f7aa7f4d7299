"""Masked language modelling batches with spans of contiguous k-mers masked."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from dnabert_hf.data.masking.schedule import MaskingStage, centre_probability
from dnabert_hf.modeling.tokenization_dnabert import id_dtype

__all__ = ["DataCollatorForContiguousKmerMasking"]

_N_SPECIAL = 5  # [PAD] [UNK] [CLS] [SEP] [MASK] have the ids 0 to 4
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_COINS_PER_WORD = 4  # 16 bits each: 2**-16 is finer than any share asked for


@dataclass
class DataCollatorForContiguousKmerMasking:
    """Pads sequences to a batch and masks spans of k contiguous k-mers (Ji et al. 2021).

    Because k-mers overlap, a single masked k-mer can be read off its neighbours; a span of k hides
    one base. Centres of spans are drawn with the probability that masks `mlm_probability` of the
    k-mers in the long run; spans that overlap merge. Special tokens, padding, [UNK] and added
    tokens are never masked.

    Args:
        tokenizer: A DNABERT tokenizer; its `k` is the length of the spans.
        mlm_probability: Share of the k-mers to be masked, between 0 and 1, exclusive.
        per_span: Decide once per masked run, not once per token, whether it becomes [MASK] (80 %),
            random k-mers (10 %) or stays (10 %). The published rule decides per token, which at
            k = 6 lets nearly half of the masked bases be read off an unchanged neighbour.
        pad_to_multiple_of: Pad the length to a multiple of this.
        seed: Makes the masks reproducible, whatever the number of workers and wherever a resumed
            run begins. The mask of an example that brings its "index" (its position in the stream
            of all examples) depends on seed and index alone, so that it does not matter which
            examples share a batch or a process. Without an index, masks depend on the seed and the
            content of the batch: the same sequences in the same order are masked alike again (as
            wanted in evaluation), shuffling gives fresh masks in every epoch. Without a seed,
            masks follow torch's random state.
        schedule: How the masking changes with the index of the examples, in place of
            `mlm_probability`; stages in order, the first from 0 on.

    Raises:
        ValueError: If the probability is out of range or the tokenizer has no k.
    """

    tokenizer: PreTrainedTokenizerBase
    mlm_probability: float = 0.15
    per_span: bool = False
    pad_to_multiple_of: int | None = None
    seed: int | None = None
    schedule: Sequence[MaskingStage] = ()

    def __post_init__(self) -> None:
        stages = tuple(self.schedule) or (MaskingStage(0, self.mlm_probability),)
        for stage in stages:
            if not 0 < stage.mlm_probability < 1:
                raise ValueError(
                    f"mlm_probability must be between 0 and 1, got {stage.mlm_probability}"
                )
        if not isinstance(getattr(self.tokenizer, "k", None), int):
            raise ValueError(
                "tokenizer must be a DNABERT tokenizer with a k, got "
                f"{type(self.tokenizer).__name__}; load it with AutoTokenizer after "
                "`import dnabert_hf`"
            )
        k = self.tokenizer.k
        self._begins = np.array([stage.begin for stage in stages])
        self._max_spans = np.array([stage.max_span or k for stage in stages])
        if self._begins[0] or (np.diff(self._begins) < 0).any() or (self._max_spans < k).any():
            raise ValueError(
                "the stages of a schedule must begin at 0, follow each other and have spans of k = "
                f"{k} tokens at least, got {stages}"
            )
        shares = [centre_probability(s.mlm_probability, k, s.max_span) for s in stages]
        # Integers compared with a threshold are the cheapest coin.
        self._thresholds = np.array([round(share * 2**16) for share in shares])

    def __call__(self, examples: Sequence[Any]) -> dict[str, torch.Tensor]:
        """Make a masked batch.

        Args:
            examples: Raw sequences (str), token ids with their special tokens (list, array or
                tensor, of any lengths), or mappings that hold either as "sequence" or "input_ids"
                and, if masks are to depend on it, an "index".

        Returns:
            `input_ids`, `attention_mask` and `labels` (the original ids at masked positions, -100
            elsewhere), int64, shape (batch, tokens).
        """
        ids, attention_mask = self._pad(examples)
        index = None
        if isinstance(examples[0], Mapping) and "index" in examples[0]:
            index = np.array([example["index"] for example in examples])
        inputs, labels = self.mask(ids, index)
        return {
            "input_ids": torch.from_numpy(inputs),
            "attention_mask": torch.from_numpy(attention_mask),
            "labels": torch.from_numpy(labels),
        }

    def mask(
        self, ids: np.ndarray, index: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mask spans of a padded batch.

        Args:
            ids: Token ids, int64, shape (batch, tokens).
            index: Place of each row in the stream of all examples, from 0, shape (batch,).

        Returns:
            Masked ids and labels, int64, shape (batch, tokens).

        Raises:
            ValueError: If there is a schedule but no index.
        """
        if index is None and len(self._begins) > 1:
            raise ValueError(
                'a schedule needs the "index" of each example, its position in the stream; found '
                "none"
            )
        n_kmers = 4**self.tokenizer.k
        keys = self._keys(ids, index)
        stages = np.searchsorted(self._begins, [0] if index is None else index, side="right") - 1
        is_masked = self._draw_spans(keys, stages, ids.shape[1])
        is_masked &= (ids >= _N_SPECIAL) & (ids < _N_SPECIAL + n_kmers)

        rows, columns = np.nonzero(is_masked)
        original = ids[rows, columns]
        words = _mix(_mix(~keys)[rows] + _GOLDEN * columns.astype(np.uint64))
        fate = words >> np.uint64(32)
        if self.per_span and len(rows):
            goes_on = (np.diff(rows, prepend=-1) == 0) & (np.diff(columns, prepend=-2) == 1)
            fate = fate[np.flatnonzero(~goes_on)][np.cumsum(~goes_on) - 1]
        below = (words & np.uint64(2**32 - 1)) * np.uint64(n_kmers) >> np.uint64(32)
        random_kmers = below.astype(np.int64) + _N_SPECIAL
        replaced = np.where(fate < round(0.9 * 2**32), random_kmers, original)
        inputs, labels = ids.copy(), np.full_like(ids, -100)
        is_masked = fate < round(0.8 * 2**32)
        inputs[rows, columns] = np.where(is_masked, self.tokenizer.mask_token_id, replaced)
        labels[rows, columns] = original
        return inputs, labels

    def _draw_spans(self, keys: np.ndarray, stages: np.ndarray, width: int) -> np.ndarray:
        """Tell which columns of rows with these keys lie in a span, bool, shape (rows, width)."""
        k = self.tokenizer.k
        longest = int(self._max_spans[stages].max())
        # Centres just outside count too, so that the k-mers at the ends get their full share.
        n_coins = width + longest - 1
        counters = np.arange(1, n_coins // _COINS_PER_WORD + 2, dtype=np.uint64)
        coins = _mix(keys[:, None] + _GOLDEN * counters).view(np.uint16)[:, :n_coins]
        is_centre = coins < self._thresholds[stages, None].astype(np.uint16)
        if longest == k:
            is_masked = is_centre[:, :width].copy()
            for distance in range(1, k):
                is_masked |= is_centre[:, distance : distance + width]
            return is_masked
        # The centre is the last token of its span: with spans of several lengths as with one, it
        # makes no difference to the result where in the span the centre stands.
        rows, columns = np.nonzero(is_centre)
        words = _mix(_mix(keys ^ _GOLDEN)[rows] + _GOLDEN * columns.astype(np.uint64))
        spread = np.broadcast_to(self._max_spans[stages] - k + 1, len(keys))[rows]
        spans = np.zeros(coins.shape, dtype=np.int16)
        spans[rows, columns] = k + ((words >> np.uint64(32)).astype(np.int64) * spread >> 32)
        is_masked = spans[:, :width] > 0
        for distance in range(1, longest):
            is_masked |= spans[:, distance : distance + width] > distance
        return is_masked

    def _pad(self, examples: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Turn examples into padded ids and their attention mask, int64, shape (batch, tokens)."""
        values = [_content(example) for example in examples]
        if all(isinstance(value, str) for value in values):
            encoded = self.tokenizer(
                values,
                padding=True,
                pad_to_multiple_of=self.pad_to_multiple_of,
                return_tensors="np",
                return_token_type_ids=False,
            )
            return encoded["input_ids"], encoded["attention_mask"]
        rows = [np.asarray(value, dtype=np.int64) for value in values]
        width, multiple = max(map(len, rows)), self.pad_to_multiple_of or 1
        width = -(-width // multiple) * multiple
        ids = np.zeros((len(rows), width), dtype=np.int64)  # [PAD] is 0
        for target, row in zip(ids, rows, strict=True):
            target[: len(row)] = row
        return ids, (ids != 0).astype(np.int64)

    def _keys(self, ids: np.ndarray, index: np.ndarray | None) -> np.ndarray:
        """Make a random key for each row, uint64, shape (rows,)."""
        seed = int(torch.randint(2**31, (1,))) if self.seed is None else self.seed
        if index is None:
            seed = seed << 32 | zlib.crc32(ids.astype(id_dtype(self.tokenizer.k)).tobytes())
            index = np.arange(len(ids))
        start = _mix(np.array([seed % 2**64], dtype=np.uint64))
        return _mix(start + _GOLDEN * (index.astype(np.uint64) + np.uint64(1)))


def _mix(words: np.ndarray) -> np.ndarray:
    """Scatter 64-bit words: the last step of SplitMix64 (Steele, Lea and Flood 2014).

    Random numbers that are a function of a key and a counter need no generator per row, and a row
    gets the same ones whatever batch it is in.
    """
    words = (words ^ (words >> np.uint64(30))) * _FACTORS[0]
    words = (words ^ (words >> np.uint64(27))) * _FACTORS[1]
    return words ^ (words >> np.uint64(31))


def _content(example: Any) -> Any:
    if isinstance(example, str | list | np.ndarray | torch.Tensor):
        return example
    for name in ("input_ids", "sequence"):
        if name in example:
            return example[name]
    raise ValueError(
        f'an example must hold "input_ids" or "sequence", found {", ".join(map(repr, example))}'
    )
