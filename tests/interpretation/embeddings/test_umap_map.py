"""Maps: of groups that lie apart (slow: UMAP compiles itself), and how points are drawn."""

import csv

import numpy as np
import pytest

from dnabert_hf import plot_umap
from dnabert_hf.inference.embeddings.embedding_files import EmbeddingSet
from dnabert_hf.interpretation.plots.embedding_map import draw_embedding_map


def groups(n, labels):
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(len(labels)), n, axis=0)
    vectors = np.hstack([centres, np.zeros((len(centres), 8))])
    vectors += rng.normal(scale=0.1, size=vectors.shape)
    names = [label for label in labels for _ in range(n)]
    ids = [f"r{i}" for i in range(len(names))]
    return EmbeddingSet("groups.h5ad", ids, vectors.astype(np.float32), labels=names)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of numba and of UMAP's own
def test_groups_lie_apart_and_the_seed_gives_the_map_again(tmp_path):
    given = groups(40, ["a", "b", "c"])
    found = plot_umap(given, tmp_path / "map.png", table=tmp_path / "points.tsv")
    again = plot_umap(given, tmp_path / "again.svg")
    np.testing.assert_array_equal(found.points, again.points)
    labels = np.array(given.labels)
    centres = {label: found.points[labels == label].mean(axis=0) for label in "abc"}
    for label in "abc":
        spread = np.linalg.norm(found.points[labels == label] - centres[label], axis=1).max()
        others = [np.linalg.norm(centres[label] - centres[o]) for o in "abc" if o != label]
        assert min(others) > spread
    with (tmp_path / "points.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["label"] for row in rows] == given.labels
    assert float(rows[3]["x"]) == pytest.approx(found.points[3, 0], rel=1e-4)


def legend_of(values):
    points = np.random.default_rng(0).normal(size=(len(values), 2))
    figure = draw_embedding_map(points, values, title="t", about="label")
    (axis, *bars) = figure.axes
    n_drawn = sum(len(each.get_offsets()) for each in axis.collections)
    assert n_drawn == len(values)
    texts = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return texts, len(bars)


@pytest.mark.parametrize(
    ("values", "texts", "n_bars"),
    [
        ([*"abba", None], ["a (2)", "b (2)", "none (1)"], 0),
        (["0", "1", "1"], ["0 (1)", "1 (2)"], 0),
        ([*"ababcdefgh", "i"], ["a (2)", "b (2)", *(f"{c} (1)" for c in "cdefg"), "2 others (2)"],
         0),
        ([f"{i / 3}" for i in range(20)], [], 1),
        ([None, None], [], 0),
        (None, [], 0),
    ],
)  # fmt: skip
def test_classes_have_a_legend_and_numbers_a_scale(values, texts, n_bars):
    if values is None:
        figure = draw_embedding_map(np.zeros((3, 2)), None, title="t", about="label")
        assert (len(figure.legends), len(figure.axes)) == (0, 1)
    else:
        assert legend_of(values) == (texts, n_bars)


def test_what_makes_no_map_is_told_in_a_line(tmp_path):
    few = groups(3, ["a", "b"])
    with pytest.raises(ValueError, match=r"neighbours must be from 2 to 5, .* groups\.h5ad, got"):
        plot_umap(few, tmp_path / "map.png")
    with pytest.raises(ValueError, match="must say the split of its sequences to colour them by"):
        plot_umap(few, tmp_path / "map.png", by="split", neighbours=3)
    with pytest.raises(ValueError, match=r"map\.jpg: the picture must be named"):
        plot_umap(few, tmp_path / "map.jpg")
    with pytest.raises(ValueError, match="by must be one of label, split, got 'id'"):
        plot_umap(few, tmp_path / "map.png", by="id")
