import pytest

from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.databases import KnownVariants

DNA = "AAAGATTTTTACACACACGGCATGCCTGTGAGCAGCAGTTTCCA"
CLINVAR = (
    "##fileformat=VCFv4.1\n##reference=GRCh38\n##INFO=<ID=CLNSIG,Number=.>\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)
GWAS = "SNPS\tCHR_ID\tCHR_POS\tDISEASE/TRAIT\tP-VALUE\tPUBMEDID\n"


@pytest.fixture
def look_up(make_genome, tmp_path):
    genome = make_genome(chr1=DNA)

    def find(catalog, text, *alleles):
        path = tmp_path / "catalog"
        path.write_text(text)
        known = KnownVariants(alleles, [""] * len(alleles), "GRCh38", genome=genome)
        return [[each.match for each in found] for found in known.look_up(catalog, path)]

    return find


def test_alleles_meet_however_either_side_writes_them(look_up):
    # ClinVar: T>C at 23, the deletion of a T at 5 and of CAG (AGC, further left) at 30, 1-based.
    lines = [(23, "T", "C"), (5, "AT", "A"), (30, "GAGC", "G")]
    text = CLINVAR + "".join(f"1\t{p}\t7\t{r}\t{a}\t.\t.\tCLNSIG=x\n" for p, r, a in lines)
    alleles = [
        Allele("chr1", 20, "CATGC", "CACGC"),
        Allele("NC_000001.11", 9, "TA", "A"),
        Allele("1", 32, "CAGCAG", "CAG"),
        Allele("chr1", 20, "CATGC", "CAGGC"),  # another base at the first's place
        Allele("chr1", 20, "CATGC", "TATGC"),  # at 21
    ]
    assert look_up("clinvar", text, *alleles) == [["allele"]] * 3 + [["position"], []]


def test_the_catalog_may_be_padded_too(look_up):
    text = CLINVAR + "1\t21\t7\tCATGC\tCACGC,C\t.\t.\tCLNSIG=x\n1\t10\t8\tTA\tA\t.\t.\tCLNSIG=x\n"
    alleles = [Allele("1", 22, "T", "C"), Allele("1", 4, "AT", "A"), Allele("1", 20, "CATGC", "C")]
    assert look_up("clinvar", text, *alleles) == [["allele"]] * 3


def test_positions_meet_where_the_change_is(look_up):
    text = GWAS + "rs1\t1\t23\tx\t1\t1\nrs2\t1\t6\ty\t1\t1\n"
    alleles = [
        Allele("chr1", 20, "CATGC", "CACGC"),
        Allele("chr1", 9, "TA", "A"),  # T deleted at 6 (dbSNP), after the base at 5 (VCF)
        Allele("chr1", 20, "C", "T"),
    ]
    assert look_up("gwas", text, *alleles) == [["position"], ["position"], []]
