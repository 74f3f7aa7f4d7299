"""Figures of matplotlib on their way into files."""

import io
from pathlib import Path
from typing import Any

from dnabert_hf.files.atomic import atomic_file

__all__ = ["save_figure"]

_SUFFIXES = (".png", ".svg", ".pdf")
# Without dates and random names, the same figure gives the same file.
_WITHOUT_DATE: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


def save_figure(figure: Any, path: str | Path) -> None:
    """Write a figure; the file is there only when it is whole.

    Args:
        figure: Figure of matplotlib.
        path: File whose suffix is the format: .png, .svg or .pdf.

    Raises:
        ValueError: If the suffix is none of these.
    """
    from matplotlib import rc_context

    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise ValueError(f"{path}: a figure must be {', '.join(_SUFFIXES)}, found {suffix!r}")
    drawn = io.BytesIO()  # matplotlib does not close a file that it cannot write to
    with rc_context({"svg.hashsalt": "dnabert"}):
        figure.savefig(drawn, format=suffix[1:], dpi=150, metadata=_WITHOUT_DATE.get(suffix))
    with atomic_file(path) as partial:
        partial.write_bytes(drawn.getvalue())
