"""Loci of a scan, with numbers worked out on paper and scores by scikit-learn."""

import csv

import numpy as np
import pytest
from sklearn import metrics
from typer.testing import CliRunner

from dnabert_hf.cli.main import app
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.inference.genome_scan import loci as module
from dnabert_hf.inference.genome_scan.loci import score_loci

# Windows of 10 bases, every 5: a from 0 to 25, b from 0 to 15.
STARTS = {"a": range(0, 20, 5), "b": range(0, 10, 5)}
VALUES = {"a": [0.1, 0.9, 0.2, 0.4], "b": [0.3, 0.7]}
# Each with how many windows lie within it, their maximum and their mean.
LOCI = [
    (Interval("b", 0, 15, name="whole"), 2, 0.7, 0.5),
    (Interval("a", 0, 20, "-", "three"), 3, 0.9, 0.4),
    (Interval("a", 6, 25), 2, 0.4, 0.3),
    (Interval("a", 5, 15, name="one"), 1, 0.9, 0.9),
    (Interval("a", 6, 19, name="between"), 0, None, None),
    (Interval("c", 0, 99, name="elsewhere"), 0, None, None),
]
REGIONS = [locus for locus, *_ in LOCI]
SITES = [
    Interval("a", 4, 6),
    Interval("b", 2, 15, point=14),
    Interval("a", 20, 21),
    Interval("c", 3, 4),
]


@pytest.fixture
def windows(tmp_path):
    path = tmp_path / "w.tsv"
    lines = [
        f"{contig}\t{start}\t{start + 10}\t{1 - value:.2f}\t{value}\n"
        for contig, starts in STARTS.items()
        for start, value in zip(starts, VALUES[contig], strict=True)
    ]
    path.write_text("contig\tstart\tend\tprob_other\tprob_site\n" + "".join(lines))
    return path


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_loci_have_maximum_and_mean_of_the_windows_within_them(windows, tmp_path):
    done = score_loci(windows, REGIONS, output=tmp_path / "l.tsv")
    assert (done.label, done.n_loci, done.n_empty, done.n_known) == ("site", 6, 2, None)
    assert done.summary() == "6 regions by site, 2 without a window"
    rows = rows_of(done.path)
    assert list(rows[0]) == ["contig", "start", "end", "name", "windows", "max", "mean"]
    for row, (locus, n, highest, mean) in zip(rows, LOCI, strict=True):
        assert (row["contig"], int(row["start"]), row["name"]) == (locus[0], locus[1], locus.name)
        assert int(row["windows"]) == n
        if n:
            assert [float(row["max"]), float(row["mean"])] == pytest.approx([highest, mean])
        else:
            assert row["max"] == row["mean"] == ""
    other = score_loci(windows, REGIONS[:1], output=tmp_path / "o.csv", label="other")
    assert other.path.read_text().splitlines()[1] == "b,0,15,whole,2,0.7,0.5"  # of 0.7 and 0.3


def test_a_locus_is_known_by_the_point_or_the_middle_of_a_site(windows, tmp_path):
    loci = [*REGIONS, Interval("a", 5, 15), Interval("a", 0, 5), Interval("b", 0, 14)]
    done = score_loci(windows, loci, output=tmp_path / "l.tsv", sites=SITES)
    # The middle of the first site is base 5; base 14 is in whole, 20 in the third.
    known = [row["known"] for row in rows_of(done.path)]
    assert known == ["1", "1", "1", "1", "0", "1", "1", "0", "0"]


def test_scores_are_those_of_scikit_learn_and_leave_out_loci_without_a_window(windows, tmp_path):
    sites = [SITES[0], SITES[3]]
    truth = np.array([0, 1, 0, 1])
    for number, threshold in enumerate((0.35, 0.45, 0.95)):
        path = tmp_path / f"{number}.tsv"
        done = score_loci(windows, REGIONS, output=path, sites=sites, threshold=threshold)
        assert done.n_known == 2
        for name, column in (("max", 2), ("mean", 3)):
            values = np.array([row[column] for row in LOCI[:4]], dtype=float)
            found, called = done.scores[name], values >= threshold
            assert found.f1 == pytest.approx(metrics.f1_score(truth, called, zero_division=0))
            assert found.mcc == pytest.approx(metrics.matthews_corrcoef(truth, called))
            assert found.auroc == pytest.approx(metrics.roc_auc_score(truth, values))
    # By hand: the means are 0.5, 0.4, 0.3, 0.9; from 0.6 on one is called, and rightly.
    path = tmp_path / "hand.tsv"
    mean = score_loci(windows, REGIONS, output=path, sites=sites, threshold=0.6).scores["mean"]
    assert (mean.precision, mean.recall) == (1, 0.5)
    assert mean.f1 == pytest.approx(2 / 3)
    assert mean.mcc == pytest.approx(2 / np.sqrt(1 * 2 * 2 * 3))


