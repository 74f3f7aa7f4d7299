import numpy as np
import pytest

from dnabert_hf.data.kmers import counts as kmer_counts
from dnabert_hf.data.kmers.counts import KmerRegression, count_kmers


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
    monkeypatch.setattr(kmer_counts, "_CHUNK_BASES", 70)
    assert (count_kmers(sequences, k=3).toarray() == whole).all()


@pytest.mark.parametrize("k", [0, 13])
def test_k_out_of_range_is_refused(k):
    with pytest.raises(ValueError, match=f"k must be from 1 to 12, got {k}"):
        count_kmers(["ACGT"], k=k)


def test_a_letter_that_is_no_nucleotide_is_named_with_its_sequence():
    with pytest.raises(ValueError, match=r"sequence 1 \(0-based\)"):
        count_kmers(["ACGT", "ACXT"], k=2)


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


def test_a_regression_is_read_as_it_was_written_and_damage_is_told(tmp_path):
    generator = np.random.default_rng(4)
    regression = KmerRegression(2, True, generator.normal(size=(3, 16)), np.array([0.0, 1, 2]))
    regression.write(tmp_path / "kmers.npz")
    again = KmerRegression.read(tmp_path / "kmers.npz")
    assert (again.k, again.both_strands) == (2, True)
    assert (again.probabilities(["ACGT"]) == regression.probabilities(["ACGT"])).all()
    whole = (tmp_path / "kmers.npz").read_bytes()
    for damaged in (whole[:200], b"", whole[:-40]):
        (tmp_path / "kmers.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"kmers\.npz must hold a regression .*; make it"):
            KmerRegression.read(tmp_path / "kmers.npz")
    KmerRegression(3, True, regression.weights, regression.intercepts).write(tmp_path / "other.npz")
    with pytest.raises(ValueError, match=r"weights of shape \(3, 16\) for k = 3"):
        KmerRegression.read(tmp_path / "other.npz")
