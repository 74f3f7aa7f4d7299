"""Scans: a classifier over all windows of a genome, or of regions of it."""

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import choose_class
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.files.atomic import atomic_file
from dnabert_hf.files.counts import counted
from dnabert_hf.files.names import name_files
from dnabert_hf.inference.engine.training_defaults import (
    choose_strands,
    choose_threshold,
    choose_window,
)
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
from dnabert_hf.inference.genome_scan.windows import ScanWindows, find_extents
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.output.writer import check_output
from dnabert_hf.inference.predict import Classifier
from dnabert_hf.inference.run import Input, Run, RunFields, RunOptions

__all__ = ["Scan", "scan"]

logger = logging.getLogger(__name__)

_CHUNK_BASES = 1 << 20


@dataclass(frozen=True)
class Scan:
    """Result of a scan.

    Attributes:
        path: The table of windows.
        n_windows: Windows in the table.
        n_skipped: Windows that hold other letters than A, C, G, T.
        n_calls: Joined windows above the threshold; None if they were not asked for.
        site_scores: How well it meets known sites; None if there were none.
        window: Bases of a window.
        label: Class of track, calls and comparison; None if there are none of them.
        threshold: Least probability of a call.
        threshold_by: Where the threshold comes from, in words.
    """

    path: Path
    n_windows: int
    n_skipped: int
    n_calls: int | None
    site_scores: SiteScores | None
    window: int
    label: str | None
    threshold: float
    threshold_by: str

    def summary(self) -> str:
        """Say how many windows there are, and how many were left out."""
        calls = ""
        if self.n_calls is not None:
            calls = (
                f", {counted(self.n_calls, 'call')} of {self.label} from {self.threshold:.4g} on "
                f"({self.threshold_by})"
            )
        windows = f"{counted(self.n_windows, 'window')} of {counted(self.window, 'base')}"
        return f"{windows}, {self.n_skipped:,} left out{calls}"


def scan(
    model: Any,
    genome: Genome,
    *,
    output: str | Path,
    window: int | None = None,
    step: int,
    regions: Sequence[Interval] | None = None,
    label: str | None = None,
    track: str | Path | None = None,
    calls: str | Path | None = None,
    threshold: float | None = None,
    sites: Sequence[Interval] | None = None,
    tolerance: int = 500,
    both_strands: bool | None = None,
    **options: Unpack[RunFields],
) -> Scan:
    """Classify the windows that begin every so many bases, in the order of the genome.

    Windows with a letter other than A, C, G, T are left out and counted. Of a region, the bases
    behind its last whole window stay without one; so do regions shorter than a window.

    Args:
        model: Folder or Hub repository of a fine-tuned checkpoint, or a DNABERT model.
        genome: The genome.
        output: Table to write, .tsv, .csv (either may end in .gz) or .parquet: contig, start, end
            (0-based, half-open) and the probability of each class (prob_CLASS), or the values of
            a regression (value, or value_0, value_1, ...).
        window: Bases of a window, 1,001 in Prom-scan; by default the median length that the model
            was trained on.
        step: Bases from the start of a window to that of the next. 100 in Prom-scan.
        regions: Where to scan; those that overlap or touch count as one. By default everywhere.
        label: Class of track, calls and comparison; by default the class of interest. Of several
            targets of a regression, the one of the track.
        track: File for its probability, or value, along the genome, as in `write_track`; a name
            with "{label}" in it, such as "scan.{label}.bw", stands for a file for each class.
        calls: BED file for joined windows above the threshold, as in `write_calls`.
        threshold: Least probability of a call; by default that which the model's validation split
            suggests for its class of interest, or else 0.5.
        sites: Known sites to compare with, as in `score_against_sites`.
        tolerance: Bases between a call and a site that it meets, at most.
        both_strands: Whether to average over both strands; by default as the model was trained.
        **options: The fields of `RunOptions`; there are no columns.

    Returns:
        How many windows there are, and where.

    Raises:
        ValueError: If a file or an option cannot be used, or there is no window.
        KeyboardInterrupt: If it is stopped; the same again goes on.
    """
    running = RunOptions.of(options, excluded=["columns", "skip_short"])
    extras = _Extras(genome, track, calls, threshold, sites, tolerance)
    run = Run(output, running)
    extras.check(running, output)
    engine = run.start(model, "sequence-classification")
    k = engine.tokenizer.k
    window = choose_window(engine.model.config, window)
    both_strands = choose_strands([engine], both_strands)
    if window < k or step < 1:
        raise ValueError(
            f"a window must have k = {k} bases or more and a step 1 or more, got {window} and "
            f"{step}"
        )
    windows = ScanWindows(genome, find_extents(genome, regions), window, step)
    n_windows, n_skipped = windows.count_all()
    extras.sites = sites and sites_within(genome, sites, windows.extents)
    classifier = Classifier(engine, both_strands=both_strands)
    extras.choose_label(label, classifier.scheme, overwrite=running.overwrite)
    at, by = choose_threshold(engine.model.config, extras.label, threshold)
    extras.threshold = at
    if not run.shard.index:
        windows.report(n_windows, n_skipped, of="contigs" if regions is None else "regions")
        of_strands = " on either strand" * both_strands
        logger.info("%s windows of %s bases%s", f"{n_windows:,}", f"{window:,}", of_strands)
    given = Input(
        windows.chunks(n_bases=_CHUNK_BASES), genome, "windows", lambda: n_windows, 1 + both_strands
    )
    with run.write(
        given,
        _choose_format(output, classifier.scheme),
        {
            "regions": _digest(windows.extents) if regions is not None else "all",
            "window": window,
            "step": step,
            "both_strands": both_strands,
        },
        on_joined=extras.write,
    ) as (writer, chunks):
        for chunk in chunks:
            records = [SequenceRecord("", genome.sequence(*interval)) for interval in chunk]
            values = classifier.probabilities(records).tolist()
            writer.write([[*interval, *row] for interval, row in zip(chunk, values, strict=True)])
    found = extras.compare(output) if writer.is_complete else None
    return Scan(
        Path(output), n_windows, n_skipped, extras.n_calls, found, window, extras.label, at, by
    )


