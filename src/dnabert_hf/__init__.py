"""DNABERT for the Hugging Face ecosystem: raw DNA in, models, predictions and plots out.

The public names stand in `__init__.pyi`, for type checkers as for this file. They load when they
are first used: the Trainer, datasets and plots take seconds.
"""

import ast
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dnabert_hf.late_registration import register_when_needed


def _public_names() -> dict[str, str]:
    """Read the module of each public name off the stub."""
    stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = (node for node in stub.body if isinstance(node, ast.ImportFrom))
    return {alias.name: str(node.module) for node in imports for alias in node.names}


_MODULES = _public_names()
__all__ = sorted(_MODULES)
__version__ = version("dnabert-hf")


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# The command registers where it needs to.
if "dnabert_hf_command" not in sys.modules:
    register_when_needed()
