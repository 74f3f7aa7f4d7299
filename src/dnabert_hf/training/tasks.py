"""The paper's applications as presets: data, metrics and recipe of each."""

import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from dnabert_hf.data.labels import LabelScheme, ProblemType, infer_labels
from dnabert_hf.metrics import BINARY_METRIC_NAMES, METRIC_NAMES
from dnabert_hf.training.arguments import check_names
from dnabert_hf.training.initialisation import RANDOM, STARTS

if TYPE_CHECKING:
    from datasets import DatasetDict

    from dnabert_hf.data.examples import BuiltDataset
    from dnabert_hf.data.genome import Genome

__all__ = ["TASKS", "StartKind", "Task", "find_task"]

logger = logging.getLogger(__name__)

StartKind = Literal["pretrained", "random", "cnn"]

GENERIC = "generic"
_CLASSES: ProblemType = "single_label_classification"
# And what each reads.
_BUILDERS = {"promoters": "STARTS", "peaks": "PEAKS", "splice": "GENES", "bases": "REGIONS"}
_MACRO = ("accuracy", "auroc", "f1", "mcc", "precision", "recall")


@dataclass(frozen=True)
class Task:
    """What is particular to a kind of data; `finetune` takes one of these or the name of one.

    Attributes:
        name: Name in messages and reports.
        summary: What it is about, in a line.
        length: Bases of a sequence; None for any.
        labels: Class names in the order of their ids, which is alphabetical; of two, the second is
            the one that is looked for. Data may also number them from 0. Empty for any labels.
        is_pair: Whether there are two sequences a row; None if there may be.
        metrics: Scores that are shown; empty for all.
        metric: Score on the validation split that chooses the checkpoint; None for the default of
            the problem type.
        recipes: Fields of `transformers.TrainingArguments` in which it departs from the recipe of
            fine-tuning, by kind of start: "pretrained", "random" and "cnn".
        problem_type: What the labels mean, where they do not say it themselves.
        builder: Which command of `dnabert dataset` makes its data; None if none does.
        builder_options: Options of that command, as its function names them.

    Raises:
        ValueError: If a metric, a kind of start or the builder is not known, or labels are in
            another order.

    Example:
        >>> mine = Task("enhancers", length=200, labels=("background", "enhancer"), metric="auroc")
        >>> find_task(mine).length, find_task("tf").length
        (200, 101)
    """

    name: str
    summary: str = ""
    length: int | None = None
    labels: tuple[str, ...] = ()
    is_pair: bool | None = None
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
        if self.builder is not None:
            check_names([self.builder], _BUILDERS, f"builders of the task {self.name}")
        if self.labels and infer_labels(self.labels, problem_type=_CLASSES).names != self.labels:
            raise ValueError(
                f"labels of the task {self.name} must be in alphabetical order, as class ids are, "
                f"got {_listed(self.labels)}"
            )

    def choose_problem_type(self, asked: ProblemType | None) -> ProblemType | None:
        """Say what the labels mean: what is asked for, or else what the task says.

        Raises:
            ValueError: If the two contradict each other.
        """
        if None not in (asked, self.problem_type) and asked != self.problem_type:
            raise ValueError(
                f"the task {self.name} has labels for {self.problem_type}, got problem type "
                f"{asked!r}; leave it out, or choose another task ({GENERIC} takes any)"
            )
        return asked or self.problem_type

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
            wanted, found = ("pairs", "single sequences")[:: 1 if self.is_pair else -1]
            raise ValueError(
                f"the task {self.name} takes {wanted}, found {found} in the data; a pair has its "
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
        """Give the training arguments for a start: a checkpoint or a name among `STARTS`."""
        kind: StartKind = "cnn"
        if start == RANDOM or start not in STARTS:
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

    def build(self, genome: "Genome", places: Sequence[Any], **options: Any) -> "BuiltDataset":
        """Build a data set of the task from a genome.

        Args:
            genome: The genome.
            places: Start sites, peaks, transcripts or regions, as `dnabert_hf.read_start_sites`,
                `read_bed` and `read_transcripts` read them.
            **options: Further options of the builder, such as `splitting` and `negatives`.

        Raises:
            ValueError: If the task has no builder, or as the builder does.
        """
        from dnabert_hf.data.labelled_bases import build_bases
        from dnabert_hf.data.peaks import build_peaks
        from dnabert_hf.data.promoters import build_promoters
        from dnabert_hf.data.splice_sites import build_splice_sites

        functions: dict[str, Any] = {
            "promoters": build_promoters,
            "peaks": build_peaks,
            "splice": build_splice_sites,
            "bases": build_bases,
        }
        if self.builder is None:
            raise ValueError(f"the task {self.name} has no builder: its data are a table of yours")
        function = functions[self.builder]
        return function(genome, places, **(dict(self.builder_options) | options))

    def command(self) -> str:
        """Write the command that makes its data, capitals for files of the user.

        Example:
            >>> find_task("tf").command()
            'dnabert dataset peaks PEAKS --genome GENOME --length 101 -o DATA.tsv'
        """
        if self.builder is None:
            return ""
        options = " ".join(
            f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
            for name, value in self.builder_options.items()
        )
        place = _BUILDERS[self.builder]
        return f"dnabert dataset {self.builder} {place} --genome GENOME {options} -o DATA.tsv"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


_PROMOTER = ("other", "promoter")
# A window of 1,001 bases is two pieces of up to 510 k-mers: batches of 32 in parts, as they would
# take some 20 GB with a model of BERT's size.
_IN_PARTS = {
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 4,
    "per_device_eval_batch_size": 16,
}

# Ji et al. 2021: lengths, metrics and averages (macro for promoters and splice sites, class 1 for
# binding sites). Their recipe is that of `finetune`, but for a learning rate of 2e-4, known to end
# in one class for everything on some of these data.
TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            "prom-300",
            "promoters, 249 bases before to 50 after the start of transcription",
            length=300,
            labels=_PROMOTER,
            is_pair=False,
            metrics=_MACRO,
            metric="mcc",
            builder="promoters",
            builder_options={"upstream": 249, "downstream": 50},
        ),
        Task(
            "prom-core",
            "core promoters, 33 bases before to 36 after the start of transcription",
            length=70,
            labels=_PROMOTER,
            is_pair=False,
            metrics=_MACRO,
            metric="mcc",
            builder="promoters",
            builder_options={"upstream": 33, "downstream": 36},
        ),
        Task(
            "prom-scan",
            "promoters in the middle of long windows, to scan regions with",
            length=1001,
            labels=_PROMOTER,
            is_pair=False,
            metrics=_MACRO,
            metric="mcc",
            recipes={"pretrained": _IN_PARTS, "random": _IN_PARTS},
            builder="promoters",
            builder_options={"upstream": 500, "downstream": 500},
        ),
        Task(
            "tf",
            "binding sites of a transcription factor, around the summits of ChIP-seq peaks",
            length=101,
            labels=("other", "peak"),
            is_pair=False,
            metrics=("accuracy", "auroc", "auprc", "mcc", *BINARY_METRIC_NAMES),
            metric="mcc",
            builder="peaks",
            builder_options={"length": 101},
        ),
        Task(
            "splice",
            "splice acceptors, donors and what is neither, in the middle of a window",
            length=400,
            labels=("acceptor", "donor", "neither"),
            is_pair=False,
            metrics=_MACRO,
            metric="mcc",
            builder="splice",
            builder_options={"length": 400},
        ),
        Task(
            "pair",
            "two sequences a row, the second in the column sequence_b",
            is_pair=True,
        ),
        Task(
            "token",
            "a class for each base, such as in a CpG island or not: labels of one letter a base",
            is_pair=False,
            problem_type="token_classification",
            metrics=("mcc", "auroc", "auprc", "f1", "precision", "recall", *BINARY_METRIC_NAMES),
            builder="bases",
            builder_options={"length": 500},
        ),
        Task(GENERIC, "any sequences: classes, several labels a sequence, or numbers"),
    )
}


def find_task(task: str | Task) -> Task:
    """Look a preset up.

    Args:
        task: Name among `TASKS`, or a task, which is given back.

    Raises:
        ValueError: If there is none of this name.
    """
    if isinstance(task, Task):
        return task
    check_names([task], TASKS, "tasks")
    return TASKS[task]
