"""`dnabert publish`: put a model on the Hugging Face Hub."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dnabert_hf.hub.publish import Publication

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
    space: Annotated[
        bool,
        typer.Option("--space", help="Make a Space of the model's app as well, of the same name."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, list files and show the card; send nothing.")
    ] = False,
) -> None:
    """Put a model on the Hugging Face Hub: weights, tokenizer, code and model card, in one commit.

    Needs a token that may write: `hf auth login`, or HF_TOKEN. What holds paths of your machine
    (metrics.json) or your test data (predictions.tsv) stays behind.

    Example:

        dnabert publish peaks-model lab/ctcf-peaks --dry-run

    A page for everybody, of `dnabert app`, built and run by the Hub:

        dnabert publish peaks-model lab/ctcf-peaks --space
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
        space=space,
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
    if done.space:
        _show_space(done, is_private=private)


def _show_space(done: "Publication", *, is_private: bool) -> None:
    typer.echo("Space:")
    is_source = [file.name.startswith("package/") for file in done.space]
    for file, is_of_package in zip(done.space, is_source, strict=True):
        if not is_of_package:
            typer.echo(f"{file.size:>12,}  {file.name}")
    if any(is_source):
        n_bytes = sum(file.size for file in done.space if file.name.startswith("package/"))
        typer.echo(f"{n_bytes:>12,}  package/ ({sum(is_source)} files of dnabert-hf)")
    if done.space_url is not None:
        typer.echo(done.space_url)
    if is_private:
        typer.echo("the Space reads the private model once it has a secret HF_TOKEN (its settings)")
