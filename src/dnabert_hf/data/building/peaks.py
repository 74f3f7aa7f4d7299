"""Data sets of binding sites, cut around the summits of ChIP-seq peaks."""

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

from dnabert_hf.data.building.labelled_windows import (
    BuiltDataset,
    Example,
    Splitting,
    build_dataset,
    drop_repeated,
)
from dnabert_hf.data.building.negatives import flanks, matched_negatives, shuffled_negatives
from dnabert_hf.data.building.shuffling import shuffle_dinucleotides
from dnabert_hf.data.genome.coordinates import cut_window
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval, match_intervals

__all__ = ["PeakNegatives", "build_peaks"]

logger = logging.getLogger(__name__)

PeakNegatives = Literal["genomic", "dinucleotides"]

_LABELS = ("other", "peak")
_MARGIN = 200  # bases around a peak that no negative touches


def build_peaks(
    genome: Genome,
    peaks: Sequence[Interval],
    *,
    negatives: PeakNegatives = "genomic",
    length: int = 101,
    splitting: Splitting | None = None,
    source: str = "the list of peaks",
) -> BuiltDataset:
    """Build a data set of peaks and as many negatives.

    Args:
        genome: The genome.
        peaks: Peaks; the window is cut around the `point` (the summit) or, without one, the middle.
        negatives: "genomic": windows of the genome, each alike to a peak in GC (2 %) and
            soft-masked repeats, at least 200 bases from every peak. "dinucleotides": each window
            shuffled, its dinucleotide counts kept, which is easier to tell apart.
        length: Bases of a window; 101 in the paper.
        splitting: How to divide the data.
        source: What the peaks are called in messages.

    Returns:
        The data set with the labels "peak" and "other".

    Raises:
        ValueError: If no peak lies on the genome, an option is out of range, or there is no room
            for negatives.
    """
    if negatives not in get_args(PeakNegatives):
        raise ValueError(
            f"negatives must be {', '.join(get_args(PeakNegatives))}, got {negatives!r}"
        )
    if length < 1:
        raise ValueError(f"the length of a window must be 1 or more bases, got {length}")
    splitting = splitting or Splitting()
    splitting.check(genome)
    omitted: Counter[str] = Counter()
    names = match_intervals(genome, peaks, omitted, kind="peaks", source=source)
    positives = []
    counts: Counter[str] = Counter()
    for peak in (peak for peak in peaks if peak.contig in names):
        counts["middle" if peak.point is None else "point"] += 1
        point = (peak.start + peak.end) // 2 if peak.point is None else peak.point
        start = point - length // 2
        interval = (names[peak.contig], start, start + length, peak.strand)
        sequence = cut_window(genome, interval, omitted)
        if sequence is not None:
            name = peak.name or f"{interval[0]}:{start}-{start + length}"
            positives.append(Example(name, sequence, _LABELS[1], *interval, kind="peak"))
    positives, _ = drop_repeated(positives, omitted)
    kinds = {"summits (or other points)": counts["point"], "middles": counts["middle"]}
    taken = " and ".join(f"the {kind} of {n} peaks" for kind, n in kinds.items() if n)
    logger.warning("%s: windows lie around %s", source, taken or "nothing")
    seed = splitting.seed
    if negatives == "dinucleotides":
        made = shuffled_negatives(
            positives,
            partial(shuffle_dinucleotides, seed=seed),
            _LABELS[0],
            "dinucleotide shuffle",
            numbers=range(len(positives)),
        )
    else:
        excluded = flanks(genome, peaks, names, margin=_MARGIN)
        made = matched_negatives(
            genome, positives, _LABELS[0], excluded=excluded, splitting=splitting
        )
    return build_dataset([*positives, *made], splitting, omitted)
