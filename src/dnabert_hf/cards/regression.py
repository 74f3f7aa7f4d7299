"""What a model's card says of the regression beside the model, read off the card again."""

import re
from typing import NamedTuple

__all__ = ["RegressionNote", "read_regression"]

_COLUMN = re.compile(r"\| *(5-mer regression, (\w+)) *\|")
_ADVICE = re.compile(r"^\*\*Here (.+?)\.?\*\*$", re.MULTILINE)
_LEFT_OUT = re.compile(r"^No regression on 5-mer counts stands beside the model: .+$", re.MULTILINE)
_TITLES = {"mcc": "MCC", "auroc": "AUROC", "f1": "F1"}  # the first that both have


class RegressionNote(NamedTuple):
    """What stands beside a model.

    Attributes:
        text: A sentence.
        is_warning: Whether the regression is better, or nobody knows.
    """

    text: str
    is_warning: bool


def read_regression(card: str) -> RegressionNote:
    """Read whether logistic regression on 5-mer counts does as well as the model.

    Args:
        card: Content of the README.md that `finetune` wrote; another says nothing.

    Example:
        >>> card = '''| metric | test | 5-mer regression, test |
        ... |---|---|---|
        ... | mcc | 0.8000 | 0.5000 |'''
        >>> read_regression(card).text
        'On the test split this model has MCC 0.800, logistic regression on 5-mer counts 0.500.'
    """
    if advice := _ADVICE.search(card):
        text = advice[1][0].upper() + advice[1][1:]
        return RegressionNote(f"{text}.", is_warning=True)
    if left_out := _LEFT_OUT.search(card):
        return RegressionNote(left_out[0], is_warning=True)
    if found := _COLUMN.search(card):
        column, split = found.groups()
        for metric, row in _read_rows(card, found[0]).items():
            if "-" not in (row[split], row[column]):
                of_model, of_regression = float(row[split]), float(row[column])
                return RegressionNote(
                    f"On the {split} split this model has {_TITLES[metric]} {of_model:.3f}, "
                    f"logistic regression on 5-mer counts {of_regression:.3f}.",
                    is_warning=of_regression > of_model,
                )
    return RegressionNote(
        "The model's card has no scores of logistic regression on 5-mer counts: whether this model "
        "has learnt more than composition is not known.",
        is_warning=True,
    )


def _read_rows(card: str, column: str) -> dict[str, dict[str, str]]:
    """Read the table of scores: values by metric and column, the metrics that are named first."""
    lines = card.splitlines()
    at = next(number for number, line in enumerate(lines) if column in line)
    names = _cells(lines[at])
    rows = {}
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            break
        cells = _cells(line)
        rows[cells[0]] = dict(zip(names, cells, strict=False))
    return {metric: rows[metric] for metric in _TITLES if metric in rows}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
