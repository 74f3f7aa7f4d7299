"""Blocks of maps that were made by hand: noise that falls with distance, and what is planted."""

import numpy as np
import pytest

from dnabert_hf.inference.dependencies.blocks import contrast, find_blocks
from dnabert_hf.inference.dependencies.map_files import DependencyMap


def random_dna(n_bases, seed):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), n_bases))


def found_in(scores, sequence):
    return find_blocks(DependencyMap("x", sequence, scores.astype(np.float32)))


def test_a_band_has_no_blocks(noise):
    n_blocks = [len(found_in(noise(80, seed), random_dna(80, seed))) for seed in range(10)]
    assert sum(n_blocks) <= 4  # three kinds, each false in one of 21


@pytest.mark.parametrize("loop", [0, 12])
def test_arms_of_a_hairpin_are_found(noise, loop):
    scores = noise(80, 3)
    sequence = "A" * 20 + "GGCATC" + "A" * loop + "GATGCC" + "A" * (48 - loop)
    for i in range(6):
        left, right = 20 + i, 31 + loop - i
        scores[left, right] = scores[right, left] = max(scores[left, right], 0) + 3
    (block, *others) = found_in(scores, sequence)
    assert (block.kind, block.start, block.end) == ("inverted repeat", 20, 26)
    assert (block.start_b, block.end_b) == (26 + loop, 32 + loop)
    assert block.strength > block.chance
    assert all(other.kind != "inverted repeat" for other in others)


def test_letters_that_do_not_pair_make_no_arms(noise):
    scores = noise(80, 3)
    for i in range(6):
        scores[20 + i, 49 - i] = scores[49 - i, 20 + i] = 3
    assert all(b.kind != "inverted repeat" for b in found_in(scores, "A" * 80))


def test_copies_are_direct_repeats(noise):
    scores = noise(80, 5)
    sequence = "A" * 10 + "CCGTTGCC" + "A" * 32 + "CCGTTGCC" + "T" * 22
    sequence = sequence[:49] + "G" + sequence[50:]
    for i in range(8):
        scores[10 + i, 50 + i] += 3
        scores[50 + i, 10 + i] += 3
    block = found_in(scores, sequence)[0]
    assert block[:5] == ("direct repeat", 10, 18, 50, 58)


def test_two_sites_that_depend_on_each_other_are_a_pair_and_introns_are_named(noise):
    scores, sequence = noise(90, 7), "C" * 90
    sequence = sequence[:12] + "GT" + sequence[14:62] + "AG" + sequence[64:]
    for start in (10, 60):
        scores[start : start + 8, start : start + 8] += 4
    scores[10:18, 60:68] += 1
    scores[60:68, 10:18] += 1
    scores[12, 62] += 5
    blocks = {block.kind: block for block in found_in(scores, sequence)}
    assert (blocks["site"].start, blocks["site"].end) in [(10, 18), (60, 68)]
    pair = blocks["splice pair"]
    assert abs(pair.start - 10) <= 1
    assert abs(pair.start_b - 60) <= 1


def test_contrast_takes_off_distance_and_what_a_base_has_in_common(noise):
    scores = noise(60, 1)
    deviations = contrast(scores)
    near, far = (
        np.concatenate([deviations.diagonal(d) for d in each]) for each in ([1, 2], [30, 31])
    )
    assert abs(np.median(near)) < 0.4
    assert abs(np.median(far)) < 0.4
    np.testing.assert_allclose(deviations, deviations.T)
    loud = scores.copy()
    loud[:, 20] *= 5  # all pairs of one target are strong, none more than the others
    assert np.nanmedian(contrast(loud)[20]) < 2


def test_what_a_model_is_sure_of_does_not_hide_the_rest():
    """A hairpin that is hundreds of deviations strong, with shadows beside it, and two words."""
    rng = np.random.default_rng(0)
    scores = rng.lognormal(-4, 0.7, (64, 64))
    for i in range(63):
        scores[i, i + 1] = scores[i + 1, i] = 2.5 + rng.normal(0, 0.3)
    for i in range(6):
        for shift, value in ((-1, 2), (0, 7), (1, 2)):
            left, right = 12 + i, 31 - i + shift
            scores[left, right] = scores[right, left] = value
    for start in (12, 26, 40, 54):
        width = 6 if start < 30 else 4
        scores[start : start + width, start : start + width] += 4
    scores[40:44, 54:58] += 1.5
    scores[54:58, 40:44] += 1.5
    np.fill_diagonal(scores, np.nan)
    sequence = "A" * 12 + "CAATTC" + "A" * 8 + "GAATTG" + "A" * 32
    found = [block[:5] for block in found_in(scores, sequence)]
    assert ("inverted repeat", 12, 18, 26, 32) in found
    assert ("pair", 40, 44, 54, 58) in found
    assert {block for block in found if block[0] == "site"} >= {
        ("site", 40, 44, None, None),
        ("site", 54, 58, None, None),
    }
