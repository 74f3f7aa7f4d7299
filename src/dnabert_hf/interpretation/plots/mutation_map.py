"""Pictures of mutation maps: effects as a heat map, and as a logo above it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnabert_hf.data.labelled.positive_class import guess_positive
from dnabert_hf.files.figures import save_figure
from dnabert_hf.files.names import name_files
from dnabert_hf.inference.output.writer import check_output

__all__ = ["check_plot", "plot_mutation_maps"]

logger = logging.getLogger(__name__)

_SUFFIXES = (".png", ".svg", ".pdf")
_BASES = "ACGT"
_GAP = "-"
_ROWS = (*_BASES, "deleted", *(f"+{base}" for base in _BASES))
_LINE_BASES = 100
_LONGEST = 2000  # bases; 20 lines
_MOST_PICTURES = 100
_COLOURS = {"A": "#109648", "C": "#255c99", "G": "#d6870e", "T": "#d62839"}


class _Map(NamedTuple):
    """The effects on one sequence: shape (rows of _ROWS, bases), NaN where there is none."""

    id: str
    sequence: str
    effects: np.ndarray
    title: str
    mark: tuple[int, str] | None = None


def check_plot(table: str | Path, plot: str | Path, *, overwrite: bool) -> None:
    """Refuse a picture that cannot be drawn, before the map is computed.

    Args:
        table: Where the map goes.
        plot: The picture.
        overwrite: Whether an existing picture may be replaced.

    Raises:
        ValueError: If its name has no suffix of a picture, its folder is not there, it exists, or
            the map goes to standard output.
        ImportError: If logomaker is not installed.
    """
    if str(table) == "-":
        raise ValueError("a picture is drawn of a map in a file; name one with -o")
    if Path(plot).suffix.lower() not in _SUFFIXES:
        raise ValueError(f"a picture must be named *{', *'.join(_SUFFIXES)}, got {plot}")
    check_output(plot, overwrite=overwrite, others=[table])
    _import_logomaker()


def plot_mutation_maps(
    table: str | Path,
    plot: str | Path,
    *,
    label: str | None = None,
    marks: Mapping[str, tuple[int, str]] | None = None,
) -> list[Path]:
    """Draw the maps that `mutagenesis` wrote: heat map and logo, in lines of some 100 bases.

    The heat map shows what each change adds to the score (the logit of a class; DNABERT's `diff`,
    as in Figure 5 of Ji et al. 2021, in maps without it; the change of a value; the log-likelihood
    ratio): blue where it is lost. The logo shows the bases of the sequence, each as high as the
    mean loss when it is replaced, so that what the model needs stands up.

    Args:
        table: Map, .tsv, .csv (either may end in .gz) or .parquet.
        plot: Picture: .png, .svg or .pdf. With several sequences in the map each has a picture,
            with its id in the name; no more than 100 are drawn.
        label: Class to show; by default, of two, the one that their names tell to be of
            interest, or else the second; of more, the most probable one.
        marks: For ids of sequences the base (0-based) that a variant changes, and into what: the
            base is marked, and the change has a frame if it is of a single base.

    Returns:
        The pictures.

    Raises:
        ValueError: If the table is no map, or has no such class.
        ImportError: If logomaker is not installed.
    """
    plot = Path(plot)
    columns, sequences = _read(Path(table))
    is_single = len(sequences) == 1
    if len(sequences) > _MOST_PICTURES:
        logger.warning(
            "%s: pictures of the first %d of %d sequences", table, _MOST_PICTURES, len(sequences)
        )
    ids = [str(columns["id"][begin]) for begin, _ in sequences[:_MOST_PICTURES]]
    names = name_files(f"{plot.stem}-\0{plot.suffix}", ids, placeholder="\0")
    drawn = []
    for (begin, end), name in zip(sequences[:_MOST_PICTURES], names, strict=True):
        rows = {column: values[begin:end] for column, values in columns.items()}
        column, title = _choose_score(rows, label)
        grid = _arrange(rows, column, title)
        grid = grid._replace(mark=(marks or {}).get(grid.id))
        if len(grid.sequence) > _LONGEST:
            logger.warning(
                "%s has %d bases, too many for a picture (%d at most); map a region of it",
                *(grid.id, len(grid.sequence), _LONGEST),
            )
            continue
        picture = plot if is_single else plot.with_name(name)
        _draw(grid, picture)
        drawn.append(picture)
    return drawn


def _read(path: Path) -> tuple[dict[str, np.ndarray], list[tuple[int, int]]]:
    """Read a map into columns, and find the rows of each sequence."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    if path.name.endswith(".parquet"):
        table = parquet.read_table(path)
    else:
        kinds = {"id": pa.string(), "ref": pa.string(), "alt": pa.string()}
        delimiter = "," if ".csv" in path.name else "\t"
        table = csv.read_csv(
            path,
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(column_types=kinds),
        )
    names = table.column_names
    if names[:4] != ["id", "position", "ref", "alt"] or not table.num_rows:
        raise ValueError(
            f"{path} must be a mutation map with the columns id, position, ref, alt, found "
            f"{', '.join(names[:4])} and {table.num_rows} rows; write one with dnabert mutagenesis"
        )
    columns = {name: table.column(name).to_numpy() for name in names}
    # A sequence may have the id of the one before: then its positions begin again.
    steps = (columns["id"][1:] != columns["id"][:-1]) | (np.diff(columns["position"]) < 0)
    bounds = [0, *(np.flatnonzero(steps) + 1).tolist(), table.num_rows]
    return columns, list(pairwise(bounds))


