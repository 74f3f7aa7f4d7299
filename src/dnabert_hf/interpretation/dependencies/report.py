"""A page of dependency maps to look at closely, and the table of their blocks."""

import base64
import csv
import io
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from dnabert_hf.files.atomic import write_text
from dnabert_hf.inference.dependencies.blocks import Block, find_blocks
from dnabert_hf.inference.dependencies.map_files import DependencyMap, read_dependency_maps
from dnabert_hf.interpretation.motifs.files import KnownMotif, read_meme
from dnabert_hf.interpretation.motifs.matrices.similarity import TargetMotifs, compare_with_targets
from dnabert_hf.interpretation.pages.page import Page
from dnabert_hf.interpretation.plots.dependency_map import KIND_COLOURS, plot_dependency_maps

__all__ = ["report_dependencies"]

_COLUMNS = ("id", "kind", "start", "end", "start_b", "end_b", "strength", "chance", "known_motif")
_MAX_P = 1e-3  # of a known motif beside the letters of a site
_PSEUDO = 0.05  # of the other letters, so that a word is a matrix
_MOST_MAPS = 20
_MOST_BASES = 1000
_PAGE_QUANTILE = 0.99


def report_dependencies(
    maps: str | Path,
    *,
    plot: str | Path | None = None,
    page: str | Path | None = None,
    blocks: str | Path | None = None,
    known: str | Path | None = None,
) -> list[Path]:
    """Find the blocks of dependency maps, and draw, show or list them.

    Args:
        maps: File that `dependency_maps` wrote.
        plot: Picture to draw, .png, .svg or .pdf; for several maps, one each, the id in its name.
        page: HTML file to write: maps to zoom into, at most 20 of at most 1,000 bases.
        blocks: Table to write, .tsv: id, kind, start, end, start_b, end_b (0-based and half-open),
            strength, chance (see `Block`), known_motif (the known motif most like the letters of a
            site, on either strand, if its p-value by Tomtom's rule is below 0.001).
        known: MEME file of known motifs.

    Returns:
        What was written.

    Raises:
        ValueError: If a file cannot be read.
    """
    motifs = read_meme(known) if known is not None else []
    found = [(each, find_blocks(each)) for each in read_dependency_maps(maps)]
    rows = list(_rows(found, motifs))
    written: list[Path] = []
    if blocks is not None:
        text = io.StringIO()
        writer = csv.writer(text, delimiter="\t", lineterminator="\n")
        writer.writerows([_COLUMNS, *rows])
        write_text(text.getvalue(), blocks)
        written.append(Path(blocks))
    if plot is not None:
        written += plot_dependency_maps(found, plot)
    if page is not None:
        _make_page(found, rows, has_known=known is not None).write(page)
        written.append(Path(page))
    return written


def _rows(
    found: Sequence[tuple[DependencyMap, Sequence[Block]]], motifs: Sequence[KnownMotif]
) -> Iterator[list[str | int | None]]:
    targets = TargetMotifs([each.probabilities for each in motifs]) if motifs else None
    for each, blocks in found:
        for block in blocks:
            name = None
            if targets is not None and block.kind == "site":
                name = _name(each.sequence[block.start : block.end], motifs, targets)
            numbers = [f"{block.strength:.4g}", f"{block.chance:.4g}"]
            places = [block.start, block.end, block.start_b, block.end_b]
            yield [each.id, block.kind, *places, *numbers, name]


def _name(word: str, motifs: Sequence[KnownMotif], targets: TargetMotifs) -> str | None:
    """Find the known motif that the letters of a site resemble most."""
    if not set(word) <= set("ACGT"):
        return None
    matrix = np.full((len(word), 4), _PSEUDO / 3)
    matrix[np.arange(len(word)), ["ACGT".index(letter) for letter in word]] = 1 - _PSEUDO
    match = compare_with_targets(matrix, targets)
    best = int(match.p_values.argmin())
    return (motifs[best].name or motifs[best].id) if match.p_values[best] < _MAX_P else None


def _make_page(
    found: Sequence[tuple[DependencyMap, Sequence[Block]]],
    rows: Sequence[Sequence[str | int | None]],
    *,
    has_known: bool,
) -> Page:
    page = Page(
        "Nucleotide dependencies",
        lead="How much the odds of each base change when another base is replaced, as the model "
        "has learnt it.",
    )
    shown = [each for each in found if len(each[0].sequence) <= _MOST_BASES][:_MOST_MAPS]
    if len(shown) < len(found):
        page.text(
            f"{len(shown)} of {len(found)} maps are shown: at most {_MOST_MAPS}, of at most "
            f"{_MOST_BASES:,} bases. The file of maps holds all."
        )
    templates = files("dnabert_hf.interpretation") / "templates"
    page.widget(
        "Dependency maps",
        script=(templates / "dependencies.js").read_text(encoding="utf-8"),
        style=(templates / "dependencies.css").read_text(encoding="utf-8"),
        data=[_data(each, blocks) for each, blocks in shown],
        fallback="This part needs scripts; --plot draws the same maps.",
    )
    page.text(
        "Rows are queries, the bases that are replaced, columns targets, the bases whose "
        "probability is read with all k-mers over them masked; a pair has the largest change, over "
        "the three replacements and four letters, of the log2 odds. Frames are blocks that are "
        "stronger than any of 20 maps whose pairs of the same distance changed places: about one "
        "map in 20 has a false one of each kind."
    )
    columns = ["sequence", "kind", "bases", "and", "strength", "by chance"]
    table: list[list[str | float | None]] = []
    for name, kind, start, end, start_b, end_b, strength, chance, motif in rows:
        spans = [_span(start, end), _span(start_b, end_b)]
        cells = [str(name), str(kind), *spans, float(str(strength)), float(str(chance))]
        table.append([*cells, *([motif] if has_known else [])])
    if table:
        page.table(
            "Blocks (0-based, the end is not in it)",
            columns + (["known motif"] if has_known else []),
            table,
        )
    else:
        page.text("No block is stronger than chance makes them.")
    return page


def _span(start: str | int | None, end: str | int | None) -> str | None:
    return None if start is None else f"{start}-{end}"


def _data(found: DependencyMap, blocks: Sequence[Block]) -> dict[str, object]:
    """Pack a map: a byte a pair, 0 where there is none, else 1 to 255 up to the 99th per cent."""
    is_known = np.isfinite(found.scores)
    top = float(np.quantile(found.scores[is_known], _PAGE_QUANTILE)) if is_known.any() else 1.0
    shares = np.clip(np.nan_to_num(found.scores) / (top or 1.0), 0, 1)
    levels = np.where(is_known, 1 + np.rint(254 * shares), 0).astype(np.uint8)
    return {
        "title": found.id,
        "sequence": found.sequence,
        "top": round(top, 4),
        "levels": base64.b64encode(levels.tobytes()).decode("ascii"),
        "blocks": [{**block._asdict(), "colour": KIND_COLOURS[block.kind]} for block in blocks],
    }
