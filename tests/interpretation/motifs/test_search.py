import itertools

import numpy as np
import pytest
from scipy.stats import hypergeom

from dnabert_hf.data.building.simulation import CTCF, simulate_binding
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.motifs.discovery import find_same
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix
from dnabert_hf.interpretation.motifs.results import MotifSettings
from dnabert_hf.interpretation.motifs.search import search_motifs


def random_dna(generator, n, *, letters="ACGT", shortest=3, longest=60):
    lengths = generator.integers(shortest, longest, size=n)
    return ["".join(generator.choice(list(letters), size=length)) for length in lengths]


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
    assert find_same(top.matrix, [truth], both_strands=True) == 0
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
        assert find_same(one.matrix, [other.matrix], both_strands=True) is None


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
