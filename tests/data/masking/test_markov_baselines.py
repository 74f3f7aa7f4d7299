import itertools

import numpy as np
import pytest

from dnabert_hf.data.masking.markov_baselines import (
    CONTEXT_COUNTS,
    FLANK,
    MARKOV_BOTH_SIDES,
    MARKOV_LEFT,
    BaseStatistics,
    count_words,
)


def digits(dna):
    return np.array(["ATCG".index(base) for base in dna.upper()], dtype=np.uint8)


def contexts_of(dna):
    return np.lib.stride_tricks.sliding_window_view(dna, 2 * FLANK + 1)


def mean_bits(probabilities, contexts):
    return -np.log2(probabilities[np.arange(len(contexts)), contexts[:, FLANK]]).mean()


def draw_chain(transitions, n, seed):
    """Draw from an order-2 chain, transitions of shape (4, 4, 4)."""
    rng = np.random.default_rng(seed)
    thresholds = transitions.cumsum(axis=-1)
    dna = np.zeros(n, dtype=np.uint8)
    for i, coin in enumerate(rng.random(n - 2), 2):
        dna[i] = min(3, np.searchsorted(thresholds[dna[i - 2], dna[i - 1]], coin))
    return dna


@pytest.fixture(scope="module")
def transitions():
    return np.random.default_rng(7).dirichlet([0.4] * 4, size=(4, 4))


@pytest.fixture(scope="module")
def chain(transitions):
    return draw_chain(transitions, 60_000, seed=1), draw_chain(transitions, 20_000, seed=2)


def test_words_are_counted_within_runs_and_the_soft_mask_is_ignored():
    soft_masked = digits("ATTA") | np.array([0, 0x80, 0x80, 0], dtype=np.uint8)
    counts = count_words([soft_masked, digits("TT"), digits("G")], 2)
    words = {(a, b): counts[4 * a + b] for a, b in itertools.product(range(4), repeat=2)}
    assert {word: n for word, n in words.items() if n} == {(0, 1): 1, (1, 1): 2, (1, 0): 1}


def test_words_across_the_chunks_of_a_long_run_are_counted(monkeypatch):
    monkeypatch.setattr("dnabert_hf.data.masking.markov_baselines._CHUNK", 5)
    dna = np.random.default_rng(0).integers(0, 4, 23, dtype=np.uint8)
    counts = count_words([dna], 3)
    assert counts.sum() == 21
    words = np.lib.stride_tricks.sliding_window_view(dna, 3) @ np.array([16, 4, 1])
    assert counts.tolist() == np.bincount(words, minlength=64).tolist()


def test_a_markov_chain_is_predicted_at_its_true_entropy(chain, transitions):
    """At order 2 no model can do better than the chain itself, from the left or from both sides."""
    train, test = chain
    contexts = contexts_of(test)
    predicted = BaseStatistics([train]).probabilities(contexts)
    middle = [contexts[:, FLANK + i].astype(int) for i in range(-2, 3)]
    true_left = -np.log2(transitions[middle[0], middle[1], middle[2]]).mean()
    assert mean_bits(predicted[MARKOV_LEFT][2], contexts) == pytest.approx(true_left, abs=0.01)

    joint = np.stack(
        [
            transitions[middle[0], middle[1], base]
            * transitions[middle[1], base, middle[3]]
            * transitions[base, middle[3], middle[4]]
            for base in range(4)
        ],
        axis=1,
    )
    true_both = mean_bits(joint / joint.sum(axis=1, keepdims=True), contexts)
    assert true_both < true_left - 0.1
    found = mean_bits(predicted[MARKOV_BOTH_SIDES][2], contexts)
    assert found == pytest.approx(true_both, abs=0.01)
    # Two bases on either side are all that the chain knows: counts of them come to the same.
    assert mean_bits(predicted[CONTEXT_COUNTS][2], contexts) == pytest.approx(true_both, abs=0.02)
    # Larger sizes may only lose what smoothing costs.
    for kind in (MARKOV_LEFT, MARKOV_BOTH_SIDES, CONTEXT_COUNTS):
        largest = mean_bits(predicted[kind][-1], contexts)
        assert largest < mean_bits(predicted[kind][2], contexts) + 0.05


def test_a_base_of_a_repeat_is_certain_from_its_neighbours():
    repeat = digits("ACGGTCAATG" * 400)
    contexts = contexts_of(repeat[:60])
    predicted = BaseStatistics([repeat]).probabilities(contexts)
    for kind in (MARKOV_LEFT, MARKOV_BOTH_SIDES, CONTEXT_COUNTS):
        truth = predicted[kind][-1][np.arange(len(contexts)), contexts[:, FLANK]]
        assert truth.min() > 0.99
    # Without neighbours: A 3, T 2, C 2, G 3 of 10 bases.
    np.testing.assert_allclose(predicted[MARKOV_LEFT][0][0], [0.3, 0.2, 0.2, 0.3], atol=0.01)
    np.testing.assert_array_equal(predicted[MARKOV_LEFT][0], predicted[CONTEXT_COUNTS][0])


def test_every_prediction_sums_to_one_and_ignores_the_base_itself(chain):
    train, test = chain
    contexts = contexts_of(test)[:500].copy()
    statistics = BaseStatistics([train])
    predicted = statistics.probabilities(contexts)
    contexts[:, FLANK] = 0
    masked = statistics.probabilities(contexts)
    for kind, sizes in predicted.items():
        for size, probabilities in enumerate(sizes):
            assert probabilities.shape == (500, 4)
            np.testing.assert_allclose(probabilities.sum(axis=1), 1)
            assert probabilities.min() > 0
            np.testing.assert_array_equal(probabilities, masked[kind][size])


def test_both_strands_are_counted_where_that_helps(chain):
    """A chain has a direction; DNA that is read on either strand at random has none."""
    train, _ = chain
    assert not BaseStatistics([train]).both_strands
    reverse = (train ^ 1)[::-1]
    blocks = np.array_split(train, 200) + np.array_split(reverse, 200)
    order = np.random.default_rng(0).permutation(len(blocks))
    assert BaseStatistics([blocks[i] for i in order]).both_strands


def test_the_other_strand_is_that_of_the_reverse_complement():
    from dnabert_hf.data.masking.markov_baselines import _add_other_strand

    dna = np.random.default_rng(3).integers(0, 4, 300, dtype=np.uint8)
    for length in (1, 2, 5):
        both = count_words([dna], length) + count_words([(dna ^ 1)[::-1]], length)
        np.testing.assert_array_equal(_add_other_strand(count_words([dna], length)), both)


def test_words_grow_with_the_training_dna(chain):
    assert BaseStatistics([chain[0][:2000]]).word_length == 7  # 4**7 <= 16 x 2000 < 4**8
    sizes = BaseStatistics([chain[0][:2000]]).probabilities(contexts_of(chain[1][:40]))
    assert {kind: len(of_kind) for kind, of_kind in sizes.items()} == {
        MARKOV_LEFT: 7,
        MARKOV_BOTH_SIDES: 7,
        CONTEXT_COUNTS: 4,
    }


def test_too_little_dna_is_refused():
    message = "must hold some hundred known bases in a row for the counts, found 90 bases in 3 runs"
    with pytest.raises(ValueError, match=message):
        BaseStatistics([np.zeros(30, dtype=np.uint8)] * 3)
