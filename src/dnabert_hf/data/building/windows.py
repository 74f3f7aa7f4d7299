"""Windows along a genome, labelled by the regions that their middle lies in."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.building.labelled_windows import Splitting
from dnabert_hf.data.genome.coordinates import cut_window
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval, match_intervals
from dnabert_hf.data.genome.regions import merge_regions
from dnabert_hf.data.genome.signal import Signal, SignalSummary, summarise_signal
from dnabert_hf.data.labelled.composition_bias import PartStatistics, measure_counted_bias
from dnabert_hf.files.atomic import open_table

__all__ = ["WrittenWindows", "write_windows"]

logger = logging.getLogger(__name__)

_NO_SPLIT = "all"


class WrittenWindows(NamedTuple):
    """Result of `write_windows`.

    Attributes:
        n_windows: Rows of the table.
        omitted: How many windows, regions and contigs were left out, by reason.
        statistics: Of each split and class, where the windows have labels.
        gc_bias: AUROC of the GC content alone between the classes, as `measure_bias` gives it; None
            without windows of both.
    """

    n_windows: int
    omitted: Mapping[str, int]
    statistics: tuple[PartStatistics, ...]
    gc_bias: float | None


def write_windows(
    genome: Genome,
    path: str | Path,
    *,
    length: int,
    step: int,
    regions: Sequence[Interval] | None = None,
    positives: Sequence[Interval] | None = None,
    signals: Sequence[Signal] = (),
    summary: SignalSummary = "mean",
    splitting: Splitting | None = None,
) -> WrittenWindows:
    """Write the windows of a genome as a table (TSV), one after another, in little memory.

    Args:
        genome: The genome.
        path: The table, gzip if its name ends in .gz; it appears only when it is whole.
        length: Bases of a window.
        step: Bases from the start of a window to that of the next one.
        regions: Where windows lie, as a whole; by default all contigs. Regions that overlap or
            touch count as one.
        positives: Regions that make a window one of class 1, if its middle base lies in one of
            them, instead of class 0. Without them, and without signals, there is no column of
            labels.
        signals: What is measured along the genome, from `open_signal`. The label of a window is a
            number for each, several parted by ";", as regression reads them.
        summary: What of a signal: its mean or maximum over the bases of the window, or "log1p",
            ln(1 + sum), which is for counts. Bases without a value count as 0.
        splitting: Contigs of the dev and test splits; without them there is no column of splits.

    Returns:
        How many windows were written, and left out, and how alike the classes are.

    Raises:
        ValueError: If an option is out of range, nothing lies on the genome, or there is no window.
    """
    if length < 1 or step < 1:
        raise ValueError(f"length and step must be 1 or more bases, got {length} and {step}")
    if positives is not None and signals:
        raise ValueError("windows have classes (positives) or numbers (signals), got both")
    splitting = splitting or Splitting()
    splitting.check(genome)
    omitted: Counter[str] = Counter()
    intervals = _intervals(genome, regions, length, omitted)
    inside = None if positives is None else _Regions(genome, positives, omitted)
    split_of = dict.fromkeys(splitting.dev_contigs, "dev")
    split_of |= dict.fromkeys(splitting.test_contigs, "test")
    is_labelled = inside is not None or bool(signals)
    header = ["id", "sequence", *["label"] * is_labelled, *["split"] * bool(split_of)]
    # By split and class, windows by their number of G and C.
    tally: dict[tuple[str, str], np.ndarray] = {}
    with open_table(path) as write_row:
        write_row([*header, "contig", "start", "end", "strand"])
        for contig, start in _starts(intervals, length, step):
            sequence = cut_window(genome, (contig, start, start + length, "+"), omitted)
            if sequence is None:
                continue
            label = str(int(inside.holds(contig, start + length // 2))) if inside else ""
            numbers = [
                summarise_signal(each, contig, start, start + length, summary=summary)
                for each in signals
            ]
            split = split_of.get(contig, "train") if split_of else _NO_SPLIT
            cells = [label] * bool(inside) + [split] * bool(split_of)
            if signals:
                cells.insert(0, ";".join(f"{number:.6g}" for number in numbers))
            name = f"{contig}:{start}-{start + length}"
            write_row([name, sequence, *cells, contig, start, start + length, "+"])
            counts = tally.setdefault((split, label), np.zeros(length + 1, dtype=np.int64))
            counts[sequence.count("G") + sequence.count("C")] += 1
        if not tally:
            raise ValueError(
                f"a region must have room for a window of {length} bases of A, C, G, T, found "
                "none; give longer regions or a smaller length"
            )
    return WrittenWindows(
        n_windows=int(sum(counts.sum() for counts in tally.values())),
        omitted=omitted,
        statistics=tuple(_describe(tally, length)) if inside else (),
        gc_bias=_measure_bias(tally, length),
    )


def _intervals(
    genome: Genome, regions: Sequence[Interval] | None, length: int, omitted: Counter[str]
) -> list[tuple[str, int, int]]:
    """List contig, start and end of where windows lie, without what is too short for one."""
    if regions is None:
        kind = "contigs"
        intervals = [(contig.name, 0, contig.length) for contig in genome.contigs]
    else:
        kind = "regions"
        names = match_intervals(genome, regions, omitted, kind=kind, source="the regions")
        given = [
            (genome.index(names[r.contig]), r.start, r.end) for r in regions if r.contig in names
        ]
        merged = merge_regions(np.array(given, dtype=np.int64))
        if n_merged := len(given) - len(merged):
            logger.warning("%d regions overlap or touch others and are one with them", n_merged)
        intervals = [(genome.contigs[i].name, start, end) for i, start, end in merged.tolist()]
    long_enough = [
        (contig, start, end) for contig, start, end in intervals if end - start >= length
    ]
    if n_short := len(intervals) - len(long_enough):
        omitted[f"{kind} shorter than a window"] += n_short
    return long_enough


def _describe(tally: Mapping[tuple[str, str], np.ndarray], length: int) -> Iterator[PartStatistics]:
    gc = np.arange(length + 1) / length
    for (split, label), counts in sorted(tally.items()):
        n = int(counts.sum())
        yield PartStatistics(split, label, n, float(counts @ gc) / n, length, length, length, 0)


def _measure_bias(tally: Mapping[tuple[str, str], np.ndarray], length: int) -> float | None:
    of_class = {label: np.zeros(length + 1, dtype=np.int64) for _, label in tally}
    for (_, label), counts in tally.items():
        of_class[label] += counts
    return measure_counted_bias(*of_class.values()) if len(of_class) == 2 else None


def _starts(
    intervals: Sequence[tuple[str, int, int]], length: int, step: int
) -> Iterator[tuple[str, int]]:
    for contig, begin, end in intervals:
        for start in range(begin, end - length + 1, step):
            yield contig, start


class _Regions:
    """Tells whether a base lies in one of some regions."""

    def __init__(self, genome: Genome, regions: Sequence[Interval], omitted: Counter[str]):
        kind = "regions of class 1"
        names = match_intervals(genome, regions, omitted, kind=kind, source=f"the {kind}")
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
