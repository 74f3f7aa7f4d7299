"""Result files that are written part by part, so that a stopped run can go on."""

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from dnabert_hf.files.atomic import NO_SPACE, FinishedElsewhereError
from dnabert_hf.files.counts import counted
from dnabert_hf.files.outputs import check_output
from dnabert_hf.inference.engine.sharding import WHOLE, Shard
from dnabert_hf.inference.output.formats import DelimitedFormat, ResultFormat, Row
from dnabert_hf.inference.output.part_folder import PartFolder

__all__ = ["PartedOutput", "StreamOutput", "WrittenResults", "check_output", "open_output"]

logger = logging.getLogger(__name__)


Chunk = TypeVar("Chunk")


class Output(Protocol):
    """Destination of results, chunk by chunk.

    Attributes:
        n_written: Records that are written.
        tally: What else was counted, by name, from the first chunk on.
        is_complete: Whether the result file is there and was made by this process.
    """

    n_written: int
    tally: Counter[str]
    is_complete: bool

    def remaining(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Yield those of all chunks of the input whose results are still to be written."""

    def write(self, rows: Sequence[Row], tally: Mapping[str, int] | None = None) -> None:
        """Take the rows of the chunk that `remaining` gave last."""


@contextmanager
def open_output(
    path: str | Path,
    result_format: ResultFormat,
    *,
    fingerprint: Mapping[str, str] | None,
    overwrite: bool,
    shard: Shard = WHOLE,
    on_joined: Callable[[Path], None] | None = None,
) -> Iterator[Output]:
    """Open a result file; it appears under its name only when the block ends well.

    Args:
        path: Result file, or "-" for standard output.
        result_format: Format of the file.
        fingerprint: What the results depend on. A run with the same fingerprint goes on where a
            stopped one ended; None (input that cannot be read again) keeps nothing.
        overwrite: Whether to replace an existing file and parts of a run with other settings.
        shard: Which of several processes this is. Those that were launched together make the file
            when all are done; for the others, `join_parts` does.
        on_joined: Called with the file, by the process that makes it, before it has its name. A
            run that is stopped there goes on there.

    Yields:
        The output.

    Raises:
        ValueError: If parts of a run with another fingerprint lie beside the file, or several
            processes cannot read the input.
        KeyboardInterrupt: On Ctrl-C, with a message that says how to go on.
    """
    if str(path) == "-":
        if not isinstance(result_format, DelimitedFormat):
            raise ValueError("standard output takes TSV only; name a file with -o")
        yield StreamOutput(result_format)
        return
    output = PartedOutput(Path(path), result_format, fingerprint, overwrite=overwrite, shard=shard)
    try:
        yield output
        output.finish(on_joined)
    except KeyboardInterrupt:
        if fingerprint is None:
            raise
        kept = f"after {counted(output.n_written, 'record')}; run the same command again to go on"
        if not output.n_written:
            kept = "before the first part was kept; the same command begins anew"
        raise KeyboardInterrupt(f"stopped {kept}") from None
    except ValueError:
        output.discard()  # the input is wrong: no run goes on from here
        raise
    finally:
        if fingerprint is None or not output.n_written:
            output.discard()


class StreamOutput:
    """Rows written to standard output as they come.

    Args:
        result_format: TSV.
    """

    def __init__(self, result_format: DelimitedFormat):
        self.n_written = 0
        self.tally: Counter[str] = Counter()
        self.is_complete = True
        self._format = result_format
        self._is_begun = False

    def remaining(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Yield all chunks; where there are none, the header is written after the last."""
        yield from chunks
        self._begin()

    def _begin(self) -> None:
        """Write the header, unless it is there: a run that fails at once leaves nothing."""
        if not self._is_begun:
            sys.stdout.buffer.write(self._format.header())
            self._is_begun = True

    def write(self, rows: Sequence[Row], tally: Mapping[str, int] | None = None) -> None:
        """Write the rows of the next chunk."""
        self._begin()
        sys.stdout.buffer.write(self._format.encode(rows))
        sys.stdout.buffer.flush()
        self.n_written += len(rows)
        self.tally.update(tally or {})


class PartedOutput:
    """Parts in a folder beside the result file, which become the file.

    Args:
        path: Result file.
        result_format: Format of the file.
        fingerprint: What the results depend on, None if nothing is to be taken up again.
        overwrite: Whether to throw parts with another fingerprint away.
        shard: Which of several processes this is.

    Attributes:
        n_written: Records in the parts of this process; in the file, once it is there.
        tally: What else was counted in them.
        is_complete: Whether the file is there and was made by this process.
    """

    def __init__(
        self,
        path: Path,
        result_format: ResultFormat,
        fingerprint: Mapping[str, str] | None,
        *,
        overwrite: bool,
        shard: Shard = WHOLE,
    ):
        self.n_written = 0
        self.tally: Counter[str] = Counter()
        self.is_complete = False
        self._path = path
        self._format = result_format
        self._parts = PartFolder(path)
        self._shard = shard
        self._index = self._n_parts = 0
        if fingerprint is None and shard.count > 1:
            raise ValueError(
                "several processes must each read the input, found standard input or sequences in "
                "memory; give a file"
            )
        asked = (str(path.resolve()), fingerprint)
        if shard.agree(asked) != asked:
            raise ValueError(
                f"processes that were launched together must make one file with the same settings, "
                f"found {path} beside another; give all of them the same command"
            )
        if shard.index or not shard.is_rank:
            shard.wait_for_all()  # for the first one, which may throw old parts away
            self._resume_parts(fingerprint, overwrite=overwrite)
        else:
            self._resume_parts(fingerprint, overwrite=overwrite)
            shard.wait_for_all()

    def remaining(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Yield the chunks of this process that are not written yet, all others being passed by."""
        for index, chunk in enumerate(chunks):
            self._n_parts = index + 1
            if self._shard.takes(index) and index not in self._done:
                self._index = index
                yield chunk
        self._parts.end(self._n_parts)

    def write(self, rows: Sequence[Row], tally: Mapping[str, int] | None = None) -> None:
        """Write the rows of the chunk; once this returns, they survive a stop."""
        try:
            self._parts.write(self._index, rows, tally or {}, result_format=self._format)
        except OSError as error:
            if not self._parts.exists():
                raise FinishedElsewhereError(self._path) from error
            remedy = "make room" if error.errno in NO_SPACE else "mend that"
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(
                error.errno,
                f"{reason}, after {counted(self.n_written, 'record')}; {remedy} and run "
                "the same command again to go on",
                str(self._parts.path),
            ) from error
        self.n_written += len(rows)
        self.tally.update(tally or {})

    def finish(self, on_joined: Callable[[Path], None] | None = None) -> None:
        """Join the parts, give the file its name and remove the folder, if that is for us to do.

        Args:
            on_joined: Called with the file before it has its name.
        """
        if self._shard.count > 1 and not self._shard.is_rank:
            logger.warning(
                "%s: shard %s is done; `dnabert join %s` makes the file when all are",
                *(self._path, self._shard, self._path),
            )
            return
        self._shard.wait_for_all()
        self.is_complete = self._shard.index == 0
        whole = self._parts.join(self._format, on_joined) if self.is_complete else Counter()
        whole = self._shard.agree(whole)
        self.n_written = whole.pop("records", 0)
        self.tally = whole

    def discard(self) -> None:
        """Remove the folder and all parts, unless other processes work in it."""
        if self._shard.count == 1:
            self._parts.discard()

    def _resume_parts(self, fingerprint: Mapping[str, str] | None, *, overwrite: bool) -> None:
        self._parts.check()
        difference = self._parts.difference(fingerprint) if self._parts.exists() else None
        if difference is not None:
            is_shared = self._shard.count > 1 and not self._shard.is_rank
            if is_shared or not overwrite:
                remedy = "" if is_shared else " or use --overwrite"
                raise ValueError(
                    f"{self._parts.path} holds parts of a run that cannot be continued: "
                    f"{difference}; delete the folder{remedy} to begin again"
                )
            self._parts.discard()
        self._parts.begin(fingerprint, self._format)
        tallies = self._parts.tallies()
        self._done = {index for index in tallies if self._shard.takes(index)}
        self.tally = sum((tallies[index] for index in self._done), Counter())
        self.n_written = self.tally.pop("records", 0)
        if self._done:
            logger.warning(
                "%s: going on after the %d records of a stopped run", self._path, self.n_written
            )


class WrittenResults(NamedTuple):
    """Results that went to a file.

    Attributes:
        path: The file.
        n_sequences: Records in it.
    """

    path: Path
    n_sequences: int

    def summary(self) -> str:
        """Say how many there are.

        Example:
            >>> WrittenResults(Path("x.tsv"), 1200).summary()
            '1,200 sequences'
        """
        return counted(self.n_sequences, "sequence")
