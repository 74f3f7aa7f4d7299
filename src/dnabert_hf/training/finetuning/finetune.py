"""Fine-tuning of DNABERT on labelled sequences."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from transformers import (
    EarlyStoppingCallback,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    set_seed,
)

from dnabert_hf.cards.finetuned import finetuning_card
from dnabert_hf.checkpoints import locate
from dnabert_hf.data.labelled.dataset import read_dataset
from dnabert_hf.data.labelled.labels import LabelScheme, ProblemType
from dnabert_hf.data.reading.records import Columns
from dnabert_hf.files.atomic import write_json
from dnabert_hf.files.environment import package_versions
from dnabert_hf.metrics.scores import DEFAULT_METRIC, metric_names
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
)
from dnabert_hf.training.finetuning.collators import SequenceCollator
from dnabert_hf.training.finetuning.evaluation import (
    SplitResult,
    collect_result,
    find_collapse,
    metrics_function,
    write_predictions,
)
from dnabert_hf.training.finetuning.frozen_encoder import (
    FROZEN_RECIPE,
    EmbeddingCollator,
    Embeddings,
    FrozenHead,
    check_freezable,
)
from dnabert_hf.training.shared.layer_reinit import check_layers, reinitialise_top_layers
from dnabert_hf.training.shared.long_sequences import (
    check_checkpointing,
    fit_segments,
    load_config_before_data,
)
from dnabert_hf.training.finetuning.lora import add_lora, merge_lora
from dnabert_hf.training.finetuning.losses import BalancedLoss
from dnabert_hf.training.finetuning.splits import (
    check_splits,
    count_labels,
    warn_of_bias,
    with_lengths,
    with_validation_split,
)
from dnabert_hf.training.finetuning.token_labels import (
    BaseCollator,
    BaseLoss,
    check_base_learner,
    cut_rows,
)
from dnabert_hf.training.shared.arguments import check_names, fine_tuning_arguments, has_fast_bf16
from dnabert_hf.training.shared.callbacks import replace_printing
from dnabert_hf.training.shared.curves import plot_curves
from dnabert_hf.training.shared.initialisation import (
    STARTS,
    build_classifier,
    choose_attention,
    load_tokenizer,
    recipe_of,
)
from dnabert_hf.training.shared.run_folder import RunFolder
from dnabert_hf.training.tasks.presets import GENERIC, Task, find_task

__all__ = ["FinetuneResult", "finetune"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinetuneResult:
    """What a fine-tuning run found.

    Attributes:
        output_dir: Folder with the model, its tokenizer and the reports.
        scheme: Problem type and class names.
        scores: Scores by metric name, for each of the splits "validation" and "test".
        best_step: Optimiser step of the checkpoint that was kept, None if none was best.
        collapse: What is wrong, if the model predicts the same for everything; None if it is not.
    """

    output_dir: Path
    scheme: LabelScheme
    scores: dict[str, dict[str, float]]
    best_step: int | None
    collapse: str | None


def finetune(
    model: str | Path,
    data: str | Path | Mapping[str, str | Path],
    *,
    output_dir: str | Path,
    task: str | Task = GENERIC,
    config: Mapping[str, Any] | None = None,
    tokenizer: str | Path | PreTrainedTokenizerBase | None = None,
    columns: Columns | None = None,
    problem_type: ProblemType | None = None,
    metric: str | None = None,
    early_stopping: int | None = None,
    class_weights: bool = False,
    lora: int | None = None,
    freeze: bool | str | Path = False,
    reinitialise_layers: int = 0,
    test: bool = True,
    notes: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
    resume: bool = False,
    overwrite: bool = False,
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
    (`vote_loss`), and a base gets the mean over the k-mers that cover it. Scores are of bases.

    Args:
        model: Folder or Hub repository of a checkpoint, name of one that comes with the package
            ("dnabert-6-mini"), "random" for DNABERT from random weights, or "cnn", "cnn-lstm" or
            "cnn-gru" for the networks that DNABERT is compared with (`DNACnnConfig`).
        data: As in `read_dataset`: a file with a split column, a folder with train, dev and test
            files, or files by split. Without a validation split, a tenth of the training
            sequences is set apart.
        output_dir: Folder to write.
        task: Preset of what is particular to the data: labels, length, metrics and recipe; a name
            among `TASKS` (`dnabert_hf.training.tasks.presets`), a `Task`, or a YAML file with its
            fields.
        config: Fields of `DNABertConfig` (of `DNACnnConfig` for "cnn" and its like) to set, such as
            k and the size of a random model.
        tokenizer: Tokenizer, or folder or repository of one, if not that of the model.
        columns: Names of the table's columns.
        problem_type: What the labels mean, where they do not say it themselves.
        metric: Metric that chooses the checkpoint: by default the task's, or else MCC, AUROC
            (multi-label) or Spearman's correlation (regression); "loss" is possible too.
        early_stopping: Stop after this many evaluations without a better metric.
        class_weights: Let rare classes weigh as much as common ones.
        lora: Rank of adapters that are trained in place of the encoder's weights (LoRA, Hu et al.
            2021; needs the extra peft); they are added to the weights before the model is saved.
        freeze: Train the pooler and the head alone, on embeddings that are computed once
            (`FrozenHead`), 30 epochs at 3e-3; a folder keeps the embeddings there for other runs
            of the same encoder and sequences.
        reinitialise_layers: Layers at the top of the encoder to draw anew before training
            (`reinitialise_top_layers`): few labels gain by it where the checkpoint is a masked
            language model.
        test: Score the test split; without, it is only checked.
        notes: What else `metrics.json` is to say.
        arguments: Fields of `transformers.TrainingArguments`, such as num_train_epochs and seed.
        callbacks: Callbacks for the Trainer.
        resume: Go on from the last checkpoint of a run that was stopped; begin if there is none.
        overwrite: Replace what an earlier run left in the folder.

    Returns:
        Scores of the validation and test splits, and where the model is.

    Raises:
        ValueError: If the data, the options or the folder cannot be used; nothing is written then.
        KeyboardInterrupt: If the run is stopped, with a message that says how to go on.
    """
    task = find_task(task)
    problem_type = task.choose_problem_type(problem_type)
    is_per_base = problem_type == "token_classification"
    if is_per_base:
        check_base_learner(model, freeze=bool(freeze))
    if freeze:
        check_freezable(model, lora=lora)
    start = locate(model)
    model_config = load_config_before_data(start, config or {})
    check_layers(
        reinitialise_layers,
        model_config,
        starts_from_checkpoint=start not in STARTS,
        trains_encoder=lora is None and not freeze,
    )
    tokenizer = load_tokenizer(tokenizer, start, model_config)
    splits, scheme = read_dataset(
        data, columns=columns, k=model_config.k, problem_type=problem_type
    )
    splits, varies_in_length = with_lengths(splits)
    task.check(splits, scheme)
    warn_of_bias(splits["train"], scheme, source=str(data))
    if is_per_base:
        n_kmers = model_config.max_position_embeddings - 2
        splits = cut_rows(splits, k=model_config.k or 0, n_kmers=n_kmers)
    else:
        fit_segments(model_config, config or {}, splits)
    metric = metric or task.metric or DEFAULT_METRIC[scheme.problem_type]
    names = metric_names(scheme.problem_type, len(scheme.names))
    check_names([metric], [*names, "loss"], "metrics")
    folder = RunFolder(Path(output_dir))
    training = fine_tuning_arguments(
        folder.checkpoints,
        arguments or {},
        metric=metric,
        recipe=FROZEN_RECIPE if freeze else recipe_of(start, model_config) | task.recipe_for(start),
        varies_in_length=varies_in_length and not freeze,
    )
    splits = with_validation_split(splits, scheme, seed=training.seed)
    check_splits(splits, scheme)
    if not test:
        splits.pop("test", None)
    loss: Any = BaseLoss() if is_per_base else None
    if class_weights:
        loss = BalancedLoss.from_labels(splits["train"], scheme)
    settings = {
        "model": str(model),
        "data": str(data),
        "task": task.name,
        "config": dict(config or {}),
        "problem_type": scheme.problem_type,
        "classes": list(scheme.names),
        "metric": metric,
        "early_stopping": early_stopping,
        "class_weights": class_weights,
        "lora": lora,
        "freeze": bool(freeze),
        "reinitialise_layers": reinitialise_layers,
        "arguments": dict(arguments or {}) | {"seed": training.seed},
    }
    checkpoint = folder.check(settings, resume=resume, overwrite=overwrite)
    set_seed(training.seed)
    classifier = build_classifier(start, model_config, scheme)
    if reinitialise_layers:
        reinitialise_top_layers(classifier, reinitialise_layers)
    check_checkpointing(classifier, training, freeze=bool(freeze))
    learner: Any = classifier
    collator: Any = BaseCollator(tokenizer) if is_per_base else SequenceCollator(tokenizer)
    embeddings = None
    if freeze:
        place = folder.checkpoints / "embeddings" if freeze is True else Path(freeze)
        on_bf16 = (arguments or {}).get("bf16", has_fast_bf16(on_cpu=training.use_cpu))
        embeddings = Embeddings(learner, splits, collator, folder=place, bf16=on_bf16)
        learner, collator = FrozenHead(learner), EmbeddingCollator(embeddings)
        splits = embeddings.references()
    elif isinstance(classifier, DNABertForSequenceClassification | DNABertForTokenClassification):
        longest = max(splits["train"]["length"])
        choose_attention(classifier, on_cpu=training.use_cpu, longest=longest)
    trainer = Trainer(
        learner if lora is None else add_lora(classifier, lora),
        training,
        data_collator=collator,
        train_dataset=splits["train"],
        eval_dataset=splits["validation"],
        processing_class=tokenizer,
        compute_metrics=metrics_function(scheme, metric),
        compute_loss_func=loss,
        callbacks=[
            *callbacks,
            *([EarlyStoppingCallback(early_stopping)] if early_stopping else []),
        ],
    )
    replace_printing(trainer)
    # Every process looks into the folder before the first one writes to it.
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        folder.begin(settings, is_new=overwrite or not resume)
    trainer.accelerator.wait_for_everyone()
    if embeddings is not None:
        embeddings.compute(trainer.accelerator)
    runtime = _train(trainer, folder, checkpoint)
    known = settings | {"train_seconds": runtime} | dict(notes or {})
    return _report(trainer, folder, splits, scheme, known)


