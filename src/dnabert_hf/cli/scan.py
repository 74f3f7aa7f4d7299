"""`dnabert scan`: a classifier over all windows of a genome."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import Aliases, BothStrands, Model, SkipBad, Window, close

__all__ = ["scan"]


@takes_run_options("shard", "overwrite")
def scan(
    model: Model,
    genome: Annotated[
        list[Path],
        typer.Argument(help="FASTA files of the genome.", show_default=False, callback=input_file),
    ],
    step: Annotated[int, typer.Option(help="Bases from a window to the next.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Table of windows: .tsv, .csv or .parquet.", show_default=False
        ),
    ],
    regions: Annotated[
        Path | None, typer.Option(help="BED file of where to scan.", show_default="everywhere")
    ] = None,
    window: Window = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="Class of track, calls and comparison.", show_default="the class of interest"
        ),
    ] = None,
    track: Annotated[
        Path | None,
        typer.Option(
            help="Probability along the genome to write: .bedgraph, .bw or .bigwig; with {label} "
            "in its name, such as scan.{label}.bw, a file for each class."
        ),
    ] = None,
    calls: Annotated[
        Path | None, typer.Option(help="BED file to write of joined windows above the threshold.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Least probability of a call.", show_default="what the model suggests, or else 0.5"
        ),
    ] = None,
    sites: Annotated[
        Path | None,
        typer.Option(
            help="Known sites (BED, GTF, GFF3 or table of start sites) to compare with; prints "
            "precision, recall, F1 and AUPRC."
        ),
    ] = None,
    tolerance: Annotated[
        int, typer.Option(help="Bases between a call and a site that it meets, at most.")
    ] = 500,
    rc: BothStrands = None,
    aliases: Aliases = None,
    skip_bad: SkipBad = False,
    *,
    running: Running,
) -> None:
    r"""Classify the windows of a genome, and make a track and calls of it.

    Windows with N are left out and counted. A run that was stopped goes on where it ended when the
    same command is run again. Coordinates are 0-based, half-open.

    Example:

        dnabert scan promoters chr20.fa.gz --window 300 --step 50 \
          -o windows.parquet --track promoters.bw --calls promoters.bed \
          --threshold 0.9

    Prom-scan:

        dnabert scan model hg38.fa --regions 10kb.bed --window 1001 --step 100 \
          -o w.tsv --sites tss.bed
    """
    from dnabert_hf.data.genome.annotation import read_start_sites
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.data.genome.intervals import read_bed
    from dnabert_hf.inference.genome_scan.scan import scan as scan_genome

    # How many windows there are is said before hours of work.
    logging.getLogger("dnabert_hf.inference.genome_scan").setLevel(logging.INFO)
    done = scan_genome(
        model,
        open_genome(genome, aliases=aliases),
        output=output,
        window=window,
        step=step,
        regions=None if regions is None else read_bed(regions, skip_bad=skip_bad),
        label=label,
        track=track,
        calls=calls,
        threshold=threshold,
        sites=None if sites is None else read_start_sites(sites, skip_bad=skip_bad),
        tolerance=tolerance,
        both_strands=rc,
        **running,
    )
    close(done)
    if done.site_scores is not None:
        for name, value in done.site_scores._asdict().items():
            typer.echo(f"{name}\t{value:.4g}" if isinstance(value, float) else f"{name}\t{value}")
