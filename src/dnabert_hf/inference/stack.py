"""Stacks: several models whose answers a logistic regression weighs, in place of their mean."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from dnabert_hf.checkpoints import locate
from dnabert_hf.data.kmers.counts import KmerRegression
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.files.atomic import atomic_folder, write_json
from dnabert_hf.files.fingerprint import fingerprint_start
from dnabert_hf.inference.engine.checkpoint import STACK

__all__ = ["KMERS", "Stack", "is_stack", "stack_columns"]

KMERS = "kmers.npz"
_LEAST = 1e-7  # probability: the logarithm of none is not finite


def is_stack(model: Any) -> bool:
    """Tell whether a model, as it was given, is the folder of a stack."""
    return isinstance(model, str | Path) and (Path(model) / STACK).is_file()


def stack_columns(of_models: np.ndarray) -> np.ndarray:
    """Make the columns that the regression of a stack is fitted on and applied to.

    Args:
        of_models: Probabilities, shape (models, sequences, classes).

    Returns:
        Of two classes the log-odds of the second by each model, shape (sequences, models); of more
        the logarithm of each probability, shape (sequences, models x classes).

    Example:
        >>> stack_columns(np.array([[[0.5, 0.5]], [[0.25, 0.75]]])).round(2).tolist()
        [[0.0, 1.1]]
    """
    logs = np.log(np.clip(np.asarray(of_models, dtype=np.float64), _LEAST, 1.0))
    if logs.shape[2] == 2:
        return np.asarray((logs[:, :, 1] - logs[:, :, 0]).T)
    return np.asarray(logs.transpose(1, 0, 2).reshape(logs.shape[1], -1))


@dataclass(frozen=True)
class Stack:
    """A stack, as its folder holds it.

    Attributes:
        members: Checkpoints: folders, or names of the package or the Hub.
        weights_of: Fingerprint of the weights of each, on which the stack was fitted.
        kmers: Regression on k-mer counts that is a member, too; None without one.
        classes: Names of the classes.
        both_strands: Whether members average over both strands.
        coefficients: What each column of `stack_columns` adds to the log-odds of the second of two
            classes, shape (1, columns), or to those of each of more, shape (classes, columns).
        intercepts: What they begin with, shape (1,) or (classes,).
        n_fitted: Sequences that it was fitted on.
    """

    members: tuple[str, ...]
    weights_of: tuple[str, ...]
    kmers: KmerRegression | None
    classes: tuple[str, ...]
    both_strands: bool
    coefficients: np.ndarray
    intercepts: np.ndarray
    n_fitted: int

    @property
    def names(self) -> list[str]:
        """Names of all members, in the order of their columns."""
        regression = [] if self.kmers is None else [f"{self.kmers.k}-mer regression"]
        return [*self.members, *regression]

    @property
    def settings(self) -> dict[str, Any]:
        """What results depend on, for a run that goes on."""
        numbers = [self.coefficients.tolist(), self.intercepts.tolist()]
        kmers = None if self.kmers is None else float(np.abs(self.kmers.weights).sum())
        return {"stack": [*numbers, self.names, kmers]}

    def of_members(self) -> list[list[float]]:
        """Give the weight of each member: of more than two classes, one for each class's own."""
        n_members = len(self.names)
        blocks = self.coefficients.reshape(len(self.intercepts), n_members, -1)
        return [np.diag(blocks[:, number]).tolist() for number in range(n_members)]

    def of_kmers(self, records: Sequence[SequenceRecord]) -> np.ndarray | None:
        """Give what the regression on k-mer counts says, shape (sequences, classes).

        Raises:
            ValueError: If a record is a pair.
        """
        if self.kmers is None:
            return None
        pair = next((record for record in records if record.sequence_b is not None), None)
        if pair is not None:
            raise ValueError(
                f"record {pair.id}: a stack with a regression on k-mer counts takes single "
                "sequences, found a pair; make one without it (--kmers 0)"
            )
        return self.kmers.probabilities([record.sequence for record in records])

    def combine(self, of_models: np.ndarray) -> np.ndarray:
        """Weigh what the members say, (members, sequences, classes), to (sequences, classes)."""
        from scipy.special import expit, softmax

        logits = stack_columns(of_models) @ self.coefficients.T + self.intercepts
        if len(self.intercepts) == 1:
            return np.concatenate([expit(-logits), expit(logits)], axis=1)
        return np.asarray(softmax(logits, axis=1))

    def write(self, folder: Path) -> None:
        """Write the folder; members that are folders are named as they lie from it."""
        place = folder.resolve()
        named = [
            os.path.relpath(Path(each).resolve(), place) if Path(each).is_dir() else each
            for each in self.members
        ]
        with atomic_folder(folder) as partial:
            if self.kmers is not None:
                self.kmers.write(partial / KMERS)
            content = {
                "members": [
                    {"model": name, "weights": weights}
                    for name, weights in zip(named, self.weights_of, strict=True)
                ],
                "kmers": None if self.kmers is None else KMERS,
                "classes": list(self.classes),
                "both_strands": self.both_strands,
                "coefficients": self.coefficients.tolist(),
                "intercepts": self.intercepts.tolist(),
                "n_fitted": self.n_fitted,
            }
            write_json(content, partial / STACK)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read a folder, and make sure that its members are those it was fitted on.

        Raises:
            ValueError: If it is damaged, or a member is not there or another one today.
        """
        folder = Path(folder)
        try:
            content = json.loads((folder / STACK).read_text(encoding="utf-8"))
            members = tuple(_locate(str(each["model"]), folder) for each in content["members"])
            regression = content["kmers"] is not None
            stack = cls(
                members=members,
                weights_of=tuple(str(each["weights"]) for each in content["members"]),
                kmers=KmerRegression.read(folder / KMERS) if regression else None,
                classes=tuple(map(str, content["classes"])),
                both_strands=bool(content["both_strands"]),
                coefficients=np.array(content["coefficients"], dtype=np.float64),
                intercepts=np.array(content["intercepts"], dtype=np.float64),
                n_fitted=int(content["n_fitted"]),
            )
            stack._check_shapes()
        except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise ValueError(
                f"{folder} must be a stack as dnabert stack writes it, but reading it failed: "
                f"{reason}; make it again"
            ) from error
        for member, weights in zip(stack.members, stack.weights_of, strict=True):
            if (found := fingerprint_start(locate(member))) != weights:
                raise ValueError(
                    f"{folder}: the member {member} must have the weights that the stack was "
                    f"fitted on ({weights}), found others ({found}); make the stack again"
                )
        return stack

    def _check_shapes(self) -> None:
        n_classes = len(self.classes)
        n_rows, of_member = (1, 1) if n_classes == 2 else (n_classes, n_classes)
        expected = (n_rows, of_member * len(self.names))
        found = self.coefficients.shape, self.intercepts.shape
        if found != (expected, (n_rows,)) or n_classes < 2 or not self.members:
            raise ValueError(
                f"coefficients and intercepts must have the shapes {expected} and {(n_rows,)} for "
                f"{len(self.names)} members and {n_classes} classes, found {found[0]} and "
                f"{found[1]}"
            )
        if not all(map(math.isfinite, [*self.coefficients.ravel(), *self.intercepts])):
            raise ValueError("coefficients and intercepts must be finite")


def _locate(name: str, folder: Path) -> str:
    beside = folder / name
    return os.path.normpath(beside) if beside.is_dir() else name
