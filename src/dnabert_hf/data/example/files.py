"""Files of the simulated genome: FASTA, peaks, genes, islands, variants, tables, motifs."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from dnabert_hf.data.building.simulation import CTCF
from dnabert_hf.data.example.genome import SimulatedGenome, simulate_genome
from dnabert_hf.data.example.motifs import KNOWN_MOTIFS
from dnabert_hf.data.genome.annotation import Transcript
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.files.atomic import atomic_folder, open_table, write_text
from dnabert_hf.files.outputs import check_folder

__all__ = ["EXAMPLE_FILES", "write_example_data"]

EXAMPLE_FILES = {
    "README.md": "this list",
    "genome.fa": "genome of 1.65 Mb on chr1, chr2, chr8 and chr20; repeats in lower case",
    "peaks.narrowPeak": "500 peaks as of ChIP-seq of CTCF, with summits",
    "promoters.bed": "start sites of 220 genes, as EPDnew gives them",
    "genes.gtf": "the genes: three exons each",
    "cpg_islands.bed": "CpG islands of promoters",
    "variants.vcf": "200 variants; those with SITE in INFO change a planted CTCF site",
    "peaks.tsv": "labelled table: windows of 101 bases, bound and unbound, with a split column",
    "test.tsv": "the test part of peaks.tsv",
    "sequences.fa": "the sequences of test.tsv without their labels",
    "motifs.meme": "known motifs to compare with: CTCF (JASPAR MA0139.1) and consensus sequences",
}
_MARKER = "peaks.narrowPeak"
_WINDOW = 101
_MARGIN = 200  # bases around a peak that no unbound window touches
_SPLITS = {"chr8": "test", "chr20": "dev"}  # the others train
_N_VARIANTS = 200
_SHARE_IN_SITES = 0.4
_SHARE_OF_INDELS = 0.15
_INFORMATIVE = 80  # least percent of the commonest base of a position that variants change


def write_example_data(
    output_dir: str | Path, *, seed: int = 42, overwrite: bool = False
) -> dict[str, Path]:
    """Write a small simulated genome and files as a user would have of it.

    The same seed gives the same bytes. Nothing in it is of any organism: what is planted are
    published consensus sequences and one matrix of JASPAR.

    Args:
        output_dir: Folder to write.
        seed: Seed of the simulation.
        overwrite: Replace an earlier example in the folder.

    Returns:
        The files by their names.

    Raises:
        ValueError: If the folder is in use.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = write_example_data(Path(folder) / "example")
        ...     files["promoters.bed"].read_text().split()[3]
        'gene001'
    """
    folder = Path(output_dir)
    check_folder(folder, overwrite=overwrite, marker=_MARKER, known=tuple(EXAMPLE_FILES))
    generator = np.random.default_rng(seed)
    genome = simulate_genome(generator)
    table = _labelled_windows(genome, generator)
    texts = {
        "README.md": _list_files(seed),
        "genome.fa": "".join(f">{name}\n{_wrap(text)}" for name, text in genome.contigs.items()),
        "peaks.narrowPeak": _join(_narrow_peaks(genome.peaks, generator)),
        "promoters.bed": _join(map(_promoter, genome.transcripts)),
        "genes.gtf": "\n".join(line for each in genome.transcripts for line in _gtf(each)) + "\n",
        "cpg_islands.bed": _join((i.contig, i.start, i.end, i.name) for i in genome.islands),
        "variants.vcf": _vcf(genome, generator),
        "sequences.fa": "".join(f">{row[0]}\n{row[1]}\n" for row in table if row[3] == "test"),
        "motifs.meme": _meme(KNOWN_MOTIFS),
    }
    with atomic_folder(folder) as partial:
        for name, text in texts.items():
            write_text(text, partial / name)
        for name, only in (("peaks.tsv", None), ("test.tsv", "test")):
            with open_table(partial / name) as write_row:
                write_row(["id", "sequence", "label", "split"])
                for row in table:
                    if only in (None, row[3]):
                        write_row(row)
    return {name: folder / name for name in EXAMPLE_FILES}


def _list_files(seed: int) -> str:
    lines = "\n".join(f"- `{name}`: {text}" for name, text in EXAMPLE_FILES.items())
    return (
        f"# Example data\n\nSimulated by `dnabert example-data` (seed {seed}); no part is of any "
        f"organism. Coordinates of BED files are 0-based, half-open.\n\n{lines}\n"
    )


def _wrap(sequence: str, width: int = 60) -> str:
    return "".join(f"{sequence[i : i + width]}\n" for i in range(0, len(sequence), width))


def _join(rows: Iterable[Iterable[object]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def _narrow_peaks(
    peaks: Iterable[Interval], generator: np.random.Generator
) -> Iterable[tuple[object, ...]]:
    """Give rows of ENCODE's narrowPeak: signal, -log10 of p and q, summit from the start."""
    for peak in peaks:
        signal = float(generator.lognormal(2.5, 0.6))
        score = min(1000, round(signal * 20))
        p, q = signal * 1.6 + 3, signal * 1.4 + 1
        offset = (peak.point or peak.start) - peak.start
        cells = (f"{signal:.2f}", f"{p:.2f}", f"{q:.2f}", offset)
        yield (peak.contig, peak.start, peak.end, peak.name, score, ".", *cells)


def _promoter(gene: Transcript) -> tuple[object, ...]:
    site = gene.start_site()
    return gene.contig, site, site + 1, gene.name, 0, gene.strand


