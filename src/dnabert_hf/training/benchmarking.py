"""Models x data sets x seeds, each cell a folder, so that a benchmark can be stopped and go on."""

import csv
import json
import logging
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.data.json_files import write_json
from dnabert_hf.data.labelled import iterate_labelled, read_dataset
from dnabert_hf.metrics import score_classification
from dnabert_hf.training.baselines import kmer_logistic_regression
from dnabert_hf.training.benchmark_report import write_report
from dnabert_hf.training.finetuning import finetune
from dnabert_hf.training.splits import labels_of
from dnabert_hf.training.suite import KMER_REGRESSION, Cell, ModelEntry, Suite

__all__ = ["benchmark"]

logger = logging.getLogger(__name__)

_ERROR = "error.txt"
_SCORES = "metrics.json"
_SPLITS = ("train", "validation", "test")


def benchmark(suite: Suite, output_dir: str | Path, *, processes: int = 1) -> dict[Cell, float]:
    """Run every cell of a benchmark that has not been run yet, and write the report.

    The models of a data set and seed train on the same sequences and are tested on the same ones.
    Where a model has several learning rates, the first seed's validation metric chooses, for each
    data set and number of labels. A cell that fails is written down, and the others go on; the next
    call tries it again. The folder receives `report.md`, `scores.tsv`, `scores.png` and the cells'
    own folders, as `finetune` writes them.

    Args:
        suite: What to compare.
        output_dir: Folder to write; what an earlier call left in it counts.
        processes: Cells that run at the same time, each on one thread if there are several.

    Returns:
        Test metric of every cell that ended well.

    Raises:
        ValueError: If the folder belongs to another benchmark.
        KeyboardInterrupt: If it is stopped; give the same again to go on.
    """
    folder = Path(output_dir)
    _claim(suite, folder)
    entries = {model.name: model for model in suite.models}
    _run(_first_cells(suite), suite, entries, folder, processes)
    chosen = list(_chosen_cells(suite, folder))
    _run(chosen, suite, entries, folder, processes)
    scores = {cell: score for cell in chosen if (score := _score(cell, suite, folder)) is not None}
    errors = {
        cell: (folder / cell.folder() / _ERROR).read_text(encoding="utf-8").strip()
        for cell in dict.fromkeys([*_first_cells(suite), *chosen])
        if (folder / cell.folder() / _ERROR).exists()
    }
    write_report(suite, scores, errors, folder)
    return scores


def _claim(suite: Suite, folder: Path) -> None:
    """Make sure that the folder is of this benchmark: models and data as they were."""
    settings = {
        "data": {name: str(place) for name, place in suite.data.items()},
        "models": {m.name: [m.init, dict(m.config), dict(m.arguments), m.k] for m in suite.models},
        "limits": [suite.dev, suite.test],
        "metric": suite.metric,
    }
    path = folder / "benchmark.json"
    settings = json.loads(json.dumps(settings, default=str))
    if path.exists():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        for part, value in settings.items():
            same = value
            if isinstance(value, dict):  # more may have come; what was there must be as it was
                same = {name: value[name] for name in earlier[part] if name in value}
                earlier[part] = {name: earlier[part][name] for name in same}
            if earlier[part] != same:
                raise ValueError(
                    f"{folder}: a benchmark must go on with the {part} it began with, found "
                    f"{earlier[part]} there; choose another folder"
                )
    elif folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: the output folder must be empty or a benchmark's, found files")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(settings, path)


def _first_cells(suite: Suite) -> list[Cell]:
    """List the cells of the first seed at every learning rate."""
    return [
        Cell(data, labels, model.name, rate, suite.seeds[0])
        for data in suite.data
        for labels in suite.labels
        for model in suite.models
        for rate in model.learning_rates or (None,)
    ]


def _chosen_cells(suite: Suite, folder: Path) -> Iterator[Cell]:
    """Yield the cells of every seed, at the learning rate that was best for the first."""
    first: dict[tuple[str, int | None, str], list[Cell]] = {}
    for cell in _first_cells(suite):
        first.setdefault((cell.data, cell.labels, cell.model), []).append(cell)
    for cells in first.values():
        ranked = {cell: _score(cell, suite, folder, split="validation") for cell in cells}
        done = {cell: score for cell, score in ranked.items() if score is not None}
        best = max(done, key=lambda cell: done[cell]) if done else cells[0]
        for seed in suite.seeds:
            yield replace(best, seed=seed)


def _score(cell: Cell, suite: Suite, folder: Path, *, split: str = "test") -> float | None:
    path = folder / cell.folder() / _SCORES
    if not path.exists():
        return None
    scores = json.loads(path.read_text(encoding="utf-8"))["scores"]
    score = scores[split].get(suite.metric)
    return None if score is None else float(score)


