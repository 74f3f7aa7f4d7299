"""A picture by itself, and on a page."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from dnabert_hf.interpretation.pages.page import Page

__all__ = ["write_pictured"]


def write_pictured(
    draw: Callable[[str | Path], None],
    make_page: Callable[[Path], Page],
    *,
    plot: str | Path | None,
    page: str | Path | None,
) -> list[Path]:
    """Write a picture, a page that shows it, or both; one drawing does for both where it can.

    Args:
        draw: Draws the picture to a file.
        make_page: Makes the page from a PNG file, which is gone afterwards.
        plot: Picture to write, .png, .svg or .pdf.
        page: HTML file to write.

    Returns:
        What was written.
    """
    written = []
    if plot is not None:
        draw(plot)
        written.append(Path(plot))
    if page is not None:
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder) / "picture.png"
            if plot is not None and Path(plot).suffix.lower() == ".png":
                picture = Path(plot)
            else:
                draw(picture)
            make_page(picture).write(page)
        written.append(Path(page))
    return written
