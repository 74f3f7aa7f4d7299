"""Plots: what is written in them (matplotlib leaves texts as comments in SVG), in which format."""

import re

import numpy as np
import pytest

from dnabert_hf import DNABertForSequenceClassification
from dnabert_hf.interpretation.attribution.attention import BaseScores
from dnabert_hf.interpretation.attribution.attention_heads import Context
from dnabert_hf.interpretation.attribution.attention_over_training import attention_during_training
from dnabert_hf.interpretation.plots.attention_context import (
    plot_context,
    plot_context_grid,
    plot_training,
)
from dnabert_hf.interpretation.plots.scores import plot_landscape, plot_letters, plot_sequences

STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def scores_of(name, sequence, probabilities=None):
    values = np.arange(1, len(sequence) + 1, dtype=np.float32)
    return BaseScores(name, sequence, values / np.linalg.norm(values), probabilities)


@pytest.fixture
def context():
    attention = np.random.default_rng(0).random((3, 2, 18)).astype(np.float32)
    return Context("site", "ACGTTGCAACGTAGCTAGAC", 4, 9, 3, attention)


def texts_of(path):
    return [text.strip() for text in re.findall(r"<!--(.*?)-->", path.read_text())]


@pytest.mark.parametrize("suffix", STARTS)
def test_the_suffix_gives_the_format(tmp_path, suffix):
    path = tmp_path / f"letters{suffix}"
    plot_letters(scores_of("chr1", "ACGTN"), path)
    assert path.read_bytes().startswith(STARTS[suffix])
    assert list(tmp_path.iterdir()) == [path]


def test_letters_are_as_high_as_their_scores(tmp_path):
    """A letter is an outline of its own: four kinds of base, four shapes, coloured by base."""
    path = tmp_path / "letters.svg"
    plot_letters(scores_of("chr1", "ACGTACGT" * 20, {"no": 0.1, "yes": 0.9}), path)
    assert "chr1  (yes: 0.900)" in texts_of(path)
    colors = re.findall(r"fill: (#[0-9a-f]{6})", path.read_text())
    for color in ("#009e73", "#0072b2", "#e69f00", "#d55e00"):
        assert colors.count(color) == 3  # a shape a line of 75, 75 and 10 bases
    assert "150" in texts_of(path)


def test_rows_are_named_and_aligned(tmp_path):
    rows = [scores_of("first", "ACGTACG"), scores_of("a" * 40, "ACG")]
    plot_sequences(rows, tmp_path / "rows.svg", align="end")
    texts = texts_of(tmp_path / "rows.svg")
    assert {"first", "a" * 27 + "…", "position from the end", "score"} <= set(texts)
    with pytest.raises(ValueError, match="must be aligned"):
        plot_sequences(rows, tmp_path / "other.svg")
    with pytest.raises(ValueError, match="found none"):
        plot_sequences([], tmp_path / "other.svg")
    assert not (tmp_path / "other.svg").exists()


def test_rows_have_a_bar_of_their_classes(tmp_path):
    rows = [scores_of(name, "ACGTACG") for name in "abc"]
    path = tmp_path / "rows.svg"
    plot_sequences(rows, path, classes=["peak", "other", "other"], what="attention")
    assert {"peak (1)", "other (2)", "attention"} <= set(texts_of(path))
    fills = re.findall(r"fill: (#0072b2|#d55e00)", path.read_text())
    # A rectangle a row, and one a class in the legend.
    assert (fills.count("#0072b2"), fills.count("#d55e00")) == (2, 3)


def test_landscape_shows_each_class(tmp_path):
    classes = {
        "TATA": [scores_of("a", "ACGT"), scores_of("b", "TTTT")],
        "no": [scores_of("c", "GGGG")],
    }
    landscapes = plot_landscape(classes, tmp_path / "l.svg", origin=2)
    assert {"TATA (n = 2)", "no (n = 1)", "position from base 2 (0-based)"} <= set(
        texts_of(tmp_path / "l.svg")
    )
    assert [(each.name, each.peak()) for each in landscapes] == [("TATA", 1), ("no", 1)]


def test_context_shows_site_and_heads(tmp_path, context):
    plot_context(context, tmp_path / "c.svg", layer=1)
    texts = texts_of(tmp_path / "c.svg")
    assert "site  attention to bases 4 to 8 (0-based), layer 1 (0-based)" in texts
    assert {"head", "0", "1"} <= set(texts)
    assert "".join(text for text in texts if len(text) == 1 and text in "ACGT") == context.sequence
    with pytest.raises(ValueError, match="from -3 to 2, got 3"):
        plot_context(context, tmp_path / "c.svg", layer=3)


def test_grid_has_every_head_of_every_layer(tmp_path, context):
    plot_context_grid(context, tmp_path / "g.svg")
    texts = texts_of(tmp_path / "g.svg")
    assert {"head 0", "head 1", "layer 0", "layer 1", "layer 2"} <= set(texts)
    for top in context.attention.max(axis=-1).ravel():
        assert f"{top:.2g}" in texts


def test_training_is_drawn_by_step(tmp_path, tiny_config, tokenizer):
    for step in (20, 100, 3):
        folder = tmp_path / "run" / "checkpoints" / f"checkpoint-{step}"
        DNABertForSequenceClassification(tiny_config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    sequences = ["ACGTTGCAACG", "TTTTGACGAAC"]
    steps = attention_during_training(tmp_path / "run", sequences, dtype="float32")
    assert [step.name for step in steps] == ["checkpoint-3", "checkpoint-20", "checkpoint-100"]
    assert not np.allclose(steps[0].landscape.means, steps[1].landscape.means)
    plot_training(steps, tmp_path / "t.svg")
    assert {"checkpoint-3", "checkpoint-20", "mean score"} <= set(texts_of(tmp_path / "t.svg"))
    with pytest.raises(ValueError, match="must be aligned"):
        attention_during_training(tmp_path / "run", [*sequences, "ACG"])
    with pytest.raises(ValueError, match="must hold folders checkpoint-<step>, found none"):
        attention_during_training(tmp_path, sequences)
    with pytest.raises(ValueError, match="at least one checkpoint"):
        plot_training([], tmp_path / "t.svg")


def test_other_formats_and_endless_letters_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be \.png, \.svg, \.pdf, found '\.jpg'"):
        plot_letters(scores_of("a", "ACGT"), tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="up to 4,000 bases, found 4,001"):
        plot_letters(scores_of("a", "A" * 4001), tmp_path / "a.png")
