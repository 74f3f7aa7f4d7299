"""`dnabert experiment`: edit sequences on purpose, and see what a model makes of it."""

import re
from enum import StrEnum
from typing import Annotated

import typer

from dnabert_hf.cli.options.command import Command
from dnabert_hf.cli.options.experiment import Setup, takes_setup
from dnabert_hf.cli.options.running import Running
from dnabert_hf.cli.options.shared import Model

__all__ = ["experiment", "parse_range"]

experiment = typer.Typer(
    help="Put motifs into sequences, take them out, pair them, or move them along.",
    no_args_is_help=True,
)
_RANGE = re.compile(r"(\d+)-(\d+)")


class _Strand(StrEnum):
    forward = "+"
    reverse = "-"
    both = "both"


class _Sites(StrEnum):
    sampled = "sampled"
    consensus = "consensus"


class _Replacement(StrEnum):
    background = "background"
    shuffled = "shuffled"


_MOTIF = "IUPAC letters such as TGASTCA, or FILE:NAME of a MEME or JASPAR file"
_Motif = Annotated[str, typer.Option("--motif", help=f"{_MOTIF}.", show_default=False)]
_SitesOption = Annotated[
    _Sites,
    typer.Option(
        help="sampled: each sequence gets a site drawn from the motif; consensus: the most "
        "probable bases of a matrix."
    ),
]
_Position = Annotated[
    int | None,
    typer.Option(
        help="First base of the motif, 0-based; negative from the end.",
        show_default="the middle",
    ),
]


def parse_range(text: str, what: str) -> tuple[int, int]:
    """Read two numbers parted by a dash.

    Raises:
        ValueError: If it is something else.

    Example:
        >>> parse_range("0-40", "distances")
        (0, 40)
    """
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{what} must be two whole numbers such as 10-40, got {text!r}")
    return int(match[1]), int(match[2])


@experiment.command(cls=Command)
@takes_setup
def insert(
    model: Model,
    motif: Annotated[
        list[str],
        typer.Option(
            "--motif",
            help=f"{_MOTIF}; a file alone stands for all of its motifs; repeatable.",
            show_default=False,
        ),
    ],
    position: _Position = None,
    strand: Annotated[_Strand, typer.Option(help="Strand of the motif.")] = _Strand.forward,
    sites: _SitesOption = _Sites.sampled,
    *,
    setup: Setup,
    running: Running,
) -> None:
    r"""Put motifs into many sequences, each alone: what does a motif do by itself?

    What lies around it averages out (marginalisation). A row for each sequence, with the score
    without and with the motif; the means are printed with their standard errors.

    Example:

        dnabert experiment insert my_model --random 200 --motif TGASTCA -o ap1.tsv

    All motifs of a file, in shuffled sequences of your own:

        dnabert experiment insert my_model peaks.fa --shuffles 5 --motif jaspar.meme \
          -o motifs.tsv --plot motifs.png
    """
    from dnabert_hf.interpretation.experiments.experiments import experiment_insert

    named = {"position": position, "strand": strand.value, "sites": sites.value}
    setup.run(experiment_insert, running, model, motif, **named)


@experiment.command(cls=Command)
@takes_setup
def ablate(
    model: Model,
    motif: Annotated[
        str | None,
        typer.Option("--motif", help=f"Motif to look for: {_MOTIF}.", show_default=False),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="START-END",
            help="In place of a motif: bases, 0-based, the end is not in it.",
            show_default="with --genome and --flank, the regions",
        ),
    ] = None,
    replacement: Annotated[
        _Replacement,
        typer.Option(
            help="background: what a dinucleotide shuffle of the whole sequence has there; "
            "shuffled: the part itself, its dinucleotides shuffled."
        ),
    ] = _Replacement.background,
    draws: Annotated[int, typer.Option(help="Times that each sequence is changed.")] = 20,
    *,
    setup: Setup,
    running: Running,
) -> None:
    """Replace a motif's occurrences, or a region: what does the model miss?

    As much is replaced elsewhere in each sequence; the difference is what the motif does.

    Example:

        dnabert experiment ablate my_model peaks.fa --motif jaspar.meme:CTCF -o ctcf.tsv
    """
    from dnabert_hf.interpretation.experiments.experiments import experiment_ablate

    setup.run(
        experiment_ablate,
        running,
        model,
        motif,
        region=None if region is None else parse_range(region, "--region"),
        replacement=replacement.value,
        n_draws=draws,
    )


@experiment.command(cls=Command)
@takes_setup
def space(
    model: Model,
    motif_a: Annotated[
        str, typer.Option("--motif-a", help=f"Motif that stays: {_MOTIF}.", show_default=False)
    ],
    motif_b: Annotated[
        str, typer.Option("--motif-b", help=f"Motif that moves: {_MOTIF}.", show_default=False)
    ],
    distances: Annotated[
        str, typer.Option(metavar="FEWEST-MOST", help="Bases between the two.")
    ] = "0-40",
    position: _Position = None,
    sites: _SitesOption = _Sites.sampled,
    *,
    setup: Setup,
    running: Running,
) -> None:
    r"""Pair two motifs at all distances, on all strands, in both orders: which does it like?

    The interaction is what both change beyond the sum of what each changes alone.

    Example:

        dnabert experiment space my_model --random 100 --motif-a TGASTCA --motif-b GGAA \
          --distances 0-30 -o pair.tsv --plot pair.png --page pair.html
    """
    from dnabert_hf.interpretation.experiments.experiments import experiment_space

    setup.run(
        experiment_space,
        running,
        model,
        motif_a,
        motif_b,
        distances=parse_range(distances, "--distances"),
        position=position,
        sites=sites.value,
    )


@experiment.command(cls=Command)
@takes_setup
def scan(
    model: Model,
    motif: _Motif,
    step: Annotated[int, typer.Option(help="Bases from a position to the next.")] = 1,
    strand: Annotated[_Strand, typer.Option(help="Strand of the motif.")] = _Strand.both,
    sites: _SitesOption = _Sites.sampled,
    *,
    setup: Setup,
    running: Running,
) -> None:
    """Put a motif at every position: where in its window does the model count it?

    Example:

        dnabert experiment scan my_model --random 100 --motif TATAWAWR -o tata.tsv --plot tata.png
    """
    from dnabert_hf.interpretation.experiments.experiments import experiment_scan

    named = {"step": step, "strand": strand.value, "sites": sites.value}
    setup.run(experiment_scan, running, model, motif, **named)
