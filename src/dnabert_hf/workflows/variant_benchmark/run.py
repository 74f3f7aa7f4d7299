"""A benchmark of variants: scores, matched sets, areas under curves, the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.genome.genes import GeneIndex, read_genes
from dnabert_hf.data.genome.genome import Genome, open_genome
from dnabert_hf.files.atomic import open_table, write_text
from dnabert_hf.files.environment import command_line, describe_machine, package_versions
from dnabert_hf.workflows.variant_benchmark.matching import mean_differences, nearest_negatives
from dnabert_hf.workflows.variant_benchmark.scores import score_baseline, score_model
from dnabert_hf.workflows.variant_benchmark.suite import (
    BASELINES,
    GC,
    KMERS,
    LabelledVariants,
    VariantData,
    VariantModel,
    VariantSuite,
    gc_around,
    read_variants,
)

__all__ = ["Areas", "benchmark_variants", "measure_areas"]

_ALL, _MATCHED = "all", "matched"
_LEAST = 5  # variants of either class in a group that is told of


class Areas(NamedTuple):
    """How well a score tells positives from negatives.

    Attributes:
        n_positive: Positives.
        n_negative: Negatives.
        auroc: Area under the ROC curve.
        error: Its standard error (Hanley and McNeil 1982).
        auprc: Average precision; that of chance is the share of positives.
    """

    n_positive: int
    n_negative: int
    auroc: float
    error: float
    auprc: float


def measure_areas(is_positive: np.ndarray, scores: np.ndarray) -> Areas:
    """Measure how well scores tell positives from negatives.

    Args:
        is_positive: Whether each variant is positive, shape (variants,), some of either.
        scores: The higher the likelier, shape (variants,).

    Example:
        >>> measure_areas(np.array([True, False, False]), np.array([3.0, 1.0, 2.0])).auroc
        1.0
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    n_positive = int(is_positive.sum())
    n_negative = len(scores) - n_positive
    area = float(roc_auc_score(is_positive, scores))
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (n_positive - 1) * (first - area**2)
    variance += (n_negative - 1) * (second - area**2)
    error = float(np.sqrt(variance / (n_positive * n_negative)))
    return Areas(
        n_positive, n_negative, area, error, float(average_precision_score(is_positive, scores))
    )


@dataclass(frozen=True)
class _Result:
    """What came of a data set."""

    name: str
    areas: Mapping[tuple[str, str, str], Areas]  # by set, model and score
    balance: Mapping[str, tuple[float, float]]  # of each covariate, before and after
    notes: Sequence[str]


