"""`dnabert tasks`: list the presets of `dnabert finetune --task`."""

from typing import Annotated

import typer

__all__ = ["tasks"]


def tasks(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Presets, or YAML files with tasks of yours.", show_default="all presets"
        ),
    ] = None,
) -> None:
    """List the presets for `dnabert finetune --task`, and the command that makes their data.

    Example:

        dnabert tasks

    A task of yours, a file enhancers.yaml such as {length: 200, labels: [enhancer, other], metric:
    auroc, builder: peaks, builder_options: {length: 200}}:

        dnabert tasks enhancers.yaml
    """
    from dnabert_hf.training.tasks.presets import TASKS, find_task

    for task in map(find_task, names or TASKS):
        length = "any length" if task.length is None else f"{task.length:,} bases"
        labels = ", ".join(task.labels) or "any labels"
        typer.echo(f"{task.name:<10}{task.summary}")
        typer.echo(f"{'':<10}{length}; {labels}; scores: {', '.join(task.metrics) or 'all'}")
        if task.builder is not None:
            typer.echo(f"{'':<10}{task.command()}")
