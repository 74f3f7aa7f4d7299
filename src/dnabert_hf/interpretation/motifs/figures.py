"""Figures of motifs: logos, known motifs above them, and where their sites lie."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import rel_entr

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.interpretation.motifs.files import KnownMotif
from dnabert_hf.interpretation.motifs.results import Motif, MotifMatch, MotifSearch
from dnabert_hf.interpretation.plots.logos import draw_aligned_logos, draw_logo
from dnabert_hf.interpretation.plots.site_positions import draw_site_positions

__all__ = ["MotifFigures", "draw_motifs", "turn_to_known"]


class MotifFigures(NamedTuple):
    """PNG files of a motif; each has an SVG beside it.

    Attributes:
        logo: The motif.
        match: Below the known motif that it resembles most; None if there is none.
        positions: Where its sites lie in their sequences.
    """

    logo: Path
    match: Path | None
    positions: Path


def draw_motifs(
    search: MotifSearch,
    records: Sequence[SequenceRecord],
    folder: Path,
    *,
    known: Mapping[str, KnownMotif],
) -> list[MotifFigures]:
    """Draw all motifs into `logos/`, `matches/` and `positions/` of a folder.

    Args:
        search: What was found.
        records: The sequences searched.
        folder: The folder.
        known: Known motifs by identifier.

    Returns:
        The files of each motif.
    """
    drawn = []
    for motif in search.motifs:
        logo, positions = (_paths(folder / name, motif) for name in ("logos", "positions"))
        title = f"{motif.name}, {len(motif.sites):,} sites"
        draw_logo(_heights(motif.matrix.probabilities, search.background), logo, title=title)
        best, match = search.best_match(motif.name), None
        if best is not None:
            match, svg = _paths(folder / "matches", motif)
            _draw_match(motif, known[best.known], best, (match, svg), search.background)
        starts = np.array([site.start for site in motif.sites])
        lengths = np.array([len(records[site.row].sequence) for site in motif.sites])
        draw_site_positions(starts, lengths, positions, width=len(motif.matrix), title=title)
        drawn.append(MotifFigures(logo[0], match, positions[0]))
    return drawn


def _paths(folder: Path, motif: Motif) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    return folder / f"{motif.name}.png", folder / f"{motif.name}.svg"


def _heights(probabilities: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Share the information of each position in bits out among its letters.

    Example:
        >>> _heights(np.array([[1.0, 0.0, 0.0, 0.0], [0.25] * 4]), np.full(4, 0.25)).tolist()
        [[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    bits = rel_entr(probabilities, background).sum(axis=1) / np.log(2)
    return np.asarray(probabilities * bits[:, None])


def _draw_match(
    motif: Motif,
    known: KnownMotif,
    match: MotifMatch,
    paths: Sequence[Path],
    background: np.ndarray,
) -> None:
    """Draw a motif below a known one, in the strand of that."""
    ours, start = turn_to_known(motif.matrix.probabilities, match, len(known.probabilities))
    name = f"{known.name} ({known.id})" if known.name else known.id
    turned = " (reverse complement)" if match.strand == "-" else ""
    draw_aligned_logos(
        _heights(known.probabilities, background),
        _heights(ours, background),
        paths,
        start=start,
        titles=(name, f"{motif.name}{turned}, q = {match.q_value:.2g}"),
    )


def turn_to_known(matrix: np.ndarray, match: MotifMatch, n_known: int) -> tuple[np.ndarray, int]:
    """Turn a motif to the strand in which a known motif is published.

    Args:
        matrix: Probabilities of the motif, shape (positions, 4).
        match: How it lies on the known motif.
        n_known: Positions of the known motif.

    Returns:
        Its probabilities in that strand, and the position of the known motif (0-based) on which
        they begin; negative if they begin before.
    """
    if match.strand == "+":
        return matrix, match.offset
    # The offset counts on the reverse complement of the known motif.
    return matrix[::-1, ::-1], n_known - match.offset - len(matrix)
