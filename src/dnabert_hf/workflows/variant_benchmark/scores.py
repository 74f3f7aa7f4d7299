"""Scores of labelled variants by models and baselines, the higher the likelier a positive."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dnabert_hf.checkpoints import locate
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.kmers.counts import KmerRegression
from dnabert_hf.data.labelled.dataset import read_dataset
from dnabert_hf.data.labelled.positive_class import positive_id
from dnabert_hf.data.labelled.splits import labels_of
from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.windows import AlleleWindows, WindowCutter
from dnabert_hf.files.atomic import write_json, write_text
from dnabert_hf.files.fingerprint import fingerprint_file, fingerprint_start
from dnabert_hf.inference.variants.score_variants import score_variants
from dnabert_hf.training.benchmark.suite import slug
from dnabert_hf.training.kmer_counts.kmer_regression import fit_kmer_regression
from dnabert_hf.workflows.variant_benchmark.suite import BASELINES, KMERS, VariantModel

__all__ = ["score_baseline", "score_model"]

_NEAR = 21  # bases, within which CpG and GC change
_HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
_PURINES = ("AG", "GA", "CT", "TC")  # a purine for a purine, a pyrimidine for a pyrimidine
# What a harmful or rare variant should have more of, by column of the table.
_OF_MASKED = {
    "-log_likelihood_ratio": ("log_likelihood_ratio", -1),
    "|log_likelihood_ratio|": ("log_likelihood_ratio", 0),
    "embedding_distance": ("embedding_distance", 0),
}

Scores = Mapping[str, np.ndarray]


def score_model(
    model: VariantModel, alleles: Sequence[Allele], genome: Genome, folder: Path, *, name: str
) -> Scores:
    """Score variants by a checkpoint, whose table is kept and taken again while nothing changes.

    Args:
        model: The model.
        alleles: The variants.
        genome: The genome.
        folder: Folder of the benchmark.
        name: Name of the data set.

    Returns:
        Scores by name, shape (variants,), NaN for what could not be scored.
    """
    vcf = folder / "variants" / f"{slug(name)}.vcf"
    text = _HEADER + "".join(
        f"{each.contig}\t{each.start + 1}\t{row}\t{each.ref}\t{each.alt}\t.\t.\t.\n"
        for row, each in enumerate(alleles)
    )
    vcf.parent.mkdir(parents=True, exist_ok=True)
    if not vcf.exists() or vcf.read_text(encoding="utf-8") != text:
        write_text(text, vcf)
    table = folder / "scores" / f"{slug(name)}-{slug(model.name)}.tsv"
    about = {"variants": fingerprint_file(vcf), "genome": genome.fingerprint}
    about |= {"weights": fingerprint_start(locate(model.init)), "model": model.init}
    about |= {"window": str(model.window), "label": str(model.label)}
    record = table.with_suffix(".json")
    table.parent.mkdir(exist_ok=True)
    if not (table.exists() and record.exists() and json.loads(record.read_text()) == about):
        score_variants(
            model.init,
            vcf,
            genome,
            output=table,
            window=model.window,
            label=model.label,
            overwrite=True,
        )
        write_json(about, record)
    return _read_scores(table)


def _read_scores(table: Path) -> Scores:
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    scores = {}
    if "log_likelihood_ratio" in rows[0]:
        columns = _OF_MASKED
    else:
        kinds = ("diff_", "log_odds_ratio_")
        columns = {f"|{x}|": (x, 0) for x in rows[0] if x.startswith(kinds)}
    for name, (column, sign) in columns.items():
        values = np.array([float(row[column] or "nan") for row in rows])
        scores[name] = sign * values if sign else np.abs(values)
    return scores


def score_baseline(model: VariantModel, alleles: Sequence[Allele], genome: Genome) -> Scores:
    """Score variants without a network: by kind of change, or by counts of k-mers.

    Returns:
        Scores by name, shape (variants,), NaN for what could not be scored.
    """
    if model.init == KMERS:
        window, regression, positive = _fit(model)
    else:
        window = _NEAR
    cutter = WindowCutter(genome, window)
    cut = [cutter.cut(allele) for allele in alleles]
    known = [(row, each) for row, each in enumerate(cut) if isinstance(each, AlleleWindows)]
    if model.init == KMERS:
        sequences = [sequence for _, each in known for sequence in each[:2]]
        probabilities = regression.probabilities(sequences)[:, positive].clip(1e-7, 1 - 1e-7)
        odds = np.log2(probabilities) - np.log2(1 - probabilities)
        values = np.abs(odds[1::2] - odds[::2])
        name = "|log_odds_ratio|"
    else:
        measure = dict(zip(BASELINES, (_is_transversion, _cpg_change, _gc_change), strict=True))
        values = np.array([measure[model.init](each) for _, each in known], dtype=float)
        name = model.init
    scores = np.full(len(alleles), np.nan)
    scores[[row for row, _ in known]] = values
    return {name: scores}


def _fit(model: VariantModel) -> tuple[int, KmerRegression, int]:
    assert model.train is not None
    splits, scheme = read_dataset(model.train)
    sequences = list(splits["train"]["sequence"])
    regression = fit_kmer_regression(sequences, labels_of(splits["train"]), k=model.k)
    length = int(np.median([len(each) for each in sequences]))
    positive = positive_id(scheme)
    return model.window or length, regression, 1 if positive is None else positive


def _is_transversion(window: AlleleWindows) -> bool:
    return window.allele.ref + window.allele.alt not in _PURINES


def _cpg_change(window: AlleleWindows) -> int:
    return abs(window.alt.count("CG") - window.ref.count("CG"))


def _gc_change(window: AlleleWindows) -> int:
    before, after = (sum(map(dna.count, "GC")) for dna in window[:2])
    return abs(after - before)
