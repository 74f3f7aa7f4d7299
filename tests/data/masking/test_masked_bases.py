import numpy as np
import pytest

from dnabert_hf import DNABertTokenizer
from dnabert_hf.data.masking.markov_baselines import FLANK
from dnabert_hf.data.masking.masked_bases import (
    agreeing_kmers,
    choose_masked_bases,
    combine_votes,
    score_bases,
    vote_for_bases,
)

STRETCHES = np.array([[0, 3000], [4000, 4060], [5000, 5600], [9000, 12345]])


@pytest.mark.parametrize("k", range(2, 9))
def test_each_base_is_masked_alone_and_some_15_percent_of_the_kmers_with_them(k):
    masked = choose_masked_bases(STRETCHES, k=k)
    n_masked = n_kmers = 0
    for window, (start, end) in enumerate(zip(masked.starts, masked.ends, strict=True)):
        positions = masked.positions[masked.windows == window] - start
        is_masked = np.zeros(end - start - k + 1, dtype=bool)
        for position in positions:
            assert k <= position < end - start - k
            is_masked[position - k + 1 : position + 1] = True
        # At least k visible k-mers between two spans show every base but the masked ones.
        assert (np.diff(positions) >= 2 * k).all()
        is_shown = np.convolve(~is_masked, np.ones(k, dtype=int)) > 0
        assert np.flatnonzero(~is_shown).tolist() == positions.tolist()
        if end - start == 509 + k:
            n_masked, n_kmers = n_masked + is_masked.sum(), n_kmers + 510
    # Whole spans of k in 510 k-mers: 10 of 7 at k = 7, 13.7 %.
    assert n_masked / n_kmers == pytest.approx(0.15, abs=0.015)


def test_windows_tile_each_stretch_without_its_flanks():
    masked = choose_masked_bases(STRETCHES, k=6)
    windows = list(zip(masked.starts.tolist(), masked.ends.tolist(), strict=True))
    # 3000 bases: 5 windows of 515 bases and one of 403 between the flanks of 11.
    assert windows[:6] == [(11 + 515 * i, 526 + 515 * i) for i in range(5)] + [(2586, 2989)]
    # 4000-4060 leaves 38 bases, less than the 45 of one masked base; 5000-5600 leaves 515 and 63.
    assert windows[6:9] == [(5011, 5526), (5526, 5589), (9011, 9526)]
    assert FLANK == 11
    assert np.bincount(masked.windows)[:8].tolist() == [12] * 5 + [9, 12, 1]


def test_the_choice_depends_on_the_seed_alone():
    first, again = (choose_masked_bases(STRETCHES, k=4, seed=1) for _ in range(2))
    other = choose_masked_bases(STRETCHES, k=4, seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert np.array_equal(first.starts, other.starts)
    assert not np.array_equal(first.positions, other.positions)


def test_a_limit_spreads_the_windows_evenly():
    every = choose_masked_bases(np.array([[0, 51522]]), k=6)  # 100 windows
    some = choose_masked_bases(np.array([[0, 51522]]), k=6, n_windows=4)
    assert len(every.starts) == 100
    assert some.starts.tolist() == every.starts[[0, 25, 50, 75]].tolist()
    assert np.bincount(some.windows).tolist() == [12] * 4
    many = choose_masked_bases(np.array([[0, 51522]]), k=6, n_windows=1000)
    assert np.array_equal(many.positions, every.positions)


def test_stretches_that_are_too_short_are_counted(caplog):
    choose_masked_bases(STRETCHES, k=6)
    assert "1 of 4 runs of known bases are shorter than 67 bases and are not scored" in (
        caplog.text
    )
    caplog.clear()
    choose_masked_bases(np.array([[0, 67]]), k=6)
    assert not caplog.text


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        ([[0, 66]], {}, "must have a run of 67 known bases or more, found 1 runs, all"),
        (np.empty((0, 2), dtype=int), {}, "found 0 runs"),
        ([[0, 999]], {"n_kmers": 39}, r"must have 40 k-mers or more .*\(k = 6\), got 39"),
        ([[0, 999]], {"n_windows": 0}, "n_windows must be 1 or more, or None for all, got 0"),
    ],
)
def test_what_cannot_be_masked_is_refused(runs, options, message):
    with pytest.raises(ValueError, match=message):
        choose_masked_bases(np.array(runs), k=6, **options)


