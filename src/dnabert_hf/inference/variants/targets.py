"""Sequences and regions whose bases are to be changed, and the kinds of changes."""

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval, read_bed
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sources import Source, open_source
from dnabert_hf.inference.run import Run
from dnabert_hf.inference.variants.mutation_scores import Target
from dnabert_hf.inference.variants.mutations import Mutation, mutations_at

__all__ = ["Given", "Kinds", "read_regions", "read_sequences"]

logger = logging.getLogger(__name__)

_KNOWN = re.compile("[ACGTUacgtu]")


@dataclass(frozen=True)
class Kinds:
    """Kinds of changes beside those of a base to another."""

    deletions: bool
    insertions: bool

    def at(self, sequence: str, position: int) -> list[Mutation]:
        """List the changes at a position, 0-based."""
        return list(
            mutations_at(sequence, position, deletions=self.deletions, insertions=self.insertions)
        )

    def count(self, sequence: str) -> int:
        """Count the changes of a sequence."""
        n_bases = len(_KNOWN.findall(sequence))
        return n_bases * (3 + self.deletions + 4 * self.insertions)


class Countable(Protocol):
    """Changes that are made to every sequence."""

    def count(self, sequence: str) -> int:
        """Count the changes of a sequence."""


class Given(NamedTuple):
    """Sequences to change, what they come from, and how many changes there will be."""

    targets: Iterator[Target]
    source: Source | Genome
    n_changes: Callable[[], int | None]
    depends_on: dict[str, object]


def read_sequences(run: Run, source: Source, changes: Countable) -> Given:
    """Read the records of a source, each of which is changed from end to end."""
    records = open_source(
        source,
        k=run.engines[0].tokenizer.k,
        columns=run.options.columns,
        skip_short=run.options.skip_short,
    )
    targets = (Target(r.id, r.sequence, 0, len(r.sequence)) for r in _singles(records))
    return Given(targets, source, lambda: run.count(source, changes.count), {})


def _singles(records: Iterator[SequenceRecord]) -> Iterator[SequenceRecord]:
    for record in records:
        if record.sequence_b is not None:
            raise ValueError(
                f"record {record.id}: one sequence is edited at a time, found a pair; give single "
                "sequences"
            )
        yield record


def read_regions(
    source: Source | Sequence[Interval], genome: Genome, flank: int, changes: Countable, *, k: int
) -> Given:
    """Read regions of a genome (BED or intervals, 0-based and half-open), with flanks around."""
    regions: list[Any] = read_bed(source) if isinstance(source, str | Path) else list(source)
    if not regions or not all(isinstance(each, Interval) for each in regions):
        raise ValueError(
            "with a genome, the source must be a BED file or intervals on it; leave the genome out "
            "for sequences"
        )
    lengths = Counter(each.end - each.start for each in regions)
    digest = hashlib.sha256(repr(regions).encode()).hexdigest()[:16]
    return Given(
        _cut_regions(regions, genome, flank, k=k),
        genome,
        lambda: sum(n * changes.count("A" * length) for length, n in lengths.items()),
        {"flank": flank, "regions": digest},
    )


def _cut_regions(
    regions: Sequence[Interval], genome: Genome, flank: int, *, k: int
) -> Iterator[Target]:
    """Read the regions on their strands; all are checked before the first is given."""
    names = genome.contig_names.match((each.contig for each in regions), source="the regions")
    on_genome = [
        each._replace(contig=names[each.contig]) for each in regions if each.contig in names
    ]
    repeated = [region for region, n in Counter(on_genome).items() if n > 1]
    if repeated:
        first = repeated[0]
        logger.warning(
            "%d regions are there more than once, and so are their changes, such as %s:%d-%d(%s)",
            *(len(repeated), first.contig, first.start, first.end, first.strand),
        )
    for region in on_genome:
        length = genome.length(region.contig)
        name = f"{region.contig}:{region.start}-{region.end}"
        if region.end > length:
            raise ValueError(
                f"a region must lie within its contig, found {name} where {region.contig} has "
                f"{length} bases; correct it"
            )
        if region.end - region.start + 2 * flank < k:
            raise ValueError(f"a region must have k = {k} bases or more, found {name}; widen it")
    return (_cut_region(genome, region, flank) for region in on_genome)


def _cut_region(genome: Genome, region: Interval, flank: int) -> Target:
    contig, start, end, strand = region.contig, region.start, region.end, region.strand
    first, last = max(start - flank, 0), min(end + flank, genome.length(contig))
    offset = start - first if strand == "+" else last - end
    return Target(
        f"{contig}:{start}-{end}({strand})",
        genome.sequence(contig, first, last, strand),
        offset,
        offset + end - start,
        region,
    )
