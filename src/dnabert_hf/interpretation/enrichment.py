"""Which words occur in more sequences of one class than chance explains."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import false_discovery_control, hypergeom

from dnabert_hf.data.sequences import reverse_complement
from dnabert_hf.interpretation.joined_sequences import WORD_BASES, JoinedSequences, encode_bases

__all__ = ["Enrichment", "count_holders", "enrichment_of_words", "hypergeometric_p"]

_PART_BASES = 1 << 22
_N_WORDS = 4**WORD_BASES
_LETTER_BITS = 2


class Enrichment(NamedTuple):
    """How often words occur, and how surprising that is.

    Attributes:
        n_sequences: Sequences that hold each word at least once, int64, shape (words,).
        n_positives: Sequences of the class among them, int64, shape (words,).
        p_values: Hypergeometric upper tail, shape (words,).
        q_values: The same adjusted by Benjamini and Hochberg, shape (words,).
    """

    n_sequences: np.ndarray
    n_positives: np.ndarray
    p_values: np.ndarray
    q_values: np.ndarray


def enrichment_of_words(
    words: Sequence[str],
    joined: JoinedSequences,
    is_positive: np.ndarray,
    *,
    both_strands: bool = False,
) -> Enrichment:
    """Test for each word whether more sequences of the class hold it than of the rest.

    Args:
        words: Different words of A, C, G and T.
        joined: All sequences.
        is_positive: Which of them are of the class, shape (n,).
        both_strands: Whether the reverse complement of a word counts as the word.

    Example:
        >>> joined = JoinedSequences.from_text(["ACGTT", "TTACG", "GGGGG", "CCCCC"])
        >>> found = enrichment_of_words(["ACG"], joined, np.array([True, True, False, False]))
        >>> int(found.n_positives[0]), round(float(found.p_values[0]), 4)  # 1 of 6 ways to draw 2
        (2, 0.1667)
    """
    n_sequences, n_positives = count_holders(words, joined, is_positive, both_strands=both_strands)
    p_values = hypergeometric_p(
        n_positives, n_sequences, n_positive=int(is_positive.sum()), n=len(joined)
    )
    q_values = false_discovery_control(p_values) if len(words) else p_values
    return Enrichment(n_sequences, n_positives, p_values, q_values)


def hypergeometric_p(
    observed: np.ndarray, drawn: np.ndarray, *, n_positive: int, n: int
) -> np.ndarray:
    """Give the chance that at least so many of the drawn sequences are of the class.

    Args:
        observed: Drawn sequences of the class, shape (tests,).
        drawn: Sequences drawn, shape (tests,).
        n_positive: Sequences of the class.
        n: All sequences.

    Returns:
        Upper tail, shape (tests,).

    Example:
        >>> hypergeometric_p(np.array([2, 0]), np.array([2, 2]), n_positive=2, n=4).round(4)
        array([0.1667, 1.    ])
    """
    # Few pairs differ, and the tail takes long.
    pairs, place = np.unique(np.stack([observed, drawn]), axis=1, return_inverse=True)
    tail = hypergeom.sf(pairs[0] - 1, n, n_positive, pairs[1])
    return np.asarray(np.clip(tail, 0, 1))[place]


def count_holders(
    words: Sequence[str],
    joined: JoinedSequences,
    is_positive: np.ndarray,
    *,
    both_strands: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Count the sequences that hold each word, and those of the class among them.

    All positions are looked up at once in tables of words of up to ten bases; longer words go on,
    ten bases a step, at the positions where they may still stand.

    Args:
        words: Different words of A, C, G and T, of any lengths.
        joined: All sequences.
        is_positive: Which of them are of the class, shape (n,).
        both_strands: Whether the reverse complement of a word counts as the word.

    Returns:
        Two arrays of int64, shape (words,).

    Example:
        >>> joined = JoinedSequences.from_text(["AACAA", "GGTTG", "TTTTT"])
        >>> is_positive = np.array([True, True, False])
        >>> count_holders(["AAC"], joined, is_positive, both_strands=True)  # GTT on the other
        (array([2]), array([2]))
    """
    by_length: dict[int, dict[str, int]] = {}
    for index, word in enumerate(words):
        by_length.setdefault(len(word), {})[word] = index
        if both_strands:
            by_length[len(word)].setdefault(reverse_complement(word), index)
    groups = [
        (length, _encode(list(named)), np.array(list(named.values()), dtype=np.int64))
        for length, named in sorted(by_length.items())
    ]
    counts = np.zeros((2, len(words)), dtype=np.int64)
    for which, part in joined.parts(_PART_BASES):
        is_positive_part = is_positive[which]
        for found, rows in _occurrences(part, groups):
            # Each word once a sequence.
            keys = np.sort(found * len(part) + rows)
            keys = keys[np.diff(keys, prepend=-1) != 0]
            of_word, row = np.divmod(keys, len(part))
            counts[0] += np.bincount(of_word, minlength=len(words))
            counts[1] += np.bincount(of_word[is_positive_part[row]], minlength=len(words))
    return counts[0], counts[1]


