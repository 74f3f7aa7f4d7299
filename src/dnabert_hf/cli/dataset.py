"""`dnabert dataset`: make labelled data sets from a genome and what is known of it."""

from enum import StrEnum
from typing import Annotated

import typer

from dnabert_hf.cli.dataset_check import check
from dnabert_hf.cli.options.command import Command
from dnabert_hf.cli.options.dataset import (
    DevContigs,
    Genomes,
    Table,
    Target,
    WindowLength,
    parse_classes,
    parse_columns,
    takes_target,
)
from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.peaks import build_on_transcripts, name_classes
from dnabert_hf.cli.options.shared import Aliases, Overwrite, SkipBad
from dnabert_hf.files.counts import counted, counted_reasons

__all__ = ["dataset"]

dataset = typer.Typer(
    help="Make labelled data sets from a genome, or check one for leaks.",
    no_args_is_help=True,
)


class _PromoterNegatives(StrEnum):
    genomic = "genomic"
    published = "published"
    chunks = "chunks"
    dinucleotides = "dinucleotides"


class _Summary(StrEnum):
    mean = "mean"
    max = "max"
    log1p = "log1p"


class _PeakNegatives(StrEnum):
    genomic = "genomic"
    dinucleotides = "dinucleotides"
    transcripts = "transcripts"


@dataset.command(cls=Command)
@takes_target
def promoters(
    start_sites: Annotated[
        str,
        typer.Argument(
            help="Transcription start sites: GTF, GFF3, BED (EPDnew's too), or a table with "
            "contig, position (0-based) and strand.",
            show_default=False,
        ),
    ],
    target: Target,
    negatives: Annotated[
        _PromoterNegatives,
        typer.Option(
            help="genomic: windows alike in GC and repeats; published: as DNABERT's; chunks or "
            "dinucleotides: promoters shuffled."
        ),
    ] = _PromoterNegatives.genomic,
    upstream: Annotated[int, typer.Option(help="Bases before the start; Prom-core: 33.")] = 249,
    downstream: Annotated[int, typer.Option(help="Bases after the start; Prom-core: 36.")] = 50,
    columns: Annotated[
        str, typer.Option(help="Names of the table's columns.")
    ] = "contig,position,strand",
) -> None:
    """Promoters around transcription start sites, and as many negatives.

    Example:

        dnabert dataset promoters epdnew.bed --genome hg38.fa.gz -o promoters.tsv
    """
    from dnabert_hf.data.building.promoters import build_promoters
    from dnabert_hf.data.genome.annotation import read_start_sites

    target.build(
        build_promoters,
        read_start_sites(start_sites, columns=parse_columns(columns), skip_bad=target.skip_bad),
        {"command": "promoters", "start_sites": start_sites},
        source=start_sites,
        negatives=negatives.value,
        upstream=upstream,
        downstream=downstream,
    )


@dataset.command(cls=Command)
@takes_target
def peaks(
    intervals: Annotated[
        str, typer.Argument(help="Peaks: BED or narrowPeak, plain or gzip.", show_default=False)
    ],
    target: Target,
    negatives: Annotated[
        _PeakNegatives,
        typer.Option(
            help="genomic: windows alike in GC and repeats; dinucleotides: peaks shuffled; "
            "transcripts: of the same transcripts and strands, for CLIP-seq."
        ),
    ] = _PeakNegatives.genomic,
    annotation: Annotated[
        str | None,
        typer.Option(
            help="Genes that --negatives transcripts is to look at: GTF or GFF3.",
            callback=input_file,
        ),
    ] = None,
    length: Annotated[int, typer.Option(help="Bases around the summit.")] = 101,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Peaks of another class in place of negatives; repeatable. The files name the "
            "classes; peaks that overlap one of another class are left out.",
            callback=input_file,
        ),
    ] = None,
) -> None:
    r"""Binding sites around the summits of peaks, and as many negatives.

    Example:

        dnabert dataset peaks ctcf.narrowPeak --genome hg38.fa.gz -o ctcf.tsv

    Protein on RNA (CLIP-seq), read along the strand:

        dnabert dataset peaks clip.bed --negatives transcripts --annotation genes.gtf \
          --genome hg38.fa -o clip.tsv

    Isoforms told apart:

        dnabert dataset peaks alpha.bed --against beta.bed --length 500 --genome hg38.fa -o ab.tsv
    """
    from dnabert_hf.data.building.peaks import build_peak_classes, build_peaks
    from dnabert_hf.data.genome.intervals import read_bed

    if (negatives is _PeakNegatives.transcripts) != (annotation is not None):
        raise ValueError(
            "--negatives transcripts and --annotation, the genes, go together, found one of them; "
            "give both"
        )
    if against:
        if negatives is not _PeakNegatives.genomic:
            raise ValueError(
                "there are no negatives where peaks are told from others (--against), found "
                f"--negatives {negatives.value}; leave one of them out"
            )
        files = [intervals, *against]
        target.build(
            build_peak_classes,
            {
                name: read_bed(file, skip_bad=target.skip_bad)
                for name, file in name_classes(files).items()
            },
            {"command": "peaks", "peaks": files},
            source=", ".join(files),
            length=length,
        )
        return
    if annotation is not None:
        build_on_transcripts(intervals, annotation, target, length)
        return
    target.build(
        build_peaks,
        read_bed(intervals, skip_bad=target.skip_bad),
        {"command": "peaks", "peaks": intervals},
        source=intervals,
        negatives=negatives.value,
        length=length,
    )


