"""Negatives from the genome itself: windows that look like the positives but are none."""

import logging
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.regions import subtract_regions
from dnabert_hf.data.genome.store import SOFT_MASKED

__all__ = ["Windows", "draw_matched", "draw_with_tata_box", "find_tata_box"]

logger = logging.getLogger(__name__)

_GC_BINS = 50  # of 2 %
_REPEAT_BINS = 5  # of 20 % soft-masked bases
_DRAWN = 1 << 17  # windows examined in one go
_GATHERED_BASES = 1 << 24  # bytes of windows held at once
_PATIENCE = 5  # draws without a window that is still wanted, before the search ends
# TATAWA, the core of the TATA box; digits A, T, C, G = 0 to 3.
_TATA_BOX = ((1,), (0,), (1,), (0,), (0, 1), (0,))
# Where a TATA box of a promoter begins, relative to the start site (Ponjavic et al. 2006: most
# begin 28 to 34 bases before it).
_TATA_FIRST, _TATA_LAST = -37, -22


class Windows(NamedTuple):
    """Windows of a genome.

    Attributes:
        contigs: Index of the contig of each window, int64, shape (windows,).
        starts: First base within the contig (0-based), shape (windows,).
        strands: 1 where the reverse complement is meant, else 0, shape (windows,).
    """

    contigs: np.ndarray
    starts: np.ndarray
    strands: np.ndarray


