"""`dnabert nearest`: the sequences whose embeddings are nearest."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file, model_name
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import Output, close, in_model

__all__ = ["nearest"]


@takes_run_options("overwrite", "skip_short", columns=("sequence", "id"))
def nearest(
    query: Annotated[
        str,
        typer.Argument(
            help="Embeddings (.h5ad, .parquet, .safetensors, .npy), or sequences to embed first; - "
            "is standard input.",
            show_default=False,
            callback=input_file,
        ),
    ],
    index: Annotated[
        Path | None,
        typer.Option(
            "--in",
            help="Embeddings to search.",
            show_default="those of the query, each but itself",
            callback=input_file,
        ),
    ] = None,
    output: Output = Path("-"),
    neighbours: Annotated[int, typer.Option("-n", "--neighbours", help="Neighbours of each.")] = 5,
    approximate: Annotated[
        bool,
        typer.Option(
            "--approximate",
            help="Search by a graph (HNSW): finds most of them, faster where many are asked for "
            "among hundreds of thousands.",
        ),
    ] = False,
    model: Annotated[
        str | None,
        in_model(
            help="Model to embed sequences with.",
            show_default="that of the embeddings to search",
            callback=model_name,
        ),
    ] = None,
    *,
    running: Running,
) -> None:
    """Find the sequences whose embeddings are nearest, by cosine similarity.

    Each row is a neighbour: query, rank, neighbour, similarity and the neighbour's label. All are
    compared with all; neither file need fit into memory.

    Example:

        dnabert nearest new.fa --in known.h5ad -n 3 -o nearest.tsv

    Within one file:

        dnabert nearest known.h5ad -n 1
    """
    from dnabert_hf.inference.embeddings.nearest import nearest as find_nearest

    done = find_nearest(
        query,
        index,
        output=output,
        neighbours=neighbours,
        approximate=approximate,
        model=model,
        **running,
    )
    assert not isinstance(done, list)
    close(done)
