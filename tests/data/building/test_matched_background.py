import logging
from itertools import pairwise

import numpy as np
import pytest

from dnabert_hf.data.building import matched_background
from dnabert_hf.data.building.matched_background import (
    draw_matched,
    draw_with_tata_box,
    find_tata_box,
)

NOWHERE = np.empty((0, 3), dtype=np.int64)


def gc(sequence):
    return sum(letter in "GCgc" for letter in sequence) / len(sequence)


def test_windows_match_in_gc_and_repeats_and_avoid_regions(make_genome, random_dna):
    rich, poor = random_dna(3000, "GCGCA"), random_dna(3000, "ATATG")
    genome = make_genome(a=rich + poor + rich.lower(), b=poor)
    positives = [(0, start) for start in (100, 300, 3200, 3400, 6300)]
    excluded = np.array([[0, 0, 1000], [0, 3000, 4000], [0, 6000, 6500]])
    drawn = draw_matched(genome, positives, 100, excluded=excluded, seed=1)
    for (contig, start), found_contig, found in zip(positives, *drawn[:2], strict=True):
        names = [genome.contigs[i].name for i in (contig, found_contig)]
        one = genome.sequence(names[0], start, start + 100, soft_masked=True)
        other = genome.sequence(names[1], found, found + 100, soft_masked=True)
        assert abs(gc(one) - gc(other)) <= 0.02
        assert one.islower() == other.islower()
    on_first = drawn.contigs == 0
    for _, begin, end in excluded:
        assert not ((drawn.starts + 100 > begin) & (drawn.starts < end) & on_first).any()
    places = sorted(zip(drawn.contigs, drawn.starts, strict=True))
    assert all(a[0] != b[0] or b[1] - a[1] >= 100 for a, b in pairwise(places))


def test_a_genome_without_soft_masked_repeats_is_said_to_be_one(make_genome, random_dna, caplog):
    letters = random_dna(5000)
    for genome, is_said in (
        (make_genome(a=letters), True),
        (make_genome(a=letters.lower()), False),
    ):
        caplog.clear()
        matched_background._say_no_repeats.cache_clear()
        draw_matched(genome, [(0, 50), (0, 900)], 100, excluded=NOWHERE, seed=1)
        assert ("negatives are matched by GC alone" in caplog.text) == is_said


def test_without_a_match_the_nearest_gc_serves_and_it_is_said(make_genome, random_dna, caplog):
    genome = make_genome(a="G" * 200 + random_dna(5000, "ACGT"))
    with caplog.at_level(logging.WARNING):
        drawn = draw_matched(genome, [(0, 50)], 100, excluded=np.array([[0, 0, 300]]), seed=1)
    assert drawn.starts[0] >= 300
    assert "1 of 1 negatives have the nearest GC" in caplog.text


def test_a_genome_without_room_is_refused(make_genome, random_dna):
    genome = make_genome(a=random_dna(500))
    with pytest.raises(ValueError, match="room for negatives of 600 bases"):
        draw_matched(genome, [(0, 0)], 600, excluded=NOWHERE, seed=1)
    with pytest.raises(ValueError, match="room for 9 negatives of 100 bases that do not overlap"):
        draw_matched(genome, [(0, 0)] * 9, 100, excluded=NOWHERE, seed=1)
    with pytest.raises(ValueError, match=r"a TATA box for each of 1 promoters.*found 0"):
        draw_with_tata_box(make_genome(a="ACG" * 200), [5], 50, excluded=NOWHERE, seed=1)


def test_the_box_of_a_drawn_window_is_where_it_was_wanted(make_genome, random_dna):
    genome = make_genome(a=random_dna(60_000), b=random_dna(60_000).lower())
    offsets = [20, 3, 20]
    drawn = draw_with_tata_box(genome, offsets, 60, excluded=np.array([[0, 0, 20_000]]), seed=2)
    for offset, contig, start, is_reverse in zip(offsets, *drawn, strict=True):
        strand = "-" if is_reverse else "+"
        sequence = genome.sequence(genome.contigs[contig].name, start, start + 60, strand)
        assert sequence[offset : offset + 6] in ("TATAAA", "TATATA")
        assert contig == 1 or start >= 20_000


@pytest.mark.parametrize(("begin", "found"), [(12, None), (13, 13), (28, 28), (29, None)])
def test_a_tata_box_counts_within_its_range_only(begin, found):
    sequence = "G" * begin + "TATATA" + "G" * (60 - begin)
    assert find_tata_box(sequence, start_site=50) == found
