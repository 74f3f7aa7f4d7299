"""A simulated genome: genes with promoters and introns, CpG islands, repeats, binding sites."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from dnabert_hf.data.building.simulation import CTCF, background, draw
from dnabert_hf.data.example.motifs import ACCEPTOR, DONOR, INITIATOR, KNOWN_MOTIFS, TATA_BOX
from dnabert_hf.data.genome.annotation import Transcript
from dnabert_hf.data.genome.intervals import Interval

__all__ = ["SimulatedGenome", "simulate_genome"]

# The genome is laid out in lots of 3,000 bases: a gene, or up to two peaks.
_LOT = 3_000
_LOTS = {"chr1": 200, "chr2": 150, "chr8": 100, "chr20": 100}
_SHARE_OF_GENES = 0.4
_PLACES = (675, 2325)  # of peaks in a lot
_N_PEAKS = 500
_SHARE_WITH_SITE = 0.92  # peaks of real experiments are not all bound directly
_SITE_SPREAD = 12  # bases, standard deviation from the summit

# Chance in percent of A, C, G and T after A, C, G and T in CpG islands, where CpG is not rare.
_ISLAND = np.array([[20, 27, 35, 18], [19, 33, 29, 19], [19, 31, 32, 18], [15, 31, 33, 21]]) / 100
_SHARE_WITH_ISLAND = 0.6
_REPEAT_LENGTH = 280
_SHARE_WITH_REPEAT = 0.4
_DIVERGENCE = 0.12  # bases of a copy that differ from the first one


@dataclass
class SimulatedGenome:
    """A genome and what was planted in it; coordinates are 0-based, half-open.

    Attributes:
        contigs: Sequence of each contig; repeats are in lower case.
        transcripts: Genes, one transcript each.
        islands: CpG islands.
        peaks: Peaks with their summits (`point`), in the order of the genome.
        sites: The motif's instance in each peak, None where there is none.
    """

    contigs: dict[str, str]
    transcripts: list[Transcript] = field(default_factory=list)
    islands: list[Interval] = field(default_factory=list)
    peaks: list[Interval] = field(default_factory=list)
    sites: list[Interval | None] = field(default_factory=list)


def simulate_genome(generator: np.random.Generator) -> SimulatedGenome:
    """Simulate a genome of 1.65 Mb on four contigs.

    The background is that of `simulate_binding`: few CpG, 41 % G and C. Genes have an initiator, a
    TATA box or a CpG island with an SP1 site, and three exons with the consensus of splice sites
    at their borders. Peaks carry an instance of the CTCF motif near their summit.

    Args:
        generator: Source of randomness.

    Returns:
        The genome.
    """
    n_lots = sum(_LOTS.values())
    codes = background(n_lots, _LOT, generator)
    is_repeat = np.zeros(codes.shape, dtype=bool)
    has_gene = generator.permutation(np.arange(n_lots) < round(_SHARE_OF_GENES * n_lots))
    n_places = len(_PLACES) * int((~has_gene).sum())
    has_peak = iter(generator.permutation(np.arange(n_places) < _N_PEAKS))
    repeat = background(1, _REPEAT_LENGTH, generator)[0]
    genome = SimulatedGenome({})
    begins = [(contig, lot * _LOT) for contig, n in _LOTS.items() for lot in range(n)]
    for number, (contig, begin) in enumerate(begins):
        if has_gene[number]:
            _add_gene(genome, codes[number], Interval(contig, begin, begin + _LOT), generator)
            continue
        for place in _PLACES:
            if next(has_peak):
                summit = place + int(generator.integers(-150, 150))
                _add_peak(genome, codes[number], (contig, begin), summit, generator)
        if generator.random() < _SHARE_WITH_REPEAT:
            _add_repeat(codes[number], is_repeat[number], repeat, generator)
    letters = np.where(
        is_repeat, *(np.frombuffer(each, np.uint8)[codes] for each in (b"acgt", b"ACGT"))
    )
    lines = iter(row.tobytes().decode("ascii") for row in letters)
    genome.contigs = {contig: "".join(next(lines) for _ in range(n)) for contig, n in _LOTS.items()}
    return genome


def _plant(
    codes: np.ndarray, start: int, motif: np.ndarray, generator: np.random.Generator
) -> None:
    codes[start : start + len(motif)] = draw(motif, generator)


def _add_gene(
    genome: SimulatedGenome, codes: np.ndarray, lot: Interval, generator: np.random.Generator
) -> None:
    """Write a gene into a lot, on a random strand, and note it."""
    start = int(generator.integers(600, 800))
    island = None
    if generator.random() < _SHARE_WITH_ISLAND:
        before, after = generator.integers(150, 450, size=2).tolist()
        island = (start - before, start + after)
        codes[slice(*island)] = background(1, before + after, generator, after=_ISLAND)[0]
        _plant(codes, start - int(generator.integers(45, 80)), KNOWN_MOTIFS["SP1"], generator)
    else:
        _plant(codes, start - 31, TATA_BOX, generator)
    _plant(codes, start - 2, INITIATOR, generator)
    lengths = generator.integers([100, 150, 80, 150, 150], [250, 450, 200, 450, 300])
    first, intron_1, second, intron_2, third = lengths.tolist()
    exons, begin = [], start
    for length, intron in ((first, intron_1), (second, intron_2), (third, 0)):
        exons.append((begin, begin + length))
        begin += length + intron
    for (_, end), (after_intron, _) in pairwise(exons):
        _plant(codes, end - 3, DONOR, generator)
        _plant(codes, after_intron - 15, ACCEPTOR, generator)
    strand = "+" if generator.random() < 0.5 else "-"
    if strand == "-":
        codes[:] = 3 - codes[::-1]  # A 0, C 1, G 2, T 3: complements add to 3
        exons = [(_LOT - end, _LOT - begin) for begin, end in reversed(exons)]
        island = None if island is None else (_LOT - island[1], _LOT - island[0])
    name = f"gene{len(genome.transcripts) + 1:03d}"
    moved = [(lot.start + begin, lot.start + end) for begin, end in exons]
    genome.transcripts.append(Transcript(name, lot.contig, strand, moved))
    if island is not None:
        begin, end = (lot.start + each for each in island)
        genome.islands.append(Interval(lot.contig, begin, end, name=f"island_{name}"))


def _add_peak(
    genome: SimulatedGenome,
    codes: np.ndarray,
    lot: tuple[str, int],
    summit: int,
    generator: np.random.Generator,
) -> None:
    """Write a binding site near a summit, and note the peak."""
    contig, begin = lot
    name = f"peak{len(genome.peaks) + 1:03d}"
    site = None
    if generator.random() < _SHARE_WITH_SITE:
        shift = float(np.clip(generator.normal(0, _SITE_SPREAD), -35, 35))
        start = summit - len(CTCF) // 2 + round(shift)
        strand = "+" if generator.random() < 0.5 else "-"
        instance = draw(np.array(CTCF, dtype=float), generator)
        codes[start : start + len(CTCF)] = instance if strand == "+" else 3 - instance[::-1]
        site = Interval(contig, begin + start, begin + start + len(CTCF), strand, name)
    left, right = generator.integers(80, 180, size=2).tolist()
    summit += begin
    genome.peaks.append(Interval(contig, summit - left, summit + right, name=name, point=summit))
    genome.sites.append(site)


def _add_repeat(
    codes: np.ndarray, is_repeat: np.ndarray, repeat: np.ndarray, generator: np.random.Generator
) -> None:
    """Write a copy of a repeat, with bases changed, between the two places of peaks."""
    copy = repeat if generator.random() < 0.5 else 3 - repeat[::-1]
    is_other = generator.random(len(copy)) < _DIVERGENCE
    copy = np.where(is_other, (copy + generator.integers(1, 4, size=len(copy))) % 4, copy)
    start = (_LOT - _REPEAT_LENGTH) // 2 + int(generator.integers(-100, 100))
    codes[start : start + len(copy)] = copy
    is_repeat[start : start + len(copy)] = True
