"""The folder of parts beside a result file: any process may add to it, and one makes the file."""

import hashlib
import json
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dnabert_hf.inference.output.formats import ResultFormat, Row

__all__ = ["PartFolder"]

_RECORDS = "records"
_SHOWN = 8


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

    def begin(self, fingerprint: Mapping[str, str] | None, result_format: ResultFormat) -> None:
        """Make the folder, unless it is there, and note which run it belongs to."""
        run = {"fingerprint": fingerprint, "format": result_format.describe()}
        self._digest = _digest(fingerprint)
        self.path.mkdir(exist_ok=True)
        if not (self.path / "run.json").exists():
            self._write_note("run.json", run)

    def difference(self, fingerprint: Mapping[str, str] | None) -> str | None:
        """Say in what the fingerprint of the parts differs from another, None if in nothing."""
        if not (self.path / "run.json").exists() and not any(self.path.glob("part-*")):
            return None  # a process has just begun
        try:
            theirs = self._read_note("run.json")["fingerprint"]
        except (OSError, ValueError, KeyError):
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
        unfinished = self._unfinished()
        result_format.write_part(unfinished, rows)
        unfinished.replace(self._part(index))
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
        self, result_format: ResultFormat, use: Callable[[Path], None] | None = None
    ) -> Counter[str]:
        """Make the result of all parts, in order, and remove the folder.

        Args:
            result_format: Format of the result.
            use: What is to be done with the result before it has its name; if it is stopped, the
                parts are still there.

        Returns:
            What the parts count in all.

        Raises:
            ValueError: If a part is missing or of another run.
        """
        tallies = self.tallies()
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
        joined = self._unfinished(self._result.name)
        result_format.join([self._part(index) for index in range(n_parts)], joined)
        if use is not None:
            use(joined)
        # A folder is in the way, or is to come; what is in it was looked at by `check_output`.
        if self._result.is_dir():
            shutil.rmtree(self._result)
        elif joined.is_dir():
            self._result.unlink(missing_ok=True)
        joined.replace(self._result)
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
        """Remove the folder and all parts."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _part(self, index: int) -> Path:
        return self.path / f"part-{index:06d}"

    def _unfinished(self, name: str = "unfinished") -> Path:
        # Nobody else's name: the same part may be made twice at a time, to the same bytes.
        return self.path / f"{uuid.uuid4().hex}.{name}"

    def _write_note(self, name: str, content: Mapping[str, Any]) -> None:
        unfinished = self._unfinished()
        unfinished.write_text(json.dumps(content), encoding="utf-8")
        unfinished.replace(self.path / name)

    def _read_note(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.path / name).read_text(encoding="utf-8")))


def _digest(fingerprint: Mapping[str, str] | None) -> str:
    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:16]
