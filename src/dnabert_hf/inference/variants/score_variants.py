"""Effects of variants: every allele of a VCF scored, and written beside it or into it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Unpack

from dnabert_hf.data.genome.genes import GeneIndex, read_genes
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.variants.build_check import check_build
from dnabert_hf.data.variants.vcf import (
    VcfRecord,
    iterate_vcf,
    read_vcf_header,
)
from dnabert_hf.data.variants.windows import WindowCutter
from dnabert_hf.files.counts import counted
from dnabert_hf.files.fingerprint import fingerprint_file
from dnabert_hf.inference.engine.checkpoint import architecture_of
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.training_defaults import choose_strands, choose_window
from dnabert_hf.inference.output.vcf import VcfFormat, index_vcf
from dnabert_hf.inference.predict import Classifier
from dnabert_hf.inference.run import Input, Run, RunFields, RunOptions
from dnabert_hf.inference.variants.allele_scores import (
    ClassifierScorer,
    JointScorer,
    MaskedScorer,
    VariantScorer,
)
from dnabert_hf.inference.variants.background import open_background
from dnabert_hf.inference.variants.results import ResultColumns
from dnabert_hf.inference.variants.scoring import Scoring
from dnabert_hf.inference.variants.tally import (
    NORMAL_FORM,
    check_any_scored,
    report_tally,
)

__all__ = ["ScoredVariants", "choose_task", "make_scorers", "score_variants"]

_CHUNK_RECORDS = 1024


@dataclass(frozen=True)
class ScoredVariants:
    """Result of scoring a file of variants.

    Attributes:
        path: The result file.
        n_records: Lines of the VCF, all of which are in the result.
        n_scored: Alleles that have scores.
        skipped: Alleles that have none, by reason.
        window: Bases around a variant that the model saw.
        label: Class that was scored; None for a masked language model.
        n_normalized: Alleles that were written otherwise than in their normal form.
    """

    path: Path
    n_records: int
    n_scored: int
    skipped: dict[str, int]
    window: int
    label: str | None
    n_normalized: int = 0

    def summary(self) -> str:
        """Say how many records and alleles there are, and how many were not scored."""
        n_skipped = sum(self.skipped.values())
        of_class = "" if self.label is None else f" by the probability of {self.label}"
        return (
            f"{counted(self.n_records, 'record')}: {counted(self.n_scored, 'allele')} scored"
            f"{of_class} in windows of {counted(self.window, 'base')}, {n_skipped:,} not"
        )


def score_variants(
    model: Any,
    variants: str | Path,
    genome: Genome,
    *,
    output: str | Path,
    window: int | None = None,
    label: str | None = None,
    both_strands: bool | None = None,
    shifts: int = 0,
    force: bool = False,
    also: Sequence[str | Path] = (),
    background: str | Path | None = None,
    background_size: int | None = None,
    annotation: str | Path | None = None,
    **options: Unpack[RunFields],
) -> ScoredVariants:
    """Score every alternative allele of a VCF with a model.

    A fine-tuned classifier gives the probability of a class with either allele and DNABERT's two
    scores of the change (see `change_scores`); a pretrained masked language model, without any
    labels, how much more probable it finds the alternative base, and how far the embeddings of the
    two windows lie apart. Insertions and deletions are scored in the normal form of Tan et al.
    (2015), which the column `normalized` names. Alleles that cannot be scored stay in the
    result, with the reason.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model.
        variants: VCF file, plain, gzip or bgzip, or BCF (extra `variants`); need not be sorted.
        genome: The genome that it was made for; UCSC's and Ensembl's names are matched.
        output: File to write: .vcf or .vcf.gz (bgzip and index, needs the extra `variants`) with
            the scores as INFO, or a table with a line an allele, .tsv, .csv or .parquet.
        window: Bases around a variant that the model sees; by default the median length that a
            classifier was trained on.
        label: Class to score; by default the class of interest.
        both_strands: Whether to average over both strands; by default as the model was trained.
        shifts: Windows on either side of the one with the variant in its middle, up to a quarter of
            a window away; the scores are those where the effect is strongest (the largest |diff|,
            or log-likelihood ratio), and `shift` says by how many bases that window is shifted.
        force: Whether to go on where the file seems to be made for another genome, or none of its
            alleles can be scored.
        also: Further checkpoints, classifiers or masked language models, each with scores of its
            own; the names of the folders are added to those of the scores.
        background: File of effects of random single-base changes (.npz), which adds `percentile`:
            the percent of random changes of the same base in the same trinucleotide, both strands
            taken together, with a smaller effect (|diff| or |log-likelihood ratio|). It is made if
            it is not there, and refused if it is of another model, genome or options.
        background_size: Random places of each of the 32 trinucleotides, each with three changes;
            None for those of the file, or 200.
        annotation: GTF or GFF3 of genes, which adds `gene`, `tss_distance` and `region`.
        **options: The fields of `RunOptions`; there are no columns.

    Returns:
        How many were scored and how many not, by reason.

    Raises:
        ValueError: If a file or an option cannot be used, or no allele can be scored.
        ImportError: If .vcf.gz is asked for and pysam is not installed.
        KeyboardInterrupt: If it is stopped; the same again goes on.
    """
    run = Run(output, RunOptions.of(options, excluded=["columns", "skip_short"]))
    header = read_vcf_header(variants)
    check_build(variants, genome, force=force)
    for member in (model, *also):
        run.start(member, choose_task(member))
    window = choose_window(run.engines[0].model.config, window)
    both_strands = choose_strands(run.engines, both_strands)
    scorers = make_scorers(run.engines, window, label=label, both_strands=both_strands)
    scorer = JointScorer(scorers, has_shifts=shifts > 0)
    steps = _shifts(shifts, window)
    cutter = WindowCutter(genome, window, source=str(variants))
    about = {"window": window, "label": label, "both_strands": both_strands, "shifts": shifts}
    scoring = Scoring(cutter, scorer, steps, genes=_open_genes(annotation, genome))
    columns = ResultColumns(scoring.columns(has_percentiles=background is not None))
    result_format = columns.choose_format(output, header)
    if background is not None:
        others = WindowCutter(genome, window)
        scoring.background = open_background(
            Path(background), background_size, run, scorer, others, shifts=steps, about=about
        )
    given = Input(
        _chunks(iterate_vcf(variants)),
        variants,
        unit="variants",
        count=lambda: sum(1 for _ in iterate_vcf(variants)),
        n_passes=(1 + both_strands) * sum(each.n_passes for each in scorers.values()),
    )
    with run.write(
        given,
        result_format,
        {
            "genome": genome.fingerprint,
            **about,
            "others": " ".join(engine.name for engine in run.engines[1:]),
            "background": background and fingerprint_file(background),
            "annotation": annotation and fingerprint_file(annotation),
        },
    ) as (writer, chunks):
        for chunk in chunks:
            before = cutter.skipped.copy()
            results, tally = scoring.score(chunk)
            rows = [
                row
                for record, found in zip(chunk, results, strict=True)
                for row in columns.rows(record, found, is_vcf=isinstance(result_format, VcfFormat))
            ]
            writer.write(rows, {**tally, **(cutter.skipped - before)})
        if run.shard.count == 1 and not force:
            check_any_scored(writer.tally, variants)
    if writer.is_complete and str(output).endswith(".vcf.gz"):
        index_vcf(Path(output))
    cutter.report_contigs()
    counts = report_tally(writer.tally, variants, is_silent=run.shard.index > 0)
    of_classifiers = [s.label for s in scorers.values() if isinstance(s, ClassifierScorer)]
    return ScoredVariants(
        Path(output),
        *counts,
        window,
        of_classifiers[0] if of_classifiers else None,
        writer.tally.get(NORMAL_FORM, 0),
    )


def _open_genes(annotation: str | Path | None, genome: Genome) -> GeneIndex | None:
    if annotation is None:
        return None
    return GeneIndex(read_genes(annotation), genome, source=str(annotation))


def choose_task(model: Any) -> str:
    """Tell a classifier from a masked language model by the architecture that it was saved as."""
    name = architecture_of(model)
    if name.endswith("ForMaskedLM"):
        return "masked-lm"
    if name.endswith("ForTokenClassification"):
        raise ValueError(
            "variants are scored by a classifier of sequences or a masked language model, found a "
            "classifier of bases; use another model"
        )
    return "sequence-classification"


def _scorer(engine: Engine, window: int, *, label: str | None, both_strands: bool) -> VariantScorer:
    config = engine.model.config
    if _is_masked_lm(engine):
        if label is not None:
            raise ValueError("a class (--label) is of a classifier, found a masked language model")
        longest = config.max_position_embeddings - 3 + config.k
        if not 2 * config.k + 1 <= window <= longest:
            raise ValueError(
                f"a window of this masked language model must have {2 * config.k + 1} to {longest} "
                f"bases, got {window}"
            )
        return MaskedScorer(engine, both_strands=both_strands)
    if window < config.k:
        raise ValueError(f"a window must have k = {config.k} bases or more, got {window}")
    return ClassifierScorer(Classifier(engine, both_strands=both_strands), label)


def _is_masked_lm(engine: Engine) -> bool:
    return hasattr(engine.model, "cls")


def _chunks(records: Iterable[VcfRecord]) -> Iterator[list[VcfRecord]]:
    records = iter(records)
    while chunk := list(islice(records, _CHUNK_RECORDS)):
        yield chunk


def make_scorers(
    engines: Sequence[Engine], window: int, *, label: str | None, both_strands: bool
) -> dict[str, VariantScorer]:
    """Make the scorer of each model; a class is asked of the classifiers among several.

    Args:
        engines: The models.
        window: Bases around a variant.
        label: Class to score, None for the class of interest.
        both_strands: Whether to average over both strands.

    Returns:
        Scorers by the name of the model.

    Raises:
        ValueError: If a model cannot score variants so, or two have one name.
    """
    has_classifier = not all(map(_is_masked_lm, engines))
    scorers: dict[str, VariantScorer] = {}
    for engine in engines:
        name = re.sub(r"\W+", "_", Path(engine.name).name)
        if name in scorers:
            raise ValueError(
                f"several models must have different names, found {name} twice; rename the folder "
                "of one"
            )
        of_model = None if _is_masked_lm(engine) and has_classifier else label
        scorers[name] = _scorer(engine, window, label=of_model, both_strands=both_strands)
    return scorers


def _shifts(count: int, window: int) -> list[int]:
    """List by how much windows are shifted, nearest first.

    Example:
        >>> _shifts(2, 80)
        [-10, 10, -20, 20]
    """
    if not 0 <= count <= window // 4:
        raise ValueError(
            f"shifted windows on either side must be 0 to {window // 4}, a quarter of a window of "
            f"{window} bases, got {count}"
        )
    steps = [round(number * window / 4 / count) for number in range(1, count + 1)]
    return [sign * step for step in steps for sign in (-1, 1)]
