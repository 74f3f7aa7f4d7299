"""Mutation maps: what every single change of a sequence does to a model's prediction."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.genome.intervals import Interval, read_bed
from dnabert_hf.data.reading.records import Columns
from dnabert_hf.data.reading.sources import Source, open_source
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.fingerprint import fingerprint_run, fingerprint_weights
from dnabert_hf.inference.engine.sharding import resolve_shard
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.output.writer import Output, check_output, open_output
from dnabert_hf.inference.variants.mutation_scores import (
    ClassifierMap,
    MaskedMap,
    MutationScorer,
    Target,
)
from dnabert_hf.inference.variants.mutations import Mutation, mutations_at
from dnabert_hf.inference.variants.score_variants import choose_task

__all__ = ["MutationMaps", "mutagenesis"]

logger = logging.getLogger(__name__)

_GROUP_BASES = 1 << 14  # of sequences whose unchanged form is encoded together
_CHUNK_BASES = 1 << 20  # to encode until rows are written
_TEXT_COLUMNS = ("id", "position", "ref", "alt")
_GENOME_COLUMNS = ("contig", "genome_position", "strand")
_GAP = "-"

_SEQUENCES, _CHANGES, _UNSCORED, _UNKNOWN = "sequences", "changes", "unscored", "unknown"

# Some sequences, and changes of them.
_Chunk = tuple[list[Target], list[tuple[int, Mutation]]]


class MutationMaps(NamedTuple):
    """Result of a run.

    Attributes:
        path: The table.
        n_sequences: Sequences or regions.
        n_mutations: Changes, a row each.
        n_unscored: Changes without scores, see `mutagenesis`.
        n_unknown: Bases that are not A, C, G or T and have no changes.
    """

    path: Path
    n_sequences: int
    n_mutations: int
    n_unscored: int
    n_unknown: int


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
    both_strands: bool = False,
    columns: Columns | None = None,
    tokenizer: Any = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int | None = None,
    shard: str | None = None,
    overwrite: bool = False,
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
        both_strands: Whether to average over both strands.
        columns: Names of the columns, if the source is a table.
        tokenizer: Tokenizer, needed if `model` is an object.
        device: "auto", "cpu", "cuda", ...
        dtype: "auto", "float32", "bfloat16", "float16" or "int8".
        batch_tokens: Tokens a batch; by default what suits the device.
        shard: "I/N" does part I (0-based) of N and leaves it beside the output for `join_parts`.
            None does all or, under `torchrun` and `accelerate launch`, what is this process's.
        overwrite: Whether to replace an existing output.

    Returns:
        How many changes there are, and where.

    Raises:
        ValueError: If model, source or output cannot be used.
        KeyboardInterrupt: If it is stopped; the same again goes on.
    """
    share = resolve_shard(shard, output)
    check_output(output, overwrite=overwrite)
    if flank < 0 or (flank and genome is None):
        raise ValueError(
            f"bases beside a region (flank) must be 0 or more, and need a genome, got {flank}"
        )
    task = choose_task(model)
    if task == "masked-lm" and (deletions or insertions or label is not None):
        raise ValueError(
            "deletions, insertions and classes are scored by a fine-tuned classifier, found a "
            "masked language model, which compares single bases; leave these options out"
        )
    checkpoint = as_checkpoint(model, tokenizer, task=task)
    weights = fingerprint_weights(checkpoint.model)
    engine = Engine(checkpoint, device=device, dtype=dtype, batch_tokens=batch_tokens, shard=share)
    scorer: MutationScorer = (
        MaskedMap(engine, both_strands=both_strands)
        if task == "masked-lm"
        else ClassifierMap(engine, label=label, both_strands=both_strands)
    )
    options: dict[str, object] = {
        "label": label,
        "both_strands": both_strands,
        "deletions": deletions,
        "insertions": insertions,
        "columns": columns,
    }
    if genome is None:
        records = open_source(source, k=checkpoint.tokenizer.k, columns=columns)  # type: ignore[arg-type]
        targets: Iterator[Target] = (
            Target(r.id, r.sequence, 0, len(r.sequence)) for r in _singles(records)
        )
    else:
        regions = _read_regions(source)
        targets = _cut_regions(regions, genome, flank, k=checkpoint.tokenizer.k)
        digest = hashlib.sha256(repr(regions).encode()).hexdigest()[:16]
        options |= {"genome": genome.fingerprint, "flank": flank, "regions": digest}
    fingerprint = fingerprint_run(
        engine,
        checkpoint,
        source if genome is None else genome.folder,  # type: ignore[arg-type]
        weights=weights,
        **options,
    )
    with (
        open_output(
            output,
            _choose_format(output, scorer.names, has_genome=genome is not None),
            fingerprint=fingerprint,
            overwrite=overwrite,
            shard=share,
        ) as writer,
        engine.progress(),
    ):
        counts = _write_maps(writer, scorer, targets, deletions=deletions, insertions=insertions)
    return _report(MutationMaps(Path(output), *counts))


