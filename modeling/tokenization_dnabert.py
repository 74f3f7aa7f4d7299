"""Tokenizer of DNABERT: raw DNA to overlapping k-mers, vectorised over the batch."""

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from transformers import BatchEncoding, PreTrainedTokenizer
from transformers.tokenization_utils_base import TruncationStrategy
from transformers.utils import logging
from transformers.utils.generic import PaddingStrategy

__all__ = ["BASES", "DNABertTokenizer", "id_dtype", "kmer_ids"]

logger = logging.get_logger(__name__)

LEAST_K, MOST_K = 2, 8
BASES = "ATCG"  # in the order of the vocabulary: the first base has digit 0
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # ids 0 to 4
PAD_ID, UNK_ID, CLS_ID, SEP_ID, MASK_ID = range(5)
N_SPECIAL = len(SPECIAL_TOKENS)
_FIXED_TOKENS = dict(
    zip(
        ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"),
        SPECIAL_TOKENS,
        strict=True,
    )
)

# Code of every byte: 0-3 the four bases, then what is not one.
_UNKNOWN, _HIDDEN, _SPACE, _BRACKET, _INVALID = 4, 5, 6, 7, 8
_HIDDEN_BASE = "\0"  # stands for [MASK] inside raw DNA while it is coded
_SPACES = " \t\r\n\v\f"
_LABEL_ADVICE = ": labels have it where no token counts; put tokenizer.pad_token_id in its place"


def _byte_codes() -> bytes:
    codes = bytearray([_INVALID]) * 256
    groups = {_UNKNOWN: "RYSWKMBDHVN", _SPACE: _SPACES, _BRACKET: "[<"}
    groups.update(enumerate(BASES))
    groups[BASES.index("T")] += "U"
    for code, letters in groups.items():
        for letter in letters + letters.lower():
            codes[ord(letter)] = code
    return bytes(codes)


_CODES = _byte_codes()
_HIDDEN_CODES = bytearray(_CODES)
_HIDDEN_CODES[ord(_HIDDEN_BASE)] = _HIDDEN


class _Tokens(NamedTuple):
    """Token ids of many sequences, one behind the other, without [CLS] and [SEP].

    `offsets` and `words` are None where every text is one word of plain DNA, which tells them.
    """

    k: int
    ids: np.ndarray  # (total,), unsigned
    first: np.ndarray  # (sequences,): where each sequence begins in `ids`
    counts: np.ndarray  # (sequences,): its tokens
    # (total, 2): begin and end of each token in the characters of its own text or word
    offsets: np.ndarray | None = None
    words: np.ndarray | None = None  # (total,): the word in which each token begins, -1 for none

    def spans(self) -> np.ndarray:
        """Begin and end of each token, shape (total, 2)."""
        if self.offsets is not None:
            return self.offsets
        starts = (
            np.arange(len(self.ids))
            - np.repeat(self.first, self.counts + self.k - 1)[: len(self.ids)]
        )
        return np.stack([starts, starts + self.k], axis=1)

    def word_indices(self) -> np.ndarray:
        """Word in which each token begins, shape (total,)."""
        return np.zeros(len(self.ids), dtype=np.int64) if self.words is None else self.words


class _Coded(NamedTuple):
    """Tokens of one text or word."""

    ids: np.ndarray  # (tokens,)
    offsets: np.ndarray  # (tokens, 2)
    words: np.ndarray  # (tokens,)


