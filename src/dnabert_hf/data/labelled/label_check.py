"""Labels in words: what they were taken for, and which of them other programs may have damaged."""

import math
import re
from collections.abc import Iterator, Mapping

from dnabert_hf.data.labelled.label_text import MISSING
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.files.counts import counted

__all__ = ["describe_labels", "find_doubtful_labels"]

_FEW = 5  # records; a class of fewer is learnt and measured by chance
_MANY_NUMBERS = 20  # classes, beyond which whole numbers are rather values
_SHOWN = 10
_LEAST_DOUBTED = 3  # classes; of fewer, any may be meant
_DATE = re.compile(r"\d{1,2}-[A-Za-z]{3}|[A-Za-z]{3}-\d{2}|\d{4}-\d\d-\d\d|\d{1,2}/\d{1,2}/\d{2,4}")
_TASKS = {
    "single_label_classification": "one class a sequence",
    "multi_label_classification": "any number of classes a sequence",
    "regression": "regression (values)",
    "token_classification": "one class a base",
}


def describe_labels(scheme: LabelScheme, counts: Mapping[str, int], n_records: int) -> str:
    """Say what the labels of a data set were taken for, and how many there are.

    Args:
        scheme: What they were taken for.
        counts: Records (bases, where each has a class) of each class; nothing for regression.
        n_records: Records of the data set.

    Example:
        >>> scheme = LabelScheme("single_label_classification", ("bound", "free"))
        >>> describe_labels(scheme, {"bound": 90, "free": 1000}, 1090)
        'task: one class a sequence; 1,090 sequences, 2 classes: bound (90), free (1,000)'
    """
    text = f"task: {_TASKS[scheme.problem_type]}; {counted(n_records, 'sequence')}"
    n_names = len(scheme.names)
    if scheme.problem_type == "regression":
        return text + (f" with {n_names} values each" if n_names > 1 else "")
    text += f", {n_names:,} class{'es' * (n_names > 1)}"
    shown = [f"{name} ({counts.get(name, 0):,})" for name in scheme.names[:_SHOWN]]
    hidden = n_names - _SHOWN
    return f"{text}: {', '.join(shown)}{f' and {hidden:,} more classes' if hidden > 0 else ''}"


def find_doubtful_labels(scheme: LabelScheme, counts: Mapping[str, int]) -> list[str]:
    """Name classes that may be no classes, each with the way out.

    Args:
        scheme: What the labels were taken for; only classes of sequences are looked at.
        counts: Records of each class in the training data.

    Returns:
        A sentence for each finding; nothing where all is well.

    Example:
        >>> scheme = LabelScheme("single_label_classification", ("bound", "free", "x"))
        >>> find_doubtful_labels(scheme, {"bound": 40, "free": 50, "x": 1})[0][:45]
        "the classes 'x' (1) have fewer than 5 records"
    """
    if scheme.problem_type == "multi_label_classification":
        values = [name for name in scheme.names if _is_number(name) and not _is_whole(name)]
        if values:  # NA among them is a missing value, and stops a regression
            return [
                f"numbers such as {values[0]!r} are taken for classes: if they are values, say so "
                "(--problem-type regression)"
            ]
        return list(_doubts_of_missing(scheme.names, counts))
    if scheme.problem_type != "single_label_classification":
        return []
    if doubt := _doubt_of_all(scheme.names, counts):
        return [doubt]
    return list(_doubts(scheme.names, counts))


def _doubt_of_all(names: tuple[str, ...], counts: Mapping[str, int]) -> str | None:
    """Say that the labels as a whole seem to be values or names of records, not classes."""
    if len(names) < _LEAST_DOUBTED:
        return None
    n, are_single = len(names), all(counts.get(name, 0) == 1 for name in names)
    if all(name.endswith("%") and _is_number(name[:-1]) for name in names):
        return (
            f"{n:,} numbers with percent signs, such as {names[0]!r}, are taken for classes: if "
            f"they are values, write {names[0].rstrip('% ')!r} and say so "
            "(--problem-type regression)"
        )
    if not are_single:
        return None
    if all(map(_is_number, names)):
        return (
            f"{n:,} numbers with one record each are taken for classes: if they are values, say so "
            "(--problem-type regression)"
        )
    return (
        f"{n:,} classes with one record each, such as {names[0]!r}: nothing can be learnt from "
        "them; if the column holds names of records, name the one that holds the labels "
        "(--label-column)"
    )


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False


def _is_whole(name: str) -> bool:
    return name.lstrip("+-").isdecimal()


def _shown(names: list[str], counts: Mapping[str, int]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"{name!r} ({counts.get(name, 0):,})" for name in names[:_SHOWN]) + more


def _doubts_of_missing(names: tuple[str, ...], counts: Mapping[str, int]) -> Iterator[str]:
    if missing := [name for name in names if name.casefold() in MISSING]:
        yield (
            f"the class {_shown(missing, counts)} looks like a missing value: take these records "
            "out, unless it is the name of a class"
        )


def _doubts(names: tuple[str, ...], counts: Mapping[str, int]) -> Iterator[str]:
    def shown(some: list[str]) -> str:
        return _shown(some, counts)

    yield from _doubts_of_missing(names, counts)
    numbers = [name for name in names if _is_number(name)]
    others = [name for name in names if name not in numbers and name.casefold() not in MISSING]
    if len(numbers) > 1 and others:
        yield (
            f"the classes {shown(others)} stand among numbers: take these records out if they are "
            "missing values, or write them as numbers"
        )
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_folded(name), []).append(name)
    for group in (group for group in alike.values() if len(group) > 1):
        yield (
            f"the classes {shown(group)} differ in case or leading zeros alone: write them alike "
            "if they are one"
        )
    if dates := [name for name in names if _DATE.fullmatch(name)]:
        yield (
            f"the classes {shown(dates)} look like dates, which spreadsheets make of names such as "
            "MARCH1: write the names again"
        )
    if len(names) > _MANY_NUMBERS and all(name.removeprefix("-").isdecimal() for name in names):
        yield (
            f"{len(names)} whole numbers are taken for classes: if they are values, say so "
            "(--problem-type regression)"
        )
        return
    few = [name for name in names if counts.get(name, 0) < _FEW]
    if few and len(names) > min(len(few), 2):  # two classes that are both small are a small set
        yield (
            f"the classes {shown(few)} have fewer than {_FEW} records: add some, or take them out "
            "if they are mistakes"
        )


def _folded(name: str) -> str:
    """Write a class as another one that differs in case, blanks or leading zeros alone."""
    text = "".join(name.split()).casefold().lstrip("+")
    return text.lstrip("0") or "0" if text.isdecimal() else text
