"""The bar that tells how far a run is."""

import io
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
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


def test_a_thread_of_a_server_shows_nothing(engine, terminal):
    shown = terminal()

    def follow():
        progress = Progress("sequences", lambda: pytest.fail("nobody asks how many"))
        return [*progress.follow([["ACGT"] * 3], [engine])]

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(follow).result() == [["ACGT"] * 3]
    assert shown.getvalue() == ""


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


@pytest.fixture
def clocked(engine, monkeypatch, caplog):
    """Give what a run without a terminal says, batch after batch at the times of a clock."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())

    def run(times, total, *, n_skipped=0):
        now = [0.0]
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
        progress = Progress("sequences", lambda: total)
        progress.skip(["ACGT"] * n_skipped)
        with caplog.at_level(logging.WARNING):
            for index, chunk in enumerate(progress.follow([["ACGT"]] * len(times), [engine])):
                now[0] = times[index]
                engine.run([Window(each) for each in chunk], compute)
        return [record.getMessage() for record in caplog.records]

    return run


def test_the_first_batch_tells_nothing_of_the_time_left(clocked):
    """It takes 100 s to begin, then 1 s a sequence: 279 of 297 are left after 7 + 1 + 10."""
    times = [100 + i for i in range(25)]
    assert clocked(times, 297, n_skipped=7) == [
        "about 5 minutes left: 18 of 297 sequences are done, 1 a second"
    ]


def test_few_batches_tell_nothing_however_long_they_take(clocked):
    assert clocked([100, 200, 300, 400, 500], 1000) == []
    assert clocked([100, 200, 300, 400, 500, 600], 1000) == [
        "about 27.6 hours left: 6 of 1,000 sequences are done, 0.01 a second"
    ]


def test_a_small_part_of_a_run_tells_after_a_minute(clocked):
    """The first hundredth once told of half an hour where two minutes it took."""
    assert clocked(range(60), 10_000) == []
    assert clocked(range(62), 10_000) == [
        "about 2.8 hours left: 61 of 10,000 sequences are done, 1 a second"
    ]


def test_the_time_left_is_told_again_where_it_was_wrong(clocked):
    """Of 290 sequences 11 pass in 10 s, the next ones take 10 s each."""
    assert clocked([*range(11), *range(20, 60, 10)], 290) == [
        "about 5 minutes left: 11 of 290 sequences are done, 1 a second",
        "about 46 minutes left: 13 of 290 sequences are done, 0.1 a second",
    ]


def test_a_run_of_seconds_or_of_unknown_length_says_nothing(clocked):
    assert clocked(range(20), 60) == []
    assert clocked(range(20), None) == []
