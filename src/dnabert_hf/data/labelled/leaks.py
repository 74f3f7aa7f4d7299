"""Check of a labelled data set: leaks and biases that would make its scores too good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.labelled.composition_bias import (
    PartStatistics,
    bound_bias,
    describe_bias,
    measure_bias,
    measure_sequences,
    summarise_parts,
)
from dnabert_hf.data.labelled.label_check import find_doubtful_labels
from dnabert_hf.data.labelled.labels import LabelScheme, ProblemType, classes_of_bases, infer_labels
from dnabert_hf.data.labelled.similarity_split import group_similar, number_equal
from dnabert_hf.data.reading.sequences import clean_all

__all__ = [
    "DatasetReport",
    "Leak",
    "LeakExample",
    "format_bias",
    "format_report",
    "format_statistics",
    "report_dataset",
]

_N_EXAMPLES = 5
_N_SHOWN = 15  # lines of statistics for the terminal


@dataclass(frozen=True)
class LeakExample:
    """Two sequences that should not be where they are, the earlier one first.

    Attributes:
        ids: Their names.
        splits: Their splits.
        labels: Their labels.
    """

    ids: tuple[str, str]
    splits: tuple[str, str]
    labels: tuple[str, str]


@dataclass(frozen=True)
class Leak:
    """Leaks of one kind.

    Attributes:
        n_sets: Sets of equal or similar sequences that are torn apart.
        n_sequences: Sequences in those sets.
        examples: A pair from each of the first five sets.
    """

    n_sets: int
    n_sequences: int
    examples: tuple[LeakExample, ...]


@dataclass(frozen=True)
class DatasetReport:
    """Statistics, leaks and biases of a data set; `dataclasses.asdict` makes it fit for JSON.

    Attributes:
        statistics: Of each split and of each class in it, splits in the order of first rows.
        exact_duplicates: The same sequence in two splits.
        reverse_complements: A sequence in one split, its reverse complement in another.
        near_duplicates: Similar sequences (one group of `group_similar`), but neither equal nor
            reverse complements, in two splits.
        conflicting_labels: A sequence, or its reverse complement, with two labels.
        n_duplicates_within: By split, sequences that repeat an earlier one of the split or its
            reverse complement; no leak.
        bias: AUROC of "GC" and "length" alone between the classes, as `measure_bias` gives it;
            empty where sequences do not have one class each.
        warnings: A sentence on each bias that is not small, nor chance (see `bound_bias`).
    """

    statistics: tuple[PartStatistics, ...]
    exact_duplicates: Leak
    reverse_complements: Leak
    near_duplicates: Leak
    conflicting_labels: Leak
    n_duplicates_within: dict[str, int]
    bias: dict[str, float]
    warnings: tuple[str, ...]

    @property
    def leaks(self) -> dict[str, Leak]:
        """Leaks by what they are called in a text, found or not."""
        return {
            "exact duplicates across splits": self.exact_duplicates,
            "reverse complements across splits": self.reverse_complements,
            "near duplicates across splits": self.near_duplicates,
            "sequences with two labels": self.conflicting_labels,
        }

    @property
    def has_leaks(self) -> bool:
        """Whether a leak of any kind was found."""
        return any(leak.n_sets for leak in self.leaks.values())


def report_dataset(
    sequences: Sequence[str],
    labels: Sequence[str],
    splits: Sequence[str],
    *,
    ids: Sequence[str] | None = None,
    problem_type: ProblemType | None = None,
) -> DatasetReport:
    """Look for leaks between splits and for classes that GC content or length tells apart.

    Args:
        sequences: DNA or RNA in any case.
        labels: Label of each, as written. Only where each sequence has one class, statistics by
            class and biases are reported. Labels of bases tell sequences apart by the letters in
            them, such as "0" and "01"; all may be alike.
        splits: Name of the split of each.
        ids: Name of each; by default its 0-based number.
        problem_type: What the labels mean, where `infer_labels` would not see it.

    Returns:
        The report.

    Raises:
        ValueError: If the columns differ in length, are empty, hold letters that are no nucleotide
            codes, or labels that `infer_labels` refuses, as it does a single class.

    Example:
        >>> report = report_dataset(["ACC", "ACA", "GGT"], list("010"), ["dev", "dev", "test"])
        >>> report.has_leaks, report.reverse_complements.examples[0].ids
        (True, ('0', '2'))
    """
    ids = list(map(str, range(len(sequences)))) if ids is None else ids
    lengths = (len(sequences), len(labels), len(splits), len(ids))
    if len(set(lengths)) > 1:
        raise ValueError(
            "sequences, labels, splits and ids must have one entry for each sequence, got "
            f"{lengths} entries"
        )
    names = [label.strip() for label in labels]
    if problem_type == "token_classification":
        names = [classes_of_bases(name) for name in names]
    scheme = _scheme(names, problem_type)
    classes: tuple[str, ...] = ()
    if problem_type == "token_classification":
        classes = tuple(sorted(set(names)))
    elif scheme is not None and scheme.problem_type == "single_label_classification":
        classes = scheme.names
        names = [scheme.names[int(scheme.encode(name, source="labels"))] for name in names]  # type: ignore[arg-type]
    table = _Table(list(ids), names, list(splits))
    letters = [sequence.encode("utf-8", "replace") for sequence in sequences]
    cleaned = clean_all(letters, source_of=lambda row: f"sequence {ids[row]}")
    measured = measure_sequences(cleaned)
    bias: dict[str, float] = {}
    at_least: dict[str, float] = {}
    if len(classes) > 1:
        label_column = np.array(table.labels)
        values = {"GC": measured.gc, "length": measured.lengths}
        bias = {name: measure_bias(each, label_column) for name, each in values.items()}
        at_least = {name: bound_bias(each, label_column) for name, each in values.items()}
    sentences = (
        describe_bias(name, auroc, at_least=at_least[name]) for name, auroc in bias.items()
    )
    doubts = [] if scheme is None else find_doubtful_labels(scheme, scheme.count(labels))
    forms = number_equal(cleaned, both_strands=True)
    leaks = _find_leaks(cleaned, forms, table)
    return DatasetReport(
        statistics=tuple(summarise_parts(measured, table.splits, table.labels, classes=classes)),
        n_duplicates_within=_count_duplicates(forms, table.splits),
        bias=bias,
        warnings=(*doubts, *(sentence for sentence in sentences if sentence)),
        **leaks,
    )


def _scheme(labels: Sequence[str], problem_type: ProblemType | None) -> LabelScheme | None:
    """Find what the labels mean; None where bases have classes, which windows have sets of."""
    if problem_type == "token_classification":
        return None
    return infer_labels(labels, problem_type=problem_type)


class _Table(NamedTuple):
    ids: list[str]
    labels: list[str]
    splits: list[str]


def _find_leaks(sequences: Sequence[str], forms: np.ndarray, table: _Table) -> dict[str, Leak]:
    splits, labels = number_equal(table.splits), number_equal(table.labels)
    rows, texts = np.arange(len(sequences)), number_equal(sequences)
    groups = group_similar(sequences)
    return {
        "exact_duplicates": _find_split_crossing(texts, rows, splits, table),
        "reverse_complements": _find_split_crossing(forms, texts, splits, table),
        "near_duplicates": _find_split_crossing(groups, forms, splits, table),
        "conflicting_labels": _find_split_crossing(forms, rows, labels, table),
    }


def _find_split_crossing(
    sets: np.ndarray, kinds: np.ndarray, values: np.ndarray, table: _Table
) -> Leak:
    """Find the sets with two rows that differ in both kind and value.

    Args:
        sets: Set of each row, shape (rows,).
        kinds: What members of a set may differ in, such as the strand, shape (rows,).
        values: What they must agree in, such as the split, shape (rows,).
        table: Names of the rows.
    """
    # Where a set has two kinds and two values, some two rows of it differ in both.
    is_torn = (_count_different(sets, kinds) > 1) & (_count_different(sets, values) > 1)
    is_member = is_torn[sets]
    torn, first = np.unique(sets[is_member], return_index=True)
    examples = []
    for number in torn[np.argsort(first)][:_N_EXAMPLES]:
        members = np.flatnonzero(sets == number)
        pair = _find_pair(members, kinds[members], values[members])
        ids, labels, splits = ((column[pair[0]], column[pair[1]]) for column in table)
        examples.append(LeakExample(ids=ids, splits=splits, labels=labels))
    return Leak(len(torn), int(np.count_nonzero(is_member)), tuple(examples))


def _count_different(sets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Count the different values in each set, shape (largest set number + 1,)."""
    n_values = values.max() + 1
    return np.bincount(np.unique(sets * n_values + values) // n_values, minlength=sets.max() + 1)


def _find_pair(members: np.ndarray, kinds: np.ndarray, values: np.ndarray) -> list[int]:
    # If nothing differs from the first row in both, the first row of another value is of its kind,
    # and differs from all rows of other kinds.
    for one in (0, int(np.argmax(values != values[0]))):
        differs = (kinds != kinds[one]) & (values != values[one])
        if differs.any():
            break
    return sorted([int(members[one]), int(members[np.argmax(differs)])])


def _count_duplicates(forms: np.ndarray, splits: Sequence[str]) -> dict[str, int]:
    column = np.array(splits)
    parts = {split: forms[column == split] for split in dict.fromkeys(splits)}
    return {split: len(part) - len(np.unique(part)) for split, part in parts.items()}


def format_report(report: DatasetReport) -> list[str]:
    """Write a report as text, at most 30 lines however many classes there are.

    Args:
        report: The report.

    Returns:
        Lines without line ends.
    """
    lines = format_statistics(report.statistics)
    lines.append("leaks: FOUND" if report.has_leaks else "leaks: none")
    for name, leak in report.leaks.items():
        lines.append(f"  {name}: {leak.n_sets}{_describe_example(leak)}")
    repeated = (f"{n} in {split}" for split, n in report.n_duplicates_within.items() if n)
    lines.append(f"duplicates within a split (no leak): {', '.join(repeated) or 'none'}")
    return lines + format_bias(report.bias) + [f"warning: {each}" for each in report.warnings]


def format_statistics(statistics: Sequence[PartStatistics]) -> list[str]:
    """Write statistics of splits and classes as a table of a few lines."""
    lines = [f"{'split':<12}{'class':<14}{'sequences':>10}{'GC':>7}{'bases':>17}{'unknown':>8}"]
    for part in statistics[:_N_SHOWN]:
        span = f"{part.min_length}-{part.max_length} ({part.mean_length:.0f})"
        lines.append(
            f"{part.split:<12.11}{'all' if part.label is None else part.label:<14.13}"
            f"{part.n_sequences:>10}{part.mean_gc:>7.3f}{span:>17}{part.n_with_unknown:>8}"
        )
    if (n_hidden := len(statistics) - _N_SHOWN) > 0:
        lines.append(f"and {n_hidden} more lines of splits and classes")
    return lines


def format_bias(bias: Mapping[str, float]) -> list[str]:
    """Write in a line how well each number alone tells the classes apart; none without any."""
    scores = ", ".join(f"{name} {auroc:.3f}" for name, auroc in bias.items())
    return [f"AUROC between classes by one number alone (chance: 0.5): {scores}"] if bias else []


def _describe_example(leak: Leak) -> str:
    if not leak.examples:
        return ""
    example = leak.examples[0]
    members = zip(example.ids, example.splits, example.labels, strict=True)
    one, other = (f"{name} ({split}, label {label})" for name, split, label in members)
    return f", {leak.n_sequences} sequences in all, such as {one} and {other}"
