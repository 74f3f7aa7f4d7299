"""Run a benchmark of many data sets on a Ray cluster, or the cores of this machine.

    python examples/ray_benchmark.py suite.yaml sets.tsv results --data FOLDER --workers 4

Needs Ray (pip install 'dnabert-hf[ray]'), and a folder for the results that all machines see. Each
data set of the table (see `dnabert benchmark --sets`) is a task of its own; Ray runs them in any
order, and starts again what a dead worker had begun. Give the same again to go on: what is done is
not done twice. The report is written in the end.
"""

import argparse
from pathlib import Path

import ray


@ray.remote(max_retries=3)
def run_set(suite: str, sets: str, results: str, data: str, shard: str) -> str:
    """Run all cells of the data sets of a shard, and name them."""
    from dnabert_hf.training.benchmark.manifest import read_manifest
    from dnabert_hf.training.benchmark.run import benchmark
    from dnabert_hf.training.benchmark.suite import part_of
    from dnabert_hf.training.benchmark.suite_yaml import read_suite

    read = read_suite(suite, data_folder=data, sets=read_manifest(sets))
    share = part_of(read, shard)
    benchmark(share, results, is_part=True)
    return ", ".join(share.data)


def run_all(suite: str, sets: str, results: str, data: str, *, workers: int, gpus: float) -> None:
    """Run every data set as a task, at most `workers` at a time, and write the report."""
    from dnabert_hf.training.benchmark.manifest import read_manifest
    from dnabert_hf.training.benchmark.run import benchmark
    from dnabert_hf.training.benchmark.suite_yaml import read_suite

    names = read_manifest(sets)
    task = run_set.options(num_cpus=1, num_gpus=gpus)
    waiting = [f"{number}/{len(names)}" for number in range(len(names))]
    running: list[ray.ObjectRef] = []
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(task.remote(suite, sets, results, data, waiting.pop(0)))
        (done,), running = ray.wait(running)
        print(f"done: {ray.get(done)}", flush=True)
    benchmark(read_suite(suite, data_folder=data, sets=names), results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", help="YAML file, or a suite of the package")
    parser.add_argument("sets", help="table of the data sets")
    parser.add_argument("results", help="folder to write")
    parser.add_argument("--data", help="folder in which the data lie", default=None)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of a worker")
    options = parser.parse_args()
    suite = options.suite
    if Path(suite).is_file():
        suite = str(Path(suite).resolve())
    sets = Path(options.sets).resolve()
    data = str(Path(options.data).resolve() if options.data else sets.parent)
    results = str(Path(options.results).resolve())
    ray.init()
    run_all(suite, str(sets), results, data, workers=options.workers, gpus=options.gpus)
    print(f"report in {results}/report.md")


if __name__ == "__main__":
    main()
