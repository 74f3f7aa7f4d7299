"""Windows that a scan goes through: where they begin, and what has none."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.genome.regions import intersect_regions

__all__ = ["ScanWindows", "find_extents"]

logger = logging.getLogger(__name__)

_BLOCK_WINDOWS = 1 << 20  # of which starts are in memory


class ScanWindows(NamedTuple):
    """Windows of parts of a genome, those with other letters than A, C, G, T left out.

    Attributes:
        genome: The genome.
        extents: Contig index, start and end (0-based, half-open), in order, shape (n, 3).
        window: Bases of a window.
        step: Bases from the start of a window to that of the next.
    """

    genome: Genome
    extents: np.ndarray
    window: int
    step: int

    def starts(self) -> Iterator[tuple[int, np.ndarray, int]]:
        """Yield in order contig, starts of windows of A, C, G, T, and how many others there are."""
        runs_of_all, window, step = self.genome.runs, self.window, self.step
        for contig, begin, end in self.extents.tolist():
            first, last = np.searchsorted(runs_of_all[:, 0], [contig, contig + 1])
            runs = runs_of_all[first:last]
            for block in range(begin, end - window + 1, step * _BLOCK_WINDOWS):
                stop = min(block + step * _BLOCK_WINDOWS, end - window + 1)
                starts = np.arange(block, stop, step)
                run = np.searchsorted(runs[:, 1], starts, side="right") - 1
                is_known = (run >= 0) & (runs[run, 2] >= starts + window) if len(runs) else run >= 0
                yield contig, starts[is_known], int((~is_known).sum())

    def chunks(self, *, n_bases: int) -> Iterator[list[tuple[str, int, int]]]:
        """Yield contig, start and end of the windows, so many bases at a time."""
        size = max(n_bases // self.window, 1)
        chunk: list[tuple[str, int, int]] = []
        for contig, starts, _ in self.starts():
            name = self.genome.contigs[contig].name
            for block in np.split(starts, range(size, len(starts), size)):
                chunk += [(name, start, start + self.window) for start in block.tolist()]
                if len(chunk) >= size:
                    yield chunk[:size]
                    chunk = chunk[size:]
        if chunk:
            yield chunk

    def count_all(self) -> tuple[int, int]:
        """Count the windows, and those left out."""
        n_windows = n_skipped = 0
        for _, starts, n_unknown in self.starts():
            n_windows, n_skipped = n_windows + len(starts), n_skipped + n_unknown
        if not n_windows:
            raise ValueError(
                f"a region must have room for a window of {self.window} bases of A, C, G, T, found "
                "none; give longer regions or a shorter window"
            )
        return n_windows, n_skipped

    def report(self, n_windows: int, n_skipped: int, *, of: str) -> None:
        """Say what of the genome has no window."""
        n_short = int((self.extents[:, 2] - self.extents[:, 1] < self.window).sum())
        if n_short:
            logger.warning(
                "%d of %d %s are shorter than a window and have none",
                *(n_short, len(self.extents), of),
            )
        if n_skipped:
            logger.warning(
                "%d of %d windows hold letters other than A, C, G, T and are left out",
                n_skipped,
                n_windows + n_skipped,
            )


def find_extents(genome: Genome, regions: Sequence[Interval] | None) -> np.ndarray:
    """List where to scan, in the order of the genome.

    Args:
        genome: The genome.
        regions: Regions of it; those that overlap or touch count as one. None takes all of it.

    Returns:
        Contig index, start and end (0-based, half-open), shape (n, 3).

    Raises:
        ValueError: If a region ends behind its contig, or none is on the genome.
    """
    lengths = [contig.length for contig in genome.contigs]
    contigs = np.array([[i, 0, length] for i, length in enumerate(lengths)], dtype=np.int64)
    if regions is None:
        return contigs
    names = genome.contig_names.match((each.contig for each in regions), source="the regions")
    wanted = [(genome.index(names[r.contig]), r.start, r.end) for r in regions if r.contig in names]
    for contig, start, end in wanted:
        if end > lengths[contig]:
            name = genome.contigs[contig].name
            raise ValueError(
                f"a region must lie within its contig, found {name}:{start}-{end} where {name} has "
                f"{lengths[contig]} bases; correct it"
            )
    extents = intersect_regions(contigs, np.array(wanted, dtype=np.int64))
    if len(extents) < len(wanted):
        logger.warning(
            "%d regions overlap, touch or repeat others: they are scanned as %d",
            *(len(wanted), len(extents)),
        )
    return extents
