"""Genes by paper and pencil, and the nearest ones by bedtools."""

import random
import shutil
import subprocess

import pytest

from dnabert_hf.data.genome.genes import GeneIndex, read_genes

# Gene A on +: exons 11-20, 31-40, 51-60 (1-based), CDS 16-20 and 31-35. Gene B on -: exons 81-90
# and 101-110, no CDS. Positions below are 0-based.
EXONS = [("A", "+", 11, 20), ("A", "+", 31, 40), ("A", "+", 51, 60)]
EXONS += [("B", "-", 81, 90), ("B", "-", 101, 110)]
CDS = [("A", "+", 16, 20), ("A", "+", 31, 35)]
PLACES = [
    (2, 3, "A", -8, "intergenic"),
    (10, 11, "A", 0, "5_prime_UTR"),
    (14, 15, "A", 4, "5_prime_UTR"),
    (15, 16, "A", 5, "CDS"),
    (20, 21, "A", 10, "splice"),
    (21, 22, "A", 11, "splice"),
    (22, 23, "A", 12, "intron"),
    (28, 29, "A", 18, "splice"),
    (19, 23, "A", 9, "splice"),  # a deletion over the end of an exon
    (8, 12, "A", 0, "5_prime_UTR"),  # over the start site
    (35, 36, "A", 25, "3_prime_UTR"),
    (55, 56, "A", 45, "3_prime_UTR"),
    (64, 65, "A", 54, "intergenic"),
    (85, 86, "B", 24, "exon"),
    (95, 96, "B", 14, "intron"),
    (109, 110, "B", 0, "exon"),
    (115, 116, "B", -6, "intergenic"),
]


def gtf():
    attributes = 'gene_id "G{0}"; transcript_id "T{0}"; gene_name "{0}";'
    kinds = [("exon", EXONS), ("CDS", CDS[:1]), ("stop_codon", CDS[1:])]
    return "".join(
        f"1\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t{attributes.format(name)}\n"
        for kind, lines in kinds
        for name, strand, start, end in lines
    )


def gff3():
    lines = ["##gff-version 3"]
    for name, strand, start, end in [("A", "+", 11, 60), ("B", "-", 81, 110)]:
        for kind, about in [
            ("gene", f"ID=gene:G{name};Name={name}"),
            ("mRNA", f"ID=transcript:T{name};Parent=gene:G{name};Name={name}-201"),
        ]:
            lines.append(f"1\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t{about}")
    for kind, parts in [("exon", EXONS), ("CDS", CDS)]:
        for name, strand, start, end in parts:
            lines.append(f"1\tx\t{kind}\t{start}\t{end}\t.\t{strand}\t.\tParent=transcript:T{name}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("suffix", "text"), [(".gtf", gtf()), (".gff3", gff3())])
def test_places_in_a_gene_by_hand(make_genome, tmp_path, suffix, text):
    path = tmp_path / f"genes{suffix}"
    path.write_text(text)
    index = GeneIndex(read_genes(path), make_genome(chr1="A" * 120, chr2="C" * 9), source="genes")
    for start, end, *expected in PLACES:
        assert [*index.find("chr1", start, end)] == expected, (start, end)
    assert index.find("chr2", 1, 2) is None


def test_genes_of_another_genome_are_refused(make_genome, tmp_path):
    path = tmp_path / "genes.gtf"
    path.write_text(gtf())
    with pytest.raises(ValueError, match="genes must lie on contigs of the genome, found 1, where"):
        GeneIndex(read_genes(path), make_genome(chr7="A" * 120), source="genes")


def closest(folder, a, b, *options):
    """Lines of `bedtools closest`: where each line of a is, and the name and distance in b."""
    for name, lines in (("a", a), ("b", b)):
        ordered = sorted(lines, key=lambda line: line[1:3])
        (folder / f"{name}.bed").write_text("".join("\t".join(map(str, x)) + "\n" for x in ordered))
    command = ["bedtools", "closest", "-a", folder / "a.bed", "-b", folder / "b.bed", *options]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = {}
    for line in found.splitlines():
        cells = line.split("\t")
        place = (int(cells[1]), int(cells[2]))
        result.setdefault(place, {})[cells[6]] = int(cells[-1])
    return result


@pytest.mark.skipif(not shutil.which("bedtools"), reason="bedtools is not installed")
def test_the_nearest_gene_and_start_site_are_those_of_bedtools(make_genome, tmp_path):
    rng = random.Random(0)
    lines, bodies, sites = [], [], []
    for number in range(60):
        start, strand = rng.randrange(20_000), rng.choice("+-")
        ends = sorted(rng.sample(range(start, start + 400), 4))
        for first, last in (ends[:2], ends[2:]):
            about = f'gene_id "g{number}"; transcript_id "t{number}";'
            lines.append(f"chr1\tx\texon\t{first + 1}\t{last}\t.\t{strand}\t.\t{about}\n")
        bodies.append(("chr1", ends[0], ends[3], f"g{number}", 0, strand))
        site = ends[0] if strand == "+" else ends[3] - 1
        sites.append(("chr1", site, site + 1, f"g{number}", 0, strand))
    path = tmp_path / "genes.gtf"
    path.write_text("".join(lines))
    index = GeneIndex(read_genes(path), make_genome(chr1="A" * 21_000), source="genes")
    places = [("chr1", start, start + rng.choice([1, 1, 5])) for start in range(3, 20_900, 37)]
    nearest = closest(tmp_path, places, bodies, "-d")
    distances = closest(tmp_path, places, sites, "-D", "b", "-k", "60")
    n_hit = 0
    for _, start, end in places:
        found = index.find("chr1", start, end)
        assert found.gene in nearest[start, end]
        assert found.distance == distances[start, end][found.gene]
        n_hit += found.region != "intergenic"
    assert 0 < n_hit < len(places)
