"""`dnabert variants`: what each allele of a VCF changes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import (
    Aliases,
    BothStrands,
    Force,
    GenomeFiles,
    LabelOfInterest,
    Model,
    Output,
    VariantFile,
    Window,
    close,
)

__all__ = ["variants"]


@takes_run_options("shard", "overwrite")
def variants(
    model: Model,
    vcf: VariantFile,
    genome: GenomeFiles,
    output: Output = Path("-"),
    window: Window = None,
    label: LabelOfInterest = None,
    shifts: Annotated[
        int,
        typer.Option(
            help="Windows to either side to score, too; the strongest effect is written, and "
            "where it is."
        ),
    ] = 0,
    also: Annotated[
        list[str] | None,
        typer.Option(help="Another checkpoint, with columns of its own; repeatable."),
    ] = None,
    background: Annotated[
        Path | None,
        typer.Option(
            help="File of effects of random changes (.npz), to rank each effect among: percentile. "
            "Made if it is not there."
        ),
    ] = None,
    background_size: Annotated[
        int | None,
        typer.Option(
            help="Random places of each of 32 trinucleotides, three changes each.",
            show_default="200, or those of the file",
        ),
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(
            help="GTF or GFF3 of genes: nearest gene, distance to its start, exon, intron and so "
            "on.",
            callback=input_file,
        ),
    ] = None,
    haplotypes: Annotated[
        str | None,
        typer.Option(
            metavar="SAMPLE",
            help="Score the variants that this phased sample has on one copy within half a window "
            "together, beside the sum of their effects; . takes those of all records.",
        ),
    ] = None,
    rc: BothStrands = None,
    aliases: Aliases = None,
    force: Force = False,
    *,
    running: Running,
) -> None:
    r"""Score every alternative allele of a VCF: a fine-tuned model's class, or no labels at all.

    A classifier gives the probability of a class with either allele, DNABERT's diff (above 0 where
    ALT raises it) and log odds ratio (REF over ALT: below 0 there); a pretrained model the
    log-likelihood ratio of the base and the distance of the embeddings. Writes .vcf or .vcf.gz
    (with index) with INFO fields, .tsv, .csv or .parquet. Insertions and deletions are scored
    left-aligned; normalized names that form. What cannot be scored stays, with the
    reason; REF must be the genome's. If nothing can be scored, that is an error.

    Example:

        dnabert variants my_model in.vcf.gz --genome hg38.fa.gz --window 300 \
          -o out.vcf.gz

    Without labels:

        dnabert variants dnabert-6-mini in.vcf --genome hg38.fa --window 400 \
          -o x.tsv

    Ranked among random changes of the same kind, and placed among genes:

        dnabert variants my_model in.vcf --genome hg38.fa --background mine.npz \
          --annotate genes.gtf.gz -o x.tsv
    """
    several = {"--shifts": shifts, "--also": also, "--annotate": annotate}
    several |= {"--background": background, "--background-size": background_size}
    given = [name for name, value in several.items() if value]
    if haplotypes is not None and given:
        raise ValueError(f"--haplotypes must go without {', '.join(given)}; leave one of them out")
    if background_size is not None and background is None:
        raise ValueError("--background-size must go with --background FILE; name a file")
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.data.reading.lines import regular_file
    from dnabert_hf.inference.variants.score_variants import score_variants

    options: dict[str, Any] = {"output": output, "window": window, "label": label}
    options |= {"both_strands": rc, "force": force, **running}
    with regular_file(vcf, suffix=".vcf") as file:
        opened = open_genome(genome, aliases=aliases)
        if haplotypes is not None:
            from dnabert_hf.inference.variants.haplotypes import score_haplotypes

            close(score_haplotypes(model, file, opened, sample=haplotypes, **options))
            return
        done = score_variants(
            model,
            file,
            opened,
            shifts=shifts,
            also=also or (),
            background=background,
            background_size=background_size,
            annotation=annotate,
            **options,
        )
    close(done)
