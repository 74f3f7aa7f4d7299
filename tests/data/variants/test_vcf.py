import gzip

import pytest

from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.vcf import (
    alleles_of,
    iterate_vcf,
    read_vcf_header,
)
from dnabert_hf.data.variants.windows import AlleleWindows, WindowCutter

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.fixture
def genome(make_genome):
    #                        0123456789012345
    return make_genome(chr1="AACCGGTTACGTACGT", chr2="ACGTN" + "ACGT" * 3, tiny="ACG")


def write(path, *lines):
    path.write_text(HEADER + "".join("\t".join(line) + "\n" for line in lines))
    return path


def test_records_are_read_as_they_stand(tmp_path):
    line = ("1", "3", "rs1", "c", "T,<DEL>", ".", "PASS", "AC=1")
    path = write(tmp_path / "v.vcf", line)
    (record,) = iterate_vcf(path)
    assert (record.contig, record.start, record.ref, record.name) == ("1", 2, "C", "rs1")
    assert record.alts == ("T", "<DEL>")
    assert record.line == "\t".join(line)
    assert alleles_of(record) == [Allele("1", 2, "C", "T"), Allele("1", 2, "C", "<DEL>")]
    assert read_vcf_header(path) == HEADER.splitlines()
    packed = tmp_path / "v.vcf.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(iterate_vcf(packed)) == [record]


@pytest.mark.parametrize(
    ("allele", "ref", "alt", "offset"),
    [
        (Allele("chr1", 7, "T", "G"), "GGTTACG", "GGTGACG", 3),  # in the middle
        (Allele("chr1", 7, "T", "TCC"), "GGTTACG", "GGTTCCA", 3),  # what follows moves out
        (Allele("chr1", 7, "TAC", "T"), "GGTTACG", "GGTTGTA", 3),  # or in
        (Allele("chr1", 7, "TA", "GC"), "GGTTACG", "GGTGCCG", 3),
        (Allele("chr1", 0, "A", "C"), "AACCGGT", "CACCGGT", 0),  # at the ends of the contig
        (Allele("chr1", 15, "T", "A"), "CGTACGT", "CGTACGA", 6),
        (Allele("1", 7, "T", "G"), "GGTTACG", "GGTGACG", 3),  # Ensembl's name
    ],
)
def test_windows_hold_either_allele_and_have_one_length(genome, allele, ref, alt, offset):
    cutter = WindowCutter(genome, 7)
    assert cutter.cut(allele) == AlleleWindows(ref, alt, offset, allele)
    assert not cutter.skipped


@pytest.mark.parametrize(
    ("allele", "reason"),
    [
        (Allele("chr1", 7, "T", "*"), "allele * (deleted by another record)"),
        (Allele("chr1", 7, "T", "."), "no alternative allele"),
        (Allele("chr1", 7, "T", "<DEL>"), "symbolic alternative allele"),
        (Allele("chr1", 7, "T", "G]chr2:5]"), "symbolic alternative allele"),
        (
            Allele("chr1", 7, "T", "R"),
            "letters other than A, C, G, T in the alternative allele",
        ),
        (Allele("chr9", 7, "T", "G"), "contig not in the genome"),
        (Allele("chr1", 16, "T", "G"), "beyond the end of the contig"),
        (Allele("chr1", -1, "N", "G"), "POS 0 (a position is a whole number from 1 on)"),
        (Allele("chr1", 7, "T", "T"), "ALT is the same as REF"),
        (Allele("chr1", 7, "TAC", "TAC"), "ALT is the same as REF"),
        (Allele("chr1", 7, "A", "A"), "REF is not the base of the genome"),
        (Allele("chr1", 7, "A", "G"), "REF is not the base of the genome"),
        (Allele("chr1", 7, "T", "TACGT"), "allele longer than half of the window"),
        (Allele("tiny", 1, "C", "G"), "contig shorter than the window"),
        (Allele("chr1", 14, "GT", "G"), "too near the end of the contig"),
        (Allele("chr2", 2, "G", "A"), "letters other than A, C, G, T around it"),
    ],
)
def test_what_cannot_be_cut_is_counted_by_reason(genome, allele, reason):
    cutter = WindowCutter(genome, 7)
    assert cutter.cut(allele) == reason
    assert cutter.skipped == {reason: 1}
    assert cutter.summary() == f"{reason} (1)"


def test_a_wrong_reference_base_is_named(genome, caplog):
    WindowCutter(genome, 7).cut(Allele("chr1", 7, "A", "G"))
    assert "chr1:8 (1-based): REF must be the genome's T, found A; not scored" in caplog.text


def test_windows_that_no_contig_holds_are_refused(genome):
    with pytest.raises(ValueError, match="got 18 bases, where its longest contig has 17"):
        WindowCutter(genome, 18)
    with pytest.raises(ValueError, match="3 bases or more, got 2"):
        WindowCutter(genome, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("chr1\t5\t.\tA\tC\t.\t.\t.\n", "must be a VCF: begin with ##fileformat=VCF"),
        ("##fileformat=VCFv4.2\nchr1\t5\n", "must be a VCF"),
        ("##fileformat=VCFv4.2\n#CHROM POS ID\n", "line 2: the columns of a VCF must be"),
    ],
)
def test_files_without_header_are_refused(tmp_path, content, message):
    path = tmp_path / "v.vcf"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_vcf_header(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("chr1", "5", ".", "A"), "line 3: a line of a VCF must have 8 .* found 4"),
        (("chr1", "x", ".", "A", "C", ".", ".", "."), "line 3: POS must be .* found 'x'"),
        (("chr1", "5", ".", "", "C", ".", ".", "."), "line 3: REF and ALT must not be empty"),
    ],
)
def test_damaged_lines_are_named(tmp_path, line, message):
    with pytest.raises(ValueError, match=message):
        list(iterate_vcf(write(tmp_path / "v.vcf", line)))


def test_a_bgzip_file_without_its_end_is_refused(tmp_path):
    pysam = pytest.importorskip("pysam", reason="pysam is not installed")
    path = write(tmp_path / "v.vcf", ("chr1", "5", ".", "A", "C", ".", ".", "."))
    pysam.tabix_compress(str(path), str(tmp_path / "v.vcf.gz"), force=True)
    packed = tmp_path / "v.vcf.gz"
    assert len(read_vcf_header(packed)) == 2
    packed.write_bytes(packed.read_bytes()[:-28])
    with pytest.raises(
        ValueError, match="is a truncated bgzip file: it must end with an empty block"
    ):
        read_vcf_header(packed)
