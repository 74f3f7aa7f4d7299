"""Loss over the steps of fine-tuning, from the checkpoint and from random weights, in one picture.

    python benchmarks/loss_curves.py DATA --output benchmarks/results/loss_curves.png

As Figure 6d of Ji et al. 2021, on two sets of labelled_sets.yaml with 500 labels each, one seed,
the defaults of `dnabert finetune`; both starts read the same sequences. Some minutes of one core.
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
SETS = ("core promoters (70)", "splice sites, primates (60)")
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


def losses_of(suite: Suite, data: str, start: str, *, labels: int, folder: Path) -> list[Row]:
    """Fine-tune one start on one set, and return its losses."""
    model = next(each for each in suite.models if each.name == start)
    cell = Cell(data, labels, start, None, 0)
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
    return [{"data": data, "start": start, **row} for row in kept.rows]


def draw(rows: list[Row], path: Path) -> None:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for panel, data in zip(figure.subplots(1, len(SETS)), SETS, strict=True):
        for start, colour in STARTS.items():
            for split, style in (("train", "-"), ("validation", "o")):
                chosen = [
                    r for r in rows if (r["data"], r["start"], r["split"]) == (data, start, split)
                ]
                points = [r["step"] for r in chosen], [r["loss"] for r in chosen]
                name = f"{start}, {split}"
                panel.plot(*points, style, color=colour, label=name, markersize=4, linewidth=1.4)
        panel.set(title=data, xlabel="step", ylabel="cross entropy, nats", ylim=(0, None))
        panel.spines[["top", "right"]].set_visible(False)
    handles = panel.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the labelled sets")
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--output", type=Path, required=True, help="picture to write")
    options = parser.parse_args()
    suite = read_suite(SUITE, data_folder=options.data)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row
            for data in SETS
            for start in STARTS
            for row in losses_of(suite, data, start, labels=options.labels, folder=Path(folder))
        ]
    with options.output.with_suffix(".tsv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, options.output)


if __name__ == "__main__":
    main()
