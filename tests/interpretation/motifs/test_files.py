import gzip
import re

import numpy as np
import pytest

from dnabert_hf.interpretation.motifs.files import format_jaspar, format_meme, read_meme
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix
from dnabert_hf.interpretation.motifs.results import Motif, MotifSite

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
        ("w= 2 ", "w= x ", "line 11: motif MA0001.1 must state its number .* found w= 'x'"),
        ("0.25 0.25 0.25\n", "0.25 0.25\n", "line 13: row 2 of motif MA0001.1 must be the prob"),
        ("1.000000", "0.500000", "line 12: row 1 of motif MA0001.1 .* add up to 1, found '0.00"),
        ("1.000000", "x", "line 12: row 1"),
        ("w= 2", "w= 3", "line 14: row 3 of motif MA0001.1 .* found 'URL"),
        ("w= 2", "w= 1", "line 11: motif MA0001.1 must have 1 rows, found 2"),
        ("w= 1", "w= 2", "line 17: motif second must have 2 rows, found 1"),
        ("w= 1\n 1 0 0 0", "\n", "line 17: motif second must have some rows, found 0"),
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


def test_matrices_need_not_say_how_long_they_are(tmp_path):
    path = tmp_path / "known.meme"
    path.write_text(MEME.replace("w= 2 ", "").replace("w= 1", ""))
    (tmp_path / "whole.meme").write_text(MEME)
    for found, same in zip(read_meme(path), read_meme(tmp_path / "whole.meme"), strict=True):
        assert found[:2] == same[:2]
        np.testing.assert_array_equal(found.probabilities, same.probabilities)


# As MEME 5 writes meme.txt: its name in a frame, the motif's lines before its matrix, tables after.
OWN_FILE = """{stars}
MEME - Motif discovery tool
{stars}
MEME version 5.5.5 (Release date: Thu Sep 14 08:48:04 2023 +1000)

For further information on how to interpret please access https://meme-suite.org/meme.
{stars}


{stars}
TRAINING SET
{stars}
PRIMARY SEQUENCES= peaks.fa
CONTROL SEQUENCES= --none--
ALPHABET= ACGT
Sequence name            Weight Length  Sequence name            Weight Length
-------------            ------ ------  -------------            ------ ------
s1                       1.0000    100  s2                       1.0000    100
{stars}

{stars}
MOTIF CACGTG MEME-1\twidth =   6  sites =  17  llr = 180  E-value = 4.1e-009
{stars}
{dashes}
\tMotif CACGTG MEME-1 Description
{dashes}
Simplified        A  :a::::
pos.-specific     C  a:a:::
probability       G  :::a:a
matrix            T  ::::a:
{dashes}
\tMotif CACGTG MEME-1 position-specific scoring matrix
{dashes}
log-odds matrix: alength= 4 w= 6 n= 1900 bayes= 6.8 E= 4.1e-009
  -1073    200  -1073  -1073
    200  -1073  -1073  -1073
  -1073    200  -1073  -1073
  -1073  -1073    200  -1073
  -1073  -1073  -1073    200
  -1073  -1073    200  -1073
{dashes}
\tMotif CACGTG MEME-1 position-specific probability matrix
{dashes}
letter-probability matrix: alength= 4 w= 6 nsites= 17 E= 4.1e-009
 0.000000  1.000000  0.000000  0.000000
 1.000000  0.000000  0.000000  0.000000
 0.000000  1.000000  0.000000  0.000000
 0.000000  0.000000  1.000000  0.000000
 0.000000  0.000000  0.000000  1.000000
 0.000000  0.000000  1.000000  0.000000
{dashes}
\tMotif CACGTG MEME-1 regular expression
{dashes}
CACGTG
{dashes}
"""


def test_what_meme_itself_writes_is_read(tmp_path):
    path = tmp_path / "meme.txt"
    path.write_text(OWN_FILE.format(stars="*" * 80, dashes="-" * 80))
    (found,) = read_meme(path)
    assert (found.id, found.name) == ("CACGTG", "MEME-1")
    np.testing.assert_array_equal(found.probabilities.argmax(axis=1), [1, 0, 1, 2, 3, 2])
    path.write_text("*" * 80 + "\nTomtom\n" + "*" * 80 + "\n")
    with pytest.raises(ValueError, match='line 1: a MEME file must begin with "MEME version"'):
        read_meme(path)