def _train(trainer: Trainer, folder: RunFolder, checkpoint: str | None) -> float:
    try:
        return float(trainer.train(resume_from_checkpoint=checkpoint).metrics["train_runtime"])
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


def _report(
    trainer: Trainer,
    folder: RunFolder,
    splits: DatasetDict,
    scheme: LabelScheme,
    settings: dict[str, Any],
) -> FinetuneResult:
    """Score the chosen checkpoint, and write it with its reports."""
    results = {
        name: _predict(trainer, splits[name], scheme)
        for name in ("validation", "test")
        if name in splits
    }
    scores = {name: result.scores() for name, result in results.items()}
    last = list(results)[-1]
    problem = find_collapse(results[last], steps=trainer.state.global_step)
    if problem is not None and trainer.is_world_process_zero():
        logger.warning("%s split: %s", last, problem)
    best_step = trainer.state.best_global_step
    if settings["lora"] is not None:
        trainer.model = merge_lora(trainer.accelerator.unwrap_model(trainer.model))
    if settings["freeze"]:
        trainer.model = trainer.accelerator.unwrap_model(trainer.model).whole
    trainer.save_model(str(folder.path))
    if trainer.is_world_process_zero():
        write_predictions(results[last], folder.path / "predictions.tsv")
        plot_curves(
            trainer.state.log_history,
            folder.path / "curves.png",
            metric=settings["metric"],
            best_step=best_step,
        )
        counts = {
            name: {"sequences": len(dataset), "labels": count_labels(dataset, scheme)}
            for name, dataset in splits.items()
        }
        config = trainer.accelerator.unwrap_model(trainer.model).config
        report = {
            "scores": scores,
            "predictions": last,
            "collapse": problem,
            "best_step": best_step,
            "steps": trainer.state.global_step,
            "splits": counts,
            **settings,
            "k": config.k,
            "model_type": config.model_type,
            "learning_rate": trainer.args.learning_rate,
            "bf16": trainer.args.bf16,
            "versions": package_versions(),
        }
        card = finetuning_card(report, name=folder.path.resolve().name)
        (folder.path / "README.md").write_text(card, encoding="utf-8")
        write_json(report, folder.path / "metrics.json")
        folder.finish()
    trainer.accelerator.wait_for_everyone()
    return FinetuneResult(folder.path, scheme, scores, best_step, problem)


def _predict(trainer: Trainer, dataset: Dataset, scheme: LabelScheme) -> SplitResult:
    trainer.compute_metrics = None
    # Grouped by length, predictions would come back in another order than the ids.
    trainer.args.train_sampling_strategy = "random"
    return collect_result(trainer.predict(dataset), list(dataset["id"]), scheme)
