import logging
import pickle

import pytest

from dnabert_hf.data.genome.contig_names import ContigNames, match_contigs, read_aliases
from dnabert_hf.data.genome.genome import open_genome


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("1", "chr1", "chr1"),
        ("chrX", "X", "X"),
        ("MT", "chrM", "chrM"),
        ("chrM", "MT", "MT"),
        ("M", "chrM", "chrM"),
    ],
)
def test_ucsc_and_ensembl_names_are_matched_and_it_is_said(name, known, found, caplog):
    with caplog.at_level(logging.WARNING):
        assert match_contigs([name], ["other", known], source="a.bed") == {name: found}
    assert caplog.messages == [
        f"contigs of a.bed have other names in the genome; taken as the same: {name} = {found}"
    ]


def test_contigs_that_are_missing_are_listed(caplog):
    with caplog.at_level(logging.WARNING):
        names = ["chr1", *(f"c{i}" for i in range(7)), "chr1", *(f"d{i}" for i in range(95))]
        assert match_contigs(names, ["chr1"], source="a.bed") == {"chr1": "chr1"}
    assert caplog.messages == [
        "a.bed: 102 contigs are not in the genome, and what lies on them is left out: "
        f"{', '.join(names[1:8])}, {', '.join(names[9:102])} and 2 more"
    ]
    with pytest.raises(ValueError, match="must lie on contigs of the genome, found x, where"):
        match_contigs(["x"], ["chr1"], source="a.bed")


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("Chr1", ["1", "2"], "1"),  # TAIR
        ("chr1", ["Chr1", "Chr2"], "Chr1"),
        ("CHR1", ["chr1"], "chr1"),
        ("chromosome_1", ["chr1"], "chr1"),
        ("NC_000001.11", ["chr1"], "chr1"),
        ("CM000663.2", ["NC_000001.11", "NC_000002.12"], "NC_000001.11"),
        ("CM000685.1", ["chrX", "chrY"], "chrX"),
        ("X", ["NC_000023.11"], "NC_000023.11"),
        ("NC_012920.1", ["chrM"], "chrM"),
        ("MT", ["chrM", "chrMT"], "chrMT"),  # hg19 with both of its mitochondria
        ("M", ["chrM", "chrMT"], "chrM"),
        ("chr", ["1"], None),
        ("chr11", ["1", "chr1"], None),
        ("NC_000001.9", ["chr1"], None),
        ("23", ["X"], None),  # a zebrafish has 25 chromosomes
    ],
)
def test_the_usual_names_of_a_contig_are_one(name, known, found):
    assert ContigNames(known).find(name) == found


# Chromosomes 1 to 22, X and Y of GRCh37 as NCBI's sequence report of GCF_000001405.25 has them:
# version of RefSeq's accession, length. Those of GRCh38: versions from NCBI's dbSNP VCF of
# GCF_000001405.40, lengths from the no-alt analysis set GCA_000001405.15 as STAR lists it.
GRCH37 = """
    10 249250621 11 243199373 11 198022430 11 191154276 9 180915260 11 171115067
    13 159138663
    10 146364022 11 141213431 10 135534747 9 135006516 11 133851895 10 115169878 8 107349540
    9 102531392 9 90354753 10 81195210 9 78077248 9 59128983 10 63025520 8 48129895 10 51304566
    10 155270560 9 59373566"""
GRCH38 = """
    11 248956422 12 242193529 12 198295559 12 190214555 10 181538259 12 170805979
    14 159345973
    11 145138636 12 138394717 11 133797422 10 135086622 12 133275309 11 114364328 9 107043718
    10 101991189 10 90338345 11 83257441 10 80373285 10 58617616 11 64444167 9 46709983 11 50818468
    11 156040895 10 57227415"""


@pytest.mark.parametrize(
    ("build", "genbank", "table"), [("GRCh37", 1, GRCH37), ("GRCh38", 2, GRCH38)]
)
def test_accessions_and_lengths_are_those_of_ncbi(build, genbank, table):
    numbers = [int(number) for number in table.split()]
    rows = zip(range(1, 25), numbers[::2], numbers[1::2], strict=True)
    for number, version, length in rows:
        chromosome = {23: "X", 24: "Y"}.get(number, str(number))
        names = ContigNames({f"chr{chromosome}": length})
        assert names.find(f"NC_{number:06}.{version}") == f"chr{chromosome}"
        assert names.find(f"CM{662 + number:06}.{genbank}") == f"chr{chromosome}"
        assert names.find_build() == build
        other = 1 if build == "GRCh38" else 2
        assert names.find(f"CM{662 + number:06}.{other}") is None


def test_an_accession_is_not_taken_for_the_chromosome_of_the_other_build():
    hg38, hg19, part = ({"chr1": length} for length in (248956422, 249250621, 5000))
    assert ContigNames(hg38).find("NC_000001.10") is None
    assert ContigNames(hg38).find("NC_000001.11") == "chr1"
    assert ContigNames(hg19).find("NC_000001.10") == "chr1"
    assert ContigNames(part).find("NC_000001.10") == "chr1"
    assert ContigNames({"chrM": 16571}).find("NC_012920.1") is None  # hg19's is another molecule
    assert (ContigNames(hg19).find_build(), ContigNames(part).find_build()) == ("GRCh37", None)


def test_a_name_that_may_be_several_contigs_is_refused():
    assert ContigNames(["1", "chr1"]).find("1") == "1"
    with pytest.raises(ValueError, match=r"found that it may be 1 or chr1; say which .*--aliases"):
        ContigNames(["1", "chr1"]).find("Chr1")


@pytest.mark.parametrize(
    "text",
    [
        "# ucsc\tassembly\tgenbank\trefseq\nchr1\tI\tBK006935.2\tNC_001133.9\nchr2\tII\t\t\n",
        "I\tchr1\tassembly,ensembl\nBK006935.2\tchr1\tgenbank\nNC_001133.9\tchr1\trefseq\n",
        "chr1\tI\nchr1\tBK006935.2\nNC_001133.9\tI\n",
    ],
    ids=["new", "old", "two columns"],
)
def test_a_table_of_aliases_in_either_form_of_ucsc(tmp_path, text):
    path = tmp_path / "chromAlias.txt"
    path.write_text(text)
    names = ContigNames(["BK006935.2"], read_aliases(path))
    assert {names.find(each) for each in ("chr1", "I", "NC_001133.9", "1")} >= {"BK006935.2"}
    assert names.find("I") == names.find("chr1") == names.find("NC_001133.9") == "BK006935.2"
    assert names.find("assembly") is None


def test_a_genome_keeps_its_aliases_in_other_processes(tmp_path):
    (tmp_path / "g.fa").write_text(">scaffold_7\nACGT\n")
    (tmp_path / "a.txt").write_text("scaffold_7\tLG1\n")
    genome = open_genome(
        tmp_path / "g.fa", cache_dir=tmp_path / "cache", aliases=tmp_path / "a.txt"
    )
    copy = pickle.loads(pickle.dumps(genome))
    assert copy.contig_names.match(["LG1"], source="x") == {"LG1": "scaffold_7"}


def test_a_line_of_one_name_is_no_alias(tmp_path):
    (tmp_path / "a.txt").write_text("chr1\n")
    with pytest.raises(ValueError, match="line 1: a line must have names of one contig"):
        read_aliases(tmp_path / "a.txt")
