"""Dependency maps: how the odds of each base change when each other base is replaced."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.files.counts import counted
from dnabert_hf.inference.dependencies.map_files import DependencyMap, choose_map_format, to_rows
from dnabert_hf.inference.dependencies.masked_target import (
    Substitutions,
    base_codes,
    dependencies_on,
    substitute,
)
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.run import Input, Run, RunFields, RunOptions
from dnabert_hf.inference.variants.mutation_scores import Target
from dnabert_hf.inference.variants.targets import read_regions, read_sequences

__all__ = ["WrittenMaps", "dependency_maps"]

logger = logging.getLogger(__name__)

_CHUNK_TOKENS = 1 << 18  # until rows are written: some seconds of a small model on a CPU
_SEQUENCES, _PAIRS, _UNSCORED = "sequences", "pairs", "unscored"


@dataclass(frozen=True)
class _Chunk:
    """Some bases of a sequence, each with the bases that are replaced beside it."""

    target: Target
    masked: list[tuple[int, Substitutions, int]]  # base, windows, first base of the windows

    def __len__(self) -> int:
        return sum(len(substitutions.windows) for _, substitutions, _ in self.masked)


class WrittenMaps(NamedTuple):
    """Result of a run with an output.

    Attributes:
        path: The file.
        n_sequences: Sequences or regions.
        n_pairs: Pairs of a base and another that is replaced.
        n_unscored: Pairs without a dependency, see `dependency_maps`.
    """

    path: Path
    n_sequences: int
    n_pairs: int
    n_unscored: int

    def summary(self) -> str:
        """Say how many pairs there are, and how many have no score."""
        pairs, sequences = counted(self.n_pairs, "pair"), counted(self.n_sequences, "sequence")
        text = f"{pairs} of bases of {sequences}"
        return text + f", {self.n_unscored:,} without a score" * bool(self.n_unscored)


@dataclass(frozen=True)
class _Reach:
    """Which bases are replaced for each that is masked.

    Attributes:
        max_distance: Bases between the two at most; None for all.
        longest: Bases that the model takes in one row.
    """

    max_distance: int | None
    longest: int

    def window(self, n_bases: int, target: int) -> tuple[int, int]:
        """Give the bases that the model sees, as far as it can on both sides of a base."""
        first = max(0, min(target - self.longest // 2, n_bases - self.longest))
        return first, min(first + self.longest, n_bases)

    def positions(self, target: Target, position: int) -> np.ndarray:
        """Give the known bases to replace, but for the one that is masked."""
        first, last = self.window(len(target.sequence), position)
        first, last = max(first, target.start), min(last, target.end)
        if self.max_distance is not None:
            first = max(first, position - self.max_distance)
            last = min(last, position + self.max_distance + 1)
        each = np.arange(first, last)
        is_known = base_codes(target.sequence[first:last]) < 4
        return each[is_known & (each != position)]

    def count(self, sequence: str) -> int:
        """Count the windows of a sequence, about: unknown bases are counted too."""
        n_bases = len(sequence)
        reach = self.longest // 2 if self.max_distance is None else self.max_distance
        return n_bases * (1 + 3 * min(2 * reach, n_bases - 1))


def dependency_maps(
    model: Any,
    source: Source | Sequence[Interval],
    *,
    output: str | Path | None = None,
    genome: Genome | None = None,
    flank: int = 0,
    max_distance: int | None = None,
    **options: Unpack[RunFields],
) -> list[DependencyMap] | WrittenMaps:
    """Measure how much each base of a sequence tells a masked language model of each other.

    The dependency of a target on a query is max |log2(odds of a letter at the target with the query
    replaced / odds as it is)|, over the four letters and the three substitutions (Tomaz da Silva et
    al., Nature Genetics 2025). Other than there, the target is masked, with all k-mers over it: a
    k-mer that shows it would tell it whatever the query is. Bases that belong together, such as the
    two arms of a hairpin, a donor and an acceptor or the letters of a binding site, depend on each
    other. A map is not symmetric, and says what the model has learnt, not what binds.

    A sequence of n bases takes n (1 + 3 (n - 1)) windows: 120,000 for 200 bases. Of a sequence that
    is longer than the model takes, it sees as much as it can around the target.

    Args:
        model: Folder or Hub repository of a pretrained checkpoint, or a DNABertForMaskedLM.
        source: File of sequences ("-" is standard input), or sequences; with a genome its regions:
            a BED file or intervals, read on their strand.
        output: File to write, in the order of the source. .tsv, .csv (either may end in .gz) or
            .parquet: a row for each pair, by target and query: id (regions:
            contig:start-end(strand)), target, query (0-based, within the sequence as the model
            reads it), their letters target_base and query_base, dependency. .npz: `ids`,
            `sequences`, and for the i-th of them `map_i`, float32, shape (bases, bases), [query,
            target]. None gives the maps back.
        genome: Genome that the regions lie on.
        flank: Bases on either side of a region that the model sees, and that are not in the map.
        max_distance: Bases between the two of a pair at most; by default all pairs, as far as the
            model sees.
        **options: The fields of `RunOptions`.

    Returns:
        The maps, or, with an output, how many pairs it holds. A base that is not A, C, G or T is in
        no pair as a query; one with no other base in reach is in no pair at all; a target all of
        whose k-mers have another unknown base has NaN, as have pairs beyond `max_distance` or what
        the model sees in one row.

    Raises:
        ValueError: If model, source or output cannot be used, or a sequence has no pair.
        KeyboardInterrupt: If it is stopped; with an output the same again goes on.
    """
    run = Run(output, RunOptions.of(options))
    if flank < 0 or (flank and genome is None):
        raise ValueError(
            f"bases beside a region (flank) must be 0 or more, and need a genome, got {flank}"
        )
    if max_distance is not None and max_distance < 1:
        raise ValueError(f"max_distance must be 1 or more, got {max_distance}")
    engine = run.start(model, "masked-lm")
    config = engine.model.config
    reach = _Reach(max_distance, config.max_position_embeddings - 3 + config.k)
    if genome is None:
        given = read_sequences(run, source, reach)  # type: ignore[arg-type]
    else:
        given = read_regions(source, genome, flank, reach, k=config.k)
    counts: Counter[str] = Counter()
    chunks = _chunks(given.targets, reach, counts, k=config.k)
    maps = Input(chunks, given.source, "substitutions", given.n_changes)
    if output is None:
        return _collect(engine, run.follow(maps))
    depends_on = {
        "max_distance": max_distance,
        "columns": run.options.columns,
        **given.depends_on,
    }
    with run.write(maps, choose_map_format(output), depends_on) as (writer, remaining):
        for chunk in remaining:
            rows = list(to_rows(chunk.target, _score(engine, chunk)))
            n_unscored = sum(row[-1] is None for row in rows)
            writer.write(rows, {_PAIRS: len(rows), _UNSCORED: n_unscored})
    tally = writer.tally
    done = WrittenMaps(Path(output), counts[_SEQUENCES], tally[_PAIRS], tally[_UNSCORED])
    if done.n_unscored:
        logger.warning(
            "%d pairs have no dependency: no k-mer over the target is known but for it",
            done.n_unscored,
        )
    return done


def _chunks(
    targets: Iterator[Target], reach: _Reach, counts: Counter[str], *, k: int
) -> Iterator[_Chunk]:
    for target in targets:
        counts[_SEQUENCES] += 1
        masked: list[tuple[int, Substitutions, int]] = []
        has_pairs = False
        size = 0
        for position in range(target.start, target.end):
            first, last = reach.window(len(target.sequence), position)
            queries = reach.positions(target, position)
            if not len(queries):  # nothing but unknown bases within reach
                continue
            has_pairs = True
            each = substitute(target.sequence[first:last], position - first, queries - first, k=k)
            masked.append((position, each, first))
            size += len(each.windows) * (last - first)
            if size >= _CHUNK_TOKENS:
                yield _Chunk(target, masked)
                masked, size = [], 0
        if masked:
            yield _Chunk(target, masked)
        if not has_pairs:
            raise ValueError(
                f"record {target.id}: a map must have a base of A, C, G or T beside another base, "
                "found none; leave the record out"
            )


def _score(engine: Engine, chunk: _Chunk) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Give the targets of a chunk, each with its queries and what it depends on them."""
    scores = dependencies_on(engine, [substitutions for _, substitutions, _ in chunk.masked])
    for (position, substitutions, first), (_, of_target) in zip(chunk.masked, scores, strict=True):
        yield position, substitutions.positions + first, of_target


def _collect(engine: Engine, chunks: Iterator[_Chunk]) -> list[DependencyMap]:
    maps: list[DependencyMap] = []
    last: Target | None = None
    for chunk in chunks:
        target = chunk.target
        if target is not last:
            n_bases = target.end - target.start
            sequence = target.sequence[target.start : target.end]
            empty = np.full((n_bases, n_bases), np.nan, dtype=np.float32)
            maps.append(DependencyMap(target.id, sequence, empty))
            last = target
        for position, queries, scores in _score(engine, chunk):
            maps[-1].scores[queries - target.start, position - target.start] = scores
    return maps
