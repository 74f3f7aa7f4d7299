"""Motifs in the formats that other tools read: MEME and JASPAR."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.reading.lines import text_lines
from dnabert_hf.data.reading.sequence_array import BASES
from dnabert_hf.interpretation.motifs.results import Motif

__all__ = ["KnownMotif", "format_jaspar", "format_meme", "read_meme"]

_HEADER = re.compile(r"letter-probability matrix:(.*)", re.IGNORECASE)
_FIELD = re.compile(r"(\w+)\s*=\s*(\S+)")
_FRAME_LINES = 20  # of which one names the version
_TOLERANCE = 0.02  # by which rounded probabilities may miss 1


class KnownMotif(NamedTuple):
    """A motif read from a file.

    Attributes:
        id: Identifier, such as "MA0139.1".
        name: Alternate name, such as "CTCF"; "" if there is none.
        probabilities: Probability of A, C, G and T, shape (positions, 4).
    """

    id: str
    name: str
    probabilities: np.ndarray


def format_meme(
    motifs: Sequence[Motif], background: np.ndarray, *, both_strands: bool = False
) -> str:
    """Write motifs in the minimal MEME format, version 4, with probabilities and background.

    Args:
        motifs: The motifs; their p-values are not E-values, which stay 0.
        background: Probability of A, C, G and T, shape (4,).
        both_strands: Whether the motifs were searched on both strands.
    """
    frequencies = " ".join(
        f"{base} {value:.6f}" for base, value in zip(BASES, background, strict=True)
    )
    lines = [
        "MEME version 4",
        "",
        f"ALPHABET= {BASES}",
        "",
        f"strands: {'+ -' if both_strands else '+'}",
        "",
        "Background letter frequencies",
        frequencies,
    ]
    for motif in motifs:
        lines += [
            "",
            f"MOTIF {motif.name} {motif.matrix.consensus}",
            f"letter-probability matrix: alength= 4 w= {len(motif.matrix)} "
            f"nsites= {len(motif.sites)} E= 0",
        ]
        lines += [
            " " + "  ".join(f"{value:.6f}" for value in row) for row in motif.matrix.probabilities
        ]
    return "\n".join(lines) + "\n"


def format_jaspar(motifs: Sequence[Motif]) -> str:
    """Write motifs in the JASPAR format: counts, one line for each base."""
    lines = []
    for motif in motifs:
        lines.append(f">{motif.name}\t{motif.matrix.consensus}")
        counts = np.rint(motif.matrix.counts).astype(int)
        width = len(str(counts.max()))
        for base, row in zip(BASES, counts.T.tolist(), strict=True):
            lines.append(f"{base}  [ {' '.join(f'{count:>{width}}' for count in row)} ]")
    return "\n".join(lines) + "\n" if lines else ""


def read_meme(path: str | Path) -> list[KnownMotif]:
    """Read the motifs of a MEME file, plain or gzip, minimal or as MEME itself writes it.

    Args:
        path: The file, of DNA.

    Returns:
        The motifs in the order of the file.

    Raises:
        ValueError: If it is no MEME file of DNA, holds no motifs, or a matrix is not whole; the
            message names the line.
    """
    lines = list(text_lines(path))
    at = _after_version(lines, path)
    motifs: list[KnownMotif] = []
    named: list[str] | None = None
    while at < len(lines):
        number, line = lines[at]
        place, at = f"{path}, line {number}", at + 1
        if line.startswith("ALPHABET"):
            _check_alphabet(line, place)
        elif line.startswith("MOTIF"):
            named = line.split()[1:3]
            if not named:
                raise ValueError(f"{place}: a motif must have a name, found none; add it")
        elif match := _HEADER.match(line):
            if named is None:
                raise ValueError(f"{place}: a matrix must follow a line MOTIF, found none; add it")
            identifier, name = [*named, ""][:2]
            width = dict(_FIELD.findall(match[1])).get("w")
            matrix = _read_matrix(lines[at:], width, f"motif {identifier}", place, path)
            motifs.append(KnownMotif(identifier, name, matrix))
            named, at = None, at + len(matrix)
    if not motifs:
        raise ValueError(
            f"{path}: a MEME file must hold motifs with a letter-probability matrix, found none; "
            "check the file"
        )
    return motifs


def _after_version(lines: Sequence[tuple[int, str]], path: str | Path) -> int:
    """Find the line after "MEME version", above which MEME itself writes its name in a frame."""
    for at, (_, line) in enumerate(lines[:_FRAME_LINES]):
        if line.startswith("MEME version"):
            return at + 1
        if at == 0 and set(line.strip()) != {"*"}:
            break
    number, line = lines[0] if lines else (1, "")
    raise ValueError(
        f'{path}, line {number}: a MEME file must begin with "MEME version", found '
        f"{line[:40]!r}; give a file in MEME format"
    )


def _check_alphabet(line: str, place: str) -> None:
    letters = line.partition("=")[2].strip() or line.removeprefix("ALPHABET").strip().strip('"')
    if letters != BASES and not letters.startswith("DNA"):
        raise ValueError(
            f"{place}: the alphabet must be {BASES}, found {letters!r}; give motifs of DNA"
        )


def _read_matrix(
    lines: Sequence[tuple[int, str]], width: str | None, what: str, place: str, path: str | Path
) -> np.ndarray:
    """Read the rows of a matrix, as many as it says it has, or all up to a line of another kind."""
    n_rows = next((n for n, (_, line) in enumerate(lines) if not _is_row(line)), len(lines))
    if width is not None and (not width.isdecimal() or width == "0"):
        raise ValueError(
            f"{place}: {what} must state its number of positions (w= 12), found w= {width!r}; "
            "correct it, or leave it out"
        )
    wanted = n_rows if width is None else int(width)
    if not wanted or n_rows > wanted or len(lines) < wanted:
        raise ValueError(
            f"{place}: {what} must have {wanted or 'some'} rows, found {n_rows}; the file may be "
            "cut off, or w= wrong"
        )
    rows = [
        _read_row(line, f"{path}, line {number}", f"row {n} of {what}")
        for n, (number, line) in enumerate(lines[:wanted], start=1)
    ]
    matrix = np.array(rows)
    return matrix / matrix.sum(axis=1, keepdims=True)


def _is_row(line: str) -> bool:
    """Tell whether a line begins with a number."""
    try:
        float(line.split()[0])
    except ValueError:
        return False
    return True


def _read_row(line: str, place: str, what: str) -> list[float]:
    try:
        values = [float(cell) for cell in line.split()]
    except ValueError:
        values = []
    is_whole = len(values) == len(BASES) and all(0 <= value <= 1 for value in values)
    if not is_whole or abs(sum(values) - 1) > _TOLERANCE:
        raise ValueError(
            f"{place}: {what} must be the probabilities of A, C, G and T, which add up to 1, found "
            f"{line.strip()[:60]!r}; correct it"
        )
    return values
