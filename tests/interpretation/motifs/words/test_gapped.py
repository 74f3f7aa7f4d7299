import numpy as np
import pytest
from scipy.stats import binom

from dnabert_hf.data.reading.sequence_array import UNKNOWN, JoinedSequences
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.motifs.words.gapped import (
    Holders,
    count_gapped_words,
    excess_p_values,
    most_enriched_gapped_word,
)


def number(word):
    return int(word.translate(str.maketrans("ACGT", "0123")), 4)


def gapped_words(sequence, gap):
    ends = range(6 + gap, len(sequence) + 1)
    words = {sequence[i - 6 - gap : i - 3 - gap] + sequence[i - 3 : i] for i in ends}
    return {
        sequence[i - 6 - gap : i - 3 - gap] + sequence[i - 3 : i]
        for i in ends
        if "N" not in sequence[i - 6 - gap : i]
    } & words


@pytest.mark.parametrize("both_strands", [False, True])
def test_gapped_words_are_counted_as_plain_python_counts_them(both_strands):
    generator = np.random.default_rng(0)
    sequences = [
        "".join(generator.choice(list("ACGTACGTACGTN"), size=generator.integers(3, 60)))
        for _ in range(50)
    ]
    joined = JoinedSequences.from_text(sequences)
    found = count_gapped_words(
        joined, np.arange(len(joined.codes)), joined.n_known, n_gaps=5, both_strands=both_strands
    )
    for gap in range(5):
        expected = np.zeros(4**6, dtype=int)
        for sequence in sequences:
            words = gapped_words(sequence, gap)
            if both_strands:
                words = {min(number(word), number(reverse_complement(word))) for word in words}
            else:
                words = {number(word) for word in words}
            expected[list(words)] += 1
        np.testing.assert_array_equal(found.counts[gap], expected)


def test_words_lie_within_their_room():
    joined = JoinedSequences.from_text(["AAACCCGGG"])
    found = count_gapped_words(
        joined, np.array([0, 1]), np.array([6, 5]), n_gaps=2, both_strands=False
    )
    assert np.flatnonzero(found.counts[0]).tolist() == [number("AAACCC")]
    assert found.counts[1].sum() == 0
    assert found.n_places.tolist() == [1, 0]


def test_p_values_are_those_of_a_binomial():
    # Sequences of one length on both sides: holders fall to either by their numbers, 40 to 120.
    places = np.array([40 * 95]), np.array([120 * 95])
    here, elsewhere = np.array([[9, 3, 30, 10]]), np.array([[5, 9, 30, 30]])
    found = excess_p_values(Holders(here, 40, places[0]), Holders(elsewhere, 120, places[1]))
    # 3 of 12 and 10 of 40 are what is expected: no excess.
    expected = [binom.sf(8, 14, 0.25), 1, binom.sf(29, 60, 0.25), 1]
    np.testing.assert_allclose(found[0], expected, rtol=1e-9)


def test_the_best_word_is_read_with_its_gap():
    counts = np.zeros((3, 4**6), dtype=int)
    counts[2, number("GATTAC")], counts[0, number("CCCCCC")] = 40, 20
    none = Holders(np.zeros_like(counts), 100, np.full(3, 9500))
    attended = Holders(counts, 100, np.full(3, 2000))
    word = most_enriched_gapped_word(attended, none, max_p=0.005, min_holders=3)
    np.testing.assert_array_equal(word, [2, 0, 3, UNKNOWN, UNKNOWN, 3, 0, 1])
    assert most_enriched_gapped_word(none, none, max_p=0.005, min_holders=3) is None
    assert most_enriched_gapped_word(attended, none, max_p=0.005, min_holders=41) is None
