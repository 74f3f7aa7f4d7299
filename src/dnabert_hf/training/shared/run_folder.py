"""The folder of a training run: who may write into it, and what goes when the run is finished."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnabert_hf.files.atomic import write_json

__all__ = ["REPORTS", "RunFolder"]

REPORTS = ("metrics.json", "predictions.tsv", "curves.png", "search.tsv", "README.md")

_ABSENT = object()


@dataclass(frozen=True)
class RunFolder:
    """Folder that a run writes its model, reports and, until it is finished, checkpoints to.

    Attributes:
        path: The folder; need not exist.
    """

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints, which is there while the run is not finished."""
        return self.path / "checkpoints"

    def check(self, settings: Mapping[str, Any], *, resume: bool, overwrite: bool) -> str | None:
        """Find out whether a run may write here, without writing.

        Args:
            settings: What the run is about, comparable with that of the run it goes on with.
            resume: Go on from the last checkpoint, if there is one.
            overwrite: An earlier run may be replaced.

        Returns:
            The checkpoint to go on from, None to begin.

        Raises:
            ValueError: If the folder is in use, or the run to go on with had other settings.
        """
        if not self.path.exists():
            return None
        if not self.path.is_dir():
            raise ValueError(f"{self.path}: the output must be a folder, found a file; rename one")
        if overwrite:
            return None
        if not resume:
            if any(self.path.iterdir()):
                raise ValueError(
                    f"{self.path}: the output folder must be empty, found files; choose another, "
                    "overwrite it (--overwrite), or go on with a run that was stopped (--resume)"
                )
            return None
        if (self.path / REPORTS[0]).exists():
            raise ValueError(
                f"{self.path}: a run to go on with must not be finished, found its {REPORTS[0]}; "
                "choose another folder or overwrite this one (--overwrite)"
            )
        if not self._settings.exists():
            return None
        earlier = json.loads(self._settings.read_text(encoding="utf-8"))
        today = json.loads(json.dumps(settings, default=str))
        differences = list(_differences({name: earlier.get(name) for name in today}, today))
        if differences:
            raise ValueError(
                f"{self.path}: a run must go on with the settings it began with, but "
                f"{_list(differences)}; give the same, or begin anew (--overwrite)"
            )
        return self.last_checkpoint()

    def last_checkpoint(self) -> str | None:
        """Find the last checkpoint that was written to its end, None if there is none."""
        # The Trainer writes its state last.
        states = self.checkpoints.glob("checkpoint-*/trainer_state.json")
        folders = [state.parent for state in states]
        last = max(folders, key=lambda folder: int(folder.name.split("-")[1]), default=None)
        return None if last is None else str(last)

    @property
    def _settings(self) -> Path:
        return self.checkpoints / "run.json"

    def begin(self, settings: Mapping[str, Any], *, is_new: bool) -> None:
        """Make the folder, remove the reports of an earlier run, and note the settings."""
        if is_new:
            if self.checkpoints.exists():
                shutil.rmtree(self.checkpoints)
            for name in REPORTS:
                (self.path / name).unlink(missing_ok=True)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        write_json(json.loads(json.dumps(settings, default=str)), self._settings)

    def finish(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.checkpoints)
        # A pickle of the Trainer's that holds paths of this machine; metrics.json says the same.
        (self.path / "training_args.bin").unlink(missing_ok=True)


def _differences(
    earlier: Mapping[str, Any], settings: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    """Name the fields that differ, those of mappings within mappings as "recipe.masking"."""
    for name in [*settings, *(name for name in earlier if name not in settings)]:
        was, now = earlier.get(name, _ABSENT), settings.get(name, _ABSENT)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _differences(was, now, f"{prefix}{name}.")
        elif was != now:
            then, present = ("not given" if v is _ABSENT else repr(v) for v in (was, now))
            yield f"{prefix}{name} was {then} and is {present}"


def _list(differences: Sequence[str]) -> str:
    more = [f"{len(differences) - 3} more"] if len(differences) > 3 else []
    *others, last = [*differences[:3], *more]
    return f"{', '.join(others)} and {last}" if others else last
