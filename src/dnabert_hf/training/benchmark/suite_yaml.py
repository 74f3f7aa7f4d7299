"""Benchmarks from YAML files: those of users, and those that come with the package."""

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from dnabert_hf.data.labelled.folders import find_datasets, resolve_dataset
from dnabert_hf.data.reading.records import Columns
from dnabert_hf.files.yaml import read_mapping
from dnabert_hf.metrics.scores import BINARY_METRIC_NAMES, METRIC_NAMES
from dnabert_hf.training.benchmark.suite import DataEntry, ModelEntry, Suite, slug
from dnabert_hf.training.shared.names import check_names
from dnabert_hf.training.tasks.presets import TASK_SUFFIXES, find_task

__all__ = ["packaged_suites", "read_suite"]

logger = logging.getLogger(__name__)

_PACKAGED = Path(__file__).parents[2] / "suites"
_SUITE_FIELDS = ("title", "data", "models", "seeds", "labels", "dev", "test", "metric")
_MODEL_FIELDS = (
    *("init", "learning_rates", "config", "arguments", "reinitialise_layers", "k", "task"),
)
_LOAD_FIELDS = {"load_dataset": "path", "config": "name", "data_files": "data_files"} | {
    "data_dir": "data_dir",
    "revision": "revision",
}
_FILES = ("train", "dev", "test")
_DATA_FIELDS = ("path", *_FILES, "optional", "task", "labels", "columns", *_LOAD_FIELDS)


def packaged_suites() -> dict[str, Path]:
    """Find the benchmarks that come with the package, by name.

    Example:
        >>> sorted(packaged_suites())
        ['gue', 'labels', 'paper']
    """
    return {path.stem: path for path in sorted(_PACKAGED.glob("*.yaml"))}


def read_suite(
    path: str | Path,
    *,
    data_folder: str | Path | None = None,
    sets: Mapping[str, Mapping[str, Any]] | None = None,
) -> Suite:
    """Read a benchmark from a YAML file.

    Args:
        path: The file, or the name of a benchmark that comes with the package.
        data_folder: Where relative paths of data sets begin; by default the folder of the file.
        sets: Data sets in place of those of the file, as `read_manifest` gives them.

    Returns:
        The benchmark. A folder that is no data set itself stands for all data sets below it; those
        that are optional and not there are left out with a warning.

    Raises:
        ValueError: If the file is no YAML, a field is missing, not known or of the wrong kind, a
            data set is not there, or two names would share a folder.
    """
    file = _find_file(path, data_folder)
    content = dict(read_mapping(file, fields="fields such as data and models"))
    if sets is not None:
        content["data"] = {name: _entry_of_row(row) for name, row in sets.items()}
    check_names(content, _SUITE_FIELDS, f"fields of {file}")
    for name in ("data", "models"):
        if not isinstance(content.get(name), dict) or not content[name]:
            raise ValueError(
                f"{file}: {name} must be a mapping with an entry for each, found "
                f"{content.get(name)!r}"
            )
    root = file.parent if data_folder is None else Path(data_folder)
    data = _data_sets(file, content["data"], root)
    models = tuple(_model(file, str(name), entry) for name, entry in content["models"].items())
    for names in (list(data), [model.name for model in models]):
        if len({slug(name) for name in names}) < len(names):
            raise ValueError(f"{file}: names must differ in their letters and digits, got {names}")
    metric = str(content.get("metric", "mcc"))
    known = [*(n for names in METRIC_NAMES.values() for n in names), *BINARY_METRIC_NAMES]
    check_names([metric], known, f"metrics of {file}")
    return Suite(
        title=str(content.get("title", file.stem)),
        data=data,
        models=models,
        seeds=tuple(_whole_numbers(file, "seeds", content.get("seeds", [0, 1]), 0)),
        labels=_labels(file, content.get("labels", "all")),
        dev=_limit(file, content, "dev"),
        test=_limit(file, content, "test"),
        metric=metric,
    )


def _find_file(path: str | Path, data_folder: str | Path | None) -> Path:
    packaged = packaged_suites()
    if Path(path).is_file() or str(path) not in packaged:
        if not Path(path).suffix and not Path(path).is_file():
            raise ValueError(
                f"a suite must be a YAML file or one of {', '.join(packaged)}, which come with the "
                f"package, got {str(path)!r}"
            )
        return Path(path)
    if data_folder is None:
        raise ValueError(f"the suite {path} runs on your data: say where they lie (--data FOLDER)")
    if not Path(data_folder).is_dir():
        raise ValueError(f"the data of a suite must lie in a folder, found none at {data_folder}")
    return packaged[str(path)]


def _entry_of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Read the number of labels of a manifest's row as YAML would."""
    labels = row.get("labels")
    return {**row, "labels": int(labels)} if labels and labels.isdecimal() else dict(row)


