import random

import pytest

from dnabert_hf.data.variants.build_check import check_build, named_build

COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.fixture
def dna(random_dna):
    return random_dna(2000)


@pytest.fixture
def genome(make_genome, dna):
    return make_genome(chr1=dna)


def write_vcf(path, lines, header=""):
    body = "".join(f"{c}\t{p}\t.\t{r}\t{a}\t.\t.\t.\n" for c, p, r, a in lines)
    path.write_text(f"##fileformat=VCFv4.2\n{header}{COLUMNS}{body}")
    return path


def snvs(dna, n, shift=0):
    """Take REF of a genome in which everything lies some bases further on."""
    generator = random.Random(1)
    for position in generator.sample(range(len(dna) - 100), n):
        ref = dna[position + shift]
        yield "1", position + 1, ref, generator.choice("ACGT".replace(ref, ""))


def test_variants_of_another_build_are_refused(genome, dna, tmp_path, caplog):
    path = write_vcf(tmp_path / "v.vcf", snvs(dna, 200, shift=7))
    n_other = sum(dna[p - 1] != r for _, p, r, _ in snvs(dna, 200, shift=7))
    with pytest.raises(ValueError, match=rf"another REF .* in {n_other} of 200 .*\(--force\)"):
        check_build(path, genome)
    assert not caplog.text
    check_build(path, genome, force=True)
    assert "was it made for another build?" in caplog.text


@pytest.mark.parametrize("n_wrong", [0, 4])
def test_a_few_mistakes_are_no_other_build(genome, dna, tmp_path, caplog, n_wrong):
    lines = list(snvs(dna, 20))
    for i in range(n_wrong):
        contig, position, ref, _ = lines[i]
        lines[i] = contig, position, "ACGT".replace(ref, "")[0], ref
    check_build(write_vcf(tmp_path / "v.vcf", lines), genome)
    assert not caplog.text


def test_too_few_records_are_warned_of(genome, dna, tmp_path, caplog):
    check_build(write_vcf(tmp_path / "v.vcf", snvs(dna, 12, shift=7)), genome)
    assert "was it made for another build?" in caplog.text


def test_swapped_alleles_are_called_so(genome, dna, tmp_path):
    right = list(snvs(dna, 40))
    lines = right[:20] + [(contig, place, alt, ref) for contig, place, ref, alt in right[20:]]
    with pytest.raises(ValueError, match=r"in 20 of 40 .*REF and ALT may be swapped"):
        check_build(write_vcf(tmp_path / "v.vcf", lines), genome)


def test_positions_beyond_the_contig_count_as_differing(genome, tmp_path):
    lines = [("chr1", 5000 + i, "A", "C") for i in range(20)]
    with pytest.raises(ValueError, match="in 20 of 20 records"):
        check_build(write_vcf(tmp_path / "v.vcf", lines), genome)


def test_no_known_contig_is_an_error_and_a_decoy_is_not(genome, dna, tmp_path):
    (line,) = snvs(dna, 1)
    decoy = ("chrUn_1", 5, "A", "C")
    check_build(write_vcf(tmp_path / "v.vcf", [decoy, line]), genome)
    check_build(write_vcf(tmp_path / "none.vcf", []), genome)
    with pytest.raises(ValueError, match="must lie on contigs of the genome, found chrUn_1, where"):
        check_build(write_vcf(tmp_path / "v.vcf", [decoy, decoy]), genome)


def test_a_header_of_another_genome_is_warned_of(genome, dna, tmp_path, caplog):
    header = "##contig=<ID=1,length=249250621,assembly=b37>\n##contig=<ID=2,length=5>\n"
    check_build(write_vcf(tmp_path / "v.vcf", snvs(dna, 20), header), genome)
    assert "1 has 249250621 bases in its header, 2000 here; was it made for" in caplog.text


@pytest.mark.parametrize(
    ("line", "build"),
    [
        ("##reference=file:///ref/human_g1k_v37.fasta", None),
        ("##reference=GRCh37", "GRCh37"),
        ("##reference=ftp://x/hs_GRCH38.p13.fa", "GRCh38"),
        ("##source=hg19", None),
    ],
)
def test_the_header_names_the_build(line, build):
    assert named_build([line]) == build
