"""Whether scores of bases find what was planted: attention beside attributions.

    python benchmarks/attribution.py [--data MOTIF_SIM] [--write benchmarks/results/attribution.md]

Fine-tunes dnabert-6-mini on generated sequences with a planted motif, once with the mean of the
k-mers pooled, as it was made, and once with [CLS], as DNABERT was published; then scores the bases
of test sequences that hold the motif by each method, for the class of the motif. Prints for each
method, as means over the sequences:

- recall: share of the planted bases among the bases with the highest scores, as many as were
  planted (precision is the same number);
- AUPRC: average precision of the planted bases;
- fall of the probability when the tenth of the bases with the highest scores is replaced, when
  random bases are, and when bases in the same arrangement somewhere else are;
- CPU milliseconds a sequence, one thread.

--data names a folder with ctcf_density_150.tsv.gz and tal_gata_250.tsv.gz (simulated by others; the
column `motifs` says where each site is), which are then done too.
"""

import argparse
import csv
import gzip
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.metrics import average_precision_score

from dnabert_hf import attention_scores, attribution_scores, faithfulness, finetune
from dnabert_hf.data.building.simulation import CTCF, simulate_binding
from dnabert_hf.interpretation.attribution.scores import BaseScores

SIZES = {"train": 4000, "dev": 300, "test": 1000}  # as far as a set has as many
# A short site of our own making: chances in percent of A, C, G and T.
SHORT = (
    *((10, 70, 10, 10), (5, 5, 85, 5), (2, 2, 94, 2), (94, 2, 2, 2), (94, 2, 2, 2)),
    *((5, 5, 85, 5), (10, 10, 10, 70), (10, 10, 70, 10)),
)


class Example(NamedTuple):
    """A labelled sequence, and where something was planted: an array of booleans."""

    sequence: str
    label: str
    is_planted: np.ndarray


class Task(NamedTuple):
    """A set: examples by split, and the class of those that hold what is to be found."""

    name: str
    splits: dict[str, list[Example]]
    label: str


def simulated(name: str, motif, seed: int) -> Task:
    generator = np.random.default_rng(seed)
    splits = {}
    for split, n in SIZES.items():
        examples = []
        for item in simulate_binding(n, generator, motif=motif):
            places = np.arange(len(item.sequence)) - item.start
            is_planted = (places >= 0) & (places < len(motif)) & item.is_bound
            examples.append(
                Example(item.sequence, "bound" if item.is_bound else "free", is_planted)
            )
        splits[split] = examples
    return Task(name, splits, "bound")


def from_table(path: Path, label: str) -> Task:
    splits: dict[str, list[Example]] = {split: [] for split in SIZES}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            is_planted = np.zeros(len(row["sequence"]), dtype=bool)
            for site in filter(None, row["motifs"].split(";")):
                start, end, _ = site.split(":")
                is_planted[int(start) : int(end)] = True
            splits[row["split"]].append(Example(row["sequence"], row["label"], is_planted))
    splits = {split: rows[: SIZES[split]] for split, rows in splits.items()}
    return Task(path.name.removesuffix(".tsv.gz"), splits, label)


def train(task: Task, pooling: str, folder: Path, epochs: float, seed: int) -> dict[str, float]:
    files = {}
    for split, examples in task.splits.items():
        files[split] = folder / f"{split}.tsv"
        lines = [f"{each.sequence}\t{each.label}\n" for each in examples]
        files[split].write_text("sequence\tlabel\n" + "".join(lines), encoding="utf-8")
    result = finetune(
        "dnabert-6-mini",
        files,
        output_dir=folder / "model",
        config={"token_pooling": pooling},
        arguments={"num_train_epochs": epochs, "seed": seed, "disable_tqdm": True},
    )
    return result.scores["test"]


