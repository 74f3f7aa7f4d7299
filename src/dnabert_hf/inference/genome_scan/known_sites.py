"""Comparison of a scan with known sites."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.inference.genome_scan.tracks_and_calls import (
    Calls,
    average_windows,
    call_windows,
    read_scan,
)

__all__ = ["SiteScores", "score_against_sites", "sites_within"]

_NO_SITE = "a site must lie in a window of the scan, found none; check the regions"


class SiteScores(NamedTuple):
    """Scores of a scan against known sites.

    Attributes:
        n_sites: Sites that lie in a window.
        n_calls: Calls.
        precision: Share of the calls that meet a site of their own.
        recall: Share of the sites that a call of their own meets.
        f1: Harmonic mean of both.
        auprc: Average precision of the windows, those that hold a site being the ones to find.
        prevalence: Share of the windows that hold a site, the AUPRC of guessing.
    """

    n_sites: int
    n_calls: int
    precision: float
    recall: float
    f1: float
    auprc: float
    prevalence: float


def sites_within(genome: Genome, sites: Sequence[Interval], scanned: np.ndarray) -> list[Interval]:
    """Keep the sites that lie where a scan goes, by the genome's names of their contigs.

    Args:
        genome: The genome.
        sites: Sites, as in `score_against_sites`.
        scanned: Contig index, start and end (0-based, half-open) of where it goes, shape (n, 3).

    Raises:
        ValueError: If there are none.
    """
    names = genome.contig_names.match((site.contig for site in sites), source="the sites")
    kept = []
    for site in (
        site._replace(contig=names[site.contig]) for site in sites if site.contig in names
    ):
        point = _point(site)
        of_contig = scanned[scanned[:, 0] == genome.index(site.contig)]
        if ((of_contig[:, 1] <= point) & (point < of_contig[:, 2])).any():
            kept.append(site)
    if not kept:
        raise ValueError(_NO_SITE)
    return kept


def score_against_sites(
    scanned: str | Path,
    sites: Sequence[Interval],
    genome: Genome,
    *,
    label: str,
    threshold: float,
    tolerance: int = 500,
) -> SiteScores:
    """Compare a scan with known sites, such as starts of transcription.

    Each call meets one site at most and each site one call, the nearest pairs first.

    Args:
        scanned: Table that `scan` wrote.
        sites: Sites: their `point`, or else the middle, on either strand. Those outside of all
            windows do not count.
        genome: The genome.
        label: The class.
        threshold: Least probability of a window that is called.
        tolerance: Bases between a call and a site that it meets, at most.

    Returns:
        The scores; NaN where there is nothing to divide by.

    Raises:
        ValueError: If no site lies in a window, or there is no such class.
    """
    from sklearn.metrics import average_precision_score

    names = genome.contig_names.match((site.contig for site in sites), source="the sites")
    points: dict[str, set[int]] = {}
    for site in sites:
        if site.contig in names:
            points.setdefault(names[site.contig], set()).add(_point(site))
    n_sites = n_calls = n_met = 0
    truth, values = [], []
    for contig in read_scan(scanned, label):
        of_contig = np.array(sorted(points.get(contig.contig, ())), dtype=np.int64)
        first = np.searchsorted(of_contig, contig.starts)
        truth.append(np.searchsorted(of_contig, contig.ends) > first)
        values.append(contig.values)
        covered = average_windows(contig.starts, contig.ends, contig.values)
        row = np.searchsorted(covered[0], of_contig, side="right") - 1
        of_contig = of_contig[(row >= 0) & (of_contig < covered[1][row])]
        calls = call_windows(contig, threshold)
        n_sites, n_calls = n_sites + len(of_contig), n_calls + len(calls.starts)
        n_met += _count_pairs(calls, of_contig, tolerance)
    if not n_sites:
        raise ValueError(_NO_SITE)
    is_site = np.concatenate(truth)
    precision = n_met / n_calls if n_calls else float("nan")
    recall = n_met / n_sites
    return SiteScores(
        n_sites,
        n_calls,
        precision,
        recall,
        2 * n_met / (n_calls + n_sites),
        float(average_precision_score(is_site, np.concatenate(values))),
        float(is_site.mean()),
    )


def _count_pairs(calls: Calls, points: np.ndarray, tolerance: int) -> int:
    pairs = []
    for site, point in enumerate(points.tolist()):
        begin = np.searchsorted(calls.ends, point - tolerance, side="left")
        end = np.searchsorted(calls.starts, point + tolerance, side="right")
        for call in range(begin, end):
            distance = max(calls.starts[call] - point, point - calls.ends[call] + 1, 0)
            if distance <= tolerance:
                pairs.append((int(distance), site, call))
    met_sites: set[int] = set()
    met_calls: set[int] = set()
    for _, site, call in sorted(pairs):
        if site not in met_sites and call not in met_calls:
            met_sites.add(site)
            met_calls.add(call)
    return len(met_sites)


def _point(site: Interval) -> int:
    """Tell the base of a site by which it is met (0-based): its `point`, or else the middle."""
    return (site.start + site.end) // 2 if site.point is None else site.point
