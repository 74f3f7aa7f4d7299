"""The page for users of the original: what it names on our side is there."""

import re
from pathlib import Path

import typer

from dnabert_hf.cli.main import app

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-the-original.md"
COMMAND, FLAG = re.compile(r"`dnabert ([a-z-]+)([^`]*)`"), re.compile(r"--[a-z][a-z-]+")


def options(command):
    own = {flag for each in command.params for flag in each.opts}
    return own.union(*(options(each) for each in getattr(command, "commands", {}).values()))


def test_the_commands_and_flags_of_the_page_exist():
    commands = typer.main.get_command(app).commands
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    ours = [row[2] for row in rows if "here" not in row[2]]
    assert len(ours) > 40
    known = set().union(*(options(command) for command in commands.values()))
    for cell in ours:
        for name, rest in COMMAND.findall(cell):
            assert name in commands, cell
            assert set(FLAG.findall(rest)) <= options(commands[name]), cell
        assert set(FLAG.findall(cell)) <= known, cell