def methods(model: Path, label: str) -> dict[str, Callable[[list[str]], list[BaseScores]]]:
    def attention(**options):
        return lambda sequences: attention_scores(model, sequences, **options)

    def attribution(method):
        return lambda sequences: attribution_scores(model, sequences, method=method, label=label)

    return {
        "attention of [CLS]": attention(),
        "attention of k-mers": attention(query="kmers"),
        "rollout": attention(rollout=True),
        "gradient x input": attribution("gradient_x_input"),
        "integrated gradients": attribution("integrated_gradients"),
        "occlusion": attribution("occlusion"),
        "random scores": lambda sequences: _random_scores(sequences),
    }


def _random_scores(sequences: list[str]) -> list[BaseScores]:
    generator = np.random.default_rng(0)
    return [
        BaseScores(str(i), each, generator.random(len(each), dtype=np.float32), None)
        for i, each in enumerate(sequences)
    ]


def judge(task: Task, folder: Path, n: int) -> list[list[str]]:
    """Score the bases by each method; rows of the table."""
    chosen = [each for each in task.splits["test"] if each.label == task.label][:n]
    sequences = [each.sequence for each in chosen]
    rows = []
    for name, score in methods(folder / "model", task.label).items():
        begin = time.process_time()
        found = score(sequences)
        milliseconds = 1000 * (time.process_time() - begin) / len(sequences)
        recalls, precisions = [], []
        for each, example in zip(found, chosen, strict=True):
            top = np.argsort(-each.scores, kind="stable")[: example.is_planted.sum()]
            recalls.append(example.is_planted[top].mean())
            precisions.append(average_precision_score(example.is_planted, each.scores))
        falls = faithfulness(folder / "model", found, label=task.label)
        rows.append(
            [
                name,
                f"{np.mean(recalls):.3f}",
                f"{np.mean(precisions):.3f}",
                *(f"{fall:.3f}" for fall in falls[1:]),
                "-" if name == "random scores" else f"{milliseconds:,.1f}",
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the sets simulated by others")
    parser.add_argument("--only", help="name of the one set to do")
    parser.add_argument("--pooling", choices=("mean", "cls"), help="the one pooling to do")
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--sequences", type=int, default=100, help="test sequences to score")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="file that the table is added to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    makers: dict[str, Callable[[], Task]] = {
        "CTCF_19_in_100": lambda: simulated("CTCF_19_in_100", CTCF, options.seed),
        "short_8_in_100": lambda: simulated("short_8_in_100", SHORT, options.seed + 1),
    }
    if options.data is not None:
        for name, label in (("ctcf_density_150", "1"), ("tal_gata_250", "3")):
            path = options.data / f"{name}.tsv.gz"
            makers[name] = lambda path=path, label=label: from_table(path, label)
    header = "| method | recall | AUPRC | fall, top | fall, random | fall, shifted | ms |"
    for name, make in makers.items():
        if options.only not in (None, name):
            continue
        task = make()
        for pooling in ("mean", "cls"):
            if options.pooling not in (None, pooling):
                continue
            with tempfile.TemporaryDirectory() as folder:
                begin = time.process_time()
                scores = train(task, pooling, Path(folder), options.epochs, options.seed)
                seconds = time.process_time() - begin
                rows = judge(task, Path(folder), options.sequences)
            quality = ", ".join(f"{n} {scores[n]:.3f}" for n in ("accuracy", "auroc"))
            text = (
                f"\n### {name}, pooling {pooling}\n\ntest {quality}; trained on "
                f"{len(task.splits['train']):,} sequences in {seconds:.0f} CPU seconds\n\n"
                f"{header}\n|---|---|---|---|---|---|---|\n"
            )
            text += "".join(f"| {' | '.join(row)} |\n" for row in rows)
            print(text, flush=True)
            if options.write is not None:
                with options.write.open("a", encoding="utf-8") as file:
                    file.write(text)
    print(" ".join(sys.argv))


if __name__ == "__main__":
    main()
