import gzip
import re

import numpy as np
import pytest

from dnabert_hf.interpretation.motifs.files import KnownMotif, format_jaspar, format_meme, read_meme
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix
from dnabert_hf.interpretation.motifs.results import Motif, MotifSite
from dnabert_hf.interpretation.motifs.tomtom import compare_motifs

BACKGROUND = np.array([0.3, 0.2, 0.2, 0.3])
COUNTS = np.array([[3.0, 0, 0, 0], [0, 2, 1, 0], [0, 0, 0, 3]])
MEME = """MEME version 4

ALPHABET= ACGT

strands: + -

Background letter frequencies
A 0.25 C 0.25 G 0.25 T 0.25

MOTIF MA0001.1 AGL3
letter-probability matrix: alength= 4 w= 2 nsites= 97 E= 0
 0.000000  1.000000  0.000000  0.000000
 0.25 0.25 0.25 0.25
URL http://jaspar.genereg.net/matrix/MA0001.1

MOTIF second
letter-probability matrix: w= 1
 1 0 0 0
"""


@pytest.fixture
def motif():
    sites = [MotifSite(row, 0, 3, "+", 4.0, "ACT") for row in range(3)]
    matrix = PositionWeightMatrix(COUNTS, BACKGROUND)
    return Motif("motif_1", matrix, sites, 3, 3, 0.01, 0.01, 0)


def test_meme_files_read_back(motif, tmp_path):
    path = tmp_path / "motifs.meme"
    path.write_text(format_meme([motif], BACKGROUND, both_strands=True))
    (found,) = read_meme(path)
    assert (found.id, found.name) == ("motif_1", motif.matrix.consensus)
    np.testing.assert_allclose(found.probabilities, motif.matrix.probabilities, atol=1e-5)
    assert "A 0.300000 C 0.200000 G 0.200000 T 0.300000" in path.read_text()
    assert "w= 3 nsites= 3 E= 0" in path.read_text()


def test_memelite_reads_our_meme_files(motif, tmp_path):
    io = pytest.importorskip("memelite.io")
    (tmp_path / "motifs.meme").write_text(format_meme([motif], BACKGROUND))
    ((name, matrix),) = io.read_meme(str(tmp_path / "motifs.meme")).items()
    assert name.startswith("motif_1")
    np.testing.assert_allclose(np.asarray(matrix).T, motif.matrix.probabilities, atol=1e-5)


def test_jaspar_files_hold_the_counts(motif):
    lines = format_jaspar([motif]).splitlines()
    assert lines[0] == f">motif_1\t{motif.matrix.consensus}"
    rows = [re.fullmatch(r"([ACGT])  \[ ([\d ]+) \]", line) for line in lines[1:]]
    assert [row[1] for row in rows] == list("ACGT")
    np.testing.assert_array_equal([[int(n) for n in row[2].split()] for row in rows], COUNTS.T)


def test_no_motifs_make_a_header_and_nothing(tmp_path):
    assert format_jaspar([]) == ""
    assert format_meme([], BACKGROUND).endswith("T 0.300000\n")


@pytest.mark.parametrize("is_gzip", [False, True])
def test_known_motifs_are_read(is_gzip, tmp_path):
    path = tmp_path / "known.meme"
    path.write_bytes(gzip.compress(MEME.encode()) if is_gzip else MEME.encode())
    first, second = read_meme(path)
    assert (first.id, first.name, second.id, second.name) == ("MA0001.1", "AGL3", "second", "")
    np.testing.assert_allclose(first.probabilities, [[0, 1, 0, 0], [0.25] * 4])
    np.testing.assert_allclose(second.probabilities, [[1, 0, 0, 0]])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MEME version 4", "MOTIFS", 'line 1: a MEME file must begin with "MEME version"'),
        ("= ACGT", "= ACDEFGHIKLMNPQRSTVWY", "line 3: the alphabet must be ACGT"),
        ("w= 2 ", "", "line 11: motif MA0001.1 must state its number of positions"),
        ("0.25 0.25 0.25\n", "0.25 0.25\n", "line 13: row 2 of motif MA0001.1 must be the prob"),
        ("1.000000", "0.500000", "line 12: row 1 of motif MA0001.1 .* add up to 1, found '0.00"),
        ("1.000000", "x", "line 12: row 1"),
        ("w= 2", "w= 3", "line 14: row 3 of motif MA0001.1 .* found 'URL"),
        ("w= 1", "w= 2", "line 17: motif second must have 2 rows, found 1 before the end"),
        ("MOTIF second", "MOTIF", "line 16: a motif must have a name"),
        ("MOTIF second", "", "line 17: a matrix must follow a line MOTIF"),
    ],
)
def test_files_that_do_not_parse_are_refused_with_the_line(old, new, message, tmp_path):
    path = tmp_path / "known.meme"
    path.write_text(MEME.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        read_meme(path)


def test_a_file_without_motifs_is_refused(tmp_path):
    path = tmp_path / "known.meme"
    path.write_text(MEME[: MEME.index("MOTIF")])
    with pytest.raises(ValueError, match="must hold motifs"):
        read_meme(path)


@pytest.mark.slow  # the first comparison on a machine compiles for a minute
def test_tomtom_finds_a_motif_among_random_ones():
    generator = np.random.default_rng(0)
    known = [
        KnownMotif(f"M{i}", f"F{i}", generator.dirichlet(np.full(4, 0.3), size=12))
        for i in range(60)
    ]
    turned = PositionWeightMatrix(known[7].probabilities[2:10] * 50, BACKGROUND)
    motif = Motif("motif_1", turned.reverse_complement(), [], 3, 3, 0.01, 0.01, 0)
    match = compare_motifs([motif], known)[0]
    assert (match.motif, match.known, match.known_name) == ("motif_1", "M7", "F7")
    assert (match.strand, match.offset, match.overlap) == ("-", 2, 8)
    assert match.p_value <= match.q_value < 0.001
    assert compare_motifs([], known) == []
