"""Data sets of promoters, cut around transcription start sites."""

from collections import Counter
from collections.abc import Sequence
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
from dnabert_hf.data.building.matched_background import find_tata_box
from dnabert_hf.data.building.negatives import (
    flanks,
    matched_negatives,
    negatives_with_tata_box,
    shuffled_negatives,
)
from dnabert_hf.data.building.shuffling import shuffle_chunks, shuffle_dinucleotides
from dnabert_hf.data.genome.coordinates import cut_window
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval, match_intervals

__all__ = ["PromoterNegatives", "build_promoters"]

PromoterNegatives = Literal["genomic", "published", "chunks", "dinucleotides"]

_LABELS = ("other", "promoter")
_MARGIN = 1000  # bases around a promoter that no negative touches


def build_promoters(
    genome: Genome,
    start_sites: Sequence[Interval],
    *,
    negatives: PromoterNegatives = "genomic",
    upstream: int = 249,
    downstream: int = 50,
    splitting: Splitting | None = None,
    source: str = "the list of start sites",
) -> BuiltDataset:
    """Build a data set of promoters and as many negatives.

    Args:
        genome: The genome.
        start_sites: Transcription start sites: contig, `point` and strand of each.
        negatives: "genomic": windows of the genome, each alike to a promoter in GC (2 %) and
            soft-masked repeats, at least 1,000 bases from every promoter. "chunks": each promoter
            with 12 of its 20 chunks exchanged. "dinucleotides": each promoter shuffled, its
            dinucleotide counts kept. "published": as DNABERT's were made (Ji et al. 2021, after
            Oubounyt et al. 2019), genomic windows with a TATA box for promoters with a TATA box,
            "chunks" for the others.
        upstream: Bases before the start site; 249 in Prom-300, 33 in Prom-core.
        downstream: Bases after the start site, which itself comes on top; 50 in Prom-300, 36 in
            Prom-core.
        splitting: How to divide the data.
        source: What the start sites are called in messages.

    Returns:
        The data set with the labels "promoter" and "other"; `kind` says whether a promoter has a
        TATA box and how a negative was made.

    Raises:
        ValueError: If no start site lies on the genome, an option is out of range, or there is no
            room for negatives.
    """
    if negatives not in get_args(PromoterNegatives):
        raise ValueError(
            f"negatives must be {', '.join(get_args(PromoterNegatives))}, got {negatives!r}"
        )
    if upstream < 0 or downstream < 0:
        raise ValueError(f"bases around a start site must be 0 or more, got {upstream, downstream}")
    splitting = splitting or Splitting()
    splitting.check(genome)
    omitted: Counter[str] = Counter()
    names = match_intervals(genome, start_sites, omitted, kind="start sites", source=source)
    promoters = _cut_promoters(genome, start_sites, names, (upstream, downstream), omitted)
    promoters, _ = drop_repeated(promoters, omitted)
    # Every site counts for what negatives avoid, also those whose window cannot be cut.
    margin = upstream + downstream + _MARGIN
    excluded = flanks(genome, start_sites, names, margin=margin)
    made = _make_negatives(genome, promoters, negatives, upstream, excluded, splitting)
    return build_dataset([*promoters, *made], splitting, omitted)


def _cut_promoters(
    genome: Genome,
    start_sites: Sequence[Interval],
    names: dict[str, str],
    around: tuple[int, int],
    omitted: Counter[str],
) -> list[Example]:
    upstream, downstream = around
    promoters = []
    for site in (site for site in start_sites if site.contig in names):
        position = site.start if site.point is None else site.point
        before, after = (upstream, downstream) if site.strand == "+" else (downstream, upstream)
        interval = (names[site.contig], position - before, position + after + 1, site.strand)
        sequence = cut_window(genome, interval, omitted)
        if sequence is None:
            continue
        box = find_tata_box(sequence, upstream)
        promoters.append(
            Example(
                site.name or f"{interval[0]}:{position}:{site.strand}",
                sequence,
                _LABELS[1],
                *interval,
                kind="promoter" if box is None else "promoter with TATA box",
            )
        )
    return promoters


def _make_negatives(
    genome: Genome,
    promoters: list[Example],
    negatives: str,
    upstream: int,
    excluded: np.ndarray,
    splitting: Splitting,
) -> list[Example]:
    if negatives == "genomic":
        return matched_negatives(
            genome, promoters, _LABELS[0], excluded=excluded, splitting=splitting
        )
    boxes = [find_tata_box(promoter.sequence, upstream) for promoter in promoters]
    if negatives == "dinucleotides":
        kind, shuffle = "dinucleotide shuffle", partial(shuffle_dinucleotides, seed=splitting.seed)
    else:
        kind, shuffle = "chunk-shuffled", partial(shuffle_chunks, seed=splitting.seed)
    numbers = [i for i, box in enumerate(boxes) if negatives != "published" or box is None]
    made = shuffled_negatives(promoters, shuffle, _LABELS[0], kind, numbers=numbers)
    if negatives == "published" and promoters:
        pairs = zip(promoters, boxes, strict=True)
        made += negatives_with_tata_box(
            genome,
            [(promoter.contig, box) for promoter, box in pairs if box is not None],
            len(promoters[0].sequence),
            _LABELS[0],
            excluded=excluded,
            splitting=splitting,
        )
    return made
