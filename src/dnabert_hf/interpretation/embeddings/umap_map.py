"""Maps of embeddings by UMAP: a point for each sequence, near to those that are alike."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from dnabert_hf.files.atomic import open_table
from dnabert_hf.files.figures import save_figure
from dnabert_hf.files.outputs import check_output
from dnabert_hf.inference.embeddings.embedding_files import EmbeddingSet, read_embeddings
from dnabert_hf.interpretation.plots.embedding_map import draw_embedding_map

__all__ = ["EmbeddingMap", "plot_umap"]

By = Literal["label", "split"]


class EmbeddingMap(NamedTuple):
    """Points of sequences on a map.

    Attributes:
        ids: Id of each.
        points: Shape (n, 2).
        values: What each is coloured by, None where there is nothing.
    """

    ids: Sequence[str]
    points: np.ndarray
    values: Sequence[str | None] | None


def plot_umap(
    embeddings: str | Path | EmbeddingSet,
    output: str | Path,
    *,
    table: str | Path | None = None,
    by: By | None = None,
    neighbours: int = 15,
    min_distance: float = 0.1,
    seed: int = 42,
    overwrite: bool = False,
) -> EmbeddingMap:
    """Draw sequences as points, near to those whose embeddings are near (McInnes et al. 2018).

    Args:
        embeddings: File of embeddings, as in `read_embeddings`, or what that gave.
        output: Picture: .png, .svg or .pdf.
        table: TSV to write the points to, with id, x, y and what they are coloured by.
        by: What colours the points: "label", which is what is done where there are labels, or
            "split".
        neighbours: Neighbours whose distances the map is to keep: few for detail, many for the
            whole.
        min_distance: How near points may come, from 0 to 1.
        seed: Seed; the same on the same machine and versions gives the same map.
        overwrite: Whether to replace existing files.

    Returns:
        The points.

    Raises:
        ValueError: If there are too few vectors, they cannot be used, or there is nothing to colour
            them by although that was asked for.
        ImportError: If umap-learn is not installed.
    """
    given = embeddings.name if isinstance(embeddings, EmbeddingSet) else embeddings
    check_output(output, overwrite=overwrite, inputs=[given], others=[table])
    if table is not None:
        check_output(table, overwrite=overwrite, inputs=[given])
    if by is not None and by not in get_args(By):
        raise ValueError(f"by must be one of {', '.join(get_args(By))}, got {by!r}")
    if Path(output).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{output}: the picture must be named *.png, *.svg or *.pdf; rename it")
    if not 0 <= min_distance <= 1:
        raise ValueError(f"the least distance must be from 0 to 1, got {min_distance}")
    found = embeddings if isinstance(embeddings, EmbeddingSet) else read_embeddings(embeddings)
    values = _values(found, by)
    if len(found) < 3:
        raise ValueError(f"a map is of 3 sequences or more, found {len(found)} in {found.name}")
    if not 2 <= neighbours < len(found):
        raise ValueError(
            f"neighbours must be from 2 to {len(found) - 1}, one less than the vectors of "
            f"{found.name}, got {neighbours}"
        )
    vectors = np.concatenate([block for _, block in found.blocks()])
    points = _umap(vectors, neighbours, min_distance, seed)
    title = f"{len(found):,} embeddings{_of_model(found)}, UMAP of cosine distances"
    save_figure(draw_embedding_map(points, values, title=title, about=by or "label"), output)
    if table is not None:
        with open_table(table) as write:
            write(["id", "x", "y", by or "label"])
            for row, (name, point) in enumerate(zip(found.ids, points.tolist(), strict=True)):
                value = None if values is None else values[row]
                write([name, *(f"{each:.6g}" for each in point), "" if value is None else value])
    return EmbeddingMap(found.ids, points, values)


def _values(found: EmbeddingSet, by: str | None) -> Sequence[str | None] | None:
    values = found.splits if by == "split" else found.labels
    if by is not None and (values is None or not any(value is not None for value in values)):
        raise ValueError(
            f"{found.name} must say the {by} of its sequences to colour them by it, found none; "
            "embed a table with that column to .h5ad"
        )
    return values


def _of_model(found: EmbeddingSet) -> str:
    name = found.about.get("model")
    return f" of {Path(name).name}" if name else ""


def _umap(vectors: np.ndarray, neighbours: int, min_distance: float, seed: int) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # of Tensorflow, which it can do without
            from umap import UMAP
    except ImportError as error:
        raise ImportError(
            "a map of embeddings needs umap-learn: pip install 'dnabert-hf[umap]'"
        ) from error
    mapper: Any = UMAP(
        n_neighbors=neighbours,
        min_dist=min_distance,
        metric="cosine",
        random_state=seed,
        n_jobs=1,  # as the seed has it anyway
    )
    points = np.asarray(mapper.fit_transform(vectors), dtype=np.float64)
    if not math.isfinite(points.sum()):
        raise ValueError("UMAP placed points nowhere (NaN): the vectors are too alike for a map")
    return points
