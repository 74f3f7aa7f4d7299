"""Models x data sets x seeds, each cell a folder, so that a benchmark can be stopped and go on."""

import json
import logging
import multiprocessing
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from dnabert_hf.data.labelled.dataset import read_dataset
from dnabert_hf.data.labelled.splits import with_lengths
from dnabert_hf.files.atomic import write_json, write_text
from dnabert_hf.files.environment import describe_machine
from dnabert_hf.metrics.scores import LOWER_IS_BETTER
from dnabert_hf.training.benchmark.data import (
    check_splits_of,
    forget_subsets,
    read_contents,
    without_repeats,
    write_subset,
)
from dnabert_hf.training.benchmark.inputs import INPUTS, Inputs
from dnabert_hf.training.benchmark.report import CellResult, write_report
from dnabert_hf.training.benchmark.suite import KMER_REGRESSION, Cell, DataEntry, ModelEntry, Suite
from dnabert_hf.training.finetuning.finetune import finetune
from dnabert_hf.training.kmer_counts.kmer_regression import score_kmer_regression
from dnabert_hf.training.tasks.presets import GENERIC, find_task

__all__ = ["SETS", "benchmark"]

logger = logging.getLogger(__name__)

SETS = "sets"  # folder of the data sets that were made for the benchmark
_ERROR = "error.txt"
_SCORES = "metrics.json"
_SUITE = "benchmark.json"
_LOCK = ".benchmark.lock"
_DRAWN_FROM = "drawn_from"  # in it: fingerprints of the data sets that the tables were drawn from


def benchmark(
    suite: Suite, output_dir: str | Path, *, processes: int = 1, is_part: bool = False
) -> dict[Cell, float]:
    """Run every cell of a benchmark that has not been run yet, and write the report.

    The models of a data set and seed train on the same sequences and are tested on the same ones.
    Where a model has several learning rates, the first seed's validation metric chooses, for each
    data set and number of labels. Numbers of labels that a data set has not are left out where
    another stands for all it has. A cell that fails is written down, and the others go on; the next
    call tries it again. The folder receives `report.md`, `scores.tsv`, `scores.png` and the cells'
    own folders, as `finetune` writes them, without weights.

    A cell that is done stays as it is, unless the rows of its data set, the weights that its model
    starts from or its task are others today: it is run again then, and a warning says so.

    Args:
        suite: What to compare.
        output_dir: Folder to write; what an earlier call left in it counts.
        processes: Cells that run at the same time, each on one thread if there are several. They
            are spawned: a script that asks for several must call this under `if __name__ ==
            "__main__":`.
        is_part: Whether the suite is the share of one of several machines (`part_of`): no report is
            written. The call for the whole, in the folder that holds the cells of all, writes it.

    Returns:
        Test metric of every cell that ended well.

    Raises:
        ValueError: If the folder belongs to another benchmark, or a data set of which there are
            cells to run cannot be read or has no training or test split.
        ChildProcessError: If a process was killed, as by a lack of memory.
        KeyboardInterrupt: If it is stopped; give the same again to go on.
    """
    contents = {name: read_contents(entry) for name, entry in suite.data.items()}
    place = _Place(Path(output_dir), Inputs.of(suite, contents))
    open_data = {c.data for c in _first_cells(suite) if place.report(c) is None}
    check_splits_of(suite, {n: found for n, found in contents.items() if n in open_data})
    _claim(suite, place)
    suite = without_repeats(suite, contents)
    first = _first_cells(suite)
    _warn_of_changes([replace(cell, seed=seed) for cell in first for seed in suite.seeds], place)
    _run(first, suite, place, processes)
    chosen = list(_chosen_cells(suite, place))
    every = dict.fromkeys([*first, *chosen])
    # What failed is not tried twice in a call.
    _run([cell for cell in chosen if cell not in first], suite, place, processes)
    done = {cell: result for cell in every if (result := _result(cell, suite, place))}
    errors = {cell: error for cell in every if (error := _error(cell, suite, place))}
    if not is_part:
        write_report(suite, done, chosen, place.folder, errors=errors)
    return {cell: done[cell].score for cell in chosen if cell in done}


@dataclass(frozen=True)
class _Place:
    """Where the cells lie, and what they learn from today."""

    folder: Path
    inputs: Inputs

    def written(self, cell: Cell) -> dict[str, Any] | None:
        """Read the report of a cell that was run to its end; None if there is none."""
        try:
            path = self.folder / cell.folder() / _SCORES
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        # That of `finetune` comes first: a cell that was killed right after it is not tidied yet.
        return content if "machine" in content else None

    def report(self, cell: Cell) -> dict[str, Any] | None:
        """Read the report of a cell that is done, on the inputs of today."""
        content = self.written(cell)
        return None if content is None or self.inputs.changed(cell, content) else content


