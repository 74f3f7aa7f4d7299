"""`dnabert attention-report`: a page of what a model attends to."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.shared import (
    BatchTokens,
    Device,
    Dtype,
    IdColumn,
    LabelColumn,
    Model,
    OverwriteRun,
    SequenceColumn,
    SequenceFile,
    make_columns,
    report,
)

__all__ = ["attention_report"]


class _Alignment(StrEnum):
    START = "start"
    CENTRE = "centre"
    END = "end"


class _Query(StrEnum):
    CLS = "cls"
    KMERS = "kmers"


def attention_report(
    model: Model,
    sequences: SequenceFile,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Folder to write: index.html, pictures, tables and scores.parquet.",
            show_default=False,
            rich_help_panel="Output",
        ),
    ],
    align: Annotated[
        _Alignment | None,
        typer.Option(
            help="Where sequences of unequal length are laid on each other.", show_default=False
        ),
    ] = None,
    layer: Annotated[int, typer.Option(help="Layer, from 0; -1 is the last.")] = -1,
    head: Annotated[
        list[int] | None,
        typer.Option(help="Head to sum over, from 0; repeatable.", show_default="all"),
    ] = None,
    query: Annotated[
        _Query | None,
        typer.Option(
            help="Whose attention: of [CLS], or the mean of all k-mers.",
            show_default="what the model pools",
        ),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_tokens: BatchTokens = None,
    overwrite: OverwriteRun = False,
    sequence_column: SequenceColumn = "sequence",
    id_column: IdColumn = "id",
    label_column: LabelColumn = "label",
) -> None:
    """Show what a model attends to: a page with a landscape of each label, heat map and letters.

    Example:

        dnabert attention-report peaks-model test.tsv -o report
    """
    from dnabert_hf.interpretation.pages.attention_report import report_attention

    page = report_attention(
        model,
        sequences,
        output,
        align=None if align is None else align.value,
        command=shlex.join(["dnabert", *sys.argv[1:]]),
        columns=make_columns(sequence=sequence_column, identifier=id_column, label=label_column),
        layer=layer,
        heads=head or None,
        query=None if query is None else query.value,
        overwrite=overwrite,
        device=device,
        dtype=dtype,
        batch_tokens=batch_tokens,
    )
    report(f"open {page}")