def test_windows_of_a_contig_may_come_in_blocks(windows, tmp_path, monkeypatch):
    whole = score_loci(windows, REGIONS, output=tmp_path / "a.tsv").path.read_bytes()
    read = module.read_scan

    def in_blocks(path, label):
        for block in read(path, label):
            for i in range(len(block.starts)):
                columns = (column[i : i + 1] for column in block[1:])
                yield type(block)(block.contig, *columns)

    monkeypatch.setattr(module, "read_scan", in_blocks)
    assert score_loci(windows, REGIONS, output=tmp_path / "b.tsv").path.read_bytes() == whole


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "x"], "the class must be one of other, site, got 'x'"),
        (["--threshold", "2"], "--threshold must be from 0 to 1, got 2"),
        (["--sites", "everywhere.bed"], "of 2 regions with windows all do; add regions"),
        (["--sites", "nowhere.bed"], "of 2 regions with windows none do; add regions"),
    ],
)
def test_bad_input_is_a_line(windows, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "l.bed").write_text("a\t0\t20\nb\t0\t15\n")
    (tmp_path / "everywhere.bed").write_text("a\t3\t4\nb\t3\t4\n")
    (tmp_path / "nowhere.bed").write_text("c\t3\t4\n")
    done = CliRunner().invoke(app, ["loci", str(windows), "l.bed", "-o", "o.tsv", *arguments])
    assert done.exit_code == 2
    assert message in done.stderr
    assert not (tmp_path / "o.tsv").exists()


def test_other_tables_and_other_contigs_are_refused(windows, tmp_path):
    with pytest.raises(ValueError, match=r"found none in any of 1 region; check the names"):
        score_loci(windows, [Interval("chr1", 0, 99)], output=tmp_path / "o.tsv")
    other = tmp_path / "other.tsv"
    other.write_text("id\tlabel\na\t1\n")
    with pytest.raises(ValueError, match=r"must be a table that `dnabert scan` wrote, .* found id"):
        score_loci(other, REGIONS, output=tmp_path / "o.tsv")
    for text, found in (
        ("", "reading it failed: Empty CSV file"),
        ("contig\tstart\tend\tprob_a\n", "found no windows in it"),
        ("id\tlabel\na\n", "reading it failed: CSV parse error"),
    ):
        other.write_text(text)
        with pytest.raises(ValueError, match=rf"^{other} must be a table .*, .*{found}"):
            score_loci(other, REGIONS, output=tmp_path / "o.tsv")
    values = tmp_path / "values.tsv"
    values.write_text("contig\tstart\tend\tvalue\na\t0\t10\t-2.5\n")
    assert score_loci(values, REGIONS, output=tmp_path / "v.tsv").label == "value"
    with pytest.raises(ValueError, match="found the values of a regression; leave the sites out"):
        score_loci(values, REGIONS, output=tmp_path / "x.tsv", sites=SITES)


def test_the_command_prints_scores_and_what_it_wrote(windows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "l.bed").write_text("a\t0\t20\tx\nb\t0\t15\ty\n")
    (tmp_path / "s.bed").write_text("a\t3\t4\n")
    words = ["loci", str(windows), "l.bed", "--sites", "s.bed", "--threshold", "0.8"]
    done = CliRunner().invoke(app, [*words, "-o", "o.tsv"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[1] == "max\t" + "\t".join(["1.0000"] * 6)
    assert "2 regions by site, 1 with a site -> o.tsv" in done.stderr
    assert rows_of(tmp_path / "o.tsv")[1]["known"] == "0"
