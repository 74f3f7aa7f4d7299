"""Search for edits: greedy, by beams, or guided by gradients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dnabert_hf.interpretation.design.first_order import estimate_substitutions
from dnabert_hf.interpretation.design.limits import Limits
from dnabert_hf.interpretation.experiments.scoring import ClassScorer

__all__ = ["Aim", "Search", "Step"]

_BASES = "ACGT"
_NEAR = 0.01  # of a target: in probability, or as a share of the way from the first value


class Step(NamedTuple):
    """A sequence on the way.

    Attributes:
        sequence: The sequence.
        position: Base that was changed, 0-based; None of the sequence at the start.
        ref: What it was.
        alt: What it became.
        prediction: Probability of the class, or the value.
        odds: Log odds of the class, or the value.
        violation: What is wrong with it, see `Limits.violation`.
    """

    sequence: str
    position: int | None
    ref: str | None
    alt: str | None
    prediction: float
    odds: float
    violation: int


@dataclass(frozen=True)
class Aim:
    """What is wanted of a prediction.

    Attributes:
        target: Probability or value to come near; None for as high as can be.
        is_regression: Whether predictions are values.
    """

    target: float | None
    is_regression: bool

    def __post_init__(self) -> None:
        is_share = self.is_regression or self.target is None or 0 <= self.target <= 1
        if not is_share or (self.target is not None and not np.isfinite(self.target)):
            raise ValueError(
                "the target must be a probability from 0 to 1, or a value of a regression, got "
                f"{self.target}"
            )

    def merit(self, prediction: float, odds: float) -> float:
        """Say how good a prediction is; more is better."""
        return odds if self.target is None else -abs(prediction - self.target)

    def missing(self, step: Step) -> float:
        """Give the change of the log odds, or value, that is still wanted; infinite for all."""
        if self.target is None:
            return np.inf
        if self.is_regression:
            return self.target - step.prediction
        with np.errstate(divide="ignore"):
            wanted = float(np.log(self.target) - np.log1p(-self.target))
        return wanted - step.odds

    def is_reached(self, step: Step, first: Step) -> bool:
        """Tell whether a prediction is near the target, within the limits."""
        return not step.violation and self.is_near(step.prediction, first.prediction)

    def is_near(self, prediction: float, first: float) -> bool:
        """Tell whether a prediction is near the target: 0.01, or 1 % of the way of a value."""
        if self.target is None:
            return False
        room = abs(self.target - first) if self.is_regression else 1.0
        return abs(prediction - self.target) <= _NEAR * room


@dataclass(frozen=True)
class Search:
    """Edits of one base after the other.

    Of all single substitutions, or of those that the gradient finds best, the best are kept, and
    edited again. It ends when no edit helps, the target is near, or there are as many edits as may
    be. As long as a sequence breaks a limit, only edits that mend something are made.

    Attributes:
        scorer: The model and its class.
        aim: What is wanted.
        limits: What must be kept to.
        beam: Sequences that are kept at each step; 1 is greedy.
        shortlist: Substitutions of each sequence that are tried, by first-order estimates; None
            for all.
    """

    scorer: ClassScorer
    aim: Aim
    limits: Limits
    beam: int = 1
    shortlist: int | None = None

    def run(self, name: str, sequence: str, rng: np.random.Generator) -> list[Step]:
        """Design a sequence.

        Args:
            name: Its id.
            sequence: Upper-case DNA.
            rng: Decides between edits that are equally good.

        Returns:
            The way to the best sequence, the one at the start first.

        Raises:
            ValueError: If the limits cannot be kept to.
        """
        is_free = self.limits.free_positions(name, sequence)
        self.limits.check_frozen(name, sequence, is_free)
        found = self.scorer.scores([sequence])
        first = Step(
            sequence,
            None,
            None,
            None,
            float(found.predictions[0]),
            float(found.odds[0]),
            self.limits.violation(sequence),
        )
        ways = [[first]]
        best = ways[0]
        for _ in range(self.limits.edits):
            if self.aim.is_reached(best[-1], first):
                break
            ways = self._extend(ways, is_free, rng)
            if not ways or not self._is_better(ways[0][-1], best[-1]):
                break
            best = ways[0]
        if best[-1].violation:
            raise ValueError(
                f"record {name}: the limits cannot be kept to within {self.limits.edits} edits, "
                f"{best[-1].violation} bases or motifs are left; allow more edits, or other limits"
            )
        return best

    def _is_better(self, step: Step, other: Step) -> bool:
        return self._rank(step) > self._rank(other)

    def _rank(self, step: Step) -> tuple[int, float]:
        return -step.violation, self.aim.merit(step.prediction, step.odds)

    def _extend(
        self, ways: Sequence[list[Step]], is_free: np.ndarray, rng: np.random.Generator
    ) -> list[list[Step]]:
        """Edit each sequence once more, and keep the best."""
        edits: dict[str, tuple[list[Step], int, str, int]] = {}
        for way in ways:
            for position, alt, text, violation in self._candidates(way[-1], is_free):
                edits.setdefault(text, (way, position, alt, violation))
        if not edits:
            return []
        found = self.scorer.scores(list(edits))
        extended = []
        for row, (text, (way, position, alt, violation)) in enumerate(edits.items()):
            ref = way[-1].sequence[position]
            scores = float(found.predictions[row]), float(found.odds[row])
            extended.append([*way, Step(text, position, ref, alt, *scores, violation)])
        ties = rng.random(len(extended))
        order = sorted(
            range(len(extended)),
            key=lambda row: (*self._rank(extended[row][-1]), ties[row]),
            reverse=True,
        )
        return [extended[row] for row in order[: self.beam]]

    def _candidates(self, step: Step, is_free: np.ndarray) -> list[tuple[int, str, str, int]]:
        """List the substitutions that keep to the limits, or mend something: the best of them."""
        allowed = []
        for position in np.flatnonzero(is_free).tolist():
            for alt in _BASES.replace(step.sequence[position], ""):
                text = step.sequence[:position] + alt + step.sequence[position + 1 :]
                violation = self.limits.violation(text)
                if violation == 0 or violation < step.violation:
                    allowed.append((position, alt, text, violation))
        if self.shortlist is None or len(allowed) <= self.shortlist:
            return allowed
        estimates = estimate_substitutions(self.scorer, step.sequence)
        gains = np.array([estimates[each[0], _BASES.index(each[1])] for each in allowed])
        missing = self.aim.missing(step)
        worth = np.sign(missing) * gains if np.isinf(missing) else -np.abs(missing - gains)
        order = np.argsort(-worth, kind="stable")[: self.shortlist]
        return [allowed[row] for row in order.tolist()]
