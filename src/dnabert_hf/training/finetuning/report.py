"""Report of a fine-tuning run: the chosen checkpoint scored and written, with its reports."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import Trainer

from dnabert_hf.cards.finetuned import finetuning_card
from dnabert_hf.cards.metadata import read_origin
from dnabert_hf.data.kmers.counts import KMER_REGRESSION, KmerRegression
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.splits import count_labels, labels_of
from dnabert_hf.files.atomic import set_usual_modes, write_json, write_text
from dnabert_hf.files.environment import package_versions
from dnabert_hf.files.weights import quiet_transformers
from dnabert_hf.metrics.scores import LOWER_IS_BETTER
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.training.finetuning.after_training import (
    calibrate,
    choose_call_threshold,
    describe_calibration,
    plot_calibration,
)
from dnabert_hf.training.finetuning.evaluation import (
    SplitResult,
    collect_result,
    find_collapse,
    write_predictions,
)
from dnabert_hf.training.finetuning.inputs import Inputs
from dnabert_hf.training.finetuning.modes import Learner, WholeModel
from dnabert_hf.training.kmer_counts.kmer_regression import (
    fit_kmer_regression,
    no_regression,
    score_kmer_regression,
)
from dnabert_hf.training.shared.curves import plot_curves, title_of
from dnabert_hf.training.shared.initialisation import RANDOM, STARTS
from dnabert_hf.training.shared.run_folder import RunFolder

__all__ = ["FinetuneResult", "report_run"]

logger = logging.getLogger(__name__)


_K = 5  # of the regression
_WIDGET_BASES = 300  # longest example on the model's page


@dataclass(frozen=True)
class FinetuneResult:
    """What a fine-tuning run found.

    Attributes:
        output_dir: Folder with the model, its tokenizer and the reports.
        scheme: Problem type, class names and class of interest.
        scores: Scores by metric name, for each of the splits "validation" and "test" that there
            are.
        best_step: Optimiser step of the checkpoint that was kept, None if none was best.
        collapse: What is wrong, if the model predicts the same for everything; None if it is not.
        regression: Scores of logistic regression on 5-mer counts, trained on the same rows, as
            `scores`; of no split where it is not for the data.
        advice: What to try, if the regression does better; None if it does not.
    """

    output_dir: Path
    scheme: LabelScheme
    scores: "SplitScores"
    best_step: int | None
    collapse: str | None
    regression: "SplitScores"
    advice: str | None


class SplitScores(dict[str, dict[str, float]]):
    """Scores by split, whose KeyError says which splits there are.

    Example:
        >>> SplitScores(validation={"mcc": 0.5})["test"]
        Traceback (most recent call last):
        KeyError: "no scores of 'test': the data had no such split; there are those of validation"
    """

    def __missing__(self, split: str) -> dict[str, float]:
        there = f"there are those of {' and '.join(self)}" if self else "there are none"
        raise KeyError(f"no scores of {split!r}: the data had no such split; {there}")


def report_run(
    trainer: Trainer,
    folder: RunFolder,
    mode: WholeModel,
    learner: Learner,
    inputs: Inputs,
    settings: Mapping[str, Any],
) -> FinetuneResult:
    """Score the chosen checkpoint, and write it with its reports.

    Args:
        trainer: The Trainer, after training.
        folder: Folder of the run, which is finished by this.
        mode: How it was trained.
        learner: What was trained.
        inputs: What the run works with.
        settings: What else `metrics.json` is to say.
    """
    scheme = inputs.scheme
    results = {
        name: _predict(trainer, learner.splits[name], scheme)
        for name in ("validation", "test")
        if name in learner.splits
    }
    calibration = None
    temperature = None
    if mode.options.calibrate:
        temperature = calibrate(trainer, learner.splits["validation"], scheme)
    if temperature is not None:
        calibrated = {name: _predict(trainer, learner.splits[name], scheme) for name in results}
        calibration = describe_calibration(temperature, results, calibrated)
        if mode.options.reports and trainer.is_world_process_zero():
            plot_calibration(results, calibrated, folder.path / "calibration.png")
        results = calibrated
    scores = {name: result.scores() for name, result in results.items()}
    last = list(results)[-1]
    fitted = _fit_regression(inputs) if mode.options.reports else None
    regression = _score_regression(fitted, inputs) if mode.options.reports else {}
    collapse = find_collapse(results[last], steps=trainer.state.global_step)
    advice = _advise(scores[last], regression.get("scores", {}).get(last), mode, inputs)
    if trainer.is_world_process_zero():
        for problem in filter(None, (collapse, advice)):
            logger.warning("%s split: %s", last, problem)
    best_step = trainer.state.best_global_step
    mode.after_training(trainer)
    config = trainer.accelerator.unwrap_model(trainer.model).config
    calls = choose_call_threshold(results["validation"], config)
    with quiet_transformers():
        trainer.save_model(str(folder.path))
    if trainer.is_world_process_zero():
        write_predictions(results[last], folder.path / "predictions.tsv")
        if fitted is not None:
            fitted.write(folder.path / KMER_REGRESSION)
        report = {
            "scores": scores,
            "regression": regression,
            "calibration": calibration,
            "calls": calls,
            "predictions": last,
            "collapse": collapse,
            "advice": advice,
            "best_step": best_step,
            "steps": trainer.state.global_step,
            "splits": {
                name: {"sequences": len(dataset), "labels": count_labels(dataset, scheme)}
                for name, dataset in inputs.splits.items()
            },
            **settings,
            **_describe_model(trainer, config),
            "origin": read_origin(inputs.start),
            "examples": _examples(inputs),
            "versions": package_versions(),
        }
        if mode.options.reports:
            _write_reports(trainer, folder, report)
        set_usual_modes(folder.path, "*.safetensors")
        write_json(report, folder.path / "metrics.json")
        folder.finish(keep_checkpoints=mode.options.keep_checkpoints)
    trainer.accelerator.wait_for_everyone()
    return FinetuneResult(
        folder.path,
        scheme,
        SplitScores(scores),
        best_step,
        collapse,
        SplitScores(regression.get("scores", {})),
        advice,
    )


def _write_reports(trainer: Trainer, folder: RunFolder, report: Mapping[str, Any]) -> None:
    of_regression = report["regression"].get("scores", {}).get("validation", {})
    plot_curves(
        trainer.state.log_history,
        folder.path / "curves.png",
        metric=report["metric"],
        best_step=report["best_step"],
        regression=of_regression.get(report["metric"]),
    )
    name = folder.path.resolve().name
    card = finetuning_card(report, name=name)
    write_text(card, folder.path / "README.md")


def _describe_model(trainer: Trainer, config: Any) -> dict[str, Any]:
    return {
        "k": config.k,
        "training_lengths": config.training_lengths,
        "model_type": config.model_type,
        "learning_rate": trainer.args.learning_rate,
        "bf16": trainer.args.bf16,
    }


def _predict(trainer: Trainer, dataset: Dataset, scheme: LabelScheme) -> SplitResult:
    trainer.compute_metrics = None
    # Grouped by length, predictions would come back in another order than the ids.
    trainer.args.train_sampling_strategy = "random"
    return collect_result(trainer.predict(dataset), list(dataset["id"]), scheme)


def _fit_regression(inputs: Inputs) -> KmerRegression | None:
    """Fit what every model has to beat; None where it cannot be."""
    train = inputs.splits["train"]
    if no_regression(train, inputs.scheme):
        return None
    both = inputs.config.both_strands
    return fit_kmer_regression(list(train["sequence"]), labels_of(train), k=_K, both_strands=both)


def _score_regression(fitted: KmerRegression | None, inputs: Inputs) -> dict[str, Any]:
    """Score it on what it was not fitted to; where there is none, say why."""
    if fitted is None:
        return {"left_out": no_regression(inputs.splits["train"], inputs.scheme)}
    scores = score_kmer_regression(inputs.splits, inputs.scheme, fitted=fitted)
    return {"k": _K, "both_strands": fitted.both_strands, "scores": scores}


def _advise(
    of_model: Mapping[str, float],
    of_regression: Mapping[str, float] | None,
    mode: WholeModel,
    inputs: Inputs,
) -> str | None:
    """Say what to try where the regression does better."""
    metric = inputs.metric if inputs.metric in (of_regression or {}) else "mcc"
    if of_regression is None or metric not in of_regression or metric not in of_model:
        return None
    sign = -1 if metric in LOWER_IS_BETTER else 1
    if sign * of_model[metric] >= sign * of_regression[metric]:
        return None
    is_dnabert = isinstance(inputs.config, DNABertConfig)
    ideas = []
    if inputs.start in STARTS and inputs.start != RANDOM:
        ideas.append("a pretrained model (--init dnabert-6-mini)")
    if inputs.optimizer == "adamw" and is_dnabert and mode.trains_encoder:
        ideas.append("--optimizer muon")
    if mode.options.both_strands is False and not inputs.is_stranded:
        ideas.append("--both-strands, if the signal has no strand")
    ideas.append("more epochs or sequences")
    return (
        f"logistic regression on {_K}-mer counts does better, {title_of(metric)} "
        f"{of_regression[metric]:.3f} against {of_model[metric]:.3f}: try {'; '.join(ideas)}"
    )


def _examples(inputs: Inputs) -> list[dict[str, str]]:
    """Choose a sequence of each class (at most three) that was not trained on, for the card."""
    scheme, held = inputs.scheme, inputs.splits["validation"]
    if scheme.problem_type != "single_label_classification" or "sequence_b" in held.column_names:
        return []
    labels, lengths = labels_of(held), held["length"]
    examples = []
    for name in sorted(scheme.names, key=lambda name: name != scheme.positive)[:3]:
        is_of_class = labels == scheme.label2id[name]
        rows = [i for i in is_of_class.nonzero()[0] if lengths[int(i)] <= _WIDGET_BASES]
        if rows:
            text = held[int(rows[0])]["sequence"]
            examples.append({"example_title": f"A sequence of class {name}", "text": text})
    return examples
