"""`dnabert benchmark`: compare models on data sets."""

import logging
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["benchmark"]


def benchmark(
    suite: Annotated[
        Path,
        typer.Argument(help="YAML file that names data, models and seeds.", show_default=False),
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
            help="Where the suite's paths begin.", show_default="the folder of the YAML file"
        ),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Cells at the same time.")] = 1,
) -> None:
    """Fine-tune models on data sets with several seeds, and report table, test and plot.

    Each cell is a folder; a benchmark that was stopped goes on, a cell that failed is tried again.

    Example: dnabert benchmark suite.yaml --data data -o benchmark

    A suite: {data: {GABPA: gabpa.tsv}, models: {mini: {init: dnabert-6-mini, learning_rates: [3e-4,
    1e-3]}, CNN: {init: cnn}, regression: {init: kmers}}, seeds: [0, 1], labels: [100, 1000, all]}
    """
    from dnabert_hf.training.benchmarking import benchmark as run
    from dnabert_hf.training.suite import read_suite

    logging.getLogger("dnabert_hf.training.benchmarking").setLevel(logging.INFO)
    run(read_suite(suite, data_folder=data), output, processes=processes)
    typer.echo((output / "report.md").read_text(encoding="utf-8"), nl=False)
