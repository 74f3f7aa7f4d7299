"""Expected numbers are worked out by hand beside each test."""

import logging

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dnabert_hf.metrics.scores import (
    DEFAULT_METRIC,
    METRIC_NAMES,
    logits_to_predictions,
    metric_names,
    score_classification,
    score_multi_label,
    score_predictions,
    score_regression,
)


def test_binary_scores_are_macro_averages_and_ranks_of_class_one():
    labels = np.array([0, 0, 0, 1, 1])
    positive = np.array([0.1, 0.2, 0.6, 0.7, 0.4])
    scores = score_classification(labels, np.column_stack([1 - positive, positive]))
    # Predicted 0 0 1 1 0: class 0 has precision 2/3 and recall 2/3, class 1 both 1/2.
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["precision"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scores["recall"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scores["f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    # Of class 1 alone: one of two predicted is right, one of two is found.
    assert [scores[f"{name}_binary"] for name in ("precision", "recall", "f1")] == [0.5, 0.5, 0.5]
    # (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN)) = (1 * 2 - 1 * 1) / sqrt(2*2*3*3)
    assert scores["mcc"] == pytest.approx(1 / 6)
    # Of the 6 pairs of a positive and a negative only (0.4, 0.6) is ranked the wrong way.
    assert scores["auroc"] == pytest.approx(5 / 6)
    # Positives at ranks 1 and 3: (1/1 + 2/3) / 2.
    assert scores["auprc"] == pytest.approx(5 / 6)


def test_a_collapsed_classifier_scores_zero_mcc_without_a_warning():
    labels = np.array([0, 1, 0, 1])
    scores = score_classification(labels, np.tile([0.8, 0.2], (4, 1)))
    assert scores["mcc"] == 0
    assert scores["accuracy"] == 0.5
    assert scores["auroc"] == 0.5
    assert scores["precision"] == 0.25  # class 0: 2 of 4, class 1: none predicted counts as 0
    assert scores["precision_binary"] == scores["f1_binary"] == 0
    assert list(scores) == list(metric_names("single_label_classification", 2))


def test_three_class_auroc_is_scikit_learns_one_vs_one():
    generator = np.random.default_rng(3)
    labels = np.arange(60) % 3
    probabilities = generator.dirichlet([1, 1, 1], size=60)
    expected = roc_auc_score(labels, probabilities, multi_class="ovo", average="macro")
    scores = score_classification(labels, probabilities)
    assert scores["auroc"] == pytest.approx(expected)
    assert set(scores) == set(metric_names("single_label_classification", 3))


def test_a_class_without_labels_does_not_count_in_averages():
    labels = np.array([0, 0, 2, 2])
    probabilities = np.array([[0.8, 0.1, 0.1], [0.4, 0.5, 0.1], [0.1, 0.1, 0.8], [0.2, 0.1, 0.7]])
    scores = score_classification(labels, probabilities)
    assert scores["recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert scores["auroc"] == 1
    assert scores["auprc"] == 1


def test_one_class_leaves_out_what_is_undefined_and_names_the_class(caplog):
    with caplog.at_level(logging.WARNING):
        scores = score_classification(
            np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]), names=["background", "bound"]
        )
    assert set(scores) == {"accuracy", "f1", "precision", "recall"}
    assert scores["accuracy"] == 0.5
    assert "all 2 labels are of class bound" in caplog.text


def test_one_class_without_names_is_named_by_its_index(caplog):
    with caplog.at_level(logging.WARNING):
        score_classification(np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]))
    assert "of class 1" in caplog.text


def test_multi_label_scores_by_hand():
    labels = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    probabilities = np.array([[0.9, 0.1], [0.6, 0.7], [0.8, 0.4], [0.1, 0.6]])
    scores = score_multi_label(labels, probabilities)
    # Predicted 10 11 10 01: class 0 has TP 2, FP 1, FN 0; class 1 has TP 1, FP 1, FN 1.
    assert scores["accuracy"] == pytest.approx(1 / 4)
    assert scores["f1"] == pytest.approx((4 / 5 + 2 / 4) / 2)
    assert scores["f1_micro"] == pytest.approx(6 / 9)
    assert scores["precision"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scores["recall"] == pytest.approx((1 + 1 / 2) / 2)
    assert scores["auroc"] == pytest.approx((1 + 3 / 4) / 2)
    assert scores["auprc"] == pytest.approx((1 + (1 + 2 / 3) / 2) / 2)
    assert set(scores) == set(METRIC_NAMES["multi_label_classification"])


def test_multi_label_classes_with_one_value_are_left_out_and_named(caplog):
    labels = np.array([[1, 0, 1], [0, 0, 1]])
    probabilities = np.array([[0.9, 0.1, 0.5], [0.2, 0.2, 0.6]])
    with caplog.at_level(logging.WARNING):
        scores = score_multi_label(labels, probabilities, names=["CTCF", "REST", "SP1"])
    assert scores["auroc"] == 1
    assert "2 of 3 classes, whose labels are all 0 or all 1: REST, SP1" in caplog.text


def test_multi_label_without_any_ranked_class_leaves_the_areas_out(caplog):
    with caplog.at_level(logging.WARNING):
        scores = score_multi_label(np.array([[0], [0]]), np.array([[0.9], [0.2]]))
    assert "auroc" not in scores
    assert "auprc" not in scores
    assert "1 of 1 classes" in caplog.text


def test_regression_scores_by_hand():
    scores = score_regression(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 10.0]))
    # Ranks 1 3 2 4 against 1 2 3 4: 1 - 6 * 2 / (4 * 15).
    assert scores["spearman"] == pytest.approx(0.8)
    # Deviations -1.5 -.5 .5 1.5 and -3 -1 -2 6 from the means 2.5 and 4.
    assert scores["pearson"] == pytest.approx(13 / np.sqrt(5 * 50))
    assert scores["rmse"] == pytest.approx(np.sqrt((0 + 1 + 1 + 36) / 4))
    assert set(scores) == set(METRIC_NAMES["regression"])


