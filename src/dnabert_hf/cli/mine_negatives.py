"""`dnabert mine-negatives`: fine-tune in rounds, with the false positives of a genome."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.training import Training, takes_training_options

__all__ = ["mine_negatives"]

_PANEL = "Hard negatives"


@takes_training_options
def mine_negatives(
    training: Training,
    genome: Annotated[
        list[Path],
        typer.Option(
            help="FASTA whose false positives become negatives, round after round; repeatable.",
            rich_help_panel=_PANEL,
            show_default=False,
            callback=input_file,
        ),
    ],
    rounds: Annotated[
        int, typer.Option(help="Rounds of hard negatives.", rich_help_panel=_PANEL)
    ] = 3,
    held_out: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONTIG",
            help="Contig of the genome that only measures the false-positive rate; repeatable.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    sites: Annotated[
        str | None,
        typer.Option(
            help="Known sites (BED, GTF, GFF3 or table of start sites): no hard negative lies "
            "within 1,000 bases of one.",
            rich_help_panel=_PANEL,
            callback=input_file,
        ),
    ] = None,
    negative: Annotated[
        str | None,
        typer.Option(
            help="Class of the hard negatives.",
            show_default="of two, the one that is not the class of interest",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    windows: Annotated[
        int, typer.Option(help="Windows to scan in a round, at most.", rich_help_panel=_PANEL)
    ] = 20_000,
) -> None:
    r"""Fine-tune in rounds: the false positives of a genome become negatives of the next.

    Prints a row for each round: false positives and scores. Everything else is as in `dnabert
    finetune`.

    Example:

        dnabert mine-negatives promoters.tsv --genome hg38.fa.gz --held-out chr20 \
          --sites tss.bed --rounds 3 -o hard
    """
    from dnabert_hf.data.genome.annotation import read_start_sites
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.workflows.hard_negatives import finetune_with_hard_negatives

    for name in ("dnabert_hf.training", "dnabert_hf.workflows.hard_negatives"):
        logging.getLogger(name).setLevel(logging.INFO)
    measured = finetune_with_hard_negatives(
        training.init,
        training.data,
        open_genome(genome),
        rounds=rounds,
        held_out=held_out or [],
        sites=None if sites is None else read_start_sites(sites),
        negative=negative,
        windows=windows,
        **training.options,
    )
    names = list(asdict(measured[0]))
    typer.echo("\t".join(["round", *names]))
    for number, each in enumerate(measured):
        cells = (f"{v:.4f}" if isinstance(v, float) else str(v) for v in asdict(each).values())
        typer.echo("\t".join([str(number), *cells]))
