import math

import pytest

from dnabert_hf.data.masking.schedule import (
    MaskingStage,
    centre_probability,
    published_schedule,
    random_mask_schedule,
)


def test_centre_probability_inverts_the_published_share():
    assert 1 - (1 - centre_probability(0.15, 6)) ** 6 == pytest.approx(0.15)
    assert centre_probability(0.141, 6) == pytest.approx(0.025, abs=0.0001)


def test_centre_probability_of_spans_of_several_lengths_is_as_by_hand():
    # Spans of 1 and 2 alike: a token is reached by its own centre always and by its neighbour's in
    # half of the cases, so it stays visible with probability (1 - p) (1 - p / 2), which is 3 / 8 at
    # p = 1 / 2.
    assert centre_probability(5 / 8, 1, 2) == pytest.approx(0.5)
    # Of spans of 2, 3 and 4 tokens, 3, 3, 2 and 1 reach 0, 1, 2 and 3 tokens far.
    p = centre_probability(0.15, 2, 4)
    visible = (1 - p) ** 2 * (1 - p * 2 / 3) * (1 - p / 3)
    assert visible == pytest.approx(0.85)


@pytest.mark.parametrize("k", range(2, 9))
def test_longer_spans_need_fewer_centres(k):
    probabilities = [centre_probability(0.15, k, max_span) for max_span in (None, k, k + 2, k + 8)]
    assert probabilities[0] == probabilities[1] > probabilities[2] > probabilities[3] > 0
    # While few spans overlap, centres times the mean length are the share.
    assert probabilities[3] * (k + 4) == pytest.approx(-math.log(0.85), rel=0.05)


def test_the_published_share_rises_for_the_last_sixth():
    # 120,000 steps of 2,000 segments: the last 20,000 steps.
    assert published_schedule(240_000_000) == (
        MaskingStage(0, 0.15),
        MaskingStage(200_000_000, 0.20),
    )
    assert published_schedule(60, early=0.1, late=0.3)[1] == MaskingStage(50, 0.3)


def test_random_masks_grow_in_stages_of_equal_length():
    stages = random_mask_schedule(1000, 6, mlm_probability=0.2)
    assert [stage.begin for stage in stages] == [0, 200, 400, 600, 800]
    assert [stage.max_span for stage in stages] == [6, 8, 10, 12, 14]
    assert {stage.mlm_probability for stage in stages} == {0.2}
    assert [stage.max_span for stage in random_mask_schedule(9, 3, n_stages=3, step=1)] == [3, 4, 5]