class DNABertTokenizer(PreTrainedTokenizer):
    """Turns DNA into overlapping k-mers, [CLS] in front and [SEP] behind (Ji et al. 2021).

    A sequence of n bases gives n - k + 1 k-mers. The ids are those of the original vocabularies:
    5 special tokens, then all k-mers over A, T, C, G (in this order), the last base fastest.

    Accepts raw DNA or RNA in upper or lower case (white space is ignored), k-mer text as the
    original takes it ("ATG TGG GGC"), and `[MASK]` inside raw DNA, which hides one base: all k
    k-mers over it become `[MASK]`. A k-mer with another IUPAC letter (N, R, Y, ...) is `[UNK]`.
    Texts may also be lists of words (`is_split_into_words=True`) or of ids.

    `return_offsets_mapping` gives begin and end of each token in its text, 0-based and half-open.
    With `return_overflowing_tokens`, a sequence longer than `max_length` gives one row a window,
    `stride` tokens shared by neighbours, and `overflow_to_sample_mapping`.

    Args:
        vocab_file: `vocab.txt` of a DNABERT checkpoint; checked against the vocabulary of k.
        k: Bases per k-mer, 2 to 8; taken from `vocab_file`, or 6 without one.
        model_max_length: Tokens that the model takes, [CLS] and [SEP] included.
        **kwargs: As in `transformers.PreTrainedTokenizer`.

    Raises:
        ValueError: At construction, if k is not supported or `vocab_file` is no DNABERT
            vocabulary; in a call, if a letter is no nucleotide or a sequence is shorter than k.

    Example:
        >>> tokenizer = DNABertTokenizer(k=3)
        >>> tokenizer("ATGGCT")["input_ids"]
        [2, 12, 36, 67, 62, 3]
        >>> tokenizer.decode([2, 12, 36, 67, 62, 3], skip_special_tokens=True)
        'ATGGCT'
    """

    vocab_files_names = {"vocab_file": "vocab.txt"}
    model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    _auto_class = "AutoTokenizer"

    def __init__(
        self,
        vocab_file: str | None = None,
        k: int | None = None,
        model_max_length: int = 512,
        **kwargs: Any,
    ):
        if vocab_file is not None:
            k = _check_vocabulary(Path(vocab_file), k)
        k = 6 if k is None else k
        if k not in range(LEAST_K, MOST_K + 1):
            raise ValueError(f"k must be from {LEAST_K} to {MOST_K}, got {k!r}")
        self.k = k
        self._kmers = ["".join(kmer) for kmer in itertools.product(BASES, repeat=k)]
        self._token_ids = {token: i for i, token in enumerate((*SPECIAL_TOKENS, *self._kmers))}
        self._splits_dna = False
        for name, token in _FIXED_TOKENS.items():
            given = kwargs.pop(name, token)
            _check_fixed(name, given["content"] if isinstance(given, dict) else given)
            kwargs[name] = token
        # do_lower_case: the published configs say true, which is wrong for them. The others are
        # notes of from_pretrained about the machine, which must not be saved again.
        for name in ("do_lower_case", "is_local", "local_files_only", "special_tokens_pattern"):
            kwargs.pop(name, None)
        super().__init__(
            k=k, model_max_length=model_max_length, special_tokens_pattern="cls_sep", **kwargs
        )
        self.init_kwargs.pop("special_tokens_pattern", None)

    def __setattr__(self, key: str, value: Any) -> None:
        """Set an attribute; the five special tokens and their ids cannot be changed."""
        name = key.removesuffix("_id")
        if name in _FIXED_TOKENS:
            is_id = key != name and value in range(N_SPECIAL)
            _check_fixed(name, SPECIAL_TOKENS[value] if is_id else value)
        super().__setattr__(key, value)

    @property
    def is_fast(self) -> bool:
        """Whether tokens come with offsets, which is what the pipelines ask this for."""
        return True

    @property
    def vocab(self) -> dict[str, int]:
        """Every token, the added ones included, and its id."""
        return self.get_vocab()

    @property
    def vocab_size(self) -> int:
        """Size of the vocabulary without added tokens: 5 + 4**k."""
        return len(self._token_ids)

    def get_vocab(self) -> dict[str, int]:
        """Map every token, the added ones included, to its id."""
        return self._token_ids | self.added_tokens_encoder

    def save_vocabulary(
        self, save_directory: str, filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write `vocab.txt`, one token a line, the line number being the id."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        path = Path(save_directory) / f"{prefix}vocab.txt"
        path.write_text("".join(f"{token}\n" for token in self._token_ids), encoding="utf-8")
        return (str(path),)

    def _add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Add tokens; a k-mer is there already, so that adding it changes nothing."""
        return super()._add_tokens(
            [t for t in new_tokens or () if self._token_ids.get(str(t), 0) < N_SPECIAL],
            special_tokens,
        )

    def _update_trie(self, unique_no_split_tokens: list[str] | None = None) -> None:
        """Note the added tokens, after each change of them."""
        super()._update_trie(unique_no_split_tokens)
        added = sorted(self._added_tokens_encoder, key=len, reverse=True)
        pattern = "|".join(re.escape(token) for token in added if token != "[MASK]")
        self._added_pattern = re.compile(f"({pattern})" if pattern else "(?!)")
        self._splits_dna = any(_is_dna(token) for token in added)
        self._added_names = {i: token for token, i in self._added_tokens_encoder.items()}

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **kwargs: Any
    ) -> list[str]:
        """Turn a text, and the second of a pair, into tokens."""
        texts = [text] if pair is None else [text, pair]
        ids = [self._encode_items(_checked([t], is_split=False)).ids for t in texts]
        tokens = np.concatenate(ids).tolist()
        if add_special_tokens:
            tokens = self.build_inputs_with_special_tokens(*(each.tolist() for each in ids))
        return self.convert_ids_to_tokens(tokens)

    def _convert_token_to_id(self, token: str) -> int:
        known = self._token_ids.get(token)
        return self._token_ids.get(_plain(token), UNK_ID) if known is None else known

    def _convert_id_to_token(self, index: int) -> str:
        if 0 <= index < N_SPECIAL:
            return SPECIAL_TOKENS[index]
        if not 0 <= index < self.vocab_size:
            raise ValueError(
                f"token ids must be from 0 to {len(self) - 1}, the vocabulary of k = {self.k}, got "
                f"{index}" + (_LABEL_ADVICE if index == -100 else "")
            )
        return self._kmers[index - N_SPECIAL]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join tokens to DNA; hidden bases are written [MASK], unknown ones N."""
        return self._join(tokens, hidden="[MASK]")

    def _decode(
        self,
        token_ids: int | list[int],
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **kwargs: Any,
    ) -> str:
        ids = np.atleast_1d(np.asarray(token_ids)).tolist()
        if not skip_special_tokens:
            return self._join(self.convert_ids_to_tokens(ids), hidden="[MASK]")
        dropped = set(self.all_special_ids) - {UNK_ID, MASK_ID}
        # [SEP] stays until the sequences of a pair are told apart.
        kept = [i for i in ids if i not in dropped or i == SEP_ID]
        return self._join(self.convert_ids_to_tokens(kept), hidden="N", without=("[SEP]",))

    def _join(self, tokens: list[str], *, hidden: str, without: tuple[str, ...] = ()) -> str:
        """Write runs of k-mers as DNA and whatever stands between them as it is."""
        parts: list[str] = []
        for is_dna, run in itertools.groupby(tokens, key=self._is_dna_token):
            if is_dna:
                parts.extend(_merge_kmers(list(run), self.k, hidden))
            else:
                parts.extend(token for token in run if token not in without)
        return " ".join(parts)

    def _is_dna_token(self, token: str) -> bool:
        return token in ("[UNK]", "[MASK]") or self._token_ids.get(token, 0) >= N_SPECIAL

    def _encode_plus(  # type: ignore[override]  # adds return_offsets_mapping
        self,
        text: Any,
        text_pair: Any = None,
        add_special_tokens: bool = True,
        padding_strategy: PaddingStrategy = PaddingStrategy.DO_NOT_PAD,
        truncation_strategy: TruncationStrategy = TruncationStrategy.DO_NOT_TRUNCATE,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        **kwargs: Any,
    ) -> BatchEncoding:
        texts, pairs, is_batch = _as_batch(text, text_pair, is_split_into_words)
        first = self._encode_items(texts)
        second = None if pairs is None else self._encode_items(pairs)
        n_special = (2 if second is None else 3) if add_special_tokens else 0
        rows = self._rows(
            first,
            second,
            None
            if truncation_strategy == TruncationStrategy.DO_NOT_TRUNCATE or max_length is None
            else max_length - n_special,
            TruncationStrategy(truncation_strategy),
            stride=stride,
            overflow=return_overflowing_tokens,
        )
        layout = _Layout(first, second, rows, add_special_tokens)
        names = self.model_input_names
        columns: dict[str, Callable[[], list[np.ndarray]]] = {"input_ids": layout.input_ids}
        fill = {"input_ids": PAD_ID, "special_tokens_mask": 1}
        if return_token_type_ids or (return_token_type_ids is None and "token_type_ids" in names):
            columns["token_type_ids"] = layout.token_type_ids
        if return_attention_mask or (return_attention_mask is None and "attention_mask" in names):
            columns["attention_mask"] = layout.attention_mask
        if return_special_tokens_mask:
            columns["special_tokens_mask"] = layout.special_tokens_mask
        if return_offsets_mapping:
            columns["offset_mapping"] = layout.offset_mapping

        width = _padded_width(layout.lengths, padding_strategy, max_length, pad_to_multiple_of)
        side = padding_side or self.padding_side
        data: dict[str, Any] = {}
        if return_tensors is not None:
            for name, column in columns.items():
                matrix = layout.matrix(name, column, width, side, fill.get(name, 0))
                data[name] = _as_tensor(matrix, return_tensors)
        else:
            for name, column in columns.items():
                data[name] = _as_lists(column(), width, side, fill.get(name, 0))
        if return_length:
            length = layout.lengths if width is None else np.full(len(rows), width)
            data["length"] = length.tolist()
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = rows[:, 0].tolist()
        added = dict(self._added_names)
        encodings: Any = _Encodings(layout.without_ids(), data["input_ids"], width, side, added)
        if not is_batch and return_tensors is None and not return_overflowing_tokens:
            data = {name: rows_of_one[0] for name, rows_of_one in data.items()}
        elif return_tensors is not None:
            for name in ("length", "overflow_to_sample_mapping"):
                if name in data:
                    data[name] = _as_tensor(np.asarray(data[name]), return_tensors)
        return BatchEncoding(data, encodings, n_sequences=1 if second is None else 2)

    def _encode_items(self, items: list[Any]) -> _Tokens:
        """Encode texts, lists of words or lists of ids."""
        if all(issubclass(kind, str) for kind in set(map(type, items))):
            return self._encode_texts(items)
        parts = []
        for i, item in enumerate(items):
            if isinstance(item, str):
                parts.append(self._encode_text(item, i))
            elif len(item) and all(isinstance(value, int | np.integer) for value in item):
                parts.append(self._take_ids(item, i))
            else:
                parts.append(self._encode_words(item, i))
        return self._concatenate(parts)

    def _encode_texts(self, texts: list[str]) -> _Tokens:
        if not self._splits_dna:
            joined = "".join(texts)
            count = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)) - (self.k - 1)
            if joined.isascii():
                codes = np.frombuffer(joined.encode("ascii").translate(_CODES), dtype=np.uint8)
                if codes.size and codes.max() <= _UNKNOWN and count.min() > 0:
                    first = np.cumsum(count + self.k - 1) - (count + self.k - 1)
                    return _Tokens(self.k, kmer_ids(codes, self.k), first, count)
        return self._concatenate([self._encode_text(t, i) for i, t in enumerate(texts)])

    def _concatenate(self, parts: list[_Coded]) -> _Tokens:
        if not parts:
            return _Tokens(self.k, *np.zeros((3, 0), dtype=np.int64))
        count = np.array([len(part.ids) for part in parts], dtype=np.int64)
        ids, offsets, words = map(np.concatenate, zip(*parts, strict=True))
        return _Tokens(self.k, ids, np.cumsum(count) - count, count, offsets, words)

    def _take_ids(self, values: Any, index: int) -> _Coded:
        """Check ids that come in place of a text."""
        ids = np.asarray(values, dtype=np.int64)
        if ids.min() < 0 or ids.max() >= len(self):
            at = int(np.argmax((ids < 0) | (ids >= len(self))))
            raise ValueError(
                f"{_name(index)} must hold ids from 0 to {len(self) - 1}, the vocabulary of k = "
                f"{self.k}; found {ids[at]} at position {at} (0-based)"
            )
        return _Coded(ids, np.zeros((len(ids), 2), dtype=np.int64), np.full(len(ids), -1))

    def _encode_words(self, words: Any, index: int) -> _Coded:
        """Encode a text that came as words; offsets count within each word."""
        for word in words:
            if not isinstance(word, str):
                raise ValueError(_no_text(index, words))
        parts = [self._encode_text(word, index) for word in words]
        if not parts:
            raise ValueError(_too_short(index, 0, self.k))
        words_of_tokens = np.repeat(np.arange(len(parts)), [len(part.ids) for part in parts])
        ids, offsets, _ = map(np.concatenate, zip(*parts, strict=True))
        return _Coded(ids, offsets, words_of_tokens)

    def _encode_text(self, text: str, index: int) -> _Coded:
        """Encode one text of any form."""
        parts: list[_Coded] = []
        at, n_words = 0, 0
        for piece in self._added_pattern.split(text):
            if piece in self._added_tokens_encoder:
                ids, span = np.array([self._added_tokens_encoder[piece]]), [[0, len(piece)]]
                part = _Coded(ids, np.array(span), np.zeros(1, dtype=np.int64))
            elif piece.strip(_SPACES) or piece == text:
                part = self._encode_dna(piece, index, at)
            else:
                at += len(piece)
                continue
            parts.append(_Coded(part.ids, part.offsets + at, part.words + n_words))
            at += len(piece)
            n_words += int(part.words[-1]) + 1
        return _Coded(*map(np.concatenate, zip(*parts, strict=True)))

    def _encode_dna(self, text: str, index: int, at: int) -> _Coded:
        """Encode raw DNA or k-mer text, at `at` of its text, with no added tokens but [MASK]."""
        words = [(m.group(), m.start()) for m in re.finditer(r"\S+", text)]
        width = _kmer_text_width([word for word, _ in words])
        if width == self.k:
            return self._encode_kmer_text(words, index, at)
        is_one_line = "\n" not in text.strip()  # lines are wrapped DNA, whatever their length
        is_other = width is not None and width > 1 and is_one_line  # all single letters overlap
        if is_other and _overlap([word for word, _ in words]):
            has_tokenizer = LEAST_K <= (width or 0) <= MOST_K
            advice = f"use the tokenizer of k = {width}, or " if has_tokenizer else ""
            raise ValueError(
                f"{_name(index)}: the text is made of {width}-mers and the tokenizer of k = "
                f"{self.k}: {advice}pass the DNA without spaces"
            )
        # Raw DNA: [MASK] becomes one letter, white space goes, and both are kept in the offsets.
        begins, ends, letters = [], [], []
        for match in re.finditer(r"\[MASK\]|\S", text):
            begins.append(match.start())
            ends.append(match.end())
            letters.append(match.group() if match.group() != "[MASK]" else _HIDDEN_BASE)
        if _HIDDEN_BASE in text:
            raise ValueError(_no_nucleotide(index, at + text.index(_HIDDEN_BASE), _HIDDEN_BASE))
        if len(letters) < self.k:
            raise ValueError(_too_short(index, len(letters), self.k))
        dna = "".join(letters)
        # What is not ASCII becomes "?", which is no nucleotide either.
        codes = np.frombuffer(dna.encode("ascii", "replace").translate(_HIDDEN_CODES), np.uint8)
        if codes.max() > _HIDDEN:
            i = int(np.argmax(codes > _HIDDEN))
            raise ValueError(_no_nucleotide(index, at + begins[i], text[begins[i]]))
        offsets = np.stack([begins[: len(begins) - self.k + 1], ends[self.k - 1 :]], axis=1)
        word_begins = [begin for _, begin in words]
        token_words = np.searchsorted(word_begins, offsets[:, 0], side="right") - 1
        return _Coded(kmer_ids(codes, self.k), offsets, token_words)

    def _encode_kmer_text(self, words: list[tuple[str, int]], index: int, at: int) -> _Coded:
        """Encode words of k letters and [MASK], one token each."""
        for word, start in words:
            for i, letter in enumerate("" if word == "[MASK]" else word):
                if not letter.isascii() or _CODES[ord(letter)] > _UNKNOWN:
                    raise ValueError(_no_nucleotide(index, at + start + i, letter))
        plain = [word if word == "[MASK]" else _plain(word) for word, _ in words]
        for i, (left, right) in enumerate(itertools.pairwise(plain)):
            if "[MASK]" not in (left, right) and left[1:] != right[:-1]:
                raise ValueError(
                    f"{_name(index)}: k-mers must overlap their neighbours by k - 1 = "
                    f"{self.k - 1} bases, but {left} and {right} (words {i} and {i + 1}, 0-based) "
                    "do not: pass raw DNA without spaces, or the k-mers as a list with "
                    "is_split_into_words=True"
                )
        ids = np.array([self._token_ids.get(word, UNK_ID) for word in plain])
        offsets = np.array([[start, start + len(word)] for word, start in words])
        return _Coded(ids, offsets, np.arange(len(words)))

    def _rows(
        self,
        first: _Tokens,
        second: _Tokens | None,
        room: int | None,
        strategy: TruncationStrategy,
        *,
        stride: int,
        overflow: bool,
    ) -> np.ndarray:
        """Choose the windows of the sequences that make the rows of the output.

        `room` is the number of tokens that fit beside the special ones, None for any number.

        Returns:
            For each row the sample, and begin and end of the window in its first and second
            sequence, shape (rows, 5).
        """
        n = len(first.counts)
        pair_counts = np.zeros(n, dtype=np.int64) if second is None else second.counts
        if room is None or (first.counts + pair_counts).max(initial=0) <= room:
            zeros = np.zeros(n, dtype=np.int64)
            return np.stack([np.arange(n), zeros, first.counts, zeros, pair_counts], axis=1)
        if overflow and second is not None and strategy == TruncationStrategy.LONGEST_FIRST:
            raise ValueError(
                'truncation of a pair with return_overflowing_tokens must be "only_first" or '
                '"only_second": windows of both at once are not defined'
            )
        rows: list[tuple[int, ...]] = []
        for i, (a, b) in enumerate(zip(first.counts.tolist(), pair_counts.tolist(), strict=True)):
            windows = self._windows(a, b, room, strategy, stride if overflow else None)
            rows.extend((i, *window) for window in windows)
        if not overflow:
            _tell_about_cutting(int((first.counts + pair_counts > room).sum()), n, room)
        return np.array(rows, dtype=np.int64)

    def _windows(
        self, a: int, b: int, room: int, strategy: TruncationStrategy, stride: int | None
    ) -> list[tuple[int, int, int, int]]:
        """Windows of a first sequence of a tokens and a second of b; only one if stride is None."""
        excess = a + b - room
        if excess <= 0:
            return [(0, a, 0, b)]
        if strategy == TruncationStrategy.LONGEST_FIRST and b:
            level = min(abs(a - b), excess)
            cut_a, cut_b = (level, 0) if a > b else (0, level)
            rest = excess - level
            cut_a += rest // 2 if a > b else rest - (rest + 1) // 2
            cut_b = excess - cut_a
            return [(*self._kept(a, a - cut_a), *self._kept(b, b - cut_b))]
        cuts_second = strategy == TruncationStrategy.ONLY_SECOND
        if cuts_second and not b:
            raise ValueError(
                'truncation="only_second" needs a second sequence (text_pair), got a single one '
                f"of {a} tokens for {room}: use truncation=True"
            )
        length, width = (b, room - a) if cuts_second else (a, room - b)
        if width <= 0 or (stride is not None and stride >= width):
            raise ValueError(
                f"max_length must leave more than stride = {stride or 0} tokens to the sequence "
                f"that is cut, but leaves {width}"
            )
        if stride is None:
            spans = [self._kept(length, width)]
        else:
            starts = range(0, length - stride, width - stride)
            spans = [(s, min(s + width, length)) for s in starts]
            if self.truncation_side == "left":
                spans = [(length - end, length - start) for start, end in spans]
        return [(0, a, *span) if cuts_second else (*span, 0, b) for span in spans]

    def _kept(self, length: int, width: int) -> tuple[int, int]:
        return (length - width, length) if self.truncation_side == "left" else (0, width)


