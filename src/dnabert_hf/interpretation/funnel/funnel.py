"""The funnel of DNABERT: variants that a model attends to, scored, ranked and looked up."""

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Unpack

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import choose_class
from dnabert_hf.data.variants.build_check import check_build
from dnabert_hf.data.variants.databases import CATALOGS, Finding, find_build
from dnabert_hf.data.variants.vcf import read_vcf_header
from dnabert_hf.files.counts import counted
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.engine.sharding import Shard
from dnabert_hf.inference.engine.training_defaults import choose_window
from dnabert_hf.inference.output.formats import choose_table
from dnabert_hf.inference.output.writer import check_output, open_output
from dnabert_hf.inference.run import Run, RunFields, RunOptions
from dnabert_hf.inference.variants.score_variants import choose_task, score_variants
from dnabert_hf.interpretation.attribution.attention import attention_scores
from dnabert_hf.interpretation.funnel.high_attention import Place, cut_windows, select_variants
from dnabert_hf.interpretation.funnel.page import fill_funnel_page
from dnabert_hf.interpretation.funnel.strongest import find_strongest, look_up_alleles
from dnabert_hf.interpretation.pages.page import Page

__all__ = ["Funnel", "variant_funnel"]

logger = logging.getLogger(__name__)

_COLUMNS = ("rank", "contig", "position_1based", "id", "ref", "alt")
_SCORES = ("prob_ref", "prob_alt", "diff", "log_odds_ratio")
_TITLES = {"clinvar": "ClinVar", "gwas": "GWAS Catalog", "grasp": "GRASP"}
_FIELDS = ("match", "text", "p", "reference")


class Funnel(NamedTuple):
    """Numbers of variants left after each step.

    Attributes:
        path: The table.
        n_records: Records of the VCF.
        n_windows: Of these, records with an allele whose window can be cut.
        n_high: Of these, records in a high-attention region.
        n_scored: Their alleles with scores.
        n_kept: The strongest of these: the rows of the table.
        n_known: Of these, alleles in each catalogue.
        label: Class whose probability they change.
    """

    path: Path
    n_records: int
    n_windows: int
    n_high: int
    n_scored: int
    n_kept: int
    n_known: dict[str, int]
    label: str

    def summary(self) -> str:
        """Say how many are left after each step."""
        known = "".join(f", {n:,} in {name}" for name, n in self.n_known.items())
        return (
            f"{counted(self.n_records, 'record')}, {self.n_high:,} in high-attention regions, "
            f"{counted(self.n_scored, 'allele')} scored by the probability of {self.label}, "
            f"{self.n_kept:,} kept{known}"
        )


