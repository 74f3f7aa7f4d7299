"""`dnabert attention`: how much a model looks at each base."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options import (
    BatchTokens,
    Device,
    Dtype,
    IdColumn,
    Model,
    Overwrite,
    SequenceColumn,
    SequenceFile,
    Shard,
    make_columns,
    report,
)

__all__ = ["attention"]


def attention(
    model: Model,
    sequences: SequenceFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Parquet file to write.", show_default=False)
    ],
    layer: Annotated[int, typer.Option(help="Layer, from 0; -1 is the last.")] = -1,
    head: Annotated[
        list[int] | None,
        typer.Option(help="Head to sum over, from 0; repeatable.", show_default="all"),
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_tokens: BatchTokens = None,
    shard: Shard = None,
    overwrite: Overwrite = False,
    sequence_column: SequenceColumn = "sequence",
    id_column: IdColumn = "id",
) -> None:
    """Score each base by the attention of [CLS], as DNABERT-viz does.

    Attention of the last layer, summed over the heads, the mean over the k-mers that cover a base,
    divided by the norm. Writes id, sequence, scores and, if the model is a classifier, the
    probability of each class. Sequences may have any length.

    Example: dnabert attention peaks-model peaks.fa -o scores.parquet
    """
    from dnabert_hf.interpretation.attention import attention_scores

    done = attention_scores(
        model,
        sequences,
        output=output,
        layer=layer,
        heads=head or None,
        columns=make_columns(sequence=sequence_column, identifier=id_column),
        device=device,
        dtype=dtype,
        batch_tokens=batch_tokens,
        shard=shard,
        overwrite=overwrite,
    )
    report(f"{done[1]:,} sequences")