class _Layout:
    """Lays tokens out in rows: [CLS] first [SEP], and second [SEP] in pairs."""

    def __init__(
        self, first: _Tokens, second: _Tokens | None, rows: np.ndarray, add_special_tokens: bool
    ):
        self.first, self.second, self.rows = first, second, rows
        self.special = add_special_tokens
        self.sizes = rows[:, 2] - rows[:, 1]
        n_special = (2 if second is None else 3) if add_special_tokens else 0
        self.lengths = self.sizes + rows[:, 4] - rows[:, 3] + n_special

    def without_ids(self) -> "_Layout":
        """The same rows without their ids, which take memory; zeros that take none stand there."""

        def emptied(part: _Tokens) -> _Tokens:
            return part._replace(ids=np.broadcast_to(np.uint16(0), len(part.ids)))

        second = None if self.second is None else emptied(self.second)
        return _Layout(emptied(self.first), second, self.rows, self.special)

    def input_ids(self) -> list[np.ndarray]:
        special = [np.array([i], dtype=np.int64) for i in (CLS_ID, SEP_ID, SEP_ID)]
        return self._assemble(self.first.ids, self.second and self.second.ids, special)

    def offset_mapping(self) -> list[np.ndarray]:
        special = [np.zeros((1, 2), dtype=np.int64)] * 3
        return self._assemble(self.first.spans(), self.second and self.second.spans(), special)

    def word_ids(self) -> list[np.ndarray]:
        words, others = self.first.word_indices(), self.second and self.second.word_indices()
        return self._assemble(words, others, [np.full(1, -1)] * 3)

    def sequence_ids(self) -> list[np.ndarray]:
        return self._constants(0, 1, (-1, -1, -1))

    def token_type_ids(self) -> list[np.ndarray]:
        return self._constants(0, 1, (0, 0, 1))

    def attention_mask(self) -> list[np.ndarray]:
        return self._constants(1, 1, (1, 1, 1))

    def special_tokens_mask(self) -> list[np.ndarray]:
        return self._constants(0, 0, (1, 1, 1))

    def _constants(
        self, in_first: int, in_second: int, special: tuple[int, int, int]
    ) -> list[np.ndarray]:
        first = np.full(len(self.first.ids), in_first)
        second = self.second and np.full(len(self.second.ids), in_second)
        return self._assemble(first, second, [np.array([value]) for value in special])

    def _assemble(self, values: Any, pair_values: Any, special: list[np.ndarray]) -> list[Any]:
        """Put the windows of `values` and `pair_values` between the values of special tokens."""
        cls, sep, sep_pair = special
        rows = []
        for sample, begin, end, pair_begin, pair_end in self.rows.tolist():
            start = self.first.first[sample]
            parts = [values[start + begin : start + end]]
            if self.special:
                parts = [cls, parts[0], sep]
            if self.second is not None:
                start = self.second.first[sample]
                parts.append(pair_values[start + pair_begin : start + pair_end])
                parts.extend([sep_pair] if self.special else [])
            rows.append(np.concatenate(parts))
        return rows

    def matrix(
        self,
        name: str,
        column: Callable[[], list[np.ndarray]],
        width: int | None,
        side: str,
        fill: int,
    ) -> np.ndarray:
        """Lay a column out as an int64 matrix (rows, width), padded with `fill`."""
        if width is None:
            width = int(self.lengths.max(initial=0))
            if (self.lengths != width).any():
                raise ValueError(
                    f"rows must have one length to make a tensor, got {self.lengths.min()} to "
                    f"{width} tokens: add padding=True"
                )
        n_rows = len(self.rows)
        is_plain = self.second is None and side == "right"
        if is_plain and name == "token_type_ids":
            return np.zeros((n_rows, width), dtype=np.int64)
        if is_plain and name == "attention_mask":
            if (self.lengths == width).all():
                return np.ones((n_rows, width), dtype=np.int64)
            return (np.arange(width) < self.lengths[:, None]).astype(np.int64)
        if is_plain and name == "input_ids":
            return self._id_matrix(width)
        values = column()
        out = np.full((n_rows, width, *values[0].shape[1:]), fill, dtype=np.int64)
        for target, value in zip(out, values, strict=True):
            target[slice(len(value)) if side == "right" else slice(width - len(value), None)] = (
                value
            )
        return out

    def _id_matrix(self, width: int) -> np.ndarray:
        """Fill the ids in place: no array a row, and one copy for all where rows are alike."""
        lead = int(self.special)
        begins = self.first.first[self.rows[:, 0]] + self.rows[:, 1]
        ids = self.first.ids
        out = np.zeros((len(self.rows), width), dtype=np.int64)  # PAD_ID is 0
        if not len(out):
            return out
        size, step = int(self.sizes[0]), int(begins[1] - begins[0]) if len(begins) > 1 else 1
        if step > 0 and (self.sizes == size).all() and (np.diff(begins) == step).all():
            shape, strides = (len(begins), size), (step * ids.itemsize, ids.itemsize)
            out[:, lead : lead + size] = as_strided(ids[begins[0] :], shape, strides)
        else:
            for target, begin, n in zip(out, begins.tolist(), self.sizes.tolist(), strict=True):
                target[lead : lead + n] = ids[begin : begin + n]
        if self.special:
            out[:, 0] = CLS_ID
            out[np.arange(len(out)), self.sizes + 1] = SEP_ID
        return out


