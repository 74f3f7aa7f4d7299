import gzip

import numpy as np
import pytest
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification, open_genome
from dnabert_hf.cli.main import app
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.attribution import scores as scores_module
from dnabert_hf.interpretation.attribution.attention import attention_scores
from dnabert_hf.interpretation.attribution.attribution import attribution_scores
from dnabert_hf.interpretation.attribution.scores import read_scores

ATTRIBUTION = "dnabert_hf.interpretation.attribution.attribution"
DNA = "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCA"
OTHER = "TTGACCATGCAAGT"


@pytest.fixture
def classifier(tiny_config):
    tiny_config.initializer_range = 0.2
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    return DNABertForSequenceClassification(tiny_config).eval()


@pytest.fixture
def folder(classifier, tokenizer, tmp_path):
    classifier.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    return tmp_path / "m"


@pytest.fixture
def genome(tmp_path, monkeypatch):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "g.fa"
    path.write_text(f">chr2\n{OTHER}\n>chr1\n{DNA}\n")
    return open_genome(path)


def run(*arguments, command="attention"):
    return CliRunner().invoke(app, [command, *map(str, arguments), "--dtype", "float32"])


@pytest.mark.parametrize("name", ["s.parquet", "s.npz"])
@pytest.mark.parametrize("has_head", [True, False])
def test_scores_are_read_as_they_were_written(classifier, tokenizer, tmp_path, name, has_head):
    model = classifier if has_head else classifier.bert
    options = {"tokenizer": tokenizer, "dtype": "float32"}
    expected = attention_scores(model, [DNA, OTHER], **options)
    done = attention_scores(model, [DNA, OTHER], output=tmp_path / name, **options)
    assert done.n_sequences == 2
    for each, other in zip(read_scores(done.path), expected, strict=True):
        assert (each.id, each.sequence) == (other.id, other.sequence)
        assert each.scores.dtype == np.float32
        np.testing.assert_array_equal(each.scores, other.scores)
        if has_head:
            assert each.probabilities == pytest.approx(other.probabilities, abs=1e-6)
        else:
            assert each.probabilities is None is other.probabilities


def test_npz_has_the_documented_arrays(classifier, tokenizer, tmp_path):
    path = tmp_path / "s.npz"
    attribution_scores(classifier, [DNA, OTHER], output=path, tokenizer=tokenizer, steps=1)
    with np.load(path) as arrays:  # nothing pickled
        assert arrays["offsets"].tolist() == [0, len(DNA), len(DNA) + len(OTHER)]
        assert arrays["sequences"].tobytes().decode() == DNA + OTHER
        assert arrays["scores"].shape == (len(DNA) + len(OTHER),)
        assert arrays["classes"].tolist() == ["no", "yes"]
        assert arrays["probabilities"].sum(axis=1) == pytest.approx(1)


def test_a_stopped_run_goes_on_to_the_same_file(folder, tmp_path, monkeypatch):
    fasta = tmp_path / "s.fa"
    fasta.write_text("".join(f">s{i}\n{DNA[i:]}\n" for i in range(6)))
    options = {"method": "occlusion", "dtype": "float32"}
    monkeypatch.setattr(f"{ATTRIBUTION}._OCCLUSION_CHUNK_BASES", 80)
    whole, stopped = tmp_path / "whole.npz", tmp_path / "stopped.npz"
    attribution_scores(folder, fasta, output=whole, **options)
    original = scores_module.cut_records
    calls = []

    def stop_in_the_third(engine, records):
        calls.append(records)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(engine, records)

    with monkeypatch.context() as patch:
        patch.setattr(f"{ATTRIBUTION}.cut_records", stop_in_the_third)
        with pytest.raises(KeyboardInterrupt, match="stopped after 4 records"):
            attribution_scores(folder, fasta, output=stopped, **options)
    with pytest.raises(ValueError, match="its class is 'yes', that of this run 'no'"):
        attribution_scores(folder, fasta, output=stopped, label="no", **options)
    attribution_scores(folder, fasta, output=stopped, **options)
    assert stopped.read_bytes() == whole.read_bytes()


