"""The strand of a data set, from sequences that have one and sequences that have none."""

import numpy as np
import pytest

from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.training.kmer_counts.strandedness import find_strand


def planted(n, site, *, either_strand, seed=0, length=60):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        bases = "".join(rng.choice(list("ACGT"), length))
        at = rng.integers(length - len(site))
        bases = bases[:at] + site + bases[at + len(site) :]
        is_turned = either_strand and rng.random() < 0.5
        made.append(reverse_complement(bases) if is_turned else bases)
    return made


@pytest.mark.parametrize("site", ["GTAAGTAT", "TATAAAAG", "CCACCAGGGGGC"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_site_that_is_read_one_way_has_a_strand(site, seed):
    sites = planted(200, site, either_strand=False, seed=seed)
    others = planted(200, "", either_strand=True, seed=seed + 10)
    test = find_strand(sites + others, [1] * 200 + [0] * 200)
    assert test.has_strand
    assert test.share > 0.8  # the site is the same in all of them
    assert test.n == 200


@pytest.mark.parametrize("site", ["TGACTCAG", "CCACCAGGGGGC", "CACGTG"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_site_on_either_strand_has_none(site, seed):
    sites = planted(300, site, either_strand=True, seed=seed)
    others = planted(300, "", either_strand=False, seed=seed + 10)
    assert not find_strand(sites + others, [1] * 300 + [0] * 300).has_strand


def test_too_few_sequences_have_no_answer():
    assert find_strand(["ACGTACGTAA"] * 39, [0] * 39) == (None, 0, False)


def test_the_answer_is_the_same_again():
    sites = planted(100, "GTAAGTAT", either_strand=False)
    assert find_strand(sites, [0] * 100) == find_strand(sites, [0] * 100)
