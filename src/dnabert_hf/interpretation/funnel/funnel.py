"""The funnel of DNABERT: variants that a model attends to, scored, ranked and looked up."""

import heapq
import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import choose_class
from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.build_check import check_build
from dnabert_hf.data.variants.databases import CATALOGS, Finding, KnownVariants, find_build
from dnabert_hf.data.variants.vcf import read_vcf_header
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.engine.sharding import resolve_shard
from dnabert_hf.inference.engine.training_defaults import choose_window
from dnabert_hf.inference.output.formats import choose_table
from dnabert_hf.inference.output.writer import check_output, open_output
from dnabert_hf.inference.variants.score_variants import choose_task, score_variants
from dnabert_hf.interpretation.attribution.attention import attention_scores
from dnabert_hf.interpretation.funnel.high_attention import Place, cut_windows, select_variants
from dnabert_hf.interpretation.funnel.page import write_funnel_page

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
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int | None = None,
    overwrite: bool = False,
    command: str | None = None,
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
        device: "auto", "cpu", "cuda", ...
        dtype: "auto", "float32", "bfloat16", "float16" or "int8".
        batch_tokens: Tokens a batch; by default what suits the device.
        overwrite: Whether to replace existing outputs.
        command: What to name on the page as the command that made it.

    Returns:
        How many were left after each step.

    Raises:
        ValueError: If a file or an option cannot be used.
        KeyboardInterrupt: If it is stopped; the same again goes on, from the folder beside the
            output that holds what is done.
    """
    share = resolve_shard(None, output)
    if keep < 1:
        raise ValueError(f"alleles to keep must be 1 or more, got {keep}")
    for path in (output, report):
        if path is not None:
            others = [report] if path is output else []
            check_output(path, overwrite=overwrite, inputs=[variants], others=others)
    if str(output) == "-":
        raise ValueError("the funnel writes a table and works beside it; name a file with -o")
    build = find_build(build)
    check_build(variants, genome, force=force)
    catalogs = dict(catalogs or {})
    unknown = [name for name in catalogs if name not in CATALOGS]
    if unknown:
        raise ValueError(f"a catalogue must be one of {', '.join(CATALOGS)}, got {unknown[0]!r}")
    # An unfit name, catalogue or class should not be found out after hours.
    choose_table(output, _COLUMNS)
    _look_up(catalogs, [], build=None)
    if choose_task(model) != "sequence-classification":
        raise ValueError(
            "the funnel needs a fine-tuned classifier, found a masked language model; train one "
            "with dnabert finetune, or score with dnabert variants"
        )
    config = as_checkpoint(model, None, task="sequence-classification").model.config
    label = choose_class(LabelScheme.from_config(config), label)
    window = choose_window(config, window)
    scores = [f"{name}_{label}" for name in _SCORES]
    columns = [*_COLUMNS, *scores, "attention"]
    columns += [f"{name}_{field}" for name in catalogs for field in _FIELDS]
    table = choose_table(output, columns)
    running = {"device": device, "dtype": dtype, "batch_tokens": batch_tokens}
    read_vcf_header(variants)
    inputs = {
        "model": _state(model),
        "variants": _state(variants),
        "genome": genome.fingerprint,
        "options": [window, label, both_strands, device, dtype, batch_tokens],
    }
    work = Path(output).with_name(f"{Path(output).name}.funnel")
    is_first = share.index == 0
    if is_first:
        _open_work(work, inputs, overwrite=overwrite)
        try:
            read, counts = cut_windows(work, variants, genome, window)
        except ValueError:  # the input is wrong: no run goes on from here
            shutil.rmtree(work)
            raise
    # The first process says what there is: the others come here before, or after it is there.
    if not share.agree((work / "attention.parquet").exists()):
        attention_scores(
            model,
            work / "windows.fa",
            output=work / "attention.parquet",
            **running,  # type: ignore[arg-type]
        )
    attention = select_variants(work, variants, read) if is_first else {}
    if share.agree(bool(attention) and not (work / "scored.parquet").exists()):
        score_variants(
            model,
            work / "high.vcf",
            genome,
            output=work / "scored.parquet",
            window=window,
            label=label,
            both_strands=both_strands,
            force=force,
            **running,  # type: ignore[arg-type]
        )
    if not is_first:
        return share.agree(Funnel(Path(output), 0, 0, 0, 0, 0, {}, label))  # that of the first
    n_scored, kept = (
        _strongest(work / "scored.parquet", keep, f"diff_{label}") if attention else (0, [])
    )
    known = _look_up(catalogs, kept, build=build, genome=genome)
    rows = list(_table(kept, scores, attention, known))
    with open_output(output, table, fingerprint=None, overwrite=overwrite) as writer:
        for _ in writer.remaining([rows] if rows else []):
            writer.write(rows)
    n_known = {name: sum(map(bool, found)) for name, found in known.items()}
    done = Funnel(
        Path(output),
        *counts,
        n_high=len(attention),
        n_scored=n_scored,
        n_kept=len(kept),
        n_known=n_known,
        label=label,
    )
    if report is not None:
        write_funnel_page(
            Path(report),
            done.path,
            columns,
            rows,
            lead=f"The {len(kept):,} alleles of {variants} with the strongest effect on the "
            f"probability of {label} by {model}.",
            label=label,
            steps=_steps(done),
            n_scores=len(_COLUMNS) + len(_SCORES) + 1,
            command=command,
        )
    shutil.rmtree(work)
    return share.agree(done)


def _strongest(path: Path, keep: int, effect: str) -> tuple[int, list[dict[str, Any]]]:
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


def _look_up(
    catalogs: Mapping[str, str | Path],
    kept: Sequence[dict[str, Any]],
    *,
    build: str | None,
    genome: Genome | None = None,
) -> dict[str, list[list[Finding]]]:
    if not kept:
        for name, path in catalogs.items():
            CATALOGS[name](Path(path))  # its header is read
        return {name: [] for name in catalogs}
    alleles = [
        Allele(row["contig"], row["position_1based"] - 1, row["ref"], row["alt"]) for row in kept
    ]
    known = KnownVariants(alleles, [row["id"] or "" for row in kept], build, genome=genome)
    return {name: known.look_up(name, path) for name, path in catalogs.items()}


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


def _steps(done: Funnel) -> dict[str, int]:
    return {
        "records of the file": done.n_records,
        "with a window that can be cut": done.n_windows,
        "in a high-attention region": done.n_high,
        "alleles scored": done.n_scored,
        "strongest, kept": done.n_kept,
        **{f"of these in {_TITLES[name]}": n for name, n in done.n_known.items()},
    }


def _open_work(work: Path, inputs: Mapping[str, object], *, overwrite: bool) -> None:
    """Make the folder for the steps, or take up one that the same inputs left."""
    note = work / "inputs.json"
    if work.exists():
        if note.exists() and json.loads(note.read_text(encoding="utf-8")) == inputs:
            logger.warning("%s: going on after a stopped run", work.with_suffix(""))
            return
        if not overwrite:
            raise ValueError(
                f"{work} holds steps of a run with other inputs; delete the folder or use "
                "--overwrite to begin again"
            )
        shutil.rmtree(work)
    work.mkdir()
    note.write_text(json.dumps(inputs), encoding="utf-8")


def _state(path: str | Path) -> list[list[object]]:
    """Tell whether a file, or a file of a folder, has changed."""
    root = Path(path)
    files = sorted(root.iterdir()) if root.is_dir() else [root]
    states = [(str(file), file.stat()) for file in files if file.is_file()]
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states] or [[str(path)]]
