"""Metrics of the `evaluate` library, without network, from the scores of `dnabert_hf.metrics`."""

from typing import Any

import datasets
import evaluate
import numpy as np

from dnabert_hf.metrics.scores import score_classification, score_multi_label, score_regression

__all__ = ["ClassificationMetrics", "MultiLabelMetrics", "RegressionMetrics"]


class ClassificationMetrics(evaluate.Metric):
    """Accuracy, F1, MCC, precision, recall, AUROC and AUPRC of single-label predictions.

    `compute(predictions=..., references=...)` takes the probability of each class, shape
    (n, classes), and class indices, shape (n,); see `score_classification` for the averages.
    """

    def _info(self) -> evaluate.MetricInfo:
        return _describe(
            score_classification,
            predictions=datasets.Sequence(datasets.Value("float64")),
            references=datasets.Value("int64"),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return score_classification(np.asarray(references), np.asarray(predictions))


class MultiLabelMetrics(evaluate.Metric):
    """Subset accuracy, F1 (macro and micro), precision, recall, AUROC and AUPRC.

    `compute(predictions=..., references=...)` takes the probability of each class and 0 or 1 for
    each, both of shape (n, classes); see `score_multi_label`.
    """

    def _info(self) -> evaluate.MetricInfo:
        return _describe(
            score_multi_label,
            predictions=datasets.Sequence(datasets.Value("float64")),
            references=datasets.Sequence(datasets.Value("int64")),
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return score_multi_label(np.asarray(references), np.asarray(predictions))


class RegressionMetrics(evaluate.Metric):
    """Pearson and Spearman correlation and root mean square error.

    `compute(predictions=..., references=...)` takes predicted and true values, shape (n,).
    """

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value("float64")
        return _describe(score_regression, predictions=value, references=value)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return score_regression(np.asarray(references), np.asarray(predictions))


def _describe(function: Any, **features: Any) -> evaluate.MetricInfo:
    summary, _, details = function.__doc__.partition("\n\n")
    return evaluate.MetricInfo(
        description=summary,
        citation="",
        inputs_description=details,
        features=datasets.Features(features),
    )
