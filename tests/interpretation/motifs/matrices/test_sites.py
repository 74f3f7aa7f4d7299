import numpy as np

from dnabert_hf.data.reading.sequence_array import JoinedSequences, encode_bases
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix
from dnabert_hf.interpretation.motifs.matrices.sites import Sites, cut_windows, highest_scores


def random_dna(generator, n, *, letters="ACGT", shortest=3, longest=60):
    lengths = generator.integers(shortest, longest, size=n)
    return ["".join(generator.choice(list(letters), size=length)) for length in lengths]


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