def _report(maps: MutationMaps) -> MutationMaps:
    if maps.n_unknown:
        logger.warning(
            "%d bases are not A, C, G or T and have no changes in the map", maps.n_unknown
        )
    if maps.n_unscored:
        logger.warning(
            "%d changes have no score: within k bases of an end, or N near by", maps.n_unscored
        )
    return maps


def _write_maps(
    writer: Output,
    scorer: MutationScorer,
    targets: Iterator[Target],
    *,
    deletions: bool,
    insertions: bool,
) -> tuple[int, int, int, int]:
    """Score what remains, chunk after chunk; the unchanged sequences before their first one."""
    counts: Counter[str] = Counter()
    prepared: Sequence[Target] = ()
    chunks = _chunks(targets, scorer, counts, deletions=deletions, insertions=insertions)
    for group, chunk in writer.remaining(chunks):
        if group is not prepared:
            scorer.prepare(group)
            prepared = group
        scores = scorer.score(chunk)
        n_unscored = int(np.isnan(scores).any(axis=1).sum())
        tally = {_CHANGES: len(chunk), _UNSCORED: n_unscored}
        writer.write(list(_rows(group, chunk, scores)), tally)
    tally = writer.tally
    return counts[_SEQUENCES], tally[_CHANGES], tally[_UNSCORED], counts[_UNKNOWN]


def _chunks(
    targets: Iterator[Target],
    scorer: MutationScorer,
    counts: Counter[str],
    *,
    deletions: bool,
    insertions: bool,
) -> Iterator[_Chunk]:
    """Join the changes of whole bases, so that none is masked twice, until there is enough."""
    for group in _groups(targets):
        counts[_SEQUENCES] += len(group)
        chunk: list[tuple[int, Mutation]] = []
        size = 0
        for index, target in enumerate(group):
            for position in range(target.start, target.end):
                found = [
                    (index, each)
                    for each in mutations_at(
                        target.sequence, position, deletions=deletions, insertions=insertions
                    )
                ]
                counts[_UNKNOWN] += not found
                chunk += found
                size += scorer.n_bases(target, len(found))
                if size >= _CHUNK_BASES:
                    yield group, chunk
                    chunk, size = [], 0
        if chunk:
            yield group, chunk


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


def _rows(
    group: Sequence[Target], chunk: Sequence[tuple[int, Mutation]], scores: np.ndarray
) -> Iterator[list[Any]]:
    for (index, mutation), values in zip(chunk, scores.tolist(), strict=True):
        target = group[index]
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


def _singles(records: Iterator[Any]) -> Iterator[Any]:
    for record in records:
        if record.sequence_b is not None:
            raise ValueError(
                f"record {record.id}: a mutation map is of one sequence, found a pair; give single "
                "sequences"
            )
        yield record


def _read_regions(source: Source | Sequence[Interval]) -> list[Interval]:
    if isinstance(source, str | Path):
        return read_bed(source)
    regions = list(source)
    if not regions or not all(isinstance(each, Interval) for each in regions):
        raise ValueError(
            "with a genome, the source must be a BED file or intervals on it; leave the genome out "
            "for sequences"
        )
    return regions  # type: ignore[return-value]


def _cut_regions(
    regions: Sequence[Interval], genome: Genome, flank: int, *, k: int
) -> Iterator[Target]:
    """Read the regions on their strands; all are checked before the first is given."""
    names = genome.contig_names.match((each.contig for each in regions), source="the regions")
    on_genome = [
        each._replace(contig=names[each.contig]) for each in regions if each.contig in names
    ]
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


def _choose_format(output: str | Path, names: Sequence[str], *, has_genome: bool) -> ResultFormat:
    columns = [*_TEXT_COLUMNS, *(_GENOME_COLUMNS if has_genome else ()), *names]

    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        kinds = {name: pa.float32() for name in names} | dict.fromkeys(
            ("position", "genome_position"), pa.int64()
        )
        return ParquetFormat(pa.schema([(name, kinds.get(name, pa.string())) for name in columns]))

    return choose_table(output, columns, {".parquet": make_parquet})
