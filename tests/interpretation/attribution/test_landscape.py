"""Means and intervals by position, by hand."""

import numpy as np
import pytest

from dnabert_hf.interpretation.attribution.landscape import align_scores, attention_landscape

ROWS = [np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 7.0])]


def test_means_and_intervals_are_students():
    (found,) = attention_landscape({"yes": [np.array([1.0]), np.array([2.0]), np.array([6.0])]})
    # Mean 3, deviation sqrt(7), t of two degrees of freedom 4.30265.
    half = 4.30265273 * np.sqrt(7 / 3)
    assert found.means.tolist() == [3.0]
    np.testing.assert_allclose([found.low[0], found.high[0]], [3 - half, 3 + half])


@pytest.mark.parametrize(
    ("align", "positions", "means", "counts"),
    [
        ("start", [0, 1, 2, 3], [3, 4.5, 3, 4], [2, 2, 1, 1]),
        ("end", [-4, -3, -2, -1], [1, 2, 4, 5.5], [1, 1, 2, 2]),
        ("centre", [-2, -1, 0, 1], [1, 3.5, 5, 4], [1, 2, 2, 1]),
    ],
)
def test_unequal_lengths_are_aligned(align, positions, means, counts):
    (found,) = attention_landscape({"all": ROWS}, align=align)
    assert found.positions.tolist() == positions
    assert found.means.tolist() == means
    assert found.n_sequences.tolist() == counts
    assert np.isnan(found.low).tolist() == [n == 1 for n in counts]


def test_classes_share_one_axis():
    one, other = attention_landscape({"long": ROWS[:1], "short": ROWS[1:]}, align="end")
    assert (one.positions.tolist(), other.positions.tolist()) == ([-4, -3, -2, -1], [-2, -1])
    assert (one.peak(), other.peak()) == (-1, -1)
    assert (one.name, other.name) == ("long", "short")


def test_positions_count_from_the_origin():
    (found,) = attention_landscape({"all": ROWS[:1]}, origin=3)
    assert found.positions.tolist() == [-3, -2, -1, 0]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"unequal length must be aligned .* from 2 to 4"):
        attention_landscape({"all": ROWS})
    with pytest.raises(ValueError, match="must be one of start, centre, end, got 'middle'"):
        align_scores(ROWS, align="middle")
    with pytest.raises(ValueError, match="found none in class 'no'"):
        attention_landscape({"yes": ROWS[:1], "no": []})
    with pytest.raises(ValueError, match=r"found none$"):
        attention_landscape({})
