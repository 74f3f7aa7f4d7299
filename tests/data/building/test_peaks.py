from collections import Counter

import pytest

from dnabert_hf.data.building.labelled_windows import Splitting
from dnabert_hf.data.building.peaks import build_peak_classes, build_peaks
from dnabert_hf.data.genome.intervals import Interval


@pytest.fixture
def genome(make_genome, random_dna):
    return make_genome(chr1=random_dna(50_000))


def peaks(n=30):
    return [Interval("chr1", 1000 * i, 1000 * i + 200, "+", f"p{i}") for i in range(1, n + 1)]


def test_windows_are_cut_around_summit_or_middle(genome, caplog):
    with_summit = Interval("chr1", 40_000, 40_300, "+", "summit", 40_250)
    built = build_peaks(genome, [*peaks(), with_summit], length=101)
    by_id = {e.id: e for e in built.examples}
    said = "the summits (or other points) of 1 peaks and the middles of 30 peaks"
    assert said in caplog.text
    assert (by_id["summit"].start, by_id["summit"].end) == (40_200, 40_301)
    assert (by_id["p1"].start, by_id["p1"].end) == (1050, 1151)
    assert by_id["p1"].sequence == genome.sequence("chr1", 1050, 1151)
    assert Counter(e.label for e in built.examples) == {"peak": 31, "other": 31}
    for e in built.examples:
        if e.label == "other":
            assert all(e.end + 200 <= p.start or e.start >= p.end + 200 for p in peaks())


def test_peaks_that_come_twice_have_one_negative(genome, caplog):
    for negatives in ("genomic", "dinucleotides"):
        built = build_peaks(genome, [*peaks(), *peaks()], negatives=negatives)
        assert Counter(e.label for e in built.examples) == {"peak": 30, "other": 30}
        assert built.omitted["repeated sequences"] == 30
    assert "windows lie around the middles of 60 peaks" in caplog.text


@pytest.mark.parametrize("dev", [(), ("dev",)])
def test_each_split_has_as_many_negatives_as_peaks(make_genome, random_dna, caplog, dev):
    """Peaks are many on a short contig and few on a long one, as in real genomes."""
    contigs = {"long": 40_000, "dev": 15_000, "test": 15_000}
    genome = make_genome(**{name: random_dna(length) for name, length in contigs.items()})
    given = [
        Interval(name, start, start + 100)
        for name, n in {"long": 20, "dev": 10, "test": 15}.items()
        for start in range(500, 500 + 700 * n, 700)
    ]
    built = build_peaks(genome, given, splitting=Splitting(dev, ("test",)))
    counts = Counter((e.split, e.label) for e in built.examples)
    assert counts["test", "peak"] == counts["test", "other"] == 15
    assert {e.contig for e in built.examples if e.split == "test"} == {"test"}
    assert sum(counts.values()) == 90
    assert caplog.text.count("no repeats in lower case") <= 1  # not once a split
    if dev:
        assert counts["dev", "peak"] == counts["dev", "other"] == 10
        return
    assert counts["dev", "peak"] + counts["dev", "other"] == 6  # a tenth of the other 60
    assert "no dev contigs were named (--dev-contig): 6 of the 60 sequences" in caplog.text
    assert not built.report.has_leaks


def test_shuffled_peaks_keep_their_composition(genome):
    built = build_peaks(genome, peaks(), negatives="dinucleotides")
    by_id = {e.id: e for e in built.examples}
    for i in range(1, 31):
        peak, other = by_id[f"p{i}"], by_id[f"p{i}_shuffled"]
        assert Counter(peak.sequence) == Counter(other.sequence)
        assert peak.split == other.split


def test_bad_input_is_refused_and_omissions_are_counted(genome, caplog):
    with pytest.raises(ValueError, match="negatives must be genomic, dinucleotides, got 'x'"):
        build_peaks(genome, peaks(), negatives="x")
    with pytest.raises(ValueError, match="1 or more bases, got 0"):
        build_peaks(genome, peaks(), length=0)
    build_peaks(genome, [*peaks(), Interval("chr7", 1, 9), Interval("chr1", 0, 10)])
    assert "peaks on contigs that the genome lacks (1), windows that run off" in caplog.text


def test_windows_that_all_run_off_are_counted_and_refused(genome):
    at_the_start = [Interval("chr1", 0, 10)]
    for negatives in ("genomic", "dinucleotides"):
        with pytest.raises(ValueError, match=r"found none that can be used \(windows that run off"):
            build_peaks(genome, at_the_start, negatives=negatives)


def test_a_split_without_room_for_negatives_is_named(make_genome, random_dna):
    genome = make_genome(long=random_dna(40_000), test=random_dna(600))
    given = [Interval("long", 1000 * i, 1000 * i + 100) for i in range(1, 20)]
    splitting = Splitting(test_contigs=("test",))
    with pytest.raises(ValueError, match=r"must have room .*\(contigs of the test split\)"):
        build_peaks(genome, [*given, Interval("test", 250, 350)], splitting=splitting)


def test_peaks_of_two_experiments_are_told_apart_without_those_they_share(make_genome, random_dna):
    genome = make_genome(chr1=random_dna(60_000), chr2=random_dna(60_000))

    def at(start, end, name, contig="chr1"):
        return Interval(contig, start, end, "+", name)

    others = [at(2000 * i, 2000 * i + 100, f"a{i}") for i in range(10, 28)]
    alpha = [at(1000, 1400, "a0"), at(4000, 4100, "a1"), at(7000, 7100, "a2"), *others]
    beta = [
        at(1390, 1500, "b0"),  # ten bases of a0
        at(4101, 4201, "b1"),  # a base beside a1, but the windows of 200 share some
        at(7200, 7300, "b2"),  # the windows, 6950 to 7150 and 7150 to 7350, touch and share none
        at(4000, 4100, "b3", "chr2"),  # where a1 is, on another contig
        *[at(2000 * i, 2000 * i + 100, f"b{i}", "chr2") for i in range(10, 28)],
    ]
    built = build_peak_classes(genome, {"alpha": alpha, "beta": beta}, length=200)
    assert {e.id for e in built.examples} >= {"a2", "b2", "b3"}
    assert not {e.id for e in built.examples} & {"a0", "b0", "a1", "b1"}
    assert Counter(e.label for e in built.examples) == {"alpha": 19, "beta": 20}
    assert built.omitted == {
        "alpha peaks that overlap one of another class": 2,
        "beta peaks that overlap one of another class": 2,
    }
    (b2,) = (e for e in built.examples if e.id == "b2")
    assert (b2.start, b2.end, b2.label) == (7150, 7350, "beta")
    assert b2.sequence == genome.sequence("chr1", 7150, 7350)
    with pytest.raises(ValueError, match="found none of a "):
        build_peak_classes(genome, {"a": alpha[:1], "b": beta}, length=200)
    with pytest.raises(ValueError, match="2 or more classes, found 1"):
        build_peak_classes(genome, {"a": alpha})
