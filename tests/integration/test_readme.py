"""The README's Python does what it says, run as it stands; its commands are those there are."""

import inspect
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml

from dnabert_hf.cli.main import app
from dnabert_hf.data.building.simulation import simulate_binding
from dnabert_hf.training.tasks.presets import find_task

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def work_folder(tmp_path, monkeypatch):
    """A folder with the files that the README names."""
    records = simulate_binding(60, np.random.default_rng(0), length=60)
    rows = [f"{r.sequence}\t{int(r.is_bound)}" for r in records]
    splits = ["train"] * 40 + ["dev"] * 10 + ["test"] * 10
    table = [f"{row}\t{split}" for row, split in zip(rows, splits, strict=True)]
    (tmp_path / "peaks.tsv").write_text("\n".join(["sequence\tlabel\tsplit", *table]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python_of_the_readme_runs(work_folder):
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    # One step of a tiny model stands for the training.
    tiny = {"k": 3, "num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2}
    short = f'config={tiny}, arguments={{"max_steps": 1}}, output_dir='
    block = block.replace('"dnabert-6-mini"', '"random"').replace("output_dir=", short)
    names: dict[str, object] = {}
    exec(compile(block, os.fspath(README), "exec"), names)
    assert 0 <= names["result"].scores["test"]["auroc"] <= 1
    assert len(names["predictions"]) == 2


def commands(group, prefix="dnabert"):
    """All commands by what is typed, those of groups too, with the group that has them."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


COMMANDS = dict(commands(typer.main.get_command(app)))
for _command in COMMANDS.values():
    for _parameter in _command.params:
        _parameter.callback = None  # it would look for the files of an example


def lines_of_readme():
    text = README.read_text()
    table = re.findall(r"^\| `(dnabert [^`]+)` \|", text, flags=re.MULTILINE)
    blocks = "".join(re.findall(r"```(?:bash|sh)\n(.*?)```", text, flags=re.DOTALL))
    return table, re.findall(r"dnabert [a-z].*", blocks.replace("\\\n", " "))


def parse(line):
    """Parse a command as a shell would hand it over, without running it."""
    words = shlex.split(line, comments=True)
    n_words = 3 if words[1] in ("dataset", "experiment") else 2
    name = " ".join(words[:n_words])
    COMMANDS[name].make_context(name, words[n_words:])
    return name


def test_every_command_has_an_example_in_the_readme_and_in_its_help():
    table, blocks = lines_of_readme()
    shown = {parse(line) for line in table}
    assert {name.split()[1] for name in shown} == {name.split()[1] for name in COMMANDS}
    assert {*map(parse, blocks)} <= set(COMMANDS)
    for name, command in COMMANDS.items():
        text = inspect.getdoc(command.callback)
        assert "Example:\n\n    dnabert " in text
        # As one pastes them: a line that goes on ends in a backslash.
        examples = re.findall(r"^ {4}(dnabert (?:.*\\\n)*.*)$", text, flags=re.MULTILINE)
        assert {parse(example.replace("\\\n", " ")) for example in examples} == {name}


def test_the_task_of_the_documentation_is_one(tmp_path):
    page = README.parent / "docs" / "reference" / "tasks.md"
    (block,) = re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL)
    (tmp_path / "atac.yaml").write_text(block)
    task = find_task(str(tmp_path / "atac.yaml"))
    assert task.labels == tuple(yaml.safe_load(block)["labels"])
    assert task.recipe_for("dnabert-6-mini")["learning_rate"] == 3e-4
    assert "dataset peaks PEAKS --genome GENOME --length 200 -o" in task.command()
