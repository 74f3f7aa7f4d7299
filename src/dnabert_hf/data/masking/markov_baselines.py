"""Markov baselines: a masked base predicted by counting, from one side or both."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

__all__ = [
    "CONTEXT_COUNTS",
    "FLANK",
    "MARKOV_BOTH_SIDES",
    "MARKOV_LEFT",
    "BaseStatistics",
    "count_words",
]

FLANK = 11  # bases on either side of a masked base that the statistics may ask for

MARKOV_LEFT = "Markov chain, left"
MARKOV_BOTH_SIDES = "Markov chain, both sides"
CONTEXT_COUNTS = "two-sided context counts"

_MAX_WORD = 13  # bases; 268 MB of counts
# Longer words than this allows are hardly seen twice, and would only cost memory.
_MAX_COUNTERS_PER_BASE = 16
_CHUNK = 1 << 22  # bases
_BLOCK = 1 << 16  # bases
_TUNING_SHARE = 20  # every 20th block chooses the smoothing
_MAX_TUNING_BASES = 20_000
_CONCENTRATIONS = tuple(2.0**power for power in range(17))

# Gets the kind of statistics, the size and what probabilities (n, 4) a concentration leads to;
# gives the concentration to take.
_Choose = Callable[[str, int, Callable[[float], np.ndarray]], float]
_Concentrations = dict[tuple[str, int], float]  # by kind and size


def count_words(runs: Iterable[np.ndarray], length: int) -> np.ndarray:
    """Count the words of a length, every one that begins somewhere in a run.

    Args:
        runs: Digits 0 to 3 for A, T, C, G, uint8; the soft mask (bit 7) is ignored.
        length: Bases of a word, at most 13.

    Returns:
        Counts, uint32, shape (4**length,); a word's index is its digits read in base 4.

    Example:
        >>> count_words([np.array([0, 0, 3], dtype=np.uint8)], 2).nonzero()[0]  # AA and AG
        array([0, 3])
    """
    counts = np.zeros(4**length, dtype=np.uint32)
    for run in runs:
        for start in range(0, len(run) - length + 1, _CHUNK):
            words = _join_digits(run[start : start + _CHUNK + length - 1] & 3, length)
            np.add.at(counts, words, np.uint32(1))
    return counts


def _join_digits(digits: np.ndarray, length: int) -> np.ndarray:
    n_words = len(digits) - length + 1
    words = np.zeros(n_words, dtype=np.uint32)
    for offset in range(length):
        words <<= 2
        words |= digits[offset : offset + n_words]
    return words


class BaseStatistics:
    """Counts of the words of training DNA, as probabilities of a base given its neighbours.

    Counts of few cases are smoothed: n of a base among N in its context count as if there were c
    cases more, spread as the next smaller context says, (n + c p) / (N + c). Every 20th block of
    the training DNA is left out of the counts first and chooses c for each size, and whether words
    of both strands are counted; then it is counted as well.

    Args:
        runs: Training DNA without unknown bases: digits 0 to 3 for A, T, C, G, uint8; the soft
            mask (bit 7) is ignored.

    Attributes:
        word_length: Bases of the longest words, at most 13; fewer for little DNA.
        both_strands: Whether the words of the reverse complement are counted as well.

    Raises:
        ValueError: If there is too little DNA to choose the smoothing.
    """

    def __init__(self, runs: Sequence[np.ndarray]):
        n_bases = sum(map(len, runs))
        fitting, tuning = _split(runs, n_bases)
        contexts = _spread_contexts(tuning)
        if not len(contexts):
            raise ValueError(
                "the training DNA must hold some hundred known bases in a row for the counts, "
                f"found {n_bases} bases in {len(runs)} runs; give more DNA"
            )
        self.word_length = max(
            length
            for length in range(3, _MAX_WORD + 1)
            if length == 3 or 4**length <= n_bases * _MAX_COUNTERS_PER_BASE
        )
        counts = count_words(fitting, self.word_length)
        bits, concentrations = self._tune(counts, contexts)
        bits_of_both, concentrations_of_both = self._tune(_add_other_strand(counts), contexts)
        self.both_strands = bits_of_both < bits
        self._concentrations = concentrations_of_both if self.both_strands else concentrations
        counts += count_words(tuning, self.word_length)
        self._tables = _sum_over_last(_add_other_strand(counts) if self.both_strands else counts)

    def probabilities(self, contexts: np.ndarray) -> dict[str, list[np.ndarray]]:
        """Give the probabilities of A, T, C, G of the middle base of each context.

        Args:
            contexts: Digits of the bases with `FLANK` neighbours on either side, shape
                (n, 2 * FLANK + 1); the middle one is ignored.

        Returns:
            By kind of statistics, a list with an array of shape (n, 4) for each size:
            `MARKOV_LEFT` by the order, from 0 (the composition) on; `MARKOV_BOTH_SIDES`, the exact
            posterior under the chain, by the order, from 0 on; `CONTEXT_COUNTS` by the number of
            bases on either side, from 0 on.
        """

        def look_up(kind: str, size: int, _: Callable[[float], np.ndarray]) -> float:
            return self._concentrations[kind, size]

        return _predict(self._tables, contexts, look_up)

    @staticmethod
    def _tune(counts: np.ndarray, contexts: np.ndarray) -> tuple[float, _Concentrations]:
        """Choose the smoothing; gives the bits per base, summed over the kinds, beside it."""
        truth = contexts[:, FLANK, None].astype(np.intp)
        chosen: _Concentrations = {}

        def choose(kind: str, size: int, smooth: Callable[[float], np.ndarray]) -> float:
            bits = [_mean_bits(smooth(value), truth) for value in _CONCENTRATIONS]
            chosen[kind, size] = _CONCENTRATIONS[int(np.argmin(bits))]
            return chosen[kind, size]

        predicted = _predict(_sum_over_last(counts), contexts, choose)
        best = [min(_mean_bits(p, truth) for p in sizes) for sizes in predicted.values()]
        return sum(best), chosen


def _mean_bits(probabilities: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log2(np.take_along_axis(probabilities, truth, axis=1)).mean())


def _split(runs: Sequence[np.ndarray], n_bases: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Cut blocks out of the training DNA, all over it, to tune with; the rest is to count."""
    size = max(4 * FLANK, min(_BLOCK, n_bases // _TUNING_SHARE**2))
    period = _TUNING_SHARE * size
    fitting, tuning = [], []
    begin = 0  # of the run, all of them laid end to end
    for run in runs:
        last = 0
        for start in range((period // 2 - begin) % period, len(run), period):
            fitting.append(run[last:start])
            tuning.append(run[start : start + size])
            last = start + size
        fitting.append(run[last:])
        begin += len(run)
    return fitting, tuning


def _spread_contexts(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Take bases with their neighbours, evenly spread, shape (n, 2 * FLANK + 1)."""
    width = 2 * FLANK + 1
    step = max(1, sum(map(len, blocks)) // _MAX_TUNING_BASES)
    windows = [
        np.lib.stride_tricks.sliding_window_view(block & 3, width)[::step]
        for block in blocks
        if len(block) >= width
    ]
    return np.concatenate([np.empty((0, width), dtype=np.uint8), *windows])


def _add_other_strand(counts: np.ndarray) -> np.ndarray:
    """Add to the count of each word that of its reverse complement."""
    length = (len(counts).bit_length() - 1) // 2
    n_first = length // 2
    # The reverse complement of a word is that of its second half, then that of its first half.
    halves = np.ix_(_reverse_complements(n_first), _reverse_complements(length - n_first))
    return counts + counts.reshape(4 ** (length - n_first), 4**n_first).T[halves].reshape(-1)


def _reverse_complements(length: int) -> np.ndarray:
    words = np.arange(4**length)
    reversed_words = np.zeros_like(words)
    for _ in range(length):
        # A and T are 0 and 1, C and G 2 and 3: a flip of the last bit complements.
        reversed_words = reversed_words << 2 | (words & 3) ^ 1
        words = words >> 2
    return reversed_words


def _sum_over_last(counts: np.ndarray) -> list[np.ndarray]:
    """Count the shorter words by summing over their last base; index i holds words of length i."""
    tables = [counts]
    while len(tables[-1]) > 1:
        longer = tables[-1].reshape(-1, 4)
        # Four columns added are four times as fast as .sum(axis=1).
        shorter = longer[:, 0].astype(np.int64)
        for base in (1, 2, 3):
            shorter += longer[:, base]
        tables.append(shorter)
    return tables[::-1]


def _predict(
    tables: Sequence[np.ndarray], contexts: np.ndarray, choose: _Choose
) -> dict[str, list[np.ndarray]]:
    candidates = np.repeat(contexts[:, None, :].astype(np.int64) & 3, 4, axis=1)
    candidates[:, :, FLANK] = np.arange(4)
    return {
        kind: list(_follow_chain(tables, candidates, kind=kind, n_factors=n, choose=choose))
        for kind, n in ((MARKOV_LEFT, 1), (MARKOV_BOTH_SIDES, FLANK + 1))
    } | {CONTEXT_COUNTS: list(_widen_context(tables, candidates, choose=choose))}


def _follow_chain(
    tables: Sequence[np.ndarray],
    candidates: np.ndarray,
    *,
    kind: str,
    n_factors: int,
    choose: _Choose,
) -> Iterator[np.ndarray]:
    """Give the posterior of the middle base under Markov chains of growing order.

    Of the chain's factors p(base | the bases before it), those of the middle base and of the
    `order` bases after it hold the middle base; the first `n_factors` of them are used.
    """
    conditionals = np.full((*candidates.shape[:2], n_factors), 0.25)
    for order in range(min(len(tables) - 1, FLANK + 1)):
        factors = range(FLANK, FLANK + n_factors)
        before = [_join_columns(candidates[..., end - order : end]) for end in factors]
        contexts = np.stack(before, axis=-1)
        words = contexts * 4 + candidates[..., FLANK : FLANK + n_factors]
        n, total = tables[order + 1][words], tables[order][contexts]

        def smooth(
            concentration: float,
            n: np.ndarray = n,
            total: np.ndarray = total,
            smaller: np.ndarray = conditionals,
        ) -> np.ndarray:
            smoothed: np.ndarray = (n + concentration * smaller) / (total + concentration)
            return smoothed

        def posterior(
            concentration: float,
            smooth: Callable[[float], np.ndarray] = smooth,
            n_used: int = order + 1,
        ) -> np.ndarray:
            product = smooth(concentration)[..., :n_used].prod(axis=-1)
            return product / product.sum(axis=1, keepdims=True)

        concentration = choose(kind, order, posterior)
        conditionals = smooth(concentration)
        yield posterior(concentration)


def _widen_context(
    tables: Sequence[np.ndarray], candidates: np.ndarray, *, choose: _Choose
) -> Iterator[np.ndarray]:
    """Give the smoothed shares of the bases seen in the middle of contexts of growing width."""
    probabilities = np.full(candidates.shape[:2], 0.25)
    for n_sides in range((len(tables) - 2) // 2 + 1):
        words = _join_columns(candidates[..., FLANK - n_sides : FLANK + n_sides + 1])
        n = tables[2 * n_sides + 1][words]

        def smooth(
            concentration: float, n: np.ndarray = n, smaller: np.ndarray = probabilities
        ) -> np.ndarray:
            total = n.sum(axis=1, keepdims=True)
            smoothed: np.ndarray = (n + concentration * smaller) / (total + concentration)
            return smoothed

        probabilities = smooth(choose(CONTEXT_COUNTS, n_sides, smooth))
        yield probabilities


def _join_columns(digits: np.ndarray) -> np.ndarray:
    """Read the digits along the last axis in base 4; none gives 0."""
    words = np.zeros(digits.shape[:-1], dtype=np.int64)
    for column in range(digits.shape[-1]):
        words = words * 4 + digits[..., column]
    return words
