"""Haplotypes by hand, and their sequences by `bcftools consensus`."""

import random

import pytest

from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.haplotypes import Haplotype, HaplotypeReader, cut_haplotype

DNA = "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCAGTACCATTGCAAGCTT"
HEADER = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1,length={}>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
    '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="p">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\ts2\n"
)


def write(path, lines, n_bases=62):
    """Write lines of position (1-based), REF, ALT and genotype of the first sample."""
    text = HEADER.format(n_bases)
    for position, ref, alt, genotype in lines:
        text += f"chr1\t{position}\t.\t{ref}\t{alt}\t.\t.\t.\tGT:PS\t{genotype}\t0|0:1\n"
    path.write_text(text)
    return path


def found(path, sample="s1", span=20):
    reader = HaplotypeReader(path, sample, span)
    return [(h.copy, h.phase_set, [a[1:] for a in h.alleles]) for h in reader.read()], reader


def test_alleles_of_a_copy_and_a_phase_set_are_together(tmp_path):
    lines = [
        (5, "T", "C", "0|1:5"),
        (9, "A", "G", "1|0:5"),
        (12, "T", "A,G", "2|1:5"),
        (15, "C", "T", "1/1:."),  # on both copies, whatever the phase
        (17, "A", "T", "0|1:17"),  # another phase set
        (19, "G", "C", "0/1:."),  # open
        (20, "A", "C", "0|1:17"),
        (60, "C", "A", "0|1:17"),  # too far
    ]
    groups, reader = found(write(tmp_path / "a.vcf", lines))
    assert groups == [
        (1, "5", [(8, "A", "G"), (11, "T", "G"), (14, "C", "T")]),
        (2, "5", [(4, "T", "C"), (11, "T", "A"), (14, "C", "T")]),
        (2, "17", [(16, "A", "T"), (19, "A", "C")]),
    ]
    assert dict(reader.left_out) == {"heterozygous genotypes without phase": 1}
    groups, reader = found(tmp_path / "a.vcf", ".", span=8)
    assert [(copy, len(alleles)) for copy, _, alleles in groups] == [(1, 2), (1, 4)]
    assert dict(reader.left_out) == {"records with several alternative alleles": 1}


def test_what_cannot_be_read_as_haplotypes_is_refused(tmp_path):
    path = write(tmp_path / "a.vcf", [(5, "T", "C", "0/1:."), (9, "A", "G", "0/1:.")])
    with pytest.raises(ValueError, match=r"must be phased \(GT with \|\), found none among 2 het"):
        found(path)
    with pytest.raises(ValueError, match=r"must be one of .*: s1, s2, or \"\.\" for .* got 's3'"):
        found(path, "s3")
    path = write(tmp_path / "b.vcf", [(9, "A", "G", "0|1:."), (5, "T", "C", "0|1:.")])
    with pytest.raises(ValueError, match=r"must be sorted .* found chr1:5 after chr1:9; sort it"):
        found(path)
    groups, reader = found(write(tmp_path / "c.vcf", [(9, "A", "G", ".|1:.")]))
    assert (groups, dict(reader.left_out)) == ([], {"missing genotypes": 1})


@pytest.mark.parametrize(
    ("alleles", "reason"),
    [
        ([(19, "ATC", "A"), (20, "T", "C")], "alleles overlap"),
        ([(19, "A", "AC"), (19, "A", "AG")], "alleles overlap"),
        ([(19, "G", "A"), (20, "T", "C")], "REF is not the base of the genome"),
        ([(19, "A", "<DEL>"), (20, "T", "C")], "an allele that is no sequence of A, C, G, T"),
        ([(19, "A", "A" * 12), (20, "T", "C")], "alleles longer than half of the window"),
        ([(60, "T", "A"), (61, "T", "TA"), (62, "A", "C")], "beyond the end of the contig"),
    ],
)
def test_what_cannot_be_applied_together_is_told(make_genome, alleles, reason):
    haplotype = Haplotype(1, "", tuple(Allele("1", *each) for each in alleles))
    assert cut_haplotype(haplotype, make_genome(chr1=DNA), 20) == reason


def test_a_window_has_all_alleles_and_each_alone(make_genome):
    """A>C at 19, TC>T at 20, an insertion of GG after 26; 0-based, in a window from 13 on."""
    alleles = (Allele("1", 19, "A", "C"), Allele("1", 20, "TC", "T"), Allele("1", 26, "A", "AGG"))
    joint, singles = cut_haplotype(Haplotype(1, "", alleles), make_genome(chr1=DNA), 20)
    before, after = DNA[13:19], DNA[27:]
    assert joint.ref == DNA[13:33]
    assert joint.alt == (before + "C" + "T" + DNA[22:26] + "AGG" + after)[:20]
    assert (joint.offset, joint.allele[1:]) == (6, (19, DNA[19:27], "CT" + DNA[22:26] + "AGG"))
    assert [each.alt for each in singles] == [
        before + "C" + DNA[20:33],
        before + "AT" + DNA[22:34],
        (DNA[13:27] + "GG" + after)[:20],
    ]
    assert {each.ref for each in singles} == {joint.ref}


def test_random_haplotypes_are_the_sequences_of_bcftools_consensus(make_genome, tmp_path):
    pysam = pytest.importorskip("pysam", reason="pysam is not installed")
    bcftools = pytest.importorskip("pysam.bcftools", reason="pysam is not installed")
    rng = random.Random(1)
    dna = "".join(rng.choices("ACGT", k=400))
    fasta, genome = tmp_path / "ref.fa", make_genome(chr1=dna)
    fasta.write_text(f">chr1\n{dna}\n")
    lines = []
    for start in range(150, 240, 9):
        ref = dna[start : start + rng.choice([1, 1, 1, 3, 5])]
        alt = rng.choice([ref[0] + "".join(rng.choices("ACGT", k=3)), ref[0]])
        if alt == ref:
            alt = "A" if ref != "A" else "C"
        lines.append((start + 1, ref, alt, rng.choice(["0|1:1", "1|0:1", "1|1:1"])))
    vcf = tmp_path / "in.vcf.gz"
    pysam.tabix_compress(str(write(tmp_path / "in.vcf", lines, len(dna))), str(vcf))
    pysam.tabix_index(str(vcf), preset="vcf")
    haplotypes = list(HaplotypeReader(vcf, "s1", 150).read())
    assert [each.copy for each in haplotypes] == [1, 2]
    for haplotype in haplotypes:
        cut = cut_haplotype(haplotype, genome, 300)
        options = ["-s", "s1", "-H", str(haplotype.copy), "-f", str(fasta), str(vcf)]
        text = bcftools.consensus(*options)
        expected = "".join(text.splitlines()[1:])
        first = haplotype.alleles[0].start - cut.joint.offset
        assert cut.joint.alt == expected[first : first + 300]
        assert cut.joint.alt != cut.joint.ref == dna[first : first + 300]
