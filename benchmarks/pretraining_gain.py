"""What pretraining is worth: fine-tuning from a checkpoint and from random weights, side by side.

    python benchmarks/pretraining_gain.py DATA_FOLDER --output benchmarks/results/pretraining_gain

DATA_FOLDER holds the tables named in SETS: columns sequence, label and split (train, dev, test),
tab separated, gzip. Of each, at most --labels training, --dev validation and --test test sequences
are used, drawn alike for every start; the test split is scored once a run. For each start (and set)
the learning rate is chosen on dev with the first seed, from the same candidates; a run keeps its
best epoch on dev. Writes OUTPUT.json (every run, so that a stopped benchmark goes on), OUTPUT.md
(table) and OUTPUT.png. --curve varies the number of labels of one of the sets, at the learning
rates that were chosen for it.
"""

import argparse
import csv
import gzip
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

SETS = {
    "promoters/human_prom70_core_gue": "core promoters, 70 bp",
    "splice/uci_splice_primate60": "splice sites, UCI, 60 bp",
    "enhancer/ienhancer_human200": "enhancers, 200 bp",
    "promoters/human_prom300_genomicneg": "promoters against genomic, 300 bp",
    "promoters/human_prom300_gue": "promoters, GUE, 300 bp",
    "tf/dnabert_sample_dev_101": "ChIP-seq, sample of DNABERT, 101 bp",
    "splice/gue_splice_human400": "splice sites, GUE, 400 bp",
    "tf/deepbind_GABPA_GM12878_101": "ChIP-seq, GABPA, 101 bp",
    "tf/deepbind_CTCFL_K562_101": "ChIP-seq, CTCFL, 101 bp",
    "tf/deepbind_USF1_HepG2_101": "ChIP-seq, USF1, 101 bp",
    "tf/gue_tf0_human101": "ChIP-seq, GUE tf/0, 101 bp",
    "tf/gue_tf1_human101": "ChIP-seq, GUE tf/1, 101 bp",
    "tf/gue_tf2_human101": "ChIP-seq, GUE tf/2, 101 bp",
    "tf/gue_tf3_human101": "ChIP-seq, GUE tf/3, 101 bp",
    "tf/gue_tf4_human101": "ChIP-seq, GUE tf/4, 101 bp",
}
STARTS = ("pretrained", "random")
LEARNING_RATES = (1e-3, 2e-3)
SEEDS = (0, 1, 2)
CURVE_LABELS = (100, 10**6)  # beside --labels; the last are all there are
EPOCHS = 6
STEPS = 150  # at least, so that a hundred labels are not three steps an epoch


class Run(NamedTuple):
    """One training."""

    data: str
    start: str
    n_labels: int
    learning_rate: float
    seed: int

    def key(self) -> str:
        """Name the run in the file of results."""
        return "|".join(map(str, self))


