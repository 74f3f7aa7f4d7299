"""Sites of known motifs, and the chances of their scores against all words there are."""

from itertools import product

import numpy as np
import pytest

from dnabert_hf.interpretation.motifs.matrices.known_sites import MotifScanner, score_chances


def test_chances_are_shares_of_all_words():
    rng = np.random.default_rng(0)
    log_odds = rng.normal(size=(6, 4)).round(2)  # as rounding would leave them
    words = np.array(list(product(range(4), repeat=6)))
    totals = log_odds[np.arange(6), words].sum(axis=1).round(2)
    lowest, chances = score_chances(log_odds)
    assert lowest == round(totals.min() * 100)
    for score in np.unique(totals)[::97]:
        share = (totals >= score).mean()
        assert chances[round(score * 100) - lowest] == pytest.approx(share, abs=1e-12)


def test_chances_of_sites_are_never_too_good():
    """Rounding may make a site look more probable by chance than it is, not less."""
    scanner = MotifScanner({"word": np.eye(4)[[0, 1, 2, 3, 0, 0, 1]] * 0.9 + 0.025})
    (site,) = scanner.find("TTTTACGTAACTTT")
    assert site[:4] == ("word", 4, 11, "+")
    assert 4**-7 <= site.p_value < 1.1 * 4**-7
    (other,) = scanner.find("GGGTTACGTGG".replace("GGGTT", "GGGGTT"))
    assert (other.strand, other.p_value) == ("-", pytest.approx(site.p_value))


def test_words_that_reach_beyond_the_end_or_hold_n_are_no_sites():
    scanner = MotifScanner({"word": np.eye(4)[[0, 1, 2, 3, 0, 0, 1]] * 0.9 + 0.025})
    assert scanner.find("ACGTAAN") == scanner.find("ACGTAA") == scanner.find("") == []
