"""Loci of a scan: the highest and the mean probability of the windows within each."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import choose_class
from dnabert_hf.files.counts import counted
from dnabert_hf.inference.genome_scan.known_sites import point_of
from dnabert_hf.inference.genome_scan.tracks_and_calls import classes_of_scan, read_scan
from dnabert_hf.inference.output.formats import choose_table
from dnabert_hf.inference.output.writer import check_output, open_output

__all__ = ["Loci", "LocusScores", "score_loci"]

_COLUMNS = ("contig", "start", "end", "name", "windows", "max", "mean")


class LocusScores(NamedTuple):
    """How well one number of each locus tells those with a known site from the others.

    Attributes:
        f1: Harmonic mean of precision and recall of the loci from the threshold on.
        mcc: Matthews' correlation coefficient of the same.
        precision: Share of the loci from the threshold on that hold a site.
        recall: Share of the loci with a site that are from the threshold on.
        auroc: Area under the receiver operating characteristic.
        auprc: Average precision.
    """

    f1: float
    mcc: float
    precision: float
    recall: float
    auroc: float
    auprc: float


class Loci(NamedTuple):
    """Loci of a scan.

    Attributes:
        path: The table.
        label: Class of the probabilities, or target of a regression.
        n_loci: Loci in the table.
        n_empty: Of these, loci without a window.
        n_known: Loci with windows that hold a known site; None if there were no sites.
        scores: By "max" and "mean"; empty if there were no sites.
    """

    path: Path
    label: str
    n_loci: int
    n_empty: int
    n_known: int | None
    scores: dict[str, LocusScores]

    def summary(self) -> str:
        """Say how many loci there are, and how many have no window or a known site."""
        text = f"{counted(self.n_loci, 'region')} by {self.label}"
        empty = f", {self.n_empty:,} without a window" * bool(self.n_empty)
        return text + empty + ("" if self.n_known is None else f", {self.n_known:,} with a site")


def score_loci(
    scanned: str | Path,
    loci: Sequence[Interval],
    *,
    output: str | Path,
    label: str | None = None,
    threshold: float = 0.5,
    sites: Sequence[Interval] | None = None,
    overwrite: bool = False,
) -> Loci:
    """Give each locus the highest and the mean value of the windows that lie within it.

    So the Prom-scan of Ji et al. 2021 goes from windows of 1,001 bases to regions of 10 kb.

    Args:
        scanned: Table that `scan` wrote.
        loci: Regions, which may overlap, on contigs as the table names them; strands do not count.
        output: Table to write (.tsv, .csv, either may end in .gz, or "-"), in the order of the
            loci: contig, start, end (0-based, half-open), name, windows (how many), max, mean and,
            with sites, known (1 or 0). Without a window, max and mean are empty.
        label: Class, or target of a regression; by default the class of interest, as the names of
            two classes tell it.
        threshold: Least number of a locus that is called.
        sites: Known sites: a locus is to be called if the `point`, or else the middle, of one lies
            in it. Loci without a window are not scored.
        overwrite: Whether to replace an existing output.

    Returns:
        How many there are, and, with sites, scores of maximum and mean.

    Raises:
        ValueError: If a file or an option cannot be used, no locus has a window, or of the loci
            that have one none or all hold a site.
    """
    check_output(output, overwrite=overwrite, inputs=[scanned])
    label = _choose_label(scanned, label, has_sites=sites is not None)
    counts, highest, means = _aggregate(scanned, loci, label)
    is_empty = counts == 0
    if is_empty.all():
        raise ValueError(
            f"a region must hold a window of {scanned}, found none in any of "
            f"{counted(len(loci), 'region')}; check the names of contigs and what was scanned"
        )
    known = None if sites is None else _hold(loci, sites)
    scores = {}
    if known is not None:
        _check_both(known[~is_empty])
        for name, values in (("max", highest), ("mean", means)):
            scores[name] = _score(known[~is_empty], values[~is_empty], threshold)
    rows = [
        [locus.contig, locus.start, locus.end, locus.name, n, *(numbers if n else ["", ""])]
        for locus, n, *numbers in zip(
            loci, counts.tolist(), highest.tolist(), means.tolist(), strict=True
        )
    ]
    columns = list(_COLUMNS)
    if known is not None:
        columns.append("known")
        rows = [[*row, int(holds)] for row, holds in zip(rows, known.tolist(), strict=True)]
    table = choose_table(output, columns)
    with open_output(output, table, fingerprint=None, overwrite=overwrite) as writer:
        for chunk in writer.remaining(iter([rows])):
            writer.write(chunk)
    n_known = None if known is None else int(known[~is_empty].sum())
    return Loci(Path(output), label, len(loci), int(is_empty.sum()), n_known, scores)


def _choose_label(scanned: str | Path, label: str | None, *, has_sites: bool) -> str:
    """Find the class, or the target of a regression, that a table of windows is read for."""
    names, is_regression = classes_of_scan(scanned)
    if not is_regression:
        if len(names) == 1:
            return choose_class(LabelScheme("multi_label_classification", names), label)
        return choose_class(LabelScheme("single_label_classification", names), label)
    if has_sites:
        raise ValueError(
            f"{scanned} must be of a model of classes to be compared with sites, found the values "
            "of a regression; leave the sites out"
        )
    found = names[0] if label is None and len(names) == 1 else label
    if found not in names:
        raise ValueError(f"the target must be one of {', '.join(names)}, got {found!r}")
    return found


def _aggregate(
    scanned: str | Path, loci: Sequence[Interval], label: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the windows within each locus; their highest and their mean value, NaN of none."""
    of_contigs: dict[str, list[int]] = {}
    for index, locus in enumerate(loci):
        of_contigs.setdefault(locus.contig, []).append(index)
    counts = np.zeros(len(loci), dtype=np.int64)
    highest, means = np.full((2, len(loci)), np.nan)
    blocks = groupby(read_scan(scanned, label), key=lambda block: block.contig)
    for contig, of_contig in blocks:
        if contig not in of_contigs:
            continue
        starts, ends, values = map(
            np.concatenate, zip(*(each[1:] for each in of_contig), strict=True)
        )
        # Windows are of one length and in order, so that those within a locus are neighbours.
        for index in of_contigs[contig]:
            first = np.searchsorted(starts, loci[index].start)
            within = values[first : max(first, np.searchsorted(ends, loci[index].end, "right"))]
            counts[index] = len(within)
            if len(within):
                highest[index], means[index] = within.max(), within.mean(dtype=np.float64)
    return counts, highest, means