class _Encodings(Sequence["_Encoding"]):
    """Encodings of the rows of a batch, each made when it is asked for."""

    def __init__(
        self, layout: _Layout, ids: Any, width: int | None, side: str, added: dict[int, str]
    ):
        self._layout, self._ids, self._added = layout, ids, added
        self._width, self._side = width, side

    def __len__(self) -> int:
        return len(self._layout.rows)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"row must be below {len(self)}, the rows of this batch, got {index}")
        index %= len(self)
        all_rows = self._layout
        row = all_rows.rows[index : index + 1]
        layout = _Layout(all_rows.first, all_rows.second, row, all_rows.special)
        ids = self._ids[index]
        ids = list(ids) if isinstance(ids, list) else ids.tolist()
        return _Encoding(layout, ids, self._width, self._side, self._added)


class _Encoding:
    """One row of a batch with what `tokenizers.Encoding` tells of it, by the same names.

    A token is in the word, and a character in the token, that comes first of those it may be in:
    k-mers overlap.
    """

    def __init__(
        self, layout: _Layout, ids: list[int], width: int | None, side: str, added: dict[int, str]
    ):
        def row(column: list[np.ndarray], fill: int) -> list[Any]:
            return _as_lists(column, width, side, fill)[0]

        self.n_sequences = 1 if layout.second is None else 2
        self.ids = ids
        self.type_ids: list[int] = row(layout.token_type_ids(), 0)
        self.attention_mask: list[int] = row(layout.attention_mask(), 0)
        self.special_tokens_mask: list[int] = row(layout.special_tokens_mask(), 1)
        self.offsets: list[tuple[int, int]] = row(layout.offset_mapping(), 0)
        self.word_ids = [i if i >= 0 else None for i in row(layout.word_ids(), -1)]
        self.sequence_ids = [i if i >= 0 else None for i in row(layout.sequence_ids(), -1)]
        self.overflowing: list[_Encoding] = []
        k = layout.first.k
        self.tokens = [added[i] if i in added else _kmer(i - N_SPECIAL, k) for i in self.ids]

    def __len__(self) -> int:
        return len(self.ids)

    def token_to_sequence(self, token: int) -> int | None:
        """Sequence of a pair that a token is of: 0, 1 or, of a special token, None."""
        return self.sequence_ids[token]

    def token_to_word(self, token: int) -> tuple[int | None, int] | int | None:
        """Word in which a token begins."""
        return self.word_ids[token]

    def token_to_chars(self, token: int) -> tuple[int, int] | None:
        """Begin and end of a token in its text, 0-based and half-open."""
        return None if self.sequence_ids[token] is None else self.offsets[token]

    def char_to_token(self, char_pos: int, sequence_index: int = 0) -> int | None:
        """First token over a character (0-based) of a text."""
        for token, (start, end) in enumerate(self.offsets):
            if self.sequence_ids[token] == sequence_index and start <= char_pos < end:
                return token
        return None

    def char_to_word(self, char_pos: int, sequence_index: int = 0) -> int | None:
        """Word of the first token over a character (0-based) of a text."""
        token = self.char_to_token(char_pos, sequence_index)
        return None if token is None else self.word_ids[token]

    def word_to_tokens(self, word_index: int, sequence_index: int = 0) -> tuple[int, int] | None:
        """First token that begins in a word, and the token after the last one."""
        tokens = [
            token
            for token, word in enumerate(self.word_ids)
            if word == word_index and self.sequence_ids[token] == sequence_index
        ]
        return (tokens[0], tokens[-1] + 1) if tokens else None

    def word_to_chars(self, word_index: int, sequence_index: int = 0) -> tuple[int, int] | None:
        """Begin and end, in the text, of the tokens that begin in a word."""
        span = self.word_to_tokens(word_index, sequence_index)
        return None if span is None else (self.offsets[span[0]][0], self.offsets[span[1] - 1][1])


