from collections import Counter
from itertools import pairwise

import pytest

from dnabert_hf.data.building.shuffling import shuffle_chunks, shuffle_dinucleotides


def pairs(sequence):
    return Counter(pairwise(sequence))


def test_dinucleotide_counts_and_ends_stay(random_dna):
    sequences = [random_dna(length) for length in (1, 2, 3, 10, 101, 101, 300)] + ["AAAA", ""]
    shuffled = shuffle_dinucleotides(sequences, seed=1)
    for before, after in zip(sequences, shuffled, strict=True):
        assert pairs(before) == pairs(after)
        assert (before[:1], before[-1:]) == (after[:1], after[-1:])
    moved = [before != after for before, after in zip(sequences, shuffled, strict=True)]
    assert moved[4:7] == [True, True, True]


def test_every_order_is_equally_likely():
    # AC CA AA AG GA in some order, from A to A: loops "C", "A" and "G" of A, in 3! orders.
    counts = Counter(shuffle_dinucleotides(["ACAAGA"] * 6000, seed=3))
    assert set(counts) == {"ACAAGA", "ACAGAA", "AACAGA", "AAGACA", "AGACAA", "AGAACA"}
    assert all(abs(count - 1000) < 150 for count in counts.values())  # 5 standard deviations
    # From A to C: A A C A C C ... the last exit of A must lead to C.
    counts = Counter(shuffle_dinucleotides(["AACAC"] * 4000, seed=3))
    assert set(counts) == {"AACAC", "ACAAC"}
    assert abs(counts["AACAC"] - 2000) < 160


def test_a_seed_fixes_the_shuffles(random_dna):
    sequences = [random_dna(50)]
    assert shuffle_dinucleotides(sequences, seed=1) == shuffle_dinucleotides(sequences, seed=1)
    assert shuffle_dinucleotides(sequences, seed=1) != shuffle_dinucleotides(sequences, seed=2)
    assert shuffle_chunks(sequences, seed=1) == shuffle_chunks(sequences, seed=1)
    assert shuffle_chunks(sequences, seed=1) != shuffle_chunks(sequences, seed=2)


def test_other_letters_cannot_be_shuffled():
    with pytest.raises(ValueError, match=r"sequence 1 \(0-based\) .*found 'N' at position 2"):
        shuffle_dinucleotides(["ACGT", "ACNT"], seed=1)


def test_chunks_move_and_the_others_stay(random_dna):
    sequence = random_dna(300)
    (shuffled,) = shuffle_chunks([sequence], seed=5)
    chunks = [sequence[i : i + 15] for i in range(0, 300, 15)]
    moved = [shuffled[i : i + 15] for i in range(0, 300, 15)]
    assert sorted(chunks) == sorted(moved)
    assert 2 <= sum(a != b for a, b in zip(chunks, moved, strict=True)) <= 12


def test_chunks_of_unequal_length_lose_nothing():
    (shuffled,) = shuffle_chunks(["AACCGGTTAC"], seed=5, n_chunks=3, n_moved=2)
    assert sorted(shuffled) == sorted("AACCGGTTAC")
    assert shuffled != "AACCGGTTAC"


def test_chunks_that_cannot_be_cut_or_moved_are_refused():
    with pytest.raises(ValueError, match=r"sequence 0 .*20 bases at least .*found 4"):
        shuffle_chunks(["ACGT"], seed=1)
    with pytest.raises(ValueError, match="n_moved must be from 2 to n_chunks = 3, got 4"):
        shuffle_chunks(["ACGT"], seed=1, n_chunks=3, n_moved=4)
