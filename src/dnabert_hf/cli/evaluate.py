"""`dnabert evaluate`: scores of a fine-tuned model on labelled sequences."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dnabert_hf.cli.options.early import input_file, new_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import (
    AsJson,
    BothStrands,
    Model,
    print_json,
    report,
)
from dnabert_hf.files.counts import counted

if TYPE_CHECKING:
    from dnabert_hf.inference.evaluate import Evaluation

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
    also: Annotated[
        list[str] | None,
        typer.Option(
            help="Another checkpoint to score on the same sequences, by itself and in the mean; "
            "repeatable."
        ),
    ] = None,
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
    for values; `--json` prints one object for programs to read. With `--also`, the mean of the
    models, each by itself, and how far it is from the first, with a p-value: DeLong's test of AUROC
    for two classes, else a paired bootstrap.

    Example:

        dnabert evaluate my_model test.tsv -o metrics.json --plot calibration.png

    The models of k = 3 to 6, their mean, and whether it is better than the first:

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
    if as_json:
        groups = {name: group.to_json() for name, group in evaluation.groups.items()}
        content = evaluation.to_json() | ({} if by is None else {"by": by, "groups": groups})
        models = [each.to_json() for each in evaluation.models]
        print_json(content | ({"models": models} if models else {}))
    else:
        _print(evaluation)
    written = [str(path) for path in (output, plot) if path is not None]
    where = f" -> {', '.join(written)}" if written else ""
    report(f"{counted(evaluation.n_sequences, 'labelled sequence')} scored{where}")


def _print(evaluation: "Evaluation") -> None:
    """Print a table: a row a metric, a column for all, each group and each of several models."""
    models = evaluation.models[:-1]
    columns: list[dict[str, Any]] = [evaluation.to_json()]
    columns += [group.to_json() for group in evaluation.groups.values()]
    columns += [each.to_json() for each in models]
    if len(columns) > 1:
        whole = evaluation.models[-1].name if models else "all"
        typer.echo("\t".join(["", whole, *evaluation.groups, *(each.name for each in models)]))
    for name in columns[0]:
        _print_row(name, [column.get(name, "") for column in columns])
    # The mean comes last among the models and first in the table.
    differences = [each.difference for each in (*evaluation.models[-1:], *models)]
    if test := next((each for each in differences if each is not None), None):
        before = [""] * len(evaluation.groups)
        for name, field in ((f"{test.metric} - {models[0].name}", "value"), ("p", "p_value")):
            cells = [getattr(each, field, None) for each in differences]
            cells = ["" if cell is None else cell for cell in cells]
            _print_row(name, [cells[0], *before, *cells[1:]])
        of = "" if test.label is None else f" of class {test.label}"
        report(f"p: {test.test}, {test.metric}{of}, against {models[0].name}, two-sided")


def _print_row(name: str, cells: list[Any]) -> None:
    shown = [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells]
    typer.echo("\t".join([name, *shown]))
