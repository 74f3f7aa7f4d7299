import numpy as np
import pytest

from dnabert_hf.interpretation.motifs.matrices.splitting import split_windows


def draw(consensus, n, generator, *, off=0.1):
    windows = np.tile(consensus, (n, 1))
    is_off = generator.random(windows.shape) < off
    windows[is_off] = generator.integers(0, 4, size=int(is_off.sum()))
    return windows


@pytest.mark.parametrize("n_second", [100, 30])
def test_two_motifs_are_told_apart(n_second):
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, 4, size=(2, 12))
    other[:5] = one[:5]  # a blend that begins alike
    windows = np.concatenate([draw(one, 100, generator), draw(other, n_second, generator)])
    is_second = split_windows(windows)
    truth = np.arange(100 + n_second) >= 100
    agreement = (is_second == truth).mean()
    assert max(agreement, 1 - agreement) > 0.95


def test_one_motif_stays_one():
    generator = np.random.default_rng(1)
    for off in (0.05, 0.3, 0.9):
        assert (
            split_windows(draw(generator.integers(0, 4, size=14), 150, generator, off=off)) is None
        )


def test_windows_of_unknown_bases_are_no_motif_of_their_own():
    generator = np.random.default_rng(2)
    windows = draw(generator.integers(0, 4, size=12), 100, generator)
    windows[:, 10:] = 4
    assert split_windows(windows) is None
