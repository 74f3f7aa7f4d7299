"""Mutation maps: what every single change of a sequence does to a model's prediction."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import known_positive
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.files.counts import counted
from dnabert_hf.inference.engine.training_defaults import choose_strands
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.output.writer import Output
from dnabert_hf.inference.run import Input, Run, RunFields, RunOptions
from dnabert_hf.inference.variants.mutation_scores import (
    ClassifierMap,
    MaskedMap,
    MutationScorer,
    Target,
)
from dnabert_hf.inference.variants.mutations import Mutation
from dnabert_hf.inference.variants.score_variants import choose_task
from dnabert_hf.inference.variants.targets import Kinds, read_regions, read_sequences

__all__ = ["MutationMaps", "mutagenesis"]

logger = logging.getLogger(__name__)

_GROUP_BASES = 1 << 14  # of sequences whose unchanged form is encoded together
_CHUNK_BASES = 1 << 18  # to encode until rows are written: minutes of BERT-base on a CPU
_TEXT_COLUMNS = ("id", "position", "ref", "alt")
_GENOME_COLUMNS = ("contig", "genome_position", "strand")
_GAP = "-"

_SEQUENCES, _CHANGES, _UNSCORED, _UNKNOWN = "sequences", "changes", "unscored", "unknown"


@dataclass(frozen=True)
class _Chunk:
    """Some sequences, and changes of them: number of the sequence, and the change."""

    targets: list[Target]
    changes: list[tuple[int, Mutation]]

    def __len__(self) -> int:
        return len(self.changes)


class MutationMaps(NamedTuple):
    """Result of a run.

    Attributes:
        path: The table.
        n_sequences: Sequences or regions.
        n_mutations: Changes, a row each.
        n_unscored: Changes without scores, see `mutagenesis`.
        n_unknown: Bases that are not A, C, G or T and have no changes.
        positive: Class of interest, if the model has one.
    """

    path: Path
    n_sequences: int
    n_mutations: int
    n_unscored: int
    n_unknown: int
    positive: str | None

    def summary(self) -> str:
        """Say how many changes there are, and what has none or no score."""
        text = f"{counted(self.n_mutations, 'change')} of {counted(self.n_sequences, 'sequence')}"
        unscored = f", {self.n_unscored:,} without a score" * bool(self.n_unscored)
        unknown = f", {counted(self.n_unknown, 'unknown base')} left out" * bool(self.n_unknown)
        return text + unscored + unknown


def mutagenesis(
    model: Any,
    source: Source | Sequence[Interval],
    *,
    output: str | Path,
    genome: Genome | None = None,
    flank: int = 0,
    deletions: bool = False,
    insertions: bool = False,
    label: str | None = None,
    both_strands: bool | None = None,
    **options: Unpack[RunFields],
) -> MutationMaps:
    """Change every base of sequences to every other, and score the predicted effect.

    A fine-tuned classifier gives for each class the probability before and after, the change of its
    logit, and DNABERT's `diff` and log odds ratio (Ji et al. 2021; see `change_scores`); a model of
    regression the values. A pretrained masked language model gives, without labels, ln P(alt) - ln
    P(ref) of the masked base; bases within k of an end, or with N in the window, have no score.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model.
        source: File of sequences ("-" is standard input), or sequences; with a genome its regions:
            a BED file or intervals, read on their strand. Any length.
        output: Table to write, .tsv, .csv (either may end in .gz) or .parquet, in the order of the
            source with a row for each change: id (regions: contig:start-end(strand)), position
            (0-based, within the sequence as the model reads it), ref, alt ("-" as alt is a
            deletion, "-" as ref an insertion before the position), then the scores. Regions of a
            genome have contig, genome_position (0-based, on the forward strand: the base that
            changes, or before which one is inserted) and strand of the region before the scores;
            ref and alt are as the model reads them, on that strand.
        genome: Genome that the regions lie on.
        flank: Bases on either side of a region that the model sees, and that are not changed.
        deletions: Whether to leave each base out; the sequence gets shorter by one.
        insertions: Whether to insert each base before each base; the sequence gets longer by one.
        label: Class to score; by default all.
        both_strands: Whether to average over both strands; by default as the model was trained.
        **options: The fields of `RunOptions`.

    Returns:
        How many changes there are, and where.

    Raises:
        ValueError: If model, source or output cannot be used.
        KeyboardInterrupt: If it is stopped; the same again goes on.
    """
    run = Run(output, RunOptions.of(options))
    if flank < 0 or (flank and genome is None):
        raise ValueError(
            f"bases beside a region (flank) must be 0 or more, and need a genome, got {flank}"
        )
    kinds = Kinds(deletions, insertions)
    task = choose_task(model)
    if task == "masked-lm" and (deletions or insertions or label is not None):
        raise ValueError(
            "deletions, insertions and classes are scored by a fine-tuned classifier, found a "
            "masked language model, which compares single bases; leave these options out"
        )
    engine = run.start(model, task)
    both_strands = choose_strands([engine], both_strands)
    scorer: MutationScorer
    if task == "masked-lm":
        scorer, positive = MaskedMap(engine, both_strands=both_strands), None
    else:
        scorer = ClassifierMap(engine, label=label, both_strands=both_strands)
        positive = known_positive(LabelScheme.from_config(engine.model.config))
    if genome is None:
        given = read_sequences(run, source, kinds)  # type: ignore[arg-type]
    else:
        given = read_regions(source, genome, flank, kinds, k=engine.tokenizer.k)
    depends_on = {
        "label": label,
        "both_strands": both_strands,
        "deletions": deletions,
        "insertions": insertions,
        "columns": run.options.columns,
        **given.depends_on,
    }
    counts: Counter[str] = Counter()
    chunks = _chunks(given.targets, scorer, counts, kinds)
    maps = Input(chunks, given.source, "changes", given.n_changes, n_passes=1 + both_strands)
    # Of a file it is known only once that was read.
    n_changes = None if genome is None else given.n_changes()
    if n_changes is not None and not run.shard.index:
        logger.info("%s changes of the bases of the regions, or less with N", f"{n_changes:,}")
    result_format = _choose_format(output, scorer.names, has_genome=genome is not None)
    with run.write(maps, result_format, depends_on) as (writer, remaining):
        _write_maps(writer, scorer, remaining)
    n_changes, n_unscored = writer.tally[_CHANGES], writer.tally[_UNSCORED]
    n_sequences, n_unknown = counts[_SEQUENCES], counts[_UNKNOWN]
    done = MutationMaps(Path(output), n_sequences, n_changes, n_unscored, n_unknown, positive)
    _warn(done)
    return done


def _warn(maps: MutationMaps) -> None:
    if maps.n_unknown:
        logger.warning(
            "%d bases are not A, C, G or T and have no changes in the map", maps.n_unknown
        )
    if maps.n_unscored:
        logger.warning(
            "%d changes have no score: within k bases of an end, or N near by", maps.n_unscored
        )


def _write_maps(writer: Output, scorer: MutationScorer, chunks: Iterator[_Chunk]) -> None:
    """Score what remains, chunk after chunk; the unchanged sequences before their first one."""
    prepared: Sequence[Target] = ()
    for chunk in chunks:
        if chunk.targets is not prepared:
            scorer.prepare(chunk.targets)
            prepared = chunk.targets
        scores = scorer.score(chunk.changes)
        n_unscored = int(np.isnan(scores).any(axis=1).sum())
        tally = {_CHANGES: len(chunk), _UNSCORED: n_unscored}
        writer.write(list(_rows(chunk, scores)), tally)


def _chunks(
    targets: Iterator[Target], scorer: MutationScorer, counts: Counter[str], kinds: Kinds
) -> Iterator[_Chunk]:
    """Join the changes of whole bases, so that none is masked twice, until there is enough."""
    for group in _groups(targets):
        counts[_SEQUENCES] += len(group)
        chunk: list[tuple[int, Mutation]] = []
        size = 0
        for index, target in enumerate(group):
            for position in range(target.start, target.end):
                found = [(index, each) for each in kinds.at(target.sequence, position)]
                counts[_UNKNOWN] += not found
                chunk += found
                size += scorer.n_bases(target, len(found))
                if size >= _CHUNK_BASES:
                    yield _Chunk(group, chunk)
                    chunk, size = [], 0
        if chunk:
            yield _Chunk(group, chunk)


def _groups(targets: Iterator[Target]) -> Iterator[list[Target]]:
    group: list[Target] = []
    size = 0
    for target in targets:
        group.append(target)
        size += len(target.sequence)
        if size >= _GROUP_BASES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _rows(chunk: _Chunk, scores: np.ndarray) -> Iterator[list[Any]]:
    for (index, mutation), values in zip(chunk.changes, scores.tolist(), strict=True):
        target = chunk.targets[index]
        position = mutation.position - target.start
        numbers = [None if value != value else value for value in values]
        changed = [mutation.ref or _GAP, mutation.alt or _GAP]
        on_genome = _on_genome(target.region, position, mutation)
        yield [target.id, position, *changed, *on_genome, *numbers]


def _on_genome(region: Interval | None, position: int, mutation: Mutation) -> list[Any]:
    """Say where on its genome a region changes; an empty list without one."""
    if region is None:
        return []
    if region.strand == "+":
        return [region.contig, region.start + position, "+"]
    # What comes before a base on this strand comes after it on the other.
    return [region.contig, region.end - 1 - position + (not mutation.ref), "-"]


def _choose_format(output: str | Path, names: Sequence[str], *, has_genome: bool) -> ResultFormat:
    columns = [*_TEXT_COLUMNS, *(_GENOME_COLUMNS if has_genome else ()), *names]

    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        kinds = {name: pa.float32() for name in names} | dict.fromkeys(
            ("position", "genome_position"), pa.int64()
        )
        return ParquetFormat(pa.schema([(name, kinds.get(name, pa.string())) for name in columns]))

    return choose_table(output, columns, {".parquet": make_parquet})