def _data_sets(file: Path, entries: Mapping[Any, Any], root: Path) -> dict[str, DataEntry]:
    """Read the data sets of a suite, folders of several replaced by what lies in them."""
    data: dict[str, DataEntry] = {}
    missing = []
    for name, entry in entries.items():
        found = _data_set(
            file, str(name), entry if isinstance(entry, dict) else {"path": entry}, root
        )
        if not found:
            missing.append(str(name))
        for own_name, data_set in found.items():
            if own_name in data:
                raise ValueError(f"{file}: two data sets are called {own_name!r}; rename one")
            data[own_name] = data_set
    if missing and not data:
        paths = ", ".join(str(root / entries[name]["path"]) for name in missing)
        raise ValueError(f"{file}: at least one data set must be there, found none of {paths}")
    if missing:
        logger.warning("data sets that are not there are left out: %s", ", ".join(missing))
    return data


def _data_set(file: Path, name: str, entry: Mapping[str, Any], root: Path) -> dict[str, DataEntry]:
    """Read an entry: one data set, all of a folder, or none if it is optional and not there."""
    title = f"the data set {name!r} in {file}"
    check_names(entry, _DATA_FIELDS, f"fields of {title}")
    files = {split: str(root / str(entry[split])) for split in _FILES if split in entry}
    if ("path" in entry) + ("load_dataset" in entry) + bool(files) != 1:
        raise ValueError(
            f"{title} must have a path, or files of train and test, or name what load_dataset is "
            "to load, one of them"
        )
    columns = entry.get("columns") or {}
    check_names(columns, [f.name for f in fields(Columns)], f"columns of {title}")
    options: dict[str, Any] = {
        "columns": Columns(**columns),
        "task": _task(file, entry.get("task")),
        "labels": _labels(file, entry["labels"]) if "labels" in entry else (),
    }
    if "load_dataset" in entry:
        load = {own: entry[ours] for ours, own in _LOAD_FIELDS.items() if ours in entry}
        load["path"] = _beside(root, load["path"])
        if "data_files" in load:
            load["data_files"] = _beside(root, load["data_files"])
        return {name: DataEntry(load=load, **options)}
    if files:
        missing = [file for file in files.values() if not Path(file).is_file()]
        if missing or not {"train", "test"} <= set(files):
            lacks = f"no file {missing[0]}" if missing else f"only {' and '.join(files)}"
            raise ValueError(f"{title} must have files of train and test, found {lacks}")
        return {name: DataEntry(files=files, **options)}
    path = resolve_dataset(root / str(entry["path"]))
    if path is None and entry.get("optional"):
        return {}
    if path is None:
        raise ValueError(
            f"{file}: the data set {name!r} must be a file or folder, found none at "
            f"{root / str(entry['path'])}; correct the path, say where the data lie (--data), or "
            "write load_dataset: NAME for one of the Hub"
        )
    found = find_datasets(path) if path.is_dir() else {path.name: path}
    if list(found.values()) == [path]:
        return {name: DataEntry(path, **options)}
    return {own_name: DataEntry(each, **options) for own_name, each in found.items()}


def _beside(root: Path, value: Any) -> Any:
    """Put the folder of the data before names of files in it, at any depth."""
    if isinstance(value, dict):
        return {key: _beside(root, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_beside(root, item) for item in value]
    return str(root / str(value)) if (root / str(value)).exists() else str(value)


def _model(file: Path, name: str, entry: Any) -> ModelEntry:
    if not isinstance(entry, dict) or not isinstance(entry.get("init"), str):
        raise ValueError(
            f"{file}: the model {name!r} must say where it starts, such as init: dnabert-6-mini, "
            f"found {entry!r}"
        )
    check_names(entry, _MODEL_FIELDS, f"fields of the model {name!r} in {file}")
    try:
        rates = tuple(float(rate) for rate in _as_list(entry.get("learning_rates", [])))
    except (TypeError, ValueError):
        rates = (-1.0,)
    if any(rate <= 0 for rate in rates):
        raise ValueError(
            f"{file}: the learning rates of {name!r} must be numbers above 0, found "
            f"{entry['learning_rates']!r}"
        )
    return ModelEntry(
        name=name,
        init=entry["init"],
        learning_rates=rates,
        config=dict(entry.get("config") or {}),
        arguments=dict(entry.get("arguments") or {}),
        reinitialise_layers=_whole_numbers(
            file, f"reinitialise_layers of {name!r}", [entry.get("reinitialise_layers", 0)], 0
        )[0],
        k=_whole_numbers(file, f"k of {name!r}", [entry.get("k", 5)], 1)[0],
        task=_task(file, entry.get("task")),
    )


def _task(file: Path, task: Any) -> str | None:
    """Check a preset or, beside the suite or by its path, a YAML file of one's own."""
    if task is None:
        return None
    beside = file.parent / str(task)
    name = str(beside if beside.suffix in TASK_SUFFIXES and beside.is_file() else task)
    find_task(name)
    return name


def _labels(file: Path, values: Any) -> tuple[int | None, ...]:
    return tuple(
        None if n == "all" else _whole_numbers(file, "labels", [n], 2)[0] for n in _as_list(values)
    )


def _limit(file: Path, content: Mapping[str, Any], name: str) -> int | None:
    value = content.get(name, "all")
    return None if value == "all" else _whole_numbers(file, name, [value], 2)[0]


def _whole_numbers(file: Path, name: str, values: Any, least: int) -> list[int]:
    values = _as_list(values)
    if not values or any(type(value) is not int or value < least for value in values):
        raise ValueError(f"{file}: {name} must be whole numbers from {least} on, found {values!r}")
    return list(values)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
