"""Scores of variants against what was measured: saturation mutagenesis, ClinVar, ExAC, dbSNP.

    python benchmarks/mpra.py DATA_FOLDER --model dnabert-6-mini

DATA_FOLDER holds variants/ (saturation-mutagenesis MPRA of Kircher et al. 2019; slices of ClinVar,
ExAC and dbSNP with the 512 bases around each variant) and promoters/human_prom300_genomicneg.

Scored without labels by the masked language model (--model: log-likelihood ratio of the masked
base, distance of the embeddings), and by a promoter model that is fine-tuned from it here, beside
logistic regression on the 5-mers of the same promoters and the change of GC. Of the MPRA, the rank
correlation of the size of the score with the size of the measured effect for each region; of
ClinVar the AUROC of pathogenic against benign; of ExAC the rank correlation with the allele
frequency. Writes --output (Markdown). What is computed stays in --folder: a stopped run goes on.
"""

import argparse
import csv
import gzip
import json
import math
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

PROMOTERS = "promoters/human_prom300_genomicneg.tsv.gz"
SLICES = {
    "clinvar": "variants/clinvar_chr1_slice.tsv.gz",
    "exac": "variants/exac_chr1_slice.tsv.gz",
    "dbsnp": "variants/dbsnp_chr22_20_21M.tsv.gz",
}
SPLITS = {"train": 1.0, "dev": 0.2, "test": 0.3}  # of --labels
LEAST_BARCODES = 10  # below, the measured effect is noise
HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
SCORES = {
    "log_likelihood_ratio": "likelihood ratio",
    "embedding_distance": "embedding distance",
    "diff": "promoter model, diff",
    "log_odds_ratio": "promoter model, log odds",
    "kmers": "5-mer regression",
    "gc": "change of GC",
}

Row = dict[str, Any]


def read_table(path: Path) -> list[Row]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write_genome(data: Path, folder: Path) -> list[Row]:
    """Write what the variants lie on as contigs, and all variants as a VCF; return these."""
    contigs, variants = {}, []
    for row in read_table(data / "variants/mpra_satmut_regions.tsv.gz"):
        contigs[row["element"]] = row["sequence"]
    for row in read_table(data / "variants/mpra_satmut_variants.tsv.gz"):
        sequence, offset = contigs[row["element"]], int(row["offset0"])
        if int(row["barcodes"]) < LEAST_BARCODES or (row["type"] == "del1" and not offset):
            continue
        place = {"start": offset, "ref": row["ref"], "alt": row["alt"]}
        if row["type"] == "del1":  # VCF needs the base before
            before = sequence[offset - 1]
            place = {"start": offset - 1, "ref": before + sequence[offset], "alt": before}
        effect = abs(float(row["log2_effect"]))
        variants.append({"set": "mpra", "contig": row["element"], "effect": effect, **place})
    for name, path in SLICES.items():
        for number, row in enumerate(read_table(data / path)):
            contig = f"{name}_{number}"
            contigs[contig] = row["ref_window512"]
            place = {"start": int(row["offset0"]), "ref": row["ref"], "alt": row["alt"]}
            known = {key: row[key] for key in ("label", "allele_frequency") if key in row}
            variants.append({"set": name, "contig": contig, **known, **place})
    fasta, vcf = folder / "regions.fa", folder / "variants.vcf"
    if not vcf.exists():  # a changed time would make a stopped run begin again
        fasta.write_text("".join(f">{name}\n{dna}\n" for name, dna in contigs.items()))
        lines = [f"{v['contig']}\t{v['start'] + 1}\t.\t{v['ref']}\t{v['alt']}" for v in variants]
        vcf.write_text(HEADER + "".join(f"{line}\t.\t.\t.\n" for line in lines))
    return variants


def write_promoters(data: Path, path: Path, n_labels: int) -> None:
    rng = np.random.default_rng(0)
    by_split = defaultdict(list)
    for row in read_table(data / PROMOTERS):
        by_split[row["split"]].append(row)
    with path.open("w") as file:
        file.write("sequence\tlabel\tsplit\n")
        for split, share in SPLITS.items():
            for index in rng.permutation(len(by_split[split]))[: int(share * n_labels)]:
                row = by_split[split][index]
                file.write(f"{row['sequence']}\t{row['label']}\t{split}\n")