def _gtf(gene: Transcript) -> Iterable[str]:
    """Give the lines of a gene in GTF: coordinates are 1-based, the end included."""
    name = f'gene_id "{gene.name}"; gene_name "{gene.name}";'
    whole = (gene.exons[0][0], gene.exons[-1][1])
    parts = [("gene", whole, ""), ("transcript", whole, f' transcript_id "{gene.name}.1";')]
    parts += [("exon", exon, f' transcript_id "{gene.name}.1";') for exon in gene.exons]
    for kind, (start, end), transcript in parts:
        cells = (gene.contig, "simulated", kind, start + 1, end, ".", gene.strand, ".")
        yield "\t".join(map(str, cells)) + f"\t{name}{transcript}"


def _labelled_windows(
    genome: SimulatedGenome, generator: np.random.Generator
) -> list[tuple[str, str, str, str]]:
    """Cut bound windows around the summits and as many unbound ones elsewhere, by contig."""
    rows = []
    for contig, sequence in genome.contigs.items():
        is_near = np.zeros(len(sequence), dtype=bool)
        bound: list[int] = []
        unbound: list[int] = []
        for peak in (peak for peak in genome.peaks if peak.contig == contig):
            is_near[max(0, peak.start - _MARGIN) : peak.end + _MARGIN] = True
            bound.append((peak.point or 0) - _WINDOW // 2)
        while len(unbound) < len(bound):
            start = int(generator.integers(0, len(sequence) - _WINDOW))
            if not is_near[start : start + _WINDOW].any():
                is_near[start : start + _WINDOW] = True
                unbound.append(start)
        split = _SPLITS.get(contig, "train")
        labelled = [(each, "bound") for each in bound] + [(each, "unbound") for each in unbound]
        for start, label in sorted(labelled):
            window = sequence[start : start + _WINDOW].upper()
            rows.append((f"{contig}:{start}-{start + _WINDOW}", window, label, split))
    return rows


def _vcf(genome: SimulatedGenome, generator: np.random.Generator) -> str:
    """Write variants in and outside of sites, ordered; each has a position of its own."""
    lines = ["##fileformat=VCFv4.3", "##source=simulated by dnabert example-data"]
    lines += [f"##contig=<ID={name},length={len(text)}>" for name, text in genome.contigs.items()]
    lines += [
        '##INFO=<ID=SITE,Number=1,Type=String,Description="Peak whose planted CTCF site '
        'is changed">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
    ]
    chosen: dict[tuple[str, int], tuple[str, str, str]] = {}
    sites = [site for site in genome.sites if site is not None]
    n_in_sites = round(_SHARE_IN_SITES * _N_VARIANTS)
    for index in generator.choice(len(sites), size=n_in_sites, replace=False).tolist():
        start, alt = _spoil(genome, sites[index], generator)
        ref = genome.contigs[sites[index].contig][start].upper()
        chosen[sites[index].contig, start] = (ref, alt, f"SITE={sites[index].name}")
    names = list(genome.contigs)
    while len(chosen) < _N_VARIANTS:
        contig = names[int(generator.integers(len(names)))]
        start = int(generator.integers(100, len(genome.contigs[contig]) - 100))
        if any(s.contig == contig and s.start - 5 <= start < s.end + 5 for s in sites):
            continue
        ref, alt = _change(genome.contigs[contig][start : start + 4].upper(), generator)
        chosen.setdefault((contig, start), (ref, alt, "."))
    for number, (contig, start) in enumerate(
        sorted(chosen, key=lambda key: (names.index(key[0]), key[1])), start=1
    ):
        ref, alt, info = chosen[contig, start]
        lines.append(f"{contig}\t{start + 1}\tvar{number:03d}\t{ref}\t{alt}\t.\tPASS\t{info}")
    return "\n".join(lines) + "\n"


def _spoil(
    genome: SimulatedGenome, site: Interval, generator: np.random.Generator
) -> tuple[int, str]:
    """Choose a base of a site that matters, and the base that is rarest there."""
    sequence = genome.contigs[site.contig][site.start : site.end].upper()
    read = sequence if site.strand == "+" else reverse_complement(sequence)
    matrix = np.array(CTCF)
    letters = ["ACGT".index(base) for base in read]
    fitting = [
        position
        for position, letter in enumerate(letters)
        if matrix[position, letter] == matrix[position].max() >= _INFORMATIVE
    ]
    position = int(generator.choice(fitting))
    alt = "ACGT"[int(matrix[position].argmin())]
    if site.strand == "+":
        return site.start + position, alt
    return site.end - 1 - position, reverse_complement(alt)


def _change(bases: str, generator: np.random.Generator) -> tuple[str, str]:
    """Change, delete or insert after the first of four bases: REF and ALT."""
    if generator.random() >= _SHARE_OF_INDELS:
        others = [base for base in "ACGT" if base != bases[0]]
        return bases[0], others[int(generator.integers(3))]
    length = int(generator.integers(1, 4))
    if generator.random() < 0.5:
        return bases[: 1 + length], bases[0]
    new = "".join("ACGT"[code] for code in generator.integers(0, 4, size=length))
    return bases[0], bases[0] + new


def _meme(motifs: Mapping[str, np.ndarray]) -> str:
    """Write matrices in MEME's minimal format, version 4."""
    lines = ["MEME version 4", "", "ALPHABET= ACGT", "", "strands: + -"]
    for name, matrix in motifs.items():
        lines += ["", f"MOTIF {name}", f"letter-probability matrix: alength= 4 w= {len(matrix)}"]
        lines += [" ".join(f"{value:.6f}" for value in row) for row in matrix.tolist()]
    return "\n".join(lines) + "\n"
