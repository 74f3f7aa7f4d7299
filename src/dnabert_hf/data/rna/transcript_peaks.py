"""Data sets of protein binding on RNA (CLIP-seq), negatives from the same transcripts."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from dnabert_hf.data.building.labelled_windows import (
    BuiltDataset,
    Example,
    Splitting,
    build_dataset,
    drop_repeated,
)
from dnabert_hf.data.genome.annotation import Transcript
from dnabert_hf.data.genome.coordinates import cut_window
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval, match_intervals

__all__ = ["build_transcript_peaks"]

logger = logging.getLogger(__name__)

_LABELS = ("other", "peak")
_CELL = 14  # what is barred is looked up by cells of 16,384 bases
_TRIES = 20  # windows drawn for a peak, where some hold letters other than A, C, G and T

_Parts = list[tuple[int, int]]


def build_transcript_peaks(
    genome: Genome,
    peaks: Sequence[Interval],
    transcripts: Sequence[Transcript],
    *,
    length: int = 101,
    splitting: Splitting | None = None,
    source: str = "the list of peaks",
) -> BuiltDataset:
    """Build a data set of binding sites on RNA and as many unbound places of the same transcripts.

    Windows are read along the strand of the peak: 5' to 3' of the RNA. The negative of a peak is a
    window of the same length and strand from a transcript that the peak lies on, as sets of
    RNA-binding proteins have it (GraphProt, Maticzka et al. 2014): its middle base in an exon where
    the peak's is, else in an intron, and no base of it in any peak of that strand, or in another
    negative. Where the exons (or introns) have no room, the rest of the transcript serves, and a
    warning counts that.

    Args:
        genome: The genome.
        peaks: Peaks with their strands; the window is cut around the `point` or the middle.
        transcripts: Transcripts, as `read_transcripts` gives them.
        length: Bases of a window.
        splitting: How to divide the data.
        source: What the peaks are called in messages.

    Returns:
        The data set with the labels "peak" and "other". Peaks on no transcript of their strand, or
        without a negative, are left out and counted.

    Raises:
        ValueError: If the length is out of range, or no peak lies on a transcript of the genome.
    """
    if length < 1:
        raise ValueError(f"the length of a window must be 1 or more bases, got {length}")
    splitting = splitting or Splitting()
    splitting.check(genome)
    omitted: Counter[str] = Counter()
    names = match_intervals(genome, peaks, omitted, kind="peaks", source=source)
    on_genome = [peak._replace(contig=names[peak.contig]) for peak in peaks if peak.contig in names]
    known = genome.contig_names.match((each.contig for each in transcripts), source="transcripts")
    found = _Places([each for each in transcripts if each.contig in known], known, on_genome)
    generator = np.random.default_rng(splitting.seed)
    positives = _cut_peaks(genome, on_genome, found, length, omitted)
    kept, _ = drop_repeated(positives, omitted)
    pairs: list[Example] = []
    n_elsewhere = 0
    for positive in kept:
        drawn = _draw(genome, positive, found, length, generator)
        if drawn is None:
            omitted["peaks whose transcripts have no room for a negative"] += 1
            continue
        negative, is_elsewhere = drawn
        n_elsewhere += is_elsewhere
        pairs += [positive, negative]
    if not pairs:
        reasons = ", ".join(f"{n} {reason}" for reason, n in omitted.items())
        raise ValueError(
            f"{source}: peaks must lie on transcripts of their strand that have room for negatives "
            f"of {length} bases, found none ({reasons}); check strands and annotation"
        )
    if n_elsewhere:
        logger.warning(
            "%d of %d negatives have their middle in an intron where the peak's is in an exon, or "
            "the other way round, for want of room",
            n_elsewhere,
            len(pairs) // 2,
        )
    return build_dataset(pairs, splitting, omitted)


@dataclass
class _Places:
    """Transcripts by contig and strand, and what no negative may touch.

    Args:
        transcripts: Transcripts on the genome.
        names: The genome's name of each contig.
        peaks: All peaks, by the genome's names.
    """

    transcripts: Sequence[Transcript]
    names: dict[str, str]
    peaks: Sequence[Interval]
    _spans: dict[tuple[str, str], np.ndarray] = field(init=False)
    _barred: dict[tuple[str, str, int], _Parts] = field(init=False)

    def __post_init__(self) -> None:
        rows: dict[tuple[str, str], _Parts] = {}
        self._of: dict[tuple[str, str], list[Transcript]] = {}
        for each in self.transcripts:
            key = (self.names[each.contig], each.strand)
            rows.setdefault(key, []).append((each.exons[0][0], each.exons[-1][1]))
            self._of.setdefault(key, []).append(each)
        self._spans = {key: np.array(spans, dtype=np.int64) for key, spans in rows.items()}
        self._barred = {}
        for peak in self.peaks:
            self.bar(peak.contig, peak.strand, peak.start, peak.end)

    def over(self, contig: str, strand: str, position: int) -> list[Transcript]:
        """List the transcripts of a strand that a base (0-based) lies in."""
        spans = self._spans.get((contig, strand))
        if spans is None:
            return []
        rows = np.flatnonzero((spans[:, 0] <= position) & (position < spans[:, 1]))
        return [self._of[contig, strand][row] for row in rows.tolist()]

    def bar(self, contig: str, strand: str, start: int, end: int) -> None:
        """Let no later window touch an interval."""
        for cell in range(start >> _CELL, (end - 1 >> _CELL) + 1):
            self._barred.setdefault((contig, strand, cell), []).append((start, end))

    def near(self, contig: str, strand: str, start: int, end: int) -> set[tuple[int, int]]:
        """List what is barred and lies near an interval."""
        cells = range(start >> _CELL, (end - 1 >> _CELL) + 1)
        return {each for cell in cells for each in self._barred.get((contig, strand, cell), ())}


def _cut_peaks(
    genome: Genome,
    peaks: Sequence[Interval],
    places: _Places,
    length: int,
    omitted: Counter[str],
) -> list[Example]:
    """Cut the window around each peak that lies on a transcript of its strand."""
    cut = []
    for peak in peaks:
        point = (peak.start + peak.end) // 2 if peak.point is None else peak.point
        if not places.over(peak.contig, peak.strand, point):
            omitted["peaks on no transcript of their strand"] += 1
            continue
        start = point - length // 2
        interval = (peak.contig, start, start + length, peak.strand)
        sequence = cut_window(genome, interval, omitted)
        if sequence is not None:
            # A window may reach farther than its peak.
            places.bar(peak.contig, peak.strand, start, start + length)
            name = peak.name or f"{peak.contig}:{start}-{start + length}:{peak.strand}"
            cut.append(Example(name, sequence, _LABELS[1], *interval, kind="peak"))
    return cut


def _draw(
    genome: Genome,
    positive: Example,
    places: _Places,
    length: int,
    generator: np.random.Generator,
) -> tuple[Example, bool] | None:
    """Draw a negative, and tell whether it lies in another kind of place than its peak."""
    middle = positive.start + length // 2
    transcripts = places.over(positive.contig, positive.strand, middle)
    is_exon = any(a <= middle < b for each in transcripts for a, b in each.exons)
    for is_elsewhere in (False, True):
        for number in generator.permutation(len(transcripts)).tolist():
            transcript = transcripts[number]
            parts = transcript.exons if is_exon != is_elsewhere else transcript.introns()
            starts = _starts(transcript, parts, positive, places, length)
            made = _choose(genome, positive, starts, length, generator)
            if made is not None:
                places.bar(positive.contig, positive.strand, made.start, made.end)
                return made, is_elsewhere
    return None


def _starts(
    transcript: Transcript, parts: _Parts, positive: Example, places: _Places, length: int
) -> _Parts:
    """List where windows may begin that have their middle in parts of a transcript."""
    first, last = transcript.exons[0][0], transcript.exons[-1][1]
    half = length // 2
    open_ = [(max(a - half, first), min(b - half, last - length + 1)) for a, b in parts]
    barred = places.near(positive.contig, positive.strand, first, last)
    return _subtract(
        [part for part in open_ if part[0] < part[1]],
        [(a - length + 1, b) for a, b in barred],
    )


def _subtract(parts: _Parts, barred: Iterable[tuple[int, int]]) -> _Parts:
    """Take intervals out of others, all half-open; the first do not overlap each other.

    Example:
        >>> _subtract([(0, 10), (20, 30)], [(8, 22), (3, 5)])
        [(0, 3), (5, 8), (22, 30)]
    """
    left, waiting = [], sorted(barred, reverse=True)
    for start, end in sorted(parts):
        at = start
        while waiting and waiting[-1][0] < end:
            a, b = waiting.pop()
            if at < a:
                left.append((at, a))
            at = max(at, b)
            if at >= end:  # it may reach into the next part
                waiting.append((a, b))
                break
        if at < end:
            left.append((at, end))
    return left


def _choose(
    genome: Genome,
    positive: Example,
    starts: _Parts,
    length: int,
    generator: np.random.Generator,
) -> Example | None:
    """Draw a window, each start alike, that holds A, C, G and T alone."""
    sizes = np.cumsum([end - start for start, end in starts])
    for _ in range(_TRIES if starts else 0):
        number = int(generator.integers(sizes[-1]))
        part = int(np.searchsorted(sizes, number, side="right"))
        start = starts[part][1] - int(sizes[part]) + number
        interval = (positive.contig, start, start + length, positive.strand)
        sequence = cut_window(genome, interval, Counter())
        if sequence is not None:
            name = f"{positive.contig}:{start}-{start + length}:{positive.strand}"
            return Example(
                name, sequence, _LABELS[0], *interval, kind=f"same transcript as {positive.id}"
            )
    return None
