import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from dnabert_hf.metrics.reliability import measure_reliability, plot_reliability


def test_bins_of_probabilities_are_those_of_scikit_learn(tmp_path):
    generator = np.random.default_rng(0)
    of_one = np.round(generator.uniform(0, 1, 300), 1)  # also on the borders of bins
    labels = (generator.uniform(0, 1, 300) < of_one).astype(int)
    found = measure_reliability(labels, np.column_stack([1 - of_one, of_one]), positive=1)
    frequencies, means = calibration_curve(labels, of_one, n_bins=10)
    assert found.probabilities == pytest.approx(means)
    assert found.frequencies == pytest.approx(frequencies)
    assert found.counts.sum() == 300
    path = tmp_path / "c.svg"
    plot_reliability({"before": found, "after": found}, path, about="peak", title="Calibration")
    text = path.read_text()
    for words in ("probability of peak", "share that is peak", "before", "after", "Calibration"):
        assert f"<!-- {words} -->" in text


def test_without_a_class_the_predicted_one_is_meant_and_of_several_labels_each():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.15, 0.75]])
    found = measure_reliability(np.array([0, 1]), probabilities)
    assert (found.counts.tolist(), found.frequencies.tolist()) == ([1, 1], [1.0, 0.0])
    several = measure_reliability(np.array([[1, 0, 0], [0, 0, 1]]), probabilities)
    assert several.counts.sum() == 6
    assert several.frequencies[-1] == 1.0
