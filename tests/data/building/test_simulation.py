import numpy as np
import pytest

from dnabert_hf.data.building.simulation import CTCF, simulate_binding
from dnabert_hf.data.reading.sequences import reverse_complement

TATA = [[0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]  # TATAG


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_bound_sequences_carry_the_motif_where_and_how_they_say(generator):
    simulated = simulate_binding(40, generator, length=30, motif=TATA)
    assert sum(item.is_bound for item in simulated) == 20
    for item in simulated:
        assert len(item.sequence) == 30
        planted = item.sequence[item.start : item.start + 5]
        site = planted if item.strand == "+" else reverse_complement(planted)
        assert (site == "TATAG") or not item.is_bound
        assert sorted(site) == ["A", "A", "G", "T", "T"]
    assert {item.strand for item in simulated} == {"+", "-"}
    assert any(item.is_bound for item in simulated[:20]) != all(
        item.is_bound for item in simulated[:20]
    )


def test_the_same_seed_gives_the_same_sequences():
    first, second = (simulate_binding(5, np.random.default_rng(3)) for _ in range(2))
    assert first == second


def test_the_background_has_few_cpg(generator):
    """CpG at about a quarter of chance, as in human DNA, where 1 would be by chance."""
    dna = "".join(item.sequence for item in simulate_binding(500, generator, motif=TATA))
    share = {letter: dna.count(letter) / len(dna) for letter in "ACGT"}
    assert 0.38 < share["C"] + share["G"] < 0.44
    assert 0.15 < dna.count("CG") / len(dna) / (share["C"] * share["G"]) < 0.35


def test_the_published_matrix_has_its_consensus():
    """CTCF MA0139.1: the core CCASYAGRKGGCR of the literature from position 4 on."""
    consensus = "".join("ACGT"[int(np.argmax(row))] for row in CTCF)
    assert consensus == "TGGCCACCAGGGGGCGCTA"
    assert all(98 <= sum(row) <= 102 for row in CTCF)


def test_a_motif_longer_than_the_sequences_is_refused(generator):
    with pytest.raises(ValueError, match="at least that of the motif, 19 bases, got 18"):
        simulate_binding(2, generator, length=18)
