import numpy as np
import pytest

from dnabert_hf.training.kmer_counts import kmer_regression
from dnabert_hf.training.kmer_counts.kmer_regression import count_kmers, kmer_logistic_regression


def test_kmers_are_counted_in_alphabetical_order_within_each_sequence():
    counts = count_kmers(["ACGT", "TTTT", "aauc"], k=2).toarray()
    kmers = [a + b for a in "ACGT" for b in "ACGT"]
    found = [{kmers[i]: n for i, n in enumerate(row) if n} for row in counts.tolist()]
    assert found == [{"AC": 1, "CG": 1, "GT": 1}, {"TT": 3}, {"AA": 1, "AT": 1, "TC": 1}]


def test_kmers_with_other_letters_are_not_counted():
    assert count_kmers(["AANAA", "NNNN"], k=2).sum(axis=1).tolist() == [2, 0]


def test_sequences_shorter_than_k_have_no_kmers():
    assert count_kmers(["AC", "ACG", "A"], k=3).sum(axis=1).tolist() == [0, 1, 0]
    assert count_kmers([], k=3).shape == (0, 64)


def test_chunks_do_not_change_the_counts(monkeypatch):
    generator = np.random.default_rng(0)
    sequences = ["".join(generator.choice(list("ACGT"), size=30)) for _ in range(20)]
    whole = count_kmers(sequences, k=3).toarray()
    monkeypatch.setattr(kmer_regression, "_CHUNK_BASES", 70)
    assert (count_kmers(sequences, k=3).toarray() == whole).all()


@pytest.mark.parametrize("k", [0, 13])
def test_k_out_of_range_is_refused(k):
    with pytest.raises(ValueError, match=f"k must be from 1 to 12, got {k}"):
        count_kmers(["ACGT"], k=k)


def test_a_letter_that_is_no_nucleotide_is_named_with_its_sequence():
    with pytest.raises(ValueError, match=r"sequence 1 \(0-based\)"):
        count_kmers(["ACGT", "ACXT"], k=2)


def test_composition_is_learnt():
    generator = np.random.default_rng(1)
    labels = np.arange(60) % 2
    rich = [[0.4, 0.1, 0.1, 0.4], [0.1, 0.4, 0.4, 0.1]]
    sequences = ["".join(generator.choice(list("ACGT"), size=50, p=rich[y])) for y in labels]
    predicted = kmer_logistic_regression(sequences[:40], labels[:40], sequences[40:], k=3)
    assert predicted.shape == (20, 2)
    assert (predicted.argmax(axis=1) == labels[40:]).all()


def test_on_both_strands_a_kmer_counts_as_its_reverse_complement():
    generator = np.random.default_rng(2)
    sequences = ["".join(generator.choice(list("ACGT"), size=30)) for _ in range(10)]
    others = [s[::-1].translate(str.maketrans("ACGT", "TGCA")) for s in sequences]
    for k in (2, 3, 5):
        both = count_kmers(sequences, k=k, both_strands=True).toarray()
        assert (both == count_kmers(others, k=k, both_strands=True).toarray()).all()
        one = count_kmers(sequences, k=k).toarray() + count_kmers(others, k=k).toarray()
        is_first = both.sum(axis=0) > 0
        palindromes = one == 2 * both
        assert ((both == one) | palindromes)[:, is_first].all()
        assert (both.sum(axis=1) == 31 - k).all()


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
    found = kmer_regression._choose_strength(counts, labels)
    assert found == search.best_params_["logisticregression__C"]
