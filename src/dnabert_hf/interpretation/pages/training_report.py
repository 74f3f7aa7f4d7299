"""The report of attention in the course of a training, from the checkpoints that were kept."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sources import Source, open_source
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.interpretation.attribution.attention import Query, attention_scores
from dnabert_hf.interpretation.attribution.attention_over_training import (
    TrainingStep,
    find_checkpoints,
)
from dnabert_hf.interpretation.attribution.landscape import (
    Alignment,
    attention_landscape,
    check_alignment,
)
from dnabert_hf.interpretation.pages.page import Page, report_folder
from dnabert_hf.interpretation.plots.attention_context import plot_training

__all__ = ["report_training"]

_ALL = "all sequences"
_MOST_CLASSES = 8
_COLUMNS = ("checkpoint", "label", "position", "mean", "low", "high", "n_sequences")

_Scores = Sequence[np.ndarray]


def report_training(
    model: str | Path,
    source: Source,
    folder: str | Path,
    *,
    align: Alignment | None = None,
    layer: int = -1,
    heads: Sequence[int] | None = None,
    query: Query | None = None,
    **options: Unpack[RunFields],
) -> Path:
    """Write a folder that shows attention in the course of a training: index.html, pictures, table.

    A heat map of each class as Figure 6e of Ji et al. 2021, a row a checkpoint, and how like the
    scores of single sequences are to those of the last checkpoint. Scores are held in memory.

    Args:
        model: Folder of a training that kept its checkpoints (`keep_checkpoints`).
        source: FASTA, FASTQ, table or k-mer text, or sequences; labels are the classes, if there
            are no more than eight.
        folder: Folder to make; it is there only when it is whole.
        align: Where sequences of unequal length are laid on each other.
        layer: Layer, 0-based; negative ones count from the last.
        heads: Heads to sum over, 0-based; None takes all.
        query: Whose attention, as in `attention_scores`.
        **options: The fields of `RunOptions`; there are no shards.

    Returns:
        The page.

    Raises:
        ValueError: If there are no checkpoints or sequences, something cannot be used, or lengths
            differ and no alignment is chosen.
    """
    running = RunOptions.of(options, excluded=["shard", "skip_short"])
    checkpoints = find_checkpoints(model)
    records = list(open_source(source, k=1, columns=running.columns))
    if not records:
        raise ValueError("a report must have sequences to show, found none")
    check_alignment([len(record.sequence) for record in records], align)
    groups = _group(records)
    with report_folder(folder, overwrite=running.overwrite) as in_work:
        scores = {
            checkpoint.name: _score(
                checkpoint, records, running, layer=layer, heads=heads, query=query
            )
            for checkpoint in checkpoints
        }
        steps = {
            name: [
                TrainingStep(
                    step, attention_landscape({name: [of[i] for i in rows]}, align=align)[0]
                )
                for step, of in scores.items()
            ]
            for name, rows in groups.items()
        }
        _write_table(steps, in_work / "landscape.tsv")
        page = Page(
            "Attention in the course of training",
            lead=f"{len(checkpoints)} checkpoints of {model} on {len(records):,} sequences; each "
            "sequence divided by its Euclidean norm.",
        )
        for number, (name, of_class) in enumerate(steps.items()):
            picture = in_work / f"training-{number}.png"
            plot_training(of_class, picture)
            page.heading(name)
            page.figure(
                picture,
                alt=f"Mean attention by position and checkpoint, {name}",
                caption=f"{len(groups[name]):,} sequences: mean score by position, a row a "
                "checkpoint, the first above.",
                is_wide=True,
            )
        _add_likeness(page, scores, steps)
        page.heading("Files")
        page.files({"landscape.tsv": "mean score, 95 % interval by checkpoint, class and position"})
        page.write(in_work / "index.html")
    return Path(folder) / "index.html"


def _group(records: Sequence[SequenceRecord]) -> dict[str, list[int]]:
    """Number the sequences of each class; all are one without labels, or with many."""
    groups: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        groups.setdefault(_ALL if record.label is None else f"class {record.label}", []).append(
            number
        )
    return groups if len(groups) <= _MOST_CLASSES else {_ALL: list(range(len(records)))}


def _score(
    checkpoint: Path, records: Sequence[SequenceRecord], running: RunOptions, **how: Any
) -> _Scores:
    found: Any = attention_scores(
        checkpoint,
        records,
        tokenizer=running.tokenizer,
        device=running.device,
        dtype=running.dtype,
        batch_tokens=running.batch_tokens,
        **how,
    )
    return [each.scores for each in found]


def _write_table(steps: Mapping[str, Sequence[TrainingStep]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(_COLUMNS)
        for name, of_class in steps.items():
            for step, landscape in of_class:
                numbers = (landscape.means, landscape.low, landscape.high)
                for place, position in enumerate(landscape.positions.tolist()):
                    cells = ["" if np.isnan(row[place]) else f"{row[place]:.6g}" for row in numbers]
                    n = int(landscape.n_sequences[place])
                    writer.writerow([step, name, position, *cells, n])


def _add_likeness(
    page: Page, scores: Mapping[str, _Scores], steps: Mapping[str, Sequence[TrainingStep]]
) -> None:
    """Say when attention settles: how like each checkpoint is to the last, and its peaks."""
    *_, last = scores.values()
    rows: list[list[str | float]] = []
    for place, (name, of_step) in enumerate(scores.items()):
        cosines = [float(_cosine(one, other)) for one, other in zip(of_step, last, strict=True)]
        peaks = [of_class[place].landscape.peak() for of_class in steps.values()]
        rows.append([name, float(np.mean(cosines)), *peaks])
    page.heading("When attention settles")
    page.table(
        "Likeness to the last checkpoint, and the position of the largest mean",
        ["checkpoint", "cosine", *(f"peak, {name}" for name in steps)],
        rows,
    )
    page.text(
        "Cosine: mean over the sequences of the cosine between their scores and those of the last "
        "checkpoint; 1 is the same shape. Scores are never below 0, so that unlike ones are far "
        "above 0 as well. Where attention lies is no proof that the model uses what lies there."
    )


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    norm = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / norm) if norm else 1.0
