"""Loss over the steps of fine-tuning, from the checkpoint and from random weights, in one picture.

    python benchmarks/loss_curves.py DATA --output benchmarks/results/loss_curves.png

As Figure 6d of Ji et al. 2021, on core promoters (labelled_sets.yaml) with 500 labels, one seed,
the defaults of `dnabert finetune`; both starts read the same sequences. 260 seconds of one core.
The losses are written beside the picture, as a table (`.tsv`).
"""

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from transformers import TrainerCallback

from dnabert_hf import finetune
from dnabert_hf.training.benchmark.data import write_subset
from dnabert_hf.training.benchmark.suite import Cell, Suite
from dnabert_hf.training.benchmark.suite_yaml import read_suite

SUITE = Path(__file__).with_name("labelled_sets.yaml")
DATA = "core promoters (70)"
STARTS = {"DNABERT-mini": "#0b6bb0", "DNABERT-mini from random weights": "#8c8c8c"}
STEPS = 4  # that a point of the training loss is the mean of

Row = dict[str, Any]


class Losses(TrainerCallback):
    """Keeps what the Trainer logs: training losses, and validation losses after each epoch."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def on_log(self, _args: Any, state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
        """Keep the losses of what was logged."""
        for name, split in (("loss", "train"), ("eval_loss", "validation")):
            if logs and name in logs:
                self.rows.append({"split": split, "step": state.global_step, "loss": logs[name]})


def losses_of(suite: Suite, start: str, *, labels: int, folder: Path) -> list[Row]:
    """Fine-tune one start, and return its losses."""
    model = next(each for each in suite.models if each.name == start)
    cell = Cell(DATA, labels, start, None, 0)
    kept = Losses()
    finetune(
        model.init,
        write_subset(suite, cell, folder),
        output_dir=folder / cell.folder(),
        config=model.config,
        arguments={"seed": 0, "logging_steps": STEPS},
        callbacks=[kept],
        reports=False,
        test=False,
    )
    return [{"start": start, **row} for row in kept.rows]


def draw(rows: list[Row], path: Path) -> None:
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    panel = figure.subplots()
    for start, colour in STARTS.items():
        for split, style in (("train", "-"), ("validation", "o--")):
            chosen = [row for row in rows if (row["start"], row["split"]) == (start, split)]
            points = [row["step"] for row in chosen], [row["loss"] for row in chosen]
            name = f"{start}, {split}"
            panel.plot(*points, style, color=colour, label=name, markersize=4, linewidth=1.2)
    panel.set(title=DATA, xlabel="step", ylabel="cross entropy, nats", ylim=(0, None))
    panel.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the labelled sets")
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--output", type=Path, required=True, help="picture to write")
    options = parser.parse_args()
    suite = read_suite(SUITE, data_folder=options.data)
    with tempfile.TemporaryDirectory() as name:
        parts = [
            losses_of(suite, start, labels=options.labels, folder=Path(name)) for start in STARTS
        ]
    rows = [row for part in parts for row in part]
    with options.output.with_suffix(".tsv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, options.output)


if __name__ == "__main__":
    main()