def id_dtype(k: int) -> type[np.unsignedinteger[Any]]:
    """Give the smallest NumPy type that all ids of the k-mers fit: the last one is 4 + 4**k.

    Example:
        >>> id_dtype(6).__name__, id_dtype(8).__name__
        ('uint16', 'uint32')
    """
    return np.uint16 if N_SPECIAL + 4**k <= 2**16 else np.uint32


def kmer_ids(codes: np.ndarray, k: int) -> np.ndarray:
    """Turn base codes (n,) into the ids (n - k + 1,) of the k-mers that begin at each base.

    The ids come in `id_dtype(k)`; the numbers of k-mers are below 2**16 up to k = 8. The base-4
    numbers of 2-mers are made from those of 1-mers, of 4-mers from those of 2-mers, and joined as
    the binary digits of k say.
    """
    has_others = codes.max(initial=0) >= _UNKNOWN
    power = (codes & 3 if has_others else codes).astype(np.uint16)
    n = len(codes) - k + 1
    number, width, size = power, 0, 1
    while True:
        if k & size:
            if width:
                number = (number[: len(power) - width] << np.uint16(2 * size)) | power[width:]
            else:
                number = power
            width += size
        if width == k:
            break
        power = (power[:-size] << np.uint16(2 * size)) | power[size:]
        size *= 2
    ids = number[:n].astype(id_dtype(k), copy=False) + id_dtype(k)(N_SPECIAL)
    if has_others:
        for code, token_id in ((_UNKNOWN, UNK_ID), (_HIDDEN, MASK_ID)):
            at = np.flatnonzero(codes == code)
            for shift in range(k):
                covered = at - shift
                ids[covered[(covered >= 0) & (covered < n)]] = token_id
    return ids


