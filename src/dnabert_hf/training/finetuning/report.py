"""Report of a fine-tuning run: the chosen checkpoint scored and written, with its reports."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from transformers import Trainer

from dnabert_hf.cards.finetuned import finetuning_card
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.splits import count_labels
from dnabert_hf.files.atomic import set_usual_modes, write_json, write_text
from dnabert_hf.files.environment import package_versions
from dnabert_hf.training.finetuning.evaluation import (
    SplitResult,
    collect_result,
    find_collapse,
    write_predictions,
)
from dnabert_hf.training.finetuning.modes import WholeModel
from dnabert_hf.training.shared.curves import plot_curves
from dnabert_hf.training.shared.run_folder import RunFolder

__all__ = ["FinetuneResult", "report_run"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FinetuneResult:
    """Result of a fine-tuning run.

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


def report_run(
    trainer: Trainer,
    folder: RunFolder,
    mode: WholeModel,
    splits: DatasetDict,
    scheme: LabelScheme,
    settings: Mapping[str, Any],
) -> FinetuneResult:
    """Score the chosen checkpoint, and write it with its reports.

    Args:
        trainer: The Trainer, after training.
        folder: Folder of the run, which is finished by this.
        mode: How it was trained.
        splits: What the Trainer took.
        scheme: Labels of the data.
        settings: What else `metrics.json` is to say.
    """
    results = {
        name: _predict(trainer, splits[name], scheme)
        for name in ("validation", "test")
        if name in splits
    }
    scores = {name: result.scores() for name, result in results.items()}
    last = list(results)[-1]
    collapse = find_collapse(results[last], steps=trainer.state.global_step)
    if collapse is not None and trainer.is_world_process_zero():
        logger.warning("%s split: %s", last, collapse)
    best_step = trainer.state.best_global_step
    mode.after_training(trainer)
    trainer.save_model(str(folder.path))
    if trainer.is_world_process_zero():
        write_predictions(results[last], folder.path / "predictions.tsv")
        plot_curves(
            trainer.state.log_history,
            folder.path / "curves.png",
            metric=settings["metric"],
            best_step=best_step,
        )
        report = {
            "scores": scores,
            "predictions": last,
            "collapse": collapse,
            "best_step": best_step,
            "steps": trainer.state.global_step,
            "splits": {
                name: {"sequences": len(dataset), "labels": count_labels(dataset, scheme)}
                for name, dataset in splits.items()
            },
            **settings,
            **_describe_model(trainer),
            "versions": package_versions(),
        }
        card = finetuning_card(report, name=folder.path.resolve().name)
        write_text(card, folder.path / "README.md")
        set_usual_modes(folder.path, "*.safetensors")
        write_json(report, folder.path / "metrics.json")
        folder.finish()
    trainer.accelerator.wait_for_everyone()
    return FinetuneResult(folder.path, scheme, scores, best_step, collapse)


def _describe_model(trainer: Trainer) -> dict[str, Any]:
    config = trainer.accelerator.unwrap_model(trainer.model).config
    return {
        "k": config.k,
        "model_type": config.model_type,
        "learning_rate": trainer.args.learning_rate,
        "bf16": trainer.args.bf16,
    }


def _predict(trainer: Trainer, dataset: Dataset, scheme: LabelScheme) -> SplitResult:
    trainer.compute_metrics = None
    # Grouped by length, predictions would come back in another order than the ids.
    trainer.args.train_sampling_strategy = "random"
    return collect_result(trainer.predict(dataset), list(dataset["id"]), scheme)
