"""`dnabert tasks`: list the presets of `dnabert finetune --task`."""

import typer

__all__ = ["tasks"]


def tasks() -> None:
    """List the presets for `dnabert finetune --task`, and the command that makes their data.

    Example: dnabert tasks
    """
    from dnabert_hf.training.tasks import TASKS

    for task in TASKS.values():
        length = "any length" if task.length is None else f"{task.length:,} bases"
        labels = ", ".join(task.labels) or "any labels"
        typer.echo(f"{task.name:<10}{task.summary}")
        typer.echo(f"{'':<10}{length}; {labels}; scores: {', '.join(task.metrics) or 'all'}")
        if task.builder is not None:
            typer.echo(f"{'':<10}{task.command()}")
