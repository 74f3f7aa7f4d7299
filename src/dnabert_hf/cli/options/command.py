"""Checks that every command makes of its numbers and paths before it begins."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from typer.core import TyperCommand

from dnabert_hf.files.outputs import check_distinct

__all__ = ["Command"]


_LARGEST = 2**31 - 1  # of the integers of the libraries below


class _Range(NamedTuple):
    least: float
    most: float
    without_least: bool = False

    def holds(self, value: float) -> bool:
        is_low = value <= self.least if self.without_least else value < self.least
        return math.isfinite(value) and not is_low and value <= self.most

    def __str__(self) -> str:
        if self.most == _LARGEST and self.least in (0, 1):
            return f"{self.least:g} or more (and at most {self.most:,})"
        if self.without_least:
            return f"above {self.least:,g} and at most {self.most:,g}"
        return f"from {self.least:,g} to {self.most:,g}"


_ANY = _Range(0, _LARGEST)
_SOME = _Range(1, _LARGEST)
_SHARE = _Range(0, 1)
_RATE = _Range(0, 1, without_least=True)
# By the names of parameters; a number of another name must not be negative.
_RANGES = {
    "k": _Range(2, 8),
    "port": _Range(0, 65535),
    "seed": _Range(0, 2**32 - 1),  # NumPy takes no more
    "epochs": _Range(0, 1e6, without_least=True),
    "passes": _Range(0, 1e6, without_least=True),
    "learning_rate": _RATE,
    "muon_learning_rate": _RATE,
    "threshold": _SHARE,
    "max_q": _SHARE,
    "faithfulness": _RATE,
    "gc": _SHARE,
    "target": _Range(-_LARGEST, _LARGEST),  # of a regression
    **dict.fromkeys(("layer", "position"), _Range(-_LARGEST, _LARGEST)),  # or from the end
    **dict.fromkeys(
        (
            "batch_size",
            "batch_tokens",
            "beam",
            "draws",
            "edits",
            "early_stopping",
            "keep",
            "length",
            "lora",
            "max_file_mb",
            "max_tokens",
            "min_instances",
            "max_homopolymer",
            "min_len",
            "processes",
            "random",
            "rounds",
            "shortlist",
            "step",
            "steps",
            "window",
        ),
        _SOME,
    ),
    "trials": _Range(1, 1e5),
}
_OUTPUTS = ("output", "fasta", "report", "plot", "page", "track", "calls")


class Command(TyperCommand):
    """A command whose numbers are in range, and whose outputs are neither inputs nor one another.

    The names of parameters tell what they are.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command, once its parameters are checked.

        Raises:
            ValueError: If one of them cannot be used.
        """
        for name, value in ctx.params.items():
            for each in value if isinstance(value, list | tuple) else [value]:
                self.check_number(name, each)
        self._compare_paths(ctx.params)
        return super().invoke(ctx)

    def check_number(self, name: str, value: object) -> None:
        """Refuse a number that is out of the range of its parameter; what is none is passed by.

        Args:
            name: Name of the parameter.
            value: Its value, or one of its values.

        Raises:
            ValueError: If it is out of range.
        """
        if isinstance(value, int | float) and not isinstance(value, bool):
            allowed = _RANGES.get(name, _ANY)
            if not allowed.holds(value):
                raise ValueError(f"{self._spell(name)} must be {allowed}, got {value}")

    def _spell(self, name: str) -> str:
        opts = next(param.opts for param in self.params if param.name == name)
        return max(opts, key=len)

    @staticmethod
    def _compare_paths(params: dict[str, Any]) -> None:
        values = [
            each
            for name, value in params.items()
            if name not in _OUTPUTS
            for each in (value if isinstance(value, list | tuple) else [value])
            if isinstance(each, str | Path)
        ]
        # "train=table.tsv" names a file too, behind what it is for.
        names = [*map(str, values), *(str(each).partition("=")[2] for each in values)]
        inputs = [name for name in names if name and Path(name).exists()]
        outputs = [params[name] for name in _OUTPUTS if params.get(name) is not None]
        for number, output in enumerate(outputs):
            check_distinct(output, inputs=inputs, others=outputs[:number])
