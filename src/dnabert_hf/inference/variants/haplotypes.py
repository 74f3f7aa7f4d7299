"""Effects of variants that lie together on one copy of a chromosome, beside their sum."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.variants.build_check import check_build
from dnabert_hf.data.variants.haplotypes import Haplotype, HaplotypeReader, cut_haplotype
from dnabert_hf.files.counts import counted, counted_reasons
from dnabert_hf.inference.engine.training_defaults import choose_strands, choose_window
from dnabert_hf.inference.output.formats import ParquetFormat, ResultFormat, choose_table
from dnabert_hf.inference.run import Input, Run, RunFields, RunOptions
from dnabert_hf.inference.variants.allele_scores import VariantScorer
from dnabert_hf.inference.variants.results import allele_name, plain_text
from dnabert_hf.inference.variants.score_variants import choose_task, make_scorers
from dnabert_hf.inference.variants.tally import LINES, SCORED

__all__ = ["ScoredHaplotypes", "score_haplotypes"]

logger = logging.getLogger(__name__)

_CHUNK = 256
_TEXT_COLUMNS = ("contig", "position_1based", "haplotype", "phase_set", "variants")


@dataclass(frozen=True)
class ScoredHaplotypes:
    """Result of scoring haplotypes.

    Attributes:
        path: The table.
        n_haplotypes: Rows.
        n_scored: Rows with scores.
        skipped: Rows without, by reason.
        left_out: Records that are on no haplotype, by reason.
        window: Bases that the model saw.
    """

    path: Path
    n_haplotypes: int
    n_scored: int
    skipped: dict[str, int]
    left_out: dict[str, int]
    window: int

    def summary(self) -> str:
        """Say how many haplotypes there are, and how many were not scored."""
        return (
            f"{counted(self.n_haplotypes, 'haplotype')} of two or more variants within "
            f"{self.window // 2:,} bases: {self.n_scored} scored, "
            f"{self.n_haplotypes - self.n_scored} not"
        )


def score_haplotypes(
    model: Any,
    variants: str | Path,
    genome: Genome,
    *,
    output: str | Path,
    sample: str,
    window: int | None = None,
    label: str | None = None,
    both_strands: bool | None = None,
    force: bool = False,
    **options: Unpack[RunFields],
) -> ScoredHaplotypes:
    """Score the variants of a phased sample that share a window, together and one by one.

    All alleles of a copy of a chromosome within half a window of each other are put into the
    sequence at once. Their joint effect stands beside the sum of the effects that each has alone,
    in the same window. Alleles are applied as written, not moved to the left. A homozygous allele
    is on every copy; heterozygous ones without phase are left out and counted.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model.
        variants: VCF or BCF file, sorted by contig and position.
        genome: The genome that it was made for.
        output: Table to write, .tsv, .csv or .parquet, a row for each haplotype.
        sample: Name of the sample; "." takes the alleles of all records together.
        window: Bases that the model sees; by default the median length it was trained on.
        label: Class to score; by default the class of interest.
        both_strands: Whether to average over both strands; by default as the model was trained.
        force: Whether to go on where the file seems to be made for another genome.
        **options: The fields of `RunOptions`; there are no columns.

    Returns:
        How many were scored, and how many not.

    Raises:
        ValueError: If a file or an option cannot be used, or nothing is phased.
    """
    run = Run(output, RunOptions.of(options, excluded=["columns", "skip_short"]))
    check_build(variants, genome, force=force)
    engine = run.start(model, choose_task(model))
    window = choose_window(engine.model.config, window)
    both_strands = choose_strands(run.engines, both_strands)
    (scorer,) = make_scorers(run.engines, window, label=label, both_strands=both_strands).values()
    reader = HaplotypeReader(variants, sample, window // 2)
    n_haplotypes = sum(1 for _ in reader.read())  # what cannot be used is refused before all else
    left_out = dict(reader.left_out)
    given = Input(
        _chunks(reader.read()), variants, unit="haplotypes", count=lambda: n_haplotypes,
        n_passes=(1 + both_strands) * scorer.n_passes,
    )  # fmt: skip
    about = {"window": window, "label": label, "both_strands": both_strands, "sample": sample}
    with run.write(
        given, _choose_format(output, scorer), {"genome": genome.fingerprint, **about}
    ) as (writer, chunks):
        for chunk in chunks:
            writer.write(*_score_chunk(chunk, genome, window, scorer))
    tally = dict(writer.tally)
    n_rows, n_scored = tally.pop(LINES, 0), tally.pop(SCORED, 0)
    if run.shard.index == 0:
        _report(str(variants), n_rows, tally, left_out)
    return ScoredHaplotypes(Path(output), n_rows, n_scored, tally, left_out, window)


def _report(source: str, n_rows: int, skipped: dict[str, int], left_out: dict[str, int]) -> None:
    if not n_rows:
        logger.warning("%s: no two variants lie together on a copy within half a window", source)
    for counts, text in ((left_out, "on no haplotype"), (skipped, "not scored")):
        if counts:
            logger.warning("%s: %s: %s", source, text, counted_reasons(counts))


def _chunks(haplotypes: Iterable[Haplotype]) -> Iterator[list[Haplotype]]:
    haplotypes = iter(haplotypes)
    while chunk := list(islice(haplotypes, _CHUNK)):
        yield chunk


def _score_chunk(
    chunk: Sequence[Haplotype], genome: Genome, window: int, scorer: VariantScorer
) -> tuple[list[list[Any]], dict[str, int]]:
    """Score haplotypes and their alleles; the rows, and how many there are of what."""
    cut = [cut_haplotype(each, genome, window) for each in chunk]
    windows = [w for each in cut if not isinstance(each, str) for w in (each.joint, *each.singles)]
    scores = scorer.score(windows) if windows else np.empty((0, len(scorer.names)))
    changes = [scorer.names.index(name) for name in scorer.changes]
    rows = []
    tally: Counter[str] = Counter({LINES: len(chunk)})
    taken = 0
    for haplotype, each in zip(chunk, cut, strict=True):
        first, names = haplotype.alleles[0], ",".join(map(allele_name, haplotype.alleles))
        texts = [plain_text(first.contig), first.start + 1, str(haplotype.copy)]
        texts += [plain_text(haplotype.phase_set), plain_text(names)]
        if isinstance(each, str):
            tally[each] += 1
            rows.append([*texts, *[None] * (len(scorer.names) + len(changes)), each])
            continue
        joint, alone = scores[taken], scores[taken + 1 : taken + 1 + len(each.singles)]
        taken += 1 + len(each.singles)
        numbers = [*joint.tolist(), *alone[:, changes].sum(axis=0).tolist()]
        tally[SCORED] += 1
        rows.append([*texts, *(None if n != n else n for n in numbers), SCORED])
    return rows, dict(tally)


def _choose_format(output: str | Path, scorer: VariantScorer) -> ResultFormat:
    sums = [f"sum_{name}" for name in scorer.changes]
    columns = [*_TEXT_COLUMNS, *scorer.names, *sums, "status"]

    def make_parquet() -> ResultFormat:
        import pyarrow as pa

        kinds = {name: pa.float32() for name in (*scorer.names, *sums)}
        kinds["position_1based"] = pa.int64()
        return ParquetFormat(pa.schema([(name, kinds.get(name, pa.string())) for name in columns]))

    return choose_table(output, columns, {".parquet": make_parquet})
