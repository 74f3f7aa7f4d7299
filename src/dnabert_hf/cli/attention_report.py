"""`dnabert attention-report`: a page of what a model attends to."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.scores import Heads, Query
from dnabert_hf.cli.options.shared import Model, OverwriteRun, SequenceFile, in_output, report

__all__ = ["attention_report"]


class _Alignment(StrEnum):
    START = "start"
    CENTRE = "centre"
    END = "end"


@takes_run_options(columns=("sequence", "id", "label"))
def attention_report(
    model: Model,
    sequences: SequenceFile,
    output: Annotated[
        Path,
        in_output(
            "-o",
            "--output",
            help="Folder to write: index.html, pictures, tables and scores.parquet.",
            show_default=False,
        ),
    ],
    align: Annotated[
        _Alignment | None,
        typer.Option(
            help="Where sequences of unequal length are laid on each other.", show_default=False
        ),
    ] = None,
    layer: Annotated[int, typer.Option(help="Layer, from 0; -1 is the last.")] = -1,
    head: Heads = None,
    query: Query = None,
    over_training: Annotated[
        bool,
        typer.Option(
            "--over-training",
            help="Heat maps in the course of a training, of the checkpoints that finetune "
            "--keep-checkpoints left in the folder.",
            show_default=False,
        ),
    ] = False,
    overwrite: OverwriteRun = False,
    *,
    running: Running,
) -> None:
    """Show what a model attends to: a page with a landscape of each label, heat map and letters.

    Example:

        dnabert attention-report peaks-model test.tsv -o report

    In the course of a training by finetune --keep-checkpoints:

        dnabert attention-report peaks-model test.tsv --over-training -o training
    """
    from dnabert_hf.interpretation.pages.attention_report import report_attention
    from dnabert_hf.interpretation.pages.training_report import report_training

    make = report_training if over_training else report_attention
    page = make(
        model,
        sequences,
        output,
        align=None if align is None else align.value,
        layer=layer,
        heads=head or None,
        query=None if query is None else query.value,
        overwrite=overwrite,
        **running,
    )
    report(f"open {page}")