def write_subset(source: Path, target: Path, *, limits: dict[str, int], seed: int) -> int:
    """Draw the sequences of each split, the test always the same; how many are for training."""
    with gzip.open(source, "rt") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    kept = []
    for split, limit in limits.items():
        rng = np.random.default_rng(0 if split == "test" else seed)
        of_split = [row for row in rows if row["split"] == split]
        chosen = np.sort(rng.permutation(len(of_split))[:limit])
        kept += [of_split[i] for i in chosen]
    with target.open("w", newline="") as file:
        names = ["sequence", "label", "split"]
        writer = csv.DictWriter(file, names, delimiter="\t", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
    return sum(row["split"] == "train" for row in kept)


def train(
    run: Run, data: str, checkpoint: str, n_dev: int, n_test: int, layers: int
) -> dict[str, float]:
    """Fine-tune once; MCC on dev and test."""
    import logging
    import os

    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    torch.set_num_threads(1)
    from dnabert_hf import DNABertConfig, finetune

    logging.disable(logging.WARNING)
    config = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config["classifier_dropout"] = 0.1
    if run.start == "random":
        fields = DNABertConfig.from_pretrained(checkpoint).to_dict()
        names = ("k", "hidden_size", "num_hidden_layers", "num_attention_heads", "token_pooling")
        config |= {name: fields[name] for name in (*names, "intermediate_size")}
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "data.tsv"
        source = Path(data) / f"{run.data}.tsv.gz"
        limits = {"train": run.n_labels, "dev": n_dev, "test": n_test}
        n_train = write_subset(source, table, limits=limits, seed=run.seed)
        n_steps = max(STEPS, EPOCHS * -(-n_train // 32))
        result = finetune(
            checkpoint if run.start == "pretrained" else "random",
            table,
            output_dir=Path(folder) / "run",
            config=config,
            reinitialise_layers=layers if run.start == "pretrained" else 0,
            arguments={
                "learning_rate": run.learning_rate,
                "seed": run.seed,
                "max_steps": n_steps,
                "eval_strategy": "steps",
                "eval_steps": -(-n_steps // EPOCHS),
                "per_device_eval_batch_size": 128,
                "disable_tqdm": True,
            },
        )
    scores = {"dev": result.scores["validation"]["mcc"], "test": result.scores["test"]["mcc"]}
    return scores | {"labels": n_train}


class Results:
    """Every run so far, kept in a file."""

    def __init__(self, path: Path):
        self.path = path
        self.scores = json.loads(path.read_text()) if path.exists() else {}

    def complete(self, runs: list[Run], options: argparse.Namespace) -> None:
        """Make the runs that are missing."""
        missing = [run for run in runs if run.key() not in self.scores]
        with ProcessPoolExecutor(options.processes) as pool:
            arguments = (str(options.data), str(options.checkpoint), options.dev, options.test)
            arguments = (*arguments, options.reinitialise_layers)
            futures = {run: pool.submit(train, run, *arguments) for run in missing}
            for run, future in futures.items():
                self.scores[run.key()] = future.result()
                print(run.key(), self.scores[run.key()], flush=True)
                self.path.write_text(json.dumps(self.scores, indent=1) + "\n")

    def best_rate(self, data: str, start: str, n_labels: int) -> float:
        """Learning rate with the best MCC on dev, first seed."""
        return max(
            LEARNING_RATES,
            key=lambda rate: self.scores[Run(data, start, n_labels, rate, 0).key()]["dev"],
        )

    def n_labels(self, data: str, asked_for: int) -> int:
        """How many labels there really were."""
        runs = ([*key.split("|"), score] for key, score in self.scores.items())
        return next(s["labels"] for d, _, n, _, _, s in runs if (d, n) == (data, str(asked_for)))

    def test_scores(
        self, data: str, start: str, n_labels: int, chosen_at: int
    ) -> tuple[float, list[float]]:
        """Learning rate that was chosen at a number of labels, and MCC on test by seed."""
        rate = self.best_rate(data, start, chosen_at)
        keys = [Run(data, start, n_labels, rate, seed).key() for seed in SEEDS]
        return rate, [self.scores[key]["test"] for key in keys if key in self.scores]


def compare(results: Results, cases: list[tuple[str, int]], options: argparse.Namespace) -> None:
    """Choose the learning rates of each set, then make the runs of the other seeds."""
    for data, n_labels in cases:
        starts = [(data, start) for start in STARTS]
        if n_labels == options.labels:
            runs = [Run(*s, n_labels, rate, 0) for rate in LEARNING_RATES for s in starts]
            results.complete(runs, options)
        chosen = [(*s, n_labels, results.best_rate(*s, options.labels)) for s in starts]
        results.complete([Run(*c, seed) for seed in SEEDS for c in chosen], options)


def write_table(results: Results, cases: list[tuple[str, int]], chosen_at: int, path: Path) -> None:
    lines = [
        "| data | labels | pretrained MCC | (rate) | random MCC | (rate) | gain |",
        "|---|---|---|---|---|---|---|",
    ]
    for data, n_labels in cases:
        cells, means = [], []
        for start in STARTS:
            rate, scores = results.test_scores(data, start, n_labels, chosen_at)
            means.append(np.mean(scores))
            cells.append(f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f} | {rate:g}")
        gain = means[0] - means[1]
        shown = "all" if n_labels == CURVE_LABELS[-1] else n_labels
        lines.append(f"| {SETS[data]} | {shown} | {' | '.join(cells)} | {gain:+.3f} |")
    path.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def plot(
    results: Results, cases: list[tuple[str, int]], curve: list[tuple[str, int]], path: Path
) -> None:
    """Draw a pair of bars a set, and the curve over the number of labels."""
    from matplotlib.figure import Figure

    colours = {"pretrained": "#0b6bb0", "random": "#b0b0b0"}
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    bars, *others = figure.subplots(1, 2, width_ratios=(3, 2)) if curve else [figure.subplots()]
    places = np.arange(len(cases))
    for shift, start in zip((-0.2, 0.2), STARTS, strict=True):
        scores = [results.test_scores(data, start, n, n)[1] for data, n in cases]
        means = [np.mean(each) for each in scores]
        bars.barh(places + shift, means, 0.38, color=colours[start], label=f"{start} weights")
        for place, each in zip(places, scores, strict=True):
            bars.plot(each, [place + shift] * len(each), "k.", markersize=4)
    bars.set_yticks(places, [SETS[data] for data, _ in cases], fontsize=8)
    bars.invert_yaxis()
    bars.set(xlabel="test MCC", title=f"Fine-tuning, {cases[0][1]} labels, points are seeds")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    for lines, start in ((axes, start) for axes in others for start in STARTS):
        by_labels = {
            results.n_labels(data, n): results.test_scores(data, start, n, cases[0][1])[1]
            for data, n in sorted(curve)
        }
        means = [np.mean(each) for each in by_labels.values()]
        lines.plot(list(by_labels), means, "o-", color=colours[start], label=start)
        for n, each in by_labels.items():
            lines.plot([n] * len(each), each, ".", color=colours[start], markersize=4)
        lines.set(xscale="log", xlabel="labels", ylabel="test MCC", title=SETS[curve[0][0]])
        lines.set_xticks(list(by_labels), [f"{n:,}" for n in by_labels])
        lines.minorticks_off()
    for axes in (bars, *others):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with the tables")
    parser.add_argument("--checkpoint", type=Path, help="by default dnabert-6-mini")
    parser.add_argument("--output", type=Path, required=True, help="path without suffix")
    parser.add_argument("--sets", nargs="*", default=list(SETS), help="tables, without .tsv.gz")
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--dev", type=int, default=500)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--curve", help="table whose number of labels to vary")
    parser.add_argument("--reinitialise-layers", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.checkpoint is None:
        import dnabert_hf

        options.checkpoint = dnabert_hf.checkpoint("dnabert-6-mini")
    results = Results(options.output.with_suffix(".json"))
    cases = [(name, options.labels) for name in options.sets]
    compare(results, cases, options)
    curve = [(options.curve, n) for n in CURVE_LABELS] if options.curve else []
    compare(results, curve, options)
    write_table(results, [*cases, *curve], options.labels, options.output.with_suffix(".md"))
    if curve:
        curve.append((options.curve, options.labels))
    plot(results, cases, curve, options.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
