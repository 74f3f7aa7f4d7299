"""Refusals of names on the command line before torch is imported, with names that are near."""

import difflib
import os
from pathlib import Path
from typing import Any

import typer

from dnabert_hf.checkpoints import locate, near
from dnabert_hf.checkpoints.hub import check_reachable, is_repository
from dnabert_hf.files.outputs import check_output

__all__ = [
    "input_file",
    "labelled_data",
    "model_name",
    "new_file",
    "new_folder",
    "start_name",
]

_TABLES = (".tsv", ".csv", ".txt", ".parquet", ".fa", ".fasta", ".fq", ".fastq", ".gz", ".bed")


def model_name(value: str | None) -> str | None:
    """Take the name of a checkpoint: a folder, one of the package, or a repository of the Hub.

    Args:
        value: What was given.

    Raises:
        ValueError: If it is neither a folder nor could be a repository, which are OWNER/NAME, or
            the Hub is to be asked and does not answer.
    """
    if value is None or os.path.lexists(value) or locate(value) != value:
        return value
    if not is_repository(value):
        raise ValueError(
            f"no folder {value}{_near(value, folders=True) or near(value)}; a model is a folder, a "
            "checkpoint of the package such as dnabert-6-mini, or a repository of the Hub, "
            "OWNER/NAME"
        )
    if os.environ.get("RANK", "0") == "0":
        where = f"dnabert: no folder {value}{_near(value, folders=True)}; looking for it on the Hub"
        typer.echo(where, err=True)
    check_reachable(value)
    return value


def start_name(value: str) -> str:
    """Take what `--init` takes: also "random" and the networks to compare with."""
    from dnabert_hf.training.shared.names import NETWORKS, RANDOM

    names = (RANDOM, *NETWORKS)
    if value not in names:
        try:
            model_name(value)
        except ValueError as error:
            close = difflib.get_close_matches(value.lower().replace("_", "-"), names, n=1)
            raise ValueError(f"did you mean {close[0]}? {error}" if close else str(error)) from None
    return value


def input_file(value: Any) -> Any:
    """Take a file to read, "-" for standard input, or a list of files.

    Args:
        value: What was given; None where an option was left out.

    Raises:
        ValueError: If there is no such file.
    """
    for each in value if isinstance(value, list | tuple) else [value]:
        if each is not None and str(each) != "-" and not os.path.lexists(each):
            raise ValueError(f"no file {each}{_near(str(each))}; check the path")
    return value


def labelled_data(value: list[str]) -> list[str]:
    """Take tables, folders, SPLIT=FILE or the name of a data set of the Hub."""
    for each in value:
        name = each.partition("=")[2] or each
        if not os.path.lexists(name) and (name.endswith(_TABLES) or name.count("/") != 1):
            raise ValueError(f"no file or folder {name}{_near(name)}; check the path")
    return value


def new_file(ctx: typer.Context, value: Path | None) -> Path | None:
    """Take a file to write that does not exist yet, unless --overwrite was given."""
    if value is not None and not ctx.resilient_parsing and not value.is_dir():
        check_output(value, overwrite=bool(ctx.params.get("overwrite")))
    return value


def new_folder(ctx: typer.Context, value: Path) -> Path:
    """Take the folder of a run: new or empty, unless the run goes on or is replaced."""
    if ctx.resilient_parsing or ctx.params.get("overwrite") or ctx.params.get("resume"):
        return value
    if value.is_dir() and any(value.iterdir()):
        raise ValueError(
            f"{value}: the output folder must be empty, found files; choose another, overwrite it "
            "(--overwrite), or go on with a run that was stopped (--resume)"
        )
    return value


def _near(name: str, *, folders: bool = False) -> str:
    """Name what lies beside and is spelt nearly so."""
    path = Path(name)
    if not path.parent.is_dir():
        return f" (nor a folder {path.parent})"
    beside = [each.name for each in path.parent.iterdir() if each.is_dir() or not folders]
    found = difflib.get_close_matches(path.name, beside, n=2, cutoff=0.6)
    return f"; there is {' and '.join(str(path.parent / each) for each in found)}" if found else ""
