"""What must hold for any text that an option of the command line is given.

A text is refused with one line, or taken for a value that, written back, is taken for the same.
Shared by hypothesis and the fuzzer.
"""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

import torch
import typer

from dnabert_hf.cli.main import app
from dnabert_hf.cli.options.command import Command
from dnabert_hf.cli.options.dataset import parse_classes, parse_columns
from dnabert_hf.cli.options.early import input_file, labelled_data, start_name
from dnabert_hf.cli.options.shared import parse_fields
from dnabert_hf.cli.options.training import parse_data
from dnabert_hf.data.genome.genome import Genome, open_genome
from dnabert_hf.data.genome.regions import parse_region
from dnabert_hf.data.masking.segments import SegmentDataset, SegmentOptions
from dnabert_hf.data.variants.databases import find_build
from dnabert_hf.inference.engine.precision import DTYPES, choose_device, choose_dtype
from dnabert_hf.inference.engine.sharding import resolve_shard
from dnabert_hf.training.pretraining.pretrain import _choose_recipe
from dnabert_hf.training.shared.arguments import (
    fine_tuning_arguments,
    parse_arguments,
    pretraining_arguments,
)
from dnabert_hf.training.shared.initialisation import load_classifier_config
from dnabert_hf.training.tasks.presets import find_task


class Option(NamedTuple):
    """An option's parser, what writes its value as text (None: cannot be), and texts it takes."""

    parse: Callable[[str], Any]
    write: Callable[[Any], str | None]
    examples: tuple[str, ...]


@cache
def _folder() -> Path:
    return Path(mkdtemp())


@cache
def _genome() -> Genome:
    fasta = _folder() / "genome.fa"
    fasta.write_text(">chr1\n" + "ACGTTGCA" * 20 + "\n>HLA-A*01:01\n" + "CCGGAATT" * 20 + "\n")
    return open_genome(fasta)


def _assignment(fields: dict[str, Any]) -> str | None:
    ((name, value),) = fields.items()
    text = json.dumps(value)
    return f"{name}={text}"


def _config(start: str) -> Callable[[str], dict[str, Any]]:
    def parse(text: str) -> dict[str, Any]:
        fields = parse_fields([text])
        config = load_classifier_config(start, fields)
        assert all(hasattr(config, name) for name in fields)
        return fields

    return parse


def _recipe(text: str) -> dict[str, Any]:
    fields = parse_fields([text])
    chosen = _choose_recipe("mini", fields, "random" if "extend_from" not in fields else "mine")
    assert all(getattr(chosen, name) == value for name, value in fields.items())
    return fields


def _weight(text: str) -> dict[str, Any]:
    fields = parse_fields([text])
    genome = _genome()
    SegmentDataset(genome, SegmentOptions(weights=fields), runs=genome.runs, length=0)
    return fields


def _finetune_arguments(text: str) -> dict[str, Any]:
    found = parse_arguments([text])
    arguments = fine_tuning_arguments(
        _folder(), found, metric="mcc", recipe={}, varies_in_length=True
    )
    assert arguments.output_dir == str(_folder())
    return found


def _pretrain_arguments(text: str) -> dict[str, Any]:
    found = parse_arguments([text])
    pretraining_arguments(_folder(), found, recipe={"max_steps": 9, "learning_rate": 1e-3})
    return found


def _argument(found: dict[str, Any]) -> str | None:
    ((name, value),) = found.items()
    if value is None or value == {}:
        return None  # what is nothing cannot be written, nor need it be
    return f"{name}={json.dumps(value) if isinstance(value, dict | list) else value}"


def _region(text: str) -> tuple[int, int, int]:
    genome = _genome()
    contig, start, end = parse_region(text, genome)
    assert 0 <= start < end <= genome.contigs[contig].length
    return contig, start, end


def _device(text: str) -> torch.device:
    device = choose_device(text)
    assert (torch.ones(2, device=device) + 1).tolist() == [2, 2]
    return device


