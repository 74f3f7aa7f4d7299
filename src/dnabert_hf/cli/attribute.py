"""`dnabert attribute`: scores of bases by what they add to a class."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from dnabert_hf.cli.options.scores import (
    Faithfulness,
    Genome,
    ScoresFile,
    Sequences,
    check_faithfulness,
    measure_faithfulness,
)
from dnabert_hf.cli.options.shared import (
    Aliases,
    BatchTokens,
    Device,
    Dtype,
    IdColumn,
    LabelColumn,
    Model,
    Overwrite,
    SequenceColumn,
    SkipShort,
    make_columns,
    report,
)

__all__ = ["attribute"]


class _Method(StrEnum):
    INTEGRATED_GRADIENTS = "integrated_gradients"
    GRADIENT_X_INPUT = "gradient_x_input"
    OCCLUSION = "occlusion"


def attribute(
    model: Model,
    sequences: Sequences,
    output: ScoresFile,
    method: Annotated[
        _Method, typer.Option(help="Where the scores come from; occlusion is the most faithful.")
    ] = _Method.INTEGRATED_GRADIENTS,
    label: Annotated[
        str | None,
        typer.Option(help="Class to explain.", show_default="the most probable one of each"),
    ] = None,
    genome: Genome = None,
    faithfulness: Faithfulness = None,
    aliases: Aliases = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    batch_tokens: BatchTokens = None,
    skip_short: SkipShort = False,
    overwrite: Overwrite = False,
    sequence_column: SequenceColumn = "sequence",
    id_column: IdColumn = "id",
    label_column: LabelColumn = "label",
) -> None:
    r"""Score each base by what it adds to a class, with its sign.

    Writes id, sequence, scores and the probability of each class; or a track, if sequences are
    named like chr1:100-400 (0-based, half-open) or come from a BED file. Sequences may have any
    length. Where a model looks is told by `dnabert attention`.

    Example:

        dnabert attribute peaks-model peaks.fa --method occlusion -o scores.parquet

    A track:

        dnabert attribute peaks-model peaks.bed --genome hg38.fa --label bound \
          -o scores.bw
    """
    check_faithfulness(faithfulness, output)
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.interpretation.attribution.attribution import attribution_scores

    running: dict[str, Any] = {"device": device, "dtype": dtype, "batch_tokens": batch_tokens}
    done = attribution_scores(
        model,
        sequences,
        output=output,
        method=method.value,
        label=label,
        genome=None if not genome else open_genome(genome, aliases=aliases),
        columns=make_columns(sequence=sequence_column, identifier=id_column, label=label_column),
        skip_short=skip_short,
        overwrite=overwrite,
        **running,
    )
    report(f"{done[1]:,} sequences, class: {label or 'the most probable of each'} -> {output}")
    measure_faithfulness(model, output, faithfulness, label, **running)
