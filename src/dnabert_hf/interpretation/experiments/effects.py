"""Mean effects of the conditions of an experiment, over its sequences."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnabert_hf.files.counts import counted

__all__ = ["PLACES", "Effect", "average", "read_table", "split_columns"]

PLACES = ("site", "elsewhere")


class Effect(NamedTuple):
    """A condition of an experiment, such as a motif or a distance, over all sequences.

    The values of one sequence (its shuffles, its draws) are averaged first, and the standard error
    is that of the mean over sequences: their standard deviation over the root of their number. With
    one sequence there is none (NaN).

    Attributes:
        condition: Values of the columns that make the condition, by name.
        n: Sequences.
        reference: Mean probability (or value) without the edit; NaN of a difference.
        edited: Mean with it.
        change: Mean change of the log odds (of a value: of the value).
        error: Its standard error.
        interaction: For two motifs, mean change that neither makes alone; NaN otherwise.
        interaction_error: Its standard error.
    """

    condition: dict[str, Any]
    n: int
    reference: float
    edited: float
    change: float
    error: float
    interaction: float = float("nan")
    interaction_error: float = float("nan")

    def __str__(self) -> str:
        """Say it in a line.

        Example:
            >>> print(Effect({"motif": "TGACTCA", "strand": "+"}, 9, 0.1, 0.5, 2.2, 0.1))
            motif TGACTCA, strand +: +2.2 +- 0.1 (mean 0.1 -> 0.5, 9 sequences)
        """
        what = ", ".join(f"{name} {value}" for name, value in self.condition.items())
        text = f"{what}: {_with_error(self.change, self.error)}"
        if self.interaction == self.interaction:
            text += f", interaction {_with_error(self.interaction, self.interaction_error)}"
        means = f"mean {self.reference:.3g} -> {self.edited:.3g}, "
        return f"{text} ({means * (self.reference == self.reference)}{counted(self.n, 'sequence')})"


def _with_error(mean: float, error: float) -> str:
    return f"{mean:+.3g}" + f" +- {error:.2g}" * (error == error)


def split_columns(columns: Sequence[str]) -> dict[str, int]:
    """Find the columns of scores of a table: reference, edited, change and interaction.

    Example:
        >>> split_columns(["id", "value_ref", "value", "change"])
        {'reference': 1, 'edited': 2, 'change': 3}
    """
    starts = {
        "reference": ("prob_ref", "value_ref"),
        "change": ("log_odds_change", "change"),
        "interaction": ("interaction",),
    }
    found = {}
    for name, prefixes in starts.items():
        for index, column in enumerate(columns):
            if any(column == each or column.startswith(f"{each}_") for each in prefixes):
                found[name] = index
                break
        if name == "change":
            found["edited"] = found["change"] - 1
    order = ("reference", "edited", "change", "interaction")
    return {name: found[name] for name in order if name in found}


def average(
    table: Path | Sequence[tuple[Any, ...]],
    columns: Sequence[str],
    conditions: Sequence[str],
) -> list[Effect]:
    """Average the edits of each condition, in the order in which conditions come first.

    Of ablations, whose conditions are the sites and as much elsewhere, there is a third one, their
    difference within the sequences that have both.

    Args:
        table: Rows, or the file that they are in.
        columns: Names of the columns.
        conditions: Those that make a condition.
    """
    rows = read_table(table, columns) if isinstance(table, Path) else iter(table)
    at = [columns.index(name) for name in conditions]
    scores = list(split_columns(columns).values())
    sums: dict[tuple[Any, ...], dict[str, np.ndarray]] = {}
    for row in rows:
        of_condition = sums.setdefault(tuple(row[i] for i in at), {})
        values = np.array([1.0, *(row[i] for i in scores)])
        known = of_condition.get(row[0])
        of_condition[row[0]] = values if known is None else known + values
    means = {
        condition: {name: each[1:] / each[0] for name, each in of_condition.items()}
        for condition, of_condition in sums.items()
    }
    if tuple(conditions) == ("place",) and len(means) == len(PLACES):
        sites, others = (means[place,] for place in PLACES)
        both = {name: sites[name] - others[name] for name in sites if name in others}
        for values in both.values():
            values[:2] = np.nan  # the means of both stand with them
        if both:
            means["difference",] = both
    return [
        _effect(dict(zip(conditions, condition, strict=True)), list(of_condition.values()))
        for condition, of_condition in means.items()
    ]


def _effect(condition: dict[str, Any], values: Sequence[np.ndarray]) -> Effect:
    """Average the values of sequences, each of reference, edited, change and interaction."""
    stacked = np.stack(values)
    n = len(stacked)
    mean = stacked.mean(axis=0)
    errors = np.full(len(mean), np.nan)
    if n > 1:
        errors = stacked.std(axis=0, ddof=1) / np.sqrt(n)
    numbers = [*mean[:3].tolist(), float(errors[2])]
    if len(mean) > 3:
        numbers += [float(mean[3]), float(errors[3])]
    return Effect(condition, n, *numbers)


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Read the rows of a table of an experiment, .tsv, .csv or .parquet.

    Raises:
        ValueError: If it has other columns.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    if path.name.endswith(".parquet"):
        table = parquet.read_table(path)
    else:
        texts = (
            "id",
            "motif",
            "strand",
            "strand_a",
            "strand_b",
            "site",
            "spans",
            "place",
            "ref",
            "alt",
        )
        table = csv.read_csv(
            path,
            parse_options=csv.ParseOptions(delimiter="," if ".csv" in path.name else "\t"),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(texts, pa.string()), strings_can_be_null=False
            ),
        )
    if list(table.column_names) != list(columns):
        raise ValueError(
            f"{path} must have the columns {', '.join(columns)}, found "
            f"{', '.join(table.column_names)}"
        )
    for batch in table.to_batches(max_chunksize=1 << 16):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
