from collections import namedtuple

import numpy as np
import pytest

from dnabert_hf.data.genome.regions import intersect_regions, parse_region, subtract_regions

Contig = namedtuple("Contig", "name length")
Genome = namedtuple("Genome", "contigs")
GENOME = Genome(
    (Contig("chr1", 1000), Contig("chr20", 500), Contig("HLA-A*01:01", 30), Contig("chrM", 16))
)
NOTHING = np.empty((0, 3), dtype=np.int64)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("chr20", (1, 0, 500)),
        ("chr20:0-500", (1, 0, 500)),
        ("chr1:10-11", (0, 10, 11)),
        ("HLA-A*01:01", (2, 0, 30)),
        ("HLA-A*01:01:5-30", (2, 5, 30)),
    ],
)
def test_a_region_is_a_contig_or_a_part_of_it(text, region):
    assert parse_region(text, GENOME) == region


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "chr21",
            r"'chr21' must name a contig.*found none called 'chr21'; there is chr1, chr20, chrM",
        ),
        ("20:0-5", r"'20:0-5' must name a contig of the genome, found none called '20'; there is "),
        ("xyz", r"there is chr1, chr20, HLA-A\*01:01 \(of 4 contigs\)"),
        ("chr20:5-5", r"must end after its start .*start 5 and end 5; .*is chr20:5-6"),
        ("chr20:9-5", "must end after its start .*found start 9 and end 5"),
        ("chr20:5-501", "'chr20:5-501' must lie within its contig, found end 501 where chr20 has"),
        ("chr20:5,000-9", r"found '5,000-9' after the colon; write it as chr20:0-500"),
        ("chr20:7", "found '7' after the colon"),
        ("chr20:-7-9", "found '-7-9' after the colon"),
        ("chr20:", "found '' after the colon"),
    ],
)
def test_a_text_that_names_no_region_is_explained(text, message):
    with pytest.raises(ValueError, match=message):
        parse_region(text, GENOME)


RUNS = np.array([[0, 0, 10], [0, 12, 30], [2, 5, 9]])


@pytest.mark.parametrize(
    ("regions", "inside", "outside"),
    [
        ([[0, 12, 30]], [[0, 12, 30]], [[0, 0, 10], [2, 5, 9]]),
        ([[0, 3, 4]], [[0, 3, 4]], [[0, 0, 3], [0, 4, 10], [0, 12, 30], [2, 5, 9]]),
        ([[0, 10, 12]], [], RUNS.tolist()),
        ([[1, 0, 99]], [], RUNS.tolist()),
        # Out of order, touching and overlapping: one region, 8-20.
        (
            [[0, 14, 20], [2, 0, 6], [0, 8, 14], [0, 13, 16]],
            [[0, 8, 10], [0, 12, 20], [2, 5, 6]],
            [[0, 0, 8], [0, 20, 30], [2, 6, 9]],
        ),
    ],
)
def test_runs_are_cut_at_the_edges_of_regions(regions, inside, outside):
    assert intersect_regions(RUNS, np.array(regions)).tolist() == inside
    assert subtract_regions(RUNS, np.array(regions)).tolist() == outside


def test_nothing_cut_out_of_runs_leaves_them():
    assert intersect_regions(RUNS, NOTHING).tolist() == []
    assert subtract_regions(RUNS, NOTHING).tolist() == RUNS.tolist()
    assert subtract_regions(NOTHING, RUNS).shape == intersect_regions(NOTHING, RUNS).shape == (0, 3)


def test_each_base_of_the_runs_is_inside_or_outside():
    """Random intervals against sets of (contig, position)."""
    rng = np.random.default_rng(0)

    def bases(intervals):
        return {(c, p) for c, start, end in intervals.tolist() for p in range(start, end)}

    for _ in range(50):
        cuts = [np.sort(rng.choice(60, 8, replace=False)).reshape(-1, 2) for _ in range(3)]
        runs = np.array([[contig, *cut] for contig in range(3) for cut in cuts[contig]])
        starts = rng.integers(0, 60, 6)
        regions = np.stack([rng.integers(0, 3, 6), starts, starts + rng.integers(1, 20, 6)], axis=1)
        inside, outside = intersect_regions(runs, regions), subtract_regions(runs, regions)
        assert bases(inside) == bases(runs) & bases(regions)
        assert bases(outside) == bases(runs) - bases(regions)
        assert (inside[:, 1] < inside[:, 2]).all()
