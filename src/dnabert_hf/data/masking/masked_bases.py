"""Single masked bases, and the votes of the k-mers over them."""

import logging
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.masking.markov_baselines import FLANK

__all__ = [
    "MaskedBaseScores",
    "MaskedBases",
    "agreeing_kmers",
    "choose_masked_bases",
    "combine_votes",
    "score_bases",
    "vote_for_bases",
]

logger = logging.getLogger(__name__)

_MASKED_SHARE = 0.15


class MaskedBases(NamedTuple):
    """Bases to mask, each alone, in windows that the model takes in one row.

    Coordinates are 0-based and half-open, in the array of codes that the runs came from.

    Attributes:
        starts: First base of each window, int64, shape (windows,).
        ends: Base after the last one of each window, int64, shape (windows,).
        windows: Index of the window of each masked base, int64, shape (bases,), in order.
        positions: Where each masked base is, int64, shape (bases,), in order.
    """

    starts: np.ndarray
    ends: np.ndarray
    windows: np.ndarray
    positions: np.ndarray


def choose_masked_bases(
    runs: np.ndarray,
    *,
    k: int,
    n_kmers: int = 510,
    n_windows: int | None = None,
    seed: int = 42,
) -> MaskedBases:
    """Choose windows of DNA and, in each, bases to mask, so far apart that each is masked alone.

    The windows cover the runs without overlap; the last one of a run may be shorter. In a
    window, one base is masked in each round(k / 0.15) k-mers (k = 6: 40), at random, so
    that some 15 % of the k-mers are over one and at least k visible ones lie between two such
    spans. The first and last `FLANK` bases of a run are left out: base statistics need
    neighbours.

    Args:
        runs: Start and end of DNA without unknown bases, int64, shape (runs, 2), 0-based
            and half-open.
        k: Bases per k-mer.
        n_kmers: K-mers of a window.
        n_windows: Windows to take, evenly spread; None takes all.
        seed: Decides the positions. The same arguments always give the same bases.

    Returns:
        The bases, in the order of the runs.

    Raises:
        ValueError: If a window is too short to mask a base, no run is long enough, or
            `n_windows` is not positive.

    Example:
        >>> masked = choose_masked_bases(np.array([[100, 222]]), k=3, n_kmers=40)
        >>> masked.starts.tolist(), masked.ends.tolist(), len(masked.positions)
        ([111, 153], [153, 195], 4)
    """
    spacing = round(k / _MASKED_SHARE)
    if n_kmers < spacing:
        raise ValueError(
            f"a window must have {spacing} k-mers or more to mask a base (k = {k}), got {n_kmers}; "
            "train on longer segments (--max-tokens), or take a model of longer sequences"
        )
    if n_windows is not None and n_windows < 1:
        raise ValueError(f"n_windows must be 1 or more, or None for all, got {n_windows}")
    starts, ends = _cut_windows(runs, shortest=spacing + k - 1, longest=n_kmers + k - 1)
    if n_windows is not None and n_windows < len(starts):
        spread = np.arange(n_windows) * len(starts) // n_windows
        starts, ends = starts[spread], ends[spread]
    n_hidden = (ends - starts - k + 1) // spacing
    windows = np.repeat(np.arange(len(starts)), n_hidden)
    cells = np.arange(len(windows)) - np.repeat(np.cumsum(n_hidden) - n_hidden, n_hidden)
    # The base is the first one of the last k-mer of its span. A span never begins with the first
    # k-mer, for the bases before the masked one would have no visible k-mer over them.
    offsets = np.random.default_rng(seed).integers(
        1, spacing - 2 * k + 1, len(windows), endpoint=True
    )
    return MaskedBases(starts, ends, windows, starts[windows] + cells * spacing + offsets + k - 1)


