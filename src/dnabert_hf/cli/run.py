"""`dnabert run`: from peaks, promoters or a labelled table to one page."""

import contextlib
import io
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

from dnabert_hf.cli.options.early import input_file, start_name
from dnabert_hf.cli.options.shared import report

__all__ = ["run"]


def run(
    source: Annotated[
        Path,
        typer.Argument(
            help="Peaks (BED, narrowPeak), promoters (GTF, GFF3; BED with --promoters) or a "
            "labelled table.",
            show_default=False,
            callback=input_file,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Folder to write; index.html is to be opened first.",
            show_default=False,
        ),
    ],
    genome: Annotated[
        list[Path] | None,
        typer.Option(
            help="FASTA file of the genome, plain or gzip; repeatable.", callback=input_file
        ),
    ] = None,
    promoters: Annotated[
        bool,
        typer.Option(
            "--promoters",
            help="A BED file holds transcription start sites, not peaks.",
            show_default=False,
        ),
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known",
            "--motifs-db",
            help="MEME file of known motifs to compare with, such as JASPAR's.",
            callback=input_file,
        ),
    ] = None,
    vcf: Annotated[
        Path | None, typer.Option(help="VCF of variants to score.", callback=input_file)
    ] = None,
    scan: Annotated[
        str | None,
        typer.Option(
            metavar="REGION",
            help="Where to scan the genome: contig or contig:start-end (0-based, half-open).",
            show_default=False,
        ),
    ] = None,
    test_contig: Annotated[
        list[str] | None,
        typer.Option(
            help="Contig of the test split; repeatable.",
            show_default="a tenth, similar sequences together",
        ),
    ] = None,
    init: Annotated[
        str, typer.Option(help="Checkpoint to start from.", callback=start_name)
    ] = "dnabert-6-mini",
    positive: Annotated[
        str | None,
        typer.Option(
            help="Class of interest of a table.",
            show_default="of two, the one not called other, none, random, 0 ...",
        ),
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Epochs.", show_default="5")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 42,
) -> None:
    r"""Go the whole way from peaks, promoters or a labelled table to one page.

    Makes the data set, looks for leaks, trains a model beside the 5-mer regression, scores it on
    sequences it has not seen, finds its motifs, and shows what matters in single sequences, a
    region of the genome and variants. Each step is a command of its own, shown on the page. What is
    done is not repeated: the same command goes on after a stop, and does again what other options
    or files change. Minutes for 1,500 peaks.

    Example:

        dnabert run ctcf.narrowPeak --genome hg38.fa.gz -o ctcf \
          --known jaspar.meme --vcf variants.vcf --scan chr20:1000000-1100000
    """
    from dnabert_hf.workflows.analysis.analyse import analyse
    from dnabert_hf.workflows.analysis.plan import Analysis, kind_of
    from dnabert_hf.workflows.analysis.steps import StepFailedError

    logging.getLogger("dnabert_hf.workflows").setLevel(logging.INFO)
    analysis = Analysis(
        source,
        output,
        genome=tuple(genome or ()),
        kind="promoters" if promoters else kind_of(source),
        vcf=vcf,
        known=known,
        region=scan,
        init=init,
        positive=positive,
        test_contigs=tuple(test_contig or ()),
        epochs=epochs,
        seed=seed,
    )
    try:
        page = analyse(analysis, call=_call)
    except StepFailedError as stop:
        report(f"dnabert run: {stop}")
        raise typer.Exit(stop.code) from None
    report(f"open {page}")


class _Tee(io.StringIO):
    """Text that is kept, and shown on the way."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(text)
        return super().write(text)


def _call(words: Sequence[str]) -> tuple[int, str]:
    """Run another command in this process: its exit code, and what it printed."""
    from dnabert_hf.cli.main import app

    kept = _Tee(sys.stdout)
    with contextlib.redirect_stdout(kept):
        code = typer.main.get_command(app).main(
            list(words), prog_name="dnabert", standalone_mode=False
        )
    return code if isinstance(code, int) else 0, kept.getvalue()
