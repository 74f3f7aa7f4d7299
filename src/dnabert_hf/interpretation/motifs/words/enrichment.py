"""Which words occur in more sequences of one class than chance explains."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln
from scipy.stats import false_discovery_control

from dnabert_hf.data.reading.sequence_array import WORD_BASES, JoinedSequences, encode_bases
from dnabert_hf.data.reading.sequences import reverse_complement

__all__ = ["Enrichment", "count_holders", "enrichment_of_words", "hypergeometric_p"]

_PART_BASES = 1 << 18  # what is made of them stays in a core's cache
_N_WORDS = 4**WORD_BASES
_DENSE = 8  # bytes that are read as fast as one number is sorted
_FAR, _MORE = 10, 50  # standard deviations, and terms for those of less than one
_PAIRS_AT_ONCE = 1024
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
    pairs, place = np.unique(np.stack([observed, drawn]), axis=1, return_inverse=True)
    least, draws = pairs.astype(np.int64)
    share = n_positive / n
    spread = np.sqrt(draws * share * (1 - share) * (n - draws) / max(n - 1, 1))
    # What lies further out adds less than the last digit of a float.
    begin = np.maximum(least, np.floor(draws * share - _FAR * spread).astype(np.int64))
    begin = np.maximum(begin, n_positive + draws - n)
    end = np.minimum(begin + np.ceil(2 * _FAR * spread).astype(np.int64) + _MORE, draws)
    end = np.maximum(np.minimum(end, n_positive), begin - 1) + 1
    log_factorials = gammaln(np.arange(n + 1) + 1.0)
    tails = np.zeros(len(draws))
    for first in range(0, len(draws), _PAIRS_AT_ONCE):
        which = slice(first, first + _PAIRS_AT_ONCE)
        tails[which] = _sums(begin[which], end[which], draws[which], n_positive, log_factorials)
    return np.minimum(tails, 1)[place]


def _sums(
    begin: np.ndarray,
    end: np.ndarray,
    draws: np.ndarray,
    n_positive: int,
    log_factorials: np.ndarray,
) -> np.ndarray:
    """Add up the hypergeometric probabilities from begin to end for each number of draws."""
    n = len(log_factorials) - 1
    lengths = end - begin
    row = np.repeat(np.arange(len(draws)), lengths)
    x = np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths - begin, lengths)
    other = draws[row] - x
    log_of_all = log_factorials[n] - log_factorials[draws] - log_factorials[n - draws]
    log_p = -log_of_all[row]
    for size, taken in ((n_positive, x), (n - n_positive, other)):
        log_p += log_factorials[size] - log_factorials[taken] - log_factorials[size - taken]
    return np.bincount(row, weights=np.exp(log_p), minlength=len(draws))


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
    groups = [_Group.of(named) for _, named in sorted(by_length.items())]
    begins = _beginnings(groups)
    counts = np.zeros((2, len(words)), dtype=np.int64)
    for which, part in joined.parts(_PART_BASES):
        is_positive_part = is_positive[which]
        for group, found, rows in _occurrences(part, groups, begins):
            of_word, row = _distinct(found, rows, len(group.members), len(part))
            for total, of_group in zip(
                counts, (of_word, of_word[is_positive_part[row]]), strict=True
            ):
                total[group.members] += np.bincount(of_group, minlength=len(group.members))
    return counts[0], counts[1]


def _distinct(
    found: np.ndarray, rows: np.ndarray, n_words: int, n_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Keep each pair of word and sequence once."""
    keys = found * n_rows + rows
    if n_words * n_rows <= _DENSE * len(keys):
        is_seen = np.zeros(n_words * n_rows, dtype=bool)
        is_seen[keys] = True
        keys = np.flatnonzero(is_seen)
    else:
        keys.sort()  # np.unique hashes, which takes several times as long
        keys = keys[np.diff(keys, prepend=-1) != 0]
    return np.divmod(keys, n_rows)


class _Group(NamedTuple):
    """Words of one length; a word and its reverse complement are one member.

    Attributes:
        codes: Codes of the bases, shape (words, bases).
        of_word: Member that each belongs to, shape (words,).
        members: Index of each member among all words, shape (members,).
        table: Member by base-4 number, -1 for none; for short words only.
    """

    codes: np.ndarray
    of_word: np.ndarray
    members: np.ndarray
    table: np.ndarray | None

    @classmethod
    def of(cls, named: dict[str, int]) -> "_Group":
        codes = encode_bases("".join(named)).reshape(len(named), -1)
        members, of_word = np.unique(list(named.values()), return_inverse=True)
        table = None
        if codes.shape[1] <= WORD_BASES:
            table = np.full(4 ** codes.shape[1], -1, dtype=np.int32)
            table[_numbers(codes)] = of_word
        return cls(codes, of_word, members, table)


def _occurrences(
    part: JoinedSequences, groups: Sequence[_Group], begins: np.ndarray
) -> Iterator[tuple[_Group, np.ndarray, np.ndarray]]:
    """Find all places of the words of each length: group, member, and sequence."""
    n_known = part.n_known
    places = np.flatnonzero((begins[part.words] != 0) & (n_known > WORD_BASES))
    begins_here = begins[part.words[places]]
    for number, group in enumerate(groups):
        length = group.codes.shape[1]
        if group.table is None:
            here = places[begins_here & _bit(number) != 0]
            of_word, hits = _follow(part, here[n_known[here] >= length], group.codes)
            yield group, group.of_word[of_word], part.rows[hits]
        else:
            at = group.table[part.words >> (_LETTER_BITS * (WORD_BASES - length))]
            hits = np.flatnonzero((at >= 0) & (n_known >= length))
            yield group, at[hits].astype(np.int64), part.rows[hits]


def _beginnings(groups: Sequence[_Group]) -> np.ndarray:
    """For each word of ten bases, bits of the groups with longer words that begin with it."""
    begins = np.zeros(_N_WORDS, dtype=np.uint64)
    for number, group in enumerate(groups):
        if group.table is None:
            begins[np.unique(_numbers(group.codes[:, :WORD_BASES]))] |= _bit(number)
    return begins


def _bit(number: int) -> np.uint64:
    return np.uint64(1 << min(number, 63))  # the last bit is that of all groups from there on


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
