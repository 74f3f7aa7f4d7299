"""Results of a scan: tracks for a browser, and calls."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.signal import import_pybigwig
from dnabert_hf.files.atomic import atomic_file
from dnabert_hf.inference.output.bigwig import take_blocks, write_bigwig

__all__ = [
    "TRACK_SUFFIXES",
    "Call",
    "ContigScan",
    "average_blocks",
    "average_windows",
    "call_blocks",
    "check_track",
    "classes_of_scan",
    "read_scan",
    "save_track",
    "write_calls",
    "write_track",
]


_BIGWIG = (".bw", ".bigwig")
TRACK_SUFFIXES = (".bedgraph", *_BIGWIG)


class ContigScan(NamedTuple):
    """Windows of a contig that follow each other, in order: all of them, or a block.

    Attributes:
        contig: Name of the contig.
        starts: First base of each window (0-based), shape (windows,).
        ends: Base after the last one, shape (windows,).
        values: Probability of a class, shape (windows,).
    """

    contig: str
    starts: np.ndarray
    ends: np.ndarray
    values: np.ndarray


class Call(NamedTuple):
    """Windows above a threshold, joined.

    Attributes:
        contig: Name of the contig.
        start: First base (0-based).
        end: Base after the last one.
        value: Highest probability of the windows.
    """

    contig: str
    start: int
    end: int
    value: float


def read_scan(path: str | Path, label: str) -> Iterator[ContigScan]:
    """Read the table of a scan block by block, each of one contig.

    Args:
        path: Table that `scan` wrote.
        label: Class whose probability, or target of a regression whose value, is wanted.

    Raises:
        ValueError: If it has no such class.
    """
    for batch in _batches(Path(path)):
        columns = batch.schema.names[3:]  # behind contig, start and end
        column = f"prob_{label}" if f"prob_{label}" in columns else label
        if column not in columns:
            known = [name.removeprefix("prob_") for name in columns]
            raise ValueError(f"the class must be one of {', '.join(known)}, got {label!r}")
        contigs = np.asarray(batch.column("contig"))
        numbers = [np.asarray(batch.column(c)) for c in ("start", "end", column)]
        bounds = np.flatnonzero(contigs[1:] != contigs[:-1]) + 1
        for begin, end in zip([0, *bounds], [*bounds, len(contigs)], strict=True):
            if begin < end:
                yield ContigScan(str(contigs[begin]), *(each[begin:end] for each in numbers))


def classes_of_scan(path: str | Path) -> tuple[tuple[str, ...], bool]:
    """Name the classes of the table of a scan, and tell whether they are targets of a regression.

    Args:
        path: Table that `scan` wrote.

    Raises:
        ValueError: If it is no such table.
    """
    import pyarrow as pa

    wanted = (
        f"{path} must be a table that `dnabert scan` wrote, with the columns contig, start, end "
        "and prob_CLASS"
    )
    try:
        batch = next(_batches(Path(path)), None)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{wanted}, but reading it failed: {error}") from error
    if batch is None:
        raise ValueError(f"{wanted}, found no windows in it")
    columns = batch.schema.names
    if columns[:3] != ["contig", "start", "end"] or not columns[3:]:
        raise ValueError(f"{wanted}, found {', '.join(columns)}")
    is_regression = not all(name.startswith("prob_") for name in columns[3:])
    return tuple(name.removeprefix("prob_") for name in columns[3:]), is_regression


def _batches(path: Path) -> Iterator[Any]:
    if path.suffix.lower() == ".parquet":
        from pyarrow import parquet

        yield from parquet.ParquetFile(path).iter_batches()
        return
    import pyarrow as pa
    from pyarrow import csv

    delimiter = "," if ".csv" in path.suffixes else "\t"
    with csv.open_csv(
        path,
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(column_types={"contig": pa.string()}),
    ) as reader:
        yield from reader


def average_windows(
    starts: np.ndarray, ends: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average over each base the windows that cover it.

    Args:
        starts: First base of each window, in order (0-based), shape (windows,).
        ends: Base after the last one, shape (windows,).
        values: Value of each window, shape (windows,).

    Returns:
        Starts, ends and means of the intervals between two borders of windows, without those that
        no window covers, each of shape (intervals,).

    Example:
        >>> starts, ends = np.array([0, 2]), np.array([4, 6])
        >>> [a.tolist() for a in average_windows(starts, ends, np.array([1.0, 0.5]))]
        [[0, 2, 4], [2, 4, 6], [1.0, 0.75, 0.5]]
    """
    borders = np.unique(np.concatenate([starts, ends]))
    first, last = np.searchsorted(borders, starts), np.searchsorted(borders, ends)
    n = len(borders)
    counts = np.cumsum(np.bincount(first, minlength=n) - np.bincount(last, minlength=n))
    exact = values.astype(np.float64)
    sums = np.cumsum(np.bincount(first, exact, n) - np.bincount(last, exact, n))
    is_covered = counts[:-1] > 0
    means = sums[:-1][is_covered] / counts[:-1][is_covered]
    return borders[:-1][is_covered], borders[1:][is_covered], means


