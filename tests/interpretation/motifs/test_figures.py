import numpy as np
import pytest

from dnabert_hf.interpretation.motifs.figures import turn_to_known
from dnabert_hf.interpretation.motifs.matrices.similarity import TargetMotifs, compare_with_targets
from dnabert_hf.interpretation.motifs.results import MotifMatch
from dnabert_hf.interpretation.plots.logos import draw_aligned_logos
from dnabert_hf.interpretation.plots.site_positions import count_sites


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize(("first", "end"), [(3, 10), (0, 12), (5, 12)])
def test_a_part_of_a_known_motif_lies_below_itself(first, end, strand):
    """Cut out of a known motif, on either strand: turned, it is what it was cut from."""
    targets = list(np.random.default_rng(0).dirichlet(np.full(4, 0.3), size=(60, 12)))
    part = targets[7][first:end]
    found = compare_with_targets(part if strand == "+" else part[::-1, ::-1], TargetMotifs(targets))
    match = MotifMatch(
        *("motif_1", "M7", "", 0.0, 0.0, int(found.offsets[7]), int(found.overlaps[7]), strand)
    )
    assert bool(found.is_reverse[7]) == (strand == "-")
    ours, start = turn_to_known(part if strand == "+" else part[::-1, ::-1], match, 12)
    assert start == first
    assert ours == pytest.approx(part)


def test_a_motif_that_begins_before_the_known_one_is_drawn(tmp_path):
    heights = np.full((5, 4), 0.5)
    paths = [tmp_path / "a.svg"]
    draw_aligned_logos(heights, heights, paths, start=-3, titles=("known", "ours"))
    assert "<!-- known -->" in paths[0].read_text() and "<!-- ours -->" in paths[0].read_text()


@pytest.mark.parametrize(("length", "width", "n"), [(9, 4, 3), (200, 11, 3), (200, 11, 500)])
def test_sites_that_lie_anywhere_are_as_many_everywhere(length, width, n):
    """Each possible start once, or many times: what is counted is what is expected."""
    starts = np.tile(np.arange(length - width + 1), n)
    edges, counts, alike = count_sites(starts, np.full(len(starts), length), width=width)
    assert counts.sum() == len(starts) and alike.sum() == pytest.approx(len(starts))
    assert edges[0] <= -(length - width) / 2 and edges[-1] >= (length - width) / 2
    inner = slice(1, -1)  # a start may lie on either side of an outer border
    assert counts[inner] == pytest.approx(alike[inner])


def test_sites_of_sequences_of_other_lengths_are_expected_where_they_have_room():
    _, counts, alike = count_sites(np.array([0, 0]), np.array([4, 20]), width=4)
    assert counts.sum() == 2
    assert alike.sum() == pytest.approx(2)
    assert alike.max() > 0.5 > alike.min()
