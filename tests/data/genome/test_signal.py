"""Signals of bigWig and bedGraph over windows; values by hand, and beside pyBigWig's own means."""

import gzip
import math

import numpy as np
import pytest

from dnabert_hf.data.genome.signal import open_signal, summarise_signal

BEDGRAPH = """track type=bedGraph
chr1\t0\t4\t2
chr1\t6\t10\t0.5
chr1\t10\t12\t8
"""


@pytest.fixture
def genome(make_genome):
    return make_genome(chr1="ACGT" * 10, chr2="ACGT" * 5)


@pytest.fixture
def bedgraph(tmp_path):
    path = tmp_path / "x.bedgraph"
    path.write_text(BEDGRAPH)
    return path


@pytest.mark.parametrize(
    ("window", "summary", "expected"),
    [
        ((0, 4), "mean", 2.0),
        ((2, 8), "mean", (2 * 2 + 2 * 0.5) / 6),  # two bases without a value count as 0
        ((2, 8), "max", 2.0),
        ((6, 12), "max", 8.0),
        ((20, 30), "max", 0.0),
        ((2, 8), "log1p", math.log(1 + 5)),
        ((12, 20), "mean", 0.0),
    ],
)
def test_windows_have_the_mean_the_maximum_or_the_logarithm(
    genome, bedgraph, window, summary, expected
):
    signal = open_signal(bedgraph, genome)
    found = summarise_signal(signal, "chr1", *window, summary=summary)
    assert found == pytest.approx(expected)
    assert summarise_signal(signal, "chr2", 0, 5, summary=summary) == 0


def test_gzip_and_other_names_of_contigs_are_read(genome, tmp_path):
    path = tmp_path / "x.bedgraph.gz"
    path.write_bytes(gzip.compress(b"1 3 5 4\n1 0 3 1\n"))
    signal = open_signal(path, genome)
    assert signal.overlapping("chr1", 2, 4) == [(0, 3, 1.0), (3, 5, 4.0)]


def test_a_bigwig_gives_the_means_of_pybigwig(genome, tmp_path):
    pybigwig = pytest.importorskip("pyBigWig")
    path = tmp_path / "x.bw"
    file = pybigwig.open(str(path), "w")
    file.addHeader([("chr1", 40), ("chr2", 20)])
    rng = np.random.default_rng(0)
    starts = np.arange(0, 40, 2)
    values = rng.random(20)
    file.addEntries(["chr1"] * 20, starts, ends=starts + 2, values=values)
    file.close()
    signal = open_signal(path, genome)
    with pybigwig.open(str(path)) as other:
        for start, end in [(0, 40), (3, 10), (11, 12)]:
            (mean,) = other.stats("chr1", start, end, type="mean", exact=True)
            (most,) = other.stats("chr1", start, end, type="max", exact=True)
            found = [
                summarise_signal(signal, "chr1", start, end, summary=s) for s in ("mean", "max")
            ]
            assert found == pytest.approx([mean, most], rel=1e-5)
    assert summarise_signal(signal, "chr2", 0, 20, summary="mean") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t0\t4\n", "line 1: a line of a bedGraph must have contig, start, end and a value"),
        ("chr1\t4\t4\t1\n", "must have 0 <= start < end"),
        ("chr1\t0\t4\tnan\n", "a finite value"),
        ("chr1\t0\t4\t1\nchr1\t3\t5\t1\n", r"two at chr1:3 \(0-based\)"),
        ("chr1\t0\t41\t1\n", "of the same build"),
        ("chrX\t0\t4\t1\n", "chrX"),
    ],
)
def test_what_is_no_signal_of_the_genome_is_told(genome, tmp_path, text, message):
    path = tmp_path / "x.bedgraph"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        open_signal(path, genome)


def test_a_bigwig_of_another_build_or_damaged_is_told(genome, tmp_path, capfd):
    pybigwig = pytest.importorskip("pyBigWig")
    path = tmp_path / "x.bw"
    file = pybigwig.open(str(path), "w")
    file.addHeader([("chr1", 41)])
    file.addEntries(["chr1"], [0], ends=[4], values=[1.0])
    file.close()
    with pytest.raises(ValueError, match="of the same build as the genome, found chr1 with 41"):
        open_signal(path, genome)
    path.write_bytes(b"no bigWig at all")
    with pytest.raises(ValueError, match="must be a bigWig"):
        open_signal(path, genome)
    assert capfd.readouterr().err == ""  # the library in C has words of its own


def test_negative_sums_have_no_logarithm(genome, tmp_path):
    path = tmp_path / "x.bedgraph"
    path.write_text("chr1\t0\t4\t-1\n")
    signal = open_signal(path, genome)
    assert summarise_signal(signal, "chr1", 0, 4, summary="mean") == -1
    assert summarise_signal(signal, "chr1", 0, 8, summary="max") == 0  # four bases have no value
    with pytest.raises(ValueError, match=r"found a sum of -4 in chr1:0-4; take the mean"):
        summarise_signal(signal, "chr1", 0, 4, summary="log1p")
