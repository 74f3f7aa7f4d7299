"""Gapped words: two words of three bases and a gap, which also find long and degenerate motifs.

A long motif with some bases off is hardly ever the same word twice, but two short stretches of it at
their distance recur. They are the dyads of van Helden et al. 2000 (Nucleic Acids Research 28:1808);
that enriched words with open positions are a good start for a matrix is from DREME (Bailey 2011).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betainc

from dnabert_hf.data.reading.sequence_array import WORD_BASES, JoinedSequences

__all__ = [
    "GappedWord",
    "Holders",
    "count_gapped_words",
    "enriched_gapped_words",
    "gapped_words_at",
    "turned_word",
]

_PART = 3  # bases of each of the two parts
_BASES_OF_BOTH = 2 * _PART
_N_WORDS = 4**_BASES_OF_BOTH


class GappedWord(NamedTuple):
    """A gapped word.

    Attributes:
        code: Base-4 number of its six bases.
        gap: Bases between its two parts.
    """

    code: int
    gap: int

    def __len__(self) -> int:
        return _BASES_OF_BOTH + self.gap


class Holders(NamedTuple):
    """Sequences that hold gapped words.

    Attributes:
        counts: Sequences that hold each word, int64, shape (gaps, words).
        n_sequences: Sequences in all.
        n_places: Places at which a word of each gap may begin, both strands, shape (gaps,).
    """

    counts: np.ndarray
    n_sequences: int
    n_places: np.ndarray


def _turned_words() -> np.ndarray:
    codes = np.arange(_N_WORDS)
    turned = np.zeros_like(codes)
    for place in range(_BASES_OF_BOTH):
        turned = turned * 4 + (3 - codes // 4**place % 4)
    return turned


_TURNED = _turned_words()  # number of the reverse complement of each word; the gap stays
_CANONICAL = np.minimum(np.arange(_N_WORDS), _TURNED)


def turned_word(code: int) -> int:
    """Give the number of the reverse complement of a word; its gap is the same."""
    return int(_TURNED[code])


def gapped_words_at(joined: JoinedSequences, places: np.ndarray, gap: int) -> np.ndarray:
    """Read the gapped word that begins at each place.

    Example:
        >>> joined = JoinedSequences.from_text(["AACGGT"])
        >>> int(gapped_words_at(joined, np.array([0]), 0)[0])  # digits 0 0 1 2 2 3
        107
    """
    parts = joined.words >> np.uint32(2 * (WORD_BASES - _PART))
    second = np.minimum(places + _PART + gap, len(parts) - 1)
    return (parts[places] * np.uint32(4**_PART) + parts[second]).astype(np.int64)


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
        n_gaps: Gaps of 0 bases up to one less than this are tried.
        both_strands: Whether a word and its reverse complement are one, counted under the smaller
            number.
    """
    rows = joined.rows[places].astype(np.int64)
    _, rows = np.unique(rows, return_inverse=True)
    n_rows = int(rows.max()) + 1 if len(rows) else 0
    counts = np.zeros((n_gaps, _N_WORDS), dtype=np.int64)
    n_places = np.zeros(n_gaps)
    is_held = np.empty((_N_WORDS, max(n_rows, 1)), dtype=bool)
    for gap in range(n_gaps):
        fits = room >= _BASES_OF_BOTH + gap
        codes = gapped_words_at(joined, places[fits], gap)
        if both_strands:
            codes = _CANONICAL[codes]
        is_held[:] = False
        is_held.ravel()[codes * is_held.shape[1] + rows[fits]] = True
        counts[gap] = np.count_nonzero(is_held, axis=1)
        n_places[gap] = (1 + both_strands) * int(fits.sum())
    return Holders(counts, n_rows, n_places)


def enriched_gapped_words(
    attended: Holders, others: Holders, *, max_p: float, min_holders: int
) -> tuple[list[GappedWord], np.ndarray]:
    """Find gapped words in more of the attended DNA than in that of other sequences.

    Were a word as frequent in both, the sequences that hold it would fall to either side in the
    proportion of how likely a sequence of each side holds it at their common rate a place: the
    upper tail of that binomial distribution, times the number of words tried (Bonferroni), is the
    p-value.

    Args:
        attended: Holders among the attended DNA.
        others: Holders among other sequences.
        max_p: Largest p-value, corrected for the number of words tried.
        min_holders: Sequences that hold a word in attended DNA, at least.

    Returns:
        The words, most enriched first, and their corrected p-values.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = _share_of_attended(attended, others)
        n = attended.counts + others.counts
        is_tried = (attended.counts >= min_holders) & (attended.counts > n * share)
        gaps, codes = np.nonzero(is_tried)
    here, all_holders = attended.counts[is_tried], n[is_tried]
    p_values = betainc(here, all_holders - here + 1, share[is_tried])
    p_values = np.minimum(p_values * max(int((n > 0).sum()), 1), 1)
    # What float arithmetic can no longer tell apart is told apart by how many hold it.
    order = np.lexsort([codes, gaps, -here, p_values])
    order = order[p_values[order] < max_p]
    words = [GappedWord(int(code), int(gap)) for gap, code in zip(gaps[order], codes[order])]
    return words, p_values[order]


def _share_of_attended(attended: Holders, others: Holders) -> np.ndarray:
    """Share of the holders that lie in attended DNA if a word is equally frequent everywhere."""
    places = np.array([attended.n_places, others.n_places])[:, :, None]
    n_sequences = np.array([attended.n_sequences, others.n_sequences])[:, None, None]
    places_of_one = places / np.maximum(n_sequences, 1)
    holders = np.stack([attended.counts, others.counts])
    # How often a word is there, from how many hold it at least once (Poisson).
    unheld = np.maximum(1 - holders / np.maximum(n_sequences, 1), 0.5 / np.maximum(n_sequences, 1))
    rate = (-np.log(unheld) * n_sequences).sum(axis=0) / places.sum(axis=0)
    expected = n_sequences * -np.expm1(-rate * places_of_one)
    return np.asarray(expected[0] / expected.sum(axis=0))
