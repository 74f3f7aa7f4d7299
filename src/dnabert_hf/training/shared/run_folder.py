"""The folder of a training run: who may write into it, and what goes when the run is finished."""

import json
import logging
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from dnabert_hf.data.kmers.counts import KMER_REGRESSION
from dnabert_hf.files.atomic import write_json

__all__ = ["REPORTS", "RunFolder"]

REPORTS = (
    *("metrics.json", "predictions.tsv", "curves.png", "calibration.png", "search.tsv"),
    *(KMER_REGRESSION, "README.md"),
)

logger = logging.getLogger(__name__)

_SETTINGS = "checkpoints/run.json"
# What lies among the checkpoints; anything else is somebody's, and stays.
_CHECKPOINT_FILES = (
    "checkpoint-*",
    "run.json",
    "embeddings",
    "runs",  # of TensorBoard
    "trials.log*",  # of a search
    ".*.partial.*",
)
# What of a checkpoint only a run that goes on needs.
_ONLY_TO_GO_ON = ("optimizer*", "scheduler*", "scaler*", "rng_state*", "training_args.bin")
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
        found = sorted(file.name for file in self.path.iterdir())
        if not found or (found == ["checkpoints"] and not any(self.checkpoints.iterdir())):
            return None
        if not (resume or overwrite):
            raise ValueError(
                f"{self.path}: the output folder must be empty, found files; choose another, "
                "overwrite it (--overwrite), or go on with a run that was stopped (--resume)"
            )
        if not (self._is_finished() or self._settings.exists()):
            raise ValueError(
                f"{self.path}: a folder to go on in or to overwrite must be that of a run, with "
                f"{_SETTINGS} or {REPORTS[0]} of it, found {', '.join(found[:3])}; choose another "
                "folder"
            )
        if overwrite:
            return None
        if self._is_finished():
            if self._settings.exists():  # stopped while it tidied up
                self.finish()
            raise ValueError(
                f"{self.path}: a run to go on with must not be finished, found its {REPORTS[0]}; "
                "choose another folder or overwrite this one (--overwrite)"
            )
        earlier = self._read_settings()
        today = json.loads(json.dumps(settings, default=str))
        differences = list(_differences({name: earlier.get(name) for name in today}, today))
        if differences:
            raise ValueError(
                f"{self.path}: a run must go on with the settings it began with, but "
                f"{_list(differences)}; give the same, or begin anew (--overwrite)"
            )
        return self.last_checkpoint()

    def _is_finished(self) -> bool:
        """Tell whether there are the results of a run, and not somebody's file of that name."""
        try:
            report = json.loads((self.path / REPORTS[0]).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(report, dict) and "versions" in report

    def _read_settings(self) -> dict[str, Any]:
        try:
            settings = json.loads(self._settings.read_text(encoding="utf-8"))
        except ValueError:
            settings = None
        if not isinstance(settings, dict):
            raise ValueError(
                f"{self._settings} must hold the settings of the run to go on with, found a "
                "damaged file; begin anew (--overwrite)"
            )
        return settings

    def last_checkpoint(self) -> str | None:
        """Find the last checkpoint that was written to its end, None if there is none."""
        folders = [
            folder
            for folder in self.checkpoints.glob("checkpoint-*")
            if re.fullmatch(r"checkpoint-\d+", folder.name)
        ]
        for folder in sorted(folders, key=lambda folder: int(folder.name[11:]), reverse=True):
            if (damage := _find_damage(folder)) is None:
                return str(folder)
            logger.warning("%s is passed by: %s; delete it", folder, damage)
        return None

    @property
    def _settings(self) -> Path:
        return self.path / _SETTINGS

    def begin(self, settings: Mapping[str, Any], *, is_new: bool) -> None:
        """Make the folder, remove the reports of an earlier run, and note the settings."""
        if is_new:
            self._remove_checkpoints()
            for name in REPORTS:
                (self.path / name).unlink(missing_ok=True)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        write_json(json.loads(json.dumps(settings, default=str)), self._settings)

    def finish(self, *, keep_checkpoints: bool = False) -> None:
        """Remove what only an unfinished run needs.

        Args:
            keep_checkpoints: Keep the model of each checkpoint, without what training would need to
                go on from it.
        """
        if keep_checkpoints:
            for path in self.checkpoints.glob("checkpoint-*/*"):
                if any(fnmatch(path.name, pattern) for pattern in _ONLY_TO_GO_ON):
                    path.unlink()
        else:
            self._remove_checkpoints()
        # A pickle of the Trainer's that holds paths of this machine; metrics.json says the same.
        (self.path / "training_args.bin").unlink(missing_ok=True)

    def _remove_checkpoints(self) -> None:
        if not self.checkpoints.is_dir():
            return
        # The settings go last: without them the folder could be anybody's.
        paths = sorted(self.checkpoints.iterdir(), key=lambda path: path == self._settings)
        for path in paths:
            if not any(fnmatch(path.name, pattern) for pattern in _CHECKPOINT_FILES):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        try:
            self.checkpoints.rmdir()
        except OSError:
            logger.warning("%s stays: it holds files that no run wrote", self.checkpoints)


def _find_damage(checkpoint: Path) -> str | None:
    """Say what of a checkpoint was not written to its end, None if all of it was."""
    state = checkpoint / "trainer_state.json"  # which the Trainer writes last
    try:
        content = json.loads(state.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not isinstance(content.get("global_step"), int):
            return f"its {state.name} is damaged"
    except FileNotFoundError:
        return "it was not written to its end"
    except ValueError:
        return f"its {state.name} was not written to its end"
    weights = [*checkpoint.glob("*.safetensors"), *checkpoint.glob("pytorch_model*.bin")]
    if not weights:
        return "it has no weights"
    for path in sorted([*weights, *checkpoint.glob("*.pt"), *checkpoint.glob("*.pth")]):
        try:
            if path.suffix == ".safetensors":
                with safe_open(path, framework="np"):
                    continue
            # As torch saves: what it holds, and a checksum of each part, is listed at the end.
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:
                    return f"its {path.name} is damaged"
        except (SafetensorError, zipfile.BadZipFile, EOFError):
            return f"its {path.name} was not written to its end"
        except (ValueError, NotImplementedError, RuntimeError, zlib.error):  # of names and methods
            return f"its {path.name} is damaged"
    return None


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
