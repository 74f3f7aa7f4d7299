"""Label curves of two starts, from the scores of trainings on a GPU.

    python benchmarks/label_curves.py benchmarks/results/fine_tuning.tsv \
        --output benchmarks/results/label_curves.png

The table has a row for each training (columns run, data, init, seed, labels, best_mcc and others,
see results/fine_tuning.md); the rows of the runs few, few150, many and table are drawn.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

SETS = (
    "core promoters (70)",
    "human TF 1 (101)",
    "splice sites, primates (60)",
    "yeast H3 (500)",
)
STARTS = {"dnabert-6-mini": "#0b6bb0", "random": "#8c8c8c"}
RUNS = ("few150", "few", "table", "many")  # of 100 labels, the first that has them counts


def label_curves(path: Path) -> dict[tuple[str, str], dict[int, list[float]]]:
    """Read the MCC of each seed by set and start, and by the number of labels."""
    found: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(dict)
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["init"] in STARTS]
    for run in RUNS:
        by_cell = defaultdict(list)
        for row in rows:
            if row["run"] == run and row["data"] in SETS:
                cell = (row["data"], row["init"], int(row["labels"]))
                by_cell[cell].append(float(row["best_mcc"]))
        for (data, start, n), values in by_cell.items():
            found[data, start].setdefault(n, values)
    return found


def draw(curves: dict[tuple[str, str], dict[int, list[float]]], path: Path) -> None:
    figure = Figure(figsize=(10, 3.1), layout="constrained")
    panels = figure.subplots(1, len(SETS))
    for panel, data in zip(panels, SETS, strict=True):
        for start, colour in STARTS.items():
            points = sorted(curves[data, start].items())
            labels, scores = [n for n, _ in points], [values for _, values in points]
            band = [[edge(values) for values in scores] for edge in (min, max)]
            panel.fill_between(labels, *band, color=colour, alpha=0.15, linewidth=0)
            means = [np.mean(values) for values in scores]
            panel.plot(labels, means, "o-", color=colour, label=start, markersize=4)
        panel.set_xscale("log")
        ticks = (100, 300, 1000, 3000)
        panel.set_xticks(ticks, [f"{n:,}" for n in ticks])
        panel.minorticks_off()
        panel.set(title=data, xlabel="labels", ylim=(0, 1))
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("test MCC")
    names = ["pretrained", "random weights"]
    lines = panels[0].get_lines()
    figure.legend(lines, names, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores", type=Path)
    parser.add_argument("--output", type=Path, required=True, help="picture to write")
    options = parser.parse_args()
    draw(label_curves(options.scores), options.output)


if __name__ == "__main__":
    main()