class _Sampler:
    """Draws windows of A, C, G and T outside of regions, never two that overlap."""

    def __init__(
        self, genome: Genome, length: int, excluded: np.ndarray, generator: np.random.Generator
    ):
        self.genome, self.length, self.generator = genome, length, generator
        parts = subtract_regions(genome.runs, excluded)
        parts = parts[parts[:, 2] - parts[:, 1] >= length]
        if not len(parts):
            raise ValueError(
                f"the genome must have room for negatives of {length} bases outside of the "
                "positives and their flanks, found none; give a larger genome, or shuffled "
                "negatives"
            )
        self._contigs, self._begins = parts[:, 0], parts[:, 1]
        self._ends = np.cumsum(parts[:, 2] - parts[:, 1] - length + 1)
        self._taken: dict[tuple[int, int], int] = {}

    def draw(self, n: int) -> Windows:
        """Draw windows, each start alike."""
        numbers = self.generator.integers(self._ends[-1], size=n)
        part = np.searchsorted(self._ends, numbers, side="right")
        before = np.append(0, self._ends)[part]
        starts = self._begins[part] + numbers - before
        return Windows(self._contigs[part], starts, self.generator.integers(2, size=n))

    def codes(self, windows: Windows) -> Iterator[np.ndarray]:
        """Yield the store's bytes of some windows at a time, shape (some, length)."""
        first = self.genome.offsets[windows.contigs] + windows.starts
        n_rows = max(_GATHERED_BASES // self.length, 1)
        for begin in range(0, len(first), n_rows):
            yield self.genome.codes[first[begin : begin + n_rows, None] + np.arange(self.length)]

    def take(self, contig: int, start: int) -> bool:
        """Reserve a window unless it overlaps one that is taken."""
        cell = start // self.length  # holds one start at most: windows that share it overlap
        for other in (cell - 1, cell, cell + 1):
            taken = self._taken.get((contig, other))
            if taken is not None and abs(taken - start) < self.length:
                return False
        self._taken[contig, cell] = start
        return True


@lru_cache
def _say_no_repeats(fingerprint: str) -> None:
    """Warn once of a genome, not for each split."""
    del fingerprint  # the key of the cache
    logger.warning(
        "no repeats in lower case were seen in the genome: negatives are matched by GC alone; a "
        "soft-masked genome has them matched by repeats, too"
    )


def draw_matched(
    genome: Genome,
    positives: Sequence[tuple[int, int]],
    length: int,
    *,
    excluded: np.ndarray,
    seed: int,
) -> Windows:
    """Draw a window for each positive, alike in GC (2 %) and in soft-masked repeats (20 %).

    Args:
        genome: The genome.
        positives: Contig index and start (0-based) of each positive of `length` bases.
        length: Bases of a window.
        excluded: Regions that no window may touch: contig index, start and end, shape (n, 3).
        seed: Seed of the choice.

    Returns:
        As many windows as there are positives, in the positives' order; none overlap. Where the
        genome has no window left in a bin, the nearest GC that has one serves, and a warning
        counts them; another one says if the genome seems to have no soft-masked repeats.

    Raises:
        ValueError: If there is no room for the windows.
    """
    sampler = _Sampler(genome, length, excluded, np.random.default_rng(seed))
    starts = np.asarray(positives, dtype=np.int64).reshape(-1, 2)
    zeros = np.zeros(len(starts), dtype=np.int64)
    wanted_bins = _bins(sampler, Windows(starts[:, 0], starts[:, 1], zeros))
    waiting: dict[int, list[int]] = {}
    for row, key in enumerate(wanted_bins.tolist()):
        waiting.setdefault(key, []).append(row)
    found = np.full((len(starts), 3), -1, dtype=np.int64)
    spare: dict[int, list[tuple[int, int, int]]] = {}
    n_waiting, n_in_vain = len(starts), 0
    while n_waiting and n_in_vain < _PATIENCE:
        n_before = n_waiting
        windows = sampler.draw(_DRAWN)
        bins = _bins(sampler, windows)
        if not spare and not (bins % _REPEAT_BINS).any():
            _say_no_repeats(genome.fingerprint)
        is_wanted = np.isin(bins, [key for key, rows in waiting.items() if rows])
        for i in np.flatnonzero(is_wanted):
            rows = waiting[bins[i]]
            window = (int(windows.contigs[i]), int(windows.starts[i]), int(windows.strands[i]))
            if rows and sampler.take(*window[:2]):
                found[rows.pop(0)] = window
                n_waiting -= 1
        n_in_vain = n_in_vain + 1 if n_waiting == n_before else 0
        _reserve(spare, bins, windows)
    if n_waiting:
        _fill_from_spare(found, waiting, spare, sampler)
        logger.warning(
            "%d of %d negatives have the nearest GC that the genome offers, for want of windows "
            "alike in GC and repeats",
            n_waiting,
            len(starts),
        )
    return Windows(*found.T)


def _bins(sampler: _Sampler, windows: Windows) -> np.ndarray:
    """Number windows by share of G and C and share of soft-masked bases, shape (windows,)."""
    numbers = []
    for codes in sampler.codes(windows):
        is_gc = ((codes & ~np.uint8(SOFT_MASKED)) & 0xFE) == 2
        gc = np.minimum((is_gc.mean(axis=1) * _GC_BINS).astype(np.int64), _GC_BINS - 1)
        repeats = ((codes & SOFT_MASKED) > 0).mean(axis=1) * _REPEAT_BINS
        numbers.append(gc * _REPEAT_BINS + np.minimum(repeats.astype(np.int64), _REPEAT_BINS - 1))
    return np.concatenate(numbers)


def _reserve(
    spare: dict[int, list[tuple[int, int, int]]], bins: np.ndarray, windows: Windows
) -> None:
    """Remember a few hundred windows of each GC for positives that stay without a match."""
    gc = bins // _REPEAT_BINS
    for value in np.unique(gc):
        kept = spare.setdefault(int(value), [])
        for i in np.flatnonzero(gc == value)[: 300 - len(kept)]:
            kept.append((int(windows.contigs[i]), int(windows.starts[i]), int(windows.strands[i])))


def _fill_from_spare(
    found: np.ndarray,
    waiting: dict[int, list[int]],
    spare: dict[int, list[tuple[int, int, int]]],
    sampler: _Sampler,
) -> None:
    for key, rows in waiting.items():
        by_distance = sorted(spare, key=lambda gc: abs(gc - key // _REPEAT_BINS))
        candidates = (window for gc in by_distance for window in spare[gc])
        for row in rows:
            window = next((w for w in candidates if sampler.take(w[0], w[1])), None)
            if window is None:
                raise ValueError(
                    f"the genome must have room for {len(found)} negatives of {sampler.length} "
                    "bases that do not overlap, found fewer; give a larger genome, or shuffled "
                    "negatives"
                )
            found[row] = window


def find_tata_box(sequence: str, start_site: int) -> int | None:
    """Find where the TATA box (TATAWA) of a promoter begins.

    Args:
        sequence: The promoter, 5' to 3'.
        start_site: Offset of the first transcribed base.

    Returns:
        Offset of its first T, between 37 and 22 bases before the start site; None without one.

    Example:
        >>> find_tata_box("GGGGTATAAAG" + "G" * 29, start_site=34)
        4
    """
    digits = ["ATCG".find(letter) for letter in sequence]
    for offset in range(max(start_site + _TATA_FIRST, 0), start_site + _TATA_LAST + 1):
        box = digits[offset : offset + len(_TATA_BOX)]
        if len(box) == len(_TATA_BOX) and all(
            digit in allowed for digit, allowed in zip(box, _TATA_BOX, strict=True)
        ):
            return offset
    return None


def draw_with_tata_box(
    genome: Genome, offsets: Sequence[int], length: int, *, excluded: np.ndarray, seed: int
) -> Windows:
    """Draw a window with a TATA box for each promoter that has one, at the promoter's offset.

    Args:
        genome: The genome.
        offsets: Where the box begins in each promoter.
        length: Bases of a window.
        excluded: Regions that no window may touch: contig index, start and end, shape (n, 3).
        seed: Seed of the choice.

    Returns:
        As many windows as there are offsets, in their order; none overlap.

    Raises:
        ValueError: If the genome has not that many.
    """
    sampler = _Sampler(genome, length, excluded, np.random.default_rng(seed))
    found = np.full((len(offsets), 3), -1, dtype=np.int64)
    for offset in sorted(set(offsets)):
        rows = [row for row, other in enumerate(offsets) if other == offset]
        n_in_vain = 0
        while rows and n_in_vain < _PATIENCE:
            n_in_vain += 1
            windows = sampler.draw(_DRAWN)
            for i in np.flatnonzero(_has_box(sampler, windows, offset)):
                window = int(windows.contigs[i]), int(windows.starts[i])
                if rows and sampler.take(*window):
                    found[rows.pop(0)] = (*window, int(windows.strands[i]))
                    n_in_vain = 0
        if rows:
            raise ValueError(
                f"the genome must have a window with a TATA box for each of {len(offsets)} "
                f"promoters, outside of the promoters, found {(found[:, 0] >= 0).sum()}; give a "
                "larger genome, or other negatives"
            )
    return Windows(*found.T)


def _has_box(sampler: _Sampler, windows: Windows, offset: int) -> np.ndarray:
    """Tell which windows hold a TATA box at an offset on their strand, bool, shape (windows,)."""
    size = len(_TATA_BOX)
    is_reverse = windows.strands == 1
    begin = np.where(is_reverse, sampler.length - offset - size, offset)
    first = sampler.genome.offsets[windows.contigs] + windows.starts + begin
    codes = sampler.genome.codes[first[:, None] + np.arange(size)] & ~np.uint8(SOFT_MASKED)
    # A and T, C and G are each other's complement: 0 and 1, 2 and 3.
    codes = np.where(is_reverse[:, None], codes[:, ::-1] ^ 1, codes)
    columns = zip(codes.T, _TATA_BOX, strict=True)
    return np.logical_and.reduce([np.isin(column, allowed) for column, allowed in columns])
