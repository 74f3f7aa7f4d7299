"""Genes on a genome: the nearest one, the distance to its start, the part of it that is hit."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from dnabert_hf.data.genome.annotation import Transcript, parse_attributes, read_transcripts
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.lines import text_lines

__all__ = ["REGIONS", "Gene", "GeneIndex", "Place", "read_genes"]

# The most telling one first; a place that is in several is in the first of them.
REGIONS = ("splice", "CDS", "5_prime_UTR", "3_prime_UTR", "exon", "intron", "intergenic")
_SPLICE, _CDS, _FIRST_UTR, _LAST_UTR, _EXON, _INTRON, _INTERGENIC = REGIONS
_SITE_BASES = 2  # of an intron at each end, the GT and AG of nearly all
_CODING = ("CDS", "stop_codon")  # the stop codon is no CDS in GTF, and is one in GFF3


class Place(NamedTuple):
    """Where something lies among the genes.

    Attributes:
        gene: Name of the nearest gene.
        distance: Bases from the nearest start site of that gene, in the direction of
            transcription: less than 0 before it.
        region: One of `REGIONS`.
    """

    gene: str
    distance: int
    region: str


class _Model(NamedTuple):
    """A transcript with sorted exons, and what of it is coding."""

    transcript: Transcript
    starts: list[int]
    ends: list[int]
    coding: tuple[int, int] | None

    @classmethod
    def of(cls, transcript: Transcript, coding: Sequence[tuple[int, int]]) -> "_Model":
        starts, ends = map(list, zip(*transcript.exons, strict=True))
        bounds = (min(start for start, _ in coding), max(e for _, e in coding)) if coding else None
        return cls(transcript, starts, ends, bounds)

    def region(self, start: int, end: int) -> str:
        """Tell the part of the transcript that bases (0-based, half-open) touch."""
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        for exon in range(max(first - 1, 0), min(last, len(self.starts) - 1)):
            donor, acceptor = self.ends[exon], self.starts[exon + 1]
            for site in (donor, acceptor - _SITE_BASES):
                if acceptor > donor and start < site + _SITE_BASES and end > site:
                    return _SPLICE
        if first >= last:
            is_within = self.starts[0] < end and start < self.ends[-1]
            return _INTRON if is_within else _INTERGENIC
        if self.coding is None:
            return _EXON
        if start < self.coding[1] and end > self.coding[0]:
            return _CDS
        is_before = (start < self.coding[0]) == (self.transcript.strand == "+")
        return _FIRST_UTR if is_before else _LAST_UTR


@dataclass(frozen=True)
class Gene:
    """A gene: its transcripts on a strand of a contig.

    Attributes:
        name: Its name, or its id where the file gives no name.
        contig: Name of the contig, as the file calls it.
        strand: "+" or "-".
        start: First base of its exons (0-based).
        end: Base after the last one of its exons.
        models: Its transcripts.
    """

    name: str
    contig: str
    strand: str
    start: int
    end: int
    models: tuple[_Model, ...]

    def region(self, start: int, end: int) -> str:
        """Tell the part of the gene that bases (0-based, half-open) touch, in any transcript."""
        return min((model.region(start, end) for model in self.models), key=REGIONS.index)

    def distance(self, start: int, end: int) -> int:
        """Count the bases from the nearest start site, in the direction of transcription.

        0 where the bases (0-based, half-open) hold one, as `bedtools closest -D b` counts.
        """
        distances = []
        for model in self.models:
            site = model.transcript.start_site()
            offset = start - site if start > site else min(end - 1 - site, 0)
            distances.append(offset if self.strand == "+" else -offset)
        return min(distances, key=lambda each: (abs(each), each))


def read_genes(path: str | Path, *, skip_bad: bool | None = None) -> list[Gene]:
    """Read the genes of a GTF or GFF3 file, plain or gzip: exons, coding sequence, names.

    Args:
        path: The file. Lines of type exon make the transcripts (see `read_transcripts`), CDS and
            stop_codon what of them is coding; the gene is `gene_name` or `gene_id` in GTF, the
            parent of the transcript in GFF3.
        skip_bad: As in `read_transcripts`.

    Returns:
        The genes, in the order of the file.

    Raises:
        ValueError: If the file is missing or holds no usable transcript; the message names the
            line.
    """
    transcripts = read_transcripts(path, skip_bad=skip_bad)
    owners, names, coding = _read_owners(path)
    groups: dict[tuple[str, str, str], list[_Model]] = defaultdict(list)
    for transcript in transcripts:
        owner = owners.get(transcript.name, transcript.name)
        model = _Model.of(transcript, coding.get(transcript.name, ()))
        groups[owner, transcript.contig, transcript.strand].append(model)
    return [
        Gene(
            names.get(owner, owner),
            contig,
            strand,
            min(model.starts[0] for model in models),
            max(model.ends[-1] for model in models),
            tuple(models),
        )
        for (owner, contig, strand), models in groups.items()
    ]


def _read_owners(
    path: str | Path,
) -> tuple[dict[str, str], dict[str, str], dict[str, list[tuple[int, int]]]]:
    """Read the gene of each transcript, the name of each gene, and the coding parts."""
    owners: dict[str, str] = {}
    names: dict[str, str] = {}
    coding: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for _, line in text_lines(path):
        if line.startswith("##FASTA"):
            break
        cells = line.split("\t")
        if line.startswith("#") or len(cells) != 9:  # `read_transcripts` has told of those
            continue
        kind, start_1based, end = cells[2], cells[3], cells[4]
        found = parse_attributes(cells[8])
        if "ID" in found or "Parent" in found:  # GFF3
            parents = [_bare(unquote(each)) for each in found.get("Parent", "").split(",") if each]
            own = _bare(found.get("ID", ""))
            if parents and own and kind not in ("exon", *_CODING):
                owners[own] = parents[0]
            name = found.get("Name") or found.get("gene_name") or found.get("gene")
            if own and name:
                names[own] = name
        else:
            parents = [found.get("transcript_id", "")]
            gene = found.get("gene_id", "")
            if parents[0] and gene:
                owners[parents[0]] = gene
            if gene and found.get("gene_name"):
                names[gene] = found["gene_name"]
        if kind in _CODING and start_1based.isdecimal() and end.isdecimal():
            for parent in parents:
                coding[parent].append((int(start_1based) - 1, int(end)))
    return owners, names, coding


def _bare(name: str) -> str:
    return name.strip().removeprefix("transcript:").removeprefix("gene:")


class GeneIndex:
    """Finds the gene of a place on a genome.

    Args:
        genes: The genes.
        genome: The genome, whose contigs may have other names.
        source: What the genes are called in messages.

    Raises:
        ValueError: If none of the contigs are the genome's.
    """

    def __init__(self, genes: Sequence[Gene], genome: Genome, *, source: str):
        named = genome.contig_names.match((gene.contig for gene in genes), source=source)
        by_contig: dict[str, list[Gene]] = defaultdict(list)
        for gene in genes:
            if gene.contig in named:
                by_contig[named[gene.contig]].append(gene)
        self._genes: Mapping[str, list[Gene]] = {
            contig: sorted(each, key=lambda gene: gene.start) for contig, each in by_contig.items()
        }
        self._starts = {
            contig: [gene.start for gene in each] for contig, each in self._genes.items()
        }
        # Of the genes up to each one, the number of that which ends last.
        self._last = {
            contig: list(
                accumulate(range(len(each)), lambda a, b, e=each: a if e[a].end >= e[b].end else b)  # type: ignore[misc]
            )
            for contig, each in self._genes.items()
        }

    def find(self, contig: str, start: int, end: int) -> Place | None:
        """Find the nearest gene, None on a contig that has none.

        Of several that hold the bases, the one whose part comes first in `REGIONS`, then the one
        whose start site is nearest.

        Args:
            contig: The genome's name of the contig.
            start: First base (0-based).
            end: Base after the last one.
        """
        if contig not in self._genes:
            return None
        genes, last = self._genes[contig], self._last[contig]
        n_before = bisect_left(self._starts[contig], end)
        near = []
        index = n_before - 1
        while index >= 0 and genes[last[index]].end > start:
            if genes[index].end > start:
                near.append(genes[index])
            index -= 1
        if not near:
            near = [genes[last[n_before - 1]]] if n_before else []
            near += genes[n_before : n_before + 1]
            near = [gene for gene in near if _gap(gene, start, end) == _least_gap(near, start, end)]
        places = [Place(g.name, g.distance(start, end), g.region(start, end)) for g in near]
        return min(places, key=lambda p: (REGIONS.index(p.region), abs(p.distance), p.gene))


def _gap(gene: Gene, start: int, end: int) -> int:
    return max(gene.start - end, start - gene.end)


def _least_gap(genes: Sequence[Gene], start: int, end: int) -> int:
    return min(_gap(gene, start, end) for gene in genes)
