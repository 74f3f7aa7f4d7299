import random

import pytest

from dnabert_hf.data.variants.alleles import Allele, normalize_allele
from dnabert_hf.data.variants.windows import WindowCutter

DNA = "AAAGATTTTTACACACACGGCATGCCTGTGAGCAGCAGTTTCCA"
# From `bcftools norm -f g.fa` (1.16) on these lines, positions 0-based here.
NORMAL = [
    ((21, "AT", "AC"), (22, "T", "C")),
    ((20, "CATGC", "CACGC"), (22, "T", "C")),
    ((22, "TGCC", "CGCC"), (22, "T", "C")),
    ((22, "T", "C"), (22, "T", "C")),
    ((9, "TA", "A"), (4, "AT", "A")),
    ((5, "TT", "T"), (4, "AT", "A")),
    ((5, "TTTTT", "TTTT"), (4, "AT", "A")),
    ((9, "T", "TT"), (4, "A", "AT")),
    ((13, "CACACG", "CACG"), (9, "TAC", "T")),
    ((12, "ACA", "A"), (9, "TAC", "T")),
    ((16, "A", "ACA"), (9, "T", "TAC")),
    ((17, "C", "CAC"), (9, "T", "TAC")),
    ((0, "AA", "A"), (0, "AA", "A")),
    ((0, "A", "AA"), (0, "A", "AA")),
    ((2, "AG", "AAG"), (0, "A", "AA")),
    ((0, "AAAG", "G"), (0, "AAAG", "G")),
    ((32, "CAGCAG", "CAG"), (29, "GAGC", "G")),
    ((37, "G", "GCAG"), (29, "G", "GAGC")),
    ((18, "GG", "TT"), (18, "GG", "TT")),
    ((18, "GGC", "TTC"), (18, "GG", "TT")),
    ((17, "CGGC", "CTTC"), (18, "GG", "TT")),
    ((42, "CA", "C"), (42, "CA", "C")),
    ((43, "A", "AA"), (42, "C", "CA")),
]


@pytest.fixture
def genome(make_genome):
    return make_genome(chr1=DNA)


@pytest.mark.parametrize(("written", "normal"), NORMAL)
def test_alleles_are_trimmed_and_shifted_as_bcftools_norm_does(genome, written, normal):
    assert normalize_allele(Allele("1", *written), genome, "chr1") == Allele("1", *normal)


@pytest.mark.parametrize(("written", "normal"), NORMAL)
def test_every_way_to_write_a_change_has_one_window(genome, written, normal):
    cutter = WindowCutter(genome, 13)
    assert cutter.cut(Allele("1", *written)) == cutter.cut(Allele("1", *normal))


def test_without_a_genome_alleles_are_trimmed(genome):
    assert normalize_allele(Allele("1", 20, "CATGC", "CACGC"), None, "")[1:] == (22, "T", "C")
    assert normalize_allele(Allele("1", 5, "TTTTT", "TTTT"), None, "")[1:] == (5, "TT", "T")
    assert normalize_allele(Allele("1", 5, "TT", "TT"), None, "")[1:] == (5, "TT", "TT")


def test_a_padded_base_is_a_single_base_and_a_long_reference_fits_its_window(genome):
    cutter = WindowCutter(genome, 7)
    assert cutter.cut(Allele("chr1", 20, "CATGC", "CACGC")).is_single_base
    assert cutter.cut(Allele("chr1", 14, "ACACGGCATGCCTG", "ACACGGCACGCCTG")).offset == 3
    assert not cutter.skipped


def test_random_indels_are_normalised_as_bcftools_norm_does(make_genome, tmp_path):
    """In DNA of short repeats, where most of them can be moved."""
    pysam = pytest.importorskip("pysam", reason="pysam is not installed")
    bcftools = pytest.importorskip("pysam.bcftools", reason="pysam is not installed")
    rng = random.Random(3)
    repeats = [rng.choice(["A", "CA", "GGC", "T", "TAT"]) * rng.randrange(1, 6) for _ in range(90)]
    dna = "".join(repeats)
    genome = make_genome(chr1=dna)
    lines = [f"##fileformat=VCFv4.2\n##contig=<ID=chr1,length={len(dna)}>"]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    written = []
    for number in range(300):
        start, size = rng.randrange(len(dna) - 12), rng.randrange(1, 7)
        ref = dna[start : start + rng.randrange(1, 6)]
        middle = "".join(rng.choices("ACGT", k=size))
        if rng.random() < 0.7:
            middle = dna[start + 1 : start + 1 + size]
        alt = ref[0] + middle + ref[1:] if rng.random() < 0.5 else ref
        ref = ref if alt != ref else ref + dna[start + len(ref) : start + len(ref) + size]
        written.append(Allele("chr1", start, ref, alt))
        lines.append(f"chr1\t{start + 1}\tv{number}\t{ref}\t{alt}\t.\t.\t.")
    vcf, fasta = tmp_path / "in.vcf", tmp_path / "ref.fa"
    vcf.write_text("\n".join(lines) + "\n")
    fasta.write_text(f">chr1\n{dna}\n")
    pysam.faidx(str(fasta))
    text = bcftools.norm("-f", str(fasta), str(vcf))
    expected = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            contig, position, name, ref, alt = line.split("\t")[:5]
            expected[name] = Allele(contig, int(position) - 1, ref, alt)
    found = {f"v{i}": normalize_allele(each, genome, "chr1") for i, each in enumerate(written)}
    assert found == expected
    assert sum(each != found[f"v{i}"] for i, each in enumerate(written)) > 100
