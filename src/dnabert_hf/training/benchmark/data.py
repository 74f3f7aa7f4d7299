"""The sequences that the models of a benchmark share, drawn once and kept as a table."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.files.atomic import open_table
from dnabert_hf.training.benchmark.suite import Cell, DataEntry, Suite, slug

__all__ = [
    "SPLITS",
    "Contents",
    "check_splits_of",
    "count_sequences",
    "forget_subsets",
    "read_contents",
    "without_repeats",
    "write_subset",
]

logger = logging.getLogger(__name__)

SPLITS = ("train", "validation", "test")


def write_subset(suite: Suite, cell: Cell, folder: Path) -> Path:
    """Draw sequences by data set and seed, the same for every model; those of the test once.

    Processes may do this for one table at the same time: each writes a file of its own and moves
    it to the same path.

    Args:
        suite: The benchmark.
        cell: Whose data set, number of labels and seed count.
        folder: Folder of the benchmark.

    Returns:
        The table, which is written if it is not there yet.

    Raises:
        ValueError: If the data cannot be read or have no test split.
    """
    labels = "all" if cell.labels is None else str(cell.labels)
    path = folder / "data" / f"{cell.folder().parts[1]}-{labels}-seed-{cell.seed}.tsv"
    if path.exists():
        return path
    entry = suite.data[cell.data]
    rows: dict[str, list[list[str]]] = {split: [] for split in SPLITS}
    is_pair = False
    for split, record, _ in entry.records():
        is_pair = record.sequence_b is not None
        both = [record.sequence, record.sequence_b or ""] if is_pair else [record.sequence]
        rows[split].append([record.id, *both, record.label or "", split])
    if not rows["test"]:
        raise ValueError(f"{entry.source} must have a test split to be compared on")
    limits = dict(zip(SPLITS, (cell.labels, suite.dev, suite.test), strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_table(path, is_shared=True) as write_row:
        columns = ["sequence", "sequence_b"] if is_pair else ["sequence"]
        write_row(["id", *columns, "label", "split"])
        for split in SPLITS:
            seed = 0 if split == "test" else cell.seed
            order = np.random.default_rng(seed).permutation(len(rows[split]))
            for index in np.sort(order[: limits[split]]):
                write_row(rows[split][index])
    return path


def forget_subsets(name: str, folder: Path) -> None:
    """Remove the tables drawn from a data set, which is another now; they are drawn again.

    Args:
        name: Name of the data set.
        folder: Folder of the benchmark.
    """
    for path in (folder / "data").glob(f"{slug(name)}-*.tsv"):
        path.unlink()


class Contents(NamedTuple):
    """What a data set holds.

    Attributes:
        counts: Sequences by split.
        fingerprint: Hash of its rows, in their order; None if it cannot be read.
        problem: Why it cannot be read; empty if it can.
    """

    counts: Mapping[str, int]
    fingerprint: str | None
    problem: str


def read_contents(entry: DataEntry) -> Contents:
    """Read a data set once, for what it holds."""
    counts: Counter[str] = Counter()
    digest = hashlib.sha256()
    try:
        for split, record, _ in entry.records():
            counts[split] += 1
            row = [split, record.id, record.sequence, record.sequence_b, record.label]
            digest.update(json.dumps(row).encode())
    except Exception as error:  # noqa: BLE001  # whatever it is, the cells that are done count
        return Contents({}, None, f"{error}" or type(error).__name__)
    return Contents(counts, digest.hexdigest()[:16], "")


def check_splits_of(suite: Suite, contents: Mapping[str, Contents]) -> None:
    """Refuse data sets that nothing can be trained or compared on, all of them at once.

    Args:
        suite: The benchmark.
        contents: What the data sets to look into hold.

    Raises:
        ValueError: If a data set cannot be read, or has no training or no test split.
    """
    problems = []
    for name, found in contents.items():
        missing = {"train", "test"} - found.counts.keys()
        if found.problem:
            problems.append(found.problem)
        elif missing:
            lacking = " and no ".join(sorted(missing))
            problems.append(f"{suite.data[name].source} has no {lacking} split")
    if problems:
        raise ValueError(
            "the data sets of a benchmark must have sequences to train and to be compared on, "
            f"found: {'; '.join(problems)}; add a split column with train and test, or files of "
            "these names"
        )


def count_sequences(entry: DataEntry) -> Mapping[str, int]:
    """Count what a data set has to draw from, by split; nothing if it cannot be read any more."""
    found = read_contents(entry)
    if found.problem:
        logger.warning("%s cannot be counted: %s", entry.source, found.problem)
    return found.counts


def without_repeats(suite: Suite, contents: Mapping[str, Contents]) -> Suite:
    """Leave out numbers of labels that would train on all sequences of a data set once more.

    Args:
        suite: The benchmark.
        contents: What its data sets hold.

    Returns:
        It, with the numbers of labels that differ in what they train on; a log tells of the others.
    """
    data = {}
    for name, entry in suite.data.items():
        requested = suite.labels_of(name)
        n_train = contents[name].counts.get("train")
        too_many = [n for n in requested if n_train is not None and (n is None or n >= n_train)]
        repeats = [n for n in too_many if n is not None]
        if None not in too_many:
            repeats = sorted(repeats)[1:]
        if repeats:
            logger.warning(
                "%s has %d sequences to train on: %s labels are left out, %s being all there are",
                *(name, n_train, ", ".join(map(str, repeats))),
                "all" if None in too_many else min(n for n in too_many if n is not None),
            )
        data[name] = replace(entry, labels=tuple(n for n in requested if n not in repeats))
    return replace(suite, data=data)
