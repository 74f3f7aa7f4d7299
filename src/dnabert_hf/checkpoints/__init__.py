"""Small pretrained checkpoints that come with the package, for work without a network."""

import difflib
import re
from pathlib import Path

__all__ = ["checkpoint", "locate", "near"]

_FOLDER = Path(__file__).parent


def checkpoint(name: str) -> Path:
    """Find a checkpoint that comes with the package.

    Args:
        name: Name of the checkpoint, such as "dnabert-6-mini"; its folder holds a model card.

    Returns:
        A folder that every `from_pretrained` and `--init` takes.

    Raises:
        ValueError: If there is none of this name.
    """
    names = _names()
    if name not in names:
        raise ValueError(
            f"a checkpoint of the package must be one of {', '.join(names)}, got {name!r}"
            f"{near(name)}; checkpoints of the Hub are named owner/name and go to from_pretrained "
            "as they are"
        )
    return _FOLDER / name


def locate(model: str | Path) -> str | Path:
    """Put the folder in place of the name of a checkpoint that comes with the package.

    Args:
        model: What names a model: a folder, a repository of the Hub, or one of these names.

    Returns:
        The folder of the checkpoint; anything else as it is, a folder of that name first of all.
    """
    is_name = isinstance(model, str) and model in _names() and not Path(model).exists()
    return _FOLDER / model if is_name else model


def near(model: str) -> str:
    """Say which checkpoint of the package a name that is none was meant to be, "" if none.

    Example:
        >>> near("DNABERT-6-mini"), near("lab/promoters")
        ('; did you mean dnabert-6-mini?', '')
        >>> near("dnabert-7-mini")
        '; minis have k = 3 to 6: did you mean dnabert-6-mini?'
    """
    names = _names()
    k = re.fullmatch(r"(?i)dnabert[-_]?(\d+)(?:[-_]?mini)?", model)
    if k is not None:
        meant = f"dnabert-{k[1]}-mini"
        if meant in names:
            return f"; did you mean {meant}?"
        return f"; minis have k = 3 to 6: did you mean {names[-1]}?"
    found = difflib.get_close_matches(model.lower().replace("_", "-"), names, n=1, cutoff=0.8)
    return f"; did you mean {found[0]}?" if found else ""


def _names() -> list[str]:
    return sorted(config.parent.name for config in _FOLDER.glob("*/config.json"))
