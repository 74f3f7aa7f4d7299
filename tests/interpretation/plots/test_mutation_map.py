import csv

import numpy as np
import pytest
from matplotlib.image import imread

from dnabert_hf.interpretation.plots.mutation_map import (
    _arrange,
    _logo_heights,
    check_plot,
    plot_mutation_maps,
)

HEADER = ["id", "position", "ref", "alt", "prob_ref_no", "diff_no", "prob_ref_yes", "diff_yes"]


def write_map(path, ids, effect=-0.5, header=HEADER):
    """Three bases a sequence; replacing C by anything, or leaving it out, matters."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(header)
        for name in ids:
            for position, ref in enumerate("ACG"):
                for alt in [*"ACGT".replace(ref, ""), "-"]:
                    value = effect if ref == "C" else 0
                    writer.writerow([name, position, ref, alt, 0.2, -value, 0.8, value])
                writer.writerow([name, position, "-", "T", 0.2, 0, 0.8, 0.25])
    return path


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_map_of_one_sequence_is_one_picture(tmp_path, suffix):
    table = write_map(tmp_path / "map.tsv", ["a"])
    plot = tmp_path / f"map{suffix}"
    assert plot_mutation_maps(table, plot) == [plot]
    first = plot.read_bytes()
    plot_mutation_maps(table, plot)
    assert plot.read_bytes() == first


def test_what_is_lost_is_blue(tmp_path):
    blue, red = [], []
    for name, effect in (("lost.png", -0.5), ("won.png", 0.5)):
        table = write_map(tmp_path / "map.tsv", ["a"], effect)
        plot_mutation_maps(table, tmp_path / name)
        pixels = imread(tmp_path / name)[..., :3]
        height, width, _ = pixels.shape
        heat = pixels[height // 2 :, : width * 6 // 10]  # without logo and bar of colours
        blue.append(int(((heat[..., 2] - heat[..., 0]) > 0.25).sum()))
        red.append(int(((heat[..., 0] - heat[..., 2]) > 0.25).sum()))
    assert blue[0] > 2 * blue[1]
    assert red[1] > 2 * red[0]


def test_every_sequence_has_a_picture_with_its_id(tmp_path):
    table = write_map(tmp_path / "map.tsv", ["chr1:0-3(+)", "b", "b"])
    drawn = plot_mutation_maps(table, tmp_path / "map.svg", label="no")
    assert [path.name for path in drawn] == ["map-chr1_0-3_+_.svg", "map-b.svg", "map-b-2.svg"]
    assert "diff of class no; unchanged, its probability is 0.200" in drawn[0].read_text()


def test_effects_lie_at_their_base_and_the_logo_shows_the_mean_loss():
    rows = {
        "id": ["a"] * 4,
        "position": np.array([0, 0, 0, 1]),
        "ref": ["C", "C", "C", "-"],
        "alt": ["A", "G", "-", "T"],
        "s": [-0.5, -0.1, -0.9, 0.2],
    }
    each = _arrange(rows, "s", "title")
    assert each.sequence == "CN"
    assert each.effects[[0, 2, 4], 0].tolist() == [-0.5, -0.1, -0.9]
    assert each.effects[8, 1] == 0.2
    assert np.isnan(each.effects).sum() == 18 - 4
    np.testing.assert_allclose(_logo_heights(each), [0.3, 0])


def test_a_variant_is_marked_in_the_map_of_its_sequence_alone(tmp_path):
    table = write_map(tmp_path / "map.tsv", ["a", "b"])
    plain = [path.read_text() for path in plot_mutation_maps(table, tmp_path / "p.svg")]
    marked, other = (
        path.read_text()
        for path in plot_mutation_maps(table, tmp_path / "m.svg", marks={"a": (1, "T")})
    )
    assert other == plain[1]
    # A frame one base wide, which no other shape has; and a triangle more.
    frame = "stroke: #000000; stroke-width: 1.5; stroke-linejoin: miter"
    assert (plain[0].count(frame), marked.count(frame)) == (0, 1)
    assert marked.count("<use") == plain[0].count("<use") + 1


def test_what_cannot_be_drawn_is_refused(tmp_path):
    table = write_map(tmp_path / "map.tsv", ["a"])
    with pytest.raises(ValueError, match="must be one of no, yes, got 'maybe'"):
        plot_mutation_maps(table, tmp_path / "map.png", label="maybe")
    wrong = write_map(tmp_path / "wrong.tsv", ["a"], header=["name", *HEADER[1:]])
    with pytest.raises(ValueError, match="must be a mutation map with the columns id"):
        plot_mutation_maps(wrong, tmp_path / "map.png")
    for output, plot, message in [
        ("-", "map.png", "drawn of a map in a file"),
        ("map.tsv", "map.jpg", r"named \*.png, \*.svg, \*.pdf"),
        ("map.tsv", tmp_path / "no" / "map.png", "folder that exists"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_plot(output, plot, overwrite=False)


def test_sequences_too_long_for_a_picture_are_said(tmp_path, caplog):
    path = tmp_path / "map.tsv"
    path.write_text("id\tposition\tref\talt\tlog_likelihood_ratio\na\t2500\tA\tC\t0.5\n")
    assert plot_mutation_maps(path, tmp_path / "map.png") == []
    assert "a has 2501 bases, too many for a picture" in caplog.text