_Group = tuple[int, np.ndarray, np.ndarray]


def _encode(words: Sequence[str]) -> np.ndarray:
    """Codes of words of one length, uint8, shape (words, bases)."""
    return encode_bases("".join(words)).reshape(len(words), -1)


def _occurrences(
    part: JoinedSequences, groups: Sequence[_Group]
) -> "list[tuple[np.ndarray, np.ndarray]]":
    """Find all places of the words of each length: index of the word and of the sequence."""
    n_known, found = part.n_known, []
    long_groups = [group for group in groups if group[0] > WORD_BASES]
    for length, codes, indices in groups:
        if length > WORD_BASES:
            break
        table = np.full(4**length, -1, dtype=np.int32)
        table[_numbers(codes)] = indices
        at = table[part.words >> (_LETTER_BITS * (WORD_BASES - length))]
        places = np.flatnonzero((at >= 0) & (n_known >= length))
        found.append((at[places].astype(np.int64), part.rows[places]))
    if not long_groups:
        return found
    begins_word = np.zeros(_N_WORDS, dtype=bool)
    for _, codes, _ in long_groups:
        begins_word[_numbers(codes[:, :WORD_BASES])] = True
    places = np.flatnonzero(begins_word[part.words] & (n_known > WORD_BASES))
    for length, codes, indices in long_groups:
        here = places[n_known[places] >= length]
        of_word, here = _follow(part, here, codes)
        found.append((indices[of_word], part.rows[here]))
    return found


def _follow(
    part: JoinedSequences, places: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compare long words with places, ten bases a step: index into `codes`, and its place."""
    length = codes.shape[1]
    offsets = [*range(0, length - WORD_BASES, WORD_BASES), length - WORD_BASES]
    of_word = np.zeros(len(codes), dtype=np.int64)  # rank of what each word began with
    of_place = np.zeros(len(places), dtype=np.int64)
    for offset in offsets:
        of_word = of_word * _N_WORDS + _numbers(codes[:, offset : offset + WORD_BASES])
        known, of_word = np.unique(of_word, return_inverse=True)
        of_place = of_place * _N_WORDS + part.words[places + offset]
        rank = np.searchsorted(known, of_place)
        is_known = known[np.minimum(rank, len(known) - 1)] == of_place
        places, of_place = places[is_known], rank[is_known]
    order = np.argsort(of_word)  # the words differ, so that each has a rank of its own
    return order[of_place], places


def _numbers(codes: np.ndarray) -> np.ndarray:
    """Base-4 numbers of words, int64, shape (words,)."""
    weights = 4 ** np.arange(codes.shape[1] - 1, -1, -1, dtype=np.int64)
    return np.asarray(codes.astype(np.int64) @ weights)
