"""Fine-tuning from random weights beside logistic regression on k-mer counts, on real data.

    python benchmarks/classification.py DATA_FOLDER --output results.md

DATA_FOLDER holds the tables named in SETS: columns sequence, label and split (train, dev, test),
tab separated, gzip. Each set trains one small model on the training split, chooses the epoch on dev
and scores the test split once; the regression is trained on the same training split, and its k is
chosen on dev. No pretraining is used: this is what the labels alone teach.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from dnabert_hf import finetune
from dnabert_hf.data.labelled.dataset import read_dataset
from dnabert_hf.metrics.scores import score_predictions
from dnabert_hf.training.kmer_counts.kmer_regression import kmer_logistic_regression

SETS = {
    "tf/deepbind_GABPA_GM12878_101": "ChIP-seq, GABPA in GM12878, 101 bp",
    "tf/deepbind_USF1_HepG2_101": "ChIP-seq, USF1 in HepG2, 101 bp",
    "promoters/human_prom70_core_gue": "core promoters, human, 70 bp",
}
MODEL = {
    "k": 4,
    "hidden_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 384,
}
ARGUMENTS = {
    "num_train_epochs": 4,
    "learning_rate": 1e-3,
    "per_device_train_batch_size": 64,
    "per_device_eval_batch_size": 256,
}
REGRESSION_KS = (4, 5)


def regression_scores(path: Path) -> tuple[int, dict[str, float]]:
    """Choose k on dev and score the test split."""
    data, _ = read_dataset(path)
    splits = {
        name: (list(split["sequence"]), np.array(split["labels"])) for name, split in data.items()
    }
    sequences, labels = splits["train"]

    def score(name: str, k: int) -> dict[str, float]:
        probabilities = kmer_logistic_regression(sequences, labels, splits[name][0], k=k)
        return score_predictions(
            splits[name][1], probabilities, problem_type="single_label_classification"
        )

    best = max(REGRESSION_KS, key=lambda k: score("validation", k)["mcc"])
    return best, score("test", best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with the tables")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    parser.add_argument("--sets", nargs="*", default=list(SETS), help="tables, without .tsv.gz")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    size = ", ".join(f"{name} {value}" for name, value in MODEL.items())
    lines = [
        f"DNABERT from random weights ({size}; {ARGUMENTS['num_train_epochs']} epochs, learning "
        f"rate {ARGUMENTS['learning_rate']}, seed {options.seed}) beside logistic regression on "
        "k-mer counts, test split:",
        "",
        "| data | DNABERT AUROC | MCC | regression AUROC | MCC | minutes |",
        "|---|---|---|---|---|---|",
    ]
    for name in options.sets:
        path = options.data / f"{name}.tsv.gz"
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            result = finetune(
                "random",
                path,
                output_dir=Path(folder) / "run",
                config=MODEL,
                arguments=ARGUMENTS | {"seed": options.seed},
            )
        minutes = (time.perf_counter() - begin) / 60
        ours = result.scores["test"]
        k, theirs = regression_scores(path)
        lines.append(
            f"| {SETS.get(name, name)} | {ours['auroc']:.3f} | {ours['mcc']:.3f} | "
            f"{theirs['auroc']:.3f} (k = {k}) | {theirs['mcc']:.3f} | {minutes:.1f} |"
        )
        print("\n".join(lines), flush=True)
    if options.output:
        options.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