def average_blocks(blocks: Iterable[ContigScan]) -> Iterator[ContigScan]:
    """Average over each base the windows that cover it, a block in memory at a time.

    Args:
        blocks: Windows, in the order of the genome.

    Yields:
        Intervals and means as `average_windows` gives them for a contig as a whole.
    """
    waiting: ContigScan | None = None
    done = 0  # intervals of the contig up to here are given
    for block in blocks:
        if waiting is not None and waiting.contig == block.contig:
            both = zip(waiting[1:], block[1:], strict=True)
            block = ContigScan(block.contig, *map(np.concatenate, both))
        else:
            if waiting is not None:
                yield _means(waiting, done)
            done = 0
        # No later window begins before the last one of these.
        last = int(block.starts[-1])
        yield _means(block, done, last)
        done = last
        is_open = block.ends > last
        waiting = ContigScan(block.contig, *(column[is_open] for column in block[1:]))
    if waiting is not None:
        yield _means(waiting, done)


def _means(block: ContigScan, begin: int, end: int | None = None) -> ContigScan:
    """Average windows, and keep the intervals from one base to before another."""
    columns = average_windows(*block[1:])
    first, last = np.searchsorted(columns[0], [begin, columns[1][-1] if end is None else end])
    return ContigScan(block.contig, *(column[first:last] for column in columns))


def call_blocks(blocks: Iterable[ContigScan], threshold: float) -> Iterator[Call]:
    """Join the windows at or above a threshold that overlap or touch.

    Args:
        blocks: Windows, in the order of the genome.
        threshold: Least value of a window.

    Example:
        >>> windows = ContigScan("c", np.array([0, 5, 20]), np.array([10, 15, 30]),
        ...                      np.array([0.9, 0.75, 0.25]))
        >>> [*call_blocks([windows], 0.5)]
        [Call(contig='c', start=0, end=15, value=0.9)]
    """
    call: Call | None = None
    for contig, *columns in blocks:
        is_above = columns[2] >= threshold
        for start, end, value in zip(*(each[is_above].tolist() for each in columns), strict=True):
            if call is not None and call.contig == contig and start <= call.end:
                call = Call(contig, call.start, max(end, call.end), max(value, call.value))
            else:
                if call is not None:
                    yield call
                call = Call(contig, start, end, value)
    if call is not None:
        yield call


def write_track(scanned: str | Path, path: str | Path, genome: Genome, *, label: str) -> Path:
    """Write the probability of a class along the genome, the mean of the windows over each base.

    Args:
        scanned: Table that `scan` wrote.
        path: .bedgraph, or .bw or .bigwig (needs the extra `tracks`).
        genome: The genome.
        label: The class.

    Raises:
        ValueError: If the name says no format, or there is no such class.
        ImportError: If a bigWig is asked for and pyBigWig is not installed.
    """
    path = Path(path)
    means = average_blocks(read_scan(scanned, label))
    lengths = {contig.name: contig.length for contig in genome.contigs}
    with atomic_file(path) as partial:
        save_track(means, partial, suffix=path.suffix.lower(), lengths=lengths)
    return path


def save_track(
    contig_scans: Iterable[ContigScan],
    path: Path,
    *,
    suffix: str,
    lengths: Mapping[str, int] | None,
) -> None:
    """Write values of intervals that do not overlap as a track.

    Args:
        contig_scans: Contig by contig, in the order of the genome; a contig may come in blocks.
        path: File to write, under whatever name.
        suffix: .bedgraph, or .bw or .bigwig (needs the extra `tracks`).
        lengths: Bases of each contig of the genome, in its order; bedGraph does without.

    Raises:
        ValueError: If the suffix says no format.
        ImportError: If a bigWig is asked for and pyBigWig is not installed.
    """
    if suffix not in TRACK_SUFFIXES:
        raise ValueError(f"a track must be named *{', *'.join(TRACK_SUFFIXES)}, got *{suffix}")
    if suffix in _BIGWIG:
        write_bigwig(contig_scans, path, lengths or {})
        return
    with path.open("w", encoding="utf-8", newline="\n") as text:
        for contig, *columns in contig_scans:
            text.writelines(
                f"{contig}\t{start}\t{end}\t{value:.6g}\n"
                for block in take_blocks(columns)
                for start, end, value in zip(*block, strict=True)
            )


def check_track(path: str | Path) -> None:
    """Make sure that a track can be written, before there is anything to write.

    Raises:
        ImportError: If a bigWig is asked for and pyBigWig is not installed.
    """
    if Path(path).suffix.lower() in _BIGWIG:
        import_pybigwig()


def write_calls(scanned: str | Path, path: str | Path, *, label: str, threshold: float) -> int:
    """Write the calls as BED: contig, start, end, name, score (1,000 x probability), strand.

    Args:
        scanned: Table that `scan` wrote.
        path: BED file.
        label: The class, which is also the name of the calls.
        threshold: Least probability of a window.

    Returns:
        How many calls there are.

    Raises:
        ValueError: If there is no such class.
    """
    path = Path(path)
    n_calls = 0
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as text:
        for call in call_blocks(read_scan(scanned, label), threshold):
            n_calls += 1
            where, score = f"{call.contig}\t{call.start}\t{call.end}", round(1000 * call.value)
            text.write(f"{where}\t{label}_{n_calls}\t{score}\t.\n")
    return n_calls
