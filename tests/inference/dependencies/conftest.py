"""Maps as a Markov chain has them."""

import numpy as np
import pytest


def _noise(n_bases, seed):
    """Give dependencies that fall with distance, and little beyond a band; columns differ."""
    rng = np.random.default_rng(seed)
    distance = np.abs(np.subtract.outer(np.arange(n_bases), np.arange(n_bases)))
    level = 0.2 + 4 * np.exp(-distance / 2)
    scores = level * rng.gamma(4, 0.25, distance.shape) * rng.uniform(0.7, 1.5, n_bases)
    np.fill_diagonal(scores, np.nan)
    return scores


@pytest.fixture
def noise():
    return _noise
