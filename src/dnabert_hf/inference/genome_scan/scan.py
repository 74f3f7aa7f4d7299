"""Scans: a classifier over all windows of a genome, or of regions of it."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.genome.regions import intersect_regions
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.fingerprint import fingerprint_run, fingerprint_weights
from dnabert_hf.inference.engine.sharding import resolve_shard
from dnabert_hf.inference.genome_scan.known_sites import (
    SiteScores,
    score_against_sites,
    sites_within,
)
from dnabert_hf.inference.genome_scan.tracks_and_calls import (
    TRACK_SUFFIXES,
    check_track,
    write_calls,
    write_track,
)
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.output.writer import check_output, open_output
from dnabert_hf.inference.predict import Classifier, choose_class

__all__ = ["Scan", "scan"]

logger = logging.getLogger(__name__)

_CHUNK_BASES = 1 << 20
_BLOCK_WINDOWS = 1 << 20  # of which starts are in memory


@dataclass(frozen=True)
class Scan:
    """Result of a scan.

    Attributes:
        path: The table of windows.
        n_windows: Windows in the table.
        n_skipped: Windows that hold other letters than A, C, G, T.
        n_calls: Joined windows above the threshold; None if they were not asked for.
        site_scores: How well it meets known sites; None if there were none.
    """

    path: Path
    n_windows: int
    n_skipped: int
    n_calls: int | None
    site_scores: SiteScores | None


def scan(
    model: Any,
    genome: Genome,
    *,
    output: str | Path,
    window: int,
    step: int,
    regions: Sequence[Interval] | None = None,
    label: str | None = None,
    track: str | Path | None = None,
    calls: str | Path | None = None,
    threshold: float = 0.5,
    sites: Sequence[Interval] | None = None,
    tolerance: int = 500,
    both_strands: bool = False,
    tokenizer: Any = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int | None = None,
    shard: str | None = None,
    overwrite: bool = False,
) -> Scan:
    """Classify the windows that begin every so many bases, in the order of the genome.

    Windows with a letter other than A, C, G, T are left out and counted. Of a region, the bases
    behind its last whole window stay without one; so do regions shorter than a window.

    Args:
        model: Folder or Hub repository of a fine-tuned checkpoint, or a DNABERT model.
        genome: The genome.
        output: Table to write, .tsv, .csv (either may end in .gz) or .parquet: contig, start, end
            (0-based, half-open) and the probability of each class.
        window: Bases of a window: those that the model was trained on. 1,001 in Prom-scan.
        step: Bases from the start of a window to that of the next. 100 in Prom-scan.
        regions: Where to scan; those that overlap or touch count as one. By default everywhere.
        label: Class of track, calls and comparison; by default the second of two.
        track: File for its probability along the genome, as in `write_track`; a name with "{label}"
            in it, such as "scan.{label}.bw", stands for a file for each class.
        calls: BED file for joined windows above the threshold, as in `write_calls`.
        threshold: Least probability of a call.
        sites: Known sites to compare with, as in `score_against_sites`.
        tolerance: Bases between a call and a site that it meets, at most.
        both_strands: Whether to average over both strands.
        tokenizer: Tokenizer, needed if `model` is an object.
        device: "auto", "cpu", "cuda", ...
        dtype: "auto", "float32", "bfloat16", "float16" or "int8".
        batch_tokens: Tokens a batch; by default what suits the device.
        shard: "I/N" does part I (0-based) of N and leaves it beside the output for `join_parts`.
            None does all or, under `torchrun` and `accelerate launch`, what is this process's.
        overwrite: Whether to replace an existing output.

    Returns:
        How many windows there are, and where.

    Raises:
        ValueError: If a file or an option cannot be used, or there is no window.
        KeyboardInterrupt: If it is stopped; the same again goes on.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"a threshold must be between 0 and 1, got {threshold}")
    for path, suffixes in ((output, None), (track, TRACK_SUFFIXES), (calls, (".bed",))):
        if path is None:
            continue
        if path is not track or not _is_for_all(track):
            check_output(path, overwrite=overwrite)
        if suffixes is not None and Path(path).suffix.lower() not in suffixes:
            raise ValueError(
                f"{path} must be named *{', *'.join(suffixes)}; the suffix tells the format"
            )
    if track is not None:
        _check_placeholder(track)
        check_track(track)
    share = resolve_shard(shard, output)
    if shard is not None and (track or calls or sites):
        raise ValueError(
            "track, calls and comparison with sites are made of the whole table, got shard "
            f"{shard}; ask for them in a last run without a shard, which joins the parts"
        )
    checkpoint = as_checkpoint(model, tokenizer, task="sequence-classification")
    k = checkpoint.model.config.k
    if window < k or step < 1:
        raise ValueError(
            f"a window must have k = {k} bases or more and a step 1 or more, got {window} and "
            f"{step}"
        )
    extents = _extents(genome, regions)
    n_windows = n_skipped = 0
    for _, starts, n_unknown in _starts(genome, extents, window, step):
        n_windows, n_skipped = n_windows + len(starts), n_skipped + n_unknown
    if not n_windows:
        raise ValueError(
            f"a region must have room for a window of {window} bases of A, C, G, T, found none; "
            "give longer regions or a shorter window"
        )
    if sites is not None:
        sites = sites_within(genome, sites, extents)
    weights = fingerprint_weights(checkpoint.model)
    engine = Engine(checkpoint, device=device, dtype=dtype, batch_tokens=batch_tokens, shard=share)
    classifier = Classifier(engine, both_strands=both_strands)
    has_one_track = track is not None and not _is_for_all(track)
    if has_one_track or any(each is not None for each in (calls, sites, label)):
        label = choose_class(classifier.scheme, label)
    tracks = _tracks(track, label, classifier.scheme.names)
    for path in tracks.values():
        check_output(path, overwrite=overwrite)
    fingerprint = fingerprint_run(
        engine,
        checkpoint,
        genome,
        weights=weights,
        regions=extents.tolist() if regions is not None else "all",
        window=window,
        step=step,
        both_strands=both_strands,
    )
    n_calls = site_scores = None

    def write_tracks_and_calls(table: Path) -> None:
        nonlocal n_calls
        made = {
            write_track(table, _unfinished(path), genome, label=name): path
            for name, path in tracks.items()
        }
        if label is not None and calls is not None:
            n_calls = write_calls(table, calls, label=label, threshold=threshold)
        for unfinished, path in made.items():  # all at once: a stopped run finds none of them
            unfinished.replace(path)

    n_kmers = n_windows * (window - k + 1) * (2 if both_strands else 1)
    with (
        open_output(
            output,
            _choose_format(output, classifier.scheme.names),
            fingerprint=fingerprint,
            overwrite=overwrite,
            shard=share,
            on_joined=write_tracks_and_calls,
        ) as writer,
        engine.progress(n_kmers // share.count),
    ):
        chunks = _chunks(genome, extents, window, step)
        for chunk in writer.remaining(chunks):
            records = [SequenceRecord("", genome.sequence(*interval)) for interval in chunk]
            values = classifier.probabilities(records).tolist()
            writer.write([[*interval, *row] for interval, row in zip(chunk, values, strict=True)])
    n_short = int((extents[:, 2] - extents[:, 1] < window).sum())
    if n_short and not share.index:
        logger.warning(
            "%d of %d %s are shorter than a window and have none",
            *(n_short, len(extents), "contigs" if regions is None else "regions"),
        )
    if n_skipped and not share.index:
        logger.warning(
            "%d of %d windows hold letters other than A, C, G, T and are left out",
            n_skipped,
            n_windows + n_skipped,
        )
    if not writer.is_complete:
        return Scan(Path(output), n_windows, n_skipped, None, None)
    if label is not None and sites is not None:
        site_scores = score_against_sites(
            output, sites, genome, label=label, threshold=threshold, tolerance=tolerance
        )
    return Scan(Path(output), n_windows, n_skipped, n_calls, site_scores)


def _is_for_all(track: str | Path | None) -> bool:
    return "{label}" in str(track)


def _unfinished(path: str | Path) -> Path:
    return Path(path).with_stem(f"{Path(path).stem}.unfinished")


def _check_placeholder(track: str | Path) -> None:
    for placeholder in re.findall(r"{[^{}]*}", Path(track).name):
        if placeholder != "{label}":
            raise ValueError(
                f"{track} may have {{label}} in its name, for a track of each class, found "
                f"{placeholder}; correct it"
            )


def _tracks(
    track: str | Path | None, label: str | None, names: Sequence[str]
) -> dict[str, str | Path]:
    """Give the file of the track of each class that gets one."""
    if track is None:
        return {}
    if not _is_for_all(track):
        return {str(label): track}
    for name in names:
        if "/" in name or "\\" in name:
            raise ValueError(
                f"classes whose tracks are named after them must have no slash in their names, "
                f"found {name!r}; choose one class (label) and name its track"
            )
    return {name: str(track).replace("{label}", name) for name in names}


def _extents(genome: Genome, regions: Sequence[Interval] | None) -> np.ndarray:
    """List where to scan: contig index, start and end, in the order of the genome, (n, 3)."""
    lengths = [contig.length for contig in genome.contigs]
    contigs = np.array([[i, 0, length] for i, length in enumerate(lengths)], dtype=np.int64)
    if regions is None:
        return contigs
    names = genome.contig_names.match((each.contig for each in regions), source="the regions")
    wanted = [(genome.index(names[r.contig]), r.start, r.end) for r in regions if r.contig in names]
    for contig, start, end in wanted:
        if end > lengths[contig]:
            name = genome.contigs[contig].name
            raise ValueError(
                f"a region must lie within its contig, found {name}:{start}-{end} where {name} has "
                f"{lengths[contig]} bases; correct it"
            )
    return intersect_regions(contigs, np.array(wanted, dtype=np.int64))


def _starts(
    genome: Genome, extents: np.ndarray, window: int, step: int
) -> Iterator[tuple[int, np.ndarray, int]]:
    """Yield in order contig, starts of windows of A, C, G, T, and how many others there are."""
    for contig, begin, end in extents.tolist():
        first, last = np.searchsorted(genome.runs[:, 0], [contig, contig + 1])
        runs = genome.runs[first:last]
        for block in range(begin, end - window + 1, step * _BLOCK_WINDOWS):
            stop = min(block + step * _BLOCK_WINDOWS, end - window + 1)
            starts = np.arange(block, stop, step)
            run = np.searchsorted(runs[:, 1], starts, side="right") - 1
            is_known = (run >= 0) & (runs[run, 2] >= starts + window) if len(runs) else run >= 0
            yield contig, starts[is_known], int((~is_known).sum())


def _chunks(
    genome: Genome, extents: np.ndarray, window: int, step: int
) -> Iterator[list[tuple[str, int, int]]]:
    """Yield contig, start and end of the windows, some at a time."""
    size = max(_CHUNK_BASES // window, 1)
    chunk: list[tuple[str, int, int]] = []
    for contig, starts, _ in _starts(genome, extents, window, step):
        name = genome.contigs[contig].name
        for block in np.split(starts, range(size, len(starts), size)):
            chunk += [(name, start, start + window) for start in block.tolist()]
            if len(chunk) >= size:
                yield chunk[:size]
                chunk = chunk[size:]
    if chunk:
        yield chunk


def _choose_format(output: str | Path, names: Sequence[str]) -> ResultFormat:
    numbers = [f"prob_{name}" for name in names]

    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        fields = [("contig", pa.string()), ("start", pa.int64()), ("end", pa.int64())]
        return ParquetFormat(pa.schema(fields + [(name, pa.float32()) for name in numbers]))

    return choose_table(output, ["contig", "start", "end", *numbers], {".parquet": make_parquet})
