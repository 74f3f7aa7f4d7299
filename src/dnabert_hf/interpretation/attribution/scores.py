"""Scores of bases: what they look like, and the way from sequences to a file of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from dnabert_hf.data.genome.coordinates import open_intervals, parse_interval
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.sources import Source, iterate_chunks, open_source
from dnabert_hf.inference.engine.checkpoint import architecture_of, as_checkpoint
from dnabert_hf.inference.engine.engine import Engine, Window, cut_into_windows
from dnabert_hf.inference.engine.fingerprint import fingerprint_run, fingerprint_weights
from dnabert_hf.inference.engine.sharding import resolve_shard
from dnabert_hf.inference.output.writer import WrittenResults, check_output, open_output
from dnabert_hf.inference.predict import Classifier
from dnabert_hf.interpretation.attribution.files import TrackFormat, choose_score_format

__all__ = [
    "BaseScores",
    "Pieces",
    "RunOptions",
    "Scorer",
    "cut_records",
    "read_scores",
    "score_source",
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
        scheme: Classes of the model; None without a classifier.
    """

    chunk_bases: int
    scheme: LabelScheme | None

    def score(self, records: Sequence[SequenceRecord]) -> Iterator[BaseScores]:
        """Score records that are in memory, in order."""


class RunOptions(NamedTuple):
    """Options of a run: model, device and destination of the result.

    Attributes:
        output: File to write, None to give a list back.
        genome: Genome that the source has its coordinates in.
        columns: Names of the columns, for a table.
        tokenizer: Tokenizer, needed if the model is an object.
        device: As `Engine` takes it, and so are the next two.
        dtype: Number format.
        batch_tokens: Tokens a batch.
        overwrite: Whether to replace an existing output.
        shard: "I/N" for one of several tasks; None for all, or for what a rank has to do.
    """

    output: str | Path | None
    genome: Genome | None
    columns: Columns | None
    tokenizer: Any
    device: str
    dtype: str
    batch_tokens: int | None
    overwrite: bool
    shard: str | None = None


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


def score_source(
    model: Any,
    source: Source,
    make_scorer: Callable[[Engine, Classifier | None], Scorer],
    running: RunOptions,
    *,
    options: Mapping[str, object],
) -> list[BaseScores] | WrittenResults:
    """Score the bases of all sequences of a source.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model.
        source: Sequences, or with a genome a BED file.
        make_scorer: Makes the scorer from the engine and, if the model is one, its classifier.
        running: How and where.
        options: What else the scores depend on, by name.

    Returns:
        The scores in the order of the source, or, with an output, where they are.

    Raises:
        ValueError: If model, source or output cannot be used.
    """
    output = running.output
    share = resolve_shard(running.shard, output)
    if output is not None:
        if running.shard is not None and Path(output).suffix != ".parquet":
            raise ValueError(
                f"the tasks of an array job write scores as .parquet, which `dnabert join` makes "
                f"one file of, got {output}; name a .parquet"
            )
        check_output(output, overwrite=running.overwrite)
    is_classifier = architecture_of(model).endswith("ForSequenceClassification")
    task = "sequence-classification" if is_classifier else "encoder"
    checkpoint = as_checkpoint(model, running.tokenizer, task=task)
    weights = fingerprint_weights(checkpoint.model)
    engine = Engine(
        checkpoint,
        device=running.device,
        dtype=running.dtype,
        batch_tokens=running.batch_tokens,
        shard=share,
    )
    scorer = make_scorer(engine, Classifier(engine) if is_classifier else None)
    k, columns, genome = checkpoint.tokenizer.k, running.columns, running.genome
    placed = source if genome is None else open_intervals(source, genome)
    records = open_source(placed, k=k, columns=columns)
    if output is None:
        with engine.progress():
            chunks = iterate_chunks(records, n_bases=scorer.chunk_bases)
            return [scores for chunk in chunks for scores in scorer.score(chunk)]
    names = None if scorer.scheme is None else scorer.scheme.names
    result_format = choose_score_format(Path(output), names, genome)
    fingerprint = fingerprint_run(
        engine,
        checkpoint,
        source,
        weights=weights,
        columns=columns,
        genome=None if genome is None else genome.fingerprint,
        **options,
    )
    with (
        open_output(
            output,
            result_format,
            fingerprint=fingerprint,
            overwrite=running.overwrite,
            shard=share,
        ) as writer,
        engine.progress(),
    ):
        for chunk in writer.remaining(iterate_chunks(records, n_bases=scorer.chunk_bases)):
            if isinstance(result_format, TrackFormat):  # before anything is computed for it
                for record in chunk:
                    parse_interval(record.id, len(record.sequence), genome)
            writer.write(
                [
                    [each.id, each.sequence, each.scores, *(each.probabilities or {}).values()]
                    for each in scorer.score(chunk)
                ]
            )
    return WrittenResults(Path(output), writer.n_written)


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
    except (KeyError, OSError, ValueError) as error:  # those of pyarrow are ValueErrors
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
