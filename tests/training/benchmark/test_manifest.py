import numpy as np
import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app
from dnabert_hf.data.building.simulation import simulate_binding
from dnabert_hf.training.benchmark.manifest import build_sets, read_manifest
from dnabert_hf.training.benchmark.suite_yaml import read_suite

SUITE = "data: {none: none.tsv}\nmodels: {regression: {init: kmers, k: 3}}\nseeds: [0]\n"


def write(path, text):
    path.write_text(text)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A suite of one model, files of a data set, a genome of 60 kb with peaks on it."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for split, n in (("train", 40), ("dev", 20), ("test", 20)):
        records = simulate_binding(n, generator, length=40)
        rows = [f"{each.sequence}\t{int(each.is_bound)}\n" for each in records]
        write(tmp_path / f"{split}.tsv", "sequence\tlabel\n" + "".join(rows))
    bases = "".join(generator.choice(list("ACGT"), 60_000))
    write(tmp_path / "genome.fa", f">chr1\n{bases}\n")
    peaks = "".join(f"chr1\t{start}\t{start + 100}\n" for start in range(1000, 50_000, 1200))
    write(tmp_path / "peaks.bed", peaks)
    write(tmp_path / "suite.yaml", SUITE)
    return tmp_path


def test_sets_of_a_manifest_run_by_shards_and_go_on(folder):
    """Two machines, one after the other, then the report, for which nothing is run again."""
    columns = "name\tpath\ttrain\tdev\ttest\tpeaks\tlength\tlabels\n"
    rows = ["files\t\ttrain.tsv\tdev.tsv\ttest.tsv\t\t\t", "peaks\t\t\t\t\tpeaks.bed\t60\t"]
    rows += ["few\t\ttrain.tsv\t\ttest.tsv\t\t\t20"]
    write(folder / "sets.tsv", columns + "".join(f"{row}\n" for row in rows))
    command = ["benchmark", "suite.yaml", "--sets", "sets.tsv", "--genome", "genome.fa", "-o"]
    for shard in ("0/2", "1/2"):
        done = CliRunner().invoke(app, [*command, "parts", "--shard", shard])
        assert done.exit_code == 0, done.stderr
        assert not (folder / "parts" / "report.md").exists()
    table = folder / "parts" / "sets" / "peaks.tsv"
    before = table.stat().st_mtime_ns, [*(folder / "parts" / "cells").rglob("metrics.json")]
    assert len(before[1]) == 3
    times = [path.stat().st_mtime_ns for path in before[1]]
    joined = CliRunner().invoke(app, [*command, "parts"])
    assert joined.exit_code == 0, joined.stderr
    assert [path.stat().st_mtime_ns for path in before[1]] == times
    assert table.stat().st_mtime_ns == before[0]
    lines = (folder / "parts" / "scores.tsv").read_text().splitlines()[1:]
    assert [line.split("\t")[:2] for line in lines] == [
        ["files", "all"], ["peaks", "all"], ["few", "20"],
    ]  # fmt: skip
    assert {len(line.split("\t")[1]) for line in table.read_text().splitlines()[1:]} == {60}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path\na.tsv\n", r"line 1: a manifest must have a header with name"),
        ("name\tpth\na\tb\n", r"columns of .* must be known by name, got 'pth'; did you mean path"),
        ("name\tpath\n", r"must list data sets, found a header but no rows"),
        ("name\tpath\na\n", r"line 2: a row must have as many cells as the header, 2, found 1"),
        (
            "name\tpath\na b\tx\na-b\ty\n",
            r"line 3: each data set must have a name .*'a-b",
        ),
        ("name\tpath\n\tx\n", r"line 2: each data set must have a name of its own"),
        ("name\tpath\tpeaks\na\tx\ty\n", r"line 2: .* or peaks, found path and peaks; leave one"),
        ("name\tpath\tpeaks\na\t\t\n", r"line 2: .* or peaks, found none of them; leave one"),
        ("name\ttrain\tdev\na\tx\ty\n", r"line 2: .* train and test .* found train and dev; add"),
        ("name\tpeaks\tlength\na\tx\t0\n", r"line 2: length must be the bases .* found '0'"),
        ("name\tpath\tlength\na\tx\t9\n", r"line 2: length must be the bases of windows around"),
    ],
)
def test_a_manifest_that_is_none_is_told_with_its_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_manifest(write(tmp_path / "sets.tsv", text))


def test_peaks_need_a_genome_and_files_must_be_there(folder):
    with pytest.raises(ValueError, match=r"must have a genome to be cut from: name it"):
        build_sets({"a": {"peaks": "peaks.bed"}}, (), folder / "sets", root=folder)
    rows = {"a": {"train": "train.tsv", "test": "tst.tsv"}}
    with pytest.raises(ValueError, match=r"'a' .* must have files of train and test, found no"):
        read_suite(folder / "suite.yaml", sets=rows)
    rows = {"a": {"train": "train.tsv", "test": "test.tsv", "labels": "many"}}
    with pytest.raises(ValueError, match=r"labels must be whole numbers from 2 on, found"):
        read_suite(folder / "suite.yaml", sets=rows)
    for shard in ("2/2", "0", "0/0", "-1/2", "1/9"):
        command = ["benchmark", "suite.yaml", "--sets", "sets.tsv", "-o", "out", "--shard", shard]
        write(folder / "sets.tsv", "name\ttrain\ttest\na\ttrain.tsv\ttest.tsv\n")
        done = CliRunner().invoke(app, command)
        assert (done.exit_code, "a shard" in done.stderr) == (2, True), done.stderr
    assert not (folder / "out").exists()
