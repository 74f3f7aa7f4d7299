"""Labelled sequences from what `datasets.load_dataset` loads: the Hub, local folders, builders."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dnabert_hf.data.labelled.dataset import known_split
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.tables import read_batches

__all__ = ["iterate_loaded"]

_BATCH_ROWS = 256


def iterate_loaded(
    path: str, *, columns: Columns | None = None, **options: Any
) -> Iterator[tuple[str, SequenceRecord, str]]:
    """Yield the split, the record and the source of every labelled sequence.

    Args:
        path: What `datasets.load_dataset` loads: a repository of the Hub, a folder, or a builder
            such as "csv" or "parquet" with `data_files`.
        columns: Names of the columns; class numbers become class names where the data have them.
        **options: Further arguments of `datasets.load_dataset`, such as `name` and `data_files`.

    Raises:
        ValueError: If there is no such data set, it has no sequences or labels, or a split has an
            unknown name.
    """
    import datasets

    try:
        splits = datasets.load_dataset(path, **options)
    except (OSError, ValueError, TypeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} must be a data set that load_dataset loads: {reason}") from error
    if not isinstance(splits, Mapping):
        raise ValueError(f"{path} must have splits, found none; leave `split` out")
    columns = columns or Columns()
    required = columns.renamed() | {"sequence", "label"}
    for name, dataset in splits.items():
        source = f"{path}, {name}"
        # One split named train is what builders make of a single file: its rows tell, if they can.
        is_single = list(splits) == ["train"] and columns.split in dataset.column_names
        for record in _records(dataset, source, columns, required):
            own = known_split(record.split or "train", source) if is_single else None
            yield own or known_split(str(name), source), record, source


def _records(
    dataset: Any, source: str, columns: Columns, required: frozenset[str]
) -> Iterator[SequenceRecord]:
    def batches(used: list[str]) -> Iterable[Any]:
        return dataset.select_columns(used).with_format("arrow").iter(_BATCH_ROWS)

    schema = dataset.features.arrow_schema
    label = dataset.features.get(columns.label)
    for record in read_batches(schema, batches, source, columns=columns, required=required):
        if hasattr(label, "int2str") and record.label is not None:
            record = record._replace(label=label.int2str(int(record.label)))
        yield record
