import pytest

from dnabert_hf.data.masking.base_windows import cut_for_bases


@pytest.mark.parametrize("n_bases", [3, 19, 20, 21, 35, 36, 100, 101])
def test_every_base_is_taken_once_from_a_window_that_fits(n_bases):
    windows = cut_for_bases(n_bases, k=3, n_kmers=18)  # windows of up to 20 bases
    taken = [base for window in windows for base in range(window.first, window.last)]
    assert taken == list(range(n_bases))
    for window in windows:
        assert window.start <= window.first < window.last <= window.end
        assert window.end - window.start <= 20


def test_no_base_inside_a_sequence_is_taken_from_the_border_of_a_window():
    for window in cut_for_bases(1000, k=6, n_kmers=510):
        assert window.first == 0 or window.first - window.start >= 515 // 8
        assert window.last == 1000 or window.end - window.last >= 515 // 8
