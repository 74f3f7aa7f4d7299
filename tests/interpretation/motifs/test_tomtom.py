import logging
import time
import warnings

import numpy as np
import pytest

from dnabert_hf.interpretation.motifs.files import KnownMotif
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix
from dnabert_hf.interpretation.motifs.matrices.similarity import TargetMotifs, compare_with_targets
from dnabert_hf.interpretation.motifs.results import Motif
from dnabert_hf.interpretation.motifs.tomtom import compare_motifs

BACKGROUND = np.full(4, 0.25)


def random_matrices(n=60, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.dirichlet(np.full(4, 0.3), size=6 + i % 9) for i in range(n)]


def queries(known):
    """A part turned round, a short one, and one longer than any target."""
    return [known[7][2:10][::-1, ::-1], known[14][:5], np.vstack([known[3], known[44]])]


# memelite 0.5.0: tomtom(queries, known, n_target_bins=None, n_median_bins=1_000_000).
# Query, then target, p-value, offset, overlap, reverse complement.
OF_MEMELITE = [
    (0, 7, 3.1495e-24, 3, 8, True),
    (0, 29, 0.0378059, 1, 7, False),
    (0, 18, 0.0418442, -1, 6, True),
    (0, 55, 0.109815, 2, 5, True),
    (1, 14, 1.21359e-14, 0, 5, False),
    (1, 46, 0.0404886, 1, 5, False),
    (1, 38, 0.0663033, 3, 5, False),
    (2, 44, 1.53984e-42, -9, 14, False),
    (2, 3, 8.79272e-11, 0, 9, False),
    (2, 46, 0.030652, -13, 7, False),
    (2, 24, 0.0845786, -11, 12, True),
]


@pytest.mark.parametrize(
    ("query", "target", "p_value", "offset", "overlap", "is_reverse"), OF_MEMELITE
)
def test_p_values_are_those_of_memelite(query, target, p_value, offset, overlap, is_reverse):
    known = random_matrices()
    found = compare_with_targets(queries(known)[query], TargetMotifs(known))
    assert (found.offsets[target], found.overlaps[target]) == (offset, overlap)
    assert found.is_reverse[target] == is_reverse
    # Medians differ in the last digits, so that a score now and then rounds to its neighbour.
    assert np.log10(found.p_values[target]) == pytest.approx(np.log10(p_value), rel=0.03)


@pytest.mark.slow  # memelite compiles for a minute
def test_all_p_values_are_those_of_memelite():
    memelite = pytest.importorskip("memelite")
    known = random_matrices(200, seed=1)
    compared = [*queries(known), *known[::20]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = memelite.tomtom(
            [np.ascontiguousarray(each.T) for each in compared],
            [np.ascontiguousarray(each.T) for each in known],
            n_target_bins=None,
            n_median_bins=1_000_000,
            n_jobs=1,
        )
    targets = TargetMotifs(known)
    for query, p_values in zip(compared, expected[0], strict=True):
        found = compare_with_targets(query, targets).p_values
        difference = np.abs(np.log10(found) - np.log10(p_values))
        assert np.mean(difference < 0.01) > 0.9
        assert difference[p_values > 1e-10].max() < 0.1


def test_random_motifs_have_p_values_as_often_as_they_say():
    """Of targets of random columns, at most a share p has a p-value up to p."""
    targets = TargetMotifs(random_matrices(600, seed=2))
    query = random_matrices(1, seed=3)[0]
    p_values = compare_with_targets(query, targets).p_values
    for p in (0.3, 0.1, 0.03):
        assert (p_values <= p).mean() <= p + 3 * np.sqrt(p / 600)
    assert (p_values <= 0.3).mean() > 0.1  # and not far fewer


def test_one_strand_finds_no_turned_motif():
    known = random_matrices()
    query = known[7][::-1, ::-1]
    assert compare_with_targets(query, TargetMotifs(known)).p_values[7] < 1e-10
    one_strand = compare_with_targets(query, TargetMotifs(known, both_strands=False))
    assert one_strand.p_values[7] > 0.01
    assert not one_strand.is_reverse.any()


def make_motif(probabilities):
    matrix = PositionWeightMatrix(probabilities * 50, BACKGROUND)
    return Motif("motif_1", matrix, [], 3, 3, 0.01, 0.01, 0)


def test_a_motif_is_found_among_random_ones():
    known = [KnownMotif(f"M{i}", f"F{i}", each) for i, each in enumerate(random_matrices())]
    match = compare_motifs([make_motif(known[7].probabilities[2:10][::-1, ::-1])], known)[0]
    assert (match.motif, match.known, match.known_name) == ("motif_1", "M7", "F7")
    assert (match.strand, match.offset, match.overlap) == ("-", 3, 8)  # 13 - 10
    assert match.p_value <= match.q_value < 0.001
    assert compare_motifs([], known) == []


def test_few_known_motifs_are_said(caplog):
    known = [KnownMotif(f"M{i}", "", each) for i, each in enumerate(random_matrices(9))]
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        compare_motifs([make_motif(known[0].probabilities)], known)
    assert "there are only 9" in caplog.text


def test_a_database_is_compared_in_seconds():
    known = TargetMotifs(random_matrices(2000))
    begin = time.process_time()
    compare_with_targets(random_matrices(9)[8], known)
    assert time.process_time() - begin < 5
