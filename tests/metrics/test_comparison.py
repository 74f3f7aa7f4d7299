from itertools import product

import numpy as np
import pytest
from scipy.stats import norm, spearmanr
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from dnabert_hf.metrics import comparison
from dnabert_hf.metrics.comparison import compare_predictions, delong, paired_bootstrap


def by_all_pairs(is_positive, first, second):
    """Test as DeLong et al. 1988 write it: equations 3 to 5, psi of every pair, the covariances."""
    v10, v01, areas = [], [], []
    for scores in (first, second):
        x, y = scores[is_positive], scores[~is_positive]
        psi = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in y] for a in x])
        v10.append(psi.mean(axis=1))
        v01.append(psi.mean(axis=0))
        areas.append(psi.mean())
    covariance = np.cov(v10) / len(v10[0]) + np.cov(v01) / len(v01[0])
    contrast = np.array([1, -1])
    z = (areas[0] - areas[1]) / np.sqrt(contrast @ covariance @ contrast)
    return areas[0] - areas[1], 2 * norm.sf(abs(z))


@pytest.mark.parametrize("decimals", [1, 6], ids=["ties", "no ties"])
def test_delong_is_the_formula_of_the_paper(decimals):
    generator = np.random.default_rng(1)
    is_positive = generator.random(80) < 0.3
    first = np.round(generator.normal(size=80) + is_positive, decimals)
    second = np.round(0.5 * first + generator.normal(size=80), decimals)
    value, p_value = delong(is_positive, first, second)
    assert (value, p_value) == pytest.approx(by_all_pairs(is_positive, first, second))
    areas = [roc_auc_score(is_positive, scores) for scores in (first, second)]
    assert value == pytest.approx(areas[0] - areas[1])


def test_delong_keeps_its_level():
    """Of models that differ by noise alone, one in twenty is called different."""
    generator = np.random.default_rng(2)
    is_positive = np.arange(200) < 80
    signal = is_positive + generator.normal(size=(400, 200))
    pairs = [each + generator.normal(size=(2, 200)) for each in signal]
    share = np.mean([delong(is_positive, *pair)[1] < 0.05 for pair in pairs])
    assert 0.025 < share < 0.08  # standard error 0.011


def test_what_orders_alike_is_no_different_and_areas_need_both_classes():
    is_positive = np.array([False, True, True, False])
    scores = np.array([0.1, 0.4, 0.9, 0.2])
    assert delong(is_positive, scores, np.exp(scores)) == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"both classes must have sequences .* found 0 of the"):
        delong(np.zeros(4, dtype=bool), scores, scores)


def test_bootstrap_of_three_sequences_is_all_that_can_be_drawn():
    """All 27 draws of three sequences, for a score that is the mean."""
    labels, first, second = np.zeros(3), np.array([2.0, 1.0, -1.0]), np.zeros(3)
    sums = np.array([sum(draw) for draw in product(first, repeat=3)])
    tail = min((sums <= 0).mean(), (sums >= 0).mean())
    found = paired_bootstrap(labels, first, second, lambda _, x: x.mean(), n_resamples=20000)
    assert found == pytest.approx(2 * tail, abs=0.01)


def test_scores_of_the_bootstrap_are_those_of_other_libraries():
    generator = np.random.default_rng(3)
    labels = generator.integers(3, size=60)
    rows = generator.random((60, 3))
    assert comparison._mcc(labels, rows) == pytest.approx(
        matthews_corrcoef(labels, rows.argmax(axis=1))
    )
    assert np.isnan(comparison._mcc(np.zeros(60, dtype=int), rows))
    several = (generator.random((60, 3)) < 0.4).astype(int)
    several[:, 2] = 0
    assert comparison._mean_auroc(several, rows) == pytest.approx(
        roc_auc_score(several[:, :2], rows[:, :2])
    )
    values = np.round(generator.normal(size=60), 1)
    assert comparison._spearman(values, rows[:, 0]) == pytest.approx(
        spearmanr(values, rows[:, 0]).statistic
    )


@pytest.mark.parametrize(
    ("problem_type", "labels", "metric"),
    [
        ("single_label_classification", np.arange(60) % 3, "mcc"),
        ("multi_label_classification", np.eye(3, dtype=int)[np.arange(60) % 3], "auroc"),
        ("regression", np.eye(3)[np.arange(60) % 3], "spearman"),
    ],
)
def test_a_model_that_knows_is_told_from_one_that_guesses(problem_type, labels, metric):
    guesses = np.random.default_rng(4).random((60, 3))
    knows = guesses + 2 * np.eye(3)[np.arange(60) % 3]
    found = compare_predictions(labels, knows, guesses, problem_type=problem_type)
    assert (found.metric, found.test) == (metric, "paired bootstrap")
    assert found.value > 0.4
    assert found.p_value < 0.01
    same = compare_predictions(labels, guesses, guesses, problem_type=problem_type)
    assert (same.value, same.p_value) == (0, 1)


def test_labels_of_one_class_leave_nothing_to_compare():
    rows = np.random.default_rng(5).random((4, 2))
    labels = np.zeros(4, dtype=int)
    assert (
        compare_predictions(labels, rows, rows, problem_type="single_label_classification") is None
    )
