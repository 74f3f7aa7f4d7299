"""Options that `dnabert finetune`, `search` and `mine-negatives` share."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from dnabert_hf.cli.options.early import labelled_data, new_folder, start_name
from dnabert_hf.cli.options.running import give_parameters
from dnabert_hf.cli.options.shared import (
    ConfigFields,
    OverwriteRun,
    Resume,
    TrainingFields,
    TrainingSeed,
    parse_fields,
    report,
)

__all__ = ["Training", "format_scores", "print_scores", "takes_training_options"]


class Training(NamedTuple):
    """A fine-tuning as the options ask for it.

    Attributes:
        init: Where training starts.
        data: The labelled data: one name, or a file by split.
        options: Keyword arguments of `dnabert_hf.finetune`.
    """

    init: str
    data: str | dict[str, str]
    options: dict[str, Any]


def takes_training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of training beside its own.

    Args:
        command: Gets a `Training` and, by keyword, what its other parameters say.

    Returns:
        A function with the parameters of both, as typer reads them.
    """
    shared = inspect.signature(_collect).parameters
    own = list(inspect.signature(command).parameters.values())[1:]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        training = _collect(**{name: values.pop(name) for name in shared})
        command(training, **values)

    give_parameters(run, [*shared.values(), *own])
    return run


def _collect(
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
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Folder to write.",
            show_default=False,
            callback=new_folder,
            rich_help_panel="Output",
        ),
    ],
    init: Annotated[
        str,
        typer.Option(
            help='Checkpoint to start from: folder, Hub repository, "dnabert-6-mini", or "random"; '
            'or a network to compare with: "cnn", "cnn-lstm" or "cnn-gru".',
            callback=start_name,
            rich_help_panel="Model",
        ),
    ] = "dnabert-6-mini",
    task: Annotated[
        str,
        typer.Option(
            help="Preset: prom-300, prom-core, prom-scan, tf, splice, pair, token or generic; "
            "`dnabert tasks` describes them. Or a YAML file with a task of yours.",
            rich_help_panel="Model",
        ),
    ] = "generic",
    k: Annotated[
        int | None,
        typer.Option(
            help="Bases per k-mer of a random model.",
            show_default="6; 3 for cnn",
            rich_help_panel="Model",
        ),
    ] = None,
    config: ConfigFields = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Tokenizer, if not that of the checkpoint.", rich_help_panel="Model"),
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(help="Epochs.", show_default="5; 20 for cnn", rich_help_panel="Training"),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Highest learning rate.",
            show_default="5e-5 at BERT's size (random: 2e-4), up to 1e-3 if small; cnn: 1e-3",
            rich_help_panel="Training",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help="Sequences a batch and device.", show_default="32", rich_help_panel="Training"
        ),
    ] = None,
    seed: TrainingSeed = None,
    set_: TrainingFields = None,
    positive: Annotated[
        str | None,
        typer.Option(
            help="Class of interest: scores of one class, tracks, motifs and variant effects are "
            "of it.",
            show_default="of two, the one not called other, none, random, 0 ...",
            rich_help_panel="Model",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Validation metric that chooses the checkpoint.",
            show_default="the task's; mcc; auroc if multi-label; spearman for regression",
            rich_help_panel="Training",
        ),
    ] = None,
    early_stopping: Annotated[
        int | None,
        typer.Option(
            help="Stop after this many evaluations without improvement.", rich_help_panel="Training"
        ),
    ] = None,
    class_weights: Annotated[
        bool,
        typer.Option(
            "--class-weights",
            help="Let rare classes weigh as much as common ones.",
            rich_help_panel="Training",
        ),
    ] = False,
    lora: Annotated[
        int | None,
        typer.Option(
            metavar="RANK",
            help="Train adapters of this rank (such as 8) in place of the encoder's weights.",
            rich_help_panel="What is trained",
        ),
    ] = None,
    freeze: Annotated[
        bool,
        typer.Option(
            "--freeze",
            help="Train the head alone, on embeddings of the frozen encoder that are computed once "
            "(30 epochs at 3e-3).",
            rich_help_panel="What is trained",
        ),
    ] = False,
    reinitialise_layers: Annotated[
        int,
        typer.Option(
            metavar="LAYERS",
            help="Re-initialise the top N layers of a checkpoint: better with few labels (3 "
            "for dnabert-6-mini).",
            rich_help_panel="What is trained",
        ),
    ] = 0,
    optimizer: Annotated[
        str,
        typer.Option(
            help="adamw, or muon for the matrices of the encoder.", rich_help_panel="Training"
        ),
    ] = "adamw",
    muon_learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Learning rate of Muon; --learning-rate is AdamW's, of all the rest.",
            show_default="0.005",
            rich_help_panel="Training",
        ),
    ] = None,
    both_strands: Annotated[
        bool | None,
        typer.Option(
            "--both-strands/--one-strand",
            help="Read each training sequence from the opposite strand half of the time, and "
            "average predictions over both, now and later: for signals that have no strand, such "
            "as binding sites.",
            show_default="the sequences tell",
            rich_help_panel="Training",
        ),
    ] = None,
    keep_checkpoints: Annotated[
        bool,
        typer.Option(
            "--keep-checkpoints",
            help="Keep the model of every checkpoint, to see how its attention came about.",
            rich_help_panel="Output",
        ),
    ] = False,
    problem_type: Annotated[
        str | None,
        typer.Option(
            help="single_label_classification, multi_label_classification, regression or "
            "token_classification, where labels and task do not tell.",
            rich_help_panel="Model",
        ),
    ] = None,
    sequence_column: Annotated[
        str, typer.Option(help="Column of the sequences.", rich_help_panel="Table columns")
    ] = "sequence",
    sequence_b_column: Annotated[
        str,
        typer.Option(
            help="Column of the second sequences of pairs.", rich_help_panel="Table columns"
        ),
    ] = "sequence_b",
    label_column: Annotated[
        str, typer.Option(help="Column of the labels.", rich_help_panel="Table columns")
    ] = "label",
    id_column: Annotated[
        str, typer.Option(help="Column of the names.", rich_help_panel="Table columns")
    ] = "id",
    split_column: Annotated[
        str, typer.Option(help="Column of the splits.", rich_help_panel="Table columns")
    ] = "split",
    resume: Resume = False,
    overwrite: OverwriteRun = False,
) -> Training:
    """Read the options as the arguments of `finetune`."""
    from dnabert_hf.data.reading.records import Columns
    from dnabert_hf.training.shared.arguments import parse_arguments

    named = {
        "num_train_epochs": epochs,
        "learning_rate": learning_rate,
        "per_device_train_batch_size": batch_size,
        "seed": seed,
    }
    fields = parse_fields(config or []) | ({} if k is None else {"k": k})
    options: dict[str, Any] = {
        "output_dir": output,
        "task": task,
        "config": fields,
        "tokenizer": tokenizer,
        "columns": Columns(
            sequence=sequence_column,
            sequence_b=sequence_b_column,
            label=label_column,
            id=id_column,
            split=split_column,
        ),
        "problem_type": problem_type,
        "positive": positive,
        "metric": metric,
        "early_stopping": early_stopping,
        "class_weights": class_weights,
        "lora": lora,
        "freeze": freeze,
        "reinitialise_layers": reinitialise_layers,
        "optimizer": optimizer,
        "muon_learning_rate": muon_learning_rate,
        "both_strands": both_strands,
        "keep_checkpoints": keep_checkpoints,
        "arguments": parse_arguments(set_ or [])
        | {name: value for name, value in named.items() if value is not None},
        "resume": resume,
        "overwrite": overwrite,
    }
    return Training(init, _parse_data(data), options)