def train(model: str, data: Path, folder: Path, n_labels: int, epochs: int) -> dict[str, float]:
    """Fine-tune a promoter model; scores of its test split, and the seconds that it took."""
    from dnabert_hf import finetune

    done = folder / "training.json"
    if not done.exists():
        write_promoters(data, folder / "promoters.tsv", n_labels)
        begin = time.process_time()
        result = finetune(
            model,
            folder / "promoters.tsv",
            output_dir=folder / "promoters",
            arguments={"num_train_epochs": epochs},
            overwrite=True,
        )
        scores = dict(result.scores["test"]) | {"cpu_seconds": time.process_time() - begin}
        done.write_text(json.dumps(scores))
    return json.loads(done.read_text())


def score(model: str | Path, folder: Path, name: str, window: int) -> list[Row]:
    from dnabert_hf import open_genome, score_variants

    output = folder / f"{name}.tsv"
    if not output.exists():
        genome = open_genome(folder / "regions.fa")
        score_variants(model, folder / "variants.vcf", genome, output=output, window=window)
    return read_table(output)


def add_baselines(variants: list[Row], folder: Path, window: int) -> None:
    """Score by 5-mers of the promoters' training split, and by GC, in the same windows."""
    from dnabert_hf import open_genome
    from dnabert_hf.data.variants.alleles import Allele
    from dnabert_hf.data.variants.windows import AlleleWindows, WindowCutter
    from dnabert_hf.training.kmer_counts.kmer_regression import kmer_logistic_regression

    cutter = WindowCutter(open_genome(folder / "regions.fa"), window)
    cut = []
    for variant in variants:
        allele = Allele(*(variant[key] for key in ("contig", "start", "ref", "alt")))
        found = cutter.cut(allele)
        if isinstance(found, AlleleWindows):
            cut.append((variant, found))
    rows = [row for row in read_table(folder / "promoters.tsv") if row["split"] == "train"]
    labels = np.array([int(row["label"]) for row in rows])
    sequences = [sequence for _, found in cut for sequence in found[:2]]
    known = kmer_logistic_regression([row["sequence"] for row in rows], labels, sequences)[:, 1]
    for (variant, found), before, after in zip(cut, known[::2], known[1::2], strict=True):
        n_gc = [sum(map(sequence.count, "GC")) for sequence in found[:2]]
        variant |= {"kmers": after - before, "gc": n_gc[1] - n_gc[0]}


def collect(variants: list[Row], folder: Path, options: argparse.Namespace) -> None:
    """Add the scores of each model to the variants."""
    masked = score(options.model, folder, "masked", options.window)
    promoters = score(folder / "promoters", folder, "promoter_scores", options.promoter_window)
    for variant, *rows in zip(variants, masked, promoters, strict=True):
        for row in rows:
            assert (row["contig"], row["alt"]) == (variant["contig"], variant["alt"])
            variant |= {key: float(row[key]) for key in SCORES if row.get(key)}
    add_baselines(variants, folder, options.promoter_window)


def correlation(variants: list[Row], score: str, known: str, *, signed: bool = False) -> float:
    from scipy.stats import spearmanr

    pairs = [(v[score], float(v[known])) for v in variants if score in v]
    if len(pairs) < 10:
        return math.nan
    scores, values = np.array(pairs).T
    scores = scores if signed else np.abs(scores)
    return math.nan if np.ptp(scores) == 0 else float(spearmanr(scores, values).statistic)


