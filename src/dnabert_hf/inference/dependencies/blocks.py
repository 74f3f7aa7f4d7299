"""Blocks of a dependency map that chance does not make, and what each may be."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from dnabert_hf.inference.dependencies.map_files import DependencyMap

__all__ = ["Block", "contrast", "find_blocks"]

_PAIRED = frozenset({"AT", "TA", "CG", "GC"})
_SHORTEST_STEM = 4  # pairs of a hairpin; bases of a repeat
_SITE_BASES = (4, 40)
_MOST_SITE_PAIRS = 6  # distance within which bases of a site are compared
_BAND_PAIRS = 60  # pairs of similar distance that are compared with each other
_N_SHUFFLES = 20  # of which the strongest block is what chance makes: 1 in 21 maps has a false one
_STRENGTH = 3.0  # robust deviations that a pair must have to make a block longer
_STRONGEST = 10.0  # that it counts for at most: what a model is sure of is hundreds away


class Block(NamedTuple):
    """Bases that depend on each other.

    Coordinates are 0-based and half-open, within the sequence.

    Attributes:
        kind: "site" (neighbouring bases), "inverted repeat" (hairpin or palindrome), "direct
            repeat", "splice pair" (GT ... AG) or "pair" (two sites).
        start: First base of the first part.
        end: Base after its last one.
        start_b: First base of the second part; None for a site.
        end_b: Base after its last one; None for a site.
        strength: Sum over its pairs of the robust deviations from pairs of the same distance.
        chance: The largest such sum of 20 maps whose pairs of the same distance changed places.
    """

    kind: str
    start: int
    end: int
    start_b: int | None
    end_b: int | None
    strength: float
    chance: float


def contrast(scores: np.ndarray) -> np.ndarray:
    """Tell how much stronger pairs are than others of their bases, and of their distance.

    Both directions of a pair are averaged. What a base has in common with all others is taken off
    (the product correction of Dunn et al. 2008, with medians in place of averages, which a site
    would raise), and the rest is put in deviations from the median of pairs that lie as far apart,
    by their median absolute deviation.

    Args:
        scores: Dependencies, shape (bases, bases), NaN where there are none.

    Returns:
        Deviations, from -10 to 10, shape (bases, bases), symmetric; NaN on the diagonal and where
        there are none.
    """
    both = (scores + scores.T) / 2
    is_known = np.isfinite(both)
    has_any = is_known.any(axis=0)
    common = np.zeros(len(both))
    common[has_any] = np.nanmedian(both[:, has_any], axis=0)
    overall = max(float(np.median(common[has_any])), 1e-12) if has_any.any() else 1.0
    corrected = both - np.outer(common, common) / overall
    deviations = np.full(both.shape, np.nan)
    rows, columns = np.nonzero(np.triu(is_known, 1))
    for pairs in _bands(columns - rows):
        values = corrected[rows[pairs], columns[pairs]]
        median = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - median))
        of_band = (values - median) / max(spread, 1e-12)
        deviations[rows[pairs], columns[pairs]] = np.clip(of_band, -_STRONGEST, _STRONGEST)
    deviations[columns, rows] = deviations[rows, columns]
    return deviations


def _bands(distances: np.ndarray) -> Iterator[np.ndarray]:
    """Group pairs by distance, neighbouring distances together where there are few."""
    order = np.argsort(distances, kind="stable")
    begin = 0
    while begin < len(order):
        end = min(begin + _BAND_PAIRS, len(order))
        # Pairs of one distance stay together, and the last band has as many as the others.
        end = int(np.searchsorted(distances[order], distances[order[end - 1]], side="right"))
        if len(order) - end < _BAND_PAIRS:
            end = len(order)
        yield order[begin:end]
        begin = end


def find_blocks(found: DependencyMap, *, seed: int = 0) -> list[Block]:
    """Find the blocks of a map that are stronger than any that chance makes.

    Sites are runs of neighbouring bases, repeats runs along a diagonal or an antidiagonal whose
    letters are equal or pair (A with T, C with G), pairs two sites that depend on each other. The
    limit of each kind is the strongest block of 20 maps in which pairs of the same distance changed
    places, so that a map without structure has a block of a kind in about one of 21 cases.

    Args:
        found: The map.
        seed: Decides how pairs change places.

    Returns:
        Blocks, the strongest first.
    """
    deviations = contrast(found.scores)
    rng = np.random.default_rng(seed)
    rows, columns = np.nonzero(np.triu(np.isfinite(deviations), 1))
    bands = list(_bands(columns - rows))
    shuffled = []
    for _ in range(_N_SHUFFLES if len(rows) else 0):
        other = np.full(deviations.shape, np.nan)
        for pairs in bands:
            values = deviations[rows[pairs], columns[pairs]]
            other[rows[pairs], columns[pairs]] = rng.permutation(values)
        other[columns, rows] = other[rows, columns]
        shuffled.append(other)
    blocks: list[Block] = []
    searches: list[Callable[[np.ndarray, str], list[tuple[str, int, int, int | None, float]]]]
    searches = [_sites, _inverted_repeats, _direct_repeats]
    for search in searches:
        chance = max(
            (strength for each in shuffled for *_, strength in search(each, found.sequence)),
            default=0.0,
        )
        for kind, start, end, start_b, strength in search(deviations, found.sequence):
            if strength > chance:
                end_b = None if start_b is None else start_b + end - start
                blocks.append(Block(kind, start, end, start_b, end_b, strength, chance))
    blocks = _without_shadows(blocks)
    blocks += _pairs_of_sites(deviations, shuffled, blocks, found)
    return sorted(blocks, key=lambda block: -block.strength)


# What a search gives: kind, start and end of the first part, start of the second, and the strength.
_Found = tuple[str, int, int, int | None, float]


def _sites(deviations: np.ndarray, _: str) -> list[_Found]:
    """Find runs of bases whose pairs within 6 bases are strong in sum; none overlap."""
    n_bases = len(deviations)
    distance = np.subtract.outer(np.arange(n_bases), np.arange(n_bases)).T
    counted = (distance > 0) & (distance <= _MOST_SITE_PAIRS)
    gains = np.where(counted, np.nan_to_num(deviations - _STRENGTH, nan=0.0), 0.0)
    # Of each run, from its first base (row) to its last one (column): the sum over its pairs.
    sums = np.cumsum(np.cumsum(gains[::-1], axis=0)[::-1], axis=1)
    shortest, longest = _SITE_BASES
    sums[(distance < shortest - 1) | (distance >= longest)] = 0
    found: list[_Found] = []
    while (strength := float(sums.max(initial=0))) > 0:
        start, last = (int(each) for each in np.unravel_index(sums.argmax(), sums.shape))
        found.append(("site", start, last + 1, None, strength))
        sums[: last + 1, start:] = 0  # all runs that begin before its end and end after its start
    return found


def _inverted_repeats(deviations: np.ndarray, sequence: str) -> list[_Found]:
    """Find arms that could pair: the strongest run of each antidiagonal."""
    found: list[_Found] = []
    n_bases = len(sequence)
    for total in range(2 * _SHORTEST_STEM - 1, 2 * n_bases - 2 * _SHORTEST_STEM):
        lefts = np.arange(max(0, total - n_bases + 1), (total + 1) // 2)
        rights = total - lefts
        may = [sequence[i] + sequence[j] in _PAIRED for i, j in zip(lefts, rights, strict=True)]
        run = _strongest_run(deviations[lefts, rights], np.array(may, dtype=bool))
        if run is not None:
            begin, end, strength = run
            arm = (int(lefts[begin]), int(lefts[end - 1]) + 1)
            found.append(("inverted repeat", *arm, int(rights[end - 1]), strength))
    return found


def _direct_repeats(deviations: np.ndarray, sequence: str) -> list[_Found]:
    """Find copies: the strongest run of each diagonal."""
    letters = np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)
    found: list[_Found] = []
    for distance in range(_SHORTEST_STEM, len(sequence) - _SHORTEST_STEM + 1):
        run = _strongest_run(
            deviations.diagonal(distance), letters[:-distance] == letters[distance:]
        )
        if run is not None:
            begin, end, strength = run
            found.append(("direct repeat", begin, end, begin + distance, strength))
    return found


def _strongest_run(values: np.ndarray, may: np.ndarray) -> tuple[int, int, float] | None:
    """Find the run of four or more places that may be in it with the largest sum."""
    best: tuple[int, int, float] | None = None
    begin, total = 0, 0.0
    gains = np.where(may & np.isfinite(values), values - _STRENGTH, -np.inf)
    for place, gain in enumerate(gains.tolist()):
        if total + gain <= 0:
            begin, total = place + 1, 0.0
            continue
        total += gain
        if place + 1 - begin >= _SHORTEST_STEM and (best is None or total > best[2]):
            best = (begin, place + 1, total)
    return best


def _without_shadows(blocks: list[Block]) -> list[Block]:
    """Leave out repeats within a site, and those that share most bases with a stronger block."""
    kept: list[Block] = []
    for block in sorted(blocks, key=lambda each: -each.strength):
        is_shadow = block.start_b is not None and any(_share(block, other) > 0.5 for other in kept)
        if not is_shadow:
            kept.append(block)
    return kept


def _share(block: Block, other: Block) -> float:
    """Give the share of the bases of a block that another one has."""
    own = set(range(block.start, block.end)) | set(range(block.start_b or 0, block.end_b or 0))
    theirs = set(range(other.start, other.end)) | set(range(other.start_b or 0, other.end_b or 0))
    return len(own & theirs) / len(own)


def _pairs_of_sites(
    deviations: np.ndarray, shuffled: list[np.ndarray], blocks: list[Block], found: DependencyMap
) -> list[Block]:
    """Find sites that depend on each other, and on their best pair of bases call introns."""
    sites = sorted((each.start, each.end) for each in blocks if each.kind == "site")
    pairs = [(one, other) for index, one in enumerate(sites) for other in sites[index + 1 :]]

    def strength(values: np.ndarray, pair: tuple[tuple[int, int], tuple[int, int]]) -> float:
        (start, end), (start_b, end_b) = pair
        return float(np.nansum(values[start:end, start_b:end_b] - _STRENGTH / 2))

    chance = max((strength(each, pair) for each in shuffled for pair in pairs), default=0.0)
    joined = []
    for pair in pairs:
        total = strength(deviations, pair)
        if total > max(chance, 0.0):
            (start, end), (start_b, end_b) = pair
            both = found.scores[start:end, start_b:end_b] + found.scores[start_b:end_b, start:end].T
            box = np.nan_to_num(both, nan=-np.inf)
            left, right = (int(each) for each in np.unravel_index(box.argmax(), box.shape))
            is_intron = _lies_in("GT", found.sequence, start + left) and _lies_in(
                "AG", found.sequence, start_b + right
            )
            kind = "splice pair" if is_intron else "pair"
            joined.append(Block(kind, *pair[0], *pair[1], total, max(chance, 0.0)))
    return joined


def _lies_in(word: str, sequence: str, position: int) -> bool:
    return word in sequence[max(position - 1, 0) : position + 2]
