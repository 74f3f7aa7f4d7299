"""Data sets of splice sites: donors, acceptors and what only looks like them."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from dnabert_hf.data.building.labelled_windows import (
    BuiltDataset,
    Example,
    Splitting,
    build_dataset,
    drop_repeated,
)
from dnabert_hf.data.genome.annotation import Transcript
from dnabert_hf.data.genome.coordinates import cut_window
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import match_intervals

__all__ = ["build_splice_sites"]

logger = logging.getLogger(__name__)

_DONOR, _ACCEPTOR, _NEITHER = "donor", "acceptor", "neither"
_MIN_INTRON = 20  # bases; shorter gaps in an annotation are frame shifts or mistakes
_ATTEMPTS = 50  # positions tried for a decoy before the next gene is tried

# Kind, letters, and where they begin relative to the middle; by turns.
_DECOYS = (("GT decoy", "GT", 0), ("AG decoy", "AG", -2)) * 3 + (("within a gene", "", 0),) * 2

# Contig, position between exon and intron (0-based: of the first base right of it), strand, class.
_Site = tuple[str, int, str, str]


def build_splice_sites(
    genome: Genome,
    transcripts: Sequence[Transcript],
    *,
    length: int = 400,
    splitting: Splitting | None = None,
    source: str = "the annotation",
) -> BuiltDataset:
    """Build a data set of donors, acceptors and positions that are neither.

    The border of exon and intron lies in the middle of a window: a donor's intron begins at offset
    length / 2, an acceptor's ends before it. For each pair of a donor and an acceptor there are two
    negatives within genes, none of them an annotated site: GT where a donor's would be or AG where
    an acceptor's would be (decoys, three in four), or any position (one in four).

    Args:
        genome: The genome.
        transcripts: Transcripts with their exons.
        length: Bases of a window, even; 400 in the paper.
        splitting: How to divide the data.
        source: What the annotation is called in messages.

    Returns:
        The data set with the labels "donor", "acceptor" and "neither"; `kind` is the dinucleotides
        that begin and end the intron ("GT-AG", "GC-AG", "AT-AC", others: "non-canonical"), or how a
        negative was chosen.

    Raises:
        ValueError: If no intron lies on the genome, or the length is odd or too small.
    """
    if length < 4 or length % 2:
        raise ValueError(f"the length of a window must be an even number from 4 on, got {length}")
    splitting = splitting or Splitting()
    splitting.check(genome)
    omitted: Counter[str] = Counter()
    names = match_intervals(genome, transcripts, omitted, kind="transcripts", source=source)
    spliced = [t for t in transcripts if t.contig in names and t.introns()]
    sites = _find_sites(genome, spliced, names, omitted)
    examples = []
    for site, kind in sites.items():
        contig, position, strand, label = site
        interval = (contig, position - length // 2, position + length // 2, strand)
        sequence = cut_window(genome, interval, omitted)
        if sequence is not None:
            name = f"{contig}:{position}:{strand}:{label}"
            examples.append(Example(name, sequence, label, *interval, kind=kind))
    examples, _ = drop_repeated(examples, omitted)
    examples += _draw_decoys(
        genome,
        [(names[t.contig], t.exons[0][0], t.exons[-1][1], t.strand) for t in spliced],
        {site[:3] for site in sites},
        length=length,
        n_decoys=len(examples),
        seed=splitting.seed,
    )
    return build_dataset(examples, splitting, omitted)


def _find_sites(
    genome: Genome,
    transcripts: Sequence[Transcript],
    names: dict[str, str],
    omitted: Counter[str],
) -> dict[_Site, str]:
    """Find the distinct sites, each with the dinucleotides of its intron."""
    sites: dict[_Site, str] = {}
    for transcript in transcripts:
        contig, strand = names[transcript.contig], transcript.strand
        for start, end in transcript.introns():
            if end - start < _MIN_INTRON:
                omitted[f"introns of fewer than {_MIN_INTRON} bases"] += 1
                continue
            if end > genome.length(contig):
                omitted["introns that run off their contig"] += 1
                continue
            intron = genome.sequence(contig, start, end, strand)
            kind = f"{intron[:2]}-{intron[-2:]}"
            kind = kind if kind in ("GT-AG", "GC-AG", "AT-AC") else "non-canonical"
            first, last = (start, end) if strand == "+" else (end, start)
            sites.setdefault((contig, first, strand, _DONOR), kind)
            sites.setdefault((contig, last, strand, _ACCEPTOR), kind)
    return sites


def _draw_decoys(
    genome: Genome,
    spans: Sequence[tuple[str, int, int, str]],
    sites: set[tuple[str, int, str]],
    *,
    length: int,
    n_decoys: int,
    seed: int,
) -> list[Example]:
    """Draw windows within genes whose middle is no annotated site."""
    if not spans:
        return []
    generator = np.random.default_rng(seed)
    lengths = np.array([end - start for _, start, end, _ in spans])
    decoys: list[Example] = []
    used = set(sites)
    # Genes by their length, so that each base of a gene is as likely as any other.
    order = generator.choice(len(spans), size=4 * n_decoys, p=lengths / lengths.sum())
    for index in order:
        if len(decoys) == n_decoys:
            break
        contig, start, end, strand = spans[index]
        kind, letters, shift = _DECOYS[len(decoys) % len(_DECOYS)]
        for position in _positions(generator, (start, end), genome.length(contig), length):
            begin = position + shift if strand == "+" else position - shift - len(letters)
            interval = (contig, position - length // 2, position + length // 2, strand)
            if (contig, position, strand) in used or genome.sequence(
                contig, begin, begin + len(letters), strand
            ) != letters:
                continue
            sequence = cut_window(genome, interval, Counter())
            if sequence is not None:
                used.add((contig, position, strand))
                name = f"{contig}:{position}:{strand}:{_NEITHER}"
                decoys.append(Example(name, sequence, _NEITHER, *interval, kind=kind))
                break
    if len(decoys) < n_decoys:
        logger.warning(
            "%d positions that are no splice sites were found within the genes, where %d were "
            "looked for: the genes are too few or too short",
            len(decoys),
            n_decoys,
        )
    return decoys


def _positions(
    generator: np.random.Generator, span: tuple[int, int], contig_length: int, length: int
) -> Iterator[int]:
    low = max(span[0], length // 2)
    high = min(span[1], contig_length - length // 2)
    if low < high:
        yield from generator.integers(low, high, size=_ATTEMPTS).tolist()