def _data(found: str | dict[str, str]) -> str:
    return found if isinstance(found, str) else "=".join(*found.items())


OPTIONS = {
    "config": Option(_config("random"), _assignment, ("hidden_size=96", "token_pooling=mean")),
    "config-cnn": Option(_config("cnn"), _assignment, ("k=3", "problem_type=regression")),
    "recipe": Option(
        _recipe, _assignment, ("mlm_probability=0.2", "segments=cut", "per_span=true")
    ),
    "weight": Option(_weight, _assignment, ("chr1=2", "HLA-A*01:01=0.5")),
    "set": Option(
        _finetune_arguments, _argument, ("weight_decay=0.1", "optim=adafactor", "bf16=false")
    ),
    "set-pretrain": Option(
        _pretrain_arguments, _argument, ("save_steps=5", 'lr_scheduler_kwargs={"lr_end": 1e-5}')
    ),
    "shard": Option(lambda text: resolve_shard(text, "out.tsv"), str, ("0/1", "3/16")),
    "held-out": Option(
        _region,
        lambda found: f"{_genome().contigs[found[0]].name}:{found[1]}-{found[2]}",
        ("chr1", "chr1:5-20", "HLA-A*01:01:0-9"),
    ),
    "data": Option(lambda text: parse_data([text]), _data, ("a.tsv", "train=a.tsv")),
    "regions": Option(
        lambda text: parse_classes([text]),
        lambda found: "=".join(*found.items()),
        ("a.bed", "E=exons.bed"),
    ),
    "columns": Option(parse_columns, ",".join, ("contig,position,strand", "a, b, c")),
    "device": Option(_device, str, ("cpu", "auto")),
    "dtype": Option(
        lambda text: choose_dtype(text, choose_device("cpu"), hidden_size=8),
        str,
        tuple(each for each in DTYPES if each != "auto"),
    ),
    "task": Option(find_task, lambda task: task.name, ("tf", "splice")),
    "build": Option(find_build, str, ("hg19", "GRCh38")),
    "init": Option(start_name, str, ("random", "cnn-gru", "dnabert-6-mini")),
    "input": Option(input_file, str, ("-", "/")),
    "labelled": Option(lambda text: labelled_data([text]), "".join, ("owner/name", "/")),
}


UsageError = typer.BadParameter.__mro__[1]  # of click, or of the copy that typer holds


def _commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if not hasattr(group, "commands"):
        yield name, group
        return
    for each, command in group.commands.items():
        yield from _commands(command, f"{name} {each}".strip())


def _numbers() -> dict[str, Option]:
    """Every number of every command: read as the command line reads it, checked as `Command`."""
    found: dict[str, Option] = {}
    for name, command in _commands(typer.main.get_command(app)):
        assert isinstance(command, Command)
        context = command.make_context(name, [], resilient_parsing=True)
        for param in command.params:
            if getattr(param, "is_flag", False) or param.param_type_name == "argument":
                continue
            many = bool(getattr(param, "multiple", False))

            def parse(text: str, param=param, context=context, command=command, many=many) -> Any:
                value = param.process_value(context, [text] if many else text)
                command.check_number(param.name, value[0] if many else value)
                return value

            def write(value: Any, many=many) -> str:
                return str(value[0] if many else value)

            try:
                is_number = isinstance(parse("1")[0] if many else parse("1"), int | float)
            except (ValueError, OSError, UsageError):  # a choice of words, or a file
                continue
            if is_number:
                found[f"{name} {max(param.opts, key=len)}"] = Option(parse, write, ("1",))
    return found


NUMBERS = _numbers()


def check(option: Option, text: str) -> Any:
    """Give a text to an option; give its value, None if it was refused.

    Raises:
        AssertionError: If the refusal is no message, or the value cannot be given again.
    """
    try:
        value = option.parse(text)
    except (ValueError, OSError, UsageError) as error:
        assert len(str(error)) > 15, repr(error)
        return None
    written = option.write(value)
    if written is not None:
        assert option.parse(written) == value, (text, value, written)
    return value