def _cut_windows(runs: np.ndarray, *, shortest: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    inner = np.asarray(runs, dtype=np.int64).reshape(-1, 2) + np.array([FLANK, -FLANK])
    lengths = inner[:, 1] - inner[:, 0]
    is_long = lengths >= shortest
    if not is_long.any():
        raise ValueError(
            f"the DNA to score must have a run of {shortest + 2 * FLANK} known bases or more, "
            f"found {len(inner)} runs, all shorter; give more DNA or a larger region"
        )
    if not is_long.all():
        logger.warning(
            "%d of %d runs of known bases are shorter than %d bases and are not scored",
            (~is_long).sum(),
            len(inner),
            shortest + 2 * FLANK,
        )
    inner, lengths = inner[is_long], lengths[is_long]
    n_windows = (lengths - shortest) // longest + 1
    number = np.arange(n_windows.sum()) - np.repeat(np.cumsum(n_windows) - n_windows, n_windows)
    starts = np.repeat(inner[:, 0], n_windows) + number * longest
    return starts, np.minimum(starts + longest, np.repeat(inner[:, 1], n_windows))


def agreeing_kmers(before: np.ndarray, after: np.ndarray, *, k: int) -> np.ndarray:
    """Find the four k-mers that agree with the visible bases, for each k-mer over a masked base.

    Args:
        before: The visible k-mer just before each span of k masked ones, as its index among all
            k-mers (its token id less 5), shape (spans,).
        after: The visible k-mer just after each span, shape (spans,).
        k: Bases per k-mer, and k-mers of a span.

    Returns:
        Indices of k-mers, int64, shape (spans, k, 4): for each k-mer of the span, those with A, T,
        C and G in place of the masked base.

    Example:
        >>> agreeing_kmers(np.array([0]), np.array([63]), k=3)[0].tolist()  # AAA, GGG: AA?GG
        [[0, 1, 2, 3], [3, 7, 11, 15], [15, 31, 47, 63]]
    """
    spans = []
    for n_right in range(k):
        left = before % 4 ** (k - 1 - n_right)
        right = after // 4 ** (k - n_right)
        outer = (left * 4 ** (n_right + 1) + right).astype(np.int64)
        spans.append(outer[:, None] + np.arange(4) * 4**n_right)
    return np.stack(spans, axis=1)


def combine_votes(log_votes: np.ndarray) -> np.ndarray:
    """Join what the k-mers over a base say of it: the geometric mean, made to sum to 1.

    Args:
        log_votes: Logarithms of the probabilities that each k-mer gives to A, T, C and G, up to a
            constant of its own, shape (bases, kmers, 4).

    Returns:
        Natural logarithms of probabilities, shape (bases, 4).

    Example:
        >>> votes = np.array([[[0.9, 0.1, 0, 0], [0.9, 0.1, 0, 0]]]) + 1e-9
        >>> np.exp(combine_votes(np.log(votes))).round(3)
        array([[0.9, 0.1, 0. , 0. ]])
    """
    return _normalise(_normalise(log_votes).mean(axis=1))


def _normalise(log_weights: np.ndarray) -> np.ndarray:
    normalised: np.ndarray = log_weights - np.logaddexp.reduce(log_weights, axis=-1, keepdims=True)
    return normalised


def vote_for_bases(
    kmers: np.ndarray, masked: np.ndarray, probabilities: np.ndarray, *, k: int
) -> dict[int, np.ndarray]:
    """Let each masked k-mer of a sequence vote for the bases under it that no k-mer shows.

    Unlike in `agreeing_kmers`, masked bases may be neighbours: the probabilities of the k-mers that
    agree with the visible bases are summed by each masked base in turn.

    Args:
        kmers: The sequence as indices of k-mers, -1 where masked or unknown, shape (kmers,).
        masked: Which of them are masked, shape (masked,).
        probabilities: Probability of each k-mer at these positions, shape (masked, 4**k).
        k: Bases per k-mer.

    Returns:
        By position (0-based) of the base, in order, the probabilities of A, T, C and G from each
        k-mer over it, shape (votes, 4).

    Example:
        >>> kmers = np.array([0, -1, -1])  # AA??
        >>> vote_for_bases(kmers, np.array([1, 2]), np.full((2, 16), 1 / 16), k=2)[2].tolist()
        [[0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]]
    """
    digits = np.arange(4**k)[:, None] // 4 ** np.arange(k - 1, -1, -1) % 4
    visible = np.full(len(kmers) + k - 1, -1)
    shown = np.flatnonzero(kmers >= 0)
    for offset in range(k):
        visible[shown + offset] = digits[kmers[shown], offset]
    votes: dict[int, list[np.ndarray]] = {}
    for row, kmer in zip(probabilities, masked.tolist(), strict=True):
        bases = visible[kmer : kmer + k]
        weights = row * ((digits == bases) | (bases < 0)).all(axis=1)
        weights /= weights.sum()
        for offset in np.flatnonzero(bases < 0).tolist():
            vote = np.bincount(digits[:, offset], weights, minlength=4)
            votes.setdefault(kmer + offset, []).append(vote)
    return {position: np.stack(of_base) for position, of_base in sorted(votes.items())}


class MaskedBaseScores(NamedTuple):
    """Scores of predicted bases.

    Attributes:
        bits_per_base: Mean of -log2 of the probability that the true base got; 2 is guessing.
        standard_error: Of `bits_per_base`, bases of one window taken together.
        accuracy: Share of the bases whose most probable letter is the true one.
    """

    bits_per_base: float
    standard_error: float
    accuracy: float


def score_bases(
    log_probabilities: np.ndarray, truth: np.ndarray, windows: np.ndarray
) -> MaskedBaseScores:
    """Score the probabilities of masked bases.

    Args:
        log_probabilities: Natural logarithms for A, T, C, G, shape (bases, 4).
        truth: Digits 0 to 3 of the true bases, shape (bases,).
        windows: Window of each base, shape (bases,): bases of one window are alike, and the
            standard error must not take them for independent cases.

    Returns:
        The scores.

    Example:
        >>> halves = np.log(np.array([[0.5, 0.25, 0.125, 0.125], [0.25, 0.5, 0.125, 0.125]]))
        >>> scores = score_bases(halves, np.array([0, 0]), np.array([0, 1]))
        >>> round(scores.bits_per_base, 6), scores.accuracy
        (1.5, 0.5)
    """
    bits = -log_probabilities[np.arange(len(truth)), truth] / np.log(2)
    mean = float(bits.mean())
    deviations = np.bincount(windows, bits - mean)
    standard_error = float(np.sqrt((deviations**2).sum()) / len(bits))
    accuracy = float((log_probabilities.argmax(axis=1) == truth).mean())
    return MaskedBaseScores(mean, standard_error, accuracy)
