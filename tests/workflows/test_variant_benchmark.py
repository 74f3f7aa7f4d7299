"""Benchmarks of variants on generated ones; areas and matching by scikit-learn and by hand."""

import csv
import random

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from typer.testing import CliRunner

from dnabert_hf import DNABertForMaskedLM
from dnabert_hf.cli.main import app
from dnabert_hf.workflows.variant_benchmark.matching import mean_differences, nearest_negatives
from dnabert_hf.workflows.variant_benchmark.run import measure_areas

SUITE = """
kind: variants
data:
  planted: {path: v.tsv, genome: g.fa, match: [gc, tss_distance, frequency], annotation: genes.gtf}
models:
  tiny: {init: model, window: 21}
  counts: {init: kmers, train: train.tsv, k: 2, window: 21}
  kind: {init: transversion}
  CpG: {init: cpg}
"""
TRANSITION = dict(zip("ACGT", "GTAC", strict=True))


@pytest.fixture
def folder(tiny_config, tokenizer, tmp_path, monkeypatch):
    """A genome with a gene, variants of which the transversions are positive, and a suite."""
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    rng = random.Random(0)
    dna = "".join(rng.choices("ACGT", k=1200))
    (tmp_path / "g.fa").write_text(f">chr1\n{dna}\n")
    about = 'gene_id "g"; transcript_id "t";'
    lines = [f"chr1\tx\texon\t{a}\t{b}\t.\t+\t.\t{about}\n" for a, b in ((301, 500), (601, 700))]
    (tmp_path / "genes.gtf").write_text("".join(lines))
    rows = ["contig\tposition_1based\tref\talt\tlabel\tfrequency\n"]
    for number, start in enumerate(range(30, 1170, 9)):
        is_positive = number % 4 == 0
        ref = dna[start]
        others = [base for base in "ACGT" if base not in (ref, TRANSITION[ref])]
        alt = others[0] if is_positive else TRANSITION[ref]
        frequency = rng.random() - 0.3 * is_positive
        label = "?" if number % 20 == 1 else int(is_positive)
        rows.append(f"chr1\t{start + 1}\t{ref}\t{alt}\t{label}\t{frequency:.3f}\n")
    (tmp_path / "v.tsv").write_text("".join(rows))
    train = [(rng.choices("ACGT", (1, 2, 2, 1), k=30), 1) for _ in range(8)]
    train += [(rng.choices("ACGT", k=30), 0) for _ in range(8)]
    text = "".join(f"{''.join(sequence)}\t{label}\ttrain\n" for sequence, label in train)
    (tmp_path / "train.tsv").write_text("sequence\tlabel\tsplit\n" + text)
    DNABertForMaskedLM(tiny_config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def run(folder):
    typed = ["benchmark", str(folder / "suite.yaml"), "-o", str(folder / "out")]
    return CliRunner().invoke(app, typed)


def test_areas_are_those_of_scikit_learn_on_all_matched_and_grouped_variants(folder):
    result = run(folder)
    assert result.exit_code == 0, result.stderr
    rows = read_table(folder / "out" / "scores.tsv")
    labels = [row["label"] for row in read_table(folder / "v.tsv") if row["label"] != "?"]
    truth = np.array(labels) == "1"
    scored = read_table(folder / "out" / "scores" / "planted-tiny.tsv")
    values = -np.array([float(row["log_likelihood_ratio"]) for row in scored])
    (row,) = (r for r in rows if (r["set"], r["score"]) == ("all", "-log_likelihood_ratio"))
    assert float(row["auroc"]) == pytest.approx(roc_auc_score(truth, values), abs=1e-4)
    assert float(row["auprc"]) == pytest.approx(average_precision_score(truth, values), abs=1e-4)
    kinds = {r["set"]: float(r["auroc"]) for r in rows if r["model"] == "kind"}
    assert kinds.keys() == {"all", "matched", "region: intergenic", "region: exon"}
    assert set(kinds.values()) == {1.0}  # that is what was planted
    (matched,) = (r for r in rows if (r["set"], r["model"]) == ("matched", "CpG"))
    assert matched["positive"] == matched["negative"] == str(truth.sum())
    report = (folder / "out" / "report.md").read_text()
    assert "7 rows labelled '?' are left out" in report
    assert "groups with fewer than 5 of a class: intron" in report
    (line,) = (each for each in report.splitlines() if each.startswith("| `frequency` |"))
    before, after = (abs(float(cell)) for cell in line.split("|")[2:4])
    assert after < before > 0.3
    # What is scored is not scored again.
    table = folder / "out" / "scores" / "planted-tiny.tsv"
    before = table.stat().st_mtime_ns
    assert run(folder).exit_code == 0
    assert table.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: variants", "kind: genes", "the kind of a suite must be variants or none"),
        ("v.tsv", "w.tsv", "must name files, found none at"),
        ("frequency]", "rarity]", "found none called rarity among contig"),
        ("window: 21", "wndow: 21", "wndow"),
        ("{init: cpg}", "{init: kmers}", "must name sequences to train on"),
        ("annotation:", "ratio: 9, annotation:", "needs as many, found"),
    ],
)
def test_suites_that_cannot_be_run_end_in_one_line(folder, old, new, message):
    (folder / "suite.yaml").write_text(SUITE.replace(old, new))
    result = run(folder)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_the_nearest_negative_is_taken_once():
    """By hand, one covariate: 5 takes 6, 0 takes 1; with two each, then 9 and 20 are left."""
    is_positive = np.array([True, True, False, False, False, False])
    values = np.array([[5.0], [0.0], [6.0], [1.0], [9.0], [20.0]])
    assert nearest_negatives(is_positive, values).tolist() == [0, 1, 2, 3]
    assert nearest_negatives(is_positive, values, ratio=2).tolist() == [0, 1, 2, 3, 4, 5]
    values[1] = 5.0  # both want 6, and then 1, which comes before 9
    assert nearest_negatives(is_positive, values).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="matching 3 negatives to each of 2 positives needs"):
        nearest_negatives(is_positive, values, ratio=3)
    assert np.isnan(mean_differences(is_positive[1:], values[1:])).all()
    assert mean_differences(is_positive, np.ones((6, 1))).tolist() == [0]


def test_the_error_of_an_area_is_that_of_hanley_and_mcneil():
    """Their example of 58 normal and 51 abnormal cases (1982, table I)."""
    ratings = {True: [3, 2, 2, 11, 33], False: [33, 6, 6, 11, 2]}
    truth, scores = [], []
    for kind, counts in ratings.items():
        for rating, n in enumerate(counts):
            truth += [kind] * n
            scores += [rating] * n
    areas = measure_areas(np.array(truth), np.array(scores, dtype=float))
    assert (round(areas.auroc, 3), round(areas.error, 3)) == (0.893, 0.032)
