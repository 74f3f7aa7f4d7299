"""Classify a file of sequences with the machines of a Ray cluster, or the cores of this one.

    python examples/ray_predict.py my_model genome.fa.gz predictions.tsv --shards 16

Needs Ray (pip install 'dnabert-hf[ray]') and a folder that all machines see. Each task does a shard
and leaves it beside the output; a task that dies is started again and goes on where it ended. The
file has the bytes that `dnabert predict` alone would have written.
"""

import argparse

import ray

from dnabert_hf import join_parts, predict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("sequences")
    parser.add_argument("output")
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of a task")
    options = parser.parse_args()

    ray.init(log_to_driver=False)
    do_shard = ray.remote(num_cpus=1, num_gpus=options.gpus, max_retries=3)(predict)
    tasks = [
        # One number format for all: "auto" might choose another on another machine.
        do_shard.remote(
            options.model,
            options.sequences,
            output=options.output,
            dtype="bfloat16" if options.gpus else "float32",
            shard=f"{index}/{options.shards}",
        )
        for index in range(options.shards)
    ]
    ray.get(tasks)
    print(f"{join_parts(options.output).n_sequences} sequences in {options.output}")


if __name__ == "__main__":
    main()
