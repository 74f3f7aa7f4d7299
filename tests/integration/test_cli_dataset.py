"""`dnabert dataset`, as a shell runs it."""

import json
import random

import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app

DNA = "".join(random.Random(3).choices("ACGT", k=60_000))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    (tmp_path / "genome.fa").write_text(f">chr1\n{DNA[:40_000]}\n>chr2\n{DNA[40_000:]}\n")
    starts = [("chr1", s) for s in range(1000, 30_000, 1000)]
    starts += [("chr2", s) for s in range(1000, 9000, 1000)]
    (tmp_path / "tss.bed").write_text("".join(f"{c}\t{s}\t{s + 1}\t.\t0\t+\n" for c, s in starts))
    middles = "".join(f"{c}\t{s + 500}\t{s + 501}\n" for c, s in starts)
    (tmp_path / "middles.bed").write_text(middles)
    exon = "{0}\tx\texon\t{1}\t{2}\t.\t+\t.\ttranscript_id {0}-{3}\n"
    lines = (exon.format(c, s - 99, s, s) + exon.format(c, s + 200, s + 300, s) for c, s in starts)
    (tmp_path / "genes.gtf").write_text("".join(lines))
    return lambda *words: CliRunner().invoke(app, ["dataset", *map(str, words)])


@pytest.mark.parametrize(
    "words",
    [
        ("promoters", "tss.bed"),
        ("promoters", "tss.bed", "--negatives", "chunks", "--test-contig", "chr2"),
        ("peaks", "tss.bed", "--length", "51"),
        ("peaks", "tss.bed", "--against", "middles.bed", "--length", "51"),
        ("splice", "genes.gtf", "--length", "80", "--seed", "7"),
    ],
)
def test_a_data_set_is_built_reported_and_checked(run, tmp_path, words):
    result = run(*words, "--genome", "genome.fa", "-o", "d.tsv")
    assert result.exit_code == 0, result.output
    assert "leaks: none" in result.stdout
    n_rows = len((tmp_path / "d.tsv").read_text().splitlines()) - 1
    assert result.stdout.splitlines()[-1] == f"d.tsv: {n_rows} sequences; report in d.report.json"
    settings = json.loads((tmp_path / "d.report.json").read_text())["settings"]
    assert settings["command"] == words[0]
    assert settings["test_contigs"] == (["chr2"] if "chr2" in words else [])
    checked = run("check", "d.tsv")
    assert (checked.exit_code, "leaks: none" in checked.stdout) == (0, True), checked.output
    again = run(*words, "--genome", "genome.fa", "-o", "d.tsv")
    assert again.exit_code == 2
    assert "d.tsv must not exist yet" in again.stderr


def test_windows_are_written(run, tmp_path):
    words = ("--genome", "genome.fa", "-o", "w.tsv", "--length", "1000", "--step", "1000")
    (tmp_path / "middles.bed").write_text("chr1\t400\t9600\nchr7\t0\t9\n")
    result = run("windows", *words, "--positives", "middles.bed")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["all", "0", "50"], ["all", "1", "10"]]
    assert "AUROC between classes by one number alone (chance: 0.5): GC 0." in lines[3]
    lacking = "regions of class 1 on contigs that the genome lacks (1)"
    assert lines[-1] == f"w.tsv: 60 windows; left out: {lacking}"
    lines = (tmp_path / "w.tsv").read_text().splitlines()
    assert lines[0] == "id\tsequence\tlabel\tcontig\tstart\tend\tstrand"
    assert "overlap" not in result.stderr
    dense = ("--genome", "genome.fa", "--length", "1000", "--step", "500")
    result = run("windows", *dense, "-o", "v.tsv", "--positives", "tss.bed")
    assert "the windows overlap: train on them with contigs of their own" in result.stderr
    apart = ("--dev-contig", "chr1", "--test-contig", "chr2")
    result = run("windows", *dense, "-o", "x.tsv", "--positives", "tss.bed", *apart)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1].endswith("found by: dnabert dataset check x.tsv")
    (tmp_path / "nowhere.bed").write_text("chr2\t5\t6\n")
    result = run("windows", *words[:2], "-o", "y.tsv", "--positives", "nowhere.bed")
    assert "warning: all windows are of one class" in result.stdout


