"""Progress on standard error, in things that a person counts."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Generic, TypeVar

from tqdm import tqdm

from dnabert_hf.inference.engine.engine import Engine

__all__ = ["Progress"]

logger = logging.getLogger(__name__)

_SOON = 10  # seconds after which the time left can be told where there is no bar
_LONG = 60  # seconds left from which on it is told

Chunk = TypeVar("Chunk", bound=Sized)

_TIMES = "{n:,.0f}{unit} [{elapsed}]"
_BAR = "{percentage:3.0f}%|{bar:20}| {n:,.0f} of {total:,.0f}{unit} [{elapsed}, {remaining} left]"


class Progress(Generic[Chunk]):
    """A bar of sequences, windows or variants with their total and the time left.

    It is shown on terminals only; elsewhere a run of minutes says once how long it will take.
    Chunks hold thousands of things, so that a bar that moves with them would stand still for
    minutes: within a chunk it moves with the tokens of its batches.

    Args:
        unit: What is counted, in the plural.
        count: Gives how many there are, None if nobody knows; asked only if the bar is shown.
        n_passes: Times that each chunk goes through an engine: once for each strand and model.
        is_silent: Whether the bar is never shown, for another process shows one.
    """

    def __init__(
        self,
        unit: str,
        count: Callable[[], int | None],
        *,
        n_passes: int = 1,
        is_silent: bool = False,
    ):
        is_shown = not is_silent and sys.stderr.isatty()
        total = count() if is_shown else None
        self._unit = unit
        self._count = None if is_shown or is_silent else count  # for the one estimate
        self._begin = time.monotonic()
        self._n_passed = 0.0  # in this run
        self._n_skipped = 0
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
                self._estimate()
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
        self._estimate()
        self._bar.update(min(step, self._n_done + self._n_chunk - self._bar.n))

    def _estimate(self) -> None:
        """Say how long the run will take, once, if nobody sees a bar and it will take long."""
        if self._count is None or not self._n_passed:
            return
        elapsed = time.monotonic() - self._begin
        if elapsed < _SOON:
            return
        total, self._count = self._count(), None
        if total is None:
            return
        left = elapsed / self._n_passed * (total - self._n_skipped - self._n_passed)
        if left >= _LONG:
            logger.warning(
                "about %s left: %s of %s %s took %d s",
                *(_time(left), f"{self._n_passed:,.0f}", f"{total:,}", self._unit, elapsed),
            )


def _time(seconds: float) -> str:
    """Write a time as a person says it.

    Example:
        >>> _time(90), _time(7000), _time(200_000)
        ('2 minutes', '1.9 hours', '2.3 days')
    """
    if seconds < 3600:
        return f"{seconds / 60:.0f} minutes"
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours < 36 else f"{hours / 24:.1f} days"
