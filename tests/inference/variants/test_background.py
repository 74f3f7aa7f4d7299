"""Percentiles among random changes: by hand, by scipy, and of random changes themselves."""

import csv
from collections import Counter

import numpy as np
import pytest
from scipy.stats import kstest, percentileofscore

from dnabert_hf import DNABertForSequenceClassification
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.windows import AlleleWindows
from dnabert_hf.inference.variants import background as module
from dnabert_hf.inference.variants.background import KINDS, Background, kind_of
from dnabert_hf.inference.variants.score_variants import score_variants

WINDOW = 21
HEADER = "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.fixture(scope="module")
def dna():
    return "".join(np.random.default_rng(1).choice(list("ACGT"), size=4000))


@pytest.fixture
def genome(dna, tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{dna}\n")
    return open_genome(path, cache_dir=tmp_path / "cache")


@pytest.fixture
def promoters(tiny_config, tokenizer, tmp_path):
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    tiny_config.initializer_range = 0.5  # or effects would be all but zero
    folder = tmp_path / "promoters"
    DNABertForSequenceClassification(tiny_config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_snvs(path, dna, starts):
    """Write the three changes of each base (0-based) as a VCF."""
    with path.open("w") as file:
        file.write(HEADER)
        for start in starts:
            alts = ",".join(base for base in "ACGT" if base != dna[start])
            file.write(f"chr1\t{start + 1}\t.\t{dna[start]}\t{alts}\t.\t.\t.\n")


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_kinds_are_those_of_both_strands():
    assert len(KINDS) == len({*KINDS}) == 96
    pairs = [("ACG", "T", "A[C>T]G"), ("CGT", "A", "A[C>T]G"), ("TAA", "G", "T[T>C]A")]
    for context, alt, kind in pairs:
        other = context[0] + alt + context[2]
        window = AlleleWindows(context, other, 1, Allele("1", 9, context[1], alt))
        assert kind_of(window) == kind
    assert kind_of(AlleleWindows("ACG", "TCG", 0, Allele("1", 0, "A", "T"))) is None
    assert kind_of(AlleleWindows("ACGG", "AGGT", 1, Allele("1", 1, "CG", "G"))) is None


def test_a_rank_is_that_of_scipy():
    rng = np.random.default_rng(0)
    known = np.round(rng.random((50, 2)), 1)  # many are equal
    sizes = Background.of(["A[C>T]G"] * 50, known, {})
    windows = [AlleleWindows("ACG", "ATG", 1, Allele("1", 9, "C", "T"))] * 20
    effects = np.round(rng.random((20, 2)), 1)
    ranks = sizes.percentiles(windows, effects)
    for model in range(2):
        expected = [percentileofscore(known[:, model], e, kind="mean") for e in effects[:, model]]
        assert ranks[:, model] == pytest.approx(expected)
    other = [AlleleWindows("ACA", "ATA", 1, Allele("1", 9, "C", "T"))]
    assert np.isnan(sizes.percentiles(other, effects[:1])).all()


def test_random_places_are_of_their_context_and_come_once(genome, dna):
    sites = module._draw_sites(genome, module.WindowCutter(genome, WINDOW), 15)
    assert {*map(len, sites.values())} == {15}
    places = [place for of_context in sites.values() for place in of_context]
    assert len({*places}) == len(places) == 32 * 15
    assert Counter(start < len(dna) // 2 for _, start in places)[True] == pytest.approx(240, abs=60)
    for context, of_context in sites.items():
        for _, start in of_context:
            found = dna[start - 1 : start + 2]
            assert context in (found, found.translate(str.maketrans("ACGT", "TGCA"))[::-1])


def test_percentiles_of_random_changes_are_uniform_and_by_hand(promoters, genome, dna, tmp_path):
    """Other random bases than those of the background, ranked by their kind's own list."""
    vcf, file = tmp_path / "in.vcf", tmp_path / "b.npz"
    write_snvs(vcf, dna, range(30, 3970, WINDOW + 5))  # windows that have nothing in common
    options = {"window": WINDOW, "dtype": "float32", "background": file}
    first, second = tmp_path / "a.tsv", tmp_path / "b.tsv"
    score_variants(promoters, vcf, genome, output=first, background_size=16, **options)
    rows = read_table(first)
    ranks = np.array([float(row["percentile"]) for row in rows])
    # One of each place, for the three have a window in common; one of 17 ranks among 16 changes.
    among = ranks[::3] * 16 / 100 + np.random.default_rng(0).random(len(ranks[::3]))
    assert kstest(among / 17, "uniform").pvalue > 0.01
    # By hand: the sizes of the file, the kind of the row by its letters.
    with np.load(file) as arrays:
        for row in rows[:40]:
            start, alt = int(row["position_1based"]) - 1, row["alt"]
            context = dna[start - 1 : start + 2]
            if context[1] in "AG":
                pairs = str.maketrans("ACGT", "TGCA")
                context, alt = context[::-1].translate(pairs), alt.translate(pairs)
            sizes = arrays[f"{context[0]}[{context[1]}>{alt}]{context[2]}"][:, 0]
            size = abs(float(row["diff_yes"]))
            n_smaller = sum(each < size for each in sizes)
            assert float(row["percentile"]) == pytest.approx(100 * n_smaller / 16, abs=4)
    # The file is read the next time, and gives the same.
    before = file.stat().st_mtime_ns
    score_variants(promoters, vcf, genome, output=second, **options)
    assert (second.read_bytes(), file.stat().st_mtime_ns) == (first.read_bytes(), before)


def test_a_background_counts_where_it_is_one_of_the_changes(promoters, genome, dna, tmp_path):
    """The windows of the file scored as variants: each has half a place below itself at least."""
    vcf, file, out = tmp_path / "in.vcf", tmp_path / "b.npz", tmp_path / "out.vcf"
    sites = module._draw_sites(genome, module.WindowCutter(genome, WINDOW), 4)
    write_snvs(vcf, dna, sorted(start for each in sites.values() for _, start in each))
    options = {"window": WINDOW, "dtype": "float32", "background": file, "background_size": 4}
    score_variants(promoters, vcf, genome, output=out, **options)
    lines = [line for line in out.read_text().splitlines() if not line.startswith("#")]
    info = [dict(x.split("=") for x in line.split("\t")[7].split(";")) for line in lines]
    ranks = [float(x) for each in info for x in each["DNABERT_PERCENTILE"].split(",")]
    # Four a kind, and scored in other batches: 12.5, 37.5, 62.5 and 87.5 of each, to a step.
    assert np.mean(ranks) == pytest.approx(50, abs=2)
    assert Counter(round(rank / 12.5) for rank in ranks)[1] == pytest.approx(96, abs=8)


def test_indels_have_no_percentile_and_are_counted(promoters, dna, tmp_path, caplog):
    vcf, file, fasta = (tmp_path / name for name in ("in.vcf", "b.npz", "short.fa"))
    fasta.write_text(f">chr1\n{dna[:400]}\n")
    genome = open_genome(fasta, cache_dir=tmp_path / "cache")
    vcf.write_text(
        HEADER
        + f"chr1\t100\t.\t{dna[99:101]}\t{dna[99]}\t.\t.\t.\n"
        + f"chr1\t200\t.\t{dna[199]}\t{'A' if dna[199] != 'A' else 'C'}\t.\t.\t.\n"
    )
    options = {"window": WINDOW, "background": file}
    score_variants(promoters, vcf, genome, output=tmp_path / "a.tsv", background_size=12, **options)
    ranks = [row["percentile"] for row in read_table(tmp_path / "a.tsv")]
    assert ranks[0] == "" and 0 <= float(ranks[1]) <= 100
    assert "1 allele without a percentile, which is of single bases" in caplog.text
    assert "have fewer than 12 places in the genome" in caplog.text


def test_backgrounds_that_do_not_fit_are_refused(promoters, genome, dna, tmp_path):
    vcf, file, out = tmp_path / "in.vcf", tmp_path / "b.npz", tmp_path / "out.tsv"
    write_snvs(vcf, dna, [500])
    options = {"window": WINDOW, "background": file, "background_size": 2}
    score_variants(promoters, vcf, genome, output=tmp_path / "a.tsv", **options)
    for changes, message in [
        ({"window": 23}, "found another window: 21, where it is 23 now"),
        ({"background_size": 3}, "found another number of places: 2, where it is 3 now"),
        ({"shifts": 1}, "found another shifts: 0"),
        ({"background_size": 0}, "must be 1 or more, got 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            score_variants(promoters, vcf, genome, output=out, **{**options, **changes})
    file.write_text("no numbers")
    with pytest.raises(ValueError, match=r"must be a background that this command wrote"):
        score_variants(promoters, vcf, genome, output=out, **options)
    file.unlink()
    with pytest.raises(ValueError, match="must be made by one process, found 2; score a small"):
        score_variants(promoters, vcf, genome, output=out, **options, shard="0/2")
    assert not out.exists() and not file.exists()
