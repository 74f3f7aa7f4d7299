"""The page of a funnel of variants."""

from collections.abc import Mapping, Sequence
from typing import Any

from dnabert_hf.interpretation.pages.browsers import browser_links
from dnabert_hf.interpretation.pages.page import Link, Page

__all__ = ["fill_funnel_page"]

_SHOWN = 100  # rows
_NOT_AGAIN = ("prob_ref", "prob_alt", "log_odds_ratio")  # beside the catalogues
_TITLES = {
    "position_1based": "position (1-based)",
    "ref": "REF",
    "alt": "ALT",
    "prob_ref": "probability with REF",
    "prob_alt": "with ALT",
    "log_odds_ratio": "log odds ratio",
}
_LETTERS = 16  # of an allele or a text of a catalogue that has no space to break it at


def fill_funnel_page(
    page: Page,
    steps: Mapping[str, int],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    label: str,
    n_scores: int,
    build: str | None = None,
) -> None:
    """Show what is left after each step, the strongest effects, and what is known of them.

    Args:
        page: Page to fill.
        steps: Numbers of variants left after each step.
        columns: Names of the columns of the table.
        rows: Its rows.
        label: Class that the scores are of.
        n_scores: Columns before those of the catalogues.
        build: "GRCh37" or "GRCh38", to link positions to genome browsers; None for no links.
    """
    page.heading("Funnel")
    page.table(
        "How many are left after each step",
        ["step", "number"],
        [list(s) for s in steps.items()],
        bars=["number"],
    )
    page.heading("Strongest effects")
    if not rows:
        page.text("No allele is left: the table of the funnel says at which step the last went.")
        return
    page.text(
        f"Probabilities are those of class {label}, with the reference and the alternative allele. "
        "diff = (with ALT - with REF) * the greater of them. The log odds ratio is positive "
        "where signal is lost. Attention is that of the base, 1 being the mean of its window. "
        "Probabilities are what the model says, not what was measured. Of alleles of more than "
        f"{_LETTERS} bases the first and the number are shown."
    )
    titles = [_TITLES.get(name.removesuffix(f"_{label}"), name) for name in columns]
    shown = [[_plain(cell) for cell in row] for row in rows]
    page.table(
        f"The first {min(_SHOWN, len(rows))} of {len(rows):,}",
        [*titles[:n_scores], *(["browser"] if build else [])],
        [
            [*row[:n_scores], *([_browse(columns, whole, build)] if build else [])]
            for row, whole in zip(shown[:_SHOWN], rows, strict=False)
        ],
        bars=[f"diff_{label}"],
    )
    if len(columns) > n_scores:
        page.heading("Known variants")
        found = [row for row in shown if any(cell is not None for cell in row[n_scores:])]
        again = {f"{name}_{label}" for name in _NOT_AGAIN} | {"attention"}
        indices = [i for i, name in enumerate(columns) if name not in again]
        if not found:
            page.text("None of these are in a catalogue.")
            return
        page.table(
            f"{len(found):,} of these are in a catalogue",
            [titles[i] for i in indices],
            [[row[i] for i in indices] for row in found[:_SHOWN]],
        )


def _browse(columns: Sequence[str], row: Sequence[Any], build: str) -> tuple[Link, ...]:
    """Link the bases of the reference allele of a row."""
    cells = dict(zip(columns, row, strict=True))
    start = int(cells["position_1based"]) - 1
    return browser_links(str(cells["contig"]), start, start + len(str(cells["ref"])), build)


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
