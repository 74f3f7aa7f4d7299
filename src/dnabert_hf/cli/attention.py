"""`dnabert attention`: how much a model looks at each base."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from dnabert_hf.cli.options import (
    BatchTokens,
    Device,
    Dtype,
    IdColumn,
    LabelColumn,
    Model,
    Overwrite,
    SequenceColumn,
    SequenceFile,
    make_columns,
)

__all__ = ["attention"]


def attention(
    model: Model,
    sequences: SequenceFile,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Parquet file to write.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write: a page that shows the scores (index.html), pictures, tables.",
            show_default=False,
        ),
    ] = None,
    align: Annotated[
        str | None,
        typer.Option(
            help="Where the report lays sequences of unequal length on each other: start, centre "
            "or end.",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[int, typer.Option(help="Layer, from 0; -1 is the last.")] = -1,
    head: Annotated[
        list[int] | None,
        typer.Option(help="Head to sum over, from 0; repeatable.", show_default="all"),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_tokens: BatchTokens = None,
    overwrite: Overwrite = False,
    sequence_column: SequenceColumn = "sequence",
    id_column: IdColumn = "id",
    label_column: LabelColumn = "label",
) -> None:
    """Score each base by the attention of [CLS], as DNABERT-viz does.

    Attention of the last layer, summed over the heads, the mean over the k-mers that cover a base,
    divided by the norm. Writes id, sequence, scores and, if the model is a classifier, the
    probability of each class. Sequences may have any length.

    With --report, a folder: letters, heat map, landscape of each class (of the label column),
    context of the strongest site, and every base under the pointer.

    Example: dnabert attention peaks-model peaks.fa -o scores.parquet

    Example: dnabert attention peaks-model test.tsv --report report
    """
    if (output is None) == (report is None):
        found = "none" if output is None else "both"
        raise ValueError(
            f"one of -o scores.parquet and --report FOLDER must be given, found {found}; the "
            "folder holds a scores.parquet too"
        )
    columns = make_columns(sequence=sequence_column, identifier=id_column, label=label_column)
    options: dict[str, Any] = {
        "layer": layer,
        "heads": head or None,
        "columns": columns,
        "device": device,
        "dtype": dtype,
        "batch_tokens": batch_tokens,
        "overwrite": overwrite,
    }
    if report is not None:
        from dnabert_hf.interpretation.attention_report import report_attention

        command = shlex.join(["dnabert", *sys.argv[1:]])
        page = report_attention(
            model, sequences, report, align=cast(Any, align), command=command, **options
        )
        typer.echo(f"{page}", err=True)
        return
    from dnabert_hf.interpretation.attention import attention_scores

    done = attention_scores(model, sequences, output=output, **options)
    typer.echo(f"{done[1]:,} sequences", err=True)