@pytest.mark.parametrize("k", range(2, 9))
def test_agreeing_kmers_differ_in_the_masked_base_alone(k):
    rng = np.random.default_rng(k)
    tokenizer = DNABertTokenizer(k=k)
    dna = "".join(rng.choice(list("ACGT"), 2 * k + 1 + 5))
    ids = np.array(tokenizer(dna)["input_ids"][1:-1]) - 5
    span = 3
    kmers = agreeing_kmers(ids[[span - 1]], ids[[span + k]], k=k)
    position = span + k - 1
    for kmer in range(k):
        for digit, base in enumerate("ATCG"):
            changed = dna[:position] + base + dna[position + 1 :]
            word = changed[span + kmer : span + kmer + k]
            assert kmers[0, kmer, digit] + 5 == tokenizer.convert_tokens_to_ids(word)


def test_votes_are_combined_by_their_geometric_mean():
    """0.8 : 0.2 and 0.5 : 0.5 give sqrt(0.4) : sqrt(0.1), which is 2 : 1."""
    with np.errstate(divide="ignore"):
        votes = np.log([[[0.8, 0.2, 0, 0], [0.5, 0.5, 0, 0]]])
    np.testing.assert_allclose(np.exp(combine_votes(votes)), [[2 / 3, 1 / 3, 0, 0]])
    shifted = votes + np.array([[[5.0], [-3.0]]])
    np.testing.assert_allclose(np.exp(combine_votes(shifted)), [[2 / 3, 1 / 3, 0, 0]])


def test_masked_neighbours_share_the_weight_of_each_kmer():
    """A??T in 2-mers: A?, ??, ?T; three k-mers masked, two bases of each other's context."""
    probabilities = np.zeros((3, 16))
    probabilities[0, [0b0010, 0b0011]] = 0.1, 0.3  # AC, AG; the rest does not agree
    probabilities[0, 0b1111] = 0.6  # GG
    probabilities[1, [0b1000, 0b1101]] = 0.25, 0.75  # CA, GT
    probabilities[2, [0b0001, 0b1010]] = 0.2, 0.8  # AT; CC does not agree
    votes = vote_for_bases(
        np.array([0, -1, -1, -1, 0b0101]), np.array([1, 2, 3]), probabilities, k=2
    )
    # Before: AA, so bases 0 and 1 are A; after: TT, so bases 4 and 5 are T.
    assert sorted(votes) == [2, 3]
    np.testing.assert_allclose(votes[2], [[0, 0, 0.25, 0.75], [0, 0, 0.25, 0.75]])
    np.testing.assert_allclose(votes[3], [[0.25, 0.75, 0, 0], [1, 0, 0, 0]])


@pytest.mark.parametrize("k", range(2, 9))
def test_both_ways_to_vote_agree_on_a_base_that_is_masked_alone(k):
    rng = np.random.default_rng(0)
    dna = "".join(rng.choice(list("ACGT"), 4 * k))
    kmers = np.array(DNABertTokenizer(k=k)(dna)["input_ids"][1:-1]) - 5
    span = np.arange(k, 2 * k)
    probabilities = rng.dirichlet(np.ones(4**k), size=k)
    of_four = np.take_along_axis(
        probabilities, agreeing_kmers(kmers[[k - 1]], kmers[[2 * k]], k=k)[0], axis=1
    )
    kmers[span] = -1
    votes = vote_for_bases(kmers, span, probabilities, k=k)
    assert list(votes) == [2 * k - 1]
    np.testing.assert_allclose(
        votes[2 * k - 1], of_four / of_four.sum(axis=1, keepdims=True), rtol=1e-6
    )


def test_the_standard_error_takes_a_window_as_one_case():
    """Bits 1 and 3 in turn: n independent bases have 1 / sqrt(n), two windows 1 / sqrt(2)."""
    probabilities = np.log([[0.5, 0.5, 0, 0], [0.875, 0.125, 0, 0]] * 8 + np.full((16, 4), 1e-300))
    truth = np.array([0, 1] * 8)
    alone = score_bases(probabilities, truth, np.arange(16))
    assert alone.bits_per_base == pytest.approx(2)
    assert alone.standard_error == pytest.approx(1 / 4)
    assert alone.accuracy == 0.5
    together = score_bases(probabilities, truth, np.array([0, 1] * 8))
    assert together.standard_error == pytest.approx(1 / np.sqrt(2))
