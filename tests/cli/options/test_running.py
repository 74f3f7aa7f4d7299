"""Commands get the options of a run, and no others, as one parameter."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dnabert_hf.cli.options.running import Running, takes_run_options
from dnabert_hf.data.reading.records import Columns


def call(options: list[str], *names: str, columns: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run a command of the options named, and give what it got."""
    seen: dict[str, Any] = {}

    @takes_run_options(*names, columns=columns)
    def command(number: int = 1, *, running: Running) -> None:
        seen.update(running, number=number)

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, options)
    return seen if result.exit_code == 0 else {"error": result.output}


def test_defaults_are_those_of_a_run() -> None:
    """Nothing is given that the command does not take."""
    assert call([]) == {"device": "auto", "dtype": "auto", "batch_tokens": None, "number": 1}


def test_options_reach_the_command_by_the_names_of_run_options() -> None:
    """Columns are one field there, as in Python."""
    given = ["--shard", "1/4", "--skip-short", "--label-column", "y", "--number", "3"]
    got = call(given, "shard", "skip_short", columns=("sequence", "label"))
    assert (got["shard"], got["skip_short"], got["number"]) == ("1/4", True, 3)
    assert got["columns"] == Columns(sequence="sequence", label="y")


@pytest.mark.parametrize("option", ["--shard", "--label-column"])
def test_an_option_that_is_not_taken_is_refused(option: str) -> None:
    """It would have no effect."""
    assert "No such option" in call([option, "x"], columns=("sequence",))["error"]
