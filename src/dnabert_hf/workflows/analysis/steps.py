"""Steps of an analysis: commands that are not repeated while what they read stays the same."""

import hashlib
import json
import logging
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dnabert_hf.files.atomic import write_json
from dnabert_hf.files.fingerprint import fingerprint_files

__all__ = ["STATE", "Call", "Step", "StepFailedError", "Steps"]

logger = logging.getLogger(__name__)

STATE = "run.json"

# Runs a command of `dnabert`: gives its exit code and what it printed on standard output.
Call = Callable[[Sequence[str]], tuple[int, str]]


class StepFailedError(Exception):
    """A command of an analysis ended with an error, which it has said.

    Args:
        code: Its exit code.
        name: The step.
    """

    def __init__(self, code: int, name: str):
        super().__init__(f"stopped at the step {name}; the same command goes on from there")
        self.code = code


@dataclass(frozen=True)
class Step:
    """A command of an analysis.

    Attributes:
        name: What the step is called, one word.
        words: The command as typed, without "dnabert".
        reads: Files, folders or names that it depends on.
        writes: Files and folders that it makes; those of an earlier time are replaced.
        allowed: Exit codes that are no error; 1 says of `dataset check` that something leaks.
    """

    name: str
    words: tuple[str, ...]
    reads: tuple[Any, ...] = ()
    writes: tuple[Path, ...] = ()
    allowed: tuple[int, ...] = (0,)

    @property
    def command(self) -> str:
        """Give the command as one copies it into a shell."""
        return shlex.join(["dnabert", *self.words])

    def key(self) -> str:
        """Hash the command, what it reads and the version of this package."""
        read = [fingerprint_files(each) for each in self.reads]
        text = json.dumps([version("dnabert-hf"), *self.words, *read])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Steps:
    """The steps done in a folder.

    Args:
        folder: Folder of the analysis; its `run.json` says what was done.
        call: Runs a command.
    """

    def __init__(self, folder: Path, call: Call):
        self._path, self._call = folder / STATE, call
        self.done: dict[str, dict[str, Any]] = {}
        if self._path.is_file():
            self.done = json.loads(self._path.read_text(encoding="utf-8"))["steps"]

    def do(self, step: Step) -> str:
        """Run a step, unless it is done with the same command and inputs.

        Args:
            step: The step.

        Returns:
            What the command printed, now or then.

        Raises:
            StepFailedError: If the command ends with an error.
        """
        key, entry = step.key(), self.done.get(step.name, {})
        are_there = all(path.exists() for path in step.writes)
        if entry.get("key") == key and entry.get("is_done") and are_there:
            logger.info("%s: as before", step.name)
            return str(entry["printed"])
        logger.info("%s: %s", step.name, step.command)
        more = self._go_on(step, is_same=entry.get("key") == key)
        self._note(step, key=key, command=step.command, is_done=False)
        begin = time.perf_counter()
        code, printed = self._call([*step.words, *more])
        if code not in step.allowed:
            raise StepFailedError(code, step.name)
        seconds = round(time.perf_counter() - begin, 1)
        self._note(
            step, key=key, command=step.command, is_done=True, printed=printed, seconds=seconds
        )
        return printed

    @staticmethod
    def _go_on(step: Step, *, is_same: bool) -> list[str]:
        """Say what to do with what a step left behind when it ran before."""
        left = [path for path in step.writes if path.exists()]
        if not left:
            return []
        if step.name == "finetune" and not (left[0] / "metrics.json").is_file():
            if is_same and (left[0] / "checkpoints").is_dir():
                return ["--resume"]
            shutil.rmtree(left[0])
            return []
        return ["--overwrite"]

    def _note(self, step: Step, **entry: Any) -> None:
        self.done[step.name] = entry
        write_json({"steps": self.done}, self._path)
