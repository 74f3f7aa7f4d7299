"""Pictures of dependency maps: a heat map beside the letters, blocks outlined."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dnabert_hf.files.figures import save_figure
from dnabert_hf.files.names import name_files
from dnabert_hf.inference.dependencies.blocks import Block
from dnabert_hf.inference.dependencies.map_files import DependencyMap
from dnabert_hf.interpretation.plots.figures import MISSING, OKABE_ITO, new_figure

__all__ = ["KIND_COLOURS", "draw_dependency_map", "plot_dependency_maps"]

logger = logging.getLogger(__name__)

KIND_COLOURS = {
    "site": OKABE_ITO[0],
    "inverted repeat": OKABE_ITO[1],
    "direct repeat": OKABE_ITO[2],
    "pair": OKABE_ITO[3],
    "splice pair": OKABE_ITO[5],
}
_LETTERED = 150  # bases up to which each letter is written
_LONGEST = 2000
_MOST_PICTURES = 100


def plot_dependency_maps(
    maps: Sequence[tuple[DependencyMap, Sequence[Block]]], plot: str | Path
) -> list[Path]:
    """Draw maps; with several of them each has a picture, with its id in the name.

    Args:
        maps: Maps and their blocks. No more than 100, none longer than 2,000 bases, are drawn.
        plot: Picture: .png, .svg or .pdf.

    Returns:
        The pictures.
    """
    plot = Path(plot)
    drawn = []
    if len(maps) > _MOST_PICTURES:
        logger.warning("pictures of the first %d of %d maps", _MOST_PICTURES, len(maps))
    maps = maps[:_MOST_PICTURES]
    ids = [found.id for found, _ in maps]
    names = name_files(f"{plot.stem}-\0{plot.suffix}", ids, placeholder="\0")
    for (found, blocks), name in zip(maps, names, strict=True):
        if len(found.sequence) > _LONGEST:
            logger.warning(
                "%s has %d bases, too many for a picture (%d at most); map a region of it",
                *(found.id, len(found.sequence), _LONGEST),
            )
            continue
        path = plot if len(maps) == 1 else plot.with_name(name)
        save_figure(draw_dependency_map(found, blocks), path)
        drawn.append(path)
    return drawn


def draw_dependency_map(found: DependencyMap, blocks: Sequence[Block]) -> Figure:
    """Draw a map: queries from top to bottom, targets from left to right.

    Args:
        found: The map.
        blocks: What to outline, above the diagonal, in the colour of its kind.
    """
    n_bases = len(found.sequence)
    size = min(max(5.0, 0.1 * n_bases), 16.0)
    figure = new_figure(width=size + 1.5, height=size + 0.9)
    axis = figure.subplots()
    known = found.scores[np.isfinite(found.scores)]
    top = float(np.quantile(known, 0.99)) if len(known) else 1.0
    axis.set_facecolor(MISSING)
    image = axis.imshow(found.scores, cmap="cividis", vmin=0, vmax=top or 1.0)
    bar = figure.colorbar(image, ax=axis, shrink=0.6, extend="max")
    bar.set_label("dependency: |log2 odds ratio| of the target")
    if n_bases <= _LETTERED:
        letters, font = list(found.sequence), min(9.0, 72 * 0.8 * size / n_bases)
        axis.set_xticks(range(n_bases), letters, fontsize=font, family="monospace")
        axis.set_yticks(range(n_bases), letters, fontsize=font, family="monospace")
        axis.tick_params(length=0, pad=1)
    axis.set_xlabel("target (base whose probability changes)")
    axis.set_ylabel("query (base that is replaced)")
    axis.set_title(f"{found.id}: {n_bases} bases, 5' at the top left", fontsize=10)
    for block in blocks:
        _outline(axis, block)
    kinds = [kind for kind in KIND_COLOURS if any(block.kind == kind for block in blocks)]
    if kinds:
        handles = [Rectangle((0, 0), 1, 1, fill=False, edgecolor=KIND_COLOURS[k]) for k in kinds]
        figure.legend(handles, kinds, loc="outside lower center", ncols=len(kinds), fontsize=8)
    return figure


def _outline(axis: Axes, block: Block) -> None:
    start_b = block.start if block.start_b is None else block.start_b
    end_b = block.end if block.end_b is None else block.end_b
    corner = (start_b - 0.5, block.start - 0.5)
    axis.add_patch(
        Rectangle(
            corner,
            end_b - start_b,
            block.end - block.start,
            fill=False,
            edgecolor=KIND_COLOURS[block.kind],
            linewidth=1.5,
        )
    )