def _warn_of_changes(cells: Iterable[Cell], place: _Place) -> None:
    """Say which cells are run again as their inputs changed, before any result is replaced."""
    changes = [place.inputs.changed(cell, place.written(cell) or {}) for cell in cells]
    changed = list(dict.fromkeys(each for found in changes for each in found))
    if changed:
        logger.warning(
            "%d cells are run again, as there are others since: %s; stop, and put back what was, "
            "to keep their scores",
            *(sum(map(bool, changes)), ", ".join(changed)),
        )


def _claim(suite: Suite, place: _Place) -> None:
    """Make sure that the folder is of this benchmark; machines that share it come one by one."""
    place.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(place.folder / _LOCK):
        _claim_alone(suite, place)


def _claim_alone(suite: Suite, place: _Place) -> None:
    """Compare models and data with what they ever were in the folder, and note them."""
    folder = place.folder
    settings: dict[str, Any] = {
        "data": {name: _describe_data(entry) for name, entry in suite.data.items()},
        "models": {model.name: _describe_model(model) for model in suite.models},
        "limits": [suite.dev, suite.test],
        "metric": suite.metric,
    }
    path = folder / _SUITE
    earlier: dict[str, Any] = {}
    settings = json.loads(json.dumps(settings, default=str))
    if path.exists():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        for part, value in settings.items():
            before, now = earlier[part], value
            if isinstance(value, dict):  # what is common must be the same; what was, stays known
                common = before.keys() & value.keys()
                before = {name: before[name] for name in sorted(common)}
                now = {name: value[name] for name in sorted(common)}
                settings[part] = earlier[part] | value
            if before != now:
                raise ValueError(
                    f"{folder}: a benchmark must go on with the {part} it began with, found "
                    f"{before} there; choose another folder"
                )
    elif any(each.name not in (SETS, _LOCK) for each in folder.iterdir()):
        raise ValueError(f"{folder}: the output folder must be empty or a benchmark's, found files")
    settings[_DRAWN_FROM] = dict(earlier.get(_DRAWN_FROM, {}))
    for name, rows in place.inputs.data.items():
        if rows is None:
            continue
        if settings[_DRAWN_FROM].get(name, rows) != rows:
            forget_subsets(name, folder)
        settings[_DRAWN_FROM][name] = rows
    write_json(settings, path)


def _describe_data(entry: DataEntry) -> Any:
    """Say what makes two data sets the same, by what differs from a plain file."""
    changed = {
        name: value
        for name, value in asdict(entry).items()
        if name not in ("path", "labels") and value != asdict(DataEntry())[name]
    }
    return changed | {"path": str(entry.path)} if changed else str(entry.path)


def _describe_model(model: ModelEntry) -> dict[str, Any]:
    """Say what makes two models the same; learning rates may be added, being other cells."""
    fields = asdict(model)
    return {name: value for name, value in fields.items() if name not in ("name", "learning_rates")}


def _first_cells(suite: Suite) -> list[Cell]:
    """List the cells of the first seed at every learning rate."""
    return [
        Cell(data, labels, model.name, rate, suite.seeds[0])
        for data, labels in suite.cases()
        for model in suite.models
        for rate in model.learning_rates or (None,)
    ]


def _chosen_cells(suite: Suite, place: _Place) -> Iterator[Cell]:
    """Yield the cells of every seed, at the learning rate that was best for the first."""
    first: dict[tuple[str, int | None, str], list[Cell]] = {}
    for cell in _first_cells(suite):
        first.setdefault((cell.data, cell.labels, cell.model), []).append(cell)
    choose = min if suite.metric in LOWER_IS_BETTER else max
    for cells in first.values():
        ranked = {cell: _result(cell, suite, place, split="validation") for cell in cells}
        done = {cell: result.score for cell, result in ranked.items() if result is not None}
        best = choose(done, key=lambda cell: done[cell]) if done else cells[0]
        for seed in suite.seeds:
            yield replace(best, seed=seed)


def _result(cell: Cell, suite: Suite, place: _Place, *, split: str = "test") -> CellResult | None:
    """Read what came of a cell; None if it is not done or the metric is undefined."""
    content = place.report(cell)
    if content is None:
        return None
    score = content["scores"].get(split, {}).get(suite.metric)
    if score is None:
        return None
    return CellResult(float(score), content.get("seconds"), content.get("machine"))


