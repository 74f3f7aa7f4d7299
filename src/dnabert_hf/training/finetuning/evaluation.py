"""Reports of a training run: scores, predictions and a word on models that collapsed."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import EvalPrediction, Trainer

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import positive_id
from dnabert_hf.files.atomic import open_table
from dnabert_hf.metrics.scores import logits_to_predictions, score_predictions
from dnabert_hf.training.finetuning.collators import OTHER_STRAND
from dnabert_hf.training.finetuning.token_labels import average_kmer_logits

__all__ = [
    "FinetuningTrainer",
    "SplitResult",
    "collect_result",
    "find_collapse",
    "metrics_function",
    "write_predictions",
]

logger = logging.getLogger(__name__)

_COLLAPSED_SHARE = 0.99
_FEW_STEPS = 200  # a choice: with fewer, more steps are the first thing to try
_CHANCE = 0.05
_COLLAPSED_SPREAD = 0.01  # of predicted values, as a share of that of the labels


@dataclass(frozen=True)
class SplitResult:
    """Predictions for one split.

    Attributes:
        ids: Names of the sequences; those of bases are "SEQUENCE:POSITION" (0-based).
        labels: True labels, shape (n,), or (n, names) for several a sequence.
        predictions: Probabilities or values, shape (n, names).
        scheme: Labels of the task.
    """

    ids: Sequence[str]
    labels: np.ndarray
    predictions: np.ndarray
    scheme: LabelScheme

    def scores(self) -> dict[str, float]:
        """Score the predictions with the metrics of the problem type."""
        return score_predictions(
            self.labels,
            self.predictions,
            problem_type=self.scheme.problem_type,
            names=self.scheme.names,
            positive=positive_id(self.scheme),
        )


def collect_result(output: Any, ids: Sequence[str], scheme: LabelScheme) -> SplitResult:
    """Turn what the Trainer predicts into probabilities or values beside the true labels.

    Args:
        output: `predictions` and `label_ids` of `Trainer.predict` or of an evaluation.
        ids: Names of the sequences; may be empty if nobody asks for them.
        scheme: Labels of the task.

    Returns:
        The result; labels of bases give a row for each base that has one.
    """
    logits, labels = np.asarray(output.predictions), np.asarray(output.label_ids)
    if scheme.problem_type == "token_classification":
        bases = average_kmer_logits(logits, labels)
        pairs = zip(bases.rows.tolist(), bases.positions.tolist(), strict=True) if ids else ()
        ids = [f"{ids[row]}:{position}" for row, position in pairs]
        return SplitResult(ids, bases.labels, bases.probabilities, scheme)
    return SplitResult(ids, labels, logits_to_predictions(logits, scheme.problem_type), scheme)


class FinetuningTrainer(Trainer):
    """Trainer that averages predictions over both strands where its batches hold them.

    Attributes:
        strands_apart: Whether to give the logits of each strand instead, shape
            (batch, 2, classes).
    """

    strands_apart = False

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        """Predict a batch as `Trainer` does; one with `other_strand_ids` twice.

        The probabilities (or values) of the two strands are averaged, as `dnabert_hf.predict` does,
        and given as the logits of their mean; so are the losses.
        """
        inputs = dict(inputs)
        other_ids = inputs.pop(OTHER_STRAND, None)
        step = super().prediction_step
        loss, logits, labels = step(model, inputs, prediction_loss_only, ignore_keys)
        if other_ids is None:
            return loss, logits, labels
        other_loss, other, _ = step(
            model, inputs | {"input_ids": other_ids}, prediction_loss_only, ignore_keys
        )
        if loss is not None and other_loss is not None:
            loss = (loss + other_loss) / 2
        if logits is not None and other is not None:
            if self.strands_apart:
                return loss, torch.stack([logits, other], dim=1), labels
            bare: Any = self.model
            logits = _mean_logits(logits, other, bare.config.problem_type)
        return loss, logits, labels


def _mean_logits(one: torch.Tensor, other: torch.Tensor, problem_type: str) -> torch.Tensor:
    """Give the logits of the mean of the probabilities, or the mean of values, any shape."""
    one, other = one.float(), other.float()
    if problem_type == "regression":
        return (one + other) / 2
    if problem_type == "multi_label_classification":
        present = torch.logaddexp(functional.logsigmoid(one), functional.logsigmoid(other))
        absent = torch.logaddexp(functional.logsigmoid(-one), functional.logsigmoid(-other))
        return present - absent
    return torch.logaddexp(one.log_softmax(dim=-1), other.log_softmax(dim=-1)) - math.log(2)


def metrics_function(
    scheme: LabelScheme, metric: str
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Make the function by which the Trainer scores the validation split.

    Args:
        scheme: Labels of the task.
        metric: Metric that chooses the checkpoint.
    """

    def compute(evaluation: EvalPrediction) -> dict[str, float]:
        scores = collect_result(evaluation, (), scheme).scores()
        # The Trainer looks the metric up; an undefined one must not count as the best.
        return scores if metric == "loss" else {metric: math.nan} | scores

    return compute


