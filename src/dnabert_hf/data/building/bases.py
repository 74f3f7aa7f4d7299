"""Data sets with a label for each base: windows of a genome and the regions that lie in them."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dnabert_hf.data.building.labelled_windows import (
    BuiltDataset,
    Example,
    Splitting,
    build_dataset,
)
from dnabert_hf.data.genome.coordinates import cut_window
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval, match_intervals
from dnabert_hf.data.labelled.labels import UNLABELLED, classes_of_bases

__all__ = ["BACKGROUND", "build_bases"]

logger = logging.getLogger(__name__)

BACKGROUND = "0"


def build_bases(
    genome: Genome,
    regions: Mapping[str, Sequence[Interval]] | Sequence[Interval],
    *,
    length: int = 500,
    splitting: Splitting | None = None,
    source: str = "the list of regions",
) -> BuiltDataset:
    """Build a data set of windows whose label is a string of one letter for each base.

    The genome is cut into windows side by side. Those that hold a base of a region are in the data
    set, and as many others, chosen at random. All are of the forward strand, whatever strand the
    regions are on. Of a region that runs off its contig, the part on it is labelled.

    Args:
        genome: The genome.
        regions: Regions by the letter that their bases are labelled with; a plain list stands for
            the letter "1". Where regions overlap, the letter that comes last holds. All other
            bases are "0".
        length: Bases of a window; 515 are all that DNABERT with k = 6 takes at once.
        splitting: How to divide the data.
        source: What the regions are called in messages.

    Returns:
        The data set; its report tells windows apart by the letters in them, such as "0" and "01".

    Raises:
        ValueError: If no region lies on the genome, or a letter or the length cannot be used.
    """
    if length < 1:
        raise ValueError(f"the length of a window must be 1 or more bases, got {length}")
    by_letter = regions if isinstance(regions, Mapping) else {"1": regions}
    for letter in by_letter:
        if len(letter) != 1 or letter.isspace() or letter in (BACKGROUND, UNLABELLED):
            raise ValueError(
                f"regions must be labelled with one letter, other than {BACKGROUND!r} (the bases "
                f"outside of them) and {UNLABELLED!r} (no label), got {letter!r}"
            )
    splitting = splitting or Splitting()
    splitting.check(genome)
    omitted: Counter[str] = Counter()
    by_contig = _regions_by_contig(genome, by_letter, length, source, omitted)
    letters = np.array([BACKGROUND, *by_letter])
    labels: dict[str, str] = {}
    examples: list[Example] = []
    empty: list[tuple[str, int]] = []
    for contig in genome.contigs:
        ids = np.zeros(contig.length - contig.length % length, dtype=np.uint8)
        for start, end, label in by_contig.get(contig.name, ()):
            ids[start:end] = label
        windows = ids.reshape(-1, length)
        has_region = windows.any(axis=1)
        empty += [(contig.name, int(window) * length) for window in np.flatnonzero(~has_region)]
        for window in np.flatnonzero(has_region).tolist():
            example = _cut(genome, contig.name, window * length, length=length, omitted=omitted)
            if example is not None:
                labels[example.id] = "".join(letters[windows[window]].tolist())
                examples.append(example)
    n_regions = len(examples)
    for index in np.random.default_rng(splitting.seed).permutation(len(empty)).tolist():
        if len(examples) == 2 * n_regions:
            break
        example = _cut(genome, *empty[index], length=length, omitted=omitted)
        if example is not None:
            labels[example.id] = BACKGROUND * length
            examples.append(example)
    for example in examples:
        example.label = classes_of_bases(labels[example.id])
    built = build_dataset(examples, splitting, omitted, problem_type="token_classification")
    for example in built.examples:
        example.label = labels[example.id]
    return built


def _regions_by_contig(
    genome: Genome,
    by_letter: Mapping[str, Sequence[Interval]],
    length: int,
    source: str,
    omitted: Counter[str],
) -> dict[str, list[tuple[int, int, int]]]:
    """List start, end and number of the letter of all regions, by contig of the genome."""
    every_region = [region for regions in by_letter.values() for region in regions]
    names = match_intervals(genome, every_region, omitted, kind="regions", source=source)
    by_contig: dict[str, list[tuple[int, int, int]]] = {}
    n_clipped = 0
    for number, regions in enumerate(by_letter.values(), start=1):
        for region in (region for region in regions if region.contig in names):
            contig = names[region.contig]
            n_clipped += region.start < genome.length(contig) < region.end
            if region.start >= genome.length(contig) // length * length:
                omitted["regions behind the last whole window of their contig"] += 1
                continue
            # A slice of the contig's labels ends with the contig.
            by_contig.setdefault(contig, []).append((region.start, region.end, number))
    if n_clipped:
        logger.warning(
            "%s: %d regions run off their contig; what lies on it is labelled", source, n_clipped
        )
    return by_contig


def _cut(
    genome: Genome, contig: str, start: int, *, length: int, omitted: Counter[str]
) -> Example | None:
    interval = (contig, start, start + length, "+")
    sequence = cut_window(genome, interval, omitted)
    if sequence is None:
        return None
    return Example(f"{contig}:{start}-{start + length}", sequence, "", *interval, kind="window")
