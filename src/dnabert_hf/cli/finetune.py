"""`dnabert finetune`: train a classifier or regressor on labelled sequences."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from dnabert_hf.cli.options.early import labelled_data, new_folder, start_name
from dnabert_hf.cli.options.hard_negatives import (
    HardNegatives,
    HeldOut,
    NegativeClass,
    Rounds,
    ScannedWindows,
    Sites,
    finetune_in_rounds,
)
from dnabert_hf.cli.options.shared import (
    ConfigFields,
    OverwriteRun,
    Resume,
    TrainingFields,
    TrainingSeed,
    parse_fields,
)

__all__ = ["finetune"]


def finetune(
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
            "-o", "--output", help="Folder to write.", show_default=False, callback=new_folder
        ),
    ],
    init: Annotated[
        str,
        typer.Option(
            help='Checkpoint to start from: folder, Hub repository, "dnabert-6-mini", or "random"; '
            'or a network to compare with: "cnn", "cnn-lstm" or "cnn-gru".',
            callback=start_name,
        ),
    ] = "dnabert-6-mini",
    task: Annotated[
        str,
        typer.Option(
            help="Preset: prom-300, prom-core, prom-scan, tf, splice, pair, token or generic; "
            "`dnabert tasks` describes them. Or a YAML file with a task of yours."
        ),
    ] = "generic",
    k: Annotated[
        int | None,
        typer.Option(help="Bases per k-mer of a random model.", show_default="6; 3 for cnn"),
    ] = None,
    config: ConfigFields = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Tokenizer, if not that of the checkpoint.")
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Epochs.", show_default="5; 20 for cnn")
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Highest learning rate.",
            show_default="5e-5 at BERT's size (random: 2e-4), up to 1e-3 if small; cnn: 1e-3",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Sequences a batch and device.", show_default="32")
    ] = None,
    seed: TrainingSeed = None,
    set_: TrainingFields = None,
    positive: Annotated[
        str | None,
        typer.Option(
            help="Class of interest: scores of one class, tracks, motifs and variant effects are "
            "of it.",
            show_default="of two, the one not called other, none, random, 0 ...",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Validation metric that chooses the checkpoint.",
            show_default="the task's; mcc; auroc if multi-label; spearman for regression",
        ),
    ] = None,
    early_stopping: Annotated[
        int | None, typer.Option(help="Stop after this many evaluations without improvement.")
    ] = None,
    class_weights: Annotated[
        bool, typer.Option("--class-weights", help="Let rare classes weigh as much as common ones.")
    ] = False,
    lora: Annotated[
        int | None,
        typer.Option(
            metavar="RANK",
            help="Train adapters of this rank (such as 8) in place of the encoder's weights.",
        ),
    ] = None,
    freeze: Annotated[
        bool,
        typer.Option(
            "--freeze",
            help="Train the head alone, on embeddings of the frozen encoder that are computed once "
            "(30 epochs at 3e-3).",
        ),
    ] = False,
    reinitialise_layers: Annotated[
        int,
        typer.Option(
            metavar="LAYERS",
            help="Re-initialise the top N layers of a checkpoint: better with few labels (3 "
            "for dnabert-6-mini).",
        ),
    ] = 0,
    optimizer: Annotated[
        str, typer.Option(help="adamw, or muon for the matrices of the encoder.")
    ] = "adamw",
    muon_learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Learning rate of Muon; --learning-rate is AdamW's, of all the rest.",
            show_default="0.005",
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
        ),
    ] = None,
    keep_checkpoints: Annotated[
        bool,
        typer.Option(
            "--keep-checkpoints",
            help="Keep the model of every checkpoint, to see how its attention came about.",
        ),
    ] = False,
    search: Annotated[
        int | None,
        typer.Option(
            metavar="TRIALS",
            help="Try learning rates, epochs and dropouts (those not given) on the validation "
            "split, and keep the best.",
        ),
    ] = None,
    hard_negatives: HardNegatives = None,
    rounds: Rounds = None,
    held_out: HeldOut = None,
    sites: Sites = None,
    negative_class: NegativeClass = None,
    scanned_windows: ScannedWindows = None,
    problem_type: Annotated[
        str | None,
        typer.Option(
            help="single_label_classification, multi_label_classification, regression or "
            "token_classification, where labels and task do not tell."
        ),
    ] = None,
    sequence_column: Annotated[str, typer.Option(help="Column of the sequences.")] = "sequence",
    label_column: Annotated[str, typer.Option(help="Column of the labels.")] = "label",
    id_column: Annotated[str, typer.Option(help="Column of the names.")] = "id",
    split_column: Annotated[str, typer.Option(help="Column of the splits.")] = "split",
    resume: Resume = False,
    overwrite: OverwriteRun = False,
) -> None:
    r"""Train a classifier or regressor on labelled sequences, test it and save it.

    The folder receives the model with its card, metrics.json, predictions.tsv and curves.png.

    Example:

        dnabert finetune peaks.tsv --task tf --init dnabert-6-mini -o model

    Small, from random weights:

        dnabert finetune peaks.tsv --init random -o small \
          --config num_hidden_layers=2 --config hidden_size=192 \
          --config num_attention_heads=3

    A class for each base, labels such as 00011100:

        dnabert finetune islands.tsv --task token --init dnabert-6-mini -o islands

    With the best of 20 settings:

        dnabert finetune peaks.tsv --init dnabert-6-mini --search 20 -o best

    With the false positives of a genome as negatives:

        dnabert finetune promoters.tsv --init dnabert-6-mini \
          --hard-negatives hg38.fa.gz --held-out chr20 --sites tss.bed --rounds 3 \
          -o hard

    What others compare with:

        dnabert finetune peaks.tsv --init cnn-lstm -o baseline
    """
    from dnabert_hf.data.reading.records import Columns
    from dnabert_hf.metrics.scores import METRIC_NAMES
    from dnabert_hf.training.finetuning.finetune import finetune as fine_tune
    from dnabert_hf.training.hyperparameter_search.search import search_hyperparameters
    from dnabert_hf.training.shared.arguments import parse_arguments
    from dnabert_hf.training.tasks.presets import find_task

    run: Any = fine_tune
    if search is not None:
        run = partial(search_hyperparameters, trials=search)
    logging.getLogger("dnabert_hf.training").setLevel(logging.INFO)
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
            sequence=sequence_column, label=label_column, id=id_column, split=split_column
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
    mining: dict[str, Any] = {
        "rounds": rounds,
        "held_out": held_out,
        "sites": sites,
        "windows": scanned_windows,
    }
    if hard_negatives:
        if search is not None:
            raise ValueError("--search and --hard-negatives do not go together; leave one out")
        logging.getLogger("dnabert_hf.workflows.hard_negatives").setLevel(logging.INFO)
        finetune_in_rounds(
            init, _parse_data(data), hard_negatives, negative=negative_class, **mining, **options
        )
        return
    if any(value for value in (*mining.values(), negative_class)):
        raise ValueError(
            "--rounds, --held-out, --sites, --negative-class and --scanned-windows belong to "
            "--hard-negatives, found no genome; give it or leave them out"
        )
    # What the labels were taken for is said before hours of training.
    logging.getLogger("dnabert_hf.data.labelled.dataset").setLevel(logging.INFO)
    result = run(init, _parse_data(data), **options)
    shown = find_task(task).metrics or METRIC_NAMES[result.scheme.problem_type]
    last = list(result.scores)[-1]
    beside = {f"5-mer regression, {last}": result.regression[last]} if result.regression else {}
    for line in format_scores({**result.scores, **beside}, shown):
        typer.echo(line)


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
