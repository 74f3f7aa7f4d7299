"""`dnabert attention`: scores of bases by the attention of a model."""

from typing import Annotated

import typer

from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.scores import (
    Faithfulness,
    Genome,
    Heads,
    Query,
    ScoresFile,
    Sequences,
    check_faithfulness,
    measure_faithfulness,
)
from dnabert_hf.cli.options.shared import Aliases, Model, report

__all__ = ["attention"]


@takes_run_options("shard", "overwrite", "skip_short", columns=("sequence", "id", "label"))
def attention(
    model: Model,
    sequences: Sequences,
    output: ScoresFile,
    layer: Annotated[
        list[int] | None,
        typer.Option(
            help="Layer, from 0, -1 is the last; repeatable: they are summed.", show_default="-1"
        ),
    ] = None,
    head: Heads = None,
    query: Query = None,
    rollout: Annotated[
        bool,
        typer.Option(
            "--rollout",
            help="Follow attention through all layers (Abnar and Zuidema 2020).",
            show_default=False,
        ),
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option(help="Another checkpoint whose scores to sum with; repeatable."),
    ] = None,
    genome: Genome = None,
    faithfulness: Faithfulness = None,
    aliases: Aliases = None,
    *,
    running: Running,
) -> None:
    r"""Score each base by attention, as DNABERT-viz does.

    Attention in the last layer, summed over the heads, the mean over the k-mers that cover a base,
    divided by the norm. Writes id, sequence, scores and, if the model is a classifier, the
    probability of each class; or a track, if sequences are named like chr1:100-400 (0-based,
    half-open) or come from a BED file. Sequences may have any length. What a base adds to a class
    is told by `dnabert attribute`, a page of figures made by `dnabert attention-report`.

    Example:

        dnabert attention peaks-model peaks.fa -o scores.parquet

    A track:

        dnabert attention peaks-model peaks.bed --genome hg38.fa -o scores.bw

    The sum over k = 3 to 6:

        dnabert attention k3 peaks.fa --also k4 --also k5 --also k6 -o scores.parquet
    """
    if rollout and (layer or head or query):
        raise ValueError(
            "--layer, --head and --query choose from one layer's attention, and --rollout follows "
            "all; leave out the one or the other"
        )
    check_faithfulness(faithfulness, output)
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.inference.output.writer import WrittenResults
    from dnabert_hf.interpretation.attribution.attention import attention_scores

    done = attention_scores(
        model,
        sequences,
        output=output,
        layer=layer or -1,
        heads=head or None,
        query=None if query is None else query.value,
        rollout=rollout,
        also=also or (),
        genome=None if not genome else open_genome(genome, aliases=aliases),
        **running,
    )
    assert isinstance(done, WrittenResults)  # there is an output
    report(f"{done.summary()} -> {output}")
    measure_faithfulness(model, output, faithfulness, None, running)
