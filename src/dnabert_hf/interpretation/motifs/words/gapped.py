"""Gapped words: two words of three bases and a gap, which also find long and degenerate motifs.

A long motif with some bases off is hardly ever the same word twice, but two short stretches of it
at their distance recur. They are the dyads of van Helden et al. 2000 (Nucleic Acids Research
28:1808); that enriched words with open positions are a good start for a matrix is from DREME
(Bailey 2011).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betainc

from dnabert_hf.data.reading.sequence_array import UNKNOWN, WORD_BASES, JoinedSequences

__all__ = [
    "SHORTEST_GAPPED_WORD",
    "Holders",
    "count_gapped_words",
    "excess_p_values",
    "most_enriched_gapped_word",
]

_PART = 3  # bases of each of the two parts
SHORTEST_GAPPED_WORD = 2 * _PART
_N_WORDS = 4**SHORTEST_GAPPED_WORD


class Holders(NamedTuple):
    """Sequences that hold gapped words.

    Attributes:
        counts: Sequences that hold each word, by the base-4 number of its six bases, int64, shape
            (gaps, words).
        n_sequences: Sequences in all.
        n_places: Places at which a word of each gap may begin, on all strands, shape (gaps,).
    """

    counts: np.ndarray
    n_sequences: int
    n_places: np.ndarray


def _smaller_of_strands() -> np.ndarray:
    """Give the smaller number of each word and its reverse complement, whose gap is the same."""
    codes = np.arange(_N_WORDS)
    turned = np.zeros_like(codes)
    for place in range(SHORTEST_GAPPED_WORD):
        turned = turned * 4 + (3 - codes // 4**place % 4)
    return np.minimum(codes, turned)


_SMALLER = _smaller_of_strands()


def count_gapped_words(
    joined: JoinedSequences,
    places: np.ndarray,
    room: np.ndarray,
    *,
    n_gaps: int,
    both_strands: bool,
) -> Holders:
    """Count the sequences that hold each gapped word.

    Args:
        joined: Sequences.
        places: Bases at which words may begin, in order, shape (places,).
        room: Bases from each on in which a word may lie, shape (places,).
        n_gaps: Gaps from 0 bases up to one less than this are tried.
        both_strands: Whether a word and its reverse complement are one, counted under the smaller
            number.

    Example:
        >>> joined = JoinedSequences.from_text(["AACGGT", "AACTGGT"])
        >>> held = count_gapped_words(
        ...     joined, np.arange(13), joined.n_known, n_gaps=2, both_strands=False
        ... )
        >>> int("001223", 4), held.counts.sum(axis=1).tolist(), held.counts[:, 107].tolist()
        (107, [3, 1], [1, 1])
    """
    _, rows = np.unique(joined.rows[places], return_inverse=True)
    n_rows = int(rows.max()) + 1 if len(rows) else 0
    parts = (joined.words >> np.uint32(2 * (WORD_BASES - _PART))).astype(np.int64)
    first = parts[places] * 4**_PART
    counts = np.zeros((n_gaps, _N_WORDS), dtype=np.int64)
    n_places = np.zeros(n_gaps)
    is_held = np.empty((_N_WORDS, max(n_rows, 1)), dtype=bool)
    for gap in range(n_gaps):
        fits = room >= SHORTEST_GAPPED_WORD + gap
        codes = first[fits] + parts[places[fits] + _PART + gap]
        if both_strands:
            codes = _SMALLER[codes]
        is_held[:] = False
        is_held.ravel()[codes * is_held.shape[1] + rows[fits]] = True
        counts[gap] = np.count_nonzero(is_held, axis=1)
        n_places[gap] = (1 + both_strands) * int(fits.sum())
    return Holders(counts, n_rows, n_places)


def most_enriched_gapped_word(
    attended: Holders, others: Holders, *, max_p: float, min_holders: int
) -> np.ndarray | None:
    """Find the gapped word that attended DNA holds most above what other sequences lead to expect.

    Args:
        attended: Holders among the attended DNA.
        others: Holders among other sequences.
        max_p: Largest p-value, corrected for the number of words tried (Bonferroni).
        min_holders: Sequences that hold the word in attended DNA, at least.

    Returns:
        Codes of its bases, unknown in the gap, shape (positions,); None if no word is enriched.
    """
    is_tried = attended.counts >= min_holders
    p_values = np.ones(is_tried.shape)
    p_values[is_tried] = excess_p_values(attended, others)[is_tried]
    # What is too small for a float is told apart by how many hold it.
    gaps, codes = np.divmod(np.arange(p_values.size), _N_WORDS)
    best = np.lexsort([codes, gaps, -attended.counts.ravel(), p_values.ravel()])[0]
    n_tried = max(np.count_nonzero(attended.counts + others.counts), 1)
    if p_values.ravel()[best] * n_tried >= max_p:
        return None
    digits = codes[best] // 4 ** np.arange(SHORTEST_GAPPED_WORD - 1, -1, -1) % 4
    gap = np.full(gaps[best], UNKNOWN)
    return np.concatenate([digits[:_PART], gap, digits[_PART:]]).astype(np.uint8)


def excess_p_values(attended: Holders, others: Holders) -> np.ndarray:
    """Give the chance that so many of the holders of each word hold it in attended DNA.

    Were a word as frequent in both, the sequences that hold it would fall to either side in the
    proportion of how likely a sequence of each side holds it at their common rate a place: the
    upper tail of that binomial distribution is the p-value.

    Returns:
        Shape (gaps, words).

    Example:
        >>> places = np.array([100])
        >>> few, many = (Holders(np.array([[n]]), 50, places) for n in (2, 8))
        >>> round(float(excess_p_values(many, few)[0, 0]), 4)  # 8, 9 or 10 heads of 10: 56 / 1024
        0.0547
    """
    n_places = np.array([attended.n_places, others.n_places])[:, :, None]
    n_sequences = np.array([attended.n_sequences, others.n_sequences])[:, None, None]
    n_sequences = np.maximum(n_sequences, 1)
    unheld = 1 - np.stack([attended.counts, others.counts]) / n_sequences
    # How often a word occurs, by how many sequences hold it at all (Poisson).
    occurs = -np.log(np.maximum(unheld, 0.5 / n_sequences)) * n_sequences
    rate = occurs.sum(axis=0) / np.maximum(n_places.sum(axis=0), 1)
    expected = n_sequences * -np.expm1(-rate * n_places / n_sequences)
    share = expected[0] / np.maximum(expected.sum(axis=0), np.finfo(float).tiny)
    n = attended.counts + others.counts
    is_excess = attended.counts > n * share
    p_values = np.ones(share.shape)
    here = attended.counts[is_excess]
    p_values[is_excess] = betainc(here, n[is_excess] - here + 1, share[is_excess])
    return p_values