def test_tracks_hold_each_base_and_the_mean_where_records_overlap(classifier, tokenizer, tmp_path):
    options = {"tokenizer": tokenizer, "dtype": "float32"}
    records = [
        SequenceRecord("chr2:20-34", OTHER),
        SequenceRecord("chr1:103-113(-)", reverse_complement(DNA[3:13])),
        SequenceRecord("chr1:100-108", DNA[:8]),
    ]
    path = tmp_path / "s.bedgraph"
    attention_scores(classifier, records, output=path, **options)
    found = {
        (contig, int(start)): float(value)
        for contig, start, end, value in map(str.split, path.read_text().splitlines())
        if int(end) == int(start) + 1
    }
    other, minus, plus = (each.scores for each in attention_scores(classifier, records, **options))
    expected = {("chr2", 20 + i): value for i, value in enumerate(other)}
    for position in range(100, 113):
        here = [plus[position - 100]] if position < 108 else []
        here += [minus[::-1][position - 103]] if position >= 103 else []
        expected["chr1", position] = np.mean(here)
    assert list(found) == sorted(expected)
    for place, value in expected.items():
        assert found[place] == pytest.approx(value, rel=1e-4)


def test_a_bed_file_and_a_genome_make_a_bigwig(folder, genome, tmp_path):
    pyBigWig = pytest.importorskip("pyBigWig")  # noqa: N806
    bed = tmp_path / "p.bed.gz"
    bed.write_bytes(gzip.compress(b"1\t5\t25\tpeak\t0\t-\nchr2\t0\t14\n"))
    out = tmp_path / "s.bw"
    arguments = [folder, bed, "--genome", tmp_path / "g.fa", "-o", out]
    result = run(*arguments, "--method", "gradient_x_input", "--label", "yes", command="attribute")
    assert result.exit_code == 0, result.stderr
    expected = attribution_scores(
        folder,
        [reverse_complement(DNA[5:25]), OTHER],
        method="gradient_x_input",
        label="yes",
        dtype="float32",
    )
    with pyBigWig.open(str(out)) as file:
        assert file.chroms() == {"chr2": len(OTHER), "chr1": len(DNA)}
        np.testing.assert_allclose(
            file.values("chr1", 5, 25), expected[0].scores[::-1], rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(
            file.values("chr2", 0, 14), expected[1].scores, rtol=1e-4, atol=1e-6
        )
        assert np.isnan(file.values("chr1", 25, 26)[0])


def test_tracks_need_places(folder, genome, tmp_path):
    fasta = tmp_path / "s.fa"
    for text, suffix, options, message in [
        (">s1\nACGTACGT\n", "bedgraph", [], "record s1: for a track, its name must say where"),
        (">chr1:0-9\nACGTACGT\n", "bedgraph", [], "its 8 bases lie"),
        (">chr1:0-8\nACGTACGT\n", "bw", [], "found no genome; give it"),
        (
            ">chr1:40-48\nACGTACGT\n",
            "bw",
            ["--genome", tmp_path / "g.fa"],
            "an interval of chr1 must have 0 <= start <= end <= 46",
        ),
        (">s1\nACGTACGT\n", "txt", [], "must be named *.parquet, *.npz, *.bedgraph"),
    ]:
        fasta.write_text(text)
        out = tmp_path / f"x.{suffix}"
        result = run(folder, fasta, "-o", out, *options)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
        assert not list(tmp_path.glob("x.*"))


def test_files_that_are_no_scores_are_refused(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"nothing")
    (tmp_path / "x.parquet").write_bytes(b"nothing")
    np.savez(tmp_path / "y.npz", a=np.zeros(1))
    (tmp_path / "x.tsv").write_text("")
    for name, message in [
        ("x.npz", "must hold scores"),
        ("x.parquet", "must hold scores"),
        ("y.npz", "must hold scores"),
        ("x.tsv", "found a file of another name"),
        ("z.npz", "found no such file"),
    ]:
        with pytest.raises(ValueError, match=message):
            list(read_scores(tmp_path / name))


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("attention", ["--rollout", "--layer", "0"], "and --rollout follows all"),
        ("attention", ["--faithfulness", "1.5"], "must be above 0 and at most 1, got 1.5"),
        ("attribute", ["--faithfulness", "0"], "must be above 0 and at most 1, got 0"),
        ("attribute", ["--method", "occlusion", "--label", "x"], "must be one of no, yes, got 'x'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(folder, tmp_path, command, options, message):
    (tmp_path / "s.fa").write_text(f">s\n{DNA}\n")
    result = run(folder, tmp_path / "s.fa", "-o", tmp_path / "x.npz", *options, command=command)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert not list(tmp_path.glob("x.*"))
