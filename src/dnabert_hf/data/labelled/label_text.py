"""Texts of labels: numbers and names as people and programs write them."""

import re
from collections import Counter
from collections.abc import Sequence

__all__ = [
    "MISSING",
    "SEPARATOR",
    "as_number",
    "as_whole",
    "check_numbers",
    "is_integer",
    "quoted",
    "split_label",
]

SEPARATOR = ";"  # between several labels of a sequence
# How pandas, R, SQL and spreadsheets write a missing value, in lower case.
MISSING = frozenset({"na", "nan", "n/a", "#n/a", "#na", "<na>", "null"})

_DECIMAL_COMMA = re.compile(r"[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+", re.ASCII)
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_WHOLE_FRACTION = re.compile(r"([-+]?\d+)\.0*", re.ASCII)
_WITH_EXPONENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+")
_EXACT = 2**53  # from here on, floats leave whole numbers out
_N_SHOWN = 10


def as_whole(label: str) -> str:
    """Write a whole number without the fraction or exponent that a table program gave it."""
    if match := _WHOLE_FRACTION.fullmatch(label):
        return match[1]
    if _WITH_EXPONENT.fullmatch(label):
        value = float(label)
        if value.is_integer() and abs(value) < _EXACT:
            return str(int(value))
    return label


def as_number(label: str) -> float | None:
    """Read a number, None if it is none."""
    try:
        return float(label)
    except ValueError:
        return None


def is_integer(label: str) -> bool:
    """Tell whether a label is a whole number."""
    try:
        int(label)
    except ValueError:
        return False
    return True


def split_label(label: str) -> list[str]:
    """Part the names of a label.

    Raises:
        ValueError: If one is there twice.
    """
    names = [name.strip() for name in label.split(SEPARATOR) if name.strip()]
    if len(set(names)) < len(names):  # as in 1;0;1, which tells of three classes, not of two
        raise ValueError(
            f"a label must name each class once, found {label!r}; write the names of the classes "
            "that the sequence has, not a 0 or 1 for each, or if these are values, give the "
            "problem type regression"
        )
    return names


def check_numbers(counts: Counter[str]) -> None:
    """Refuse numbers that are written as no number is read, and gaps among numbers.

    Args:
        counts: How often each label is there.

    Raises:
        ValueError: If the labels would be numbers but for commas or missing values.
    """
    missing = [label for label in counts if label.casefold() in MISSING]
    others = [label for label in counts if label.casefold() not in MISSING]
    patterns = (_THOUSANDS, _DECIMAL_COMMA)
    commas = [label for label in others if any(each.fullmatch(label) for each in patterns)]
    if commas and all(label in commas or as_number(label) is not None for label in others):
        right = commas[0].replace(".", "").replace(",", ".")
        way_out = f"write {right}"
        if all(map(_THOUSANDS.fullmatch, commas)):  # 1,000 may be either
            way_out = f"write {commas[0].replace(',', '')} if they part thousands"
            way_out += f", {right} if they are decimal" if commas[0].count(",") == 1 else ""
        raise ValueError(
            "labels that are numbers must have no commas, neither decimal ones nor between "
            f"thousands, found {quoted(commas)}; {way_out} (or, if these are names of classes, "
            "give the problem type single_label_classification)"
        )
    if missing and others and all(as_number(label) is not None for label in others):
        n = sum(counts[label] for label in missing)
        raise ValueError(
            f"labels that are numbers must all be there, found {n} of {counts.total()} records "
            f"with {quoted(missing)}; take these records out or fill them in (or, if that is the "
            "name of a class, give the problem type single_label_classification)"
        )


def quoted(names: Sequence[str]) -> str:
    """Quote the first of several names, and say how many more there are."""
    shown = ", ".join(map(repr, names[:_N_SHOWN]))
    hidden = len(names) - _N_SHOWN
    return f"{shown} and {hidden} more" if hidden > 0 else shown or "none"