def _choose_score(rows: dict[str, Any], label: str | None) -> tuple[str, str]:
    """Find the column to draw, and what it is called."""
    if "log_likelihood_ratio" in rows:
        return "log_likelihood_ratio", "ln P(alt) - ln P(ref)"
    labels = [name.removeprefix("diff_") for name in rows if name.startswith("diff_")]
    if not labels:
        changes = [name for name in rows if name == "change" or name.startswith("change_")]
        name = changes[0] if label is None else f"change_{label}"
        if name not in rows:
            raise ValueError(f"the map must hold {name}, found {', '.join(changes)}")
        return name, "change of the value"
    if label is None:
        most = max(labels, key=lambda name: rows[f"prob_ref_{name}"][0])
        label = (guess_positive(labels) or labels[1]) if len(labels) == 2 else most
    if label not in labels:
        raise ValueError(f"the class must be one of {', '.join(labels)}, got {label!r}")
    probability = rows[f"prob_ref_{label}"][0]
    # A sure sequence has next to no differences of probability, but differences of its logit.
    column = f"logit_change_{label}"
    column, what = (column, "logit") if column in rows else (f"diff_{label}", "diff")
    return column, f"{what} of class {label}; unchanged, its probability is {probability:.3f}"


def _arrange(rows: dict[str, Any], column: str, title: str) -> _Map:
    positions = rows["position"]
    effects = np.full((len(_ROWS), int(positions.max()) + 1), np.nan)
    letters = ["N"] * effects.shape[1]
    for position, ref, alt, value in zip(
        positions, rows["ref"], rows["alt"], rows[column], strict=True
    ):
        if ref == _GAP:
            row = _ROWS.index(f"+{alt}")
        else:
            letters[position] = ref
            row = _ROWS.index("deleted") if alt == _GAP else _ROWS.index(alt)
        effects[row, position] = value
    return _Map(str(rows["id"][0]), "".join(letters), effects, title)


