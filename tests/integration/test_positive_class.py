"""The class of interest, the same in every output, whatever it is called."""

import csv
import json
import re

import numpy as np
import pytest
from pyarrow import parquet as pq
from sklearn.metrics import average_precision_score, recall_score
from typer.testing import CliRunner

from dnabert_hf import (
    DNABertConfig,
    DNABertForSequenceClassification,
    DNABertTokenizer,
    finetune_with_hard_negatives,
    open_genome,
    predict,
)
from dnabert_hf.cli.main import app
from dnabert_hf.workflows import hard_negatives

LENGTH = 30
PAIRS = [
    ("peak", "shuffled"),
    ("bound", "unbound"),
    ("positive", "random"),
    ("active", "inactive"),
    ("enhancer", "other"),
    ("1", "0"),
    ("case", "control"),
]


def random_dna(n, length, seed=0):
    letters = np.random.default_rng(seed).choice(list("ACGT"), size=(n, length))
    return ["".join(row) for row in letters]


def make_model(folder, names, **fields):
    config = DNABertConfig(
        k=3,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.5,
        id2label=dict(enumerate(sorted(names))),
        label2id={name: index for index, name in enumerate(sorted(names))},
        training_lengths=[LENGTH] * 3,
        **fields,
    )
    DNABertForSequenceClassification(config).save_pretrained(folder)
    DNABertTokenizer(k=3).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A genome of 200 bases, a VCF on it, and nothing else: labels come with each test."""
    folder = tmp_path_factory.mktemp("inputs")
    (dna,) = random_dna(1, 200)
    (folder / "genome.fa").write_text(f">chr1\n{dna}\n")
    lines = ["##fileformat=VCFv4.2", "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"]
    for position in range(40, 160, 20):
        ref = dna[position - 1]
        lines.append(f"chr1\t{position}\t.\t{ref}\t{'A' if ref != 'A' else 'C'}\t.\t.\t.")
    (folder / "in.vcf").write_text("\n".join(lines) + "\n")
    (folder / "one.fa").write_text(f">one\n{dna[:LENGTH]}\n")
    return folder


def run(*arguments):
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.stderr


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize(("positive", "negative"), PAIRS, ids=map("/".join, PAIRS))
def test_every_command_is_about_the_class_of_interest(inputs, tmp_path, positive, negative):
    model = make_model(tmp_path / "model", (positive, negative))
    genome, vcf = inputs / "genome.fa", inputs / "in.vcf"

    track, calls = tmp_path / "t.bedgraph", tmp_path / "c.bed"
    options = ["--step", "10", "--track", track, "--calls", calls, "--threshold", "0"]
    said = run("scan", model, genome, "-o", tmp_path / "w.tsv", *options)
    assert "18 windows of 30 bases" in said and f"1 call of {positive}" in said
    windows = read(tmp_path / "w.tsv")
    rows = (line.split() for line in track.read_text().splitlines())
    first = next(row for row in rows if row[0] == "chr1")
    assert float(first[3]) == pytest.approx(float(windows[0][f"prob_{positive}"]), abs=1e-3)
    assert re.match(rf"chr1\t0\t200\t{positive}_1\t", calls.read_text())

    said = run("variants", model, vcf, "--genome", genome, "-o", tmp_path / "v.tsv")
    assert f"by the probability of {positive} in windows of 30 bases" in said
    (row, *_) = read(tmp_path / "v.tsv")
    for name in ("prob_ref", "prob_alt", "diff", "log_odds_ratio"):
        assert f"{name}_{positive}" in row and f"{name}_{negative}" not in row
    run("variants", model, vcf, "--genome", genome, "-o", tmp_path / "v.vcf")
    assert f'Description="Probability of {positive} with REF"' in (tmp_path / "v.vcf").read_text()

    page = tmp_path / "funnel.html"
    said = run(
        *("funnel", model, vcf, "--genome", genome, "-o", tmp_path / "f.tsv", "--report", page)
    )
    assert f"scored by the probability of {positive}" in said
    assert f"diff_{positive}" in (tmp_path / "f.tsv").read_text().splitlines()[0]
    assert f"<h1>Variants with an effect on {positive}" in page.read_text()

    scores = tmp_path / "s.parquet"
    said = run("attribute", model, inputs / "one.fa", "-o", scores, "--method", "gradient_x_input")
    assert f"1 sequence, class: {positive} ->" in said
    named = tmp_path / "n.parquet"
    run(
        *("attribute", model, inputs / "one.fa", "-o", named, "--label", positive),
        *("--method", "gradient_x_input"),
    )
    (default,), (of_class,) = (pq.read_table(path).to_pylist() for path in (scores, named))
    assert default == of_class

    picture = tmp_path / "map.svg"
    run("mutagenesis", model, inputs / "one.fa", "-o", tmp_path / "m.tsv", "--plot", picture)
    assert f"<!-- logit of class {positive};" in picture.read_text()


@pytest.mark.parametrize(("positive", "negative"), PAIRS, ids=map("/".join, PAIRS))
def test_scores_motifs_and_mined_negatives_are_told_apart_alike(
    inputs, tmp_path, positive, negative
):
    model = make_model(tmp_path / "model", (positive, negative))
    sequences = random_dna(40, LENGTH, seed=1)
    labels = [positive if index % 3 else negative for index in range(40)]
    table = tmp_path / "t.tsv"
    rows = [f"{s}\t{label}\ttrain" for s, label in zip(sequences, labels, strict=True)]
    table.write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
    probabilities = predict(model, sequences)
    found = np.array([each.probabilities[positive] for each in probabilities])
    truth = [label == positive for label in labels]
    run("evaluate", model, table, "-o", tmp_path / "e.json")
    scores = json.loads((tmp_path / "e.json").read_text())
    assert scores["auprc"] == pytest.approx(average_precision_score(truth, found), abs=1e-3)
    assert scores["recall_binary"] == pytest.approx(recall_score(truth, found > 0.5))
    said = run("motifs", model, table, "-o", tmp_path / "motifs", "--score", "attention")
    assert f"class {positive}: " in said
    assert f"<h1>Motifs of class {positive}" in (tmp_path / "motifs" / "index.html").read_text()
    read_rows = hard_negatives._read(table, None, negative=None, positive=None)
    assert read_rows.negative == negative
    assert hard_negatives._read(table, None, negative=None, positive=negative).negative == positive


def test_training_reports_and_their_pages_name_the_class(tmp_path, inputs):
    """`finetune` stores the class; its card and metrics name it; attention begins with it."""
    positive, negative = PAIRS[0]
    table = tmp_path / "t.tsv"
    labels = [(positive, negative)[index % 2] for index in range(120)]
    splits = ["train"] * 60 + ["dev"] * 60
    rows = zip(random_dna(120, LENGTH, seed=2), labels, splits, strict=True)
    table.write_text("\n".join(["sequence\tlabel\tsplit", *map("\t".join, rows)]) + "\n")
    model = tmp_path / "model"
    small = {"num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2}
    fields = [f"--config={name}={value}" for name, value in small.items()]
    run("finetune", table, "-o", model, "--init", "random", "--k", "3", "--epochs", "1", *fields)
    config = json.loads((model / "config.json").read_text())
    calls = json.loads((model / "metrics.json").read_text())["calls"]
    assert (config["positive"], calls["class"]) == (positive, positive)
    assert f"The class of interest is `{positive}`" in (model / "README.md").read_text()
    run("evaluate", model, table, "--split", "dev", "--plot", tmp_path / "c.svg")
    assert f"<!-- probability of {positive} -->" in (tmp_path / "c.svg").read_text()
    shown = tmp_path / "shown.tsv"
    shown.write_text("\n".join(table.read_text().splitlines()[:7]) + "\n")
    run("attention-report", model, shown, "-o", tmp_path / "report")
    landscape = read(tmp_path / "report" / "landscape.tsv")
    assert list(dict.fromkeys(row["class"] for row in landscape)) == [positive, negative]


def test_what_would_change_data_is_not_guessed(inputs, tmp_path):
    table = tmp_path / "t.tsv"
    rows = [f"{s}\t{'ab'[i % 2]}\ttrain" for i, s in enumerate(random_dna(40, LENGTH, seed=1))]
    table.write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
    genome = open_genome(inputs / "genome.fa")
    with pytest.raises(ValueError, match=r"which of a and b is looked for is not known.*positive"):
        finetune_with_hard_negatives(
            "random", table, genome, output_dir=tmp_path / "m", held_out=["chr1"]
        )


def test_a_class_of_the_config_wins_over_names(inputs, tmp_path):
    model = make_model(tmp_path / "model", ("bound", "free"), positive="free")
    vcf = inputs / "in.vcf"
    genome = inputs / "genome.fa"
    said = run("variants", model, vcf, "--genome", genome, "-o", tmp_path / "v.tsv")
    assert "probability of free" in said
    said = run(
        *("variants", model, vcf, "--genome", genome, "-o", tmp_path / "w.tsv", "--label", "bound")
    )
    assert "probability of bound" in said


def test_lengths_far_from_those_of_training_are_warned_of(inputs, tmp_path, caplog):
    model = make_model(tmp_path / "model", ("bound", "free"))
    genome = inputs / "genome.fa"
    options = ["--step", "10", "-o", tmp_path / "w.tsv", "--window"]
    run("scan", model, genome, *options, "46")
    assert "windows of 46 bases are far from the 30 that the model was trained on" in caplog.text
    caplog.clear()
    run("scan", model, genome, *options, "45", "--overwrite")
    assert "far from" not in caplog.text
    (long,) = random_dna(1, 600)
    for length in (512, 513):
        (tmp_path / "long.fa").write_text(f">long\n{long[:length]}\n")
        run("predict", model, tmp_path / "long.fa", "-o", tmp_path / "p.tsv", "--overwrite")
        assert ("`dnabert scan` gives one for each window" in caplog.text) == (length == 513)


def test_both_strands_are_read_where_the_model_was_trained_so(inputs, tmp_path):
    names = ("bound", "free")
    model = make_model(tmp_path / "model", names, both_strands=True)
    sequences = random_dna(3, LENGTH)
    (default, both, one) = (
        np.array([list(p.probabilities.values()) for p in predict(model, sequences, **options)])
        for options in ({}, {"both_strands": True}, {"both_strands": False})
    )
    assert default == pytest.approx(both, abs=1e-6) and abs(default - one).max() > 1e-3
    for flags, expected in (([], both), (["--no-rc"], one)):
        run("predict", model, inputs / "one.fa", "-o", tmp_path / "p.tsv", "--overwrite", *flags)
        assert expected.shape == (3, 2)
    vcf = inputs / "in.vcf"
    genome = inputs / "genome.fa"
    tables = []
    for name, flags in (("d", []), ("b", ["--rc"]), ("o", ["--no-rc"])):
        out = tmp_path / f"{name}.tsv"
        run("variants", model, vcf, "--genome", genome, "-o", out, *flags)
        tables.append(np.array([float(row["prob_ref_bound"]) for row in read(out)]))
    assert tables[0] == pytest.approx(tables[1], abs=1e-6)
    assert abs(tables[0] - tables[2]).max() > 1e-3
