import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from dnabert_hf.metrics.thresholds import choose_threshold


def test_what_is_expected_along_a_genome_by_hand():
    # 20 of the class, 99 others. A Mb has 1,000 windows of 1,000 bases, 980 of them without a site.
    of_class, others = [0.9] * 10 + [0.6] * 10, [0.1] * 94 + [0.7] * 5
    is_positive = np.repeat([True, False], [20, 99])
    choice = choose_threshold(is_positive, np.array(of_class + others), window=1000)
    high, low = choice.suggested, choice.at_recall[0]
    # Halfway from 0.9 to 0.7: half of the class and none of the others, of which 1 in 100 is taken.
    assert high == pytest.approx((0.8, 0.5, 1.0, 0.01, 10.0, 9.8))
    # Halfway from 0.6 to 0.1: all of the class and 5 others.
    assert low == pytest.approx((0.35, 1.0, 0.8, 0.06, 20.0, 58.8))
    # 10 of 20 sites found, 19.8 calls: 2 x 10 / (20 + 19.8); 20 of 20 found, 78.8 calls.
    assert (high.genome_f1, low.genome_f1) == pytest.approx((20 / 39.8, 40 / 98.8))
    assert [each.threshold for each in choice.at_recall] == pytest.approx([0.35] * 3 + [0.8])


def test_recall_and_precision_are_those_of_scikit_learn():
    generator = np.random.default_rng(0)
    is_positive = generator.uniform(size=400) < 0.4
    probabilities = np.clip(generator.normal(0.4 + 0.2 * is_positive, 0.2), 0, 1)
    choice = choose_threshold(is_positive, probabilities, window=200)
    for wanted, row in zip((0.95, 0.9, 0.8, 0.5), choice.at_recall, strict=True):
        called = probabilities >= row.threshold
        assert (
            row.recall == pytest.approx(recall_score(is_positive, called)) and row.recall >= wanted
        )
        assert row.precision == pytest.approx(precision_score(is_positive, called))
        higher = probabilities > probabilities[is_positive & called].min()
        assert recall_score(is_positive, higher) < wanted
    assert choice.suggested.genome_f1 >= max(row.genome_f1 for row in choice.at_recall)


def test_saturated_probabilities_are_told_apart():
    high = 0.4968127  # between two numbers of six digits
    values = np.array([high] * 20 + [high - 1e-9] * 20)
    choice = choose_threshold(np.repeat([True, False], 20), values, window=100)
    assert choice.suggested.threshold == high
    assert choice.suggested.precision == 1.0


@pytest.mark.parametrize("sizes", [(19, 100), (100, 19)])
def test_few_sequences_of_either_side_suggest_nothing(sizes):
    is_positive = np.repeat([True, False], sizes)
    assert choose_threshold(is_positive, np.linspace(0, 1, len(is_positive)), window=100) is None
