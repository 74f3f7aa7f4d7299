"""What a benchmark compares: data sets, models, seeds and numbers of labels, from one YAML file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnabert_hf.training.arguments import check_names

__all__ = ["Cell", "ModelEntry", "Suite", "read_suite"]

KMER_REGRESSION = "kmers"  # in place of a start: logistic regression on k-mer counts

_SUITE_FIELDS = ("title", "data", "models", "seeds", "labels", "dev", "test", "metric")
_MODEL_FIELDS = ("init", "learning_rates", "config", "arguments", "k")
_DEFAULT_SEEDS = (0, 1)


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
        k: Bases per k-mer that the regression counts.
    """

    name: str
    init: str
    learning_rates: tuple[float, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    k: int = 5


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
        return Path("cells", _slug(self.data), labels, _slug(self.model), rate, f"seed-{self.seed}")


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Attributes:
        title: Heading of the report.
        data: File or folder of each data set, by name.
        models: The models.
        seeds: Seeds of every model and data set.
        labels: Numbers of training sequences; None for all of them.
        dev: Validation sequences at most; None for all.
        test: Test sequences at most; None for all.
        metric: What is compared, on the test split.
    """

    title: str
    data: Mapping[str, Path]
    models: tuple[ModelEntry, ...]
    seeds: tuple[int, ...] = _DEFAULT_SEEDS
    labels: tuple[int | None, ...] = (None,)
    dev: int | None = None
    test: int | None = None
    metric: str = "mcc"


def read_suite(path: str | Path, *, data_folder: str | Path | None = None) -> Suite:
    """Read a benchmark from a YAML file.

    Args:
        path: The file.
        data_folder: Where relative paths of data sets begin; by default the folder of the file.

    Returns:
        The benchmark.

    Raises:
        ValueError: If the file is no YAML, a field is missing, not known or of the wrong kind, a
            data set is not there, or two names would share a folder.
    """
    import yaml

    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} must be a readable YAML file: {reason}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold fields such as data and models, found none")
    check_names(content, _SUITE_FIELDS, f"fields of {path}")
    for name in ("data", "models"):
        if not isinstance(content.get(name), dict) or not content[name]:
            raise ValueError(
                f"{path}: {name} must be a mapping with an entry for each, found "
                f"{content.get(name)!r}"
            )
    root = path.parent if data_folder is None else Path(data_folder)
    data = {str(name): root / str(place) for name, place in content["data"].items()}
    for name, place in data.items():
        if not place.exists():
            raise ValueError(
                f"{path}: the data set {name!r} must be a file or folder, found none at {place}; "
                "correct the path or say where the data lie (--data)"
            )
    models = tuple(_model(path, str(name), entry) for name, entry in content["models"].items())
    for names in (list(data), [model.name for model in models]):
        if len({_slug(name) for name in names}) < len(names):
            raise ValueError(f"{path}: names must differ in their letters and digits, got {names}")
    return Suite(
        title=str(content.get("title", path.stem)),
        data=data,
        models=models,
        seeds=tuple(_whole_numbers(path, "seeds", content.get("seeds", list(_DEFAULT_SEEDS)), 0)),
        labels=tuple(
            None if n == "all" else _whole_numbers(path, "labels", [n], 2)[0]
            for n in _as_list(content.get("labels", "all"))
        ),
        dev=_limit(path, content, "dev"),
        test=_limit(path, content, "test"),
        metric=str(content.get("metric", "mcc")),
    )


def _model(path: Path, name: str, entry: Any) -> ModelEntry:
    if not isinstance(entry, dict) or not isinstance(entry.get("init"), str):
        raise ValueError(
            f"{path}: the model {name!r} must say where it starts, such as init: dnabert-6-mini, "
            f"found {entry!r}"
        )
    check_names(entry, _MODEL_FIELDS, f"fields of the model {name!r} in {path}")
    try:
        rates = tuple(float(rate) for rate in _as_list(entry.get("learning_rates", [])))
    except (TypeError, ValueError):
        rates = (-1.0,)
    if any(rate <= 0 for rate in rates):
        raise ValueError(
            f"{path}: the learning rates of {name!r} must be numbers above 0, found "
            f"{entry['learning_rates']!r}"
        )
    return ModelEntry(
        name=name,
        init=entry["init"],
        learning_rates=rates,
        config=dict(entry.get("config") or {}),
        arguments=dict(entry.get("arguments") or {}),
        k=_whole_numbers(path, f"k of {name!r}", [entry.get("k", 5)], 1)[0],
    )


def _limit(path: Path, content: Mapping[str, Any], name: str) -> int | None:
    value = content.get(name, "all")
    return None if value == "all" else _whole_numbers(path, name, [value], 2)[0]


def _whole_numbers(path: Path, name: str, values: Any, least: int) -> list[int]:
    values = _as_list(values)
    if not values or any(type(value) is not int or value < least for value in values):
        raise ValueError(f"{path}: {name} must be whole numbers from {least} on, found {values!r}")
    return list(values)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _slug(name: str) -> str:
    """Make a name fit for a folder.

    Example:
        >>> _slug("CNN + LSTM, 101 bp")
        'CNN-LSTM-101-bp'
    """
    return "-".join("".join(c if c.isalnum() else " " for c in name).split())
