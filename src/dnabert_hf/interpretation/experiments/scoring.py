"""What a classifier or regression says of sequences, of one class."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import choose_class
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.predict import sequence_logits
from dnabert_hf.interpretation.attribution.gradients import class_logits
from dnabert_hf.metrics.scores import logits_to_predictions

__all__ = ["ClassScorer", "Scores", "choose_target"]


class Scores(NamedTuple):
    """Scores of sequences.

    Attributes:
        predictions: Probability of the class, or the value, shape (sequences,).
        odds: Natural logarithm of the odds of the class, or the value, shape (sequences,).
    """

    predictions: np.ndarray
    odds: np.ndarray


def choose_target(scheme: LabelScheme, label: str | None) -> str:
    """Find the class, or for regression the target, that an experiment is about.

    Args:
        scheme: Labels of a model.
        label: Its name; None for the class of interest, or the only target.

    Raises:
        ValueError: If there is no such one, or several could be meant.
    """
    if scheme.problem_type != "regression":
        return choose_class(scheme, label)
    if label is None and len(scheme.names) > 1:
        raise ValueError(
            f"a model of {len(scheme.names)} values needs the one to score (--label), one of "
            f"{', '.join(scheme.names)}"
        )
    if label is not None and label not in scheme.names:
        raise ValueError(f"the value must be one of {', '.join(scheme.names)}, got {label!r}")
    return scheme.names[0] if label is None else label


class ClassScorer:
    """Scores sequences by one class of a fine-tuned model, on one strand or both.

    Args:
        engine: Engine with a DNABertForSequenceClassification.
        label: Class, or value of a regression; None for that of interest.
        both_strands: Whether to average over both strands.

    Attributes:
        engine: The engine.
        label: The class.
        column: Its index.
        problem_type: As in a transformers config.
        both_strands: Whether both strands are read.
    """

    def __init__(self, engine: Engine, *, label: str | None, both_strands: bool):
        scheme = LabelScheme.from_config(engine.model.config)
        self.engine = engine
        self.label = choose_target(scheme, label)
        self.column = scheme.names.index(self.label)
        self.problem_type = scheme.problem_type
        self.both_strands = both_strands
        self.is_only_value = self.is_regression and len(scheme.names) == 1

    @property
    def is_regression(self) -> bool:
        """Whether it gives a value, and no probability."""
        return self.problem_type == "regression"

    def scores(self, sequences: Sequence[str]) -> Scores:
        """Score sequences; of equal ones, one goes through the model.

        Args:
            sequences: Upper-case DNA, at least one.

        Returns:
            Means over the strands.
        """
        strands = [sequences]
        if self.both_strands:
            strands.append([reverse_complement(each) for each in sequences])
        predictions, odds = [], []
        for strand in strands:
            records = [SequenceRecord(str(row), each) for row, each in enumerate(strand)]
            logits = sequence_logits(self.engine, records)
            predictions.append(logits_to_predictions(logits, self.problem_type)[:, self.column])
            targets = torch.full((len(logits),), self.column)
            of_class = class_logits(torch.from_numpy(logits).double(), targets, self.problem_type)
            odds.append(of_class.numpy())
        return Scores(np.mean(predictions, axis=0), np.mean(odds, axis=0))

    def columns(self, *names: str) -> list[str]:
        """Name columns of this class, as `mutagenesis` does.

        Example of names: "prob" is `prob_bound` for the class bound; of a regression "prob" is
        "value", with the name of the target if there are several.
        """
        suffix = "" if self.is_only_value else f"_{self.label}"
        if self.is_regression:
            names = tuple(
                "change" if each == "log_odds_change" else each.replace("prob", "value")
                for each in names
            )
        return [f"{each}{suffix}" for each in names]
