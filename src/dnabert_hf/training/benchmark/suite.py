"""Suites: the data sets, models, seeds and numbers of labels that a benchmark compares."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dnabert_hf.data.labelled.dataset import iterate_labelled
from dnabert_hf.data.labelled.hub_datasets import iterate_loaded
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.training.shared.initialisation import STARTS

__all__ = [
    "KMER_REGRESSION",
    "Case",
    "Cell",
    "DataEntry",
    "ModelEntry",
    "Suite",
    "part_of",
    "share_of",
    "slug",
]

KMER_REGRESSION = "kmers"  # in place of a start: logistic regression on k-mer counts

Case = tuple[str, int | None]  # data set and number of labels


@dataclass(frozen=True)
class DataEntry:
    """A data set of a benchmark: a file or folder, or what `datasets.load_dataset` loads.

    Attributes:
        path: File or folder, as in `read_dataset`; None if it is loaded, or of several files.
        load: Arguments of `iterate_loaded`.
        columns: Names of the columns.
        task: Preset or file, as in `find_task`; None for that of the model, if it has one.
        labels: Numbers of training sequences, None for all; no numbers for those of the suite.
        files: Files by split.
    """

    path: Path | None = None
    load: Mapping[str, Any] = field(default_factory=dict)
    columns: Columns = field(default_factory=Columns)
    task: str | None = None
    labels: tuple[int | None, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Name of the data set where it comes from."""
        if self.files:
            return self.files["train"]
        return str(self.load["path"] if self.path is None else self.path)

    def records(self) -> Iterator[tuple[str, SequenceRecord, str]]:
        """Yield the split, the record and the source of every sequence."""
        if self.load:
            return iterate_loaded(**self.load, columns=self.columns)
        return iterate_labelled(self.path or self.files, columns=self.columns)


@dataclass(frozen=True)
class ModelEntry:
    """A model of a benchmark.

    Attributes:
        name: What tables and plots call it.
        init: Where `finetune` starts, or "kmers" for logistic regression on k-mer counts.
        learning_rates: Candidates, of which the first seed's validation metric chooses; none for
            the default.
        config: Fields of the configuration.
        arguments: Fields of `transformers.TrainingArguments`.
        reinitialise_layers: Layers at the top of a checkpoint to re-initialise, as in `finetune`.
        k: Bases per k-mer that the regression counts.
        task: Preset or file, as in `find_task`, whatever the data; None for that of the data.
    """

    name: str
    init: str
    learning_rates: tuple[float, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    reinitialise_layers: int = 0
    k: int = 5
    task: str | None = None

    @property
    def is_baseline(self) -> bool:
        """Whether it starts from nothing that was learnt from other data."""
        return self.init == KMER_REGRESSION or self.init in STARTS


@dataclass(frozen=True)
class Cell:
    """One training of a benchmark.

    Attributes:
        data: Name of the data set.
        labels: Training sequences at most; None for all.
        model: Name of the model.
        learning_rate: Learning rate; None for the default of the model.
        seed: Seed of the choice of sequences and of training.
    """

    data: str
    labels: int | None
    model: str
    learning_rate: float | None
    seed: int

    def folder(self) -> Path:
        """Name the folder of the cell within that of the benchmark.

        Example:
            >>> Cell("GABPA", 500, "CNN", None, 0).folder().as_posix()
            'cells/GABPA/500/CNN/default/seed-0'
        """
        labels = "all" if self.labels is None else str(self.labels)
        rate = "default" if self.learning_rate is None else f"{self.learning_rate:g}"
        return Path("cells", slug(self.data), labels, slug(self.model), rate, f"seed-{self.seed}")


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Attributes:
        title: Heading of the report.
        data: The data sets by name.
        models: The models.
        seeds: Seeds of every model and data set.
        labels: Numbers of training sequences; None for all of them.
        dev: Validation sequences at most; None for all.
        test: Test sequences at most; None for all.
        metric: What is compared, on the test split.
    """

    title: str
    data: Mapping[str, DataEntry]
    models: tuple[ModelEntry, ...]
    seeds: tuple[int, ...] = (0, 1)
    labels: tuple[int | None, ...] = (None,)
    dev: int | None = None
    test: int | None = None
    metric: str = "mcc"

    def labels_of(self, data: str) -> tuple[int | None, ...]:
        """Give the numbers of training sequences of a data set."""
        return self.data[data].labels or self.labels

    def cases(self) -> list[Case]:
        """List every data set with every number of training sequences."""
        return [(data, labels) for data in self.data for labels in self.labels_of(data)]


def part_of(suite: Suite, shard: str) -> Suite:
    """Take the share of the data sets that one of several machines runs.

    Args:
        suite: The benchmark.
        shard: "I/N", as in `share_of`.

    Raises:
        ValueError: As `share_of` does.
    """
    return replace(suite, data={name: suite.data[name] for name in share_of(suite.data, shard)})


def share_of(names: Iterable[str], shard: str) -> list[str]:
    """Take every N-th name.

    Args:
        names: Names of data sets.
        shard: "I/N": names I, I + N and so on, from 0.

    Raises:
        ValueError: If it is not written so, or nothing is left.

    Example:
        >>> share_of("abcde", "1/2")
        ['b', 'd']
    """
    names, parts = list(names), shard.split("/")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"a shard must be written I/N, such as 0/4, got {shard!r}")
    index, count = map(int, parts)
    share = names[index :: count or 1]
    if index >= count or not share:
        raise ValueError(
            f"a shard I/N must have I from 0 to N - 1, and N not above the {len(names)} data sets, "
            f"got {shard}"
        )
    return share


def slug(name: str) -> str:
    """Make a name fit for a folder.

    Example:
        >>> slug("CNN + LSTM, 101 bp")
        'CNN-LSTM-101-bp'
    """
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())
