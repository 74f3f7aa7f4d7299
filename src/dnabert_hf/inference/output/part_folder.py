"""The folder of parts beside a result file: any process may add to it, and one makes the file."""

import hashlib
import json
import logging
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dnabert_hf.files.atomic import FinishedElsewhereError, atomic_file, atomic_folder
from dnabert_hf.inference.output.formats import FolderFormat, ResultFormat, Row

__all__ = ["PartFolder"]

logger = logging.getLogger(__name__)

_RECORDS = "records"
_SHOWN = 8
# All that ever lies in the folder. Anything else is somebody's, and stays.
_OURS = re.compile(r"(run|end)\.json|part-\d{6,}(\.json)?|\.[0-9a-f]{16}\.partial\..*")


class PartFolder:
    """Parts of a result file in a folder beside it, `NAME.partial`.

    Part i holds the results of chunk i of the input, whoever computed it. Its note, which is
    written last, makes it valid, so that a process that was killed leaves nothing half-done.

    Args:
        path: Result file.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path):
        self.path = path.with_name(f"{path.name}.partial")
        self._result = path
        self._digest = ""

    def exists(self) -> bool:
        """Tell whether there is such a folder."""
        return self.path.exists()

    def check(self) -> None:
        """Refuse a folder of that name that is somebody's.

        Raises:
            ValueError: If it holds other files than parts and their notes.
        """
        if not self.path.is_dir():
            found = "a file" if self.path.exists() else ""
        elif self._is_ours():
            found = ""
        else:
            found = ", ".join(self._foreign()[:_SHOWN]) or "a run.json of something else"
        if found:
            raise ValueError(
                f"{self.path} is where the parts of {self._result.name} go, and must not exist or "
                f"hold such parts, found {found}; move it away or give the output another name"
            )

    def _is_ours(self) -> bool:
        try:
            return "fingerprint" in self._read_note("run.json")
        except FileNotFoundError:
            return not self._foreign()  # a process has just begun
        except (ValueError, TypeError):  # damaged
            return not self._foreign()

    def _foreign(self) -> list[str]:
        names = sorted(path.name for path in self.path.iterdir())
        return [name for name in names if not _OURS.fullmatch(name)]

    def begin(self, fingerprint: Mapping[str, str] | None, result_format: ResultFormat) -> None:
        """Make the folder, unless it is there, and note which run it belongs to."""
        run = {"fingerprint": fingerprint, "format": result_format.describe()}
        self._digest = _digest(fingerprint)
        self.path.mkdir(exist_ok=True)
        if not (self.path / "run.json").exists():
            try:
                self._write_note("run.json", run)
            except BaseException:
                with suppress(OSError):  # another process may have begun
                    self.path.rmdir()
                raise

    def difference(self, fingerprint: Mapping[str, str] | None) -> str | None:
        """Say in what the fingerprint of the parts differs from another, None if in nothing."""
        if not (self.path / "run.json").exists() and not any(self.path.glob("part-*")):
            return None  # a process has just begun
        try:
            theirs = self._read_note("run.json")["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError):
            return "its run.json cannot be read"
        if theirs is None or fingerprint is None:
            return "the input of one of the two cannot be read again"
        for name in {**theirs, **fingerprint}:
            if theirs.get(name) != fingerprint.get(name):
                return (
                    f"its {name} is {theirs.get(name)!r}, that of this run "
                    f"{fingerprint.get(name)!r}"
                )
        return None

    def write(
        self,
        index: int,
        rows: Sequence[Row],
        tally: Mapping[str, int],
        *,
        result_format: ResultFormat,
    ) -> None:
        """Write a part; once this returns, it survives a stop."""
        # The same part may be made twice at a time, to the same bytes.
        with atomic_file(self._part(index), is_shared=True) as unfinished:
            result_format.write_part(unfinished, rows)
        note = {"run": self._digest, "tally": {_RECORDS: len(rows), **tally}}
        self._write_note(f"{self._part(index).name}.json", note)

    def end(self, n_parts: int) -> None:
        """Note how many parts there are in all: the end of the input was seen."""
        self._write_note("end.json", {"n_parts": n_parts})

    def tallies(self) -> dict[int, Counter[str]]:
        """Read what each part counts, by its number: records, and whatever else was counted.

        Raises:
            ValueError: If a part belongs to another run.
        """
        tallies = {}
        for note in sorted(self.path.glob("part-*.json")):
            content = self._read_note(note.name)
            if content["run"] != self._digest:
                raise ValueError(
                    f"{note} must be of the run that run.json describes, found a part of another "
                    f"one; delete {self.path} and run all shards again"
                )
            tallies[int(note.stem.removeprefix("part-"))] = Counter(content["tally"])
        return tallies

    def join(
        self, result_format: ResultFormat, on_joined: Callable[[Path], None] | None = None
    ) -> Counter[str]:
        """Make the result of all parts, in order, and remove the folder.

        Args:
            result_format: Format of the result.
            on_joined: Called with the result before it has its name; if it is stopped, the
                parts are still there.

        Returns:
            What the parts count in all.

        Raises:
            ValueError: If a part is missing or of another run, or another process was first.
        """
        try:
            return self._join(result_format, on_joined)
        except FileNotFoundError as error:
            if self.exists():
                raise
            raise FinishedElsewhereError(self._result) from error

    def _join(
        self, result_format: ResultFormat, on_joined: Callable[[Path], None] | None
    ) -> Counter[str]:
        tallies = self.tallies()
        if not self.exists():
            raise FinishedElsewhereError(self._result)
        if not (self.path / "end.json").exists():
            raise ValueError(
                f"{self.path} holds {len(tallies)} parts, but no shard has come to the end of the "
                "input; run the shards (again) that were stopped"
            )
        n_parts = self._read_note("end.json")["n_parts"]
        missing = [index for index in range(n_parts) if index not in tallies]
        if missing:
            shown = ", ".join(map(str, missing[:_SHOWN])) + ", ..." * (len(missing) > _SHOWN)
            raise ValueError(
                f"{self.path} must hold all of its {n_parts} parts, found that {len(missing)} are "
                f"missing ({shown}); run the shards that were stopped again: shard I/N makes the "
                "parts that leave I when divided by N"
            )
        make = atomic_folder if isinstance(result_format, FolderFormat) else atomic_file
        with make(self._result) as joined:
            result_format.join([self._part(index) for index in range(n_parts)], joined)
            if on_joined is not None:
                on_joined(joined)
            # What is in a folder that is replaced was checked by `check_output`.
            if self._result.is_dir() and not joined.is_dir():
                shutil.rmtree(self._result)
        self.discard()
        return sum((tallies[index] for index in range(n_parts)), Counter())

    def describe(self) -> dict[str, Any]:
        """Read what the format of the result file is, to join parts without their model.

        Raises:
            ValueError: If there is no such folder, or it is damaged.
        """
        try:
            run = self._read_note("run.json")
            self._digest = _digest(run["fingerprint"])
            return dict(run["format"])
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"{self.path} must be a folder of parts that a run with --shard began, found none "
                "that can be read; name the output as the shards name it"
            ) from error

    def discard(self) -> None:
        """Remove all parts, and the folder unless there is something else in it."""
        if not self.exists():
            return
        for path in self.path.iterdir():
            if _OURS.fullmatch(path.name):
                path.unlink(missing_ok=True)
        try:
            self.path.rmdir()
        except FileNotFoundError:
            return  # another process was first
        except OSError:
            logger.warning("%s stays: it holds files that are no parts of results", self.path)

    def _part(self, index: int) -> Path:
        return self.path / f"part-{index:06d}"

    def _write_note(self, name: str, content: Mapping[str, Any]) -> None:
        with atomic_file(self.path / name, is_shared=True) as unfinished:
            unfinished.write_text(json.dumps(content), encoding="utf-8")

    def _read_note(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.path / name).read_text(encoding="utf-8")))


def _digest(fingerprint: Mapping[str, str] | None) -> str:
    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:16]
