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
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Picture to write of how often the probabilities are right: .png, .svg or .pdf.",
            callback=new_file,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Part of the data, where a column tells the parts: train, dev, test."),
    ] = None,
    also: Averaged = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of groups to score apart, too, such as TATA and non-TATA promoters.",
        ),
    ] = None,
    rc: BothStrands = None,
    as_json: AsJson = False,
    *,
    running: Running,
) -> None:
    """Score a fine-tuned model on labelled sequences that it has not seen.

    Prints one line a metric: accuracy, F1, MCC, AUROC and more for classes, correlations and RMSE
    for values; `--json` prints one object for programs to read.

    Example:

        dnabert evaluate my_model test.tsv -o metrics.json --plot calibration.png

    The mean of the models of k = 3 to 6:

        dnabert evaluate k3 test.tsv --also k4 --also k5 --also k6
    """
    from dnabert_hf.inference.evaluate import evaluate as evaluate_labelled

    evaluation = evaluate_labelled(
        model,
        data,
        split=split,
        also=also or (),
        by=by,
        both_strands=rc,
        output=output,
        plot=plot,
        **running,
    )
    scores = evaluation.to_json()
    groups = {name: group.to_json() for name, group in evaluation.groups.items()}
    if as_json:
        print_json(scores if by is None else scores | {"by": by, "groups": groups})
    else:
        if groups:
            typer.echo("\t".join(["", "all", *groups]))
        for name in scores:
            cells = [each.get(name, "") for each in (scores, *groups.values())]
            shown = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells)
            typer.echo("\t".join([name, *shown]))
    written = [str(path) for path in (output, plot) if path is not None]
    where = f" -> {', '.join(written)}" if written else ""
    report(f"{evaluation.n_sequences:,} labelled sequences or bases scored{where}")
