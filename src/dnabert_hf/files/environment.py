"""The environment of a run: what was typed, package versions and the machine."""

import os
import platform
import sys
from contextlib import suppress
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["command_line", "describe_machine", "package_versions"]

# What was typed, for reports; None where the package is called from Python.
command_line: ContextVar[str | None] = ContextVar("command_line", default=None)


def package_versions() -> dict[str, Any]:
    """Name the versions that a run depends on, without packages that are not installed."""
    found = {}
    for name in ("dnabert-hf", "torch", "transformers", "accelerate", "datasets", "numpy"):
        with suppress(PackageNotFoundError):  # pretraining does without datasets
            found[name] = version(name)
    return found


def describe_machine() -> str:
    """Describe what work ran on: processor, cores, accelerator and versions."""
    import torch

    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = next(iter(models), "") or platform.processor() or platform.machine()
    parts = [f"{processor}, {os.cpu_count()} cores"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    parts += [f"{name} {package_versions()[name]}" for name in ("torch", "transformers")]
    return ", ".join(parts)