def mpra_table(variants: list[Row]) -> list[str]:
    """Correlate sizes of score and effect, region by region, for single bases and deletions."""
    regions = list(dict.fromkeys(v["contig"] for v in variants))
    lines = [
        f"| region | variants | {' | '.join(SCORES.values())} |",
        f"|---|---|{'---|' * len(SCORES)}",
    ]
    for kind, is_kind in (("bases", False), ("deletions", True)):
        chosen = [v for v in variants if (len(v["ref"]) > 1) == is_kind]
        by_region = [[v for v in chosen if v["contig"] == region] for region in regions]
        table = np.array(
            [[correlation(each, score, "effect") for score in SCORES] for each in by_region]
        )
        if not is_kind:
            for region, each, row in zip(regions, by_region, table, strict=True):
                lines.append(f"| {region} | {len(each):,} | {' | '.join(map(shown, row))} |")
        means = [
            np.nanmean(column) if not np.isnan(column).all() else math.nan for column in table.T
        ]
        lines.append(f"| **mean, {kind}** | {len(chosen):,} | {' | '.join(map(shown, means))} |")
    return lines


def shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def slices_table(variants: list[Row]) -> list[str]:
    from sklearn.metrics import roc_auc_score

    of = {name: [v for v in variants if v["set"] == name] for name in SLICES}
    known = [v for v in of["clinvar"] if v["label"] in ("0", "1")]
    n_pathogenic = sum(v["label"] == "1" for v in known)
    lines = [
        f"| score | ClinVar AUROC ({n_pathogenic} pathogenic, {len(known) - n_pathogenic} benign) "
        f"| ExAC, correlation with frequency ({len(of['exac']):,}) "
        f"| dbSNP, median size ({len(of['dbsnp']):,}) | scored |",
        "|---|---|---|---|---|",
    ]
    for name, title in SCORES.items():
        pairs = [(abs(v[name]), v["label"] == "1") for v in known if name in v]
        scores, labels = zip(*pairs, strict=True)
        area = roc_auc_score(labels, scores)
        frequency = correlation(of["exac"], name, "allele_frequency")
        sizes = [abs(v[name]) for v in of["dbsnp"] if name in v]
        n_scored = sum(name in v for each in of.values() for v in each)
        lines.append(
            f"| size of {title} | {area:.3f} | {shown(frequency)} | {np.median(sizes):.3g} | "
            f"{n_scored:,} |"
        )
    # An unlikely base should do harm and be rare: here the sign counts.
    ratio = "log_likelihood_ratio"
    pairs = [(-v[ratio], v["label"] == "1") for v in known if ratio in v]
    scores, labels = zip(*pairs, strict=True)
    frequency = correlation(of["exac"], ratio, "allele_frequency", signed=True)
    lines.append(
        f"| likelihood ratio, signed (pathogenic: lower) | {roc_auc_score(labels, scores):.3f} | "
        f"{shown(frequency)} | - | - |"
    )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="dnabert-6-mini", help="a masked language model")
    parser.add_argument("--window", type=int, default=200, help="bases the masked model sees")
    parser.add_argument(
        "--promoter-window", type=int, default=256, help="bases; the shortest region has 259"
    )
    parser.add_argument("--labels", type=int, default=900, help="promoters to train on")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "mpra")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/variants.md"))
    options = parser.parse_args()
    folder = options.folder / Path(options.model).name
    folder.mkdir(parents=True, exist_ok=True)
    variants = write_genome(options.data, folder)
    trained = train(options.model, options.data, folder, options.labels, options.epochs)
    collect(variants, folder, options)
    mpra = [v for v in variants if v["set"] == "mpra"]
    lines = [
        "# Scores of variants against what was measured",
        "",
        f"`python benchmarks/mpra.py DATA --model {options.model} --window {options.window} "
        f"--promoter-window {options.promoter_window} --labels {options.labels} --epochs "
        f"{options.epochs}`",
        "",
        f"Promoter model: {options.model} fine-tuned on {options.labels:,} sequences of "
        f"`human_prom300_genomicneg`, {trained['cpu_seconds']:.0f} s of processor; test MCC "
        f"{trained['mcc']:.3f}, AUROC {trained['auroc']:.3f}.",
        "",
        "## Saturation mutagenesis: Spearman's correlation of the sizes of score and effect",
        "",
        f"At least {LEAST_BARCODES} barcodes. The likelihood ratio is of single bases only.",
        "",
        *mpra_table(mpra),
        "",
        "## ClinVar, ExAC, dbSNP",
        "",
        *slices_table(variants),
        "",
    ]
    options.output.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
