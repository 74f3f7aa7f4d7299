"""Labelled data sets: files of sequences with labels, as a `datasets.DatasetDict`."""

import atexit
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from datasets import Dataset, DatasetDict, NamedSplit

from dnabert_hf.data.labelled.label_check import describe_labels, find_doubtful_labels
from dnabert_hf.data.labelled.labels import LabelScheme, ProblemType, infer_labels
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.records_from_file import has_known_suffix, read_records

__all__ = ["SPLIT_OF_NAME", "iterate_labelled", "known_split", "read_dataset"]

SPLIT_OF_NAME = {
    "train": "train",
    "dev": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_BATCH_LETTERS = 1 << 22

logger = logging.getLogger(__name__)


def read_dataset(
    path: str | Path | Mapping[str, str | Path],
    *,
    scheme: LabelScheme | None = None,
    columns: Columns | None = None,
    k: int | None = None,
    file_format: str | None = None,
    problem_type: ProblemType | None = None,
) -> tuple[DatasetDict, LabelScheme]:
    """Read labelled sequences into Arrow tables on disk, with labels as the loss wants them.

    The tables lie in a temporary folder (`TMPDIR` says where) that goes when the process ends, with
    everything `datasets` caches beside them; memory does not grow with the files.

    Args:
        path: A file, whose rows are all for training unless a column tells their split; a folder
            with files named train, dev (valid, val, validation) and test; or files by split.
        scheme: Labels known from training; by default they are inferred from the training split.
        columns: Names of the columns.
        k: Bases per k-mer, to refuse sequences shorter than that.
        file_format: Format of the files; by default their suffixes tell.
        problem_type: What the labels mean, where `infer_labels` would not see it.

    Returns:
        Splits named train, validation and test, with the columns id, sequence, labels and, for
        pairs, sequence_b; and the scheme that the labels follow.

    Raises:
        ValueError: If a file cannot be read, has no labels or labels unknown to the scheme, if a
            split has an unknown name or comes twice, there is nothing to train on and no scheme,
            or labels are of bases and neither scheme nor problem type says so.
    """
    if scheme and problem_type not in (None, scheme.problem_type):
        raise ValueError(
            f"problem_type must agree with the scheme, {scheme.problem_type!r}, got "
            f"{problem_type!r}; leave it out"
        )
    folder = Path(tempfile.mkdtemp(prefix="dnabert_hf_"))
    # Not when the result is collected: data sets derived from it still read these files.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    writers = _write_arrow(path, folder, file_format=file_format, columns=columns, k=k)
    source = ", ".join(map(str, path.values())) if isinstance(path, Mapping) else str(path)
    if scheme is None:
        if "train" not in writers:
            raise ValueError(
                f"{source}: a data set must have a train split to take the label names from, found "
                f"only {', '.join(writers)}; add it, or give the scheme of the trained model"
            )
        if problem_type is None and writers["train"].has_letter_a_base:
            raise ValueError(
                f"{source}: every label of the train split has a letter for each base, as for the "
                "task token, which was not asked for; give it (--task token), or the problem type "
                "if they are names of classes"
            )
        scheme = infer_labels(writers["train"].labels(), problem_type=problem_type)
        counts = scheme.count(writers["train"].labels())
        logger.info("%s: %s", source, describe_labels(scheme, counts, writers["train"].n_records))
        for doubt in find_doubtful_labels(scheme, counts):
            logger.warning("%s: %s", source, doubt)
    names = [name for name in dict.fromkeys(SPLIT_OF_NAME.values()) if name in writers]
    splits = {name: _encode(writers[name], folder / f"{name}.arrow", scheme) for name in names}
    datasets = {
        name: Dataset.from_file(str(file), split=NamedSplit(name)) for name, file in splits.items()
    }
    return DatasetDict(datasets), scheme


def _write_arrow(
    path: str | Path | Mapping[str, str | Path], folder: Path, **options: Any
) -> dict[str, "_ArrowWriter"]:
    """Write the records of each split, labels as written, to an Arrow file in the folder."""
    writers: dict[str, _ArrowWriter] = {}
    with ExitStack() as stack:
        for split, record, file in iterate_labelled(path, **options):
            if split not in writers:
                is_pair = record.sequence_b is not None
                writer = _ArrowWriter(folder / f"{split}.raw", is_pair=is_pair, file=file)
                writers[split] = stack.enter_context(writer)
            writers[split].write(record, f"{file}, record {record.id}")
    if len({writer.is_pair for writer in writers.values()}) > 1:
        pairs = ", ".join(name for name, writer in writers.items() if writer.is_pair)
        raise ValueError(
            f"{path}: all splits must hold pairs of sequences or none, found pairs only in {pairs};"
            " add the second sequence to the others"
        )
    return writers


def iterate_labelled(
    path: str | Path | Mapping[str, str | Path], **options: Any
) -> Iterator[tuple[str, SequenceRecord, str]]:
    """Yield the split, the record and the file of every labelled sequence.

    Args:
        path: As in `read_dataset`.
        **options: As in `read_records`.

    Raises:
        ValueError: If a file cannot be read or has no labels, or a split has an unknown name.
    """
    for file_split, file in _files(path):
        for record in read_records(file, labelled=True, **options):
            split = _split_of(record, file_split, f"{file}, record {record.id}")
            yield split, record, str(file)


def _files(path: str | Path | Mapping[str, str | Path]) -> list[tuple[str | None, str | Path]]:
    """Pair each file with the split that its name says, None if its rows say it."""
    if not isinstance(path, Mapping):
        if not isinstance(path, str | Path):
            raise ValueError(
                "a data set must be a file, a folder or files by split, got "
                f"{type(path).__name__}; write a table with sequence, label and split, and name it"
            )
        if not Path(path).is_dir():
            return [(None, path)]
        candidates = sorted(file for file in Path(path).iterdir() if has_known_suffix(file))
        named = [(file.name.split(".")[0].lower(), file) for file in candidates]
        items: list[tuple[str, str | Path]] = [(n, file) for n, file in named if n in SPLIT_OF_NAME]
        if not items:
            raise ValueError(
                f"{path}: the folder must hold files named train, dev and test with a known suffix "
                "such as .tsv, found none; rename them or name one file"
            )
    else:
        items = list(path.items())
    files: dict[str | None, str | Path] = {}
    for name, file in items:
        split = known_split(name, f"the data set with {file}")
        if split in files:
            raise ValueError(
                f"each split must come from one file, found {files[split]} and {file} for "
                f"{split}; remove one of them"
            )
        files[split] = file
    return list(files.items())


def _split_of(record: SequenceRecord, file_split: str | None, source: str) -> str:
    if record.split is None:
        return file_split or "train"
    split = known_split(record.split, source)
    if file_split not in (None, split):
        raise ValueError(
            f"{source}: the split column must agree with the file, which is for {file_split}, "
            f"found {record.split!r}; correct one of them"
        )
    return split


def known_split(name: str, source: str) -> str:
    """Say which of train, validation and test a name such as "dev" means.

    Args:
        name: Name of a split, as written, in any case.
        source: File and record, for the error.

    Raises:
        ValueError: If the name is none of a split.

    Example:
        >>> known_split("dev", "the example")
        'validation'
    """
    if name.lower() not in SPLIT_OF_NAME:
        raise ValueError(
            f"{source}: a split must be one of {', '.join(SPLIT_OF_NAME)}, found {name!r}; "
            "correct it"
        )
    return SPLIT_OF_NAME[name.lower()]


class _ArrowWriter:
    """Records of one split, written to an Arrow file as they come.

    Attributes:
        n_records: Records so far.
        has_letter_a_base: Whether every label is as long as its sequence, of two bases or more.
    """

    def __init__(self, path: Path, *, is_pair: bool, file: str) -> None:
        self.path = path
        self.is_pair = is_pair
        self.file = file
        self.n_records = 0
        self.has_letter_a_base = True
        names = ["id", "sequence", *(["sequence_b"] if is_pair else []), "label"]
        self.schema = pa.schema([(name, pa.string()) for name in names])
        self._rows: list[SequenceRecord] = []
        self._n_letters = 0

    def __enter__(self) -> Self:
        self._writer = pa.ipc.new_stream(str(self.path), self.schema)
        return self

    def __exit__(self, *error: object) -> None:
        self._flush()
        self._writer.close()

    def write(self, record: SequenceRecord, source: str) -> None:
        if record.label is None:
            raise ValueError(
                f"{source}: each record must have a label, found none; fill it in or leave the "
                "record out"
            )
        self.n_records += 1
        self.has_letter_a_base &= len(record.label) == len(record.sequence) > 1
        self._rows.append(record)
        self._n_letters += len(record.sequence) + len(record.sequence_b or "")
        if self._n_letters >= _BATCH_LETTERS:
            self._flush()

    def _flush(self) -> None:
        rows = ({name: getattr(row, name) for name in self.schema.names} for row in self._rows)
        self._writer.write_batch(pa.RecordBatch.from_pylist(list(rows), schema=self.schema))
        self._rows.clear()
        self._n_letters = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(self.path)) as file, pa.ipc.open_stream(file) as reader:
            yield from reader

    def labels(self) -> Iterator[str]:
        for batch in self.batches():
            yield from batch.column("label").to_pylist()


def _encode(raw: _ArrowWriter, path: Path, scheme: LabelScheme) -> Path:
    """Write the records of a split again, labels as numbers, and remove the first file."""
    kept = [pa.field(name, pa.string()) for name in raw.schema.names if name != "label"]
    schema = pa.schema([*kept, pa.field("labels", _label_type(scheme))])
    with pa.ipc.new_stream(str(path), schema) as writer:
        for batch in raw.batches():
            rows = (batch.column(name).to_pylist() for name in ("label", "id", "sequence"))
            encoded = [
                scheme.encode(
                    label, source=f"{raw.file}, record {record_id}", n_bases=len(sequence)
                )
                for label, record_id, sequence in zip(*rows, strict=True)
            ]
            columns = [batch.column(field.name) for field in kept]
            columns.append(pa.array(encoded, type=schema.field("labels").type))
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    raw.path.unlink()
    return path


def _label_type(scheme: LabelScheme) -> pa.DataType:
    if scheme.problem_type == "single_label_classification":
        return pa.int64()
    if scheme.problem_type == "token_classification":
        return pa.list_(pa.int16())
    if scheme.problem_type == "regression" and len(scheme.names) == 1:
        return pa.float32()
    return pa.list_(pa.float32())