def _run(
    cells: Iterable[Cell],
    suite: Suite,
    entries: dict[str, ModelEntry],
    folder: Path,
    processes: int,
) -> None:
    """Run the cells that are not done."""
    waiting = [c for c in dict.fromkeys(cells) if not (folder / c.folder() / _SCORES).exists()]
    tasks = [(cell, suite, entries[cell.model], folder, processes > 1) for cell in waiting]
    if processes == 1:
        for number, task in enumerate(tasks, start=1):
            _report_progress(number, len(tasks), task[0], _run_cell(*task))
        return
    # Not forked: threads of torch do not survive that.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        futures = {pool.submit(_run_cell, *task): task[0] for task in tasks}
        for number, future in enumerate(as_completed(futures), start=1):
            _report_progress(number, len(tasks), futures[future], future.result())


def _report_progress(number: int, total: int, cell: Cell, outcome: str) -> None:
    rate = "" if cell.learning_rate is None else f", rate {cell.learning_rate:g}"
    labels = "all labels" if cell.labels is None else f"{cell.labels} labels"
    where = f"{cell.data}, {labels}, {cell.model}{rate}, seed {cell.seed}"
    logger.info("%d of %d: %s: %s", number, total, where, outcome)


def _run_cell(
    cell: Cell, suite: Suite, model: ModelEntry, folder: Path, is_one_of_several: bool
) -> str:
    """Run a cell; what became of it, in words."""
    if is_one_of_several:
        import torch

        torch.set_num_threads(1)
    target = folder / cell.folder()
    target.mkdir(parents=True, exist_ok=True)
    (target / _ERROR).unlink(missing_ok=True)
    try:
        table = _write_subset(suite, cell, folder)
        if model.init == KMER_REGRESSION:
            scores = _score_regression(table, model.k)
            write_json({"scores": scores, "model": KMER_REGRESSION, "k": model.k}, target / _SCORES)
        else:
            scores = finetune(
                model.init,
                table,
                output_dir=target,
                config=model.config,
                arguments=dict(model.arguments)
                | {"seed": cell.seed}
                | ({} if cell.learning_rate is None else {"learning_rate": cell.learning_rate}),
                overwrite=True,
            ).scores
            # The scores are what is kept: models of hundreds of cells would fill a disk.
            (target / "model.safetensors").unlink(missing_ok=True)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
        (target / _ERROR).write_text(message + "\n", encoding="utf-8")
        return f"failed: {message}"
    value = scores["test"].get(suite.metric)
    return f"{suite.metric} {'undefined' if value is None else f'{value:.3f}'}"


def _write_subset(suite: Suite, cell: Cell, folder: Path) -> Path:
    """Draw sequences by data set and seed, the same for every model; those of the test once."""
    labels = "all" if cell.labels is None else str(cell.labels)
    path = folder / "data" / f"{cell.folder().parts[1]}-{labels}-seed-{cell.seed}.tsv"
    if path.exists():
        return path
    rows: dict[str, list[list[str]]] = {split: [] for split in _SPLITS}
    is_pair = False
    for split, record, _ in iterate_labelled(suite.data[cell.data]):
        is_pair = record.sequence_b is not None
        both = [record.sequence, record.sequence_b or ""] if is_pair else [record.sequence]
        rows[split].append([record.id, *both, record.label or "", split])
    limits = dict(zip(_SPLITS, (cell.labels, suite.dev, suite.test), strict=True))
    if not rows["test"]:
        raise ValueError(f"{suite.data[cell.data]} must have a test split to be compared on")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{cell.folder().parts[3]}.partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        columns = ["sequence", "sequence_b"] if is_pair else ["sequence"]
        writer.writerow(["id", *columns, "label", "split"])
        for split in _SPLITS:
            seed = 0 if split == "test" else cell.seed
            order = np.random.default_rng(seed).permutation(len(rows[split]))
            writer.writerows(rows[split][i] for i in np.sort(order[: limits[split]]))
    partial.replace(path)
    return path


def _score_regression(table: Path, k: int) -> dict[str, dict[str, float]]:
    splits, scheme = read_dataset(table)
    if scheme.problem_type != "single_label_classification":
        raise ValueError("logistic regression on k-mer counts must have one class a sequence")
    train = splits["train"]
    scores = {}
    for name in [name for name in _SPLITS[1:] if name in splits]:
        sequences: Sequence[str] = splits[name]["sequence"]
        arguments: Any = (list(train["sequence"]), labels_of(train), list(sequences))
        probabilities = kmer_logistic_regression(*arguments, k=k)
        labels = labels_of(splits[name])
        scores[name] = score_classification(labels, probabilities, names=scheme.names)
    return scores