def _hold(loci: Sequence[Interval], sites: Sequence[Interval]) -> np.ndarray:
    """Tell which loci a site lies in, bool, shape (loci,)."""
    points: dict[str, set[int]] = {}
    for site in sites:
        points.setdefault(site.contig, set()).add(point_of(site))
    in_order = {contig: np.array(sorted(each)) for contig, each in points.items()}
    nowhere = np.empty(0, dtype=np.int64)
    within = [
        np.searchsorted(in_order.get(locus.contig, nowhere), [locus.start, locus.end])
        for locus in loci
    ]
    return np.array([end > start for start, end in within])


def _check_both(truth: np.ndarray) -> None:
    if truth.all() or not truth.any():
        found = "all" if truth.any() else "none"
        raise ValueError(
            f"some regions must hold a site, and others none: of {counted(len(truth), 'region')} "
            f"with windows {found} do; add regions, or leave the sites out"
        )


def _score(truth: np.ndarray, values: np.ndarray, threshold: float) -> LocusScores:
    from sklearn import metrics

    called = values >= threshold
    options = {"zero_division": 0.0}
    return LocusScores(
        float(metrics.f1_score(truth, called, **options)),
        float(metrics.matthews_corrcoef(truth, called)),
        float(metrics.precision_score(truth, called, **options)),
        float(metrics.recall_score(truth, called, **options)),
        float(metrics.roc_auc_score(truth, values)),
        float(metrics.average_precision_score(truth, values)),
    )