def variant_funnel(
    model: str | Path,
    variants: str | Path,
    genome: Genome,
    *,
    output: str | Path,
    window: int | None = None,
    label: str | None = None,
    keep: int = 1000,
    catalogs: Mapping[str, str | Path] | None = None,
    build: str | None = None,
    force: bool = False,
    report: str | Path | None = None,
    both_strands: bool | None = None,
    **options: Unpack[RunFields],
) -> Funnel:
    """Find variants that a model attends to, rank them by effect and look them up.

    As DNABERT's paper does (Ji et al. 2021): the window around each variant is scored
    by attention; variants within a high-attention region (DNABERT-viz: 5 bases or more above the
    mean and above 10 times the minimum of the window) go on; both of their alleles are scored; the
    alleles with the largest |diff| are kept and looked up in ClinVar, GWAS Catalog and GRASP.

    Under `torchrun` and `accelerate launch` the processes share what the model has to do; the first
    one does the rest.

    Args:
        model: Folder or Hub repository of a fine-tuned classifier.
        variants: VCF file, plain, gzip or bgzip, or BCF.
        genome: The genome that it was made for.
        output: Table to write, .tsv or .csv (either may end in .gz): a row for each allele kept,
            strongest first, with its scores, the attention of its base (1 is the mean of its
            window), and for each catalogue match, text, p and reference; several with "|" between.
        window: Bases around a variant; by default the median length that the model was trained on.
        label: Class to score; by default the class of interest.
        keep: Alleles to keep, at most.
        catalogs: Files by catalogue: "clinvar" (VCF), "gwas" (table of all associations), "grasp"
            (full data set).
        build: Build of the genome (GRCh37, hg19, GRCh38, hg38); without it, catalogues are
            searched by rs number alone.
        force: Whether to go on where the VCF seems to be made for another genome.
        report: HTML page to write.
        both_strands: Whether to average the scores over both strands; by default as the model was
            trained.
        **options: device, dtype, batch_tokens and overwrite, as in `RunOptions`.

    Returns:
        How many were left after each step.

    Raises:
        ValueError: If a file or an option cannot be used.
        KeyboardInterrupt: If it is stopped; the same again goes on, from the folder beside the
            output that holds what is done.
    """
    # An unfit name, catalogue or class should not be found out after hours.
    running = RunOptions.of(options, excluded=["tokenizer", "columns", "shard", "skip_short"])
    if keep < 1:
        raise ValueError(f"alleles to keep must be 1 or more, got {keep}")
    shard = Run(output, running).shard
    _check_outputs(output, report, variants, overwrite=running.overwrite)
    build = find_build(build)
    check_build(variants, genome, force=force)
    catalogs = dict(catalogs or {})
    of_catalogs = _check_catalogs(catalogs)
    config = _config_of(model)
    label = choose_class(LabelScheme.from_config(config), label)
    window = choose_window(config, window)
    scores = [f"{name}_{label}" for name in _SCORES]
    columns = [*_COLUMNS, *scores, "attention", *of_catalogs]
    table = choose_table(output, columns)
    read_vcf_header(variants)
    work = Path(output).with_name(f"{Path(output).name}.funnel")
    steps = _Steps(model, variants, genome, window, label, both_strands, running)
    counts, attention = steps.score(work, shard, force=force)
    if shard.index:
        return shard.agree(Funnel(Path(output), 0, 0, 0, 0, 0, {}, label))  # that of the first
    n_scored, kept = (
        find_strongest(work / "scored.parquet", keep, f"diff_{label}") if attention else (0, [])
    )
    known = look_up_alleles(catalogs, kept, build=build, genome=genome)
    rows = list(_table(kept, scores, attention, known))
    with open_output(output, table, fingerprint=None, overwrite=running.overwrite) as writer:
        for _ in writer.remaining([rows] if rows else []):
            writer.write(rows)
    done = Funnel(
        Path(output),
        *counts,
        n_high=len(attention),
        n_scored=n_scored,
        n_kept=len(kept),
        n_known={name: sum(map(bool, found)) for name, found in known.items()},
        label=label,
    )
    if report is not None:
        lead = f"the effect on the probability of {label} by {model}."
        if kept:
            lead = f"The {len(kept):,} alleles of {variants} that are strongest in {lead}"
        else:
            lead = f"No allele of {variants} is left to be ranked by {lead}"
        known_build = genome.contig_names.find_build()
        _write_page(Path(report), done, columns, rows, lead=lead, build=known_build)
    shutil.rmtree(work)
    return shard.agree(done)


def _check_outputs(
    output: str | Path, report: str | Path | None, variants: str | Path, *, overwrite: bool
) -> None:
    for path in (output, report):
        if path is not None:
            others = [report] if path is output else []
            check_output(path, overwrite=overwrite, inputs=[variants], others=others)
    if str(output) == "-":
        raise ValueError("the funnel writes a table and works beside it; name a file with -o")
    choose_table(output, _COLUMNS)


def _check_catalogs(catalogs: Mapping[str, str | Path]) -> list[str]:
    """Give the columns of catalogues, which can be read."""
    unknown = [name for name in catalogs if name not in CATALOGS]
    if unknown:
        raise ValueError(f"a catalogue must be one of {', '.join(CATALOGS)}, got {unknown[0]!r}")
    look_up_alleles(catalogs, [], build=None)
    return [f"{name}_{field}" for name in catalogs for field in _FIELDS]


def _config_of(model: str | Path) -> Any:
    if choose_task(model) != "sequence-classification":
        raise ValueError(
            "the funnel needs a fine-tuned classifier, found a masked language model; train one "
            "with dnabert finetune, or score with dnabert variants"
        )
    return as_checkpoint(model, None, task="sequence-classification").model.config


