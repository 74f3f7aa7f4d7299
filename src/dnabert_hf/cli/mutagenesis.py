"""`dnabert mutagenesis`: what every single change of a sequence does."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import (
    Aliases,
    BothStrands,
    GenomeOfRegions,
    Model,
    Output,
    SequencesOrRegions,
    close,
    report,
)

__all__ = ["mutagenesis"]


@takes_run_options("shard", "overwrite", "skip_short", columns=("sequence", "id"))
def mutagenesis(
    model: Model,
    source: SequencesOrRegions,
    output: Output = Path("-"),
    genome: GenomeOfRegions = None,
    flank: Annotated[
        int, typer.Option(help="Bases beside a region that the model sees, not changed.")
    ] = 0,
    deletions: Annotated[
        bool, typer.Option("--deletions", help="Leave each base out, too.", show_default=False)
    ] = False,
    insertions: Annotated[
        bool,
        typer.Option(
            "--insertions", help="Insert each base before each base, too.", show_default=False
        ),
    ] = False,
    label: Annotated[str | None, typer.Option(help="Class to score.", show_default="all")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Picture to draw: .png, .svg or .pdf; for several sequences, one each, the id in "
            "its name."
        ),
    ] = None,
    rc: BothStrands = None,
    aliases: Aliases = None,
    *,
    running: Running,
) -> None:
    r"""Change every base of sequences to every other, and score the predicted effect.

    A classifier gives for each class the probability before and after, DNABERT's diff and the log
    odds ratio (positive where signal is lost); a pretrained model, without labels, the
    log-likelihood ratio of the bases. One row a change, 0-based positions, to TSV, CSV or Parquet.
    A run that was stopped goes on where it ended when the same command is run again.

    Example:

        dnabert mutagenesis my_model promoters.fa -o map.parquet --plot map.png

    Regions:

        dnabert mutagenesis dnabert-6-mini enhancers.bed --genome hg38.fa \
          --flank 200 -o m.tsv
    """
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.inference.variants.mutagenesis import mutagenesis as map_mutations
    from dnabert_hf.interpretation.plots.mutation_map import check_plot, plot_mutation_maps

    # How many changes there are is said before hours of work.
    logging.getLogger("dnabert_hf.inference.variants").setLevel(logging.INFO)
    if plot is not None:
        check_plot(output, plot, overwrite=running["overwrite"])
    done = map_mutations(
        model,
        source,
        output=output,
        genome=open_genome(genome, aliases=aliases) if genome else None,
        flank=flank,
        deletions=deletions,
        insertions=insertions,
        label=label,
        both_strands=rc,
        **running,
    )
    close(done)
    if plot is not None and done.path.exists() and os.environ.get("RANK", "0") == "0":
        for path in plot_mutation_maps(output, plot, label=label or done.positive):
            report(f"{path}")
