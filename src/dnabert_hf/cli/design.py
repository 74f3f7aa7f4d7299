"""`dnabert design`: sequences that a model scores higher, or near a target."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from dnabert_hf.cli.experiment import parse_range
from dnabert_hf.cli.options.early import input_file, model_name
from dnabert_hf.cli.options.experiment import check_pictures
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import (
    BothStrands,
    LabelOfInterest,
    Model,
    Output,
    SequenceFile,
    close,
    in_output,
    report,
)

__all__ = ["design"]

_SUFFIXES = {
    "fasta": (".fa", ".fasta", ".fna"),
    "plot": (".png", ".svg", ".pdf"),
    "page": (".html",),
}


@takes_run_options("shard", "overwrite", "skip_short", columns=("sequence", "id"))
def design(
    model: Model,
    source: SequenceFile,
    output: Output = Path("-"),
    target: Annotated[
        float | None,
        typer.Option(
            help="Probability, or value of a regression, to come near.",
            show_default="as high as can be",
        ),
    ] = None,
    edits: Annotated[int, typer.Option(help="Bases to change at most.")] = 10,
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            metavar="START-END|BED",
            help="Bases to leave as they are, 0-based, the end is not in it, of all sequences; or "
            "a BED file whose first column names the sequence; repeatable.",
        ),
    ] = None,
    gc: Annotated[
        str | None,
        typer.Option("--gc", metavar="LEAST-MOST", help="Share of G and C, such as 0.35-0.6."),
    ] = None,
    forbid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MOTIF",
            help="Motif that must not occur on either strand: IUPAC letters, or FILE:NAME of a "
            "MEME or JASPAR file; repeatable.",
        ),
    ] = None,
    max_homopolymer: Annotated[
        int | None, typer.Option(help="Longest run of one base.", show_default="any")
    ] = None,
    beam: Annotated[
        int, typer.Option(help="Sequences that are kept at each step; 1 is greedy.")
    ] = 1,
    shortlist: Annotated[
        int | None,
        typer.Option(
            help="Changes of a sequence to try, those that the gradient finds best.",
            show_default="all",
        ),
    ] = None,
    also: Annotated[
        str | None,
        typer.Option(
            help="A second model to ask: folder, Hub repository or checkpoint of the package.",
            callback=model_name,
        ),
    ] = None,
    fasta: Annotated[Path | None, in_output(help="FASTA file of the results to write.")] = None,
    plot: Annotated[
        Path | None, in_output(help="Picture of all steps to draw: .png, .svg or .pdf.")
    ] = None,
    page: Annotated[
        Path | None, in_output(help="Page to write, .html: picture, designs, who disagrees.")
    ] = None,
    label: LabelOfInterest = None,
    rc: BothStrands = None,
    seed: Annotated[int, typer.Option(help="Seed of choices between equals.")] = 0,
    *,
    running: Running,
) -> None:
    r"""Edit sequences until a model scores them higher, or near a target.

    One base after the other, the change that helps most: of all changes, or with --shortlist of
    those that a gradient finds best, with --beam along several ways. The regression on 5-mer counts
    that finetune saves with the model, and a second model (--also), score the results too. A row
    a step, to TSV, CSV or Parquet. A run that was stopped goes on with the next sequence.

    Example:

        dnabert design my_model starts.fa -o designs.tsv --fasta designs.fa --page designs.html

    Within limits, and with a second opinion:

        dnabert design my_model starts.fa --edits 15 --gc 0.4-0.6 --forbid GAATTC --freeze 0-20 \
          --max-homopolymer 5 --also other_model -o designs.tsv
    """
    from dnabert_hf.interpretation.design.design import design as design_sequences
    from dnabert_hf.interpretation.design.limits import Limits
    from dnabert_hf.interpretation.design.report import report_design

    paths = SimpleNamespace(output=output, source=source, fasta=fasta, plot=plot, page=page)
    check_pictures(paths, _SUFFIXES, running)
    frozen, frozen_of = _read_frozen(freeze or [])
    limits = Limits(
        edits=edits,
        frozen=frozen,
        frozen_of=frozen_of,
        gc=None if gc is None else _parse_shares(gc),
        forbidden=tuple(forbid or ()),
        max_homopolymer=max_homopolymer,
    )
    done: Any = design_sequences(
        model,
        source,
        output=output,
        target=target,
        limits=limits,
        beam=beam,
        shortlist=shortlist,
        also=also,
        label=label,
        both_strands=rc,
        seed=seed,
        **running,
    )
    close(done)
    if done.designs and os.environ.get("RANK", "0") == "0":
        for path in report_design(done, fasta=fasta, plot=plot, page=page):
            report(f"{path}")


def _parse_shares(text: str) -> tuple[float, float]:
    least, dash, most = text.partition("-")
    try:
        return float(least), float(most if dash else "")
    except ValueError:
        raise ValueError(
            f"--gc must be two shares such as 0.35-0.6, the least first, got {text!r}"
        ) from None


def _read_frozen(
    items: list[str],
) -> tuple[tuple[tuple[int, int], ...], dict[str, list[tuple[int, int]]]]:
    """Read stretches of all sequences, and of sequences that a BED file names."""
    from dnabert_hf.data.genome.intervals import read_bed

    ranges: list[tuple[int, int]] = []
    of_sequence: dict[str, list[tuple[int, int]]] = {}
    for item in items:
        if item[:1].isdigit() and not Path(item).exists():
            ranges.append(parse_range(item, "--freeze"))
            continue
        for each in read_bed(input_file(item)):
            of_sequence.setdefault(each.contig, []).append((each.start, each.end))
    return tuple(ranges), of_sequence
