"""Answers of the app: tables, and what a reader must know beside them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

__all__ = ["Answer", "Table", "collected_notes"]


class Table(NamedTuple):
    """Part of an answer, to be shown and downloaded; None is a value that there is not."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | int | float | None]]


class Answer(NamedTuple):
    """An answer.

    Attributes:
        tables: Its tables by name.
        notes: What a reader must know beside them, a sentence each.
    """

    tables: Mapping[str, Table]
    notes: Sequence[str]


@contextmanager
def collected_notes() -> Iterator[list[str]]:
    """Collect what the package warns of while a block runs, as sentences, each once."""
    notes = _Notes()
    logger = logging.getLogger("dnabert_hf")
    logger.addHandler(notes)
    try:
        yield notes.sentences
    finally:
        logger.removeHandler(notes)


class _Notes(logging.Handler):
    """Makes sentences of warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        sentence = f"{text[0].upper()}{text[1:]}."
        if sentence not in self.sentences:
            self.sentences.append(sentence)