def benchmark_variants(suite: VariantSuite, output_dir: str | Path) -> Path:
    """Score the variants of every data set by every model, and write the report.

    Areas under the ROC and the precision-recall curve are of the variants that all models have
    scored; of all of them, of positives and their matched negatives, and of each group of at least
    five of either class. The folder receives `report.md`, `scores.tsv` and the scores of each
    model, which are not computed again while model, variants and genome stay the same.

    Args:
        suite: What to compare.
        output_dir: Folder to write.

    Returns:
        The report.

    Raises:
        ValueError: If a file cannot be used; before anything is scored where it can be told.
    """
    folder = Path(output_dir)
    variants = {name: read_variants(entry) for name, entry in suite.data.items()}
    genomes = {name: open_genome(entry.genome) for name, entry in suite.data.items()}
    prepared = {
        name: _columns(entry, variants[name], genomes[name]) for name, entry in suite.data.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for name, entry in suite.data.items():
        scores = {
            (model.name, score): values
            for model in suite.models
            for score, values in _score(model, variants[name], genomes[name], folder, name).items()
        }
        results.append(_compare(name, entry, variants[name], prepared[name], scores, suite.seed))
    _write_table(results, folder / "scores.tsv")
    path = folder / "report.md"
    write_text("\n".join(_report(suite, results)) + "\n", path)
    return path


def _score(
    model: VariantModel, variants: LabelledVariants, genome: Genome, folder: Path, name: str
) -> Mapping[str, np.ndarray]:
    if model.init in (KMERS, *BASELINES):
        return score_baseline(model, variants.alleles, genome)
    return score_model(model, variants.alleles, genome, folder, name=name)


def _columns(
    entry: VariantData, variants: LabelledVariants, genome: Genome
) -> tuple[np.ndarray, list[str]]:
    """Give the covariates, shape (variants, columns), and the group of each variant."""
    columns: dict[str, Sequence[str | float]] = dict(variants.columns)
    if GC not in columns:
        columns[GC] = gc_around(variants.alleles, genome).tolist()
    if entry.annotation is not None:
        index = GeneIndex(read_genes(entry.annotation), genome, source=str(entry.annotation))
        contigs = [genome.contig_names.find(allele.contig) for allele in variants.alleles]
        places = [
            contig and index.find(contig, *allele.changed_bases())
            for contig, allele in zip(contigs, variants.alleles, strict=True)
        ]
        columns["region"] = [place.region if place else "" for place in places]
        columns["tss_distance"] = [abs(p.distance) if p else float("nan") for p in places]
    covariates = np.empty((len(variants.alleles), len(entry.match)))
    for index_of, name in enumerate(entry.match):
        try:
            covariates[:, index_of] = [float(value) for value in columns[name]]
        except ValueError as error:
            raise ValueError(
                f"{entry.path}: a column to match by must hold numbers, found in {name}: {error}"
            ) from error
    groups = [str(each) for each in columns[entry.group]] if entry.group else []
    return covariates, groups


def _compare(
    name: str,
    entry: VariantData,
    variants: LabelledVariants,
    prepared: tuple[np.ndarray, list[str]],
    scores: Mapping[tuple[str, str], np.ndarray],
    seed: int,
) -> _Result:
    """Measure the areas of every score on every set."""
    covariates, groups = prepared
    is_known = ~np.isnan(np.stack([*scores.values()])).any(axis=0)
    is_known &= ~np.isnan(covariates).any(axis=1)
    rows = np.flatnonzero(is_known)
    is_positive = variants.is_positive[rows]
    if is_positive.all() or not is_positive.any():
        raise ValueError(
            f"{name}: all models must have scored variants of both labels, found "
            f"{int(is_positive.sum())} positive and {int((~is_positive).sum())} negative ones"
        )
    sets = {_ALL: np.arange(len(rows))}
    balance = {}
    if entry.match:
        kept = nearest_negatives(is_positive, covariates[rows], ratio=entry.ratio, seed=seed)
        sets[_MATCHED] = kept
        before = mean_differences(is_positive, covariates[rows])
        after = mean_differences(is_positive[kept], covariates[rows][kept])
        balance = dict(zip(entry.match, zip(before, after, strict=True), strict=True))
    few = []
    for group in dict.fromkeys(groups):
        members = np.array([i for i, row in enumerate(rows) if groups[row] == group], dtype=int)
        n_positive = int(is_positive[members].sum())
        if min(n_positive, len(members) - n_positive) < _LEAST:
            few.append(f"{group or 'none'} ({n_positive} of {len(members)})")
        else:
            sets[f"{entry.group}: {group}"] = members
    areas = {
        (of, *key): measure_areas(is_positive[members], values[rows][members])
        for of, members in sets.items()
        for key, values in scores.items()
    }
    notes = [
        f"{n:,} rows labelled {label!r} are left out" for label, n in variants.left_out.items()
    ]
    if len(rows) < len(variants.alleles):
        notes.append(
            f"{len(variants.alleles) - len(rows):,} variants not scored by all are left out"
        )
    if few:
        notes.append(f"groups with fewer than {_LEAST} of a class: {', '.join(few)}")
    return _Result(name, areas, balance, notes)


def _write_table(results: Sequence[_Result], path: Path) -> None:
    with open_table(path) as write_row:
        write_row(
            ["data", "set", "model", "score", "positive", "negative", "auroc", "error", "auprc"]
        )
        for result in results:
            for (of, model, score), (n_positive, n_negative, *areas) in result.areas.items():
                numbers = [f"{each:.4f}" for each in areas]
                write_row([result.name, of, model, score, n_positive, n_negative, *numbers])


def _report(suite: VariantSuite, results: Sequence[_Result]) -> Iterator[str]:
    yield from (f"# {suite.title}", "")
    yield "AUROC ± standard error (Hanley and McNeil 1982), AUPRC; higher scores call a positive."
    for result in results:
        yield from ("", f"## {result.name}", "")
        every = list(dict.fromkeys(of for of, *_ in result.areas))
        sets = [of for of in every if of in (_ALL, _MATCHED)]
        yield f"| model | score | {' | '.join(_title(of, result) for of in sets)} |"
        yield "|---|---|" + "---|" * len(sets)
        for model, score in dict.fromkeys(key[1:] for key in result.areas):
            cells = [result.areas[of, model, score] for of in sets]
            texts = [f"{c.auroc:.3f} ± {c.error:.3f}, {c.auprc:.3f}" for c in cells]
            yield f"| {model} | {_code(score)} | {' | '.join(texts)} |"
        if groups := [of for of in every if of not in sets]:
            yield from ("", *_group_table(result, groups))
        if result.balance:
            yield from ("", "| matched by | difference before | after |", "|---|---|---|")
            for name, (before, after) in result.balance.items():
                yield f"| `{name}` | {before:+.3f} | {after:+.3f} |"
            yield from ("", "Standardised mean differences; below 0.1 in size is balanced.")
        if result.notes:
            yield from ("", "; ".join(result.notes) + ".")
    yield from ("", "## How it was made", "")
    if (command := command_line.get()) is not None:
        yield f"- command: `{command}`"
    yield f"- machine: {describe_machine()}"
    versions = ", ".join(f"{name} {version}" for name, version in package_versions().items())
    yield f"- versions: {versions}"


def _group_table(result: _Result, groups: Sequence[str]) -> Iterator[str]:
    """Lay out the AUROC of each group, a row each."""
    keys = list(dict.fromkeys(key[1:] for key in result.areas))
    yield f"| AUROC | {' | '.join(f'{model}, {_code(score)}' for model, score in keys)} |"
    yield "|---|" + "---|" * len(keys)
    for of in groups:
        cells = [f"{result.areas[of, *key].auroc:.3f}" for key in keys]
        yield f"| {_title(of, result)} | {' | '.join(cells)} |"


def _code(score: str) -> str:
    return f"`{score.replace('|', chr(92) + '|')}`"


def _title(of: str, result: _Result) -> str:
    areas = next(areas for (each, *_), areas in result.areas.items() if each == of)
    return f"{of} ({areas.n_positive:,} of {areas.n_positive + areas.n_negative:,})"
