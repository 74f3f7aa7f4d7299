"""Attention over the course of training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dnabert_hf.data.reading.sources import Source, open_source
from dnabert_hf.interpretation.attribution.attention import attention_scores
from dnabert_hf.interpretation.attribution.landscape import (
    Alignment,
    Landscape,
    attention_landscape,
    check_alignment,
)

__all__ = ["TrainingStep", "attention_during_training", "find_checkpoints"]


class TrainingStep(NamedTuple):
    """Mean attention at one point of training.

    Attributes:
        name: Name of the checkpoint.
        landscape: Mean score by position.
    """

    name: str
    landscape: Landscape


def attention_during_training(
    checkpoints: str | Path | Sequence[str | Path],
    source: Source,
    *,
    align: Alignment | None = None,
    **options: Any,
) -> list[TrainingStep]:
    """Average the scores of sequences by position, for each checkpoint of a training run.

    Args:
        checkpoints: Folders of checkpoints in order, or the folder of a Trainer with folders
            `checkpoint-<step>`.
        source: Sequences, or a file of them.
        align: Where sequences of unequal length are laid on each other.
        **options: Further arguments of `attention_scores`, such as `layer`.

    Raises:
        ValueError: If there are no checkpoints or no sequences, one cannot be used, or lengths
            differ and no alignment is chosen.
    """
    folders = (
        find_checkpoints(checkpoints)
        if isinstance(checkpoints, str | Path)
        else [Path(each) for each in checkpoints]
    )
    records = list(open_source(source, k=1, columns=options.pop("columns", None)))
    check_alignment([len(record.sequence) for record in records], align)
    steps = []
    for folder in folders:
        scored: Any = attention_scores(folder, records, **options)
        rows = {folder.name: [each.scores for each in scored]}
        (landscape,) = attention_landscape(rows, align=align)
        steps.append(TrainingStep(folder.name, landscape))
    return steps


def find_checkpoints(folder: str | Path) -> list[Path]:
    """Find the checkpoints that a Trainer wrote, by step.

    Args:
        folder: Folder that holds them, or one whose folder `checkpoints` does.

    Raises:
        ValueError: If there are none.
    """
    folder = Path(folder)
    found = [*folder.glob("checkpoint-*"), *folder.glob("checkpoints/checkpoint-*")]
    numbered = [path for path in found if path.name.rpartition("-")[2].isdecimal()]
    if not numbered:
        raise ValueError(
            f"{folder} must hold folders checkpoint-<step>, found none; train with save_strategy "
            "and keep them, or name the folders"
        )
    return sorted(numbered, key=lambda path: int(path.name.rpartition("-")[2]))
