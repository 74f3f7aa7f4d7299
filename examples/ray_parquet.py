"""Classify a Parquet table of sequences on a Ray cluster, or the cores of this machine.

    python examples/ray_parquet.py my_model sequences.parquet predictions.parquet --workers 2

Needs Ray (pip install 'dnabert-hf[ray]'). The table has the columns id and sequence and may be a
folder of files, here or in a store such as s3://; the result is a folder of files with id, label
and the probability of each class. A worker that dies is started again, and what it had not finished
is computed once more; Ray may then write those rows in another order, so go by their ids. Batches
are not those of `dnabert predict`, so that the last digits of a number may differ from it.
"""

import argparse
from pathlib import Path
from typing import Any

import ray


class Classifier:
    """A fine-tuned model that is loaded once, in a process of its own.

    Args:
        model: Checkpoint folder that all machines see, or repository id on the Hub.
        dtype: Number format, the same for all workers.
    """

    def __init__(self, model: str, dtype: str):
        from dnabert_hf import DNABertForSequenceClassification, DNABertTokenizer

        self.model = DNABertForSequenceClassification.from_pretrained(model)
        self.options = {"tokenizer": DNABertTokenizer.from_pretrained(model), "dtype": dtype}

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Classify the sequences of a batch."""
        from dnabert_hf import predict

        found = predict(self.model, batch["sequence"].tolist(), **self.options)
        columns = {"id": batch["id"], "label": [each.label for each in found]}
        for name in found[0].probabilities:
            columns[f"prob_{name}"] = [each.probabilities[name] for each in found]
        return columns


def classify(model: str, table: str, output: str, *, workers: int, gpus: float,
             batch_size: int = 2048, classifier: Any = Classifier) -> None:  # fmt: skip
    """Classify the table with a number of workers, each of which keeps a model."""
    ray.data.read_parquet(table, columns=["id", "sequence"]).map_batches(
        classifier,
        fn_constructor_args=[model, "bfloat16" if gpus else "float32"],
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=gpus,
    ).write_parquet(output, mode=ray.data.SaveMode.ERROR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("table")
    parser.add_argument("output")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--gpus", type=float, default=0, help="GPUs of a worker")
    options = parser.parse_args()
    model = str(Path(options.model).resolve()) if Path(options.model).is_dir() else options.model
    ray.init()
    classify(model, options.table, options.output, workers=options.workers, gpus=options.gpus)


if __name__ == "__main__":
    main()
