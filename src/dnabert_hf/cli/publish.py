"""`dnabert publish`: put a model on the Hugging Face Hub."""

from typing import Annotated

import typer

__all__ = ["publish"]


def publish(
    folder: Annotated[
        str,
        typer.Argument(
            help="Folder of a model, or checkpoint that comes with the package.", show_default=False
        ),
    ],
    repository: Annotated[
        str, typer.Argument(help="Repository, such as lab/promoters.", show_default=False)
    ],
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    branch: Annotated[
        str | None, typer.Option(help="Branch to commit to.", show_default="main")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Tag to put on the commit.")] = None,
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="Open a pull request in place of committing.")
    ] = False,
    message: Annotated[str | None, typer.Option(help="Title of the commit.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, list files and show the card; send nothing.")
    ] = False,
) -> None:
    """Put a model on the Hugging Face Hub: weights, tokenizer, code and model card, in one commit.

    Needs a token that may write: `hf auth login`, or HF_TOKEN. What holds paths of your machine
    (metrics.json) or your test data (predictions.tsv) stays behind.

    Example:

        dnabert publish peaks-model lab/ctcf-peaks --dry-run
    """
    from dnabert_hf.hub.publish import publish as publish_model

    done = publish_model(
        folder,
        repository,
        private=private,
        branch=branch,
        tag=tag,
        pull_request=pull_request,
        message=message,
        dry_run=dry_run,
    )
    if dry_run:
        typer.echo(done.card)
    for file in done.files:
        typer.echo(f"{file.size:>12,}  {file.name}")
    if done.left_out:
        typer.echo(f"stays behind: {', '.join(done.left_out)}")
    if done.url is not None:
        typer.echo(done.url)
