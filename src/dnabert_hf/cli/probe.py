"""`dnabert probe`: what the embeddings of a model tell of classes."""

from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import labelled_data, new_file
from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.cli.options.shared import AsJson, Model, print_json, report

__all__ = ["probe"]


@takes_run_options("overwrite", columns=("sequence", "label"))
def probe(
    model: Model,
    data: Annotated[
        list[str],
        typer.Argument(
            help="A table with a split column, a folder with train, dev and test files, or "
            "SPLIT=FILE for each split.",
            show_default=False,
            callback=labelled_data,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="JSON file to write the scores to.", callback=new_file),
    ] = None,
    pooling: Annotated[
        str, typer.Option(help="mean (over the k-mers) or cls (the [CLS] token).")
    ] = "mean",
    neighbours: Annotated[
        int, typer.Option("-n", "--neighbours", help="Nearest neighbours that vote.")
    ] = 5,
    as_json: AsJson = False,
    *,
    running: Running,
) -> None:
    """Score what a model's embeddings tell of classes, without training the model.

    A logistic regression and the nearest neighbours learn the embeddings of the training split. The
    last column is a regression on 5-mer counts of the same sequences: what an embedding is to beat.

    Example:

        dnabert probe dnabert-6-mini promoters.tsv
    """
    from dnabert_hf.cli.options.training import parse_data
    from dnabert_hf.workflows.probe import probe as probe_embeddings

    result = probe_embeddings(
        model,
        parse_data(data),
        output=output,
        pooling=pooling,  # type: ignore[arg-type]  # checked where it is used
        neighbours=neighbours,
        **running,
    )
    if as_json:
        print_json(result.to_json())
    else:
        for split, scores in result.scores.items():
            typer.echo("\t".join([split, *scores]))
            for name in next(iter(scores.values())):
                cells = (f"{each[name]:.4g}" if name in each else "" for each in scores.values())
                typer.echo("\t".join([name, *cells]))
    if result.advice is not None:
        report(result.advice)
    n = ", ".join(f"{n:,} {name}" for name, n in result.n_sequences.items())
    report(f"{n} sequences{'' if output is None else f' -> {output}'}")
