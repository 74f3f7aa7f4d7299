import gzip

import pytest

from dnabert_hf.data.building.labelled_windows import Splitting
from dnabert_hf.data.building.windows import write_windows
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.genome.signal import open_signal


@pytest.fixture
def genome(make_genome):
    return make_genome(a="ACGTACGTAC", b="GGGNGGGGG")


def rows(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_windows_go_along_each_contig(genome, tmp_path):
    written = write_windows(genome, tmp_path / "w.tsv", length=4, step=3)
    assert rows(tmp_path / "w.tsv") == [
        ["id", "sequence", "contig", "start", "end", "strand"],
        ["a:0-4", "ACGT", "a", "0", "4", "+"],
        ["a:3-7", "TACG", "a", "3", "7", "+"],
        ["a:6-10", "GTAC", "a", "6", "10", "+"],
    ]
    omitted = {"windows with letters other than A, C, G, T": 2}
    assert written == (3, omitted, (), None)
    again = write_windows(genome, tmp_path / "w.tsv.gz", length=4, step=3)
    assert again == written
    letters = gzip.decompress((tmp_path / "w.tsv.gz").read_bytes())
    assert letters == (tmp_path / "w.tsv").read_bytes()


def test_the_middle_base_decides_the_label_and_the_contig_the_split(genome, tmp_path):
    written = write_windows(
        genome,
        tmp_path / "w.tsv",
        length=2,
        step=2,
        regions=[Interval("a", 0, 10), Interval("b", 4, 9)],
        positives=[Interval("a", 1, 8), Interval("a", 2, 3), Interval("zz", 0, 9)],
        splitting=Splitting(test_contigs=("b",)),
    )
    table = rows(tmp_path / "w.tsv")
    assert table[0][:4] == ["id", "sequence", "label", "split"]
    # Middle bases 1, 3, 5, 7, 9 of a; 5 and 7 of b.
    assert [row[2] for row in table[1:]] == ["1", "1", "1", "1", "0", "0", "0"]
    assert [row[3] for row in table[1:]] == ["train"] * 5 + ["test"] * 2
    assert written.omitted == {"regions of class 1 on contigs that the genome lacks": 1}
    # Windows AC GT AC GT of class 1; AC, GG and GG of class 0.
    parts = [(p.split, p.label, p.n_sequences, p.mean_gc) for p in written.statistics]
    assert parts == [("test", "0", 2, 1.0), ("train", "0", 1, 0.5), ("train", "1", 4, 0.5)]
    assert written.gc_bias == pytest.approx(5 / 6)


def test_what_has_no_room_for_a_window_is_counted(genome, tmp_path):
    regions = [Interval("a", 0, 4), Interval("b", 0, 2), Interval("c", 0, 9), Interval("b", 3, 99)]
    written = write_windows(genome, tmp_path / "w.tsv", length=4, step=50, regions=regions)
    assert (written.n_windows, written.omitted) == (
        1,
        {
            "regions on contigs that the genome lacks": 1,
            "regions shorter than a window": 1,
            "windows with letters other than A, C, G, T": 1,
            "windows that run off their contig": 1,
        },
    )
    written = write_windows(genome, tmp_path / "v.tsv", length=10, step=1)
    assert written.omitted == {"contigs shorter than a window": 1}


@pytest.mark.parametrize(
    ("regions", "starts"),
    [
        # As `bedtools merge | bedtools makewindows -w 100 -s 100` (2.30) has them.
        ([(1000, 1300)] * 2, [1000, 1100, 1200]),
        ([(1000, 1300), (1100, 1500)], [1000, 1100, 1200, 1300, 1400]),
        ([(1050, 1150), (1000, 1300)], [1000, 1100, 1200]),
        ([(1150, 1350), (1000, 1150)], [1000, 1100, 1200]),  # they touch
        ([(1151, 1351), (1000, 1150)], [1000, 1151, 1251]),
    ],
)
def test_windows_of_regions_that_overlap_come_once(
    make_genome, random_dna, tmp_path, regions, starts
):
    genome = make_genome(chr1=random_dna(2000))
    given = [Interval("1", *region) for region in regions]
    write_windows(genome, tmp_path / "w.tsv", length=100, step=100, regions=given)
    assert [int(row[3]) for row in rows(tmp_path / "w.tsv")[1:]] == starts


def test_no_window_leaves_no_file(genome, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match="room for a window of 11 bases"):
        write_windows(genome, tmp_path / "w.tsv", length=11, step=1)
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(ValueError, match="must be 1 or more bases, got 5 and 0"):
        write_windows(genome, tmp_path / "w.tsv", length=5, step=0)


def test_signals_are_labels_of_regression(genome, tmp_path):
    first, second = tmp_path / "a.bedgraph", tmp_path / "b.bedgraph"
    first.write_text("a\t0\t2\t3\n")
    second.write_text("a\t4\t8\t1\n")
    signals = [open_signal(path, genome) for path in (first, second)]
    options = {"length": 4, "step": 4, "regions": [Interval("a", 0, 10)], "signals": signals}
    written = write_windows(genome, tmp_path / "w.tsv", **options)
    assert [row[:3] for row in rows(tmp_path / "w.tsv")] == [
        ["id", "sequence", "label"],
        ["a:0-4", "ACGT", "1.5;0"],
        ["a:4-8", "ACGT", "0;1"],
    ]
    assert written == (2, {}, (), None)
    with pytest.raises(ValueError, match="got both"):
        write_windows(genome, tmp_path / "x.tsv", positives=[Interval("a", 0, 4)], **options)
