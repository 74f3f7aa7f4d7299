"""What others say of a design: the regression beside the model, and a second model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnabert_hf.checkpoints import locate
from dnabert_hf.data.kmers.counts import KMER_REGRESSION, KmerRegression
from dnabert_hf.interpretation.experiments.scoring import ClassScorer

__all__ = ["Opinion", "disagrees", "read_saved_regression"]

_FAR = 0.25  # probabilities that differ by more than this do not agree
_BACK = 0.05  # nor do those of which one moved the other way by more than this


class Opinion(NamedTuple):
    """Somebody else who scores the sequences of a design.

    Attributes:
        name: "kmers" for the regression on counts of k-mers, "also" for a second model.
        scorer: The second model.
        regression: The regression.
        column: Its class.
    """

    name: str
    scorer: ClassScorer | None = None
    regression: KmerRegression | None = None
    column: int = 0

    def scores(self, sequences: Sequence[str]) -> np.ndarray:
        """Give the probability of the class, or the value, shape (sequences,)."""
        if self.scorer is not None:
            return self.scorer.scores(sequences).predictions
        assert self.regression is not None
        found = self.regression.probabilities(sequences)[:, self.column]
        return np.asarray(found)


def read_saved_regression(model: Any, n_classes: int) -> KmerRegression | None:
    """Read the regression that `finetune` saves beside a model; None where there is none.

    Args:
        model: Folder or name of a checkpoint, or a model, which has none.
        n_classes: Classes of the model.

    Raises:
        ValueError: If it is damaged, or of other classes.
    """
    if not isinstance(model, str | Path):
        return None
    path = Path(locate(model)) / KMER_REGRESSION
    if not path.is_file():
        return None
    regression = KmerRegression.read(path)
    if len(regression.intercepts) != n_classes:
        raise ValueError(
            f"{path} must be of the {n_classes} classes of the model, found "
            f"{len(regression.intercepts)}; remove it, or train again"
        )
    return regression


def disagrees(
    model: tuple[float, float], other: tuple[float, float], *, is_regression: bool
) -> bool:
    """Tell whether another one does not see what the model sees in a design.

    Args:
        model: Probability, or value, of the sequence at the start and of the result.
        other: The same of the other one.
        is_regression: Whether these are values.

    Returns:
        For probabilities, whether those of the result differ by more than 0.25, or the other's
        moved by more than 0.05 the other way; for values, whether the other's moved less than half
        as far.

    Example:
        >>> disagrees((0.1, 0.9), (0.2, 0.8), is_regression=False)
        False
        >>> disagrees((0.1, 0.9), (0.2, 0.3), is_regression=False)
        True
    """
    moved, other_moved = model[1] - model[0], other[1] - other[0]
    direction = float(np.sign(moved))
    if is_regression:
        return bool(moved) and other_moved * direction < abs(moved) / 2
    return abs(model[1] - other[1]) > _FAR or other_moved * direction < -_BACK
