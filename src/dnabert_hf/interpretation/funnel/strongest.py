"""Alleles with the strongest effects, and what variant databases say of them."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.databases import CATALOGS, Finding, KnownVariants

__all__ = ["find_strongest", "look_up_alleles"]


def find_strongest(path: Path, keep: int, effect: str) -> tuple[int, list[dict[str, Any]]]:
    """Count the alleles with scores, and keep those with the largest |diff|."""
    from pyarrow import parquet

    n_scored = 0

    def scored() -> Iterator[dict[str, Any]]:
        nonlocal n_scored
        for batch in parquet.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                if row[effect] is not None:
                    n_scored += 1
                    yield row

    kept = heapq.nlargest(keep, scored(), key=lambda row: abs(row[effect]))
    return n_scored, kept


def look_up_alleles(
    catalogs: Mapping[str, str | Path],
    kept: Sequence[dict[str, Any]],
    *,
    build: str | None,
    genome: Genome | None = None,
) -> dict[str, list[list[Finding]]]:
    """Look the kept alleles up in each catalogue: its name, and the findings of each allele."""
    if not kept:
        for name, path in catalogs.items():
            CATALOGS[name](Path(path))  # its header is read
        return {name: [] for name in catalogs}
    alleles = [
        Allele(row["contig"], row["position_1based"] - 1, row["ref"], row["alt"]) for row in kept
    ]
    known = KnownVariants(alleles, [row["id"] or "" for row in kept], build, genome=genome)
    return {name: known.look_up(name, path) for name, path in catalogs.items()}
