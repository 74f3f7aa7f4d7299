"""`dnabert predict`: classes and probabilities of sequences."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options import (
    BatchTokens,
    BothStrands,
    Device,
    Dtype,
    IdColumn,
    Model,
    Output,
    Overwrite,
    SequenceColumn,
    SequenceFile,
    Shard,
    make_columns,
)

__all__ = ["predict"]


def predict(
    model: Model,
    sequences: SequenceFile,
    output: Output = Path("-"),
    also: Annotated[
        list[str] | None,
        typer.Option(help="Another checkpoint whose probabilities to average with; repeatable."),
    ] = None,
    rc: BothStrands = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_tokens: BatchTokens = None,
    shard: Shard = None,
    overwrite: Overwrite = False,
    sequence_column: SequenceColumn = "sequence",
    id_column: IdColumn = "id",
) -> None:
    """Predict the class of each sequence, of any length, with a fine-tuned model.

    Writes id, label and the probability of each class (regression: id and value) as TSV, CSV or
    Parquet, as the name of the output says. A run that was stopped goes on where it ended when
    the same command is run again.

    Example: dnabert predict my_model genome.fa.gz -o predictions.tsv

    The mean of three models and both strands: dnabert predict k4 genes.fa --also k5 --also k6 --rc
    """
    from dnabert_hf.inference.prediction import predict as run

    run(
        model,
        sequences,
        output=output,
        columns=make_columns(sequence=sequence_column, identifier=id_column),
        others=also or (),
        both_strands=rc,
        device=device,
        dtype=dtype,
        batch_tokens=batch_tokens,
        shard=shard,
        overwrite=overwrite,
    )
