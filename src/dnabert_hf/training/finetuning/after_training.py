"""What validation sequences are for after a training: calibration, and a threshold for calls."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import nn

from dnabert_hf.cards.render import rate
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.metrics.calibration import (
    Temperature,
    expected_calibration_error,
    fit_temperature,
)
from dnabert_hf.metrics.reliability import measure_reliability, plot_reliability
from dnabert_hf.metrics.thresholds import SITES_PER_MB, choose_threshold
from dnabert_hf.training.finetuning.evaluation import SplitResult

__all__ = ["calibrate", "choose_call_threshold", "describe_calibration", "plot_calibration"]

logger = logging.getLogger(__name__)


_FEW = "the validation split must have 20 sequences of the class, and 20 others, to suggest one"


def calibrate(trainer: Any, dataset: Dataset, scheme: LabelScheme) -> Temperature | None:
    """Divide the logits of the model by what calibrates it on a split, and give that.

    A model that tells nothing of the labels would be best with no differences at all: it stays as
    it is, a warning says so, and None is given.

    Args:
        trainer: Trainer of the model, a `FinetuningTrainer`.
        dataset: The split.
        scheme: Its labels.
    """
    trainer.strands_apart = True
    try:
        output = trainer.predict(dataset)
    finally:
        trainer.strands_apart = False
    logits, labels = np.asarray(output.predictions), np.asarray(output.label_ids)
    by_strand = logits if logits.ndim == 3 else logits[:, None]
    temperature = fit_temperature(by_strand, labels, scheme.problem_type)
    if temperature.is_at_limit:
        logger.warning(
            "not calibrated: the best temperature would be %.3g, the limit, as of a model that "
            "tells nothing of the labels of the validation split; its probabilities mean nothing",
            temperature.value,
        )
        return None
    model = trainer.accelerator.unwrap_model(trainer.model)
    last_layers = {
        id(module): module
        for name, module in model.named_modules()
        if "classifier" in name
        and isinstance(module, nn.Linear)
        and module.out_features == logits.shape[-1]
    }
    with torch.no_grad():
        for layer in last_layers.values():
            for parameter in layer.parameters():
                parameter.div_(temperature.value)
    return temperature


def describe_calibration(
    temperature: Temperature, before: Mapping[str, SplitResult], after: Mapping[str, SplitResult]
) -> dict[str, Any]:
    """Say how far off probabilities were, and are; and log it.

    Args:
        temperature: What the logits were divided by.
        before: Predictions of each split before that.
        after: Predictions after it.
    """
    errors = {
        name: [
            expected_calibration_error(each.labels, each.predictions)
            for each in (before[name], after[name])
        ]
        for name in after
    }
    texts = [f"{name} {first:.3f} -> {then:.3f}" for name, (first, then) in errors.items()]
    logger.info(
        "calibrated with temperature %.3f (95 %% interval %.3g to %.3g); expected calibration "
        "error: %s",
        *(*temperature, ", ".join(texts)),
    )
    return {
        "temperature": temperature.value,
        "interval": [temperature.low, temperature.high],
        "expected_calibration_error": errors,
    }


def plot_calibration(
    before: Mapping[str, SplitResult], after: Mapping[str, SplitResult], path: Path
) -> None:
    """Draw how often the probabilities of the last split are right, before and after calibration.

    Args:
        before: Predictions of each split before.
        after: Predictions after.
        path: File to write.
    """
    split = list(after)[-1]
    scheme = after[split].scheme
    positive = None if scheme.positive is None else scheme.names.index(scheme.positive)
    lines = {
        name: measure_reliability(result.labels, result.predictions, positive=positive)
        for name, result in (("before", before[split]), ("after", after[split]))
    }
    about = scheme.positive or "the predicted class"
    title = f"Calibration, {len(after[split].labels):,} sequences of the {split} split"
    plot_reliability(lines, path, about=about, title=title)


def choose_call_threshold(validation: SplitResult, config: Any) -> dict[str, Any]:
    """Choose the threshold of calls along a genome, and put it into a configuration.

    Args:
        validation: Predictions of the validation split.
        config: Configuration of the model; its `call_threshold` becomes the suggested one, or None.

    Returns:
        What `metrics.json` is to say: the thresholds, or why there are none.
    """
    scheme = validation.scheme
    config.call_threshold = None
    if scheme.problem_type != "single_label_classification" or scheme.positive is None:
        return {"left_out": "thresholds are of a class of interest, and there is none"}
    index, window = scheme.names.index(scheme.positive), int(config.training_lengths[1])
    is_positive, probabilities = validation.labels == index, validation.predictions[:, index]
    choice = choose_threshold(is_positive, probabilities, window=window)
    if choice is None:
        return {"left_out": _FEW}
    best = choice.suggested
    config.call_threshold = best.threshold
    logger.info(
        "calls of %s along a genome: from %.4g on, recall %.0f %% and %s %% of the others on the "
        "validation split; with %g sites a Mb, some %s right and %s wrong calls a Mb, if the "
        "genome is like the others",
        *(scheme.positive, best.threshold, 100 * best.recall, rate(100 * best.false_positive_rate)),
        *(SITES_PER_MB, rate(best.right_per_mb), rate(best.wrong_per_mb)),
    )
    return {
        "class": scheme.positive,
        "window": window,
        "sites_per_mb": SITES_PER_MB,
        "n_of_class": int(is_positive.sum()),
        "n_others": int((~is_positive).sum()),
        "suggested": best._asdict(),
        "at_recall": [each._asdict() for each in choice.at_recall],
    }
