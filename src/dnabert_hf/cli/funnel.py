"""`dnabert funnel`: variants that a model attends to, ranked by predicted effect."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options import shared as options
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import (
    Aliases,
    BothStrands,
    Force,
    GenomeFiles,
    LabelOfInterest,
    Model,
    VariantFile,
    Window,
)

__all__ = ["funnel"]


@takes_run_options("overwrite")
def funnel(
    model: Model,
    vcf: VariantFile,
    genome: GenomeFiles,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="Table to write: .tsv or .csv.", show_default=False),
    ],
    report: Annotated[Path | None, typer.Option(help="HTML page to write.")] = None,
    clinvar: Annotated[
        Path | None, typer.Option(help="VCF of ClinVar to look the variants up in.")
    ] = None,
    gwas: Annotated[
        Path | None, typer.Option(help="GWAS Catalog, the TSV of all associations.")
    ] = None,
    grasp: Annotated[Path | None, typer.Option(help="GRASP, the full data set.")] = None,
    build: Annotated[
        str | None,
        typer.Option(
            help="Build of the genome, GRCh37 (hg19) or GRCh38 (hg38): needed to look up positions "
            "beside rs numbers."
        ),
    ] = None,
    keep: Annotated[int, typer.Option(help="Alleles to keep, the strongest.")] = 1000,
    window: Window = None,
    label: LabelOfInterest = None,
    rc: BothStrands = None,
    aliases: Aliases = None,
    force: Force = False,
    *,
    running: Running,
) -> None:
    r"""Find variants that a fine-tuned model attends to, rank them by effect, look them up.

    As in DNABERT's paper: variants in high-attention regions, both alleles scored, the strongest
    kept and looked up in ClinVar, GWAS Catalog and GRASP. Writes a ranked table and a page. A run
    that was stopped goes on when the same command is run again.

    Example:

        dnabert funnel ctcf-model dbsnp.vcf.gz --genome hg38.fa --window 101 \
          -o top.tsv --report top.html --clinvar clinvar.vcf.gz --gwas gwas.tsv \
          --build hg38
    """
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.data.reading.lines import regular_file
    from dnabert_hf.interpretation.funnel.funnel import variant_funnel

    named = {"clinvar": clinvar, "gwas": gwas, "grasp": grasp}
    with regular_file(vcf, suffix=".vcf") as file:
        done = variant_funnel(
            model,
            file,
            open_genome(genome, aliases=aliases),
            output=output,
            window=window,
            label=label,
            keep=keep,
            catalogs={name: path for name, path in named.items() if path is not None},
            build=build,
            report=report,
            both_strands=rc,
            force=force,
            **running,
        )
    options.close(done)
