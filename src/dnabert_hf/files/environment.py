"""The environment of a run: package versions and the machine."""

import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["describe_machine", "package_versions"]


def package_versions() -> dict[str, Any]:
    """Name the versions that a run depends on."""
    names = ("dnabert-hf", "torch", "transformers", "accelerate", "datasets", "numpy")
    return {name: version(name) for name in names}


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
