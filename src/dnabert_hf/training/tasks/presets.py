"""The paper's applications as presets, and tasks of a user's own from YAML files."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from dnabert_hf.files.yaml import read_mapping
from dnabert_hf.metrics.scores import BINARY_METRIC_NAMES
from dnabert_hf.training.shared.names import check_names
from dnabert_hf.training.tasks.task import GENERIC, StartKind, Task

__all__ = ["GENERIC", "TASKS", "TASK_SUFFIXES", "StartKind", "Task", "find_task"]

_MACRO = ("accuracy", "auroc", "f1", "mcc", "precision", "recall")
TASK_SUFFIXES = (".yaml", ".yml")
# Fields of a task in a file that are no text, and what they are.
_KINDS: Mapping[str, tuple[type, str]] = {
    "length": (int, "a whole number"),
    "is_pair": (bool, "true or false"),
    "is_stranded": (bool, "true or false"),
    "labels": (list, "a list"),
    "metrics": (list, "a list"),
    "recipes": (dict, "a mapping"),
    "builder_options": (dict, "a mapping"),
}
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
            is_stranded=True,
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
    """Look a preset up, or read a task of one's own.

    Args:
        task: Name among `TASKS`; or a task, which is given back; or a YAML file with the fields of
            a task, whose name is by default that of the file.

    Raises:
        ValueError: If there is none of this name, or the file is none of a task.

    Example:
        >>> find_task("tf").length
        101
    """
    if isinstance(task, Task):
        return task
    if task.endswith(TASK_SUFFIXES):
        return _read_task(Path(task))
    check_names([task], TASKS, "tasks")
    return TASKS[task]


def _read_task(path: Path) -> Task:
    content = read_mapping(path, fields="fields of a task, such as length: 200")
    check_names(content, [field.name for field in fields(Task)], f"fields of {path}")
    values: dict[str, Any] = {"name": path.stem}
    for name, value in content.items():
        kind, called = _KINDS.get(name, (str, "text"))
        if type(value) is not kind:
            raise ValueError(f"{path}: {name} must be {called}, found {value!r}; correct it")
        values[name] = _texts(value, f"{path}: {name}") if kind is list else value
    values["recipes"] = {
        start: _typed(recipe, f"{path}: the recipe {start!r}")
        for start, recipe in values.get("recipes", {}).items()
    }
    try:
        return Task(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _texts(values: Any, field: str) -> tuple[str, ...]:
    if any(isinstance(value, bool) for value in values):
        raise ValueError(
            f"{field} must be texts, found {values!r}, as YAML reads yes and no; put them in quotes"
        )
    return tuple(map(str, values))


def _typed(recipe: Any, field: str) -> dict[str, Any]:
    """Read values that YAML takes for texts, such as 1e-4, as the fields of training have them."""
    if not isinstance(recipe, dict):
        raise ValueError(f"{field} must be a mapping of training arguments, found {recipe!r}")
    texts = {name: value for name, value in recipe.items() if isinstance(value, str)}
    if not texts:
        return recipe
    from dnabert_hf.training.shared.arguments import parse_arguments  # waits for torch

    return recipe | parse_arguments(f"{name}={value}" for name, value in texts.items())
