"""Motifs of letters and files, against paper and pencil."""

import numpy as np
import pytest

from dnabert_hf.interpretation.experiments.motif import read_motif, read_motifs
from dnabert_hf.interpretation.motifs.jaspar import read_jaspar, read_motif_file

JASPAR = """>MA0001.1 one
A  [ 8 0 2 1 0 9 3 0 ]
C  [ 0 9 3 0 0 0 3 0 ]
G  [ 1 0 5 9 0 0 3 1 ]
T  [ 1 1 0 0 10 1 1 9 ]
>MA0002.1\ttwo
A [ 1 1 ]
C [ 1 1 ]
G [ 1 1 ]
T [ 1 7 ]
"""
PFM = ">x\n8 0\n0 9\n1 0\n1 1\n"


@pytest.fixture
def jaspar(tmp_path):
    path = tmp_path / "motifs.jaspar"
    path.write_text(JASPAR)
    return path


def test_counts_of_jaspar_files_are_probabilities(jaspar):
    """Counts of a position over their sum: in the first motif each of the sums is 10."""
    one, two = read_motif_file(jaspar)
    assert [(each.id, each.name) for each in (one, two)] == [
        ("MA0001.1", "one"),
        ("MA0002.1", "two"),
    ]
    expected = [[0.8, 0, 0.1, 0.1], [0, 0.9, 0, 0.1], [0.2, 0.3, 0.5, 0], [0.1, 0, 0.9, 0]]
    np.testing.assert_allclose(one.probabilities[:4], expected)
    expected = [[0, 0, 0, 1], [0.9, 0, 0, 0.1], [0.3, 0.3, 0.3, 0.1], [0, 0, 0.1, 0.9]]
    np.testing.assert_allclose(one.probabilities[4:], expected)
    np.testing.assert_allclose(two.probabilities, [[0.25] * 4, [0.1, 0.1, 0.1, 0.7]])


def test_rows_without_letters_are_a_c_g_t(tmp_path):
    path = tmp_path / "x.pfm"
    path.write_text(PFM)
    (motif,) = read_jaspar(path)
    np.testing.assert_allclose(motif.probabilities, [[0.8, 0, 0.1, 0.1], [0, 0.9, 0, 0.1]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (">x\n1 2\n1 2\n1 2\n", "found 3 rows"),
        (">x\n1 2\n1 2\n1 2\n1\n", "2, 2, 2, 1"),
        (">x\n0 2\n0 2\n0 2\n0 1\n", "some at each position"),
        (">\n1\n1\n1\n1\n", "must have a name"),
    ],
)
def test_damaged_jaspar_files_are_told(tmp_path, text, message):
    path = tmp_path / "x.pfm"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_jaspar(path)


def test_a_motif_of_a_file_is_named(jaspar):
    assert read_motif(f"{jaspar}:one").name == "MA0001.1 one"
    assert len(read_motif(f"{jaspar}:MA0002.1")) == 2
    assert [each.name for each in read_motifs([str(jaspar), "GATA"])] == [
        "MA0001.1 one", "MA0002.1 two", "GATA",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="must be one motif, found 2; name one"):
        read_motif(str(jaspar))
    with pytest.raises(ValueError, match="id or name three, found 0"):
        read_motif(f"{jaspar}:three")


def test_sites_follow_the_matrix(jaspar):
    motif = read_motif(f"{jaspar}:one")
    rng = np.random.default_rng(0)
    assert motif.site(rng, "consensus") == "ACGGTAAT"  # A, C and G tie at the seventh: the first
    sites = [motif.site(rng, "sampled") for _ in range(2000)]
    shares = [sum(site[0] == base for site in sites) / 2000 for base in "ACGT"]
    assert shares == pytest.approx([0.8, 0, 0.1, 0.1], abs=0.03)
    assert {site[4] for site in sites} == {"T"}


def test_letters_match_on_both_strands_and_overlap():
    motif = read_motif("TGASTCA")
    # TGAGTCA reads TGACTCA on the other strand, and is a site on both: one occurrence.
    assert [tuple(o) for o in motif.find("TGAGTCATGACTCA")] == [(0, 7, "+"), (7, 14, "+")]
    assert [tuple(o) for o in read_motif("AAC").find("GTTAACAAC")] == [
        (0, 3, "-"), (3, 6, "+"), (6, 9, "+"),
    ]  # fmt: skip
    assert [o.start for o in read_motif("AA").find("AAAT")] == [0, 1]
    assert not read_motif("AN").find("NNNN")


def test_matrices_that_no_word_fits_well_enough_are_refused(jaspar):
    with pytest.raises(ValueError, match="must have 7 positions or more"):
        read_motif(f"{jaspar}:two").find("ACGT")
    found = read_motif(f"{jaspar}:one").find("TTTTTTACGGTAATCCCC")
    assert (6, 14, "+") in [tuple(each) for each in found]