def _as_batch(
    text: Any, text_pair: Any, is_split: bool
) -> tuple[list[Any], list[Any] | None, bool]:
    """Sort out what transformers lets callers pass: a text or a batch, with pairs or without."""
    text, text_pair = _as_text_or_list(text, "text"), _as_text_or_list(text_pair, "text_pair")
    if isinstance(text, str) or (
        text and isinstance(text[0], (str | int | np.integer) if is_split else (int | np.integer))
    ):
        return [text], None if text_pair is None else [text_pair], False
    texts = text
    if text_pair is not None:
        if isinstance(text_pair, str) or len(text_pair) != len(texts):
            found = 1 if isinstance(text_pair, str) else len(text_pair)
            raise ValueError(
                f"text_pair must hold one text for each of the {len(texts)} texts, got {found}"
            )
        return _checked(texts, is_split), _checked(text_pair, is_split), True
    if texts and all(_is_pair(item, is_split) for item in texts):
        firsts, seconds = ([item[i] for item in texts] for i in (0, 1))
        return _checked(firsts, is_split), _checked(seconds, is_split), True
    return _checked(texts, is_split), None, True


def _as_text_or_list(value: Any, name: str) -> Any:
    """Give a text as a string, and what holds several things as a list of strings and lists."""
    if value is None and name == "text_pair":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("latin-1")  # letter by letter; what is no ASCII is refused
    if not isinstance(value, list | tuple):
        if str(getattr(value, "dtype", "")).rpartition(".")[2] in ("int8", "uint8", "byte"):
            raise ValueError(
                f"{name} must be text or ids, and an array of single bytes may be either: pass "
                "array.tobytes() if they are letters, array.astype(int) if they are ids"
            )
        if not isinstance(value, Iterable):
            raise ValueError(f"{name} must be a string or a list of strings, got {value!r:.60}")
        value = value.tolist() if hasattr(value, "tolist") else list(value)
        if not isinstance(value, list):  # an array of no dimension
            return _as_text_or_list(value, name)
    if set(map(type, value)) == {str}:
        return list(value)
    return [
        item if isinstance(item, int | np.integer) else _as_item(item, i, name)
        for i, item in enumerate(value)
    ]


