"""The example's files agree with each other, as pysam and plain reading see them."""

import re

import numpy as np
import pysam
import pytest

from dnabert_hf.data.example.files import EXAMPLE_FILES, write_example_data
from dnabert_hf.data.example.genome import simulate_genome

COMPLEMENT = str.maketrans("ACGT", "TGCA")
# The core of CTCF's motif (MA0139.1: TGGCCACCAGGGGGCGCTA) on either strand, where it is strict.
CTCF_CORE = re.compile("(?=CC...AG[AG][GT]GG|CC[AC][CT]CT...GG)")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return write_example_data(tmp_path_factory.mktemp("data") / "example")


@pytest.fixture(scope="module")
def genome(example):
    with pysam.FastaFile(str(example["genome.fa"])) as fasta:
        yield fasta


def rows(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(example, tmp_path):
    again = write_example_data(tmp_path / "again")
    assert {name: path.read_bytes() for name, path in again.items()} == {
        name: path.read_bytes() for name, path in example.items()
    }
    other = simulate_genome(np.random.default_rng(1))
    assert other.contigs["chr8"] not in again["genome.fa"].read_text().replace("\n", "")
    assert {path.name for path in again["README.md"].parent.iterdir()} == set(EXAMPLE_FILES)


def test_peaks_have_the_motif_at_their_summits_and_what_is_unbound_has_not(example, genome):
    peaks = rows(example["peaks.narrowPeak"])
    assert len(peaks) == 500
    distances = []
    for contig, start, end, *_, offset in peaks:
        summit = int(start) + int(offset)
        assert int(start) <= summit < int(end)
        window = genome.fetch(contig, summit - 50, summit + 51).upper()
        distances += [match.start() + 5 - 50 for match in CTCF_CORE.finditer(window)]
    assert len(distances) > 230
    assert abs(np.mean(distances)) < 4 < np.std(distances) < 20
    labelled = rows(example["peaks.tsv"])[1:]
    hits = {
        label: np.mean([bool(CTCF_CORE.search(row[1])) for row in labelled if row[2] == label])
        for label in ("bound", "unbound")
    }
    assert hits["bound"] > 0.45
    assert hits["unbound"] < 0.05


def test_tables_and_sequences_are_those_of_the_genome(example, genome):
    labelled = rows(example["peaks.tsv"])[1:]
    for name, sequence, _, split in labelled:
        contig, start, end = re.fullmatch(r"(\w+):(\d+)-(\d+)", name).groups()
        assert genome.fetch(contig, int(start), int(end)).upper() == sequence
        assert (contig == "chr8", contig == "chr20") == (split == "test", split == "dev")
    test = [row for row in labelled if row[3] == "test"]
    assert rows(example["test.tsv"])[1:] == test
    with pysam.FastxFile(str(example["sequences.fa"])) as fasta:
        assert [(each.name, each.sequence) for each in fasta] == [(r[0], r[1]) for r in test]


def test_variants_agree_with_the_genome_and_spoil_sites(example, genome):
    summits = {row[3]: int(row[1]) + int(row[9]) for row in rows(example["peaks.narrowPeak"])}
    cores = []
    with pysam.VariantFile(str(example["variants.vcf"])) as vcf:
        for variant in vcf:
            window = genome.fetch(variant.chrom, variant.start - 12, variant.start + 12).upper()
            assert genome.fetch(variant.chrom, variant.start, variant.stop).upper() == variant.ref
            if "SITE" in variant.info:
                assert abs(summits[variant.info["SITE"]] - variant.start) <= 45
                changed = window[:12] + variant.alts[0] + window[13:]
                contig = vcf.header.contigs[variant.chrom]
                assert contig.length == genome.get_reference_length(variant.chrom)
                cores.append([bool(CTCF_CORE.search(each)) for each in (window, changed)])
    with_ref, with_alt = np.sum(cores, axis=0)
    assert len(cores) == 80
    assert with_ref > 25
    assert with_alt < with_ref / 2


def test_introns_begin_with_gt_and_end_with_ag_on_their_strand(example, genome):
    exons: dict[str, list[tuple[str, int, int, str]]] = {}
    for contig, _, kind, start, end, _, strand, _, attributes in rows(example["genes.gtf"]):
        if kind == "exon":
            name = re.search(r'transcript_id "(.*?)\.1"', attributes)[1]
            exons.setdefault(name, []).append((contig, int(start) - 1, int(end), strand))
    assert {len(each) for each in exons.values()} == {3}
    promoters = {row[3]: row for row in rows(example["promoters.bed"])}
    for name, ((contig, first, end, strand), middle, last) in exons.items():
        for begin, stop in ((end, middle[1]), (middle[2], last[1])):
            intron = genome.fetch(contig, begin, stop).upper()
            if strand == "-":
                intron = intron.translate(COMPLEMENT)[::-1]
            assert (intron[:2], intron[-2:]) == ("GT", "AG")
        start = first if strand == "+" else last[2] - 1
        assert promoters[name] == [contig, str(start), str(start + 1), name, "0", strand]


def test_the_genome_is_like_dna_and_its_islands_and_repeats_stand_out(example, genome):
    island = "".join(
        genome.fetch(row[0], int(row[1]), int(row[2])).upper()
        for row in rows(example["cpg_islands.bed"])
    )
    whole = "".join(genome.fetch(name) for name in genome.references)
    ratios = [
        len(text) * text.count("CG") / (text.count("C") * text.count("G"))
        for text in (island, whole.upper())
    ]
    assert ratios[0] > 0.8  # of CpG to what is expected by chance; 0.6 in the usual definition
    assert ratios[1] < 0.45
    assert 0.38 < sum(map(whole.upper().count, "CG")) / len(whole) < 0.46
    assert 0.01 < sum(map(whole.count, "acgt")) / len(whole) < 0.1


def test_a_folder_of_somebody_is_left_alone(example, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="must be empty or new"):
        write_example_data(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"must hold the peaks\.narrowPeak"):
        write_example_data(tmp_path / "mine", overwrite=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
