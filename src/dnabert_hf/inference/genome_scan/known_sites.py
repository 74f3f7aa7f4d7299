"""Comparison of a scan with known sites."""

import logging
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.inference.genome_scan.tracks_and_calls import Call, call_blocks, read_scan

__all__ = ["SiteScores", "point_of", "score_against_sites", "sites_within"]

logger = logging.getLogger(__name__)

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
    on_genome = [site._replace(contig=names[site.contig]) for site in sites if site.contig in names]
    offsets = genome.offsets
    # Extents are in order and apart, so that the last one that begins before a site has to hold it.
    begins, ends = (offsets[scanned[:, 0]] + scanned[:, column] for column in (1, 2))
    contigs = np.array([genome.index(site.contig) for site in on_genome], dtype=np.int64)
    where = offsets[contigs] + np.array([point_of(site) for site in on_genome], dtype=np.int64)
    row = np.searchsorted(begins, where, side="right") - 1
    is_within = (row >= 0) & (where < ends[row]) & (scanned[row, 0] == contigs)
    kept = [site for site, is_kept in zip(on_genome, is_within.tolist(), strict=True) if is_kept]
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
            windows do not count, and a warning says how many.
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
            points.setdefault(names[site.contig], set()).add(point_of(site))
    of_contigs = {contig: np.array(sorted(each)) for contig, each in points.items()}
    is_covered = {contig: np.zeros(len(each), dtype=bool) for contig, each in of_contigs.items()}
    truth, values = [], []
    for contig, starts, ends, probabilities in read_scan(scanned, label):
        of_contig = of_contigs.get(contig, np.empty(0, dtype=np.int64))
        truth.append(np.searchsorted(of_contig, ends) > np.searchsorted(of_contig, starts))
        values.append(probabilities)
        row = np.searchsorted(starts, of_contig, side="right") - 1
        if len(of_contig):
            is_covered[contig] |= (row >= 0) & (of_contig < ends[row])
    n_sites = sum(int(each.sum()) for each in is_covered.values())
    n_calls = n_met = 0
    calls = call_blocks(read_scan(scanned, label), threshold)
    for contig, each in groupby(calls, key=lambda call: call.contig):
        joined = list(each)
        n_calls += len(joined)
        if contig in of_contigs:
            n_met += _count_pairs(joined, of_contigs[contig][is_covered[contig]], tolerance)
    if not n_sites:
        raise ValueError(_NO_SITE)
    n_outside = sum(map(len, of_contigs.values())) - n_sites
    if n_outside:
        logger.warning(
            "%s of %s known sites lie in no window (letters other than A, C, G, T, or the ends of "
            "regions) and do not count",
            *(f"{n_outside:,}", f"{n_outside + n_sites:,}"),
        )
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


def _count_pairs(calls: Sequence[Call], points: np.ndarray, tolerance: int) -> int:
    starts, ends = np.array([(call.start, call.end) for call in calls]).T
    first = np.searchsorted(ends, points - tolerance, side="left")
    last = np.searchsorted(starts, points + tolerance, side="right")
    pairs = []
    for site, (point, *near) in enumerate(
        zip(points.tolist(), first.tolist(), last.tolist(), strict=True)
    ):
        for call in range(*near):
            distance = max(calls[call].start - point, point - calls[call].end + 1, 0)
            if distance <= tolerance:
                pairs.append((distance, site, call))
    met_sites: set[int] = set()
    met_calls: set[int] = set()
    for _, site, call in sorted(pairs):
        if site not in met_sites and call not in met_calls:
            met_sites.add(site)
            met_calls.add(call)
    return len(met_sites)


def point_of(site: Interval) -> int:
    """Tell the base of a site by which it is met (0-based): its `point`, or else the middle."""
    return (site.start + site.end) // 2 if site.point is None else site.point