def _as_item(item: Any, index: int, name: str) -> Any:
    if isinstance(item, str | list | tuple) or not isinstance(item, Iterable):
        is_nested = isinstance(item, list | tuple) and any(
            not isinstance(part, str | int) for part in item
        )
        if not is_nested:
            return item
        parts = [part if part is None else _as_item(part, index, name) for part in item]
        return tuple(parts) if isinstance(item, tuple) else parts
    return _as_text_or_list(item, name)


def _checked(items: list[Any], is_split: bool) -> list[Any]:
    """Refuse what is neither a text, nor ids, nor words where words are expected."""
    if set(map(type, items)) == {str}:
        return items
    for i, item in enumerate(items):
        is_list = isinstance(item, list | tuple)
        if isinstance(item, str) or (
            is_list and all(isinstance(v, int | np.integer) for v in item)
        ):
            continue
        if not is_list or not is_split:
            raise ValueError(_no_text(i, item))
    return items


def _is_pair(item: Any, is_split: bool) -> bool:
    if not isinstance(item, list | tuple) or len(item) != 2:
        return False
    if is_split and not isinstance(item, tuple):
        return False
    return all(isinstance(part, (list | tuple) if is_split else str) for part in item)


def _padded_width(
    lengths: np.ndarray,
    strategy: PaddingStrategy,
    max_length: int | None,
    multiple: int | None,
) -> int | None:
    if strategy == PaddingStrategy.DO_NOT_PAD:
        return None
    width = int(lengths.max(initial=0))
    if strategy == PaddingStrategy.MAX_LENGTH and max_length is not None:
        width = max(width, max_length)
    return width if not multiple else -(-width // multiple) * multiple


def _as_lists(column: list[np.ndarray], width: int | None, side: str, fill: int) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for values in column:
        row = values.tolist()
        if values.ndim == 2:
            row = [tuple(span) for span in row]
        padding = [(0, 0) if values.ndim == 2 else fill] * (
            0 if width is None else width - len(row)
        )
        rows.append(row + padding if side == "right" else padding + row)
    return rows


def _as_tensor(matrix: np.ndarray, kind: str) -> Any:
    if str(getattr(kind, "value", kind)) == "np":
        return matrix
    if str(getattr(kind, "value", kind)) != "pt":
        raise ValueError(f'return_tensors must be "pt" or "np", got {kind!r}')
    import torch  # the tokenizer serves NumPy users without it

    return torch.from_numpy(matrix)


def _check_vocabulary(path: Path, k: int | None) -> int:
    """Read a vocab.txt and return its k, provided that it is the vocabulary of DNABERT."""
    tokens = path.read_text(encoding="utf-8").split()
    found = len(tokens[-1]) if tokens else 0
    if k is not None and k != found:
        raise ValueError(
            f"{path} must hold the vocabulary of k = {k}, its last token has {found} letters"
        )
    if not LEAST_K <= found <= MOST_K:
        raise ValueError(
            f"{path} must hold k-mers of {LEAST_K} to {MOST_K} bases, its last token has {found} "
            "letters"
        )
    expected = (*SPECIAL_TOKENS, *map("".join, itertools.product(BASES, repeat=found)))
    for line, (token, wanted) in enumerate(itertools.zip_longest(tokens, expected), start=1):
        if token != wanted:
            raise ValueError(
                f"{path} must be a DNABERT vocabulary (special tokens, then all k-mers over A, T, "
                f"C, G in this order): line {line} must be {wanted}, found {token}"
            )
    return found


def _kmer_text_width(words: list[str]) -> int | None:
    """Letters of every word, [MASK] aside, if there are several and they are all of one length."""
    kmers = [word for word in words if word != "[MASK]"]
    widths = {len(word) for word in kmers}
    if len(words) < 2 or len(widths) != 1 or any("[MASK]" in word for word in kmers):
        return None
    return widths.pop()


def _overlap(kmers: list[str]) -> bool:
    return all(left[1:] == right[:-1] for left, right in itertools.pairwise(kmers))


def _merge_kmers(tokens: list[str], k: int, hidden: str) -> list[str]:
    """Write a run of k-mers, [UNK] and [MASK] as DNA, in pieces where neighbours contradict."""
    if not {"[UNK]", "[MASK]"} & set(tokens) and _overlap(tokens):
        return ["".join(token[0] for token in tokens[:-1]) + tokens[-1]]
    pieces: list[str] = []
    bases: list[str] = []  # of the piece in the making; "" while no k-mer has told
    is_hidden: list[bool] = []

    def finish() -> None:
        told = (b or (hidden if h else "N") for b, h in zip(bases, is_hidden, strict=True))
        pieces.append("".join(told))

    for token in tokens:
        kmer = [""] * k if token in ("[UNK]", "[MASK]") else list(token)
        before = bases[len(bases) - k + 1 :] if bases else [""] * (k - 1)
        if any(old and new and old != new for old, new in zip(before, kmer, strict=False)):
            finish()
            bases, is_hidden, before = [], [], [""] * (k - 1)
        start = max(len(bases) - k + 1, 0)
        bases[start:] = [new or old for old, new in zip([*before, ""], kmer, strict=True)]
        is_hidden.extend([False] * (len(bases) - len(is_hidden)))
        if token == "[MASK]":
            is_hidden[start:] = [True] * k
    finish()
    return pieces


def _kmer(number: int, k: int) -> str:
    """Write the k-mer whose base-4 number this is."""
    return "".join(BASES[number >> 2 * place & 3] for place in reversed(range(k)))


def _is_dna(token: str) -> bool:
    return token.isascii() and max(token.encode("ascii").translate(_CODES)) <= _UNKNOWN


def _check_fixed(name: str, given: Any) -> None:
    if str(given) != _FIXED_TOKENS[name]:
        raise ValueError(
            f"{name} is {_FIXED_TOKENS[name]} in every DNABERT vocabulary and cannot be changed, "
            f"got {given!r:.40}; add_tokens adds other tokens"
        )


def _plain(kmer: str) -> str:
    return kmer.upper().replace("U", "T")


def _name(index: int) -> str:
    return f"sequence {index} (0-based) of the call"


def _no_text(index: int, found: Any) -> str:
    advice = "words need is_split_into_words=True, and pairs must be pairs throughout"
    if not isinstance(found, list | tuple):
        advice = "leave out or fill in what is missing"
    return (
        f"{_name(index)} must be a string, a pair of strings or a list of ids, got {found!r:.60}; "
        f"{advice}"
    )


def _too_short(index: int, n_bases: int, k: int) -> str:
    return (
        f"{_name(index)} must have at least k = {k} bases, got {n_bases}; leave out or join "
        "sequences that are shorter"
    )


def _no_nucleotide(index: int, position: int, letter: str) -> str:
    return (
        f"{_name(index)} must hold nucleotides (A, C, G, T, U, N and the other IUPAC letters) or "
        f"k-mers separated by spaces; found {letter!r} at position {position} (0-based)"
    )


_told_about_cutting = False


def _tell_about_cutting(n_cut: int, n_sequences: int, room: int) -> None:
    global _told_about_cutting
    if n_cut and not _told_about_cutting:
        logger.warning(
            f"truncation cut {n_cut} of {n_sequences} sequences to {room} tokens and the special "
            "ones; return_overflowing_tokens=True keeps the rest as windows (said once)"
        )
        _told_about_cutting = True
