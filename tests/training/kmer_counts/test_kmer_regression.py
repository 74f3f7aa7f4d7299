import numpy as np
import pytest

from dnabert_hf.data.kmers.counts import count_kmers
from dnabert_hf.training.kmer_counts import kmer_regression
from dnabert_hf.training.kmer_counts.kmer_regression import (
    fit_kmer_regression,
    kmer_logistic_regression,
)


def test_composition_is_learnt():
    generator = np.random.default_rng(1)
    labels = np.arange(60) % 2
    rich = [[0.4, 0.1, 0.1, 0.4], [0.1, 0.4, 0.4, 0.1]]
    sequences = ["".join(generator.choice(list("ACGT"), size=50, p=rich[y])) for y in labels]
    predicted = kmer_logistic_regression(sequences[:40], labels[:40], sequences[40:], k=3)
    assert predicted.shape == (20, 2)
    assert (predicted.argmax(axis=1) == labels[40:]).all()


def test_the_strength_is_what_a_grid_search_of_scikit_learn_chooses():
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    generator = np.random.default_rng(3)
    rich = [[0.25, 0.25, 0.25, 0.25], [0.3, 0.25, 0.25, 0.2]]
    labels = np.arange(150) % 2
    sequences = ["".join(generator.choice(list("ACGT"), size=40, p=rich[y])) for y in labels]
    order = np.random.default_rng(0).permutation(150)
    counts = count_kmers(sequences, 3)
    search = GridSearchCV(
        kmer_regression._regression(1.0),
        {"logisticregression__C": kmer_regression._STRENGTHS},
        scoring="neg_log_loss",
        cv=StratifiedKFold(3),
    ).fit(counts[order], labels[order])
    found = kmer_regression.choose_strength(counts, labels)
    assert found == search.best_params_["logisticregression__C"]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_those_of_scikit_learn(n_classes):
    generator = np.random.default_rng(5)
    labels = np.arange(60) % n_classes
    sequences = ["".join(each) for each in generator.choice(list("ACGT"), (60, 25))]
    counts = count_kmers(sequences, 3)
    fitted = kmer_regression._regression(kmer_regression.choose_strength(counts, labels))
    expected = fitted.fit(counts, labels).predict_proba(counts)
    found = fit_kmer_regression(sequences, labels, k=3).probabilities(sequences)
    assert found == pytest.approx(expected, abs=1e-12)
