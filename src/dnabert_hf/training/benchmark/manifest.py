"""Manifests: tables that list the data sets of a benchmark, hundreds of them."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dnabert_hf.data.building.peaks import build_peaks
from dnabert_hf.data.genome.genome import Genome, open_genome
from dnabert_hf.data.genome.intervals import read_bed
from dnabert_hf.data.reading.lines import text_lines
from dnabert_hf.training.benchmark.suite import slug
from dnabert_hf.training.shared.names import check_names

__all__ = ["build_sets", "read_manifest"]

logger = logging.getLogger(__name__)

_SPLITS = ("train", "dev", "test")
_COLUMNS = ("name", "path", *_SPLITS, "peaks", "length", "task", "labels")
_LENGTH = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


def read_manifest(path: str | Path) -> dict[str, dict[str, str]]:
    """Read a manifest: a table with a header, divided by tabs, a data set a row.

    Args:
        path: The table. Its columns: name, and of path (a table or folder), train, dev and test
            (files) and peaks (BED or narrowPeak) what a data set has; length (bases around a
            summit), task and labels if they are not those of the suite. Cells may be empty.

    Returns:
        The cells that are not empty of each data set, by its name, in the order of the table.

    Raises:
        ValueError: If a column is not known, a name is missing or there twice, or a data set has no
            source or several; the message names the line.
    """
    lines = text_lines(path)
    _, first = next(lines, (1, ""))
    header = [cell.strip() for cell in first.split("\t")]
    if "name" not in header or len(set(header)) < len(header):
        raise ValueError(
            f"{path}, line 1: a manifest must have a header with name and, once each, path or "
            f"train, dev, test or peaks, divided by tabs, found {first!r}"
        )
    check_names(header, _COLUMNS, f"columns of {path}")
    sets: dict[str, dict[str, str]] = {}
    for number, line in lines:
        where = f"{path}, line {number}"
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(header):
            raise ValueError(
                f"{where}: a row must have as many cells as the header, {len(header)}, found "
                f"{len(cells)}; correct it"
            )
        row = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
        name = row.pop("name", "")
        if slug(name) in ("", *map(slug, sets)):
            raise ValueError(
                f"{where}: each data set must have a name of its own in letters and digits, found "
                f"{name!r}; name it"
            )
        _check_row(row, where)
        sets[name] = row
    if not sets:
        raise ValueError(f"{path} must list data sets, found a header but no rows")
    return sets


def _check_row(row: Mapping[str, str], where: str) -> None:
    has_files = any(split in row for split in _SPLITS)
    kinds = [kind for kind in ("path", "peaks") if kind in row] + ["train and test"] * has_files
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none of them"
        raise ValueError(
            f"{where}: a data set must have a path, or train and test, or peaks, found {found}; "
            "leave one of them filled"
        )
    if has_files and not {"train", "test"} <= set(row):
        raise ValueError(
            f"{where}: files of a data set must be train and test (dev may be left out), found "
            f"{' and '.join(split for split in _SPLITS if split in row)}; add the other"
        )
    if "length" in row and ("peaks" not in row or not _LENGTH.fullmatch(row["length"])):
        raise ValueError(
            f"{where}: length must be the bases of windows around peaks, found {row['length']!r}; "
            "correct it or leave it empty"
        )


def build_sets(
    sets: Mapping[str, Mapping[str, str]],
    genome: Sequence[str | Path],
    folder: str | Path,
    *,
    root: str | Path,
) -> dict[str, dict[str, str]]:
    """Make the tables of data sets that are given as peaks, if they are not there yet.

    Each is built as `dnabert dataset peaks` does: windows of 101 bases around the summits, unless
    the manifest has another length, as many of the genome, alike in GC and repeats, and splits of
    similar sequences.

    Args:
        sets: What `read_manifest` gives.
        genome: FASTA files.
        folder: Folder for the tables; made if need be. What is there already stays.
        root: Folder in which relative paths begin.

    Returns:
        The sets, with the path of a table in place of peaks.

    Raises:
        ValueError: If there are peaks and no genome, or a data set cannot be built; those that were
            built before stay.
    """
    if not any("peaks" in row for row in sets.values()):
        return {name: dict(row) for name, row in sets.items()}
    if not genome:
        raise ValueError("data sets of peaks must have a genome to be cut from: name it (--genome)")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    opened: Genome | None = None
    made = {}
    for name, row in sets.items():
        entry: dict[str, str] = dict(row)
        if "peaks" in row:
            table = folder / f"{slug(name)}.tsv"
            entry = {key: value for key, value in row.items() if key not in ("peaks", "length")}
            entry["path"] = str(table.resolve())
            if not table.exists():
                opened = opened or open_genome(list(genome))
                _build(opened, Path(root) / row["peaks"], int(row.get("length", 101)), table)
                logger.info("%s: made from %s", table, row["peaks"])
        made[name] = entry
    return made


def _build(genome: Genome, peaks: Path, length: int, table: Path) -> None:
    built = build_peaks(genome, read_bed(peaks), length=length, source=str(peaks))
    settings: dict[str, Any] = {"peaks": str(peaks), "length": length, "negatives": "genomic"}
    built.write(table, settings=settings)