@dataclass
class _Extras:
    """Files made of the whole table: tracks, calls, and a comparison with known sites."""

    genome: Genome
    track: str | Path | None
    calls: str | Path | None
    threshold: float | None
    sites: Sequence[Interval] | None
    tolerance: int
    label: str | None = None
    n_calls: int | None = None
    tracks: Mapping[str, str | Path] = field(default_factory=dict)

    def check(self, options: RunOptions, output: str | Path) -> None:
        """Refuse what cannot be made, before the model is loaded."""
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"a threshold must be between 0 and 1, got {self.threshold}")
        for path, suffixes in ((self.track, TRACK_SUFFIXES), (self.calls, (".bed",))):
            if path is None:
                continue
            if path is not self.track or not _is_for_all(path):
                others = [output, *(each for each in (self.track,) if each is not path)]
                check_output(path, overwrite=options.overwrite, others=others)
            if Path(path).suffix.lower() not in suffixes:
                raise ValueError(
                    f"{path} must be named *{', *'.join(suffixes)}; the suffix tells the format"
                )
        if self.track is not None:
            _check_placeholder(self.track)
            check_track(self.track)
        if options.shard is not None and (self.track or self.calls or self.sites):
            raise ValueError(
                "track, calls and comparison with sites are made of the whole table, got shard "
                f"{options.shard}; ask for them in a last run without a shard, which joins the "
                "parts"
            )

    def choose_label(self, label: str | None, scheme: LabelScheme, *, overwrite: bool) -> None:
        """Find the class or target that they are about, and the files of the tracks."""
        if scheme.problem_type == "regression":
            self._choose_target(label, _targets(scheme))
        has_one_track = self.track is not None and not _is_for_all(self.track)
        is_asked = has_one_track or any(x is not None for x in (self.calls, self.sites, label))
        if is_asked and self.label is None:
            self.label = choose_class(scheme, label)
        self.tracks = _tracks(self.track, self.label, scheme.names)
        for path in self.tracks.values():
            check_output(path, overwrite=overwrite)

    def _choose_target(self, label: str | None, names: Sequence[str]) -> None:
        """Find the target of a regression that the track is about."""
        if self.calls is not None or self.sites is not None:
            raise ValueError(
                "calls, and their comparison with sites, are windows of a likely class, found a "
                "model of regression; take the track"
            )
        self.label = label if label is not None else names[0]
        is_open = label is None and len(names) > 1 and not _is_for_all(self.track)
        if self.label not in names or (self.track is not None and is_open):
            raise ValueError(
                f"the target must be named (--label), one of {', '.join(names)}, got {label!r}"
            )

    def write(self, table: Path) -> None:
        """Write tracks and calls of a table that has not got its name yet."""
        with ExitStack() as stack:  # all at once: a stopped run finds none of them
            for name, path in self.tracks.items():
                track = stack.enter_context(atomic_file(path))
                write_track(table, track, self.genome, label=name)
            if self.label is not None and self.calls is not None and self.threshold is not None:
                bed = stack.enter_context(atomic_file(self.calls))
                self.n_calls = write_calls(table, bed, label=self.label, threshold=self.threshold)

    def compare(self, table: str | Path) -> SiteScores | None:
        """Compare the calls of the table with the known sites."""
        if self.label is None or self.sites is None or self.threshold is None:
            return None
        return score_against_sites(
            table,
            self.sites,
            self.genome,
            label=self.label,
            threshold=self.threshold,
            tolerance=self.tolerance,
        )


def _digest(extents: np.ndarray) -> str:
    """Name the regions of a scan, of which there may be a million, in a few letters."""
    return hashlib.sha256(extents.tobytes()).hexdigest()[:16]


def _is_for_all(track: str | Path | None) -> bool:
    return "{label}" in str(track)


def _check_placeholder(track: str | Path) -> None:
    if _is_for_all(Path(track).parent):
        raise ValueError(
            f"{track} may have {{label}} in the name of the file alone, found it in that of a "
            "folder; correct it"
        )
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
    path = Path(track)
    made = name_files(path.name, names, placeholder="{label}")
    return {name: path.with_name(file) for name, file in zip(names, made, strict=True)}


def _targets(scheme: LabelScheme) -> list[str]:
    """Name the targets of a regression as `predict` does."""
    return ["value"] if len(scheme.names) == 1 else list(scheme.names)


def _choose_format(output: str | Path, scheme: LabelScheme) -> ResultFormat:
    is_regression = scheme.problem_type == "regression"
    numbers = _targets(scheme) if is_regression else [f"prob_{name}" for name in scheme.names]

    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        fields = [("contig", pa.string()), ("start", pa.int64()), ("end", pa.int64())]
        return ParquetFormat(pa.schema(fields + [(name, pa.float32()) for name in numbers]))

    return choose_table(output, ["contig", "start", "end", *numbers], {".parquet": make_parquet})
