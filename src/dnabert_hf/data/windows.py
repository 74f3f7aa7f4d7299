"""Windows along a genome, labelled by the regions that their middle lies in."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dnabert_hf.data.examples import Splitting, cut_window
from dnabert_hf.data.genome import Genome
from dnabert_hf.data.intervals import Interval, match_contigs

__all__ = ["write_windows"]


def write_windows(
    genome: Genome,
    path: str | Path,
    *,
    length: int,
    step: int,
    regions: Sequence[Interval] | None = None,
    positives: Sequence[Interval] | None = None,
    splitting: Splitting | None = None,
) -> Counter[str]:
    """Write the windows of a genome as a table (TSV), one after another, in little memory.

    Args:
        genome: The genome.
        path: The table; it appears under its name only when it is whole.
        length: Bases of a window.
        step: Bases from the start of a window to that of the next one.
        regions: Where windows lie, as a whole; by default all contigs.
        positives: Regions that make a window one of class 1, if its middle base lies in one of
            them, instead of class 0. Without them there is no column of labels.
        splitting: Contigs of the dev and test splits; without them there is no column of splits.

    Returns:
        How many windows were written ("windows"), and left out, by reason.

    Raises:
        ValueError: If an option is out of range, nothing lies on the genome, or there is no window.
    """
    if length < 1 or step < 1:
        raise ValueError(f"length and step must be 1 or more bases, got {length} and {step}")
    splitting = splitting or Splitting()
    splitting.check(genome)
    places = _regions_of(genome, regions)
    inside = None if positives is None else _Regions(genome, positives)
    split_of = dict.fromkeys(splitting.dev_contigs, "dev")
    split_of |= dict.fromkeys(splitting.test_contigs, "test")
    header = ["id", "sequence", *(["label"] if inside else []), *(["split"] if split_of else [])]
    counts: Counter[str] = Counter(windows=0)
    path = Path(path)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow([*header, "contig", "start", "end", "strand"])
        for contig, start in _starts(places, length, step):
            sequence = cut_window(genome, (contig, start, start + length, "+"), counts)
            if sequence is None:
                continue
            row = [f"{contig}:{start}-{start + length}", sequence]
            if inside:
                row.append(str(int(inside.holds(contig, start + length // 2))))
            if split_of:
                row.append(split_of.get(contig, "train"))
            writer.writerow([*row, contig, start, start + length, "+"])
            counts["windows"] += 1
    if not counts["windows"]:
        partial.unlink()
        raise ValueError(
            f"a region must have room for a window of {length} bases of A, C, G, T, found none; "
            "give longer regions or a smaller length"
        )
    partial.replace(path)
    return counts


def _regions_of(genome: Genome, regions: Sequence[Interval] | None) -> list[tuple[str, int, int]]:
    if regions is None:
        return [(contig.name, 0, contig.length) for contig in genome.contigs]
    known = [contig.name for contig in genome.contigs]
    names = match_contigs([region.contig for region in regions], known, source="the regions")
    return [(names[r.contig], r.start, r.end) for r in regions if r.contig in names]


def _starts(
    places: Sequence[tuple[str, int, int]], length: int, step: int
) -> Iterator[tuple[str, int]]:
    for contig, begin, end in places:
        for start in range(begin, end - length + 1, step):
            yield contig, start


class _Regions:
    """Tells whether a base lies in one of some regions."""

    def __init__(self, genome: Genome, regions: Sequence[Interval]):
        known = [contig.name for contig in genome.contigs]
        names = match_contigs([r.contig for r in regions], known, source="the labelled regions")
        by_contig: dict[str, list[tuple[int, int]]] = {}
        for region in regions:
            if region.contig in names:
                by_contig.setdefault(names[region.contig], []).append((region.start, region.end))
        self._bounds = {}
        for contig, pairs in by_contig.items():
            starts, ends = np.array(sorted(pairs)).T
            # The farthest end so far: a long region may hold short ones that begin later.
            self._bounds[contig] = starts, np.maximum.accumulate(ends)

    def holds(self, contig: str, position: int) -> bool:
        """Tell whether a region of the contig holds the base (0-based)."""
        if contig not in self._bounds:
            return False
        starts, ends = self._bounds[contig]
        index = int(np.searchsorted(starts, position, side="right")) - 1
        return index >= 0 and position < ends[index]
