"""`dnabert attribute`: scores of bases by what they add to a class."""

from enum import StrEnum
from typing import Annotated

import typer

from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.scores import (
    Faithfulness,
    Genome,
    ScoresFile,
    Sequences,
    check_faithfulness,
    measure_faithfulness,
)
from dnabert_hf.cli.options.shared import Aliases, Model, report

__all__ = ["attribute"]


class _Method(StrEnum):
    INTEGRATED_GRADIENTS = "integrated_gradients"
    GRADIENT_X_INPUT = "gradient_x_input"
    OCCLUSION = "occlusion"


@takes_run_options("skip_short", "overwrite", columns=("sequence", "id", "label"))
def attribute(
    model: Model,
    sequences: Sequences,
    output: ScoresFile,
    method: Annotated[
        _Method, typer.Option(help="Where the scores come from; occlusion is the most faithful.")
    ] = _Method.INTEGRATED_GRADIENTS,
    label: Annotated[
        str | None,
        typer.Option(
            help="Class to explain.",
            show_default="the class of interest, or without one the most probable of each",
        ),
    ] = None,
    genome: Genome = None,
    faithfulness: Faithfulness = None,
    aliases: Aliases = None,
    *,
    running: Running,
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
    from dnabert_hf.inference.output.writer import WrittenResults
    from dnabert_hf.interpretation.attribution.attribution import (
        attribution_scores,
        explained_class,
    )

    done = attribution_scores(
        model,
        sequences,
        output=output,
        method=method.value,
        label=label,
        genome=None if not genome else open_genome(genome, aliases=aliases),
        **running,
    )
    assert isinstance(done, WrittenResults)  # there is an output
    explained = explained_class(model, label)
    of_class = explained or "the most probable of each"
    report(f"{done.summary()}, class: {of_class} -> {output}")
    measure_faithfulness(model, output, faithfulness, explained, running)
