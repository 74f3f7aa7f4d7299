"""Progress on standard error, in things that a person counts."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Generic, TypeVar

from tqdm import tqdm

from dnabert_hf.inference.engine.engine import Engine

__all__ = ["Progress"]

logger = logging.getLogger(__name__)

# Where there is no bar, the time left is told after so many seconds and batches behind the first
# one, which sets kernels and memory up: that alone once told of 2.4 hours where 5 minutes it took.
_SOON = 10
_ENOUGH = 5
_SURE = 60  # seconds after which little may be done: before, a fiftieth of the run has to be
_LITTLE = 0.02
_LONG = 60  # seconds left from which on it is told
_OFF = 1.5  # factor by which it must have been wrong to be told again

Chunk = TypeVar("Chunk", bound=Sized)

_TIMES = "{n:,.0f}{unit} [{elapsed}]"
_BAR = "{percentage:3.0f}%|{bar:20}| {n:,.0f} of {total:,.0f}{unit} [{elapsed}, {remaining} left]"


class Progress(Generic[Chunk]):
    """A bar of sequences, windows or variants with their total and the time left.

    It is shown on terminals only; elsewhere a run of minutes says how long it will take, and says
    so again where that turns out to be wrong. Chunks hold thousands of things, so that a bar that
    moves with them would stand still for minutes: within a chunk it moves with the tokens of its
    batches.

    Args:
        unit: What is counted, in the plural.
        count: Gives how many there are, None if nobody knows; asked only if the bar is shown.
        n_passes: Times that each chunk goes through an engine: once for each strand and model. Of
            passes that take longer than others, how many of the others they are worth.
        is_silent: Whether the bar is never shown, for another process shows one.
    """

    def __init__(
        self,
        unit: str,
        count: Callable[[], int | None],
        *,
        n_passes: float = 1,
        is_silent: bool = False,
    ):
        # A thread of a server answers somebody who does not see its terminal.
        is_silent = is_silent or threading.current_thread() is not threading.main_thread()
        is_shown = not is_silent and sys.stderr.isatty()
        total = count() if is_shown else None
        self._unit = unit
        self._count = None if is_shown or is_silent else count
        self._total: int | None = None
        self._n_passed = 0.0  # in this run
        self._n_batches = 0
        self._n_skipped = 0
        self._mark: tuple[float, float] | None = None  # time, and what had passed: measured since
        self._next = 0.0  # when the time left is looked at
        self._said: float | None = None  # when the run should end
        self._bar = tqdm(
            total=total,
            unit=f" {unit}",
            bar_format=_TIMES if total is None else _BAR,
            disable=not is_shown,
        )
        self._n_passes = n_passes
        self._n_done = 0
        self._n_chunk = 0

    def follow(self, chunks: Iterable[Chunk], engines: Sequence[Engine]) -> Iterator[Chunk]:
        """Yield the chunks, and count each when the next one is asked for.

        Args:
            chunks: Chunks, each of as many things as it is long.
            engines: What computes them.
        """
        for engine in engines:
            engine.on_batch = self._advance
        with self._bar:
            for chunk in chunks:
                self._n_chunk = len(chunk)
                yield chunk
                self._n_done += self._n_chunk
                self._n_chunk = 0
                self._bar.update(self._n_done - self._bar.n)
            if self._bar.total is not None:
                self._bar.total = self._n_done  # some were counted, but left out
        for engine in engines:
            engine.on_batch = None

    def skip(self, chunk: Chunk) -> None:
        """Count a chunk that an earlier run has done: it tells nothing of the time left."""
        self._n_done += len(chunk)
        self._n_skipped += len(chunk)
        if not self._bar.disable:
            self._bar.n = self._bar.initial = self._bar.last_print_n = self._n_done

    def _advance(self, share: float) -> None:
        """Note that a share of the chunk has passed an engine once more."""
        step = share * self._n_chunk / self._n_passes
        self._n_passed += step
        self._n_batches += 1
        if self._count is not None:
            self._look_ahead(self._count)
        self._bar.update(min(step, self._n_done + self._n_chunk - self._bar.n))

    def _look_ahead(self, count: Callable[[], int | None]) -> None:
        """Estimate the time left from what passed since the last look; half the run so far."""
        now = time.monotonic()
        if self._mark is None:
            self._mark, self._next = (now, self._n_passed), now + _SOON
        begin, n_before = self._mark
        if now < self._next or self._n_batches <= _ENOUGH or self._n_passed <= n_before:
            return
        if self._total is None:
            self._total = count()
            if self._total is None:
                self._count = None
                return
        if self._n_passed < _LITTLE * self._total and now - begin < _SURE:
            return
        rate = (self._n_passed - n_before) / (now - begin)
        n_done = self._n_skipped + self._n_passed
        self._tell(max(self._total - n_done, 0) / rate, now, n_done=n_done, rate=rate)
        end = time.monotonic()  # counting takes time, too
        self._mark, self._next = (end, self._n_passed), end + 2 * (now - begin)

    def _tell(self, left: float, now: float, *, n_done: float, rate: float) -> None:
        """Say how long the run will take, if nobody knows, and it will take long."""
        if self._said is None:
            is_news = left >= _LONG
        else:
            expected = max(self._said - now, 1)
            is_news = max(left, expected) >= _LONG and not (
                expected / _OFF <= left <= expected * _OFF
            )
        if is_news:
            self._said = now + left
            logger.warning(
                "about %s left: %s of %s %s are done, %.3g a second",
                *(_time(left), f"{n_done:,.0f}", f"{self._total:,}", self._unit, rate),
            )


def _time(seconds: float) -> str:
    """Write a time as a person says it.

    Example:
        >>> _time(90), _time(400), _time(7000), _time(200_000)
        ('90 seconds', '7 minutes', '1.9 hours', '2.3 days')
    """
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    if seconds < 3600:
        return f"{seconds / 60:.0f} minutes"
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours < 36 else f"{hours / 24:.1f} days"
