"""Options that several commands share, so that they read alike everywhere."""

import json
import math
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from dnabert_hf.cli.options.early import input_file, model_name, new_file

__all__ = [
    "Aliases",
    "AsJson",
    "Averaged",
    "BothStrands",
    "ConfigFields",
    "Force",
    "GenomeFiles",
    "GenomeOfRegions",
    "IdColumn",
    "LabelOfInterest",
    "Model",
    "Output",
    "Overwrite",
    "OverwriteRun",
    "Resume",
    "SequenceColumn",
    "SequenceFile",
    "SequencesOrRegions",
    "SkipBad",
    "TrainingFields",
    "TrainingSeed",
    "VariantFile",
    "Window",
    "add_fields",
    "close",
    "in_columns",
    "in_model",
    "in_output",
    "in_training",
    "parse_fields",
    "print_json",
    "report",
]

# An option in a panel of the help.
in_model = partial(typer.Option, rich_help_panel="Model")
in_training = partial(typer.Option, rich_help_panel="Training")
in_output = partial(typer.Option, rich_help_panel="Output")
in_columns = partial(typer.Option, rich_help_panel="Table columns")

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
    in_output("-o", "--output", help="File to write; - is standard output.", callback=new_file),
]
AsJson = Annotated[
    bool,
    in_output("--json", help="Print the scores as one object of JSON.", show_default=False),
]
VariantFile = Annotated[
    Path,
    typer.Argument(
        help="VCF file, plain, gzip or bgzip, or BCF; - is standard input.",
        show_default=False,
        callback=input_file,
    ),
]
GenomeFiles = Annotated[
    list[Path],
    typer.Option(
        help="FASTA file of the genome; repeatable.", show_default=False, callback=input_file
    ),
]
SequencesOrRegions = Annotated[
    str,
    typer.Argument(
        help="FASTA, FASTQ, TSV, CSV, Parquet or k-mer text, plain or gzip, - for standard "
        "input; with --genome a BED file.",
        show_default=False,
        callback=input_file,
    ),
]
GenomeOfRegions = Annotated[
    list[Path] | None,
    typer.Option(help="FASTA file of the genome of the BED file; repeatable."),
]
LabelOfInterest = Annotated[
    str | None, typer.Option(help="Class to score.", show_default="the class of interest")
]
Averaged = Annotated[
    list[str] | None,
    typer.Option(help="Another checkpoint whose probabilities to average with; repeatable."),
]
Overwrite = Annotated[
    bool,
    in_output(
        "--overwrite",
        help="Replace the output if it exists.",
        is_eager=True,  # so that the output can be checked as soon as it is read
        show_default=False,
    ),
]
BothStrands = Annotated[
    bool | None,
    in_model(
        "--rc/--no-rc",
        help="Average over each sequence and its reverse complement; takes twice as long.",
        show_default="as the model was trained",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        help="Bases that the model sees at a time.",
        show_default="the median length it was trained on",
    ),
]
SequenceColumn = Annotated[str, in_columns(help="Column of the sequences, in a table.")]
IdColumn = Annotated[str, in_columns(help="Column of the names, in a table.")]

ConfigFields = Annotated[
    list[str] | None,
    in_model("--config", metavar="NAME=VALUE", help="Field of DNABertConfig, repeatable."),
]
TrainingFields = Annotated[
    list[str] | None,
    in_training(
        "--set",
        metavar="NAME=VALUE",
        help="Any field of transformers.TrainingArguments, repeatable.",
    ),
]
TrainingSeed = Annotated[int | None, in_training("--seed", help="Seed.", show_default="42")]
Resume = Annotated[
    bool, in_output("--resume", help="Go on with a run that was stopped.", is_eager=True)
]
OverwriteRun = Annotated[
    bool, in_output("--overwrite", help="Replace an earlier run in the folder.", is_eager=True)
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


def print_json(content: Mapping[str, Any]) -> None:
    """Print an object of JSON on standard output; what is not finite is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: plain(each) for name, each in value.items()}
        return None if isinstance(value, float) and not math.isfinite(value) else value

    typer.echo(json.dumps(plain(content), allow_nan=False))


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

    A name may hold "=" itself, as those of files do; a value that is no JSON may not.

    Raises:
        ValueError: If there is no "=" or no name, a number is not finite, or a field is given twice
            with two values.

    Example:
        >>> parse_fields(["hidden_size=128", "hidden_act=gelu"])
        {'hidden_size': 128, 'hidden_act': 'gelu'}
    """
    fields: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.rpartition("=")
        name = name.strip()
        if not equals or not name:
            raise ValueError(f"a field must be written name=value, got {assignment!r}")
        value: Any = text
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
            json.dumps(value, allow_nan=False)
        except json.JSONDecodeError:
            pass  # it is text
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"the value of {name} must be finite, or text, got {_shorten(text)}"
            ) from error
        _check_once(fields, name, value)
        fields[name] = value
    return fields


def add_fields(fields: dict[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Add what other options say to fields, and refuse to choose where they disagree.

    Args:
        fields: Fields by name.
        named: More of them; None where an option was left out.

    Raises:
        ValueError: If a field has two values.

    Example:
        >>> add_fields({"seed": 1}, {"learning_rate": 0.1, "max_steps": None})
        {'seed': 1, 'learning_rate': 0.1}
    """
    given = {name: value for name, value in named.items() if value is not None}
    for name, value in given.items():
        _check_once(fields, name, value)
    return fields | given


def _check_once(fields: Mapping[str, Any], name: str, value: Any) -> None:
    if fields.get(name, value) != value:
        raise ValueError(
            f"{name} must be given once, got {fields[name]!r} and {value!r}; leave one out"
        )


def _refuse_constant(text: str) -> None:
    raise ValueError(text)  # NaN and Infinity, which are Python's own


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