def _draw(grid: _Map, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [row for row in range(len(_ROWS)) if not np.isnan(grid.effects[row]).all()]
    shown = sorted({*range(4), *shown})
    n_bases = len(grid.sequence)
    # Lines of equal length: of 101 bases the last one would stand alone.
    width = -(-n_bases // max(1, round(n_bases / _LINE_BASES)))
    starts = range(0, n_bases, width)
    logo_height, heat_height = 1.0, 0.2 * len(shown)
    figure = Figure(
        figsize=(
            max(2.2 + 0.14 * width, 6.0),
            0.9 + len(starts) * (logo_height + heat_height + 0.75),
        ),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        2 * len(starts),
        1,
        squeeze=False,
        height_ratios=[logo_height, heat_height] * len(starts),
    )[:, 0]
    limit = float(np.nanmax(np.abs(grid.effects), initial=0)) or 1.0
    heights = _logo_heights(grid)
    lowest, highest = min(heights.min(), 0.0), max(heights.max(), 0.0)
    margin = 0.05 * (highest - lowest) or 1.0
    image: Any = None
    for line, start in enumerate(starts):
        end = min(start + width, n_bases)
        logo, heat = axes[2 * line], axes[2 * line + 1]
        _draw_logo(logo, grid.sequence, heights, start, end)
        logo.set_ylim(lowest - margin, highest + margin)
        image = _draw_heat(heat, grid, shown, start, end, limit=limit)
        if grid.mark is not None and start <= grid.mark[0] < end:
            _draw_mark(logo, heat, *grid.mark, shown)
        for axis in (logo, heat):
            axis.set_xlim(start - 0.5, start + width - 0.5)
    axes[-1].set_xlabel("position (0-based)")
    figure.suptitle(f"{grid.id}\n{grid.title}", fontsize=10)
    figure.colorbar(
        image, ax=list(axes), label="change: lost (blue), gained (red)", shrink=0.6, pad=0.01
    )
    save_figure(figure, path)


def _logo_heights(grid: _Map) -> np.ndarray:
    """Give the mean loss of each base, 0 where there is none, shape (bases,)."""
    effects = grid.effects[:4]
    n_known = (~np.isnan(effects)).sum(axis=0)
    return np.asarray(-np.nansum(effects, axis=0) / np.maximum(n_known, 1))


def _draw_logo(axis: Any, sequence: str, heights: np.ndarray, start: int, end: int) -> None:
    import pandas as pd

    table = pd.DataFrame(0.0, index=range(start, end), columns=list(_BASES))
    for position in range(start, end):
        if sequence[position] in _BASES:
            table.loc[position, sequence[position]] = heights[position]
    if heights[start:end].any():  # logomaker cannot draw letters that are all flat
        _import_logomaker().Logo(
            table, ax=axis, color_scheme=_COLOURS, flip_below=False, show_spines=False
        )
    axis.axhline(0, color="0.5", linewidth=0.5)
    axis.set_ylabel("mean loss\nwhen changed", fontsize=8)
    axis.tick_params(labelbottom=False, bottom=False, labelsize=7)


def _draw_heat(
    axis: Any, grid: _Map, shown: Sequence[int], start: int, end: int, *, limit: float
) -> Any:
    from matplotlib import colormaps

    image = axis.imshow(
        grid.effects[shown, start:end],
        cmap=colormaps["RdBu_r"].with_extremes(bad="0.9"),
        vmin=-limit,
        vmax=limit,
        aspect="auto",
        interpolation="none",
        extent=(start - 0.5, end - 0.5, len(shown) - 0.5, -0.5),
    )
    points = list(_reference_points(grid.sequence, start, end))
    if points:
        axis.scatter(*zip(*points, strict=True), s=4, color="0.4", linewidths=0)
    axis.set_yticks(range(len(shown)), [_ROWS[row] for row in shown], fontsize=7)
    axis.tick_params(axis="x", labelsize=7)
    return image


def _draw_mark(logo: Any, heat: Any, position: int, alt: str, shown: Sequence[int]) -> None:
    """Point at the base that a variant changes, and frame what it is changed into."""
    from matplotlib.patches import Rectangle

    logo.plot(
        [position], [1.0], "v", color="black", transform=logo.get_xaxis_transform(), clip_on=False
    )
    if alt in _ROWS[:4]:
        corner = position - 0.5, shown.index(_ROWS.index(alt)) - 0.5
        heat.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="black", linewidth=1.5))


def _reference_points(sequence: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for position in range(start, end):
        if sequence[position] in _BASES:
            yield position, _BASES.index(sequence[position])


def _import_logomaker() -> Any:
    try:
        import logomaker
    except ImportError as error:
        raise ImportError(
            "pictures of mutation maps need logomaker: pip install 'dnabert-hf[viz]'"
        ) from error
    return logomaker
