import numpy as np
import pytest

from dnabert_hf.metrics.evaluate_library import (
    ClassificationMetrics,
    MultiLabelMetrics,
    RegressionMetrics,
)
from dnabert_hf.metrics.scores import score_classification, score_multi_label, score_regression


@pytest.fixture
def options(tmp_path):
    return {"cache_dir": str(tmp_path), "keep_in_memory": True}


def test_classification_in_two_batches_equals_the_function(options):
    labels = np.array([0, 1, 1, 0])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.8, 0.2]])
    metric = ClassificationMetrics(**options)
    metric.add_batch(predictions=probabilities[:2], references=labels[:2])
    metric.add_batch(predictions=probabilities[2:], references=labels[2:])
    assert metric.compute() == pytest.approx(score_classification(labels, probabilities))


def test_multi_label_equals_the_function(options):
    labels = np.array([[1, 0], [0, 1], [1, 1]])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    scores = MultiLabelMetrics(**options).compute(predictions=probabilities, references=labels)
    assert scores == pytest.approx(score_multi_label(labels, probabilities))


def test_regression_equals_the_function(options):
    labels, values = np.array([0.5, 1.5, 2.5]), np.array([0.0, 2.0, 1.0])
    scores = RegressionMetrics(**options).compute(predictions=values, references=labels)
    assert scores == pytest.approx(score_regression(labels, values))


def test_the_description_is_that_of_the_function(options):
    assert ClassificationMetrics(**options).description == "Score single-label predictions."
