"""The bar that tells how far a run is."""

import io
import logging
import sys
from types import SimpleNamespace

import pytest

from dnabert_hf.inference.engine import progress as module
from dnabert_hf.inference.engine.checkpoint import Checkpoint
from dnabert_hf.inference.engine.engine import Engine, Window
from dnabert_hf.inference.engine.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def engine(classifier, tokenizer):
    checkpoint = Checkpoint(classifier, tokenizer, "tiny", is_ours=False)
    return Engine(checkpoint, device="cpu", dtype="float32", batch_tokens=1)


@pytest.fixture
def terminal(monkeypatch):
    """Put a terminal in the place of standard error, once the test has begun."""

    def begin():
        monkeypatch.setattr(sys, "stderr", Terminal())
        return sys.stderr

    return begin


def compute(model, inputs):
    return model(**inputs).logits


def test_a_bar_moves_within_chunks_and_ends_at_the_total(engine, terminal):
    shown = terminal()
    progress = Progress("sequences", lambda: 6, n_passes=2)
    places = []
    for chunk in progress.follow([["ACGTAC"] * 4, ["ACGTAC"] * 2], [engine]):
        for _ in range(2):  # two strands
            engine.run([Window(each) for each in chunk], compute)
            places.append(progress._bar.n)
    assert places == pytest.approx([2, 4, 5, 6])
    assert progress._bar.n == 6
    assert "6 of 6 sequences [00:0" in shown.getvalue()
    assert engine.on_batch is None


def test_more_passes_than_thought_do_not_lead_beyond_a_chunk(engine, terminal):
    terminal()
    progress = Progress("sequences", lambda: 4)
    for chunk in progress.follow([["ACGT"], ["ACGT"] * 3], [engine]):
        engine.run([Window(each) for each in chunk] * 5, compute)
        engine.run([Window(each) for each in chunk], compute)
        assert progress._bar.n == {1: 1, 3: 4}[len(chunk)]


def test_chunks_of_an_earlier_run_count_but_tell_nothing_of_time(engine, terminal):
    terminal()
    progress = Progress("sequences", lambda: 10)
    progress.skip(["ACGT"] * 7)
    assert [*progress.follow([["ACGT"] * 3], [engine])] == [["ACGT"] * 3]
    assert (progress._bar.n, progress._bar.initial) == (10, 7)


def test_without_a_terminal_nothing_is_shown_or_counted(engine, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())

    def count():
        raise AssertionError("reads the input for nobody")

    progress = Progress("sequences", count)
    assert [*progress.follow([["A"], ["C"]], [engine])] == [["A"], ["C"]]
    assert sys.stderr.getvalue() == ""


def test_an_unknown_total_leaves_a_count(engine, terminal):
    shown = terminal()
    assert len([*Progress("variants", lambda: None).follow([["A"] * 5], [engine])]) == 1
    assert "5 variants [00:0" in shown.getvalue()


def test_without_a_bar_a_long_run_says_once_how_long_it_will_take(engine, monkeypatch, caplog):
    """Of 100 sequences 7 were there, 3 take 12 s: the other 90 take 6 minutes."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    clock = iter([0.0, 4, 8, 12])
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    progress = Progress("sequences", lambda: 100)
    progress.skip(["ACGT"] * 7)
    with caplog.at_level(logging.WARNING):
        for chunk in progress.follow([["ACGT"] * 3, ["ACGT"] * 3], [engine]):
            engine.run([Window(each) for each in chunk], compute)
    assert [record.getMessage() for record in caplog.records] == [
        "about 6 minutes left: 3 of 100 sequences took 12 s"
    ]
