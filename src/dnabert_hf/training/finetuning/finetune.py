"""Fine-tuning of DNABERT on labelled sequences."""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback, Trainer, set_seed

from dnabert_hf.checkpoints import locate
from dnabert_hf.training.finetuning.evaluation import FinetuningTrainer, metrics_function
from dnabert_hf.training.finetuning.inputs import read_inputs
from dnabert_hf.training.finetuning.modes import choose_mode
from dnabert_hf.training.finetuning.options import FinetuneOptions
from dnabert_hf.training.finetuning.report import FinetuneResult, report_run
from dnabert_hf.training.shared.callbacks import replace_printing, train_from
from dnabert_hf.training.shared.initialisation import build_classifier
from dnabert_hf.training.shared.layer_reinit import reinitialise_top_layers
from dnabert_hf.training.shared.long_sequences import check_checkpointing
from dnabert_hf.training.shared.muon import optimizer_class
from dnabert_hf.training.shared.run_folder import RunFolder
from dnabert_hf.training.tasks.presets import find_task

__all__ = ["FinetuneResult", "finetune"]

logger = logging.getLogger(__name__)


def finetune(
    model: str | Path,
    data: str | Path | Mapping[str, str | Path],
    *,
    output_dir: str | Path,
    options: FinetuneOptions | None = None,
    **changes: Any,
) -> FinetuneResult:
    """Train a model on labelled sequences or labelled bases, choose, test and save it.

    The recipe is DNABERT's (AdamW, 10 % warm-up, linear decay, weight decay 0.01, batches of 32, 5
    epochs) but for the learning rate: 5e-5 for a model of BERT's size (2e-4 from random weights),
    as the published 2e-4 collapses to one class on some data, and more for smaller ones, up to
    1e-3. "cnn" and its like take 1e-3 and 20 epochs. The checkpoint with the best metric on the
    validation split is kept and, once, scored on the test split. The folder receives the model and
    its tokenizer, a model card (`README.md`), `metrics.json`, `predictions.tsv` (of the test split,
    or of validation without one) and `curves.png`; checkpoints lie under `checkpoints/` until the
    run is finished.

    With the task "token", a label is a string with one letter for each base ("." for none), and the
    model a DNABertForTokenClassification: each k-mer learns the classes of all bases it covers
    (`kmer_loss`), and a base gets the mean over the k-mers that cover it. Scores are of bases.

    Args:
        model: Folder or Hub repository of a checkpoint, name of one that comes with the package
            ("dnabert-6-mini"), "random" for DNABERT from random weights, or "cnn", "cnn-lstm",
            "cnn-gru", "deepbind", "danq" or "basset" for the networks that DNABERT is compared with
            (`DNACnnConfig`).
        data: As in `read_dataset`: a file with a split column, a folder with train, dev and test
            files, or files by split. Without a validation split, a tenth of the training
            sequences is set apart.
        output_dir: Folder to write.
        options: What else is asked for.
        **changes: Fields of `FinetuneOptions` over those of `options`, such as task, config,
            metric and arguments.

    Returns:
        Scores of the validation and test splits, and where the model is.

    Raises:
        TypeError: If an option is not known.
        ValueError: If the data, the options or the folder cannot be used; nothing is written then.
        KeyboardInterrupt: If the run is stopped, with a message that says how to go on.
    """
    options = replace(options or FinetuneOptions(), **changes)
    task = find_task(options.task)
    problem_type = task.choose_problem_type(options.problem_type)
    mode = choose_mode(options, is_per_base=problem_type == "token_classification")
    mode.check(model)
    folder = RunFolder(Path(output_dir))
    options = replace(options, task=task, problem_type=problem_type)
    inputs = read_inputs(locate(model), data, mode, options, checkpoints=folder.checkpoints)
    settings = inputs.settings(model, data, options)
    checkpoint = folder.check(settings, resume=options.resume, overwrite=options.overwrite)

    set_seed(inputs.training.seed)
    classifier = build_classifier(inputs.start, inputs.config, inputs.scheme)
    if options.reinitialise_layers:
        reinitialise_top_layers(classifier, options.reinitialise_layers)
    check_checkpointing(classifier, inputs.training, freeze=mode.is_frozen)
    learner = mode.prepare(classifier, inputs.splits, inputs.tokenizer, inputs.training)
    patience = options.early_stopping
    trainer = FinetuningTrainer(
        learner.model,
        inputs.training,
        data_collator=learner.collator,
        train_dataset=learner.splits["train"],
        eval_dataset=learner.splits["validation"],
        processing_class=inputs.tokenizer,
        compute_metrics=metrics_function(inputs.scheme, inputs.metric),
        compute_loss_func=inputs.loss,
        optimizer_cls_and_kwargs=optimizer_class(
            inputs.optimizer,
            learner.model,
            inputs.training,
            muon_learning_rate=inputs.muon_learning_rate,
        ),
        callbacks=[
            *learner.callbacks,
            *options.callbacks,
            *([EarlyStoppingCallback(patience)] if patience else []),
        ],
    )
    replace_printing(trainer)
    # Every process looks into the folder before the first one writes to it.
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        folder.begin(settings, is_new=options.overwrite or not options.resume)
    trainer.accelerator.wait_for_everyone()
    mode.before_training(trainer)
    _say_how_long(trainer)
    seconds = _train(trainer, folder, checkpoint)
    known = settings | {"train_seconds": seconds} | dict(options.notes or {})
    return report_run(trainer, folder, mode, learner, inputs, known)


def _say_how_long(trainer: Trainer) -> None:
    """Say how much training there will be, before the first evaluation does."""
    args, n = trainer.args, len(trainer.train_dataset)  # type: ignore[arg-type]
    if not trainer.is_world_process_zero():
        return
    batch = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
    epochs = args.max_steps * batch / n if args.max_steps > 0 else args.num_train_epochs
    steps = args.max_steps if args.max_steps > 0 else math.ceil(math.ceil(n / batch) * epochs)
    logger.info(
        "training on %d sequences: epochs %.3g, steps %d, sequences a step %d",
        *(n, epochs, steps, batch),
    )


def _train(trainer: Trainer, folder: RunFolder, checkpoint: str | None) -> float:
    try:
        return float(train_from(trainer, checkpoint).metrics["train_runtime"])
    except KeyboardInterrupt:
        kept = folder.last_checkpoint()
        remedy = (
            f"{Path(kept).name} is kept: give the same again with resume (--resume) to go on"
            if kept
            else "no checkpoint was written yet: begin again with overwrite (--overwrite)"
        )
        raise KeyboardInterrupt(
            f"stopped at step {trainer.state.global_step} of {trainer.state.max_steps}; {remedy}"
        ) from None
