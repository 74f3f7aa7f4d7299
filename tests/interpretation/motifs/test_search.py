import itertools

import numpy as np
import pytest
from scipy.stats import hypergeom

from dnabert_hf.data.building.simulation import CTCF, simulate_binding
from dnabert_hf.data.reading.sequence_array import JoinedSequences, encode_bases
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix, similarity
from dnabert_hf.interpretation.motifs.matrices.sites import Sites, cut_windows, highest_scores
from dnabert_hf.interpretation.motifs.results import MotifSettings
from dnabert_hf.interpretation.motifs.search import search_motifs
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


def test_windows_are_read_in_the_direction_of_the_motif_and_end_with_the_sequence():
    joined = JoinedSequences.from_text(["AACGT", "GGGTT"])
    sites = Sites(np.array([0, 0, 1]), np.array([3, 1, 7]), np.array([0, 1, 1], bool), np.zeros(3))
    letters = np.array(list("ACGTN"))[cut_windows(joined, sites, 4)]
    assert ["".join(row) for row in letters] == ["GTNN", "TTNN", "CCCN"]


def test_highest_scores_are_those_of_a_plain_scan():
    generator = np.random.default_rng(0)
    sequences = random_dna(generator, 40, letters="ACGTACGTN", shortest=5, longest=60)
    matrix = PositionWeightMatrix(
        generator.integers(0, 20, size=(11, 4)).astype(float), np.array([0.3, 0.2, 0.2, 0.3])
    )
    expected = []
    for sequence in sequences:
        best = -np.inf
        for strand in (sequence, reverse_complement(sequence)):
            for start in range(len(strand) - 10):
                codes = encode_bases(strand[start : start + 11])
                if (codes < 4).all():
                    best = max(best, matrix.log_odds[np.arange(11), codes].sum())
        expected.append(best)
    found = highest_scores(JoinedSequences.from_text(sequences), matrix, both_strands=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_matrices_weigh_pseudocounts_and_background():
    background = np.array([0.4, 0.1, 0.1, 0.4])
    matrix = PositionWeightMatrix(np.array([[8.0, 0, 0, 0]]), background, pseudocount=2.0)
    np.testing.assert_allclose(matrix.probabilities, [[0.88, 0.02, 0.02, 0.08]])
    np.testing.assert_allclose(matrix.log_odds, np.log2([[2.2, 0.2, 0.2, 0.2]]))
    turned = matrix.reverse_complement()
    np.testing.assert_allclose(turned.probabilities, [[0.08, 0.02, 0.02, 0.88]])


def test_similarity_finds_a_shifted_and_turned_motif():
    counts = np.random.default_rng(0).dirichlet(np.full(4, 0.2), size=10) * 50
    background = np.full(4, 0.25)
    one = PositionWeightMatrix(counts, background)
    other = PositionWeightMatrix(counts[2:], background).reverse_complement()
    assert similarity(one, other, strands=(False, True)) == pytest.approx(1)
    assert similarity(one, other) < 0.8


def planted(n=600, *, length=80, seed=0, motif=CTCF):
    """Sequences with a planted motif, and scores that are high there and at random places."""
    generator = np.random.default_rng(seed)
    simulated = simulate_binding(n, generator, length=length, motif=motif)
    scores = []
    for item in simulated:
        of_kmers = generator.lognormal(0, 1.5, size=length + 5)
        of_kmers[item.start + 5 : item.start + len(motif)] *= 10
        of_bases = np.convolve(of_kmers, np.full(6, 1 / 6), mode="valid")
        scores.append((of_bases / np.linalg.norm(of_bases)).astype(np.float32))
    return simulated, scores


def test_a_planted_motif_is_found_on_both_strands():
    simulated, scores = planted()
    sequences = [item.sequence for item in simulated]
    is_bound = np.array([item.is_bound for item in simulated])
    found = search_motifs(sequences, scores, is_bound, MotifSettings(both_strands=True))
    top = found.motifs[0]
    assert top.n_positives > 0.9 * is_bound.sum()
    assert top.n_sequences - top.n_positives < 0.15 * (~is_bound).sum()
    truth = PositionWeightMatrix(np.array(CTCF, dtype=float), found.background)
    assert similarity(top.matrix, truth, strands=(False, True)) > 0.9
    at_truth = 0
    for site in top.sites:
        item = simulated[site.row]
        assert item.is_bound
        letters = sequences[site.row][site.start : site.end]
        assert site.bases == (reverse_complement(letters) if site.strand == "-" else letters)
        at_truth += item.start - 2 <= site.start and site.end <= item.start + len(CTCF) + 2
    assert at_truth > 0.85 * len(top.sites)
    assert at_truth > 0.8 * is_bound.sum()


def test_the_same_call_gives_the_same_answer():
    simulated, scores = planted(200)
    arguments = (
        [item.sequence for item in simulated],
        scores,
        [item.is_bound for item in simulated],
        MotifSettings(both_strands=True),
    )
    one, other = search_motifs(*arguments), search_motifs(*arguments)
    assert one.candidates == other.candidates
    assert [motif.sites for motif in one.motifs] == [motif.sites for motif in other.motifs]


def test_without_refinement_a_motif_is_the_count_of_its_windows():
    # Each sequence of the class holds GATTACA where the score is high, none of the others does.
    generator = np.random.default_rng(0)
    sequences, scores = [], []
    for row in range(40):
        letters = generator.choice(list("CG"), size=40)
        of_bases = np.full(40, 0.01)
        if row % 2:
            letters[10:17] = list("GATTACA")
            of_bases[10:17] = 1.0
        sequences.append("".join(letters))
        scores.append(of_bases)
    is_positive = np.arange(40) % 2 == 1
    found = search_motifs(sequences, scores, is_positive, MotifSettings(is_refined=False))
    (motif,) = found.motifs
    assert len(motif.matrix) == 24
    assert motif.matrix.consensus[8:15] == "GATTACA"
    np.testing.assert_allclose(motif.matrix.counts.sum(axis=1), 20)
    assert {(site.start, site.end) for site in motif.sites} == {(2, 26)}
    (candidate,) = found.candidates
    assert candidate[:4] == ("GATTACA", 20, 20, 20)
    assert candidate.p_value == pytest.approx(hypergeom.sf(19, 40, 20, 20), rel=1e-9)
    refined = search_motifs(sequences, scores, is_positive).motifs[0]
    assert refined.matrix.consensus.strip("NS") == "GATTACA"


def test_motifs_much_like_a_better_one_are_left_out():
    simulated, scores = planted(1200)
    sequences = [item.sequence for item in simulated]
    is_bound = [item.is_bound for item in simulated]
    plain = search_motifs(
        sequences, scores, is_bound, MotifSettings(both_strands=True, is_refined=False)
    )
    found = search_motifs(sequences, scores, is_bound, MotifSettings(both_strands=True))
    assert len(found.motifs) < len(plain.motifs)
    for one, other in itertools.combinations(found.motifs, 2):
        assert similarity(one.matrix, other.matrix, strands=(False, True)) < 0.75


def test_nothing_above_the_threshold_is_an_answer():
    generator = np.random.default_rng(0)
    sequences = random_dna(generator, 30, shortest=30, longest=50)
    is_positive = np.arange(30) < 15
    flat = [np.ones(len(sequence)) for sequence in sequences]
    found = search_motifs(sequences, flat, is_positive)
    assert (found.motifs, found.candidates) == ([], [])
    scores = [generator.random(len(sequence)) for sequence in sequences]
    found = search_motifs(sequences, scores, is_positive, MotifSettings(min_len=3))
    assert found.candidates
    assert found.motifs == []


@pytest.mark.parametrize(
    ("sequences", "scores", "is_positive", "message"),
    [
        (["ACGT"], [np.ones(4)], [True], "found 1 of the class and 0 others"),
        (["ACGT"], [np.ones(4)], [False], "found 0 of the class and 1 others"),
        (["ACGT", "AC"], [np.ones(4)], [True, False], "of one number, found 2, 1 and 2"),
        (["ACGT", "AC"], [np.ones(4), np.ones(3)], [True, False], "sequence 1 .* 2 bases and 3"),
    ],
)
def test_what_cannot_be_searched_is_refused(sequences, scores, is_positive, message):
    with pytest.raises(ValueError, match=message):
        search_motifs(sequences, scores, is_positive)


@pytest.mark.parametrize(
    ("field", "value"), [("min_len", 1), ("max_q", 0.0), ("min_instances", 0), ("window", 1)]
)
def test_settings_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} must be .* got {value}"):
        MotifSettings(**{field: value})
