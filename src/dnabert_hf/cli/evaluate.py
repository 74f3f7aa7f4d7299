"""`dnabert evaluate`: scores of a fine-tuned model on labelled sequences."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file, new_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import (
    AsJson,
    Averaged,
    BothStrands,
    Model,
    print_json,
    report,
)

__all__ = ["evaluate"]


@takes_run_options("overwrite", "skip_short", columns=("sequence", "sequence_b", "label", "id"))
def evaluate(
    model: Model,
    data: Annotated[
        str,
        typer.Argument(
            help="Labelled table; - is standard input.", show_default=False, callback=input_file
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="JSON file to write the metrics to.", callback=new_file
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Part of the data, where a column tells the parts: train, dev, test."),
    ] = None,
    also: Averaged = None,
    rc: BothStrands = None,
    as_json: AsJson = False,
    *,
    running: Running,
) -> None:
    """Score a fine-tuned model on labelled sequences that it has not seen.

    Prints one line a metric: accuracy, F1, MCC, AUROC and more for classes, correlations and RMSE
    for values; `--json` prints one object for programs to read.

    Example:

        dnabert evaluate my_model test.tsv -o metrics.json

    The mean of the models of k = 3 to 6:

        dnabert evaluate k3 test.tsv --also k4 --also k5 --also k6
    """
    from dnabert_hf.inference.evaluate import evaluate as evaluate_labelled

    evaluation = evaluate_labelled(
        model,
        data,
        split=split,
        also=also or (),
        both_strands=rc,
        output=output,
        **running,
    )
    scores = {"sequences": evaluation.n_sequences, **evaluation.scores}
    if as_json:
        print_json(scores)
    else:
        for name, value in scores.items():
            typer.echo(f"{name}\t{value:.4g}" if isinstance(value, float) else f"{name}\t{value}")
    where = "" if output is None else f" -> {output}"
    report(f"{evaluation.n_sequences:,} labelled sequences or bases scored{where}")
