"""What each k from 2 to 8 costs: parameters, files, time and memory.

    OMP_NUM_THREADS=1 python benchmarks/k.py [--preset mini]

Every k has a process of its own, for peak memory is that of a process. Times are CPU seconds of one
thread, the best of three: tokenising 1,000 sequences of 1,000 bases; the encoder on 16 sequences of
510 k-mers; one step of pretraining (forward, backward and AdamW, masks as the preset has them) on 4
of them; the probabilities of 64 masked bases in windows of 64 bases. Memory is that of the step of
pretraining, above the largest use before it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from measuring import random_sequences

from dnabert_hf import (
    DataCollatorForContiguousKmerMasking,
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertTokenizer,
)
from dnabert_hf.inference.engine.checkpoint import Checkpoint
from dnabert_hf.inference.engine.engine import Engine, Window
from dnabert_hf.inference.masked_lm_scores import masked_base_log_probabilities
from dnabert_hf.training.pretraining.recipes import PRESETS

COLUMNS = (
    *("k", "tokens", "parameters (M)", "of the vocabulary (M)", "weights on disk (MB)"),
    *("vocab.txt (KB)", "tokenizer (Mbases/s)", "encoder (k-mers/s)", "pretraining (k-mers/s)"),
    *("its memory (MB)", "masked bases (/s)"),
)


def peak() -> float:
    """Largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def written(value: float) -> str:
    return f"{value:,.1f}" if value < 1000 and value % 1 else f"{value:,.0f}"


def best(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of three."""
    seconds = []
    for _ in range(3):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def measure(k: int, preset: str) -> list[float]:
    recipe = PRESETS[preset]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tokenizer = DNABertTokenizer(k=k)
    model = DNABertForMaskedLM(DNABertConfig(k=k, **recipe.config))
    n_words = model.get_input_embeddings().weight.numel()
    sequences = random_sequences(1000, 1000)
    tokenising = best(lambda: tokenizer(sequences, return_tensors="np", verbose=False))
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        weights, vocabulary = (
            (Path(folder) / name).stat().st_size for name in ("model.safetensors", "vocab.txt")
        )

    rows = [each[: 509 + k] for each in sequences[:16]]
    inputs = tokenizer(rows, return_tensors="pt")
    model.eval()
    with torch.no_grad():
        encoding = best(lambda: model.bert(**inputs))
        windows = [Window(each[:32] + "N" + each[33:64]) for each in sequences[:64]]
        checkpoint = Checkpoint(model, tokenizer, name=f"k = {k}", is_ours=False)
        engine = Engine(checkpoint, device="cpu", dtype="float32")
        masked = best(lambda: masked_base_log_probabilities(engine, windows))

    collate = DataCollatorForContiguousKmerMasking(
        tokenizer, mlm_probability=recipe.mlm_probability, per_span=recipe.per_span, seed=0
    )
    batch = collate(rows[:4])
    optimiser = torch.optim.AdamW(model.train().parameters(), lr=1e-4)

    def step() -> None:
        model(**batch).loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    before = peak()
    training = best(step)
    return [
        *(k, tokenizer.vocab_size, model.num_parameters() / 1e6, n_words / 1e6, weights / 1e6),
        *(vocabulary / 1e3, 1 / tokenising, 16 * 510 / encoding, 4 * 510 / training),
        *(peak() - before, 64 / masked),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="mini", choices=PRESETS)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)  # what each process is told
    given = parser.parse_args()
    if given.only is not None:
        print(json.dumps(measure(given.only, given.preset)))
        return
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for k in range(2, 9):
        command = [sys.executable, __file__, "--preset", given.preset, "--only", str(k)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        values = json.loads(done.stdout.splitlines()[-1])
        print(f"| {' | '.join(map(written, values))} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
