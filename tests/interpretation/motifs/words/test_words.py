import numpy as np
import pytest
from scipy.stats import hypergeom

from dnabert_hf.data.reading.sequence_array import JoinedSequences
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.motifs.words.enrichment import (
    count_holders,
    enrichment_of_words,
    hypergeometric_p,
)
from dnabert_hf.interpretation.motifs.words.merging import Placement, merge_words
from dnabert_hf.interpretation.motifs.words.regions import find_regions, words_of_regions


def random_dna(generator, n, *, letters="ACGT", shortest=3, longest=60):
    lengths = generator.integers(shortest, longest, size=n)
    return ["".join(generator.choice(list(letters), size=length)) for length in lengths]


def words_of(generator, sequences, n, longest):
    words = set()
    while len(words) < n:
        sequence = sequences[generator.integers(len(sequences))]
        start = generator.integers(len(sequence))
        word = sequence[start : start + generator.integers(2, longest)]
        if word and "N" not in word:
            words.add(word)
    return sorted(words)


def test_regions_are_runs_above_the_mean_and_ten_times_the_minimum():
    scores = {
        # mean 0.4, ten times the minimum 0.1: three runs, of 3, 2 and 1 bases
        "ACGTACGTAC": [0.01, 0.9, 0.9, 0.9, 0.01, 0.6, 0.6, 0.01, 0.06, 0.01],
        # above the mean of 0.5, but not above ten times the minimum of 0.1
        "AAAATTTT": [0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9],
        # N ends a run; a run goes up to the end of its sequence and no further
        "CCNCCC": [0.0, 0.5, 0.5, 0.5, 0.5, 0.01],
        "GGGGGG": [0.9, 0.9, 0.9, 0.01, 0.01, 0.01],
    }
    joined = JoinedSequences.from_text(list(scores))
    regions = find_regions(joined, np.concatenate(list(scores.values())), min_len=2)
    expected = [(0, 1, 4), (0, 5, 7), (2, 3, 5), (3, 0, 3)]
    assert list(zip(*(part.tolist() for part in regions), strict=True)) == expected
    assert words_of_regions(list(scores), regions) == ["CGT", "CG", "CC", "GGG"]


@pytest.mark.parametrize("both_strands", [False, True])
def test_words_of_any_length_are_counted_as_plain_python_counts_them(both_strands, monkeypatch):
    monkeypatch.setattr(
        "dnabert_hf.interpretation.motifs.words.enrichment._PART_BASES", 700
    )  # several parts
    generator = np.random.default_rng(0)
    sequences = random_dna(generator, 120, letters="ACGTACGTACGTN") + ["ACGT" * 20] * 3
    words = words_of(generator, sequences, 400, 45)
    if both_strands:
        words = sorted({min(word, reverse_complement(word)) for word in words})
    is_positive = generator.random(len(sequences)) < 0.4
    found = count_holders(
        words, JoinedSequences.from_text(sequences), is_positive, both_strands=both_strands
    )
    for word, n, n_positive in zip(words, *found, strict=True):
        other = reverse_complement(word) if both_strands else word
        holds = np.array([word in each or other in each for each in sequences])
        assert (n, n_positive) == (holds.sum(), holds[is_positive].sum()), word


def test_p_values_by_hand():
    # 3 of 6 are of the class. Two drawn, both of the class: 3/6 * 2/5; at least one: 1 - 3/6 * 2/5.
    found = hypergeometric_p(np.array([2, 1, 0]), np.array([2, 2, 2]), n_positive=3, n=6)
    np.testing.assert_allclose(found, [0.2, 0.8, 1.0])


def test_p_values_are_those_of_scipy():
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, 501, 2000)
    observed = np.clip(generator.integers(0, 212, 2000), drawn + 211 - 500, drawn)
    found = hypergeometric_p(observed, drawn, n_positive=211, n=500)
    np.testing.assert_allclose(found, hypergeom.sf(observed - 1, 500, 211, drawn), rtol=1e-8)


