"""Attention of a model of human promoters: TATA promoters, other promoters, and genomic DNA.

    python benchmarks/landscape.py DATA [--output landscape] [--pooling mean] [--model FOLDER]

DATA holds human_prom300_genomicneg.tsv.gz and human_prom300_chunkneg.tsv.gz (promoters of EPDnew,
-249 to +50, the start site at base 249; the second says which have a TATA box). Fine-tunes
dnabert-6-mini on 1,000 promoters, 700 with a TATA box, and 1,000 genomic windows of the same GC, on
one core. Prints for attention and attributions where the landscape of each class of the test split
is highest, and by how much the mean score of -35 to -20 exceeds that of all other bases: in units
of the mean absolute score, and in standard errors (z).
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dnabert_hf import attention_scores, finetune
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.interpretation.attribution.attribution import attribution_scores
from dnabert_hf.interpretation.attribution.scores import BaseScores
from dnabert_hf.interpretation.plots.scores import plot_landscape

START_SITE = 249
FIRST, LAST = -35, -20  # of the TATA box, relative to the start site, both included
N_TRAIN = {"TATA promoters": 700, "other promoters": 300, "genomic": 1000}
N_DEV = {"TATA promoters": 100, "other promoters": 50, "genomic": 150}
N_TEST = 150


def read(folder: Path) -> pd.DataFrame:
    """Read sequences with the group each is of."""
    table = pd.read_csv(folder / "human_prom300_genomicneg.tsv.gz", sep="\t")
    flags = pd.read_csv(folder / "human_prom300_chunkneg.tsv.gz", sep="\t")
    flags = flags[flags.label == 1]
    tata = set(flags.sequence[flags.tata == 1])
    known = set(flags.sequence)
    table = table[(table.label == 0) | table.sequence.isin(known)]
    table["group"] = np.where(
        table.label == 0,
        "genomic",
        np.where(table.sequence.isin(tata), "TATA promoters", "other promoters"),
    )
    return table.sample(frac=1, random_state=0)


def take(table: pd.DataFrame, split: str, counts: dict[str, int]) -> pd.DataFrame:
    """Take the first sequences of each group of a split."""
    rows = table[table.split == split]
    return pd.concat([rows[rows.group == group].head(n) for group, n in counts.items()])


def score(folder: Path, test: pd.DataFrame, pooling: str) -> Iterator[tuple[str, list]]:
    """Score the test sequences in each way."""
    query = "cls" if pooling == "cls" else "kmers"
    records = [SequenceRecord(*row) for row in test[["id", "sequence"]].itertuples(index=False)]
    yield f"attention ({query}, last layer)", attention_scores(folder, records, query=query)
    yield "attention rollout", attention_scores(folder, records, rollout=True)
    for method in ("gradient_x_input", "integrated_gradients", "occlusion"):
        some = records if method != "occlusion" else subset(records, test)
        yield method, attribution_scores(folder, some, method=method, label="1")


def subset(records: list[SequenceRecord], test: pd.DataFrame) -> list[SequenceRecord]:
    """Twenty-five of each group: occlusion runs the model once for each base."""
    rank = test.groupby("group").cumcount().to_numpy()
    return [record for record, n in zip(records, rank, strict=True) if n < 25]


def describe(scores: list[BaseScores]) -> tuple[float, float]:
    """Compare the stretch of the TATA box with all else, in standard errors too."""
    table = np.stack([each.scores for each in scores]).astype(float)
    inside = table[:, START_SITE + FIRST : START_SITE + LAST + 1].mean(axis=1)
    outside = np.delete(table, np.s_[START_SITE + FIRST : START_SITE + LAST + 1], axis=1)
    difference = inside - outside.mean(axis=1)
    error = difference.std(ddof=1) / np.sqrt(len(table))
    return float(difference.mean() / np.abs(table).mean()), float(difference.mean() / error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, default=Path("landscape"))
    parser.add_argument("--model", type=Path, help="score this one in place of training")
    parser.add_argument("--pooling", choices=("cls", "mean"), default="mean")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.output.mkdir(exist_ok=True)
    table = read(options.data)
    counts = {"train": N_TRAIN, "dev": N_DEV, "test": dict.fromkeys(N_TRAIN, N_TEST)}
    parts = {split: take(table, split, counts[split]) for split in counts}
    data = options.output / "data.tsv"
    pd.concat(parts.values())[["id", "sequence", "label", "split"]].to_csv(
        data, sep="\t", index=False
    )
    model = options.model or options.output / f"model-{options.pooling}"
    if not options.model and not (model / "metrics.json").exists():
        begin = time.process_time()
        result = finetune(
            "dnabert-6-mini", data, output_dir=model, config={"token_pooling": options.pooling}
        )
        print(f"trained in {time.process_time() - begin:.0f} s of one core")
        print("test", {name: round(value, 3) for name, value in result.scores["test"].items()})
    test = parts["test"]
    groups = dict(zip(test.id, test.group, strict=True))
    print("| score | sequences | peak, from the start site | -35..-20 against the rest | z |")
    print("|---|---|---|---|---|")
    for name, scores in score(model, test, options.pooling):
        by_group: dict[str, list[BaseScores]] = {group: [] for group in N_TRAIN}
        for each in scores:
            by_group[groups[each.id]].append(each)
        picture = options.output / f"{name.split(' (')[0].replace(' ', '_')}-{options.pooling}.png"
        for landscape in plot_landscape(by_group, picture, origin=START_SITE):
            share, z = describe(by_group[landscape.name])
            print(
                f"| {name} | {landscape.name} | {landscape.peak():+d} | {share:+.2f} | {z:+.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
