"""`dnabert stack`: several models, weighed by a logistic regression."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import BothStrands, Model, report

__all__ = ["stack"]


@takes_run_options("overwrite", columns=("sequence", "sequence_b", "label", "id"))
def stack(
    model: Model,
    data: Annotated[
        str,
        typer.Argument(
            help="Table with a split column, or a folder with train and dev files.",
            show_default=False,
            callback=input_file,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder to write.", show_default=False)
    ],
    also: Annotated[
        list[str] | None,
        typer.Option(help="Another checkpoint with the same classes; repeatable."),
    ] = None,
    kmers: Annotated[
        int,
        typer.Option(
            min=0, max=12, help="k of a regression on k-mer counts that is a member; 0 for none."
        ),
    ] = 5,
    rc: BothStrands = None,
    *,
    running: Running,
) -> None:
    """Weigh several models by a logistic regression that is fitted on the dev split alone.

    Writes a small folder that names the members and holds the weights; predict and evaluate take it
    as a model; evaluate --split test tells whether it is better than its members. Members that are
    folders are found from where the stack lies.

    Example:

        dnabert stack k3 tf.tsv --also k4 --also k5 --also k6 -o stacked
    """
    from dnabert_hf.workflows.stacking import stack_models

    done = stack_models(
        [model, *(also or ())], data, output=output, kmers=kmers, both_strands=rc, **running
    )
    stacked = done.stack
    columns = ["weight"] if len(stacked.classes) == 2 else stacked.classes
    typer.echo("\t".join(["member", *columns]))
    for name, weights in zip(stacked.names, stacked.of_members(), strict=True):
        typer.echo("\t".join([name, *(f"{weight:.4g}" for weight in weights)]))
    of_train = f", its regression on {done.n_train:,} train sequences" if done.n_train else ""
    report(f"fitted on {stacked.n_fitted:,} dev sequences{of_train} -> {output}")
