"""Windows of a genome with a label for each base."""

from collections import Counter

import pytest

from dnabert_hf.data.building.bases import build_bases
from dnabert_hf.data.genome.intervals import Interval


@pytest.fixture
def genome(make_genome, random_dna):
    return make_genome(chr1=random_dna(20_000) + "N" * 140, chr2=random_dna(5_030))


def test_labels_say_where_the_regions_are(genome):
    exons = [Interval("chr1", 1000 * i + 90, 1000 * i + 230) for i in range(12)]
    introns = [Interval("chr1", 220, 260), Interval("chr2", 4990, 5010)]
    built = build_bases(genome, {"E": exons, "I": introns}, length=100)
    by_id = {example.id: example for example in built.examples}
    assert by_id["chr1:0-100"].label == "0" * 90 + "E" * 10
    assert by_id["chr1:100-200"].label == "E" * 100
    assert by_id["chr1:200-300"].label == "E" * 20 + "I" * 40 + "0" * 40  # the last one holds
    assert by_id["chr2:4900-5000"].label == "0" * 90 + "I" * 10
    assert by_id["chr1:100-200"].sequence == genome.sequence("chr1", 100, 200)
    kinds = Counter(
        len(set(example.label)) > 1 or "E" in example.label for example in by_id.values()
    )
    assert kinds == {True: 37, False: 37}
    assert not built.report.has_leaks


def test_every_window_may_hold_a_region(genome):
    regions = [Interval("chr1", 50 * i, 50 * i + 20) for i in range(400)]
    regions += [Interval("chr2", 50 * i, 50 * i + 20) for i in range(100)]
    report = build_bases(genome, regions, length=100).report
    assert {part.label for part in report.statistics} == {None, "01"}
    assert (report.bias, report.has_leaks) == ({}, False)


def test_what_is_left_out_is_counted(genome, caplog):
    regions = [
        *(Interval("1", 500 * i, 500 * i + 50) for i in range(1, 30)),
        Interval("chr1", 19_990, 20_020),
        Interval("chr2", 5000, 5031),
        Interval("chr9", 0, 10),
        Interval("chr2", 5000, 5010),
    ]
    built = build_bases(genome, regions, length=100)
    assert built.omitted == {
        "regions on contigs that the genome lacks": 1,
        "regions behind the last whole window of their contig": 2,
        "windows with letters other than A, C, G, T": 1,
    }
    assert "1 = chr1" in caplog.text
    assert "1 regions run off their contig; what lies on it is labelled" in caplog.text


@pytest.mark.parametrize(
    ("region", "labels"),
    [
        ((9000, 10_050), ["1" * 500, "1" * 500]),
        ((9600, 12_000), ["0" * 500, "0" * 100 + "1" * 400]),
        ((9499, 10_000), ["0" * 499 + "1", "1" * 500]),
        ((9000, 9001), ["1" + "0" * 499, "0" * 500]),
    ],
)
def test_the_part_of_a_region_on_its_contig_is_labelled(make_genome, random_dna, region, labels):
    genome = make_genome(chr1=random_dna(10_000))
    others = [Interval("chr1", 500 * i, 500 * i + 50) for i in range(9)]
    built = build_bases(genome, [*others, Interval("chr1", *region)], length=500)
    by_id = {example.id: example.label for example in built.examples}
    for start, label in zip((9000, 9500), labels, strict=True):
        assert by_id.get(f"chr1:{start}-{start + 500}", "0" * 500) == label


@pytest.mark.parametrize(
    ("letters", "length", "message"),
    [
        (["ab"], 100, "must be labelled with one letter, .*got 'ab'"),
        (["0"], 100, "got '0'"),
        (["."], 100, "got '.'"),
        (["1"], 0, "1 or more bases, got 0"),
    ],
)
def test_bad_options_are_refused(genome, letters, length, message):
    regions = {letter: [Interval("chr1", 0, 10)] for letter in letters}
    with pytest.raises(ValueError, match=message):
        build_bases(genome, regions, length=length)
