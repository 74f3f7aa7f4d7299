"""Aligned windows that fit two matrices better than one are told apart."""

import numpy as np

from dnabert_hf.data.reading.sequence_array import BASES

__all__ = ["split_windows"]

_ROUNDS = 20
_PSEUDOCOUNT = 0.5


def split_windows(windows: np.ndarray) -> np.ndarray | None:
    """Divide windows into those of two motifs, if there are two.

    Windows of one motif have independent positions, whereas in a blend of two the bases of each go
    together. The direction in which windows differ most (their first principal component) divides
    them; each half is counted into a matrix, and each window goes to the matrix under which it is
    more likely, until none moves. The two are kept if they explain the windows better than one does
    by more than their further parameters are worth (Schwarz 1978).

    Args:
        windows: Codes of bases, shape (windows, positions); unknown ones count for nothing.

    Returns:
        Whether each window is of the second motif, shape (windows,); None if there is one.

    Example:
        >>> windows = np.array([[0, 1, 2, 3]] * 30 + [[2, 3, 0, 1]] * 20)
        >>> found = split_windows(windows)
        >>> sorted([int(found.sum()), int((~found).sum())]), split_windows(windows[:30]) is None
        ([20, 30], True)
    """
    n, length = windows.shape
    is_base = (windows[:, :, None] == np.arange(len(BASES))).reshape(n, -1).astype(np.float32)
    centred = is_base - is_base.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    is_second = centred @ directions[:, -1] > 0
    for _ in range(_ROUNDS):
        n_second = int(is_second.sum())
        if not 1 < n_second < n - 1:
            return None
        likelihoods = np.stack(
            [
                _log_likelihoods(is_base, is_base[part]) + np.log(part.mean())
                for part in (~is_second, is_second)
            ]
        )
        before, is_second = is_second, likelihoods[1] > likelihoods[0]
        if np.array_equal(before, is_second):
            break
    gain = float(likelihoods.max(axis=0).sum() - _log_likelihoods(is_base, is_base).sum())
    n_parameters = (len(BASES) - 1) * length + 1
    return is_second if gain > n_parameters / 2 * np.log(n) else None


def _log_likelihoods(is_base: np.ndarray, of_part: np.ndarray) -> np.ndarray:
    """Log likelihood of each window under the matrix that a part of them makes."""
    counts = of_part.sum(axis=0, dtype=np.float64).reshape(-1, len(BASES)) + _PSEUDOCOUNT
    logs = np.log(counts / counts.sum(axis=1, keepdims=True)).ravel()
    return np.asarray(is_base @ logs.astype(np.float32))