def _error(cell: Cell, suite: Suite, place: _Place) -> str | None:
    """Say why a cell has no result; None if it has one or has not been run."""
    if place.report(cell) is None:
        path = place.folder / cell.folder() / _ERROR
        return path.read_text(encoding="utf-8").strip() if path.exists() else None
    has_score = _result(cell, suite, place) is not None
    return None if has_score else f"the test split leaves {suite.metric} undefined"


def _run(cells: Iterable[Cell], suite: Suite, place: _Place, processes: int) -> None:
    """Run the cells that are not done."""
    waiting = [c for c in dict.fromkeys(cells) if place.report(c) is None]
    entries = {model.name: model for model in suite.models}
    tasks = [(cell, suite, entries[cell.model], place, processes > 1) for cell in waiting]
    n_done = 0
    try:
        for cell, outcome in _outcomes(tasks, processes):
            n_done += 1
            _report_progress(n_done, len(tasks), cell, outcome)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped after {n_done} of {len(tasks)} cells; give the same again to go on"
        ) from None
    except BrokenProcessPool as error:
        raise ChildProcessError(
            f"a process was killed after {n_done} of {len(tasks)} cells, as happens when memory "
            "runs out; give the same again to go on, with fewer processes"
        ) from error


def _outcomes(tasks: Sequence[tuple[Any, ...]], processes: int) -> Iterator[tuple[Cell, str]]:
    """Yield every cell, and what became of it, as they end."""
    if processes == 1:
        for task in tasks:
            yield task[0], _run_cell(*task)
        return
    # Not forked: threads of torch do not survive that.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context)
    try:
        futures = {pool.submit(_run_cell, *task): task[0] for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _report_progress(number: int, total: int, cell: Cell, outcome: str) -> None:
    rate = "" if cell.learning_rate is None else f", rate {cell.learning_rate:g}"
    labels = "all labels" if cell.labels is None else f"{cell.labels} labels"
    described = f"{cell.data}, {labels}, {cell.model}{rate}, seed {cell.seed}"
    logger.info("%d of %d: %s: %s", number, total, described, outcome)


def _run_cell(cell: Cell, suite: Suite, model: ModelEntry, place: _Place, is_parallel: bool) -> str:
    """Run a cell; what became of it, in words."""
    if is_parallel:
        import torch

        torch.set_num_threads(1)
    target = place.folder / cell.folder()
    target.mkdir(parents=True, exist_ok=True)
    (target / _ERROR).unlink(missing_ok=True)
    begin = time.perf_counter()
    try:
        table = write_subset(suite, cell, place.folder)
        task = model.task or suite.data[cell.data].task or GENERIC
        if model.init == KMER_REGRESSION:
            report = _regression_report(table, model.k, task)
        else:
            report = _finetuning_report(table, cell, model, target, task)
    except Exception as error:  # noqa: BLE001  # whatever it is, the other cells go on
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
        write_text(message + "\n", target / _ERROR)
        return f"failed: {message}"
    report |= {"seconds": time.perf_counter() - begin, "machine": describe_machine()}
    report[INPUTS] = place.inputs.note(cell)
    write_json(report, target / _SCORES)
    value = report["scores"]["test"].get(suite.metric)
    return f"{suite.metric} {'undefined' if value is None else f'{value:.3f}'}"


def _finetuning_report(
    table: Path, cell: Cell, model: ModelEntry, target: Path, task: str
) -> dict[str, Any]:
    rate = {} if cell.learning_rate is None else {"learning_rate": cell.learning_rate}
    finetune(
        model.init,
        table,
        output_dir=target,
        task=task,
        config=model.config,
        arguments=dict(model.arguments) | {"seed": cell.seed} | rate,
        reinitialise_layers=model.reinitialise_layers,
        reports=False,
        overwrite=True,
    )
    # The scores are what is kept: models of hundreds of cells would fill a disk.
    (target / "model.safetensors").unlink(missing_ok=True)
    report: dict[str, Any] = json.loads((target / _SCORES).read_text(encoding="utf-8"))
    return report


def _regression_report(table: Path, k: int, task: str) -> dict[str, Any]:
    preset = find_task(task)
    splits, scheme = read_dataset(table, problem_type=preset.problem_type)
    preset.check(with_lengths(splits)[0], scheme)
    scores = score_kmer_regression(splits, scheme, k=k)
    return {"scores": scores, "model": KMER_REGRESSION, "k": k, "task": task}
