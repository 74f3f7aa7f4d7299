"""`dnabert example-data`: a small simulated genome with peaks, genes, variants and tables."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.shared import Overwrite, report

__all__ = ["example_data"]


def example_data(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to write.", show_default=False)
    ],
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 42,
    overwrite: Overwrite = False,
) -> None:
    """Write a small simulated genome with peaks, promoters, genes, variants and labelled tables.

    Everything that the other commands read, made in a second; no part is of any organism. The
    folder's README.md says what each file is.

    Example:

        dnabert example-data -o example
    """
    from dnabert_hf.data.example.files import EXAMPLE_FILES, write_example_data

    files = write_example_data(output, seed=seed, overwrite=overwrite)
    for name, path in files.items():
        typer.echo(f"{path}\t{EXAMPLE_FILES[name]}")
    report(f"next: dnabert finetune {files['peaks.tsv']} --init dnabert-6-mini -o peaks-model")
