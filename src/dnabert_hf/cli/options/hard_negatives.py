"""Options of `dnabert finetune` for rounds of hard negatives."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "HardNegatives",
    "HeldOut",
    "NegativeClass",
    "Rounds",
    "ScannedWindows",
    "Sites",
    "finetune_in_rounds",
]

HardNegatives = Annotated[
    list[Path] | None,
    typer.Option(
        "--hard-negatives",
        metavar="GENOME",
        help="FASTA whose false positives become negatives, round after round; repeatable.",
    ),
]
Rounds = Annotated[int | None, typer.Option(help="Rounds of hard negatives.", show_default="3")]
HeldOut = Annotated[
    list[str] | None,
    typer.Option(
        "--held-out",
        metavar="CONTIG",
        help="Contig of the genome that only measures the false-positive rate; repeatable.",
    ),
]
Sites = Annotated[
    str | None,
    typer.Option(
        help="Known sites (BED, GTF, GFF3 or table of start sites): no hard negative lies within "
        "1,000 bases of one.",
    ),
]
NegativeClass = Annotated[
    str | None,
    typer.Option(
        help="Class of the hard negatives.",
        show_default="of two, the one that is not the class of interest",
    ),
]
ScannedWindows = Annotated[
    int | None, typer.Option(help="Windows to scan in a round, at most.", show_default="20,000")
]


def finetune_in_rounds(
    init: str,
    data: Any,
    genome: list[Path],
    *,
    rounds: int | None,
    held_out: list[str] | None,
    sites: str | None,
    windows: int | None,
    **options: Any,
) -> None:
    """Run `finetune_with_hard_negatives` as the options say, and print a row for each round."""
    from dnabert_hf.data.genome.annotation import read_start_sites
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.workflows.hard_negatives import finetune_with_hard_negatives

    named: dict[str, Any] = {"rounds": rounds, "windows": windows}
    measured = finetune_with_hard_negatives(
        init,
        data,
        open_genome(genome),
        held_out=held_out or [],
        sites=None if sites is None else read_start_sites(sites),
        **{name: value for name, value in named.items() if value is not None},
        **options,
    )
    names = list(asdict(measured[0]))
    typer.echo("\t".join(["round", *names]))
    for number, each in enumerate(measured):
        cells = (f"{v:.4f}" if isinstance(v, float) else str(v) for v in asdict(each).values())
        typer.echo("\t".join([str(number), *cells]))
