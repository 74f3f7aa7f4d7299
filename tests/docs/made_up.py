"""A made-up genome and what a biologist has beside it, as small as the guides allow."""

from pathlib import Path

import numpy as np

from dnabert_hf.data.building.simulation import CTCF

__all__ = ["write_made_up_data"]

_BASES = np.array(list("ACGT"))
_OTHER_BASE = {"A": "G", "C": "T", "G": "A", "T": "C"}
_LENGTH = 24_000  # bases of a contig
_CONTIGS = ("chr1", "chr2", "chr8", "chr20")
_PEAK, _GENE = 400, 2500  # bases from one to the next
_EXON, _INTRON, _N_EXONS = 200, 500, 4
_TATA = "TATAAAAGGC"


def _site(generator: np.random.Generator) -> str:
    return "".join(
        generator.choice(_BASES, p=np.array(row) / sum(row)) for row in CTCF
    )


def write_made_up_data(folder: Path) -> None:
    """Write genome.fa, peaks, start sites, genes, regions, variants, motifs and a table.

    Each contig has a binding site every 400 bases of its first half, and a gene of four exons
    every 2,500 bases of its second, with a TATA box before it.
    """
    generator = np.random.default_rng(0)
    contigs, lines = {}, {name: [] for name in ("peaks", "starts", "genes", "islands", "variants")}
    for contig in _CONTIGS:
        letters = generator.choice(_BASES, _LENGTH)
        _plant_sites(contig, letters, lines, generator)
        _plant_genes(contig, letters, lines)
        contigs[contig] = "".join(letters)
    fasta = "".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items())
    (folder / "genome.fa").write_text(fasta)
    (folder / "peaks.narrowPeak").write_text("".join(lines["peaks"]))
    (folder / "starts.bed").write_text("".join(lines["starts"]))
    (folder / "genes.gtf").write_text("".join(lines["genes"]))
    (folder / "islands.bed").write_text("".join(lines["islands"]))
    head = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    (folder / "variants.vcf").write_text(head + "".join(lines["variants"]))
    rows = "".join(" ".join(f"{p / sum(row):.4f}" for p in row) + "\n" for row in CTCF)
    (folder / "known.meme").write_text(
        "MEME version 4\n\nALPHABET= ACGT\n\nMOTIF MA0139.1 CTCF\n"
        f"letter-probability matrix: alength= 4 w= {len(CTCF)}\n{rows}"
    )


def _plant_sites(contig, letters, lines, generator):
    for number, start in enumerate(range(1000, _LENGTH // 2 - 1000, _PEAK)):
        site = _site(generator)
        letters[start : start + len(site)] = list(site)
        summit = len(site) // 2 + 100
        row = (contig, start - 100, start + 119, f"peak{number}", 500, ".", 9.0, 5.0, 4.0, summit)
        lines["peaks"].append("\t".join(map(str, row)) + "\n")
        if number % 4 == 0:
            place = start + 8  # the most conserved bases of the motif begin here
            ref = letters[place]
            row = (contig, place + 1, f"rs{start}", ref, _OTHER_BASE[ref], ".", ".", ".")
            lines["variants"].append("\t".join(map(str, row)) + "\n")
        if number % 5 == 0:
            lines["islands"].append(f"{contig}\t{start - 150}\t{start + 150}\n")
            letters[start + 20 : start + 150] = generator.choice(list("CG"), 130)


def _plant_genes(contig, letters, lines):
    for number, start in enumerate(range(_LENGTH // 2, _LENGTH - _GENE, _GENE)):
        letters[start - 30 : start - 30 + len(_TATA)] = list(_TATA)
        lines["starts"].append(f"{contig}\t{start}\t{start + 1}\tgene{number}\t0\t+\n")
        names = f'gene_id "{contig}g{number}"; transcript_id "{contig}t{number}";'
        for exon in range(_N_EXONS):
            first = start + exon * (_EXON + _INTRON)
            end = first + _EXON
            row = (contig, "made-up", "exon", first + 1, end, ".", "+", ".", names)
            lines["genes"].append("\t".join(map(str, row)) + "\n")
            letters[end : end + 6] = list("GTAAGT")
            letters[first - 12 : first] = list("TTTTTTTTTCAG")
