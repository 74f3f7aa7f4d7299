"""The report of a benchmark from tables of scores that were made apart, as on different machines.

    python benchmarks/report_scores.py benchmarks/labelled_sets.yaml DATA scores.tsv ... -o FOLDER

Each table is as `dnabert benchmark` and finetune_on_gpu.py write it. A model and data set is taken
from the first table that has it, with the seeds that it has there. FOLDER receives report.md,
scores.tsv and scores.png from the package's own report; notes.md in FOLDER is appended.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from dnabert_hf.training.benchmark.report import CellResult, write_report
from dnabert_hf.training.benchmark.suite import Cell, Suite
from dnabert_hf.training.benchmark.suite_yaml import read_suite

NOTES = "notes.md"


def read_scores(paths: Sequence[Path], suite: Suite) -> dict[Cell, CellResult]:
    """Read the cells of a suite, those of each model and data set from the first table with any.

    Raises:
        ValueError: If none of the tables has a cell of the suite.
    """
    done: dict[Cell, CellResult] = {}
    cases, models = set(suite.cases()), {model.name for model in suite.models}
    for path in paths:
        earlier = {(cell.data, cell.model) for cell in done}
        with path.open(newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                labels = None if row["labels"] == "all" else int(row["labels"])
                cell = Cell(row["data"], labels, row["model"], None, int(row["seed"]))
                is_of_suite = (cell.data, labels) in cases and cell.model in models
                if is_of_suite and (cell.data, cell.model) not in earlier:
                    seconds = float(row["seconds"]) if row["seconds"] else None
                    done[cell] = CellResult(float(row[suite.metric]), seconds)
    if not done:
        raise ValueError(f"the tables must have cells of {suite.title}, found none in {paths}")
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", type=Path)
    parser.add_argument("data", type=Path, help="folder of the labelled sets, to count them")
    parser.add_argument("scores", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    suite = read_suite(options.suite, data_folder=options.data)
    done = read_scores(options.scores, suite)
    chosen = [
        Cell(data, labels, model.name, None, seed)
        for data, labels in suite.cases()
        for model in suite.models
        for seed in suite.seeds
    ]
    options.output.mkdir(parents=True, exist_ok=True)
    write_report(suite, done, chosen, options.output, errors={})
    report, notes = options.output / "report.md", options.output / NOTES
    text = report.read_text().replace(f"{options.data}/", "DATA/")
    report.write_text(text + ("\n" + notes.read_text() if notes.exists() else ""))


if __name__ == "__main__":
    main()
