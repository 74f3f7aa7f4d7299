"""Options of every command that runs a model: where it computes, what it reads and replaces."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from dnabert_hf.cli.options.shared import IdColumn, Overwrite, SequenceColumn, in_columns

__all__ = ["Running", "give_parameters", "takes_run_options"]

Running = dict[str, Any]  # the fields of `RunOptions` that a command takes, by name

_in_compute = functools.partial(typer.Option, rich_help_panel="Compute")
_Device = Annotated[str, _in_compute(help="auto, cpu, cuda, cuda:1, mps.")]
_Dtype = Annotated[
    str, _in_compute(help="auto (the fastest here), float32, bfloat16, float16 or int8.")
]
_BatchTokens = Annotated[
    int | None,
    _in_compute(help="Tokens a batch, padding included.", show_default="what suits the device"),
]
_Shard = Annotated[
    str | None,
    _in_compute(
        metavar="I/N",
        help="Do part I (from 0) of N, as the task of an array job; `dnabert join` makes the file.",
        show_default=False,
    ),
]
_SkipShort = Annotated[
    bool,
    typer.Option(
        "--skip-short",
        help="Leave out and count sequences shorter than the model's k, instead of an error.",
        show_default=False,
    ),
]
_SequenceBColumn = Annotated[str, in_columns(help="Column of the second sequences of pairs.")]
_LabelColumn = Annotated[str, in_columns(help="Column of the labels.")]
# By the names of the fields of `RunOptions`; those of columns are the fields of `Columns`.
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "device": (_Device, "auto"),
    "dtype": (_Dtype, "auto"),
    "batch_tokens": (_BatchTokens, None),
    "shard": (_Shard, None),
    "overwrite": (Overwrite, False),
    "skip_short": (_SkipShort, False),
}
_COLUMNS: dict[str, Any] = {
    "sequence": SequenceColumn,
    "sequence_b": _SequenceBColumn,
    "id": IdColumn,
    "label": _LabelColumn,
}


_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def takes_run_options(
    *names: str, columns: Sequence[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options of `RunOptions` behind its own.

    Args:
        *names: Those of shard, overwrite and skip_short that it takes beside device, dtype and
            batch_tokens.
        columns: Columns of a table that it reads: sequence, sequence_b, id, label.

    Returns:
        What makes a command, as typer reads it, of a function that gets them all as the keyword
        `running`.
    """
    taken = ["device", "dtype", "batch_tokens", *names]
    options = {name: _OPTIONS[name] for name in taken}
    options |= {f"{name}_column": (_COLUMNS[name], name) for name in columns}

    def take(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            running: dict[str, Any] = {name: values.pop(name) for name in taken}
            if columns:
                from dnabert_hf.data.reading.records import Columns

                names = {name: values.pop(f"{name}_column") for name in columns}
                running["columns"] = Columns(**names)
            command(**values, running=running)

        own = inspect.signature(command).parameters.values()
        shared = [
            inspect.Parameter(name, _KEYWORD, annotation=kind, default=default)
            for name, (kind, default) in options.items()
        ]
        give_parameters(run, [*(each for each in own if each.name != "running"), *shared])
        return run

    return take


def give_parameters(run: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> None:
    """Let a function of any keywords have parameters that typer reads."""
    keywords = [each.replace(kind=_KEYWORD) for each in parameters]
    signature: Any = run
    signature.__signature__ = inspect.Signature(keywords)
    run.__annotations__ = {each.name: each.annotation for each in parameters}