def test_p_values_far_out_keep_their_digits():
    found = hypergeometric_p(np.array([7000]), np.array([8000]), n_positive=8000, n=16000)
    assert found[0] == 0.0 or np.log(found[0]) < -700
    found = hypergeometric_p(np.array([300]), np.array([300]), n_positive=8000, n=16000)
    assert np.log(found[0]) == pytest.approx(hypergeom.logsf(299, 16000, 8000, 300), rel=1e-9)


def test_q_values_by_hand():
    sequences = ["AACC", "AACC", "AACC", "GGTT", "GGTT", "AATT"]
    is_positive = np.array([True, True, True, False, False, False])
    joined = JoinedSequences.from_text(sequences)
    found = enrichment_of_words(["CC", "AA"], joined, is_positive)
    # CC: 3 of 3 drawn, 1 of 20 ways. AA: 3 of 4 drawn, 3 of 15.
    np.testing.assert_allclose(found.p_values, [1 / 20, 1 / 5])
    np.testing.assert_allclose(found.q_values, [2 / 20, 1 / 5])


def test_merging_by_hand():
    words = ["GATTACA", "CACGTG", "TACACG", "CACGTGAC"]
    # Shortest first. CACGTG begins. TACACG overlaps it by CACG: 4 points of the needed max(4, 3).
    # GATTACA overlaps by CA only: a motif of its own. CACGTGAC fits the first with 6 points.
    assert merge_words(words, min_len=5) == [
        Placement(1, 0, False),
        Placement(0, 0, False),
        Placement(0, -2, False),
        Placement(0, 0, False),
    ]


def test_merging_turns_words_round():
    assert merge_words(["GGAAGT", "ACTTCCGG"], min_len=5) == [
        Placement(0, 0, False),
        Placement(1, 0, False),
    ]
    # Its reverse complement, CCGGAAGT, begins two bases before.
    assert merge_words(["GGAAGT", "ACTTCCGG"], min_len=5, both_strands=True) == [
        Placement(0, 0, False),
        Placement(0, -2, True),
    ]


def merge_plainly(words, min_len, both_strands):
    """What `merge_words` does, letter by letter."""
    leaders, placements = [], {}
    for word in sorted(words, key=len):
        best = (0, None)
        for is_reverse in (False, True)[: 1 + both_strands]:
            strand = reverse_complement(word) if is_reverse else word
            for motif, leader in enumerate(leaders):
                scored = [
                    (sum(a == b for a, b in overlap(leader, strand, offset)), -offset)
                    for offset in range(1 - len(strand), len(leader))
                ]
                score, offset = max(scored)
                needed = max(min_len - 1, min(len(leader), len(strand)) / 2)
                if score >= needed and score > best[0]:
                    best = (score, Placement(motif, -offset, is_reverse))
        placements[word] = best[1] or Placement(len(leaders), 0, False)
        if best[1] is None:
            leaders.append(word)
    return [placements[word] for word in words]


def overlap(leader, word, offset):
    return [
        (leader[i + offset], base) for i, base in enumerate(word) if 0 <= i + offset < len(leader)
    ]


@pytest.mark.parametrize(("min_len", "both_strands"), [(5, False), (6, True)])
def test_merging_is_the_plain_one(min_len, both_strands):
    generator = np.random.default_rng(1)
    words = sorted(set(random_dna(generator, 120, shortest=5, longest=16)))
    expected = merge_plainly(words, min_len, both_strands)
    assert merge_words(words, min_len=min_len, both_strands=both_strands) == expected


def test_words_beyond_64_bases_are_merged_by_their_middle():
    generator = np.random.default_rng(0)
    long = "".join(generator.choice(list("ACGT"), size=80))
    assert merge_words([long[30:40], long]) == [Placement(0, 0, False), Placement(0, -30, False)]
    found = merge_words([long[30:40], reverse_complement(long)], both_strands=True)
    assert found[1] == Placement(0, -30, True)
