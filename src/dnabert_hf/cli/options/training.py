"""Options that `dnabert finetune`, `search` and `mine-negatives` share."""

import functools
import inspect
import os
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
    add_fields,
    in_columns,
    in_model,
    in_output,
    in_training,
    parse_fields,
    print_json,
    report,
)

__all__ = ["Training", "format_scores", "parse_data", "print_scores", "takes_training_options"]


_in_method = functools.partial(typer.Option, rich_help_panel="What is trained")


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
        in_output(
            "-o", "--output", help="Folder to write.", show_default=False, callback=new_folder
        ),
    ],
    init: Annotated[
        str,
        in_model(
            help='Checkpoint to start from: folder, Hub repository, "dnabert-6-mini", or "random"; '
            "or a network to compare with: cnn, cnn-lstm, cnn-gru, deepbind, danq, basset.",
            callback=start_name,
        ),
    ] = "dnabert-6-mini",
    task: Annotated[
        str,
        in_model(
            help="Preset: prom-300, prom-core, prom-scan, tf, splice, pair, token or generic; "
            "`dnabert tasks` describes them. Or a YAML file with a task of yours."
        ),
    ] = "generic",
    k: Annotated[
        int | None, in_model(help="Bases per k-mer of a random model.", show_default="6; 3 for cnn")
    ] = None,
    config: ConfigFields = None,
    tokenizer: Annotated[
        str | None, in_model(help="Tokenizer, if not that of the checkpoint.")
    ] = None,
    epochs: Annotated[
        float | None,
        in_training(
            help="Epochs.",
            show_default="10 for models up to 512 wide, at least 150 steps, 5 of more than 3,000 "
            "sequences; 5 at BERT's size; 20 for cnn",
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        in_training(
            help="Highest learning rate.",
            show_default="5e-5 at BERT's size (random: 2e-4), up to 1e-3 if small; cnn: 1e-3",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        in_training(
            help="Sequences a batch and device.",
            show_default="32; 16 above 200 bases for models up to 512 wide",
        ),
    ] = None,
    seed: TrainingSeed = None,
    set_: TrainingFields = None,
    positive: Annotated[
        str | None,
        in_model(
            help="Class of interest: scores of one class, tracks, motifs and variant effects are "
            "of it.",
            show_default="of two, the one not called other, none, random, 0 ...",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        in_training(
            help="Validation metric that chooses the checkpoint.",
            show_default="the task's; mcc; auroc if multi-label; spearman for regression",
        ),
    ] = None,
    early_stopping: Annotated[
        int | None, in_training(help="Stop after this many evaluations without improvement.")
    ] = None,
    class_weights: Annotated[
        bool, in_training("--class-weights", help="Let rare classes weigh as much as common ones.")
    ] = False,
    lora: Annotated[
        int | None,
        _in_method(
            metavar="RANK",
            help="Train adapters of this rank (such as 8) in place of the encoder's weights.",
        ),
    ] = None,
    freeze: Annotated[
        bool,
        _in_method(
            "--freeze",
            help="Train the head alone, on embeddings of the frozen encoder that are computed once "
            "(30 epochs at 3e-3).",
        ),
    ] = False,
    reinitialise_layers: Annotated[
        int, _in_method(metavar="LAYERS", help="Re-initialise the top N layers of a checkpoint.")
    ] = 0,
    optimizer: Annotated[
        str | None,
        in_training(
            help="adamw, or muon for the matrices of the encoder.",
            show_default="muon for models up to 512 wide",
        ),
    ] = None,
    muon_learning_rate: Annotated[
        float | None,
        in_training(
            help="Learning rate of Muon; --learning-rate is AdamW's, of all the rest.",
            show_default="0.005, in proportion to --learning-rate",
        ),
    ] = None,
    both_strands: Annotated[
        bool | None,
        in_training(
            "--both-strands/--one-strand",
            help="Read each training sequence from the opposite strand half of the time, and "
            "average predictions over both, now and later: for signals that have no strand, such "
            "as binding sites.",
            show_default="the sequences tell",
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        in_training(
            "--calibrate",
            help="Make probabilities as often right as they say, by the dev split (50 at least).",
        ),
    ] = False,
    keep_checkpoints: Annotated[
        bool,
        in_output(
            "--keep-checkpoints",
            help="Keep the model of every checkpoint, to see how its attention came about.",
        ),
    ] = False,
    problem_type: Annotated[
        str | None,
        in_model(
            help="single_label_classification, multi_label_classification, regression or "
            "token_classification, where labels and task do not tell."
        ),
    ] = None,
    sequence_column: Annotated[str, in_columns(help="Column of the sequences.")] = "sequence",
    sequence_b_column: Annotated[
        str, in_columns(help="Column of the second sequences of pairs.")
    ] = "sequence_b",
    label_column: Annotated[str, in_columns(help="Column of the labels.")] = "label",
    id_column: Annotated[str, in_columns(help="Column of the names.")] = "id",
    split_column: Annotated[str, in_columns(help="Column of the splits.")] = "split",
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
    fields = add_fields(parse_fields(config or []), {"k": k})
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
        "calibrate": calibrate,
        "keep_checkpoints": keep_checkpoints,
        "arguments": add_fields(parse_arguments(set_ or []), named),
        "resume": resume,
        "overwrite": overwrite,
    }
    return Training(init, parse_data(data), options)


def print_scores(task: str, result: Any, *, as_json: bool = False) -> None:
    """Print the scores of each split, and of the 5-mer regression beside the last, and where.

    Args:
        task: Preset that names the scores to show.
        result: What was trained.
        as_json: Print all scores as one object of JSON.
    """
    from dnabert_hf.metrics.scores import METRIC_NAMES
    from dnabert_hf.training.tasks.presets import find_task

    if as_json:
        print_json(
            {
                "model": str(result.output_dir),
                "positive": result.scheme.positive,
                "scores": result.scores,
                "regression": result.regression,
                "advice": result.advice,
            }
        )
        return
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


def parse_data(data: list[str]) -> str | dict[str, str]:
    """Read what names the data: one file, folder or data set, or SPLIT=FILE for each split.

    Raises:
        ValueError: If there are several without a split, a split or a file has no name, or a split
            is there twice.

    Example:
        >>> parse_data(["train=a.tsv", "dev=b.tsv"])
        {'train': 'a.tsv', 'dev': 'b.tsv'}
    """
    pairs = [item.partition("=") for item in data]
    if len(data) == 1 and (not pairs[0][1] or os.path.lexists(data[0])):
        return data[0]
    files: dict[str, str] = {}
    for split, equals, file in pairs:
        if not equals:
            raise ValueError(
                f"several data files must be written SPLIT=FILE, such as train={split}, got "
                f"{split!r}"
            )
        if not split or not file:
            raise ValueError(f"data must be written SPLIT=FILE, got {split}={file}")
        if split in files:
            raise ValueError(
                f"a split must be one file, got {files[split]} and {file} for {split}; put them "
                "together"
            )
        files[split] = file
    return files
