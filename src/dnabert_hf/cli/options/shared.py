"""Options that several commands share, so that they read alike everywhere."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from dnabert_hf.cli.options.early import input_file, model_name, new_file

__all__ = [
    "Aliases",
    "BothStrands",
    "ConfigFields",
    "Force",
    "IdColumn",
    "Model",
    "Output",
    "Overwrite",
    "OverwriteRun",
    "Resume",
    "SequenceColumn",
    "SequenceFile",
    "SkipBad",
    "TrainingFields",
    "TrainingSeed",
    "Window",
    "close",
    "parse_fields",
    "report",
]

Model = Annotated[
    str,
    typer.Argument(
        help='Checkpoint: folder, Hub repository or "dnabert-6-mini".',
        show_default=False,
        callback=model_name,
    ),
]
SequenceFile = Annotated[
    str,
    typer.Argument(
        help="FASTA, FASTQ, TSV, CSV, Parquet or k-mer text, plain or gzip; - is standard input.",
        show_default=False,
        callback=input_file,
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        help="File to write; - is standard output.",
        rich_help_panel="Output",
        callback=new_file,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the output if it exists.",
        is_eager=True,  # so that the output can be checked as soon as it is read
        show_default=False,
        rich_help_panel="Output",
    ),
]
BothStrands = Annotated[
    bool | None,
    typer.Option(
        "--rc/--no-rc",
        help="Average over each sequence and its reverse complement; takes twice as long.",
        show_default="as the model was trained",
        rich_help_panel="Model",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        help="Bases that the model sees at a time.",
        show_default="the median length it was trained on",
    ),
]
SequenceColumn = Annotated[
    str, typer.Option(help="Column of the sequences, in a table.", rich_help_panel="Table columns")
]
IdColumn = Annotated[
    str, typer.Option(help="Column of the names, in a table.", rich_help_panel="Table columns")
]

ConfigFields = Annotated[
    list[str] | None,
    typer.Option(
        "--config",
        metavar="NAME=VALUE",
        help="Field of DNABertConfig, repeatable.",
        rich_help_panel="Model",
    ),
]
TrainingFields = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any field of transformers.TrainingArguments, repeatable.",
        rich_help_panel="Training",
    ),
]
TrainingSeed = Annotated[
    int | None, typer.Option("--seed", help="Seed.", show_default="42", rich_help_panel="Training")
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a run that was stopped.",
        is_eager=True,
        rich_help_panel="Output",
    ),
]
OverwriteRun = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace an earlier run in the folder.",
        is_eager=True,
        rich_help_panel="Output",
    ),
]

Aliases = Annotated[
    Path | None,
    typer.Option(
        help="Other names of the genome's contigs, as UCSC's chromAlias.txt: a line a contig.",
        show_default="chr1 = 1 = Chr1 = NC_000001.11 and their like",
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Go on where the file seems to be made for another genome.",
        show_default=False,
    ),
]
SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Leave out and count lines that cannot be used, instead of an error at the first.",
        show_default=False,
    ),
]


def report(text: str) -> None:
    """Say on standard error what was done; of processes launched together, the first one does."""
    if os.environ.get("RANK", "0") == "0":
        typer.echo(text, err=True)


class Done(Protocol):
    """Result of a run that wrote a file."""

    @property
    def path(self) -> Path:
        """Give the file."""

    def summary(self) -> str:
        """Say how many there are, and what was left out."""


def close(done: Done) -> None:
    """Say on standard error how many there are, what was left out, and where the rest is."""
    is_there = str(done.path) == "-" or done.path.exists()
    where = "" if str(done.path) == "-" else f" -> {done.path}"
    report(f"{done.summary()}{where}{'' if is_there else ' (a part of it)'}")


def parse_fields(assignments: list[str]) -> dict[str, Any]:
    """Read fields written as `name=value`, values as JSON writes them or else as text.

    Example:
        >>> parse_fields(["hidden_size=128", "hidden_act=gelu"])
        {'hidden_size': 128, 'hidden_act': 'gelu'}
    """
    fields: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.rpartition("=")
        if not equals:
            raise ValueError(f"a field must be written name=value, got {assignment!r}")
        try:
            fields[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            fields[name.strip()] = value
    return fields
