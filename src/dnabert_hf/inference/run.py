"""The frame of every run of a model: options, checks, engines, records, parts, result."""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.records_from_file import read_records
from dnabert_hf.data.reading.sources import Source, iterate_chunks, iterate_records, open_source
from dnabert_hf.files.outputs import check_distinct
from dnabert_hf.inference.engine.checkpoint import Checkpoint, as_checkpoint
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.fingerprint import fingerprint_run, fingerprint_weights
from dnabert_hf.inference.engine.progress import Progress
from dnabert_hf.inference.engine.sharding import WHOLE, Shard, resolve_shard
from dnabert_hf.inference.output.formats import ResultFormat, Row
from dnabert_hf.inference.output.writer import Output, WrittenResults, check_output, open_output

__all__ = ["Input", "Run", "RunFields", "RunOptions"]

_ALLOCATIONS = 50_000  # between two passes of the garbage collector

Chunk = TypeVar("Chunk", bound=Sized)
Result = TypeVar("Result")


class RunFields(TypedDict, total=False):
    """The fields of `RunOptions` as keyword arguments, for type checkers and editors."""

    tokenizer: Any
    columns: Columns | None
    skip_short: bool
    device: str
    dtype: str
    batch_tokens: int | None
    shard: str | None
    overwrite: bool


