import re

import pytest

from dnabert_hf.training.shared.curves import plot_curves, plot_pretraining

pytestmark = pytest.mark.usefixtures("rendered_curves")

HISTORY = [
    {"step": 1, "loss": 0.7},
    {"step": 5, "loss": 0.5},
    {"step": 5, "eval_loss": 0.6, "eval_mcc": 0.3},
    {"step": 10, "eval_loss": 0.5, "eval_mcc": 0.6},
]


@pytest.mark.parametrize("best_step", [5, 10, None])
def test_a_picture_is_written(tmp_path, best_step):
    plot_curves(HISTORY, tmp_path / "curves.png", metric="mcc", best_step=best_step)
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_scores_are_drawn_by_step_and_the_chosen_one_is_named(tmp_path):
    plot_curves(HISTORY, tmp_path / "curves.svg", metric="spearman", best_step=None)
    plot_curves(HISTORY, tmp_path / "chosen.svg", metric="mcc", best_step=10)
    assert "chosen: 0.600" in (tmp_path / "chosen.svg").read_text()
    assert "Validation spearman" in (tmp_path / "curves.svg").read_text()


PRETRAINING = [
    {"step": 1, "loss": 8.3},
    {"step": 2, "loss": 7.9},
    {"step": 2, "eval_loss": 8.0, "eval_bits_per_base": 1.98},
    {"step": 4, "loss": 7.5},
    {"step": 4, "eval_loss": 7.4, "eval_bits_per_base": 1.92},
]


def texts_and_lines(path):
    """Texts of a drawing, and its lines: how many points each has, by the text that names it."""
    drawing = path.read_text()
    texts = re.findall(r"<!-- (.+?) -->", drawing)
    n_points = [
        len(re.findall(r"[ML] ", curve))
        for curve in re.findall(r'<g id="line2d_\d+">\s*<path d="([^"]+)" clip-path', drawing)
    ]
    return texts, sorted(n_points)


def test_pretraining_shows_loss_and_bits_of_masked_bases(tmp_path):
    plot_pretraining(PRETRAINING, tmp_path / "curves.svg")
    texts, n_points = texts_and_lines(tmp_path / "curves.svg")
    for text in ("nats per masked k-mer", "bits per base", "train", "held out", "guessing"):
        assert text in texts
    # Three losses; two losses and two scores of held-out DNA; guessing from end to end.
    assert n_points == [2, 2, 2, 3]


def test_pretraining_without_held_out_dna_shows_the_loss(tmp_path):
    history = [entry for entry in PRETRAINING if "loss" in entry]
    plot_pretraining(history, tmp_path / "curves.svg")
    texts, n_points = texts_and_lines(tmp_path / "curves.svg")
    assert "held out" not in texts
    assert n_points == [2, 3]
    plot_pretraining(history, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
