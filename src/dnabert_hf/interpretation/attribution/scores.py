"""Scores of bases: what they look like, and the way from sequences to a file of them."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from dnabert_hf.data.genome.coordinates import open_intervals, parse_interval
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import read_bed
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.inference.engine.checkpoint import classifier_or_encoder
from dnabert_hf.inference.engine.engine import Engine, Window, cut_into_windows
from dnabert_hf.inference.output.writer import WrittenResults
from dnabert_hf.inference.predict import Classifier
from dnabert_hf.inference.run import Run, RunOptions
from dnabert_hf.interpretation.attribution.files import TrackFormat, choose_score_format

__all__ = [
    "BaseScores",
    "Pieces",
    "Scorer",
    "cut_records",
    "read_scores",
    "score_source",
    "start_scoring",
]


class BaseScores(NamedTuple):
    """Scores of the bases of a sequence: how much each matters to a model.

    Attributes:
        id: Name of the record.
        sequence: Its DNA.
        scores: Score of each base, float32, shape (bases,). Those of attention have no sign, and
            their squares sum to 1; those of an attribution are what a base adds to the class.
        probabilities: Probability of each class, from the same run; None without a classifier.
    """

    id: str
    sequence: str
    scores: np.ndarray
    probabilities: dict[str, float] | None


class Scorer(Protocol):
    """Scorer of the bases of records.

    Attributes:
        chunk_bases: Bases that are scored at a time; a run that is stopped loses no more.
        n_passes: Times that a chunk goes through the engine.
        scheme: Classes of the model; None without a classifier.
    """

    chunk_bases: int
    n_passes: int
    scheme: LabelScheme | None

    def score(self, records: Sequence[SequenceRecord]) -> Iterator[BaseScores]:
        """Score records that are in memory, in order."""


class Pieces(NamedTuple):
    """Records, cut into what the model takes in one row.

    Attributes:
        windows: Pieces of all records, in order.
        rows: Record that each piece belongs to, ascending, shape (pieces,).
        bounds: The pieces of record i are `bounds[i]` to `bounds[i + 1]`, shape (records + 1,).
    """

    windows: list[Window]
    rows: np.ndarray
    bounds: list[int]


def cut_records(engine: Engine, records: Sequence[SequenceRecord]) -> Pieces:
    """Cut records as the classifier itself would, each k-mer in one piece.

    Raises:
        ValueError: If a record is a pair.
    """
    k, room = engine.tokenizer.k, engine.model.config.max_position_embeddings - 2
    windows: list[Window] = []
    bounds = [0]
    for record in records:
        if record.sequence_b is not None:
            raise ValueError(
                f"record {record.id}: scores of bases are of one sequence, found a pair; give "
                "single sequences"
            )
        windows += cut_into_windows(record.sequence, k=k, n_kmers=room)
        bounds.append(len(windows))
    return Pieces(windows, np.repeat(np.arange(len(records)), np.diff(bounds)), bounds)


def start_scoring(
    model: Any, output: str | Path | None, options: RunOptions
) -> tuple[Run, Classifier | None]:
    """Start a run that scores bases.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model.
        output: File to write, None to give scores back.
        options: How the model runs.

    Returns:
        The run, with one engine, and the classifier of the model, if it has one.

    Raises:
        ValueError: If model or output cannot be used.
    """
    run = Run(output, options)
    if options.shard is not None and Path(output or "").suffix != ".parquet":
        raise ValueError(
            f"the tasks of an array job write scores as .parquet, which `dnabert join` makes "
            f"one file of, got {output}; name a .parquet"
        )
    task = classifier_or_encoder(model)
    engine = run.start(model, task)
    return run, Classifier(engine) if task == "sequence-classification" else None


def score_source(
    run: Run,
    source: Source,
    scorer: Scorer,
    *,
    genome: Genome | None,
    depends_on: Mapping[str, object],
) -> list[BaseScores] | WrittenResults:
    """Score the bases of all sequences of a source.

    Args:
        run: The run.
        source: Sequences, or with a genome a BED file.
        scorer: Scores records.
        genome: Genome that the source has its coordinates in.
        depends_on: What else the scores depend on, by name.

    Returns:
        The scores in the order of the source, or, with an output, where they are.

    Raises:
        ValueError: If source or output cannot be used.
    """
    placed = source if genome is None else open_intervals(source, genome)
    given = run.read(placed, n_bases=scorer.chunk_bases, n_passes=scorer.n_passes)
    if placed is not source:
        given = replace(given, source=source, count=lambda: len(read_bed(str(source))))
    names = None if scorer.scheme is None else scorer.scheme.names
    result_format = None
    if run.output is not None:
        result_format = choose_score_format(Path(run.output), names, genome)

    def compute(records: list[SequenceRecord]) -> Iterator[BaseScores]:
        if isinstance(result_format, TrackFormat):  # before anything is computed for it
            for record in records:
                parse_interval(record.id, len(record.sequence), genome)
        return scorer.score(records)

    return run.results(
        given,
        compute,
        to_row=lambda s: [s.id, s.sequence, s.scores, *(s.probabilities or {}).values()],
        result_format=result_format,
        depends_on={"genome": None if genome is None else genome.fingerprint, **depends_on},
    )


def read_scores(path: str | Path) -> Iterator[BaseScores]:
    """Read scores that were written as Parquet, in little memory, or as .npz.

    Args:
        path: File that `attention_scores` or `attribution_scores` wrote.

    Raises:
        ValueError: If it is no such file.
    """
    path = Path(path)
    if not path.is_file() or path.suffix not in (".parquet", ".npz"):
        found = "a file of another name" if path.is_file() else "no such file"
        raise ValueError(
            f"{path} must be a .parquet or .npz of scores, found {found}; write one with `dnabert "
            "attention`"
        )
    reads = _read_npz if path.suffix == ".npz" else _read_parquet
    try:
        yield from reads(path)
    # Errors of pyarrow are ValueErrors.
    except (KeyError, OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} must hold scores as `dnabert attention` writes them, but reading it failed: "
            f"{error}"
        ) from error


def _read_parquet(path: Path) -> Iterator[BaseScores]:
    from pyarrow import parquet

    for batch in parquet.ParquetFile(path).iter_batches(batch_size=1024):
        names = [name for name in batch.schema.names if name.startswith("prob_")]
        columns = [batch.column(name).to_pylist() for name in names]
        scores = batch.column("scores")
        for row in range(len(batch)):
            named = {n.removeprefix("prob_"): c[row] for n, c in zip(names, columns, strict=True)}
            yield BaseScores(
                batch.column("id")[row].as_py(),
                batch.column("sequence")[row].as_py(),
                np.asarray(scores[row].values, dtype=np.float32),
                named or None,
            )


def _read_npz(path: Path) -> Iterator[BaseScores]:
    with np.load(path) as file:
        arrays = dict(file)
    sequences, offsets = arrays["sequences"].tobytes().decode("ascii"), arrays["offsets"].tolist()
    for row, name in enumerate(arrays["ids"].tolist()):
        here = slice(offsets[row], offsets[row + 1])
        named = None
        if "classes" in arrays:
            values = arrays["probabilities"][row].tolist()
            named = dict(zip(arrays["classes"].tolist(), values, strict=True))
        yield BaseScores(name, sequences[here], arrays["scores"][here], named)
