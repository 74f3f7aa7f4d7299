"""Data sets of binding sites, cut around the summits of ChIP-seq peaks."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np

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
from dnabert_hf.files.counts import counted_reasons

__all__ = ["PeakNegatives", "build_peak_classes", "build_peaks"]

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
    splitting = splitting or Splitting()
    _check(genome, length, splitting)
    omitted: Counter[str] = Counter()
    names = match_intervals(genome, peaks, omitted, kind="peaks", source=source)
    windows = _cut_windows(genome, peaks, names, _LABELS[1], length, omitted)
    _say_points([peak for peak in peaks if peak.contig in names], source)
    positives, _ = drop_repeated([window for _, window in windows], omitted)
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


def build_peak_classes(
    genome: Genome,
    peaks: Mapping[str, Sequence[Interval]],
    *,
    length: int = 101,
    splitting: Splitting | None = None,
    source: str = "the peaks",
) -> BuiltDataset:
    """Build a data set that tells the peaks of one experiment from those of others.

    So are the isoforms alpha and beta of TAp73 told apart in Ji et al. 2021, in windows of 500
    bases. Peaks that share a base with one of another class, or whose windows do, are left out of
    both: they are no example of either alone.

    Args:
        genome: The genome.
        peaks: Peaks by the name of their class; the windows are cut as in `build_peaks`.
        length: Bases of a window.
        splitting: How to divide the data.
        source: What the peaks are called in messages.

    Returns:
        The data set, labelled by the names.

    Raises:
        ValueError: If there are fewer than two classes, one has no peaks on the genome or none of
            its own, or an option is out of range.
    """
    if len(peaks) < 2:
        raise ValueError(f"peaks to tell apart must be of 2 or more classes, found {len(peaks)}")
    splitting = splitting or Splitting()
    _check(genome, length, splitting)
    omitted: Counter[str] = Counter()
    windows: list[tuple[Interval, Example]] = []
    for label, of_class in peaks.items():
        names = match_intervals(genome, of_class, omitted, kind=f"{label} peaks", source=source)
        windows += _cut_windows(genome, of_class, names, label, length, omitted)
        _say_points([peak for peak in of_class if peak.contig in names], f"{source}, {label}")
    shared = _share_bases(windows)
    for (_, window), is_shared in zip(windows, shared, strict=True):
        if is_shared:
            omitted[f"{window.label} peaks that overlap one of another class"] += 1
    kept = [window for (_, window), is_shared in zip(windows, shared, strict=True) if not is_shared]
    missing = [label for label in peaks if label not in {window.label for window in kept}]
    if missing:
        raise ValueError(
            f"{source}: each class must have peaks of its own, found none of {missing[0]} "
            f"({counted_reasons(omitted)}); check the files"
        )
    return build_dataset(kept, splitting, omitted)


def _check(genome: Genome, length: int, splitting: Splitting) -> None:
    if length < 1:
        raise ValueError(f"the length of a window must be 1 or more bases, got {length}")
    splitting.check(genome)


def _cut_windows(
    genome: Genome,
    peaks: Sequence[Interval],
    names: Mapping[str, str],
    label: str,
    length: int,
    omitted: Counter[str],
) -> list[tuple[Interval, Example]]:
    """Cut the window around each peak of the genome; the peaks that have one, with it."""
    windows = []
    for peak in (peak for peak in peaks if peak.contig in names):
        point = (peak.start + peak.end) // 2 if peak.point is None else peak.point
        start = point - length // 2
        interval = (names[peak.contig], start, start + length, peak.strand)
        sequence = cut_window(genome, interval, omitted)
        if sequence is not None:
            name = peak.name or f"{interval[0]}:{start}-{start + length}"
            windows.append((peak, Example(name, sequence, label, *interval, kind="peak")))
    return windows


def _say_points(peaks: Sequence[Interval], source: str) -> None:
    n_middles = sum(peak.point is None for peak in peaks)
    kinds = {"summits (or other points)": len(peaks) - n_middles, "middles": n_middles}
    taken = " and ".join(f"the {kind} of {n} peaks" for kind, n in kinds.items() if n)
    logger.warning("%s: windows lie around %s", source, taken or "nothing")


def _share_bases(windows: Sequence[tuple[Interval, Example]]) -> list[bool]:
    """Tell which peaks, with their windows, share a base with one of another label."""
    numbers = {contig: number for number, contig in enumerate({w.contig for _, w in windows})}
    contigs = np.array([numbers[window.contig] for _, window in windows], dtype=np.int64)
    starts = np.array([min(peak.start, window.start) for peak, window in windows], dtype=np.int64)
    ends = np.array([max(peak.end, window.end) for peak, window in windows], dtype=np.int64)
    labels = np.array([window.label for _, window in windows])
    offsets = contigs * (ends.max(initial=0) + 1)  # one axis for all contigs
    starts, ends = starts + offsets, ends + offsets
    shared = np.zeros(len(windows), dtype=bool)
    for label in np.unique(labels):
        own, others = labels == label, labels != label
        order = np.argsort(starts[others])
        farthest = np.concatenate([[-1], np.maximum.accumulate(ends[others][order])])
        n_before = np.searchsorted(starts[others][order], ends[own])
        shared[own] = farthest[n_before] > starts[own]
    return shared.tolist()
