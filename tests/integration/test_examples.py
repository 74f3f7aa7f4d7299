"""The examples run as they stand, in little time."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_every_example_is_run_here():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == [
        "finetune_with_trainer.py",
        "promoters_of_a_genome.py",
        "score_a_variant.py",
    ]


@pytest.mark.parametrize(
    ("name", "words", "last_line"),
    [
        ("finetune_with_trainer", ["--steps", "2"], "accuracy on 400 simulated sequences after 2"),
        ("promoters_of_a_genome", ["--steps", "2"], "test MCC after 2 steps: "),
        ("score_a_variant", ["ACGTTGCAACGTAG"], "      13  G "),
    ],
)
# The Trainer of transformers pins memory whether there is a GPU or not.
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning")
def test_an_example_runs(name, words, last_line, monkeypatch, capsys):
    path = EXAMPLES / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), *words])
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.splitlines()[-1].startswith(last_line)
