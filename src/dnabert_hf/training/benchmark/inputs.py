"""Inputs of the cells of a benchmark, known by their content."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dnabert_hf.checkpoints import locate
from dnabert_hf.files.fingerprint import fingerprint_start
from dnabert_hf.training.benchmark.data import Contents
from dnabert_hf.training.benchmark.suite import Cell, Suite
from dnabert_hf.training.tasks.presets import GENERIC, find_task

__all__ = ["INPUTS", "Inputs"]

INPUTS = "benchmark_inputs"  # in the report of a cell, where `finetune` has "inputs" of its own


@dataclass(frozen=True)
class Inputs:
    """What cells learn from as a call finds it, to be compared with what they learnt from.

    Attributes:
        data: Fingerprint of each data set's rows, None if it cannot be read any more.
        weights: Fingerprint of the weights that each model starts from.
        tasks: Fingerprint of the task of each data set and model.
    """

    data: Mapping[str, str | None]
    weights: Mapping[str, str]
    tasks: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, suite: Suite, contents: Mapping[str, Contents]) -> "Inputs":
        """Look at the inputs of a benchmark.

        Args:
            suite: The benchmark.
            contents: What its data sets hold.
        """
        tasks = {
            (name, model.name): find_task(model.task or entry.task or GENERIC).fingerprint()
            for name, entry in suite.data.items()
            for model in suite.models
        }
        return cls(
            {name: found.fingerprint for name, found in contents.items()},
            {model.name: fingerprint_start(locate(model.init)) for model in suite.models},
            tasks,
        )

    def note(self, cell: Cell) -> dict[str, str | None]:
        """Give the inputs of a cell, for its report."""
        return {
            "data": self.data[cell.data],
            "weights": self.weights[cell.model],
            "task": self.tasks[cell.data, cell.model],
        }

    def changed(self, cell: Cell, report: Mapping[str, Any]) -> list[str]:
        """List what a cell learnt from that is another today; what is not known is the same.

        Args:
            cell: The cell.
            report: Its report; those of earlier versions say nothing.
        """
        before = report.get(INPUTS, {})
        now = self.note(cell)
        words = {
            "data": f"the rows of {cell.data}",
            "weights": f"the weights of {cell.model}",
            "task": f"the task of {cell.model}",
        }
        return [
            words[name]
            for name, value in now.items()
            if None not in (value, before.get(name)) and value != before[name]
        ]
