"""Runs the blocks of a page: commands in this process, Python, files of YAML."""

import re
import shlex
import subprocess
from pathlib import Path

from typer.testing import CliRunner

from dnabert_hf.cli.main import app

__all__ = ["BLOCK", "commands_of", "run_block", "run_command"]

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
# Trainings of seconds in place of minutes: another network and fewer steps, all else as written.
_TINY = (
    "--k 3 --config num_hidden_layers=1 --config hidden_size=16 --config num_attention_heads=2"
    " --config intermediate_size=32"
)
_NETWORK = f"--init random {_TINY}"
_SHORT = {
    "finetune": (_NETWORK, "--set max_steps=2 --batch-size 4"),
    "search": (_NETWORK, "--set max_steps=2 --batch-size 4"),
    "mine-negatives": (_NETWORK, "--set max_steps=2 --batch-size 4 --windows 50 --rounds 1"),
    "run": ("--init tiny", "--epochs 1"),
    "pretrain": (_TINY, "--steps 2 --batch-size 4"),
}


def shortened(words: list[str]) -> list[str]:
    """Add to a training what makes it short; a model that the page made is left as it is."""
    network, steps = _SHORT.get(words[1], ("", ""))
    return [*words, *shlex.split("" if "--init" in words else network), *shlex.split(steps)]


def run_command(line: str) -> None:
    """Run `dnabert ...`, or what else a shell knows."""
    if not line.startswith("dnabert "):
        subprocess.run(["bash", "-euc", line], check=True)
        return
    words = shortened(shlex.split(line, comments=True))
    result = CliRunner().invoke(app, words[1:])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, f"{line}\n{result.output}"


def lines_of(block: str) -> list[str]:
    """Split a block of a shell into commands, those that go on after a backslash in one."""
    lines = block.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def run_block(language: str, text: str, names: dict[str, object]) -> None:
    """Run a block of a page; YAML is written to the file that its first line names."""
    if language == "bash":
        for line in lines_of(text):
            run_command(line)
    elif language == "python":
        exec(compile(text, "page", "exec"), names)
    elif language == "yaml" and (named := re.match(r"# (\S+\.yaml)", text)):
        Path(named[1]).write_text(text)


def commands_of(text: str) -> list[str]:
    """Find the commands of all blocks of a page, of those that need a cluster too."""
    blocks = (block for _, language, block in BLOCK.findall(text) if language in ("bash", "sh"))
    found = (re.search(r"\bdnabert [a-z].*", line) for block in blocks for line in lines_of(block))
    return [match[0] for match in found if match]
