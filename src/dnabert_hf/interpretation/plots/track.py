"""Plot of a scanned region: probability along the genome, calls, and sites that are known."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.files.figures import save_figure
from dnabert_hf.inference.genome_scan.tracks_and_calls import (
    ContigScan,
    average_windows,
    call_blocks,
    read_scan,
)
from dnabert_hf.interpretation.plots.figures import OKABE_ITO, new_figure

__all__ = ["plot_track"]

_FILL = "#cfe3f1"
_ROW = 0.13  # height of a row of bars, where the probability is 1 high
_LEAST_SHARE = 0.003  # of the width, that a short call is seen


def plot_track(
    scanned: str | Path,
    path: str | Path,
    *,
    label: str,
    threshold: float,
    known: Sequence[tuple[str, int, int]] = (),
    known_as: str = "known",
) -> None:
    """Draw the probability of a class along what was scanned, a panel a contig.

    Args:
        scanned: Table that `scan` wrote.
        path: File to write, .png, .svg or .pdf.
        label: The class.
        threshold: Least probability of a call.
        known: Contig, start and end (0-based, half-open) of known sites; those beyond the scanned
            windows are left out.
        known_as: What they are called.

    Raises:
        ValueError: If there is no such class.
    """
    contigs = [
        ContigScan(name, *map(np.concatenate, zip(*(block[1:] for block in blocks), strict=True)))
        for name, blocks in groupby(read_scan(scanned, label), key=attrgetter("contig"))
    ]
    figure = new_figure(width=11, height=2.6 * len(contigs))
    panels = figure.subplots(len(contigs), 1, squeeze=False)[:, 0]
    for axes, contig in zip(panels, contigs, strict=True):
        first, last = int(contig.starts[0]), int(contig.ends.max())
        _draw_probability(axes, contig, threshold)
        calls = call_blocks([contig], threshold)
        rows = [("calls", [(int(call.start), int(call.end)) for call in calls])]
        if known:
            of_contig = [(start, end) for name, start, end in known if name == contig.contig]
            rows.append((known_as, [each for each in of_contig if each[0] < last]))
        middles = []
        for row, (_, intervals) in enumerate(rows, start=1):
            least = _LEAST_SHARE * (last - first)
            bars = [(start, max(end - start, least)) for start, end in intervals if end > first]
            axes.broken_barh(bars, (-_ROW * row, 0.6 * _ROW), color=OKABE_ITO[row])
            middles.append(-_ROW * (row - 0.3))
        names = [*(name for name, _ in rows), "0", "0.5", "1"]
        axes.set_yticks([*middles, 0, 0.5, 1], names, fontsize=8)
        axes.set(xlim=(first, last), ylim=(-_ROW * len(rows) - 0.03, 1.03))
        axes.set(xlabel=f"position on {contig.contig} (0-based)", ylabel=f"probability of {label}")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def _draw_probability(axes: Any, contig: ContigScan, threshold: float) -> None:
    """Draw the mean of the windows over each base, with nothing where there is no window."""
    starts, ends, means = average_windows(contig.starts, contig.ends, contig.values)
    gaps = np.flatnonzero(starts[1:] > ends[:-1]) + 1
    for piece in np.split(np.arange(len(starts)), gaps):
        edges = np.append(starts[piece], ends[piece[-1]])
        axes.stairs(means[piece], edges, fill=True, color=_FILL, linewidth=0)
        axes.stairs(means[piece], edges, color=OKABE_ITO[0], linewidth=0.8)
    axes.axhline(threshold, color="black", linestyle="--", linewidth=0.8)
    beside = axes.get_yaxis_transform()
    axes.text(1.005, threshold, f"{threshold:.3g}", transform=beside, fontsize=8, va="center")
