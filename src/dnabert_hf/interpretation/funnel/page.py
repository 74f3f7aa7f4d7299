"""The page of a funnel of variants."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dnabert_hf.interpretation.pages.page import Page

__all__ = ["write_funnel_page"]

_SHOWN = 100  # rows
_NOT_AGAIN = ("prob_ref", "prob_alt", "log_odds_ratio")  # beside the catalogues
_LETTERS = 16  # of an allele or a text of a catalogue that has no space to break it at


def write_funnel_page(
    path: Path,
    table: Path,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    lead: str,
    label: str,
    steps: Mapping[str, int],
    n_scores: int,
    command: str | None = None,
) -> None:
    """Write the page: what is left after each step, the strongest effects, and what is known.

    Args:
        path: HTML file to write.
        table: File with all rows.
        columns: Names of its columns.
        rows: The rows.
        lead: A sentence on what is shown.
        label: Class that the scores are of.
        steps: Numbers of variants left after each step.
        n_scores: Columns before those of the catalogues.
        command: What made the page, to be named on it.
    """
    page = Page(
        f"Variants with an effect on {label}, where the model attends to",
        lead=lead,
        command=command,
    )
    page.heading("Funnel")
    page.table(
        "How many are left after each step", ["step", "number"], [list(s) for s in steps.items()]
    )
    page.heading("Strongest effects")
    page.text(
        f"Probabilities are those of class {label}, with the reference and the alternative allele. "
        "diff = (prob_alt - prob_ref) * max(prob_ref, prob_alt). The log odds ratio is positive "
        "where signal is lost. Attention is that of the base, 1 being the mean of its window. "
        "Probabilities are what the model says, not what was measured. Of alleles of more than "
        f"{_LETTERS} bases the first and the number are shown."
    )
    shown = [[_plain(cell) for cell in row] for row in rows]
    page.table(
        f"The first {min(_SHOWN, len(rows))} of {len(rows):,}",
        columns[:n_scores],
        [row[:n_scores] for row in shown[:_SHOWN]],
    )
    if len(columns) > n_scores:
        page.heading("Known variants")
        found = [row for row in shown if any(cell is not None for cell in row[n_scores:])]
        again = {f"{name}_{label}" for name in _NOT_AGAIN} | {"attention"}
        indices = [i for i, name in enumerate(columns) if name not in again]
        page.table(
            f"{len(found):,} of these are in a catalogue",
            [columns[i] for i in indices],
            [[row[i] for i in indices] for row in found[:_SHOWN]],
        )
    page.files({os.path.relpath(table, path.parent): "all rows, as a table"})
    page.write(path)


def _plain(cell: Any) -> Any:
    """Show positions and ranks without commas, long alleles in short, and nothing as nothing.

    Example:
        >>> _plain("ACGT" * 10)
        'ACGTACGTACGT... (40)'
    """
    if cell == "":
        return None
    if isinstance(cell, str) and len(cell) > _LETTERS and cell.isalpha():
        return f"{cell[: _LETTERS - 4]}... ({len(cell)})"
    return str(cell) if isinstance(cell, int) else cell
