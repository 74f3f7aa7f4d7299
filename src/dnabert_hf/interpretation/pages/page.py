"""Pages of HTML that hold all they show, and the folders they come in."""

import base64
import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from dnabert_hf.files.atomic import atomic_folder, write_text
from dnabert_hf.files.environment import command_line, package_versions
from dnabert_hf.files.outputs import check_folder

__all__ = ["Cell", "Link", "Page", "Picture", "check_report", "report_folder"]

_MEDIA_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}


class Picture(NamedTuple):
    """A picture to show in a cell of a table.

    Attributes:
        path: PNG or SVG.
        alt: What it shows, for readers who do not see it.
    """

    path: Path
    alt: str


class Link(NamedTuple):
    """A link to show in a cell of a table.

    Attributes:
        text: What is read.
        address: Where it leads; a path is relative to the page.
    """

    text: str
    address: str


Cell = str | int | float | Picture | tuple[Link, ...] | None


@dataclass(frozen=True)
class _Part:
    kind: str
    fields: Mapping[str, Any]


class Page:
    """A page of HTML in one file: no network, readable on a phone, in the dark and on paper.

    Whatever is passed as text is shown as text: markup in it has no effect. A page made from the
    command line shows what was typed.

    Args:
        title: Heading of the page.
        lead: One sentence on what the page shows.

    Example:
        >>> page = Page("Motifs")
        >>> page.heading("Found")
        >>> page.table("Motifs by p-value", ["motif", "sites"], [["TGAC<G>", 1200]])
        >>> "TGAC&lt;G&gt;" in page.render(), "1,200" in page.render()
        (True, True)
    """

    def __init__(self, title: str, *, lead: str | None = None):
        self._head = {"title": title, "command": command_line.get(), "lead": lead}
        self._parts: list[_Part] = []
        self._scripts: list[str] = []
        self._styles: dict[str, None] = {}

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._add("heading", text=text)

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._add("text", text=text)

    def code(self, text: str) -> None:
        """Add lines to copy, such as commands; long ones scroll."""
        self._add("code", text=text)

    @contextmanager
    def fold(self, text: str) -> Iterator[None]:
        """Put what is added in the block behind a line that opens it.

        Args:
            text: The line.
        """
        self._add("fold", text=text)
        yield
        self._add("end_of_fold")

    def table(
        self,
        caption: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        *,
        bars: Collection[str] = (),
    ) -> None:
        """Add a table, which scrolls in its box where it is wider than the screen.

        The first column stays in view while the others scroll, unless it holds pictures.

        Args:
            caption: What the table shows.
            columns: Headings of the columns.
            rows: Cells of each row: texts, numbers (a float is shown with four digits), pictures,
                tuples of links, or None for nothing.
            bars: Columns of numbers with a bar behind each, as long as the number is of the largest
                in its column, both without their signs; bars of negative ones have another colour.

        Raises:
            ValueError: If a row has not a cell for each column.
        """
        for number, row in enumerate(rows):
            if len(row) != len(columns):
                raise ValueError(
                    f"row {number} of the table {caption!r} must have {len(columns)} cells, found "
                    f"{len(row)}"
                )
        cells = [[_show(cell) for cell in row] for row in rows]
        for column in (i for i, name in enumerate(columns) if name in bars):
            _add_bars([row[column] for row in rows], [row[column] for row in cells])
        is_number = [
            any(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))
        ]
        self._add("table", caption=caption, columns=columns, rows=cells, is_number=is_number)

    def figure(
        self, image: str | Path, *, alt: str, caption: str = "", is_wide: bool = False
    ) -> None:
        """Add a picture, which becomes part of the page.

        Args:
            image: PNG or SVG file.
            alt: What it shows, for readers who do not see it.
            caption: Text below it.
            is_wide: Whether it has details that get lost on a phone: there it keeps its size and
                scrolls in its box.

        Raises:
            ValueError: If it is of another format.
        """
        self._add("figure", source=_embed(Path(image)), alt=alt, caption=caption, is_wide=is_wide)

    def files(self, files: Mapping[str, str]) -> None:
        """Add a list of files.

        Args:
            files: For each path relative to the page, what it holds.
        """
        self._add("files", files=files)

    def widget(self, name: str, *, script: str, data: Any, fallback: str, style: str = "") -> None:
        """Add something that a reader can act on.

        Args:
            name: Name of the region, for readers who do not see it.
            script: Body of a JavaScript function of `root`, the element to fill, and `data`. It
                must set texts as text (`textContent`), for data may come from files.
            data: What JSON can hold.
            fallback: What to read where scripts do not run.
            style: Rules of CSS for what the script makes.
        """
        number = len(self._scripts)
        # "<" could end the element that holds the data.
        text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        self._scripts.append(
            "(function (root, data) {\n"
            f"{script}\n"
            f'}})(document.getElementById("widget-{number}"), '
            f'JSON.parse(document.getElementById("data-{number}").textContent));'
        )
        self._styles.setdefault(style)
        self._add("widget", name=name, number=number, data=Markup(text), fallback=fallback)

    def render(self) -> str:
        """Give the page as text."""
        environment = Environment(
            loader=PackageLoader("dnabert_hf.interpretation", "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        headings = [part.fields["text"] for part in self._parts if part.kind == "heading"]
        style, _, _ = environment.loader.get_source(environment, "page.css")  # type: ignore[union-attr]
        return environment.get_template("page.html").render(
            **self._head,
            parts=self._parts,
            headings=headings if len(headings) > 2 else [],
            style=Markup("\n".join([style, *self._styles])),
            scripts=[Markup(script) for script in self._scripts],
            script_sources=Markup(" ".join(map(_digest, self._scripts)) or "'none'"),
            versions=", ".join(f"{name} {number}" for name, number in package_versions().items()),
        )

    def write(self, path: str | Path) -> None:
        """Write the page.

        Args:
            path: HTML file; it is there only when it is whole.
        """
        write_text(self.render(), path)

    def _add(self, kind: str, **fields: Any) -> None:
        self._parts.append(_Part(kind, fields))


def _show(cell: Cell) -> dict[str, Any]:
    """Prepare a cell for the template.

    Example:
        >>> _show(0.000012345), _show(None)
        ({'text': '1.234e-05'}, {'text': '-'})
    """
    match cell:
        case None:
            return {"text": "-"}
        case Picture():
            return {"source": _embed(cell.path), "alt": cell.alt}
        case tuple():
            return {"links": cell} if cell else {"text": "-"}
        case bool() | str():
            return {"text": str(cell)}
        case int():
            return {"text": f"{cell:,}"}
        case _ if 1e4 <= abs(cell) < 1e9:
            return {"text": f"{cell:,.0f}"}
        case _:
            return {"text": f"{cell:.4g}"}


def _add_bars(values: Sequence[Cell], cells: Sequence[dict[str, Any]]) -> None:
    """Give cells of numbers the length of their bar, in percent of the longest, and its class.

    Example:
        >>> cells = [{}, {}, {}]
        >>> _add_bars([0.5, -1.0, None], cells)
        >>> cells
        [{'bar': '50', 'bar_class': 'bar'}, {'bar': '100', 'bar_class': 'bar minus'}, {}]
    """
    numbers = [each if isinstance(each, int | float) else math.nan for each in values]
    largest = max((abs(each) for each in numbers if math.isfinite(each)), default=0)
    for number, cell in zip(numbers, cells, strict=True):
        if largest and math.isfinite(number):
            sign = " minus" if number < 0 else ""
            cell |= {"bar": f"{100 * abs(number) / largest:.3g}", "bar_class": f"bar{sign}"}


def _embed(path: Path) -> Markup:
    """Write a picture as an address that holds it."""
    media_type = _MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise ValueError(f"{path}: a picture on a page must be PNG or SVG, found {path.suffix!r}")
    return Markup(f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}")


def _digest(script: str) -> str:
    """Name a script so that the page's policy lets it run, and no other."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


# What the reports of this package hold, by patterns of names.
_FILES = (
    "index.html",
    "motifs.meme",
    "motifs.jaspar",
    "candidates.tsv",
    "instances.tsv",
    "instances.bed",
    "matches.tsv",
    "logos/*.png",
    "logos/*.svg",
    "matches/*.png",
    "matches/*.svg",
    "positions/*.png",
    "positions/*.svg",
    "scores.parquet",
    "landscape.tsv",
    "landscape.png",
    "sequence-[0-9]*.png",
    "sequences.png",
    "context.png",
    "context-grid.png",
    "training-[0-9]*.png",
)


def check_report(path: str | Path, *, overwrite: bool) -> None:
    """Refuse a folder that a report must not be written to, before there is anything to write.

    Args:
        path: The folder; may exist if it is empty.
        overwrite: Whether to replace an earlier report, a folder with an index.html.

    Raises:
        ValueError: If the folder cannot be written or must not be replaced.
    """
    path = Path(path)
    check_folder(path, overwrite=overwrite, marker="index.html", known=_FILES)
    if not path.absolute().parent.is_dir():
        raise ValueError(
            f"{path} must lie in a folder that exists, found no folder {path.absolute().parent}"
        )


@contextmanager
def report_folder(path: str | Path, *, overwrite: bool) -> Iterator[Path]:
    """Make a folder for a report; it has its name only when the block ends well.

    Args:
        path: The folder; may exist if it is empty.
        overwrite: Whether to replace an earlier report, a folder with an index.html.

    Yields:
        The folder to write into.

    Raises:
        ValueError: If the folder cannot be written or must not be replaced.
    """
    check_report(path, overwrite=overwrite)
    with atomic_folder(path) as partial:
        yield partial
