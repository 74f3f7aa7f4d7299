from collections import Counter

import pytest

from dnabert_hf.data.building.peaks import build_peaks
from dnabert_hf.data.genome.intervals import Interval


@pytest.fixture
def genome(make_genome, random_dna):
    return make_genome(chr1=random_dna(50_000))


def peaks(n=30):
    return [Interval("chr1", 1000 * i, 1000 * i + 200, "+", f"p{i}") for i in range(1, n + 1)]


def test_windows_are_cut_around_summit_or_middle(genome):
    with_summit = Interval("chr1", 40_000, 40_300, "+", "summit", 40_250)
    built = build_peaks(genome, [*peaks(), with_summit], length=101)
    by_id = {e.id: e for e in built.examples}
    assert (by_id["summit"].start, by_id["summit"].end) == (40_200, 40_301)
    assert (by_id["p1"].start, by_id["p1"].end) == (1050, 1151)
    assert by_id["p1"].sequence == genome.sequence("chr1", 1050, 1151)
    assert Counter(e.label for e in built.examples) == {"peak": 31, "other": 31}
    for e in built.examples:
        if e.label == "other":
            assert all(e.end + 200 <= p.start or e.start >= p.end + 200 for p in peaks())


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
    assert "1 peaks on contigs that the genome lacks, 1 windows that run off" in caplog.text


def test_windows_that_all_run_off_are_counted_and_refused(genome):
    at_the_start = [Interval("chr1", 0, 10)]
    for negatives in ("genomic", "dinucleotides"):
        with pytest.raises(
            ValueError, match=r"found none that can be used \(1 windows that run off"
        ):
            build_peaks(genome, at_the_start, negatives=negatives)