@dataclass(frozen=True)
class RunOptions:
    """Options of a run, alike for every function that runs a model.

    `predict`, `embed`, `scan` and the others take these as keyword arguments of their own:
    `predict(model, "genes.fa", device="cpu")`.

    With an output, memory does not grow with the input. A run that is stopped goes on where it
    ended when the same call is made again, unless the input is standard input or in memory.

    Attributes:
        tokenizer: Tokenizer of the model; needed if that is an object, not a name.
        columns: Names of the columns, if the source is a table.
        skip_short: Whether to leave out, and count, sequences shorter than the model's k, instead
            of an error.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: "auto" (the fastest of float32 and bfloat16 here), "float32", "bfloat16", "float16"
            or "int8".
        batch_tokens: Tokens a batch, padding included; None takes what suits the device.
        shard: "I/N" does part I (0-based) of N and leaves it beside the output for `join_parts`.
            None does all or, under `torchrun` and `accelerate launch`, what is this process's.
        overwrite: Whether to replace an existing output.
    """

    tokenizer: Any = None
    columns: Columns | None = None
    skip_short: bool = False
    device: str = "auto"
    dtype: str = "auto"
    batch_tokens: int | None = None
    shard: str | None = None
    overwrite: bool = False

    @classmethod
    def of(cls, named: RunFields, *, excluded: Sequence[str] = ()) -> "RunOptions":
        """Take options as a function was given them.

        Args:
            named: Options by name.
            excluded: Those that the function has no use for.

        Raises:
            TypeError: If there is an option of another name.

        Example:
            >>> RunOptions.of({"device": "cpu"}).dtype
            'auto'
        """
        known = [field.name for field in fields(cls) if field.name not in excluded]
        for name in named:
            if name not in known:
                raise TypeError(
                    f"unexpected keyword argument {name!r}; the options of a run are here "
                    f"{', '.join(known)}"
                )
        return cls(**named)

    def start(self, checkpoint: Checkpoint, shard: Shard = WHOLE) -> Engine:
        """Start an engine with a checkpoint, for one of several processes."""
        return Engine(
            checkpoint,
            device=self.device,
            dtype=self.dtype,
            batch_tokens=self.batch_tokens,
            shard=shard,
        )


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python look for garbage less often, which took a third of the time of the host."""
    before = gc.get_threshold()
    gc.set_threshold(_ALLOCATIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@dataclass(frozen=True)
class Input(Generic[Chunk]):
    """Input of a run, in chunks.

    Attributes:
        chunks: Parts of it, each of as many units as it is long. Their results are written as one:
            that is what a stopped run can lose.
        source: What they come from, by which a later run knows them again.
        unit: What is counted, in the plural.
        count: Gives how many units there are, None if that is not known beforehand.
        n_passes: Times that each chunk goes through an engine: once for each strand and model.
    """

    chunks: Iterable[Chunk]
    source: Source | Genome
    unit: str
    count: Callable[[], int | None]
    n_passes: float = 1


class Run:
    """A run of one or more models over an input, to a result file or into memory.

    First the output is checked, then models are loaded (`start`), then records are opened
    (`read`), and at last results come back (`results`), or are written by hand (`write`).

    Args:
        output: Result file, "-" for standard output, None if results are given back.
        options: How and where.
        is_folder: Whether the output is a folder of files.

    Attributes:
        output: Where results go.
        options: The options.
        shard: The share of this process.
        engines: An engine for each model, once they are started.

    Raises:
        ValueError: If the output cannot be written, or there is none for several processes.
    """

    def __init__(self, output: str | Path | None, options: RunOptions, *, is_folder: bool = False):
        self.options = options
        self.shard = resolve_shard(options.shard, output)
        self.engines: list[Engine] = []
        self.output = output
        self._checkpoints: list[Checkpoint] = []
        self._weights: list[str] = []
        if output is not None:
            check_output(output, overwrite=options.overwrite, is_folder=is_folder)

    def start(self, model: Any, task: str) -> Engine:
        """Load a model and start an engine with it.

        Args:
            model: Checkpoint folder, repository id on the Hub, or a model, which is not changed.
                The tokenizer of the options is that of the first one.
            task: What it is for, as in `load_checkpoint`.

        Raises:
            ValueError: If it cannot be used.
        """
        tokenizer = None if self.engines else self.options.tokenizer
        checkpoint = as_checkpoint(model, tokenizer, task=task)
        self._checkpoints.append(checkpoint)
        if self.output is not None:  # before the engine converts them
            self._weights.append(fingerprint_weights(checkpoint.model))
        self.engines.append(self.options.start(checkpoint, self.shard))
        return self.engines[-1]

    @property
    def weights(self) -> str:
        """Fingerprints of the models' weights."""
        return " ".join(self._weights)

    def read(
        self, source: Source, *, n_bases: int, n_passes: int = 1
    ) -> Input[list[SequenceRecord]]:
        """Open the sequences of a source.

        Args:
            source: File of sequences, or sequences.
            n_bases: Bases from which on a chunk is full.
            n_passes: Times that each chunk goes through an engine.

        Raises:
            ValueError: If the file cannot be read; while reading, if a sequence cannot be used.
        """
        k = max(engine.tokenizer.k for engine in self.engines)
        skip_short = self.options.skip_short
        records = open_source(source, k=k, columns=self.options.columns, skip_short=skip_short)
        return Input(
            iterate_chunks(records, n_bases=n_bases),
            source,
            unit="sequences",
            count=lambda: self.count(source, lambda letters: not skip_short or len(letters) >= k),
            n_passes=n_passes,
        )

    def count(self, source: Source, size: Callable[[str], int]) -> int | None:
        """Add up something over the sequences of a source, None if it can be read only once.

        A file is read once more for it, far faster than a model computes.

        Args:
            source: File of sequences, or sequences.
            size: What there is of it in a sequence.
        """
        if isinstance(source, str | Path):
            if not Path(source).is_file():  # standard input, a pipe
                return None
            records = read_records(source, columns=self.options.columns)
            return sum(size(record.sequence) for record in records)
        if not isinstance(source, Sized):
            return None
        return sum(size(record.sequence) for record in iterate_records(source))

    def results(
        self,
        given: Input[list[SequenceRecord]],
        compute: Callable[[list[SequenceRecord]], Iterable[Result]],
        *,
        to_row: Callable[[Result], Row],
        result_format: ResultFormat | None,
        depends_on: Mapping[str, object],
    ) -> list[Result] | WrittenResults:
        """Compute a result for each sequence, and give all back or write them.

        Args:
            given: The sequences.
            compute: Gives the results of a chunk, in order.
            to_row: Makes a row of a result.
            result_format: Format of the output; None if there is none.
            depends_on: What the results depend on beside the model and the source, by name.
        """
        if self.output is None or result_format is None:
            return [result for chunk in self.follow(given) for result in compute(chunk)]
        depends_on = {
            "columns": self.options.columns,
            "skip_short": self.options.skip_short,
            **depends_on,
        }
        with self.write(given, result_format, depends_on) as (output, chunks):
            for chunk in chunks:
                output.write([to_row(result) for result in compute(chunk)])
        return WrittenResults(Path(self.output), output.n_written)

    @contextmanager
    def write(
        self,
        given: Input[Chunk],
        result_format: ResultFormat,
        depends_on: Mapping[str, object],
        *,
        on_joined: Callable[[Path], None] | None = None,
    ) -> Iterator[tuple[Output, Iterator[Chunk]]]:
        """Open the output of the run; it has its name only when the block ends well.

        Args:
            given: What the run goes through.
            result_format: Format of the output.
            depends_on: What the results depend on beside the model and the source, by name: a
                stopped run goes on only where all of it is the same.
            on_joined: Called with the file before it has its name.

        Yields:
            The output, and the chunks that are still to be written to it.
        """
        assert self.output is not None
        source = given.source
        files = {contig.file for contig in source.contigs} if isinstance(source, Genome) else ()
        check_distinct(self.output, inputs=files or [source])
        fingerprint = fingerprint_run(
            self.engines[0],
            self._checkpoints[0],
            given.source,
            weights=self.weights,
            **depends_on,
        )
        with open_output(
            self.output,
            result_format,
            fingerprint=fingerprint,
            overwrite=self.options.overwrite,
            shard=self.shard,
            on_joined=on_joined,
        ) as output:
            yield output, self.follow(given, output)

    def follow(self, given: Input[Chunk], output: Output | None = None) -> Iterator[Chunk]:
        """Yield the chunks that this process has to compute, and show how far it is.

        Args:
            given: What the run goes through.
            output: The output, parts of which may be there already; None without one.
        """
        progress: Progress[Chunk] = Progress(
            given.unit,
            lambda: self._share_of(given.count()),
            n_passes=given.n_passes,
            is_silent=self.shard.index > 0,
        )
        with _rare_collections():
            if output is None:
                yield from progress.follow(given.chunks, self.engines)
            else:
                yield from self._remaining(given, output, progress)

    def _remaining(
        self, given: Input[Chunk], output: Output, progress: "Progress[Chunk]"
    ) -> Iterator[Chunk]:
        """Yield the chunks of this process that are not written yet."""
        is_taken = False

        def chunks() -> Iterator[Chunk]:
            nonlocal is_taken
            for index, chunk in enumerate(given.chunks):
                is_taken = False
                yield chunk
                if self.shard.takes(index) and not is_taken:
                    progress.skip(chunk)

        for chunk in progress.follow(output.remaining(chunks()), self.engines):
            is_taken = True
            yield chunk

    def _share_of(self, total: int | None) -> int | None:
        return None if total is None else -(-total // self.shard.count)