def print_scores(task: str, result: Any) -> None:
    """Print the scores of each split, and of the 5-mer regression beside the last, and where."""
    from dnabert_hf.metrics.scores import METRIC_NAMES
    from dnabert_hf.training.tasks.presets import find_task

    shown = find_task(task).metrics or METRIC_NAMES[result.scheme.problem_type]
    last = list(result.scores)[-1]
    beside = {f"5-mer regression, {last}": result.regression[last]} if result.regression else {}
    for line in format_scores({**result.scores, **beside}, shown):
        typer.echo(line)
    report(f"model, card, scores and predictions -> {result.output_dir}")


def format_scores(
    scores: Mapping[str, Mapping[str, float]], names: Sequence[str], *, title: str = "split"
) -> list[str]:
    """Lay scores out as a table with a row for each split or model.

    Example:
        >>> format_scores({"test": {"accuracy": 0.75, "mcc": 0.5}}, ["mcc", "f1_binary"])
        ['split       mcc   f1_binary', 'test     0.5000           -']
    """
    width = max(map(len, [title, *scores]))
    widths = {name: max(10, len(name) + 3) for name in names}
    lines = [f"{title:<{width}}" + "".join(f"{name:>{widths[name]}}" for name in names)]
    for row_name, row in scores.items():
        cells = [
            f"{row[name]:>{widths[name]}.4f}" if name in row else f"{'-':>{widths[name]}}"
            for name in names
        ]
        lines.append(f"{row_name:<{width}}" + "".join(cells))
    return lines


def _parse_data(data: list[str]) -> str | dict[str, str]:
    pairs = [item.partition("=") for item in data]
    if len(data) == 1 and (not pairs[0][1] or Path(data[0]).exists()):
        return data[0]
    for split, equals, _ in pairs:
        if not equals:
            raise ValueError(
                f"several data files must be written SPLIT=FILE, such as train={split}, got "
                f"{split!r}"
            )
    return {split: file for split, _, file in pairs}
