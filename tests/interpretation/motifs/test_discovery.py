import numpy as np
import pytest

from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.interpretation.motifs.discovery import find_same
from dnabert_hf.interpretation.motifs.matrices.pwm import PositionWeightMatrix
from dnabert_hf.interpretation.motifs.results import MotifSettings
from dnabert_hf.interpretation.motifs.search import search_motifs

BACKGROUND = np.full(4, 0.25)
WORDS = ["TGACGTCA", "GGGCGTGGC", "TTGGCAATGCCAA", "ATTAGC"]


def planted(words, *, n, off=0.1, both_strands=False, false_places=0, seed=0, length=80):
    """Sequences, half of the class, each with one of the words; scores are high at its place."""
    generator = np.random.default_rng(seed)
    sequences, scores, places = [], [], []
    for row in range(2 * n):
        letters = generator.choice(list("ACGT"), size=length)
        of_bases = generator.uniform(0.01, 0.1, size=length)
        for _ in range(false_places):
            start = generator.integers(0, length - 8)
            of_bases[start : start + 8] = 0.9
        if row < n:
            word = words[row % len(words)]
            bases = [
                base
                if generator.random() >= off
                else generator.choice(list("ACGT".replace(base, "")))
                for base in word
            ]
            if both_strands and generator.random() < 0.5:
                bases = list(reverse_complement("".join(bases)))
            start = generator.integers(0, length - len(word))
            letters[start : start + len(word)] = bases
            of_bases[start : start + len(word)] = 1.0
            places.append((start, start + len(word)))
        sequences.append("".join(letters))
        scores.append(of_bases)
    return sequences, scores, np.arange(2 * n) < n, places


def matrix_of(word, share=0.9):
    counts = [
        [100 * (share if base == each else (1 - share) / 3) for each in "ACGT"] for base in word
    ]
    return PositionWeightMatrix(np.array(counts), BACKGROUND)


@pytest.mark.parametrize("both_strands", [False, True])
@pytest.mark.parametrize("false_places", [0, 2])
def test_unrelated_motifs_come_out_each_as_its_own(both_strands, false_places):
    *data, places = planted(WORDS, n=480, both_strands=both_strands, false_places=false_places)
    found = search_motifs(*data, MotifSettings(both_strands=both_strands))
    assert len(found.motifs) == len(WORDS)
    truth = [matrix_of(word) for word in WORDS]
    which = [find_same(motif.matrix, truth, both_strands=both_strands) for motif in found.motifs]
    assert sorted(which) == [0, 1, 2, 3]
    for motif, word in zip(found.motifs, which, strict=True):
        rows = [site.row for site in motif.sites]
        at_it = [
            row % 4 == word and site.start < places[row][1] and places[row][0] < site.end
            for row, site in zip(rows, motif.sites, strict=True)
        ]
        assert np.mean(at_it) > 0.6  # six bases match by chance here and there
        assert sum(at_it) > 0.5 * 480 / 4
    # A false place is explained only by chance; a site nearly always.
    assert found.n_regions >= 480
    low, high = (0, 0.25) if not false_places else (0.4, 0.75)
    assert low <= found.unexplained_share <= high


def test_motifs_that_share_half_of_their_bases_do_not_blend():
    words = ["CACCTCACGTGTATA", "CAGCGCAGCGGT"]  # CA-C-CA-----GT in both
    *data, _ = planted(words, n=300, off=0.08)
    found = search_motifs(*data)
    assert sorted(motif.matrix.consensus.strip("N") for motif in found.motifs) == words


def test_long_motifs_of_which_hardly_two_sites_are_equal_are_found():
    word = "GCCAACAGATGGTGTC"
    *data, _ = planted([word], n=400, off=0.22)
    published = search_motifs(*data, MotifSettings(is_refined=False))
    assert max(each.n_instances for each in published.candidates) < 20
    assert not any(len(motif.sites) > 40 for motif in published.motifs)
    (motif,) = search_motifs(*data).motifs
    assert motif.matrix.consensus.strip("N") in word
    assert len(motif.sites) > 300


def test_what_both_classes_hold_is_no_motif_of_one():
    sequences, scores, is_positive, _ = planted(["TTGGCAATGCC"], n=400, off=0.05)
    is_positive = np.arange(800) % 2 == 0  # the site has nothing to do with the class
    assert search_motifs(sequences, scores, is_positive).motifs == []


def test_few_sequences_are_searched_by_their_words():
    *data, _ = planted(["GATTACAGA"], n=10, off=0)
    (motif,) = search_motifs(*data).motifs
    assert "GATTACA" in motif.matrix.consensus


def test_candidates_name_the_motif_that_explains_them():
    *data, _ = planted(["TGACGTCATTG", "GGGCGTGGCAA"], n=300, off=0.02)
    found = search_motifs(*data)
    seeds = {motif.seed: motif.matrix.consensus for motif in found.motifs}
    best = {each.word: each.seed for each in found.candidates[:2]}
    assert {word: seeds[seed] for word, seed in best.items()} == {word: word for word in best}


def test_a_motif_is_the_same_shifted_turned_or_with_one_base_off():
    one = matrix_of("GATTACAGGT")
    for word in ("CGATTACAGG", "ACCTGTAATC", "GATTACAGAT", "TTACAG"):
        assert find_same(matrix_of(word), [matrix_of("CCCCCCCC"), one], both_strands=True) == 1
    assert find_same(matrix_of("ACCTGTAATC"), [one], both_strands=False) is None
    for word in ("GATTCTCGGT", "CCGTTGCAAC", "GGTGGT"):  # the first shares seven of ten
        assert find_same(matrix_of(word), [one], both_strands=True) is None


def test_random_motifs_are_rarely_the_same():
    generator = np.random.default_rng(0)
    lengths = [6, 8, 10, 12, 15]
    words = ["".join(generator.choice(list("ACGT"), size=lengths[i % 5])) for i in range(60)]
    found = [
        find_same(matrix_of(one), [matrix_of(other)], both_strands=True) is not None
        for one, other in zip(words[::2], words[1::2], strict=True)
    ]
    assert sum(found) <= 1
