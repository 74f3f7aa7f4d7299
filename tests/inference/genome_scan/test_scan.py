import csv
import sys

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification
from dnabert_hf.cli.main import app
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.inference.genome_scan import scan as scanning
from dnabert_hf.inference.genome_scan.known_sites import score_against_sites, sites_within
from dnabert_hf.inference.genome_scan.scan import scan
from dnabert_hf.inference.genome_scan.tracks_and_calls import (
    ContigScan,
    average_blocks,
    average_windows,
    call_blocks,
    read_scan,
    save_track,
    write_calls,
    write_track,
)
from dnabert_hf.inference.output import bigwig
from dnabert_hf.inference.predict import Classifier, predict

#       0         10        20        30        40
DNA = "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCA"


@pytest.fixture
def fasta(tmp_path, monkeypatch):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "g.fa"
    path.write_text(f">a\n{DNA}\n>b\n{DNA[:20]}N{DNA[:20]}\n>c\nACGTAC\n>n\nNNNNNNNNNNNN\n")
    return path


@pytest.fixture
def genome(fasta):
    return open_genome(fasta)


@pytest.fixture
def model(tiny_config, tokenizer, tmp_path):
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    folder = tmp_path / "promoters"
    DNABertForSequenceClassification(tiny_config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def read_table(path, delimiter="\t"):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.mark.parametrize("name", ["w.tsv", "w.csv", "w.parquet"])
def test_every_window_without_n_is_classified_in_order(model, genome, tmp_path, name):
    done = scan(model, genome, output=tmp_path / name, window=10, step=9, dtype="float32")
    contigs = list(read_scan(done.path, "yes"))
    assert [(c.contig, c.starts.tolist()) for c in contigs] == [
        ("a", [0, 9, 18, 27, 36]),
        ("b", [0, 9, 27]),
    ]
    assert (done.n_windows, done.n_skipped) == (8, 2)
    expected = predict(model, [DNA[s : s + 10] for s in (0, 9, 18, 27, 36)], dtype="float32")
    np.testing.assert_allclose(
        contigs[0].values, [each.probabilities["yes"] for each in expected], rtol=1e-5
    )
    assert contigs[0].ends.tolist() == [10, 19, 28, 37, 46]


def test_calls_begin_where_the_model_suggests(model, genome, tmp_path, tiny_config, tokenizer):
    options = {"window": 10, "step": 9, "dtype": "float32", "overwrite": True}
    done = scan(model, genome, output=tmp_path / "w.tsv", calls=tmp_path / "c.bed", **options)
    assert "from 0.5 on (for want of a suggestion by the model" in done.summary()
    values = sorted(float(row["prob_yes"]) for row in read_table(done.path))
    tiny_config.positive = "yes"
    tiny_config.call_threshold = (values[-1] + values[-3]) / 2  # above are a:0-10 and b:0-10, alike
    torch.manual_seed(0)
    DNABertForSequenceClassification(tiny_config).save_pretrained(model)
    done = scan(model, genome, output=tmp_path / "w.tsv", calls=tmp_path / "c.bed", **options)
    assert values == sorted(float(row["prob_yes"]) for row in read_table(done.path))
    assert len((tmp_path / "c.bed").read_text().splitlines()) == done.n_calls == 2
    assert "(as the validation split suggests; --threshold changes it)" in done.summary()
    # It is of the class of interest, and what is asked for wins.
    for asked, expected in (({"label": "no"}, 0.5), ({"threshold": 0.25}, 0.25)):
        done = scan(
            model, genome, output=tmp_path / "w.tsv", calls=tmp_path / "c.bed", **options, **asked
        )
        assert done.threshold == expected


def test_regions_that_overlap_are_scanned_once(model, genome, tmp_path, caplog):
    regions = [Interval("b", 21, 41), Interval("a", 3, 14), Interval("a", 10, 24)]
    done = scan(model, genome, output=tmp_path / "w.tsv", window=10, step=10, regions=regions)
    rows = [(row["contig"], row["start"]) for row in read_table(done.path)]
    assert rows == [("a", "3"), ("a", "13"), ("b", "21"), ("b", "31")]
    assert "3 regions overlap, touch or repeat others: they are scanned as 2" in caplog.text


def test_what_is_shorter_than_a_window_is_counted(model, genome, tmp_path, caplog):
    scan(model, genome, output=tmp_path / "w.tsv", window=10, step=10)
    assert "1 of 4 contigs are shorter than a window and have none" in caplog.text
    regions = [Interval("b", 21, 41), Interval("a", 3, 9)]
    scan(model, genome, output=tmp_path / "r.tsv", window=10, step=10, regions=regions)
    assert "1 of 2 regions are shorter than a window and have none" in caplog.text


@pytest.mark.parametrize("stop_at", ["window", "track"])
def test_a_stopped_scan_goes_on_to_the_same_bytes(model, genome, tmp_path, monkeypatch, stop_at):
    monkeypatch.setattr("dnabert_hf.inference.genome_scan.scan._CHUNK_BASES", 30)

    def run(name):
        done = scan(
            model,
            genome,
            output=tmp_path / f"{name}.tsv",
            track=tmp_path / f"{name}.{{label}}.bedgraph",
            calls=tmp_path / f"{name}.bed",
            threshold=0,
            window=10,
            step=1,
        )
        files = tmp_path.glob(f"{name}.*")
        return done.n_calls, {path.name.removeprefix(name): path.read_bytes() for path in files}

    whole = run("whole")
    assert sorted(whole[1]) == [".bed", ".no.bedgraph", ".tsv", ".yes.bedgraph"]
    target, attribute = {
        "window": (Classifier, "probabilities"),
        "track": (scanning, "write_track"),
    }[stop_at]
    real, calls = getattr(target, attribute), []

    def stop_at_the_second(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(target, attribute, stop_at_the_second)
        with pytest.raises(KeyboardInterrupt, match="run the same command again to go on"):
            run("stopped")
    assert (tmp_path / "stopped.tsv.partial").is_dir()
    assert not (tmp_path / "stopped.tsv").exists()
    assert run("stopped") == whole


def test_every_class_gets_a_track_of_its_own(model, genome, tmp_path):
    out, options = tmp_path / "w.tsv", {"window": 10, "step": 5, "dtype": "float32"}
    scan(model, genome, output=out, track=tmp_path / "t.{label}.bedGraph", **options)
    for label in ("no", "yes"):
        write_track(out, tmp_path / "alone.bedGraph", genome, label=label)
        made = (tmp_path / f"t.{label}.bedGraph").read_bytes()
        assert made == (tmp_path / "alone.bedGraph").read_bytes()
    assert len(list(tmp_path.glob("t.*"))) == 2
    with pytest.raises(ValueError, match=r"t.no.bedGraph must not exist yet"):
        track = tmp_path / "t.{label}.bedGraph"
        scan(model, genome, output=tmp_path / "again.tsv", track=track, **options)
    assert not (tmp_path / "again.tsv").exists()


def test_a_missing_pybigwig_is_said_before_the_scan(model, genome, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyBigWig", None)
    options = {"output": tmp_path / "w.tsv", "window": 10, "step": 5}
    for name in ("t.bw", "t.{label}.bw"):
        with pytest.raises(ImportError, match=r"pip install 'dnabert-hf\[tracks\]'"):
            scan(model, genome, track=tmp_path / name, **options)
    assert not (tmp_path / "w.tsv.partial").exists()
    assert not (tmp_path / "w.tsv").exists()


def test_what_cannot_be_scanned_is_refused(model, genome, tmp_path):
    out = tmp_path / "w.tsv"
    for options, message in [
        ({"step": 0}, "a step 1 or more, got 10 and 0"),
        ({"window": 2}, "k = 3 bases or more and a step 1 or more, got 2"),
        ({"window": 60}, "room for a window of 60 bases of A, C, G, T, found none"),
        ({"regions": [Interval("n", 0, 12)]}, "room for a window of 10 bases"),
        ({"regions": [Interval("x", 0, 12)]}, "must lie on contigs of the genome, found x"),
        ({"regions": [Interval("c", 0, 12)]}, "found c:0-12 where c has 6 bases"),
        ({"output": tmp_path / "w.bam"}, "must be named"),
        ({"track": tmp_path / "t.wig"}, r"must be named \*.bedgraph, \*.bw, \*.bigwig"),
        ({"track": tmp_path / "t.{lable}.bw"}, r"may have {label} in its name, .* found {lable}"),
        ({"track": tmp_path / "t.{label}.bw", "label": "x"}, "the class must be one of no, yes"),
        ({"calls": tmp_path / "c.txt"}, r"must be named \*.bed"),
        ({"calls": tmp_path / "c.bed", "label": "x"}, "the class must be one of no, yes"),
        ({"threshold": 2}, "between 0 and 1, got 2"),
        ({"sites": [Interval("chr7", 0, 1)]}, "the sites must lie on contigs of the genome"),
        ({"sites": [Interval("a", 46, 47)]}, "must lie in a window of the scan, found none"),
        (
            {"sites": [Interval("a", 30, 31)], "regions": [Interval("a", 0, 30)]},
            "must lie in a window of the scan, found none; check the regions",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            scan(model, genome, **({"output": out, "window": 10, "step": 5} | options))
    assert not out.exists()


def test_gaps_between_windows_have_no_value():
    starts, ends = np.array([0, 10]), np.array([4, 14])
    contig_scans = average_windows(starts, ends, np.array([0.5, 1.0]))
    assert [each.tolist() for each in contig_scans] == [[0, 10], [4, 14], [0.5, 1.0]]


def test_no_window_above_the_threshold_is_no_call():
    contig = ContigScan("a", np.array([0]), np.array([4]), np.array([0.25]))
    assert list(call_blocks([contig], 0.5)) == []


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_a_contig_may_come_in_blocks(size):
    """Means and calls are those of a table of bases, however the windows are cut into blocks."""
    rng = np.random.default_rng(size)
    blocks, means, above = [], [], []
    for contig in "ab":
        starts = np.sort(rng.choice(90, 30, replace=False))
        ends, values = starts + 7, rng.random(30).round(2)
        cuts = range(size, 30, size)
        parts = [np.split(each, cuts) for each in (starts, ends, values)]
        blocks += [ContigScan(contig, *each) for each in zip(*parts, strict=True)]
        for base in range(100):
            over = (starts <= base) & (base < ends)
            means.append((contig, base, values[over].mean() if over.any() else None))
            above.append((over & (values >= 0.8)).any())
    found = {
        (contig, base): value
        for contig, *columns in average_blocks(blocks)
        for start, end, value in zip(*(each.tolist() for each in columns), strict=True)
        for base in range(start, end)
    }
    wanted = {(contig, base): value for contig, base, value in means if value is not None}
    assert found == pytest.approx(wanted)
    calls = [
        (call.contig, base)
        for call in call_blocks(blocks, 0.8)
        for base in range(call.start, call.end)
    ]
    assert calls == [each[:2] for each, is_above in zip(means, above, strict=True) if is_above]


@pytest.fixture
def scanned(tmp_path):
    """Windows of 10 every 5 bases; the third and the sixth are high."""
    values = [0.1, 0.2, 0.9, 0.3, 0.1, 0.8]
    rows = [f"a\t{5 * i}\t{5 * i + 10}\t{1 - v:.1f}\t{v}" for i, v in enumerate(values)]
    path = tmp_path / "scan.tsv"
    path.write_text("contig\tstart\tend\tprob_no\tprob_yes\n" + "\n".join(rows) + "\n")
    return path


def test_tracks_hold_the_mean_of_the_windows(scanned, genome, tmp_path):
    write_track(scanned, tmp_path / "t.bedgraph", genome, label="yes")
    lines = (tmp_path / "t.bedgraph").read_text().splitlines()
    assert lines[:3] == ["a\t0\t5\t0.1", "a\t5\t10\t0.15", "a\t10\t15\t0.55"]
    assert len(lines) == 7
    with pytest.raises(ValueError, match=r"must be named \*.bedgraph"):
        write_track(scanned, tmp_path / "t.wig", genome, label="yes")
    with pytest.raises(ValueError, match="one of no, yes, got 'x'"):
        write_track(scanned, tmp_path / "t.bedgraph", genome, label="x")


def test_a_bigwig_is_read_by_a_browsers_reader(scanned, genome, tmp_path):
    reader = pytest.importorskip("pyBigWig", reason="pyBigWig is not installed")
    write_track(scanned, tmp_path / "t.bw", genome, label="yes")
    with reader.open(str(tmp_path / "t.bw")) as file:
        assert file.chroms() == {"a": 46, "b": 41, "c": 6, "n": 12}
        assert file.values("a", 0, 15)[::5] == pytest.approx([0.1, 0.15, 0.55])
        assert file.intervals("b") is None


def test_lists_of_a_track_do_not_grow_with_it(genome, tmp_path, monkeypatch):
    """Lists of numbers take several times the memory of their arrays."""
    reader = pytest.importorskip("pyBigWig", reason="pyBigWig is not installed")
    lengths = []

    class Column(np.ndarray):
        def tolist(self):
            lengths.append(len(self))
            return super().tolist()

    monkeypatch.setattr(bigwig, "_BLOCK_INTERVALS", 4)
    starts = np.arange(0, 22, 2)
    columns = [each.view(Column) for each in (starts, starts + 2, starts / 64)]
    for name in ("t.bedgraph", "t.bw"):
        path = tmp_path / name
        halves = (
            ContigScan("a", *(c[:5] for c in columns)),
            ContigScan("a", *(c[5:] for c in columns)),
        )
        contig_scans = [*halves, ContigScan("b", *columns)]
        save_track(contig_scans, path, suffix=path.suffix, lengths={"a": 46, "b": 41})
    assert max(lengths) == 4
    expected = list(
        zip(starts.tolist(), (starts + 2).tolist(), (starts / 64).tolist(), strict=True)
    )
    with reader.open(str(tmp_path / "t.bw")) as file:
        for contig in "ab":
            assert list(file.intervals(contig)) == expected
    lines = [line.split("\t") for line in (tmp_path / "t.bedgraph").read_text().splitlines()]
    assert [(c, int(s), int(e), float(v)) for c, s, e, v in lines] == [
        (contig, *each) for contig in "ab" for each in expected
    ]


def test_calls_are_joined_windows(scanned, tmp_path):
    assert write_calls(scanned, tmp_path / "c.bed", label="yes", threshold=0.5) == 2
    lines = (tmp_path / "c.bed").read_text().splitlines()
    assert lines == ["a\t10\t20\tyes_1\t900\t.", "a\t25\t35\tyes_2\t800\t."]
    assert write_calls(scanned, tmp_path / "c.bed", label="yes", threshold=0.3) == 1
    assert (tmp_path / "c.bed").read_text() == "a\t10\t35\tyes_1\t900\t.\n"


def test_sites_are_met_once_each(scanned, genome, caplog):
    sites = [Interval("a", 14, 15, point=14), Interval("a", 16, 17, point=16),
             Interval("a", 1, 2, point=1), Interval("a", 45, 46, point=45)]  # fmt: skip
    scores = score_against_sites(scanned, sites, genome, label="yes", threshold=0.5, tolerance=2)
    # Calls 10-20 and 25-35; the site at 45 lies in no window; two sites share a call.
    assert (scores.n_sites, scores.n_calls) == (3, 2)
    assert caplog.messages[-1].startswith("1 of 4 known sites lie in no window")
    assert scores.precision == 0.5
    assert scores.recall == pytest.approx(1 / 3)
    assert scores.f1 == pytest.approx(0.4)
    # Windows with a site: 0-10, 5-15, 10-20, 15-25, ranked 5th, 4th, 1st, 3rd.
    assert scores.prevalence == pytest.approx(4 / 6)
    extents = np.array([[0, 0, 15], [0, 30, 46], [1, 0, 41]])
    assert sites_within(genome, [*sites, Interval("a", 60, 61, point=60)], extents) == [
        sites[0],
        *sites[2:],
    ]
    near = score_against_sites(scanned, [Interval("a", 36, 37, point=36), *sites[:1]], genome,
                               label="yes", threshold=0.5, tolerance=2)  # fmt: skip
    assert near.n_sites == 1  # 36 lies in no window
    with pytest.raises(ValueError, match="a site must lie in a window of the scan, found none"):
        score_against_sites(scanned, sites[3:], genome, label="yes", threshold=0.5)


def test_command_line(model, fasta, tmp_path, caplog):
    (tmp_path / "sites.bed").write_text("a\t12\t13\n")
    arguments = ["scan", str(model), str(fasta), "--window", "10", "--step", "5", "--rc"]
    result = CliRunner().invoke(
        app,
        [*arguments, "-o", str(tmp_path / "w.tsv"), "--track", str(tmp_path / "t.bedgraph"),
         "--calls", str(tmp_path / "c.bed"), "--threshold", "0", "--sites",
         str(tmp_path / "sites.bed")],
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    n_windows = len((tmp_path / "w.tsv").read_text().splitlines()) - 1
    assert result.stderr.startswith(f"{n_windows} windows of 10 bases, 3 left out, ")
    assert f"{n_windows} windows of 10 bases on either strand" in caplog.text
    assert "recall\t1" in result.stdout
    assert (tmp_path / "c.bed").read_text().startswith("a\t0\t45\tyes_1\t")
    result = CliRunner().invoke(
        app, [*arguments, "-o", str(tmp_path / "x.tsv"), "--threshold", "2"]
    )
    assert result.exit_code == 2
    assert "--threshold must be from 0 to 1, got 2.0" in result.stderr


@pytest.mark.parametrize("n_targets", [1, 2])
def test_values_of_a_regression_have_their_own_columns_and_tracks(
    tiny_config, tokenizer, genome, tmp_path, n_targets
):
    names = ["value"] if n_targets == 1 else ["value_0", "value_1"]
    tiny_config.problem_type = "regression"
    tiny_config.id2label = dict(enumerate(names))
    model = DNABertForSequenceClassification(tiny_config).eval()
    options = {"window": 8, "step": 4, "tokenizer": tokenizer}
    regions = [Interval("a", 0, 12)]
    track = tmp_path / "v.bedgraph"
    scan(
        model,
        genome,
        output=tmp_path / "v.tsv",
        regions=regions,
        track=track,
        label=names[-1],
        **options,
    )
    rows = read_table(tmp_path / "v.tsv")
    assert list(rows[0]) == ["contig", "start", "end", *names]
    expected = predict(model, [DNA[:8], DNA[4:12]], tokenizer=tokenizer)
    values = [list(each.probabilities.values()) for each in expected]
    found = [[float(row[name]) for name in names] for row in rows]
    np.testing.assert_allclose(found, values, rtol=1e-4)
    first, second = (value[-1] for value in values)
    lines = [line.split("\t") for line in track.read_text().splitlines()[-3:]]
    assert [line[:3] for line in lines] == [["a", "0", "4"], ["a", "4", "8"], ["a", "8", "12"]]
    means = [first, (first + second) / 2, second]
    assert [float(line[3]) for line in lines] == pytest.approx(means, rel=1e-4)
    with pytest.raises(ValueError, match="calls, and their comparison"):
        scan(model, genome, output=tmp_path / "w.tsv", calls=tmp_path / "w.bed", **options)
    if n_targets == 2:
        with pytest.raises(ValueError, match="one of value_0, value_1, got None"):
            scan(model, genome, output=tmp_path / "w.tsv", track=tmp_path / "w.bw", **options)
