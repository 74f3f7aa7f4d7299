"""`dnabert umap`: a picture of embeddings."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file, new_file
from dnabert_hf.cli.options.shared import Overwrite, in_output, report

__all__ = ["umap"]


def umap(
    embeddings: Annotated[
        Path,
        typer.Argument(
            help="Embeddings: .h5ad, .parquet, .safetensors or .npy.",
            show_default=False,
            callback=input_file,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Picture to draw: .png, .svg or .pdf.",
            show_default=False,
            callback=new_file,
        ),
    ],
    table: Annotated[
        Path | None, in_output(help="TSV to write the points to.", callback=new_file)
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="What colours the points: label or split.", show_default="label"),
    ] = None,
    neighbours: Annotated[
        int, typer.Option(help="Neighbours to keep: few for detail, many for the whole.")
    ] = 15,
    min_distance: Annotated[
        float, typer.Option(help="How near points may come, from 0 to 1.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed.")] = 42,
    overwrite: Overwrite = False,
) -> None:
    """Draw embeddings as a map (UMAP), a point a sequence in the colour of its label.

    Distances between groups and their sizes mean little; who is whose neighbour does.

    Example:

        dnabert umap embeddings.h5ad -o map.png
    """
    from dnabert_hf.interpretation.embeddings.umap_map import plot_umap

    found = plot_umap(
        embeddings,
        output,
        table=table,
        by=by,  # type: ignore[arg-type]  # checked where it is used
        neighbours=neighbours,
        min_distance=min_distance,
        seed=seed,
        overwrite=overwrite,
    )
    written = ", ".join(str(path) for path in (output, table) if path is not None)
    report(f"{len(found.ids):,} points -> {written}")
