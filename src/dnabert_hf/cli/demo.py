"""`dnabert demo`: the main job on simulated data, in about a minute."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.shared import Overwrite
from dnabert_hf.cli.options.training import format_scores

__all__ = ["demo"]


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to write.", show_default=False)
    ],
    seed: Annotated[int, typer.Option(help="Seed of simulation and training.")] = 42,
    overwrite: Overwrite = False,
) -> None:
    """Train, test and predict on simulated binding sites, and write a report.

    Plants a published CTCF motif in random DNA, fine-tunes dnabert-6-mini on it, tests the result
    beside logistic regression on k-mer counts, and predicts a FASTA file. About a minute on two
    CPU cores; needs no network.

    Example:

        dnabert demo -o demo
    """
    from dnabert_hf.metrics.scores import METRIC_NAMES
    from dnabert_hf.workflows.demo import demonstrate

    for name in ("training", "workflows.demo"):
        logging.getLogger(f"dnabert_hf.{name}").setLevel(logging.INFO)
    result = demonstrate(output, seed=seed, overwrite=overwrite)
    names = METRIC_NAMES["single_label_classification"]
    for line in format_scores(result.scores, names, title="test, simulated"):
        typer.echo(line)
    typer.echo(f"report: {result.report} ({result.seconds:.0f} s)")