class _Steps(NamedTuple):
    """Steps of the model, each with a file in a folder beside the output."""

    model: str | Path
    variants: str | Path
    genome: Genome
    window: int
    label: str
    both_strands: bool | None
    options: RunOptions

    def score(
        self, work: Path, shard: Shard, *, force: bool
    ) -> tuple[tuple[int, int], dict[Place, float]]:
        """Score windows by attention, and the alleles in high-attention regions.

        Returns:
            Records, and those with a window; attention of the records in high-attention regions.
            Nothing of these in a process that is not the first.
        """
        options = self.options
        running: RunFields = {
            "device": options.device,
            "dtype": options.dtype,
            "batch_tokens": options.batch_tokens,
        }
        counts = (0, 0)
        if shard.index == 0:
            self._open(work)
            try:
                read, counts = cut_windows(work, self.variants, self.genome, self.window)
            except ValueError:  # the input is wrong: no run goes on from here
                shutil.rmtree(work)
                raise
        # The first process says what there is: the others come here before, or after it is there.
        of_windows = work / "attention.parquet"
        if not shard.agree(of_windows.exists()):
            attention_scores(self.model, work / "windows.fa", output=of_windows, **running)
        attention = {} if shard.index else select_variants(work, self.variants, read)
        of_alleles = work / "scored.parquet"
        if shard.agree(bool(attention) and not of_alleles.exists()):
            score_variants(
                self.model,
                work / "high.vcf",
                self.genome,
                output=of_alleles,
                window=self.window,
                label=self.label,
                both_strands=self.both_strands,
                force=force,
                **running,
            )
        return counts, attention

    def _open(self, work: Path) -> None:
        """Make the folder for the steps, or take up one that the same inputs left."""
        options = self.options
        how = [self.window, self.label, self.both_strands]
        inputs = {
            "model": _state(self.model),
            "variants": _state(self.variants),
            "genome": self.genome.fingerprint,
            "options": [*how, options.device, options.dtype, options.batch_tokens],
        }
        note = work / "inputs.json"
        if work.exists():
            if note.exists() and json.loads(note.read_text(encoding="utf-8")) == inputs:
                logger.warning("%s: going on after a stopped run", work.with_suffix(""))
                return
            if not options.overwrite:
                raise ValueError(
                    f"{work} holds steps of a run with other inputs; delete the folder or use "
                    "--overwrite to begin again"
                )
            shutil.rmtree(work)
        work.mkdir()
        note.write_text(json.dumps(inputs), encoding="utf-8")


def _table(
    kept: Sequence[dict[str, Any]],
    scores: Sequence[str],
    attention: Mapping[Place, float],
    known: Mapping[str, list[list[Finding]]],
) -> Iterator[list[Any]]:
    for index, row in enumerate(kept):
        variant = (row["contig"], row["position_1based"], row["ref"])
        cells = [index + 1, *(row[name] for name in (*_COLUMNS[1:], *scores)), attention[variant]]
        for found in known.values():
            findings = zip(*found[index], strict=True)
            # ClinVar lists the conditions of one finding with "|" between them, too.
            cells += ["|".join(v.replace("|", "; ") for v in vs) for vs in findings] or [""] * 4
        yield cells


def _numbers(done: Funnel) -> dict[str, int]:
    return {
        "records of the file": done.n_records,
        "with a window that can be cut": done.n_windows,
        "in a high-attention region": done.n_high,
        "alleles scored": done.n_scored,
        "strongest, kept": done.n_kept,
        **{f"of these in {_TITLES[name]}": n for name, n in done.n_known.items()},
    }


def _write_page(
    report: Path,
    done: Funnel,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    lead: str,
    build: str | None,
) -> None:
    title = f"Variants with an effect on {done.label}, where the model attends to"
    page = Page(title, lead=lead)
    n_scores = len(_COLUMNS) + len(_SCORES) + 1
    fill_funnel_page(
        page, _numbers(done), columns, rows, label=done.label, n_scores=n_scores, build=build
    )
    page.files({os.path.relpath(done.path, report.parent): "all rows, as a table"})
    page.write(report)


def _state(path: str | Path) -> list[list[object]]:
    """Tell whether a file, or a file of a folder, has changed."""
    root = Path(path)
    files = sorted(root.iterdir()) if root.is_dir() else [root]
    states = [(str(file), file.stat()) for file in files if file.is_file()]
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states] or [[str(path)]]
