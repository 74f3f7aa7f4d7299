"""Motif files of either format: MEME, or JASPAR's counts."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnabert_hf.data.reading.lines import text_lines
from dnabert_hf.data.reading.sequence_array import BASES
from dnabert_hf.interpretation.motifs.files import KnownMotif, read_meme

__all__ = ["read_jaspar", "read_motif_file"]

_NUMBER = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?")


def read_motif_file(path: str | Path) -> list[KnownMotif]:
    """Read the motifs of a file in MEME or in JASPAR format, plain or gzip.

    Args:
        path: The file; one of JASPAR begins with ">".

    Raises:
        ValueError: If it is neither, or a matrix is not whole; the message names the line.
    """
    first = next((line for _, line in text_lines(path)), "")
    return read_jaspar(path) if first.startswith(">") else read_meme(path)


def read_jaspar(path: str | Path) -> list[KnownMotif]:
    """Read counts as JASPAR writes them: a line of ">" with id and name, then A, C, G and T.

    The four lines hold numbers alone (`.pfm`) or `A [ 1 2 3 ]` (`.jaspar`).

    Args:
        path: The file, plain or gzip.

    Returns:
        The motifs in the order of the file, counts as probabilities.

    Raises:
        ValueError: If a matrix is not whole; the message names the line.
    """
    motifs: list[KnownMotif] = []
    header, place = "", ""
    rows: list[str] = []
    for number, line in [*text_lines(path), (0, ">")]:
        if not line.startswith(">"):
            rows.append(line)
            continue
        if header:
            identifier, _, name = header.replace("\t", " ").partition(" ")
            motifs.append(KnownMotif(identifier, name.strip(), _matrix(rows, identifier, place)))
        header, place, rows = line[1:].strip(), f"{path}, line {number}", []
        if not header and number:
            raise ValueError(f"{place}: a motif must have a name, found none; add it")
    return motifs


def _matrix(rows: Sequence[str], name: str, place: str) -> np.ndarray:
    """Read four rows of counts, those with letters in any order."""
    values: dict[str, list[float]] = {}
    for base, row in zip(BASES, rows, strict=False):
        named = row.strip()[:1].upper()
        values[named if named in BASES else base] = [float(x) for x in _NUMBER.findall(row)]
    lengths = {len(each) for each in values.values()}
    if len(rows) != len(BASES) or len(values) != len(BASES) or len(lengths) != 1 or lengths == {0}:
        raise ValueError(
            f"{place}: motif {name} must have a row of as many counts for each of A, C, G and T, "
            f"found {len(rows)} rows of {', '.join(str(len(each)) for each in values.values())} "
            "numbers; correct it"
        )
    counts = np.array([values[base] for base in BASES]).T
    if (counts < 0).any() or (counts.sum(axis=1) <= 0).any():
        raise ValueError(
            f"{place}: motif {name} must have counts of 0 or more, and some at each position, "
            "found others; correct it"
        )
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))