def test_regression_scores_of_several_targets_are_means():
    labels = np.array([[0.0, 0.0], [1.0, 1.0]])
    scores = score_regression(labels, np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert scores == {"pearson": 0, "spearman": 0, "rmse": pytest.approx(0.5)}


def test_constant_predictions_leave_the_correlations_out(caplog):
    with caplog.at_level(logging.WARNING):
        scores = score_regression(np.array([1.0, 3.0]), np.array([[2.0], [2.0]]))
    assert scores == {"rmse": 1.0}
    assert "constant in 1 of 1 targets" in caplog.text


@pytest.mark.parametrize("problem_type", sorted(METRIC_NAMES))
def test_every_problem_type_has_scores_and_a_default_metric(problem_type):
    logits = np.array([[2.0, -2.0], [-1.0, 1.0], [0.5, 0.2]])
    labels = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    if problem_type in ("single_label_classification", "token_classification"):
        labels = np.array([0, 1, 1])
    predictions = logits_to_predictions(logits, problem_type)
    scores = score_predictions(labels, predictions, problem_type=problem_type)
    assert set(scores) == set(metric_names(problem_type, 2))
    assert DEFAULT_METRIC[problem_type] in scores


def test_logits_become_softmax_sigmoid_or_stay():
    logits = np.log([[1.0, 3.0]])
    assert logits_to_predictions(logits, "single_label_classification") == pytest.approx(
        np.array([[0.25, 0.75]])
    )
    assert logits_to_predictions(logits, "multi_label_classification") == pytest.approx(
        np.array([[0.5, 0.75]])
    )
    assert logits_to_predictions(logits, "regression") == pytest.approx(logits)


def test_an_unknown_problem_type_is_refused():
    with pytest.raises(ValueError, match=r"problem_type must be one of .* got 'ranking'"):
        score_predictions(np.array([0]), np.array([[1.0]]), problem_type="ranking")


@pytest.mark.parametrize(
    ("score", "labels", "predictions"),
    [
        (score_classification, np.zeros(3, int), np.ones((2, 2))),
        (score_classification, np.zeros(2, int), np.ones(2)),
        (score_classification, np.zeros(0, int), np.ones((0, 2))),
        (score_multi_label, np.zeros((2, 3)), np.ones((2, 2))),
        (score_regression, np.zeros(2), np.ones((2, 2))),
    ],
)
def test_shapes_that_do_not_fit_are_refused(score, labels, predictions):
    with pytest.raises(ValueError, match="labels must have shape"):
        score(labels, predictions)


def test_a_label_without_a_column_is_refused():
    with pytest.raises(ValueError, match=r"class indices from 0 to 1, .* got 0 to 2"):
        score_classification(np.array([0, 2]), np.full((2, 2), 0.5))


def test_each_target_has_its_own_correlations_by_scipy(caplog):
    from scipy.stats import pearsonr, spearmanr

    rng = np.random.default_rng(0)
    labels, values = rng.random((20, 3)), rng.random((20, 3))
    values[:, 2] = 1.0
    names = ["a", "b", "c"]
    scores = score_regression(labels[:, :2], values[:, :2], names=names[:2])
    for column, name in enumerate("ab"):
        pair = labels[:, column], values[:, column]
        assert scores[f"pearson_{name}"] == pytest.approx(pearsonr(*pair)[0])
        assert scores[f"spearman_{name}"] == pytest.approx(spearmanr(*pair)[0])
    assert scores["pearson"] == pytest.approx((scores["pearson_a"] + scores["pearson_b"]) / 2)
    with_constant = score_regression(labels, values, names=names)
    assert "constant in 1 of 3 targets" in caplog.text
    assert with_constant["pearson_b"] == scores["pearson_b"]
    assert not {"pearson", "spearman", "pearson_c"} & set(with_constant)