def test_a_planted_leak_is_found(run, tmp_path):
    rows = [f"s{i}\t{DNA[i * 100 : i * 100 + 90]}\t{i % 2}\t{'train' if i < 40 else 'test'}"
            for i in range(60)]  # fmt: skip
    rows.append(f"leak\t{DNA[20:110]}\t0\ttest")
    (tmp_path / "d.tsv").write_text("\n".join(["id\tsequence\tlabel\tsplit", *rows]) + "\n")
    result = run("check", "d.tsv")
    assert result.exit_code == 1
    assert "leak" in result.stdout
    assert "near duplicates across splits: 1" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("promoters", "tss.bed", "-o", "d.txt"), "must be a .tsv or .tsv.gz file, got 'd.txt'"),
        (
            ("promoters", "tss.bed", "-o", "d.tsv", "--columns", "a,b"),
            "three different names divided by",
        ),
        (("peaks", "none.bed", "-o", "d.tsv"), "none.bed must be a file, found none"),
        (("peaks", "tss.bed", "--against", "./tss.bed", "-o", "d.tsv"), "found tss twice: tss.bed"),
        (("splice", "tss.bed", "-o", "d.tsv"), "must have 9 columns"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(run, tmp_path, words, message):
    result = run(*words, "--genome", "genome.fa")
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("d.*"))


def test_files_of_other_names_pipes_and_bad_lines(run, tmp_path):
    """The same peaks: by RefSeq's names, by a table of aliases through a pipe, with bad lines."""
    words = ("--genome", "genome.fa", "--negatives", "dinucleotides", "-o")
    lines = [f"chr1\t{s}\t{s + 100}\n" for s in range(1000, 30_000, 1000)]
    (tmp_path / "a.bed").write_text("".join(lines))
    (tmp_path / "b.bed").write_text("".join(lines).replace("chr1", "NC_000001.11"))
    (tmp_path / "c.bed").write_text("chrom\tstart\tend\n" + "".join(lines) + "chr1\t7\t7\n")
    for name in "ab":
        result = run("peaks", f"{name}.bed", *words, f"{name}.tsv")
        assert result.exit_code == 0, result.output
    (tmp_path / "aliases.txt").write_text("chr1\tLG1\tensembl\n")
    result = CliRunner().invoke(
        app,
        ["dataset", "peaks", "-", *words, "p.tsv", "--aliases", "aliases.txt"],
        input="".join(lines).replace("chr1", "LG1"),
    )
    assert result.exit_code == 0, result.output
    failed = run("peaks", "c.bed", *words, "c.tsv")
    assert failed.exit_code == 2
    assert "c.bed, line 31: an interval must have" in failed.stderr
    assert "--skip-bad" in failed.stderr
    assert run("peaks", "c.bed", *words, "c.tsv", "--skip-bad").exit_code == 0
    tables = [(tmp_path / f"{name}.tsv").read_bytes() for name in "abcp"]
    assert tables[1:] == tables[:1] * 3


def test_check_says_task_classes_and_doubts(run, tmp_path):
    rows = [f"{DNA[i * 100 : i * 100 + 90]}\t{i % 2}.0\ttrain\n" for i in range(20)]
    rows.append(f"{DNA[5000:5090]}\t2.0\ttrain\n")
    (tmp_path / "d.tsv").write_text("sequence\tlabel\tsplit\n" + "".join(rows))
    lines = run("check", "d.tsv").stdout.splitlines()
    assert lines[0] == "task: one class a sequence; 21 sequences, 3 classes: 0 (10), 1 (10), 2 (1)"
    assert any("the classes '2' (1) have fewer than 5 records" in line for line in lines)


def test_pairs_cannot_be_checked(run, tmp_path):
    (tmp_path / "p.tsv").write_text("sequence\tsequence_b\tlabel\nACGT\tACGT\t1\n")
    result = run("check", "p.tsv")
    assert (result.exit_code, "found pairs" in result.stderr) == (2, True)
