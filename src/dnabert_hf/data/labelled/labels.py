"""Labels as people write them, and the numbers that a model is trained on."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self, get_args

from dnabert_hf.data.labelled.label_text import (
    SEPARATOR,
    as_number,
    as_whole,
    check_numbers,
    is_integer,
    quoted,
    split_label,
)

__all__ = [
    "UNLABELLED",
    "UNLABELLED_ID",
    "LabelScheme",
    "ProblemType",
    "classes_of_bases",
    "infer_labels",
]

ProblemType = Literal[
    "single_label_classification",
    "multi_label_classification",
    "regression",
    "token_classification",
]

UNLABELLED = "."  # a base without a label, in a string of one letter a base
UNLABELLED_ID = -100  # what the losses of transformers leave out

_CLASSES = ("single_label_classification", "token_classification")


@dataclass(frozen=True)
class LabelScheme:
    """Labels of a task as numbers, fixed by the training data.

    Attributes:
        problem_type: One of the three problem types of transformers, or "token_classification",
            where every base has a class of its own.
        names: Class names in the order of their ids; for regression, the names of the targets. The
            classes of bases are single letters.
        positive: The class of interest, if it is known; schemes that differ in nothing else are
            equal.

    Raises:
        ValueError: If the problem type is none of the four, or names are too few or repeated.

    Example:
        >>> scheme = LabelScheme("single_label_classification", ("donor", "none"))
        >>> scheme.encode("none", source="the example"), scheme.label2id
        (1, {'donor': 0, 'none': 1})
    """

    problem_type: ProblemType
    names: tuple[str, ...]
    positive: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.problem_type not in get_args(ProblemType):
            raise ValueError(
                f"problem_type must be one of {', '.join(get_args(ProblemType))}, "
                f"got {self.problem_type!r}"
            )
        n_needed = 2 if self.problem_type in _CLASSES else 1
        if len(self.names) < n_needed:
            raise ValueError(
                f"{self.problem_type} needs at least {n_needed} different labels, found "
                f"{quoted(self.names)}; add the missing classes to the training data"
            )
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"names must differ from each other, got {quoted(self.names)}")

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """Rebuild the scheme that a model was trained with.

        Args:
            config: Model configuration with `id2label`, `num_labels` and `problem_type`; where
                that is None, one label means regression and several mean classes. A `positive` that
                is none of the labels is left out.
        """
        default: ProblemType = (
            "regression" if config.num_labels == 1 else "single_label_classification"
        )
        names = tuple(config.id2label[index] for index in range(config.num_labels))
        positive = getattr(config, "positive", None)
        known = positive if positive in names else None
        return cls(config.problem_type or default, names, known)

    @cached_property
    def label2id(self) -> dict[str, int]:
        """Id of each name."""
        return {name: index for index, name in enumerate(self.names)}

    @cached_property
    def id2label(self) -> dict[int, str]:
        """Name of each id."""
        return dict(enumerate(self.names))

    def encode(
        self, label: str, *, source: str, n_bases: int | None = None
    ) -> int | float | list[float]:
        """Turn a label into what the loss of its problem type expects.

        Args:
            label: Label as written: a class name, class names as `a;b` (none: empty), or a number
                (several targets: `0.1;0.2`), or a letter for each base ("." for none).
            source: Where the label stands, such as "dev.tsv, record 7", for the error.
            n_bases: Bases of the sequence; needed for labels of bases.

        Returns:
            The class id; or 0.0 and 1.0 for each class, shape (n_names,); or the number, for
            several targets a list of shape (n_names,); or the class id of each base, -100 where it
            has none, shape (n_bases,).

        Raises:
            ValueError: If the label is not known to the scheme, is no finite number, or has not one
                letter a base.
        """
        if self.problem_type == "token_classification":
            return self._ids_of_bases(label, source, n_bases)
        if self.problem_type == "single_label_classification":
            return self._id(label.strip(), source)
        if self.problem_type == "multi_label_classification":
            present = {self._id(name, source) for name in split_label(label)}
            return [float(index in present) for index in range(len(self.names))]
        parsed = [as_number(part) for part in label.split(SEPARATOR)]
        numbers = [number for number in parsed if number is not None and math.isfinite(number)]
        if not len(numbers) == len(parsed) == len(self.names):
            raise ValueError(
                f"{source}: a label for regression must be {len(self.names)} finite number(s), "
                f"parted by {SEPARATOR!r}, found {label!r}; correct it or leave the record out"
            )
        return numbers[0] if len(numbers) == 1 else numbers

    def _ids_of_bases(self, label: str, source: str, n_bases: int | None) -> list[float]:
        if len(label) != n_bases:
            raise ValueError(
                f"{source}: labels of bases must have one letter for each of the {n_bases} bases "
                f"({UNLABELLED!r} for none), found {len(label)}; correct them"
            )
        ids = self.label2id | {UNLABELLED: UNLABELLED_ID}
        try:
            return [ids[letter] for letter in label]
        except KeyError:
            position = next(i for i, letter in enumerate(label) if letter not in ids)
            return [self._id(label[position], f"{source}, base {position} (0-based)")]

    def count(self, labels: Iterable[str]) -> dict[str, int]:
        """Count the labels, as written, that are of each class; nothing for regression.

        Raises:
            ValueError: If a label is not known to the scheme.
        """
        if self.problem_type == "regression":
            return {}
        counts = dict.fromkeys(self.names, 0)
        for label, n in Counter(labels).items():
            if self.problem_type == "single_label_classification":
                parts = [label.strip()]
            elif self.problem_type == "multi_label_classification":
                parts = split_label(label)
            else:
                parts = [letter for letter in label if letter != UNLABELLED]
            for part in parts:
                counts[self.names[self._id(part, "the labels")]] += n
        return counts

    @cached_property
    def _id_of_whole(self) -> dict[str, int]:
        """Id of each name as a whole number, also where it is written otherwise.

        A model whose classes were never named calls them LABEL_0, LABEL_1 and so on: its tables
        have the numbers.
        """
        ids = {as_whole(name): index for index, name in enumerate(self.names)}
        numbers = [str(index) for index in range(len(self.names))]
        defaults = [f"LABEL_{number}" for number in numbers]
        for names, others in ((numbers, defaults), (defaults, numbers)):
            if list(self.names) == names:
                ids |= {other: index for index, other in enumerate(others)}
        return ids

    def find(self, name: str) -> str | None:
        """Find the class that is meant: 1 may be written 1.0 or, unnamed, LABEL_1."""
        if name in self.label2id:
            return name
        index = self._id_of_whole.get(as_whole(name))
        return None if index is None else self.names[index]

    def _id(self, name: str, source: str) -> int:
        known = self.find(name)
        if known is None:
            raise ValueError(
                f"{source}: a label must be one of those seen in training, {quoted(self.names)}, "
                f"found {name!r}; correct it or add it to the training data"
            )
        return self.label2id[known]


def classes_of_bases(label: str) -> str:
    """Name the classes that occur in a label string, by which windows can be told apart.

    Example:
        >>> classes_of_bases("00110."), classes_of_bases("0000")
        ('01', '0')
    """
    return "".join(sorted(set(label) - {UNLABELLED}))


def infer_labels(labels: Iterable[str], *, problem_type: ProblemType | None = None) -> LabelScheme:
    """Find out what kind of task the labels of a training set describe.

    Any `;` in a label means several labels a sequence; numbers, or as many of them parted by `;` in
    each label, of which at least one is no whole number mean regression; everything else is one
    class a sequence. Whole numbers that a table program wrote as `0.0` and `1.0`, or as `0e+00` and
    `1e+00`, are the classes 0 and 1. Class ids follow the names in alphabetical order, or in
    numerical order if all of them are integers. That every base has a label of its own is never
    guessed.

    Args:
        labels: Labels as written, repeated or not.
        problem_type: What the labels mean, where the rule above does not fit.

    Returns:
        The scheme with every name found.

    Raises:
        ValueError: If there are no labels, one is empty where each sequence has one class, there
            is one class only, or numbers have commas or missing values among them.

    Example:
        >>> infer_labels(["10", "9", "10"]).names
        ('9', '10')
        >>> infer_labels(["skin;liver", "", "skin"]).names
        ('liver', 'skin')
        >>> infer_labels(["0", "1.5"]).problem_type
        'regression'
        >>> infer_labels(["0.15;0", "2;1.5"]).names
        ('value_0', 'value_1')
        >>> infer_labels(["0.0", "1.0"]).names
        ('0', '1')
        >>> infer_labels(["0011..", "0000"], problem_type="token_classification").names
        ('0', '1')
    """
    if problem_type == "token_classification":
        letters: set[str] = set().union(*labels)
        return LabelScheme(problem_type, _in_order(letters - {UNLABELLED}))
    counts = Counter(label.strip() for label in labels)
    distinct = set(counts)
    if not distinct:
        raise ValueError("labels must hold at least one label, found none; check the label column")
    if problem_type in (None, "regression"):
        check_numbers(counts)
    problem_type = problem_type or _guess(distinct)
    if problem_type == "regression":
        return LabelScheme(problem_type, _target_names(distinct))
    if problem_type == "multi_label_classification":
        names = {name for label in distinct for name in split_label(label)}
    else:
        names = {as_whole(name) for name in distinct}
        if "" in names:
            raise ValueError(
                "labels must not be empty where each sequence has one class, found an empty one; "
                "fill it in or leave the record out"
            )
    return LabelScheme(problem_type, _in_order(names))


def _guess(distinct: set[str]) -> ProblemType:
    if any(SEPARATOR in label for label in distinct):
        rows = [label.split(SEPARATOR) for label in distinct]
        parts = [part for row in rows for part in row]
        are_values = len({len(row) for row in rows}) == 1 and all(
            as_number(part) is not None for part in parts
        )
        if are_values and not all(map(is_integer, map(as_whole, parts))):
            return "regression"
        return "multi_label_classification"
    are_numbers = all(as_number(label) is not None for label in distinct)
    if are_numbers and not all(map(is_integer, map(as_whole, distinct))):
        return "regression"
    return "single_label_classification"


def _target_names(distinct: set[str]) -> tuple[str, ...]:
    n_targets = max(label.count(SEPARATOR) + 1 for label in distinct)
    if n_targets == 1:
        return ("value",)
    return tuple(f"value_{index}" for index in range(n_targets))


def _in_order(names: set[str]) -> tuple[str, ...]:
    if all(map(is_integer, names)):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))
