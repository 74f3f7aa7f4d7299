"""Files of scores: Parquet, NumPy's npz, and tracks for a genome browser."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dnabert_hf.data.genome.coordinates import parse_interval
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.inference.genome_scan.tracks_and_calls import (
    TRACK_SUFFIXES,
    ContigScan,
    average_windows,
    check_track,
    save_track,
)
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, Row, choose_format

__all__ = ["NpzFormat", "TrackFormat", "choose_score_format"]


def choose_score_format(
    path: Path, names: Sequence[str] | None, genome: Genome | None
) -> ResultFormat:
    """Find the format of scores that the name of a file asks for.

    Args:
        path: .parquet, .npz, .bedgraph, .bw or .bigwig.
        names: Classes of the model, None without a classifier.
        genome: Genome with the contigs of a track; bedGraph does without.

    Raises:
        ValueError: If the suffix is none of these, or a bigWig is to be written without a genome.
        ImportError: If it needs pyBigWig and that is not installed.
    """

    def make_track(suffix: str) -> ResultFormat:
        check_track(path)
        if suffix != ".bedgraph" and genome is None:
            raise ValueError(
                f"{path}: a bigWig must have the lengths of the contigs, found no genome; give it "
                "(--genome), or write .bedgraph"
            )
        return TrackFormat(suffix, genome)

    makers = {suffix: lambda suffix=suffix: make_track(suffix) for suffix in TRACK_SUFFIXES}
    return choose_format(
        path,
        {".parquet": lambda: _parquet(names), ".npz": lambda: NpzFormat(names), **makers},
    )


def _parquet(names: Sequence[str] | None) -> ParquetFormat:
    import pyarrow as pa

    fields = [("id", pa.string()), ("sequence", pa.string()), ("scores", pa.list_(pa.float32()))]
    fields += [(f"prob_{name}", pa.float32()) for name in names or ()]
    return ParquetFormat(pa.schema(fields))


class NpzFormat:
    """Arrays of NumPy, bases of all records one behind the other; joined in memory.

    `ids` (records,), `scores` float32 and `sequences` (ASCII codes, uint8), both (bases,),
    `offsets` int64 (records + 1,): record i has the bases `offsets[i]` to `offsets[i + 1]`; with a
    classifier `classes` (classes,) and `probabilities` float32 (records, classes).

    Args:
        names: Classes of the model, None without a classifier.
    """

    def __init__(self, names: Sequence[str] | None):
        self.names = names

    def describe(self) -> dict[str, Any]:
        """Name the format; its parts are joined by the run that wrote them."""
        return {"kind": "npz"}

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the rows of one chunk."""
        ids, sequences, scores, *probabilities = zip(*rows, strict=True)
        arrays: dict[str, Any] = {
            "ids": np.array(ids),
            "lengths": np.array([len(each) for each in scores]),
            "scores": np.concatenate(scores),
            "sequences": np.frombuffer("".join(sequences).encode("ascii"), dtype=np.uint8),
            "probabilities": np.array(probabilities, dtype=np.float32).T,
        }
        with path.open("wb") as file:
            np.savez(file, **arrays)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the arrays of all parts end to end."""
        loaded = [_load(part) for part in parts]
        empty: dict[str, Any] = {
            "ids": np.empty(0, dtype=np.str_),
            "lengths": np.empty(0, dtype=np.int64),
            "scores": np.empty(0, dtype=np.float32),
            "sequences": np.empty(0, dtype=np.uint8),
            "probabilities": np.empty((0, len(self.names or ())), dtype=np.float32),
        }
        arrays: dict[str, Any] = {
            name: np.concatenate([each[name] for each in loaded]) if loaded else none
            for name, none in empty.items()
        }
        offsets = np.concatenate([[0], np.cumsum(arrays.pop("lengths"))])
        if self.names is None:
            del arrays["probabilities"]
        else:
            arrays["classes"] = np.array(self.names)
        with path.open("wb") as file:
            np.savez(file, offsets=offsets, **arrays)


class TrackFormat:
    """Scores along the genome, the mean where records overlap; joined in memory.

    Args:
        suffix: Suffix of the file, which tells the format.
        genome: Genome with the contigs; None orders them by name.
    """

    def __init__(self, suffix: str, genome: Genome | None):
        self.suffix = suffix
        self.genome = genome

    def describe(self) -> dict[str, Any]:
        """Name the format; its parts are joined by the run that wrote them."""
        return {"kind": "track"}

    def write_part(self, path: Path, rows: Sequence[Row]) -> None:
        """Write the rows of one chunk."""
        contigs, starts, scores = [], [], []
        for name, sequence, of_bases, *_ in rows:
            interval = parse_interval(name, len(sequence), self.genome)
            contigs.append(interval.contig)
            starts.append(interval.start)
            scores.append(of_bases[::-1] if interval.strand == "-" else of_bases)
        with path.open("wb") as file:
            np.savez(
                file,
                contigs=np.array(contigs),
                starts=np.array(starts, dtype=np.int64),
                lengths=np.array([len(each) for each in scores]),
                scores=np.concatenate(scores),
            )

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the scores of all parts in the order of the genome."""
        known = None
        if self.genome is not None:
            known = {contig.name: contig.length for contig in self.genome.contigs}
        save_track(_stretches(parts, known), path, suffix=self.suffix, lengths=known)


def _stretches(parts: Sequence[Path], known: dict[str, int] | None) -> Iterator[ContigScan]:
    if not parts:
        return
    loaded = [_load(part) for part in parts]
    contigs, starts, lengths, scores = (
        np.concatenate([part[name] for part in loaded])
        for name in ("contigs", "starts", "lengths", "scores")
    )
    # Each base as a window of its own: where records overlap, windows do.
    first = np.cumsum(lengths) - lengths
    positions = np.arange(len(scores)) - np.repeat(first - starts, lengths)
    names, codes = np.unique(contigs, return_inverse=True)
    of_bases = np.repeat(codes, lengths)
    code_of = {name: code for code, name in enumerate(names.tolist())}
    for contig in code_of if known is None else [name for name in known if name in code_of]:
        is_here = of_bases == code_of[contig]
        begin = positions[is_here]
        yield ContigScan(contig, *average_windows(begin, begin + 1, scores[is_here]))


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)
