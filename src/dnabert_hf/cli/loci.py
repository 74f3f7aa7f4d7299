"""`dnabert loci`: the windows of a scan by region."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file, new_file
from dnabert_hf.cli.options.shared import Overwrite, SkipBad, close

__all__ = ["loci"]


def loci(
    windows: Annotated[
        Path,
        typer.Argument(help="Table of `dnabert scan`.", show_default=False, callback=input_file),
    ],
    regions: Annotated[
        Path,
        typer.Argument(
            help="BED file of regions, which may overlap.",
            show_default=False,
            callback=input_file,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Table to write: .tsv or .csv, or - .", callback=new_file
        ),
    ] = Path("-"),
    label: Annotated[
        str | None, typer.Option(help="Class.", show_default="the class of interest")
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Least maximum, or mean, of a region that is called.")
    ] = 0.5,
    sites: Annotated[
        Path | None,
        typer.Option(
            help="Known sites (BED, GTF, GFF3 or table of start sites): regions that hold one are "
            "to be called; prints F1, MCC and others.",
            callback=input_file,
        ),
    ] = None,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    """Give each region the highest and the mean probability of its windows, and score both.

    The windows are those that lie within it as a whole. Contigs have the names of the table.

    Example:

        dnabert loci windows.tsv 10kb.bed --sites tss.bed -o loci.tsv
    """
    from dnabert_hf.data.genome.annotation import read_start_sites
    from dnabert_hf.data.genome.intervals import read_bed
    from dnabert_hf.inference.genome_scan.loci import LocusScores, score_loci

    done = score_loci(
        windows,
        read_bed(regions, skip_bad=skip_bad),
        output=output,
        label=label,
        threshold=threshold,
        sites=None if sites is None else read_start_sites(sites, skip_bad=skip_bad),
        overwrite=overwrite,
    )
    if done.scores:
        is_table_there = str(output) == "-"
        typer.echo("\t".join(["", *LocusScores._fields]), err=is_table_there)
        for name, scores in done.scores.items():
            typer.echo("\t".join([name, *(f"{x:.4f}" for x in scores)]), err=is_table_there)
    close(done)
