"""Windows of a genome side by side, away from known sites."""

import logging
from collections.abc import Sequence

import numpy as np

from dnabert_hf.data.building.negatives import flanks
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.genome.regions import subtract_regions

__all__ = ["WindowGrid"]

logger = logging.getLogger(__name__)

_MARGIN = 1000  # bases around a known site that no window touches


class WindowGrid:
    """Windows of A, C, G, T side by side, at least 1,000 bases from every known site.

    Args:
        genome: The genome.
        held_out: Contigs whose windows are kept apart.
        sites: Known sites; None if nothing is known, which is said in a warning.
        length: Bases of a window.

    Raises:
        ValueError: If a contig is not in the genome, none is held out, or no site lies on it.
    """

    def __init__(
        self,
        genome: Genome,
        held_out: Sequence[str],
        sites: Sequence[Interval] | None,
        length: int,
    ):
        known = [contig.name for contig in genome.contigs]
        wrong = [name for name in held_out if name not in known]
        if wrong or not held_out:
            raise ValueError(
                "contigs to measure on (--held-out) must be in the genome, found "
                f"{wrong[0] if wrong else 'none'}; there is {', '.join(known[:5])}"
                f"{' ...' * (len(known) > 5)}"
            )
        excluded = np.empty((0, 3), dtype=np.int64)
        if sites is None:
            logger.warning(
                "no known sites are given: windows of the genome that hold one count as negatives"
            )
        else:
            contigs = (site.contig for site in sites)
            names = genome.contig_names.match(contigs, source="the known sites")
            excluded = flanks(genome, sites, names, margin=_MARGIN)
        self._genome, self._length = genome, length
        self._parts = subtract_regions(genome.runs, excluded) if len(excluded) else genome.runs
        self._held_out = [known.index(name) for name in held_out]

    def draw(self, n: int, *, is_held_out: bool, seed: Sequence[int]) -> list[Interval]:
        """Draw windows of a grid that begins at a random base.

        Args:
            n: Windows, at most.
            is_held_out: Whether they lie on the held-out contigs or on the others.
            seed: Seed of the grid and of the choice.

        Returns:
            The windows in the order of the genome.

        Raises:
            ValueError: If there is no room for one.
        """
        generator = np.random.default_rng(seed)
        begin = int(generator.integers(self._length))
        starts = [
            (contig, start)
            for contig, first, last in self._parts.tolist()
            if (contig in self._held_out) == is_held_out
            for start in range(first + begin, last - self._length + 1, self._length)
        ]
        if not starts:
            raise ValueError(
                f"the {'held-out' if is_held_out else 'other'} contigs must have room for windows "
                f"of {self._length} bases away from known sites, found none; choose other contigs"
            )
        chosen = np.sort(generator.permutation(len(starts))[:n]).tolist()
        windows = ((self._genome.contigs[starts[i][0]].name, starts[i][1]) for i in chosen)
        return [Interval(name, start, start + self._length) for name, start in windows]
