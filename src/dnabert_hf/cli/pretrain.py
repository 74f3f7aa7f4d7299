"""`dnabert pretrain`: train a masked language model on genomes."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file, new_folder, start_name
from dnabert_hf.cli.options.shared import (
    ConfigFields,
    OverwriteRun,
    Resume,
    TrainingFields,
    TrainingSeed,
    add_fields,
    parse_fields,
)
from dnabert_hf.files.counts import counted

__all__ = ["pretrain"]


def pretrain(
    genome: Annotated[
        list[Path],
        typer.Argument(
            help="FASTA files, plain, gzip or bgzip.", show_default=False, callback=input_file
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Folder to write.", show_default=False, callback=new_folder
        ),
    ],
    preset: Annotated[
        str, typer.Option(help="Recipe: paper (Ji et al. 2021), base, small or mini.")
    ] = "base",
    init: Annotated[
        str,
        typer.Option(
            help='Checkpoint to go on from: folder, Hub repository, "dnabert-6-mini", or "random".',
            callback=start_name,
        ),
    ] = "random",
    k: Annotated[
        int | None,
        typer.Option(help="Bases per k-mer, 2 to 8.", show_default="6, or the checkpoint's"),
    ] = None,
    passes: Annotated[
        float | None,
        typer.Option(help="Passes over the genome.", show_default="1; paper: by steps"),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, in place of passes.")] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Segments a batch and device.", show_default="32; paper: 10 x 200"),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Highest learning rate.", show_default="the preset's")
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONTIG[:START-END]",
            help="Keep out of training and score the model on; 0-based, half-open; repeatable.",
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=WEIGHT",
            help="How often to read a contig or file in a pass, repeatable; 1 where not named.",
        ),
    ] = None,
    masking: Annotated[
        str | None,
        typer.Option(
            help="published (a larger share in the last sixth), constant or random (spans grow).",
            show_default="the preset's",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="K-mers of the longest segment.", show_default="510")
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Other fields of the recipe, repeatable: mlm_probability, late_mlm_probability, "
            "per_span, reverse_complement, optimizer (adamw, muon), muon_learning_rate, "
            "segments (both, cut, sample), weights (normal, structured), extend_from (longest "
            "segment that the checkpoint was trained on).",
        ),
    ] = None,
    config: ConfigFields = None,
    seed: TrainingSeed = None,
    set_: TrainingFields = None,
    resume: Resume = False,
    overwrite: OverwriteRun = False,
) -> None:
    """Train a masked language model on genomes.

    The folder receives the model with its card, metrics.json and curves.png. SIGTERM or Ctrl-C
    saves a checkpoint that --resume goes on from. On several GPUs or processes, with the same
    options: torchrun --nproc-per-node 4 --no-python dnabert pretrain ...

    Example:

        dnabert pretrain genome.fa.gz --preset mini --held-out chr20 -o my-genome
    """
    from dnabert_hf.training.pretraining.pretrain import pretrain as train_model
    from dnabert_hf.training.shared.arguments import parse_arguments

    is_first = os.environ.get("RANK", "0") == "0"
    if is_first:
        logging.getLogger("dnabert_hf").setLevel(logging.INFO)
    if passes is not None and steps is not None:
        raise ValueError(f"give --passes or --steps, got both: {passes} and {steps}")
    named = {
        "num_train_epochs": passes,
        "max_steps": steps,
        "per_device_train_batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    changes = {"masking": masking, "max_tokens": max_tokens}
    result = train_model(
        genome,
        output_dir=output,
        preset=preset,
        model=init,
        config=add_fields(parse_fields(config or []), {"k": k}),
        recipe=add_fields(parse_fields(recipe or []), changes),
        held_out=held_out or (),
        weights=parse_fields(weight or []),
        arguments=add_fields(parse_arguments(set_ or []), named),
        resume=resume,
        overwrite=overwrite,
    )
    if not is_first:
        return
    done = f"{counted(result.steps, 'step')}, {counted(result.n_tokens, 'token')}"
    typer.echo(f"{result.output_dir}: {done}")
    if result.scores is not None:
        typer.echo(
            f"held out: {result.scores['bits_per_base']:.4f} bits per base "
            f"(± {result.scores['standard_error']:.4f}), accuracy {result.scores['accuracy']:.4f}"
        )