def find_collapse(result: SplitResult, *, steps: int | None = None) -> str | None:
    """Say if a model predicts the same for everything, or classes that cannot be told from chance.

    That is so if Pearson's chi-squared test of the predicted against the true class of each
    sequence does not reject their independence at 5 %. Bases, which depend on their neighbours, are
    not tested so.

    Args:
        result: Predictions of a split.
        steps: Optimiser steps that were made; few of them change what is to be done.

    Returns:
        One sentence that names what is predicted and what to do, None if all is well.
    """
    labels, predictions = result.labels, result.predictions
    remedies = "lower the learning rate, lengthen the warm-up, or train for more epochs"
    if steps is not None and steps < _FEW_STEPS:
        remedies = (
            f"{steps} steps are few: train for more epochs (--epochs), lower the learning rate"
        )
    if result.scheme.problem_type == "regression":
        targets = labels.reshape(predictions.shape)
        spread, expected = predictions.std(axis=0), targets.std(axis=0)
        if (spread >= _COLLAPSED_SPREAD * expected).any():
            return None
        mean = ", ".join(f"{value:.4g}" for value in predictions.mean(axis=0))
        return f"the model predicts about {mean} for every sequence; {remedies}"
    if result.scheme.problem_type == "multi_label_classification":
        return None
    unit = "bases" if result.scheme.problem_type == "token_classification" else "sequences"
    predicted = predictions.argmax(axis=1)
    shares = np.bincount(predicted, minlength=len(result.scheme.names)) / len(predicted)
    most = int(shares.argmax())
    true_share = float((labels == most).mean())
    if true_share >= _COLLAPSED_SHARE:
        return None
    if shares[most] < _COLLAPSED_SHARE:
        p = 0.0 if unit == "bases" else _independence(labels, predicted)
        if p <= _CHANCE:
            return None
        return (
            f"the predicted classes of {len(labels):,} sequences cannot be told from chance "
            f"(chi-squared test, p = {p:.2g}); test on more sequences, {remedies}"
        )
    return (
        f"the model predicts class {result.scheme.names[most]} for {shares[most]:.1%} of the "
        f"{unit}, but {true_share:.1%} are of that class; {remedies}, or use class weights"
    )


def _independence(labels: np.ndarray, predicted: np.ndarray) -> float:
    from scipy.stats import chi2_contingency
    from scipy.stats.contingency import crosstab

    counts = crosstab(labels, predicted).count
    if min(counts.shape) < 2:
        return 0.0  # there is nothing to tell apart
    return float(chi2_contingency(counts, correction=False).pvalue)


def write_predictions(result: SplitResult, path: Path) -> None:
    """Write a table of predictions beside the truth.

    The columns are id, label (predicted), true, and `prob_<class>` for each class, or for
    regression id, and `<target>` and `true_<target>` for each target.

    Args:
        result: Predictions of a split.
        path: TSV file to write.
    """
    names = result.scheme.names
    with open_table(path) as write_row:
        if result.scheme.problem_type == "regression":
            write_row(["id", *names, *(f"true_{name}" for name in names)])
        else:
            write_row(["id", "label", "true", *(f"prob_{name}" for name in names)])
        for record_id, label, row in zip(
            result.ids, result.labels, result.predictions, strict=True
        ):
            numbers = [f"{value:.6g}" for value in row]
            if result.scheme.problem_type == "regression":
                write_row([record_id, *numbers, *(f"{v:.6g}" for v in np.atleast_1d(label))])
            elif result.scheme.problem_type == "multi_label_classification":
                predicted = _joined(names, row >= 0.5)
                write_row([record_id, predicted, _joined(names, label > 0), *numbers])
            else:
                write_row([record_id, names[row.argmax()], names[label], *numbers])


def _joined(names: Sequence[str], is_present: np.ndarray) -> str:
    return ";".join(name for name, present in zip(names, is_present, strict=True) if present)
