"""Probes beside scikit-learn, called by hand on the same vectors."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import matthews_corrcoef, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dnabert_hf import DNABertModel, embed, probe
from dnabert_hf.training.kmer_counts.kmer_regression import kmer_logistic_regression


@pytest.fixture
def folder(tiny_config, tokenizer, tmp_path):
    path = tmp_path / "model"
    DNABertModel(tiny_config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def write(path, rows):
    lines = ["\t".join(row) for row in [("sequence", "label", "split"), *rows]]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    found = []
    for i in range(150):
        odds = [0.4, 0.1, 0.1, 0.4] if i % 2 else [0.2, 0.3, 0.3, 0.2]
        sequence = "".join(rng.choice(list("ACGT"), 40, p=odds))
        found.append((sequence, ("bound", "free")[i % 2], "train" if i < 90 else "test"))
    return found


def test_scores_are_those_of_scikit_learn_on_the_same_vectors(folder, rows, tmp_path):
    table = write(tmp_path / "table.tsv", rows)
    result = probe(folder, table, output=tmp_path / "scores.json", neighbours=7, dtype="float32")
    vectors = np.stack([e.embedding for e in embed(folder, [r[0] for r in rows], dtype="float32")])
    train, test = vectors[:90], vectors[90:]
    # Classes as finetune sorts them: bound is 0, and the class of interest.
    labels = np.array([int(row[1] == "free") for row in rows])
    truth = labels[90:]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=result.strength, max_iter=1000))
    probabilities = model.fit(train, labels[:90]).predict_proba(test)
    linear = result.scores["test"]["linear probe"]
    assert linear["mcc"] == pytest.approx(matthews_corrcoef(truth, probabilities.argmax(axis=1)))
    assert linear["auroc"] == pytest.approx(roc_auc_score(truth == 0, probabilities[:, 0]))
    assert 0.3 < linear["mcc"] < 1  # of 60; neither chance nor trivial

    scaled = (vectors - train.mean(axis=0)) / train.std(axis=0)
    near = NearestNeighbors(n_neighbors=7, metric="cosine").fit(scaled[:90])
    votes = labels[:90][near.kneighbors(scaled[90:], return_distance=False)].mean(axis=1)
    assert result.scores["test"]["7-NN"]["auroc"] == pytest.approx(roc_auc_score(truth, votes))
    assert result.scores["test"]["7-NN"]["accuracy"] == np.mean((votes > 0.5) == truth)

    sequences = [row[0] for row in rows]
    counts = kmer_logistic_regression(sequences[:90], labels[:90], sequences[90:])
    regression = result.scores["test"]["5-mer regression"]
    assert regression["mcc"] == pytest.approx(matthews_corrcoef(truth, counts.argmax(axis=1)))
    assert list(result.scores) == ["test"]
    assert result.n_sequences == {"train": 90, "test": 60}
    best = max(linear["mcc"], result.scores["test"]["7-NN"]["mcc"])
    assert (result.advice is not None) == (regression["mcc"] > best)
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written["scores"] == result.scores
    assert (written["neighbours"], written["pooling"]) == (7, "mean")


def test_what_cannot_be_probed_is_told_in_a_line(folder, rows, tmp_path):
    numbers = [(row[0], f"{i / 7:.3f}", row[2]) for i, row in enumerate(rows)]
    one = [(row[0], "bound", row[2]) for row in rows]
    one_in_test = [row for row in rows if row[1:] != ("free", "test")]
    (tmp_path / "plain.tsv").write_text("sequence\nACGTACGT\n")
    for name, table, message in [
        ("numbers", numbers, "a probe cannot be fitted: it is for one class a sequence, not for r"),
        ("one", one, "one class|two classes|different"),
        ("one_in_test", one_in_test, "the test split must hold different labels to be scored"),
    ]:
        with pytest.raises(ValueError, match=message):
            probe(folder, write(tmp_path / f"{name}.tsv", table))
    with pytest.raises(ValueError, match=r"plain\.tsv.* column"):
        probe(folder, tmp_path / "plain.tsv")
    table = write(tmp_path / "table.tsv", rows)
    with pytest.raises(
        ValueError, match="neighbours must be from 1 to 90, the training sequences, got 91"
    ):
        probe(folder, table, neighbours=91)
    with pytest.raises(ValueError, match="pooling must be mean or cls"):
        probe(folder, table, pooling="base")
    with pytest.raises(ValueError, match="must be another file than the input"):
        probe(folder, {"train": table, "test": table}, output=table)