@dataset.command(cls=Command)
@takes_target
def splice(
    annotation: Annotated[
        str, typer.Argument(help="Genes: GTF or GFF3, plain or gzip.", show_default=False)
    ],
    target: Target,
    length: Annotated[int, typer.Option(help="Bases around the border of exon and intron.")] = 400,
) -> None:
    """Splice donors and acceptors, and as many positions in genes that are neither.

    Example:

        dnabert dataset splice gencode.gtf.gz --genome hg38.fa.gz -o splice.tsv
    """
    from dnabert_hf.data.building.splice_sites import build_splice_sites
    from dnabert_hf.data.genome.annotation import read_transcripts

    target.build(
        build_splice_sites,
        read_transcripts(annotation, skip_bad=target.skip_bad),
        {"command": "splice", "annotation": annotation},
        source=annotation,
        length=length,
    )


@dataset.command(cls=Command)
@takes_target
def bases(
    regions: Annotated[
        list[str],
        typer.Argument(
            help="BED of regions whose bases are class 1; LETTER=FILE for other classes.",
            show_default=False,
        ),
    ],
    target: Target,
    length: WindowLength = 500,
) -> None:
    r"""Windows with a label for each base, and as many without any region.

    Example:

        dnabert dataset bases cpg_islands.bed --genome hg38.fa.gz -o islands.tsv

    Several classes:

        dnabert dataset bases E=exons.bed I=introns.bed --genome hg38.fa \
          -o parts.tsv
    """
    from dnabert_hf.data.building.bases import build_bases
    from dnabert_hf.data.genome.intervals import read_bed

    files = parse_classes(regions)
    target.build(
        build_bases,
        {letter: read_bed(file, skip_bad=target.skip_bad) for letter, file in files.items()},
        {"command": "bases", "regions": files},
        source=" and ".join(files.values()),
        length=length,
    )


@dataset.command(cls=Command)
def windows(
    genome: Genomes,
    output: Table,
    length: WindowLength = 300,
    step: Annotated[int, typer.Option(help="Bases from one window to the next.")] = 100,
    regions: Annotated[
        str | None,
        typer.Option(help="BED of where the windows lie.", show_default="the whole genome"),
    ] = None,
    positives: Annotated[
        str | None, typer.Option(help="BED of class 1: windows whose middle base lies in it.")
    ] = None,
    signal: Annotated[
        list[str] | None,
        typer.Option(
            help="bigWig or bedGraph whose values over a window are its label, a number; "
            "repeatable.",
            callback=input_file,
        ),
    ] = None,
    summary: Annotated[
        _Summary,
        typer.Option(
            help="Of --signal: mean or max of the bases, or log1p of their sum, which is for "
            "counts; bases without a value count as 0."
        ),
    ] = _Summary.mean,
    dev_contig: DevContigs = None,
    test_contig: Annotated[
        list[str] | None, typer.Option("--test-contig", help="Contig of the test split.")
    ] = None,
    aliases: Aliases = None,
    skip_bad: SkipBad = False,
    overwrite: Overwrite = False,
) -> None:
    r"""Windows along a genome, labelled by a BED of positives or by signals.

    Example:

        dnabert dataset windows --genome hg38.fa.gz --regions genes.bed \
          -o windows.tsv

    Accessibility, a number for each window:

        dnabert dataset windows --genome hg38.fa.gz --regions peaks.bed \
          --signal atac.bw --summary log1p --test-contig chr20 -o atac.tsv
    """
    from dnabert_hf.data.building.windows import write_windows
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.data.genome.intervals import read_bed
    from dnabert_hf.data.genome.signal import open_signal
    from dnabert_hf.data.labelled.composition_bias import describe_bias
    from dnabert_hf.data.labelled.leaks import format_bias, format_statistics

    target = Target(genome, output, dev_contig, test_contig, overwrite=overwrite)
    opened = open_genome(genome, aliases=aliases)
    written = write_windows(
        opened,
        output,
        length=length,
        step=step,
        regions=None if regions is None else read_bed(regions, skip_bad=skip_bad),
        positives=None if positives is None else read_bed(positives, skip_bad=skip_bad),
        signals=[open_signal(each, opened) for each in signal or ()],
        summary=summary.value,
        splitting=target.splitting(),
    )
    for line in format_statistics(written.statistics) if positives else ():
        typer.echo(line)
    if written.gc_bias is not None:
        (line,) = format_bias({"GC": written.gc_bias})
        typer.echo(line)
        if sentence := describe_bias("GC", written.gc_bias):
            typer.echo(f"warning: {sentence}")
    elif positives:
        typer.echo("warning: all windows are of one class")
    left_out = f"; left out: {counted_reasons(written.omitted)}" if written.omitted else ""
    typer.echo(f"{output}: {counted(written.n_windows, 'window')}{left_out}")
    if test_contig and not dev_contig:
        typer.echo("there is no dev split: name contigs for it, too (--dev-contig)")
    if signal:
        kind = "numbers" if len(signal) > 1 else "a number"
        typer.echo(
            f"labels are {kind} ({summary.value} of {', '.join(signal)}): "
            f"dnabert finetune {output} --problem-type regression"
        )
    if test_contig and positives:
        typer.echo(f"leaks between its splits are found by: dnabert dataset check {output}")
    elif positives and step < length:
        typer.echo(
            "the windows overlap: train on them with contigs of their own for the test "
            "(--test-contig), or the test shares bases with the training",
            err=True,
        )


dataset.command(cls=Command)(check)
