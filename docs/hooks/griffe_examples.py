"""Tells griffe, which reads the docstrings, that "Example:" holds code, as "Examples:" does."""

import re
from typing import Any

import griffe

__all__ = ["ExampleSections"]


class ExampleSections(griffe.Extension):
    """Renames the section of each docstring before it is read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename it in one object."""
        if obj.docstring is not None:
            text = re.sub(
                r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE
            )
            obj.docstring.value = text
