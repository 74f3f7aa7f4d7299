"""The part of `dnabert evaluate` that scores masked language models (`--mlm`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["Mlm", "Regions", "Seed", "Train", "Untrained", "Windows", "evaluate_masked", "refuse"]

_PANEL = "Masked language models (--mlm)"
_DEFAULT_WINDOWS = 2000
_DEFAULT_SEED = 42

Mlm = Annotated[
    bool,
    typer.Option("--mlm", help="Score masked bases of a FASTA file.", rich_help_panel=_PANEL),
]
Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        help="Part to score: contig or contig:start-end, 0-based half-open; may be repeated.",
        show_default="all",
        rich_help_panel=_PANEL,
    ),
]
Train = Annotated[
    list[str] | None,
    typer.Option(
        "--train",
        help="FASTA to count for the baselines, less what is scored; may be repeated.",
        show_default="no baselines",
        rich_help_panel=_PANEL,
    ),
]
Untrained = Annotated[
    bool,
    typer.Option(
        "--untrained", help="Score the same network from random weights.", rich_help_panel=_PANEL
    ),
]
Windows = Annotated[
    int | None,
    typer.Option(
        help="Windows of 510 k-mers to score, evenly spread; 0 takes all.",
        show_default=str(_DEFAULT_WINDOWS),
        rich_help_panel=_PANEL,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        help="Decides which bases are masked, and the random weights.",
        show_default=str(_DEFAULT_SEED),
        rich_help_panel=_PANEL,
    ),
]

_COLUMNS = {
    "bits_per_base": "bits/base",
    "standard_error": "s.e.",
    "accuracy": "accuracy",
    "cross_entropy": "nats/k-mer",
    "perplexity": "perplexity",
    "kmer_accuracy": "k-mer accuracy",
}


def refuse(options: Mapping[str, object], *, reason: str) -> None:
    """Refuse options that would have no effect.

    Args:
        options: What was given, by the name of the option; None, False and empty ones were not.
        reason: When the options have an effect, to end the sentence with.

    Raises:
        ValueError: If one was given.

    Example:
        >>> refuse({"--split": None}, reason="go without --mlm")
    """
    # Not `in (None, False, [])`, which 0 is equal to.
    given = [n for n, v in options.items() if v is not None and v is not False and v != []]
    if given:
        raise ValueError(f"{', '.join(given)} {reason}; leave out the one or the other")


def evaluate_masked(
    model: str,
    genome: str,
    *,
    windows: int | None,
    seed: int | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Score masked bases and print a table, one line a model or baseline.

    Args:
        model: Checkpoint.
        genome: FASTA file.
        windows: Windows to score, 0 for all, None for the default.
        seed: Seed, None for the default.
        output: JSON file to write, if any.
        **options: As in `dnabert_hf.inference.evaluate_masked_lm.evaluate_masked_lm`.

    Raises:
        ValueError: If the input or an option cannot be used.
    """
    from dnabert_hf.inference.evaluate_masked_lm import evaluate_masked_lm

    n_windows = _DEFAULT_WINDOWS if windows is None else windows
    evaluation = evaluate_masked_lm(
        model,
        genome,
        n_windows=n_windows or None,
        seed=_DEFAULT_SEED if seed is None else seed,
        output=output,
        **options,
    )
    typer.echo(f"# {evaluation.n_bases} masked bases in {evaluation.n_windows} windows")
    typer.echo("\t".join(["", *_COLUMNS.values()]))
    for name, scores in evaluation.rows().items():
        cells = [f"{scores[column]:.4f}" if column in scores else "-" for column in _COLUMNS]
        typer.echo("\t".join([name, *cells]))
