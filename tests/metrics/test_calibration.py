import numpy as np
import pytest
import torch
from torch.nn import functional

from dnabert_hf.metrics.calibration import (
    Temperature,
    expected_calibration_error,
    fit_temperature,
)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 3.0])
def test_the_temperature_by_which_labels_were_drawn_is_found(true_temperature):
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, size=(20_000, 3))
    noise = generator.gumbel(size=logits.shape)
    labels = (logits / true_temperature + noise).argmax(axis=1)  # drawn from the softmax
    found = fit_temperature(logits[:, None], labels, "single_label_classification")
    assert found.value == pytest.approx(true_temperature, rel=0.05)
    assert found.low < true_temperature < found.high


@pytest.mark.parametrize(
    "problem_type", ["single_label_classification", "multi_label_classification"]
)
def test_no_temperature_of_a_grid_gives_a_smaller_loss_of_the_mean_of_both_strands(problem_type):
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 2, size=(60, 2, 3))
    is_multiple = problem_type == "multi_label_classification"
    labels = generator.integers(0, 2, (60, 3)) if is_multiple else generator.integers(0, 3, 60)
    labels[:30] = logits[:30].mean(axis=1) > 0 if is_multiple else logits[:30, 0].argmax(axis=1)

    def loss(temperature):
        scaled = torch.tensor(logits) / temperature
        if is_multiple:
            mean = scaled.sigmoid().mean(dim=1)
            return float(functional.binary_cross_entropy(mean, torch.tensor(labels).double()))
        return float(functional.nll_loss(scaled.softmax(-1).mean(1).log(), torch.tensor(labels)))

    found = fit_temperature(logits, labels, problem_type)
    best = loss(found.value)
    assert best <= min(map(loss, np.geomspace(0.05, 50, 200))) + 1e-9
    # Wilks 1938: at the ends of the interval, twice the log-likelihood is 3.84 less.
    for end in (found.low, found.high):
        assert 2 * labels.size * (loss(end) - best) == pytest.approx(3.84, abs=1e-3)


def test_logits_without_a_best_temperature_reach_a_limit():
    labels = np.array([0, 1] * 30)
    for logits, value in (([1.0, 0.0], 100), ([[0.001, 0.0], [0.0, 0.001]] * 30, 0.01)):
        strands = np.broadcast_to(np.array(logits), (60, 2))[:, None]
        found = fit_temperature(strands, labels, "single_label_classification")
        assert found.value == pytest.approx(value, rel=0.01)
        assert found.is_at_limit
    assert not Temperature(1.2, 0.8, 100).is_at_limit


def test_the_calibration_error_by_hand():
    # Two bins: 0.55 is right in 1 of 2, 0.95 in 3 of 4: (2 x 0.05 + 4 x 0.2) / 6.
    sure = np.array([0.55, 0.55, 0.95, 0.95, 0.95, 0.95])
    probabilities = np.column_stack([1 - sure, sure])
    labels = np.array([1, 0, 1, 1, 1, 0])
    assert expected_calibration_error(labels, probabilities) == pytest.approx(0.9 / 6)
    # Of several labels each is an answer of its own.
    both = np.column_stack([labels, 1 - labels])
    assert expected_calibration_error(both, np.column_stack([sure, 1 - sure])) == pytest.approx(
        0.15
    )
