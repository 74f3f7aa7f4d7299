"""`dnabert benchmark`: compare models on data sets."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from dnabert_hf.cli.options.early import input_file
from dnabert_hf.cli.options.shared import report
from dnabert_hf.files.yaml import read_mapping

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
    sets: Annotated[
        Path | None,
        typer.Option(
            help="Table of data sets in place of the suite's, a row a set: name, and path, or "
            "train, dev and test, or peaks (and length); task, labels.",
            callback=input_file,
        ),
    ] = None,
    genome: Annotated[
        list[str] | None,
        typer.Option(help="FASTA file that peaks are cut from; repeatable.", callback=input_file),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Run data sets I (from 0), I + N and so on, the share of one of N machines; the "
            "same without it, at the end, writes the report.",
            show_default=False,
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

    Hundreds of sets, such as the 690 of DNABERT, from a table of names and files:

        dnabert benchmark paper --data ENCODE --sets encode.tsv -o encode

    A suite of your own: {data: {GABPA: gabpa.tsv}, models: {mini: {init: dnabert-6-mini}, CNN:
    {init: cnn, learning_rates: [3e-4, 1e-3]}, regression: {init: kmers}}, seeds: [0, 1], labels:
    [100, 1000, all]}

    Labelled variants: {kind: variants, data: {ClinVar: {path: clinvar.tsv, genome: hg19.fa, match:
    [gc]}}, models: {mini: {init: dnabert-6-mini, window: 200}, CpG: {init: cpg}}}
    """
    file = Path(suite)
    kind = read_mapping(file, fields="fields such as data").get("kind") if file.is_file() else None
    if kind not in (None, "variants"):
        raise ValueError(f"{suite}: the kind of a suite must be variants or none, found {kind!r}")
    if kind is not None:
        from dnabert_hf.workflows.variant_benchmark.run import benchmark_variants
        from dnabert_hf.workflows.variant_benchmark.suite import VariantSuite

        if sets is not None or genome or shard is not None or processes > 1:
            raise ValueError(
                "a suite of kind variants must go without --sets, --genome, --shard and "
                "--processes; leave them out"
            )
        page = benchmark_variants(VariantSuite.read(file, data_folder=data), output)
        typer.echo(page.read_text(encoding="utf-8"), nl=False)
        return
    from dnabert_hf.training.benchmark.manifest import build_sets, read_manifest
    from dnabert_hf.training.benchmark.run import SETS
    from dnabert_hf.training.benchmark.run import benchmark as run_benchmark
    from dnabert_hf.training.benchmark.suite import part_of, share_of
    from dnabert_hf.training.benchmark.suite_yaml import read_suite

    for module in ("run", "manifest"):
        logging.getLogger(f"dnabert_hf.training.benchmark.{module}").setLevel(logging.INFO)
    rows = None
    if sets is not None:
        rows = read_manifest(sets)
        if shard is not None:
            rows = {name: rows[name] for name in share_of(list(rows), shard)}
        root = sets.parent if data is None else data
        rows = build_sets(rows, genome or (), output / SETS, root=root)
    elif genome:
        raise ValueError("--genome is for a table of peaks; name that, too (--sets)")
    read = read_suite(suite, data_folder=data or (sets and sets.parent), sets=rows)
    if shard is not None and sets is None:
        read = part_of(read, shard)
    run_benchmark(read, output, processes=processes, is_part=shard is not None)
    if shard is None:
        typer.echo((output / "report.md").read_text(encoding="utf-8"), nl=False)
    else:
        report(f"{len(read.data):,} data sets, shard {shard} -> {output}")
