"""Defaults that a classifier brings along: strands and lengths that it was trained on."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.engine.engine import Engine

__all__ = ["choose_strands", "choose_threshold", "choose_window", "watch_lengths"]

logger = logging.getLogger(__name__)

_FAR = 1.5  # windows that differ by more than this factor from those of training
_FAR_LONGER = 4  # whole sequences
_USUAL_THRESHOLD = 0.5


def choose_strands(engines: Sequence[Engine], both_strands: bool | None) -> bool:
    """Decide whether predictions are means over both strands.

    Args:
        engines: Engines of one or more models.
        both_strands: What is asked for; None for what any of the models was trained for.
    """
    if both_strands is not None:
        return both_strands
    return any(getattr(engine.model.config, "both_strands", False) for engine in engines)


def choose_window(config: Any, window: int | None) -> int:
    """Choose the length of windows, and warn of one that is far from those of training.

    Args:
        config: Configuration of a model.
        window: Bases that are asked for; None for the median length of training.

    Raises:
        ValueError: If none is asked for and the model does not say what it was trained on.
    """
    lengths = getattr(config, "training_lengths", None)
    if lengths is None:
        if window is None:
            raise ValueError(
                "the model does not say how long its training sequences were; give the bases of a "
                "window (--window)"
            )
        return window
    fewest, median, most = lengths
    if window is None:
        return int(median)
    if window > _FAR * most or window * _FAR < fewest:
        logger.warning(
            "windows of %d bases are far from the %s that the model was trained on; leave out "
            "--window for %d",
            *(window, _range(fewest, most), median),
        )
    return window


def choose_threshold(config: Any, label: str | None, threshold: float | None) -> tuple[float, str]:
    """Choose the least probability of a call along a genome.

    Args:
        config: Configuration of a model.
        label: Class that is called.
        threshold: What is asked for; None for what the model suggests for its class of interest, or
            else 0.5.

    Returns:
        The threshold, and where it comes from, in words.
    """
    if threshold is not None:
        return threshold, "as asked for"
    suggested = getattr(config, "call_threshold", None)
    if suggested is not None and label == config.positive:
        return float(suggested), "as the validation split suggests; --threshold changes it"
    return _USUAL_THRESHOLD, "for want of a suggestion by the model; --threshold changes it"


def watch_lengths(records: Iterable[SequenceRecord], config: Any) -> Iterator[SequenceRecord]:
    """Pass records on, and warn of the first that is far longer than those of training.

    That is more than four times the longest, and more than one piece.

    Args:
        records: Records, in order.
        config: Configuration of the model that is to read them.
    """
    lengths = getattr(config, "training_lengths", None)
    if lengths is None:
        yield from records
        return
    is_quiet = False
    for record in records:
        n_bases = len(record.sequence) + len(record.sequence_b or "")
        if not is_quiet and n_bases > _FAR_LONGER * lengths[2]:
            room = config.max_position_embeddings - 2 + (config.k or 0) - 1
            if n_bases > room:
                is_quiet = True
                logger.warning(
                    "record %s has %s bases, and the model was trained on %s: it gives one answer "
                    "for all of them (here and for others as long); `dnabert scan` gives one for "
                    "each window",
                    *(record.id, f"{n_bases:,}", _range(lengths[0], lengths[2])),
                )
        yield record


def _range(fewest: int, most: int) -> str:
    return f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
