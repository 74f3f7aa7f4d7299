"""What attention scores cost beside plain prediction, and whether they are the formula's.

    python benchmarks/attention.py [--sequences 2000] [--length 300] [--checkpoint dnabert-6-mini]

Time and peak memory of `predict` and of `attention_scores` on the same random DNA, in a process
each, one thread; and the largest difference from the published formula computed from the whole
attention (`output_attentions=True`, float32) on ten of the sequences.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from dnabert_hf import (
    DNABertForSequenceClassification,
    DNABertTokenizer,
    attention_scores,
    checkpoint,
    predict,
)


def measure(kind: str, folder: str, sequences: list[str]) -> dict[str, float]:
    """Run one of the two; seconds and peak memory."""
    torch.set_num_threads(1)
    run = predict if kind == "predict" else attention_scores
    run(folder, sequences[:64])  # loads, chooses the number format
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    run(folder, sequences)
    return {
        "cpu_seconds": time.process_time() - begin,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before_mb": before / 1024,
    }


def difference(folder: str, sequences: list[str]) -> float:
    """Compare with the formula."""
    model = DNABertForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = DNABertTokenizer.from_pretrained(folder)
    k, largest = tokenizer.k, 0.0
    found = attention_scores(model, sequences, tokenizer=tokenizer, dtype="float32")
    for sequence, each in zip(sequences, found, strict=True):
        with torch.no_grad():
            inputs = tokenizer(sequence, return_tensors="pt")
            attention = model.bert(**inputs, output_attentions=True).attentions[-1][0].numpy()
        of_kmers = attention[:, 0, 1:-1].sum(axis=0)
        of_bases = np.array(
            [of_kmers[max(b - k + 1, 0) : b + 1].mean() for b in range(len(sequence))]
        )
        expected = of_bases / np.linalg.norm(of_bases)
        largest = max(largest, float(np.abs(expected - each.scores).max()))
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--length", type=int, default=300)
    parser.add_argument("--checkpoint", default="dnabert-6-mini")
    parser.add_argument("--only", choices=("predict", "attention"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    letters = np.random.default_rng(0).choice(list("ACGT"), (options.sequences, options.length))
    sequences = ["".join(row) for row in letters]
    if options.only:
        print(json.dumps(measure(options.only, options.folder, sequences)))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = options.checkpoint
        source = source if Path(source).is_dir() else checkpoint(source)
        torch.manual_seed(0)
        DNABertForSequenceClassification.from_pretrained(source).save_pretrained(folder)
        DNABertTokenizer.from_pretrained(source).save_pretrained(folder)
        print(f"largest difference from the formula: {difference(folder, sequences[:10]):.1e}")
        for kind in ("predict", "attention"):
            command = [sys.executable, __file__, *sys.argv[1:], "--only", kind, "--folder", folder]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(kind, json.loads(answer.splitlines()[-1]))


if __name__ == "__main__":
    main()
