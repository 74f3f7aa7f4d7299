"""Predictions for single bases, and the files they go to."""

import numpy as np
import pytest
from pyarrow import parquet

from dnabert_hf import DNABertForTokenClassification, evaluate, predict_bases
from dnabert_hf.inference.output.writer import PartedOutput

LONG = "ACGTTGCAAGGCTNACGTACGGATTACAGGCATGAGCCACCGCGCCCGGCCTTAAGC"


@pytest.fixture
def token_folder(tiny_config, tokenizer, tmp_path):
    tiny_config.max_position_embeddings = 20
    tiny_config.id2label = {0: "0", 1: "D", 2: "A"}
    tiny_config.label2id = {"0": 0, "D": 1, "A": 2}
    path = tmp_path / "token"
    DNABertForTokenClassification(tiny_config).eval().save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "s.fa"
    path.write_text(f">short\nACGTACGTTT\n>long\n{LONG}\n")
    return path


def test_a_base_is_the_mean_of_the_models_kmers_over_it(token_folder, tokenizer):
    model = DNABertForTokenClassification.from_pretrained(token_folder)
    (prediction,) = predict_bases(token_folder, ["ACGTACGTTT"], dtype="float32")
    logits = model(**tokenizer("ACGTACGTTT", return_tensors="pt")).logits
    of_kmers = logits[0, 1:-1].softmax(-1).detach().numpy()
    expected = [of_kmers[max(0, i - 2) : i + 1].mean(axis=0) for i in range(10)]
    np.testing.assert_allclose(prediction.probabilities, expected, atol=1e-5)
    assert prediction.labels == "".join("0DA"[i] for i in np.argmax(expected, axis=1))


def test_long_sequences_are_joined_from_windows_that_overlap(token_folder):
    (whole,) = predict_bases(token_folder, [LONG], dtype="float32")
    assert whole.probabilities.shape == (len(LONG), 3)
    (first,) = predict_bases(token_folder, [LONG[:20]], dtype="float32")  # 18 k-mers
    (last,) = predict_bases(token_folder, [LONG[-20:]], dtype="float32")
    np.testing.assert_allclose(whole.probabilities[:17], first.probabilities[:17], atol=1e-5)
    np.testing.assert_allclose(whole.probabilities[-14:], last.probabilities[-14:], atol=1e-5)


def test_both_strands_give_the_same_bases_on_either(token_folder):
    other = LONG[::-1].translate(str.maketrans("ACGT", "TGCA"))
    one, two = predict_bases(token_folder, [LONG, other], both_strands=True, dtype="float32")
    np.testing.assert_allclose(one.probabilities, two.probabilities[::-1], atol=1e-5)


def test_files_hold_what_is_returned(token_folder, fasta, tmp_path):
    predictions = predict_bases(token_folder, fasta, dtype="float32")
    for suffix in ("tsv", "parquet", "bed"):
        predict_bases(token_folder, fasta, output=tmp_path / f"out.{suffix}", dtype="float32")
    lines = (tmp_path / "out.tsv").read_text().splitlines()
    assert lines[0] == "id\tposition\tbase\tlabel\tprob_0\tprob_D\tprob_A"
    table = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert len(lines) - 1 == len(table) == 10 + len(LONG)
    bases = [(p, i) for p in predictions for i in range(len(p.sequence))]
    for line, row, (prediction, i) in zip(lines[1:], table, bases, strict=True):
        label = "." if prediction.sequence[i] == "N" else prediction.labels[i]
        assert line.split("\t")[:4] == [prediction.id, str(i), prediction.sequence[i], label]
        assert (row["id"], row["position"], row["label"]) == (prediction.id, i, label)
        assert row["prob_D"] == pytest.approx(prediction.probabilities[i, 1])
    called = {}
    for line in (tmp_path / "out.bed").read_text().splitlines():
        name, start, end, label, score, strand = line.split("\t")
        assert strand == "."
        assert 0 <= int(score) <= 1000
        called |= {(name, i): label for i in range(int(start), int(end))}
    assert called == {
        (p.id, i): p.labels[i] for p, i in bases if p.labels[i] in "DA" and p.sequence[i] != "N"
    }


def test_runs_of_one_class_can_be_asked_for(token_folder, fasta, tmp_path):
    found = set()
    for label in "0DA":
        predict_bases(token_folder, fasta, output=tmp_path / f"{label}.bed", label=label)
        lines = (tmp_path / f"{label}.bed").read_text().splitlines()
        assert {line.split("\t")[3] for line in lines} <= {label}
        found |= {label} if lines else set()
    assert found == {*"".join(p.labels for p in predict_bases(token_folder, fasta))}
    with pytest.raises(ValueError, match="the class must be one of 0, D, A, got 'x'"):
        predict_bases(token_folder, fasta, output=tmp_path / "x.bed", label="x")


def test_a_stopped_run_goes_on_to_the_same_bytes(token_folder, fasta, tmp_path, monkeypatch):
    monkeypatch.setattr("dnabert_hf.inference.predict_bases._CHUNK_BASES", 8)
    predict_bases(token_folder, fasta, output=tmp_path / "whole.tsv")
    write = PartedOutput.write

    def stop(self, rows):
        write(self, rows)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PartedOutput, "write", stop)
        with pytest.raises(KeyboardInterrupt, match="stopped after 1 record;"):
            predict_bases(token_folder, fasta, output=tmp_path / "stopped.tsv")
    predict_bases(token_folder, fasta, output=tmp_path / "stopped.tsv")
    assert (tmp_path / "stopped.tsv").read_bytes() == (tmp_path / "whole.tsv").read_bytes()


def test_evaluate_scores_labelled_bases_only(token_folder, tmp_path):
    (prediction,) = predict_bases(token_folder, [LONG], dtype="float32")
    labels = prediction.labels
    wrong = "0DA"[("0DA".index(labels[0]) + 1) % 3]
    half = len(LONG) // 2
    text = wrong + labels[1:half] + "." * (len(LONG) - half)
    (tmp_path / "t.tsv").write_text(f"sequence\tlabel\n{LONG}\t{text}\n")
    scores = evaluate(token_folder, tmp_path / "t.tsv", dtype="float32").scores
    assert scores["accuracy"] == pytest.approx(1 - 1 / half)
    assert scores["mcc"] < 1


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("0" * 9, "one letter for each of the 10 bases .*found 9"),
        ("0000x00000", r"base 4 \(0-based\): a label must be one of .*found 'x'"),
        ("." * 10, "must have labelled bases to score, found none"),
    ],
)
def test_labels_that_do_not_fit_are_refused(token_folder, tmp_path, label, message):
    (tmp_path / "t.tsv").write_text(f"sequence\tlabel\nACGTACGTTT\t{label}\n")
    with pytest.raises(ValueError, match=message):
        evaluate(token_folder, tmp_path / "t.tsv")


def test_pairs_and_models_of_sequences_are_refused(token_folder, folder, tmp_path):
    (tmp_path / "p.tsv").write_text("sequence\tsequence_b\nACGTA\tACGTT\n")
    with pytest.raises(ValueError, match="bases are classified in one sequence, found a pair"):
        predict_bases(token_folder, tmp_path / "p.tsv")
    with pytest.raises(ValueError, match="found DNABertForSequenceClassification; train one"):
        predict_bases(folder, ["ACGTACGT"], output=tmp_path / "o.bed")
