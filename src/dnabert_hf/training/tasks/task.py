"""Tasks: the labels, length, metrics and recipe of a kind of data."""

import hashlib
import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from dnabert_hf.data.labelled.labels import LabelScheme, ProblemType, infer_labels
from dnabert_hf.metrics.scores import BINARY_METRIC_NAMES, METRIC_NAMES
from dnabert_hf.training.shared.names import NETWORKS, RANDOM, check_names

if TYPE_CHECKING:
    from datasets import DatasetDict

    from dnabert_hf.data.building.labelled_windows import BuiltDataset
    from dnabert_hf.data.genome.genome import Genome

__all__ = ["GENERIC", "StartKind", "Task"]

logger = logging.getLogger(__name__)

StartKind = Literal["pretrained", "random", "cnn"]

GENERIC = "generic"
_CLASSES: ProblemType = "single_label_classification"
# What each reads, and its options.
_BUILDERS = {
    "promoters": ("STARTS", ("upstream", "downstream", "negatives")),
    "peaks": ("PEAKS", ("length", "negatives")),
    "splice": ("GENES", ("length",)),
    "bases": ("REGIONS", ("length",)),
}


@dataclass(frozen=True)
class Task:
    """Labels, length, metrics and recipe of a kind of data, or its name, for `finetune`.

    Attributes:
        name: Name in messages and reports.
        summary: What it is about, in a line.
        length: Bases of a sequence; None for any.
        labels: Class names in the order of their ids, which is alphabetical; of two, the second is
            the one that is looked for. Data may also number them from 0. Empty for any labels.
        is_pair: Whether there are two sequences a row; None if there may be.
        is_stranded: Whether what is looked for is read in one direction, so that training on both
            strands would be wrong.
        metrics: Scores that are shown; empty for all.
        metric: Score on the validation split that chooses the checkpoint; None for the default of
            the problem type.
        recipes: Fields of `transformers.TrainingArguments` in which it departs from the recipe of
            fine-tuning, by kind of start: "pretrained", "random" and "cnn".
        problem_type: What the labels mean, where they do not say it themselves.
        builder: Which command of `dnabert dataset` makes its data; None if none does.
        builder_options: Options of that command, as its function names them.

    Raises:
        ValueError: If a metric, a kind of start, the builder or an option of it is not known, or
            labels are in another order.

    Example:
        >>> mine = Task("enhancers", length=200, builder="peaks", builder_options={"length": 200})
        >>> mine.command()  # the data; then: finetune(model, data, task=mine, output_dir=folder)
        'dnabert dataset peaks PEAKS --genome GENOME --length 200 -o DATA.tsv'
    """

    name: str
    summary: str = ""
    length: int | None = None
    labels: tuple[str, ...] = ()
    is_pair: bool | None = None
    is_stranded: bool = False
    metrics: tuple[str, ...] = ()
    metric: str | None = None
    recipes: Mapping[StartKind, Mapping[str, Any]] = field(default_factory=dict)
    problem_type: ProblemType | None = None
    builder: str | None = None
    builder_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {*BINARY_METRIC_NAMES, *(name for names in METRIC_NAMES.values() for name in names)}
        shown = [*self.metrics, *([] if self.metric is None else [self.metric])]
        check_names(shown, sorted(known), f"metrics of the task {self.name}")
        check_names(self.recipes, get_args(StartKind), f"recipes of the task {self.name}")
        options: tuple[str, ...] = ()
        if self.builder is not None:
            check_names([self.builder], _BUILDERS, f"builders of the task {self.name}")
            options = _BUILDERS[self.builder][1]
        check_names(self.builder_options, options, f"builder options of the task {self.name}")
        if self.problem_type is not None:
            kinds = get_args(ProblemType)
            check_names([self.problem_type], kinds, f"problem types of the task {self.name}")
        if self.length is not None and self.length < 1:
            raise ValueError(
                f"sequences of the task {self.name} must be of 1 or more bases, got {self.length}"
            )
        if self.labels and infer_labels(self.labels, problem_type=_CLASSES).names != self.labels:
            raise ValueError(
                f"labels of the task {self.name} must be in alphabetical order, as class ids are, "
                f"got {_listed(self.labels)}"
            )

    def choose_problem_type(self, requested: ProblemType | None) -> ProblemType | None:
        """Say what the labels mean: what is asked for, or else what the task says.

        Raises:
            ValueError: If the two contradict each other.
        """
        if None not in (requested, self.problem_type) and requested != self.problem_type:
            raise ValueError(
                f"the task {self.name} has labels for {self.problem_type}, got problem type "
                f"{requested!r}; leave it out, or choose another task ({GENERIC} takes any)"
            )
        return requested or self.problem_type

    def check(self, splits: "DatasetDict", scheme: LabelScheme) -> None:
        """Compare data with what the task expects.

        Args:
            splits: Data sets by split, with the column "length" (bases).
            scheme: Labels of the data.

        Raises:
            ValueError: If labels, or single sequences and pairs, do not match. Other lengths are a
                warning, for models take any.
        """
        self._check_labels(scheme)
        is_pair = "sequence_b" in splits["train"].column_names
        if self.is_pair not in (None, is_pair):
            expected, found = ("pairs", "single sequences")[:: 1 if self.is_pair else -1]
            raise ValueError(
                f"the task {self.name} takes {expected}, found {found} in the data; a pair has its "
                "second sequence in the column sequence_b; correct the data or choose another task"
            )
        if self.length is None:
            return
        lengths = np.concatenate([np.asarray(dataset["length"]) for dataset in splits.values()])
        n_others = int((lengths != self.length).sum())
        if n_others:
            logger.warning(
                "the task %s is about %d bases, but %d of %d sequences are of another length, from "
                "%d to %d bases",
                *(self.name, self.length, n_others, len(lengths), lengths.min(), lengths.max()),
            )

    def recipe_for(self, start: str | Path) -> dict[str, Any]:
        """Give the training arguments for a start: a checkpoint, "random" or a network."""
        kind: StartKind = "cnn"
        if start not in NETWORKS:
            kind = "random" if start == RANDOM else "pretrained"
        return dict(self.recipes.get(kind, {}))

    def _check_labels(self, scheme: LabelScheme) -> None:
        if not self.labels:
            return
        numbers = tuple(map(str, range(len(self.labels))))
        is_classes = scheme.problem_type == _CLASSES
        if is_classes and scheme.names in (self.labels, numbers):
            return
        found = scheme.names if is_classes else [scheme.problem_type.replace("_", " ")]
        raise ValueError(
            f"the task {self.name} has the labels {_listed(self.labels)} (or {_listed(numbers)} in "
            f"their place), found {_listed(found)} in the data; rename the labels, or choose "
            f"another task ({GENERIC} takes any)"
        )

    def fingerprint(self) -> str:
        """Hash all its fields, whatever file they were read from."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    def build(self, genome: "Genome", sites: Sequence[Any], **options: Any) -> "BuiltDataset":
        """Build a data set of the task from a genome.

        Args:
            genome: The genome.
            sites: Start sites, peaks, transcripts or regions, as `dnabert_hf.read_start_sites`,
                `read_bed` and `read_transcripts` read them.
            **options: Further options of the builder, such as `splitting` and `negatives`.

        Raises:
            ValueError: If the task has no builder, or as the builder does.
        """
        from dnabert_hf.data.building.bases import build_bases
        from dnabert_hf.data.building.peaks import build_peaks
        from dnabert_hf.data.building.promoters import build_promoters
        from dnabert_hf.data.building.splice_sites import build_splice_sites

        functions: dict[str, Any] = {
            "promoters": build_promoters,
            "peaks": build_peaks,
            "splice": build_splice_sites,
            "bases": build_bases,
        }
        if self.builder is None:
            raise ValueError(f"the task {self.name} has no builder: its data are a table of yours")
        function = functions[self.builder]
        return function(genome, sites, **(dict(self.builder_options) | options))

    def command(self) -> str:
        """Write the command that makes its data, capitals for files of the user.

        Example:
            >>> Task("any table").command()
            ''
        """
        if self.builder is None:
            return ""
        options = " ".join(
            f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
            for name, value in self.builder_options.items()
        )
        argument = _BUILDERS[self.builder][0]
        return f"dnabert dataset {self.builder} {argument} --genome GENOME {options} -o DATA.tsv"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
