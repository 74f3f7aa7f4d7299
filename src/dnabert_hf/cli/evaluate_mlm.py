"""`dnabert evaluate-mlm`: scores of a pretrained model on masked bases of a genome."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file, new_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import Model
from dnabert_hf.files.counts import counted

__all__ = ["evaluate_mlm"]

_COLUMNS = {
    "bits_per_base": "bits/base",
    "standard_error": "s.e.",
    "accuracy": "accuracy",
    "cross_entropy": "nats/k-mer",
    "perplexity": "perplexity",
    "kmer_accuracy": "k-mer accuracy",
}


@takes_run_options("overwrite")
def evaluate_mlm(
    model: Model,
    genome: Annotated[
        str,
        typer.Argument(
            help="FASTA file, plain, gzip or bgzip.", show_default=False, callback=input_file
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="JSON file to write the scores to.", callback=new_file),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="Part to score: contig or contig:start-end, 0-based half-open; repeatable.",
            show_default="all",
        ),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(
            help="FASTA to count for the baselines, less what is scored; repeatable.",
            show_default="no baselines",
        ),
    ] = None,
    untrained: Annotated[
        bool,
        typer.Option(
            "--untrained", help="Score the same network from random weights.", show_default=False
        ),
    ] = False,
    windows: Annotated[
        int, typer.Option(help="Windows of 510 k-mers to score, evenly spread; 0 takes all.")
    ] = 2000,
    seed: Annotated[
        int, typer.Option(help="Decides which bases are masked, and the random weights.")
    ] = 42,
    *,
    running: Running,
) -> None:
    """Score a pretrained model on single masked bases of a genome.

    Prints a table: bits per base (2 is guessing) and accuracy, beside what counts of other DNA tell
    of the same bases; of the masked k-mers, cross-entropy in nats, perplexity and accuracy.

    Example:

        dnabert evaluate-mlm my_model hg38.fa --region chr20 --train hg38.fa --untrained
    """
    from dnabert_hf.inference.evaluate_masked_lm import evaluate_masked_lm

    evaluation = evaluate_masked_lm(
        model,
        genome,
        regions=region or None,
        train=train or None,
        untrained=untrained,
        n_windows=windows or None,
        seed=seed,
        output=output,
        **running,
    )
    of_windows = counted(evaluation.n_windows, "window")
    typer.echo(f"# {counted(evaluation.n_bases, 'masked base')} in {of_windows}")
    typer.echo("\t".join(["", *_COLUMNS.values()]))
    for name, scores in evaluation.rows().items():
        cells = [f"{scores[column]:.4f}" if column in scores else "-" for column in _COLUMNS]
        typer.echo("\t".join([name, *cells]))
