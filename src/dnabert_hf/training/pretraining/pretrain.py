"""Pretraining of DNABERT on the genomes of FASTA files."""

import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from transformers import (
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from dnabert_hf.checkpoints import locate
from dnabert_hf.data.genome.genome import Genome, open_genome
from dnabert_hf.data.genome.regions import intersect_regions, parse_region, subtract_regions
from dnabert_hf.data.masking.collator import DataCollatorForContiguousKmerMasking
from dnabert_hf.data.masking.schedule import MaskingStage, published_schedule, random_mask_schedule
from dnabert_hf.data.masking.segments import SegmentDataset, SegmentOptions
from dnabert_hf.files.fingerprint import fingerprint_inputs
from dnabert_hf.files.weights import quiet_transformers, readable_weights
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import DNABertForMaskedLM
from dnabert_hf.training.pretraining.recipes import PRESETS, PretrainingRecipe
from dnabert_hf.training.pretraining.report import PretrainResult, report_run
from dnabert_hf.training.pretraining.structured_weights import (
    extend_positions,
    initialise_structured,
)
from dnabert_hf.training.pretraining.trainer import PretrainingTrainer, Progress, StopOnSignal
from dnabert_hf.training.pretraining.validation import HeldOutScorer
from dnabert_hf.training.shared.arguments import pretraining_arguments
from dnabert_hf.training.shared.callbacks import train_from
from dnabert_hf.training.shared.initialisation import choose_attention, load_config, load_tokenizer
from dnabert_hf.training.shared.muon import optimizer_class
from dnabert_hf.training.shared.names import RANDOM, check_names
from dnabert_hf.training.shared.run_folder import RunFolder

__all__ = ["pretrain"]

logger = logging.getLogger(__name__)


def pretrain(
    genome: str | Path | Sequence[str | Path],
    *,
    output_dir: str | Path,
    preset: str = "base",
    model: str | Path = RANDOM,
    config: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    held_out: Sequence[str] = (),
    validation_windows: int = 256,
    weights: Mapping[str, float] | None = None,
    arguments: Mapping[str, Any] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> PretrainResult:
    """Train a masked language model on genomes and save it.

    The folder receives the model, its tokenizer and card, `metrics.json` and `curves.png`;
    checkpoints lie under `checkpoints/` until the run is finished. SIGTERM or Ctrl-C ends the run
    with a checkpoint; with `resume` it goes on as if it had not been stopped. The same call runs
    under `torchrun` and `accelerate launch`.

    Args:
        genome: FASTA files, plain, gzip or bgzip.
        output_dir: Folder to write.
        preset: "paper" (Ji et al. 2021), or "base", "small" or "mini" for models of that size and a
            recipe for few passes (see `dnabert_hf.training.pretraining.recipes`).
        model: Folder or Hub repository of a checkpoint to go on from, name of one that comes with
            the package, or "random".
        config: Fields of `DNABertConfig` over those of the preset, such as k.
        recipe: Fields of `PretrainingRecipe` over those of the preset, such as masking.
        held_out: Contigs, or "contig:start-end" (0-based, half-open), to keep out of training and
            score the model on.
        validation_windows: Windows of held-out DNA to score during training.
        weights: How often a contig or file is read in a pass; 1 where not named.
        arguments: Fields of `transformers.TrainingArguments`. `num_train_epochs` counts passes
            over the genome; `max_steps` counts optimiser steps.
        callbacks: Callbacks for the Trainer.
        resume: Go on from the last checkpoint of a run that was stopped; begin if there is none.
        overwrite: Replace what an earlier run left in the folder.

    Returns:
        Steps, tokens and the scores of held-out DNA.

    Raises:
        ValueError: If genome, options or folder cannot be used; nothing is written then.
        KeyboardInterrupt: If the run is stopped, with a message that says how to go on.
    """
    chosen = _choose_recipe(preset, recipe or {}, model)
    start = locate(model)
    model_config = _choose_config(start, chosen, config or {})
    tokenizer = load_tokenizer(None, start, model_config)
    folder = RunFolder(Path(output_dir))
    training = pretraining_arguments(folder.checkpoints, arguments or {}, recipe=chosen.arguments)
    store = open_genome(genome)
    train_runs, held_out_runs = _divide(store, held_out)
    dataset = _make_dataset(store, train_runs, training, model_config, chosen, weights or {})
    _log_bases(store, dataset, train_runs, held_out_runs)
    settings = {
        "genome": store.fingerprint,
        "inputs": fingerprint_inputs(start, tokenizer, {}),
        "model": str(model),
        "preset": preset,
        "config": dict(config or {}),
        "recipe": dataclasses.asdict(chosen),
        "held_out": list(held_out),
        "weights": dict(weights or {}),
        "arguments": dict(arguments or {}) | {"seed": training.seed},
        "segments_a_step": len(dataset) // training.max_steps,
        "steps": training.max_steps,
    }
    checkpoint = folder.check(settings, resume=resume, overwrite=overwrite)
    set_seed(training.seed)
    score = None
    if held_out:
        score = HeldOutScorer(
            store,
            held_out_runs,
            k=cast(int, model_config.k),
            n_windows=validation_windows,
            n_kmers=dataset.options.max_tokens,
            seed=training.seed,
        )
    stop = StopOnSignal()
    trainer = _make_trainer(
        _build(start, model_config, chosen),
        dataset,
        training,
        chosen,
        muon_rate=_muon_rate(chosen, recipe or {}, training),
        score=score,
        processing_class=tokenizer,
        callbacks=[*callbacks, stop],
    )
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        folder.begin(settings, is_new=checkpoint is None)
    trainer.accelerator.wait_for_everyone()
    with stop:
        train_from(trainer, checkpoint)
    stop.raise_if_received(trainer.state)
    files = sorted({Path(contig.file).name for contig in store.contigs})
    data = {"files": files, "contigs": len(store.contigs), "bases": dataset.n_bases}
    return report_run(trainer, folder, settings | {"data": data})


def _make_trainer(
    model: DNABertForMaskedLM,
    dataset: SegmentDataset,
    training: TrainingArguments,
    recipe: PretrainingRecipe,
    *,
    muon_rate: float,
    callbacks: Sequence[TrainerCallback],
    **options: Any,
) -> PretrainingTrainer:
    """Join a model and its segments: masks, optimiser and messages as the recipe says."""
    longest = dataset.options.max_tokens
    choose_attention(model, on_cpu=training.use_cpu, longest=longest)
    masking = DataCollatorForContiguousKmerMasking(
        options["processing_class"],
        mlm_probability=recipe.mlm_probability,
        per_span=recipe.per_span,
        pad_to_multiple_of=8,  # few shapes for which kernels have to be built
        seed=training.seed,
        schedule=_schedule(recipe, len(dataset), dataset.options.k),
    )
    trainer = PretrainingTrainer(
        model=model,
        args=training,
        data_collator=masking,
        train_dataset=dataset,
        eval_dataset=dataset,  # not read: the score takes its place
        optimizer_cls_and_kwargs=optimizer_class(
            recipe.optimizer, model, training, muon_learning_rate=muon_rate
        ),
        callbacks=[*callbacks, Progress(n_tokens=longest + 2)],
        **options,
    )
    for printing in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(printing)
    return trainer


def _make_dataset(
    genome: Genome,
    runs: np.ndarray,
    training: TrainingArguments,
    config: DNABertConfig,
    recipe: PretrainingRecipe,
    weights: Mapping[str, float],
) -> SegmentDataset:
    """Make the segments of the whole run, and set its steps where it counts passes."""
    rows = training.train_batch_size * training.world_size
    options = SegmentOptions(
        k=cast(int, config.k),
        mode=recipe.segments,  # type: ignore[arg-type]  # checked there
        max_tokens=min(recipe.max_tokens, config.max_position_embeddings - 2),
        reverse_complement=recipe.reverse_complement,
        weights=dict(weights),
        seed=training.seed,
        batch_size=rows,
    )
    dataset = SegmentDataset(genome, options, runs=runs, length=0)
    per_step = rows * training.gradient_accumulation_steps
    if training.max_steps <= 0:
        n_passes = math.ceil(training.num_train_epochs)
        share = training.num_train_epochs / n_passes
        training.max_steps = max(1, round(dataset.count(n_passes) * share / per_step))
    dataset.length = training.max_steps * per_step
    return dataset


def _choose_recipe(
    preset: str, overrides: Mapping[str, Any], model: str | Path
) -> PretrainingRecipe:
    check_names([preset], list(PRESETS), "presets")
    names = [f.name for f in dataclasses.fields(PretrainingRecipe)]
    check_names(overrides, [n for n in names if n not in ("config", "arguments")], "recipe fields")
    chosen = dataclasses.replace(PRESETS[preset], **overrides)
    if chosen.extend_from is not None and model == RANDOM:
        raise ValueError(
            f"extend_from={chosen.extend_from} tells how long the segments of a checkpoint were, "
            "but training begins from random weights; name the checkpoint as model (--init)"
        )
    return chosen


def _muon_rate(
    recipe: PretrainingRecipe, overrides: Mapping[str, Any], training: TrainingArguments
) -> float:
    """Rate of Muon; where only AdamW's was given, it is raised or lowered as that was."""
    if "muon_learning_rate" in overrides:
        return recipe.muon_learning_rate
    usual = recipe.arguments.get("learning_rate", training.learning_rate)
    return recipe.muon_learning_rate * training.learning_rate / usual


def _choose_config(
    model: str | Path, recipe: PretrainingRecipe, overrides: Mapping[str, Any]
) -> DNABertConfig:
    if model != RANDOM:
        return load_config(model, overrides)
    return load_config(RANDOM, dict(recipe.config) | dict(overrides))


def _build(
    model: str | Path, config: DNABertConfig, recipe: PretrainingRecipe
) -> DNABertForMaskedLM:
    if model != RANDOM:
        # In 32 bits, whatever the file holds: training adds small steps to large numbers.
        with quiet_transformers(), readable_weights(model):
            built = DNABertForMaskedLM.from_pretrained(model, config=config, dtype=torch.float32)
        if recipe.extend_from is not None:
            extend_positions(built, recipe.extend_from)
        return built
    built = DNABertForMaskedLM(config)
    if recipe.weights == "structured":
        initialise_structured(built)
    return built


def _divide(genome: Genome, held_out: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Runs to train on, and those held out."""
    if not held_out:
        return genome.runs, genome.runs[:0]
    regions = np.array([parse_region(text, genome) for text in held_out], dtype=np.int64)
    return subtract_regions(genome.runs, regions), intersect_regions(genome.runs, regions)


def _log_bases(
    genome: Genome, dataset: SegmentDataset, train_runs: np.ndarray, held_out_runs: np.ndarray
) -> None:
    logger.info(
        "%d contigs: %d bases to train on, %d held out, %d in runs too short or of weight 0, %d "
        "letters other than A, C, G, T",
        len(genome.contigs),
        dataset.n_bases,
        _count_bases(held_out_runs),
        _count_bases(train_runs) - dataset.n_bases,
        genome.n_other,
    )


def _count_bases(runs: np.ndarray) -> int:
    return int((runs[:, 2] - runs[:, 1]).sum())


def _schedule(recipe: PretrainingRecipe, n_examples: int, k: int) -> tuple[MaskingStage, ...]:
    if recipe.masking == "published":
        early, late = recipe.mlm_probability, recipe.late_mlm_probability
        return published_schedule(n_examples, early=early, late=late)
    if recipe.masking == "random":
        return random_mask_schedule(n_examples, k, mlm_probability=recipe.mlm_probability)
    return ()
