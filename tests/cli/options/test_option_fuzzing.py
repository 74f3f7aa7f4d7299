"""Any text to any option: one line, or a value that can be given again."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from option_fuzzing import NUMBERS, OPTIONS, check

# Texts that are near to what an option takes, and what is wrong in many ways.
PIECES = [
    *("", "=", "==", ":", "-", "/", ",", " ", "{", "}", "[", '"', "'", "\\", "%s", "NaN", "1e400"),
    *("-1", "0", "1", "0.5", "1e20", "9" * 30, "true", "null", "x", "é", "\u0663", "\udcff", "\n"),
]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_text_is_refused_in_a_line_or_can_be_given_again(name):
    option = OPTIONS[name]

    @settings(
        max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.sampled_from([*option.examples, ""]), st.integers(0, 30), st.sampled_from(PIECES))
    def run(example, at, piece):
        check(option, example[:at] + piece + example[at + len(piece) :])

    run()


@pytest.mark.parametrize("name", OPTIONS)
def test_what_options_take_is_taken(name):
    assert all(check(OPTIONS[name], text) is not None for text in OPTIONS[name].examples)


def test_every_number_of_every_command_is_in_range_or_refused():
    assert len(NUMBERS) > 60
    for option in NUMBERS.values():
        for text in ("1", "-1", "0", "0.5", "nan", "inf", "1e400", "9" * 30, "", "\u0663", "1_0"):
            value = check(option, text)
            value = value[0] if isinstance(value, list | tuple) else value
            assert value is None or -(2**31) < value < 2**32
