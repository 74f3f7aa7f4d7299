"""`dnabert benchmark`: compare models on data sets."""

import logging
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["benchmark"]


def benchmark(
    suite: Annotated[
        str,
        typer.Argument(
            help="YAML file that names data, models and seeds, or a suite of the package: paper, "
            "gue or labels.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Folder to write; goes on with what is there.",
            show_default=False,
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which the data lie.", show_default="the folder of the YAML file"
        ),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Cells at the same time.")] = 1,
) -> None:
    """Fine-tune models on data sets with several seeds, and report table, tests and plot.

    Each cell is a folder; a benchmark that was stopped goes on, a cell that failed is tried again.

    Example:

        dnabert benchmark gue --data GUE -o benchmark

    Every folder of train, dev and test files below GUE is a data set; so it is for labels, which
    draws learning curves. For paper, the folder holds prom-300, prom-core, tf or splice: tables
    (.tsv, .csv, ...) or folders of one or several data sets.

    In a suite, a data set is a file, a folder of one or many, or {load_dataset: org/name}; it may
    name a task ({path: gabpa.tsv, task: tf}) and its own number of labels.

    A suite of your own: {data: {GABPA: gabpa.tsv}, models: {mini: {init: dnabert-6-mini}, CNN:
    {init: cnn, learning_rates: [3e-4, 1e-3]}, regression: {init: kmers}}, seeds: [0, 1], labels:
    [100, 1000, all]}
    """
    from dnabert_hf.training.benchmark.run import benchmark as run_benchmark
    from dnabert_hf.training.benchmark.suite_yaml import read_suite

    logging.getLogger("dnabert_hf.training.benchmark.run").setLevel(logging.INFO)
    run_benchmark(read_suite(suite, data_folder=data), output, processes=processes)
    typer.echo((output / "report.md").read_text(encoding="utf-8"), nl=False)
