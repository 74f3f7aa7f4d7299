"""Classifiers of long sequences: what lies beyond the first piece, and the memory it takes.

    python benchmarks/long_sequences.py --output benchmarks/results/long_sequences.md

Generated sequences of 2,000 bases: in class 1, three copies each of two motifs of 10 bases lie at
random places beyond base 520; in class 0, copies with their letters shuffled. A small DNABERT from
random weights learns them with every `segment_pooling`, and once cut to the first 510 k-mers, which
hold nothing of the classes. Then one training step of 4 sequences of 2, 4 and 8 kb, with and
without gradient checkpointing, each in a process of its own. What the step takes is the peak of
the resident set during the step (`VmHWM`, set back to the present size before it, Linux only) less
the size before it, so that the peak of loading the libraries does not hide it; freed buffers of
1 MB or more go back to the system at once, so that what the allocator keeps does not count.
"""

import argparse
import ctypes
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

POOLINGS = ("concat", "mean", "lstm", "gru")
MOTIFS = ("TGACGTCATC", "CCATATTTGG")
SIZES = {"train": 256, "dev": 48, "test": 100}
LENGTH, CUT = 2000, 515  # 515 bases are 510 k-mers
MODEL = {
    "k": 6,
    "hidden_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "classifier_dropout": 0.1,
    "token_pooling": "mean",
}
ARGUMENTS = {
    "learning_rate": 2e-3,
    "num_train_epochs": 4,
    "per_device_train_batch_size": 8,
    "gradient_checkpointing": True,
    "seed": 0,
}
# The step that is measured has the size of dnabert-6-mini.
STEP_MODEL = {
    "k": 6,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
ROWS = 4
KILOBASES = (2, 4, 8)


def write_sequences(path: Path, *, cut: int | None, seed: int = 0) -> None:
    """Write a table with a split column."""
    rng = random.Random(seed)
    lines = ["sequence\tlabel\tsplit"]
    for split, size in SIZES.items():
        for index in range(size):
            letters = rng.choices("ACGT", k=LENGTH)
            slots = rng.sample(range(52, LENGTH // 10), 6)
            for number, slot in enumerate(slots):
                motif = list(MOTIFS[number % 2])
                if index % 2 == 0:
                    rng.shuffle(motif)
                letters[10 * slot : 10 * slot + 10] = motif
            lines.append(f"{''.join(letters[:cut])}\t{index % 2}\t{split}")
    path.write_text("\n".join(lines) + "\n")


def train(pooling: str, *, cut: int | None = None) -> tuple[dict[str, float], float]:
    """Train one model; its test scores and the seconds it took."""
    from dnabert_hf import finetune

    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "sequences.tsv"
        write_sequences(table, cut=cut)
        begin = time.perf_counter()
        result = finetune(
            "random",
            table,
            output_dir=Path(folder) / "run",
            config=MODEL | {"segment_pooling": pooling},
            arguments=ARGUMENTS,
        )
        return result.scores["test"], time.perf_counter() - begin


def measure_step(pooling: str, kilobases: int, checkpointing: bool) -> None:
    """Make one training step and print the megabytes it took beyond model and libraries."""
    import torch

    from dnabert_hf import DNABertConfig, DNABertForSequenceClassification

    torch.manual_seed(0)
    config = DNABertConfig(**STEP_MODEL, segment_pooling=pooling, num_segments=2 * kilobases)
    model = DNABertForSequenceClassification(config).train()
    if checkpointing:
        model.activation_checkpointing_enable()
    ids = torch.randint(5, 4101, (ROWS, 1000 * kilobases + 2))
    ids[:, 0], ids[:, -1] = 2, 3
    # A first step of a short piece, so that what every step needs once is there.
    model(ids[:, :20], labels=torch.arange(ROWS) % 2).loss.backward()
    before = reset_peak()
    begin = time.process_time()
    model(ids, labels=torch.arange(ROWS) % 2).loss.backward()
    seconds = time.process_time() - begin
    print(json.dumps({"megabytes": peak_megabytes() - before, "seconds": seconds}))


def reset_peak() -> float:
    """Give freed memory back, set the peak to the present size, and return that in MB."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return peak_megabytes()


def peak_megabytes() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) / 1024


def memory_table() -> list[str]:
    lines = [
        "| sequence | without checkpointing, MB | with, MB | CPU seconds, without | with |",
        "|---|---|---|---|---|",
    ]
    for kilobases in KILOBASES:
        found = []
        for checkpointing in (False, True):
            words = ["--step", "mean", str(kilobases), str(int(checkpointing))]
            command = [sys.executable, __file__, *words]
            environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
            found.append(json.loads(subprocess.check_output(command, env=environment)))
        cells = [f"{f['megabytes']:,.0f}" for f in found] + [f"{f['seconds']:.1f}" for f in found]
        lines.append(f"| {kilobases} kb | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines


def accuracy_table() -> list[str]:
    lines = ["| model | test accuracy | AUROC | seconds |", "|---|---|---|---|"]
    runs = [("cut to 510 k-mers", "mean", CUT), *((pooling, pooling, None) for pooling in POOLINGS)]
    for name, pooling, cut in runs:
        scores, seconds = train(pooling, cut=cut)
        lines.append(
            f"| {name} | {scores['accuracy']:.3f} | {scores['auroc']:.3f} | {seconds:.0f} |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    parser.add_argument("--memory-only", action="store_true", help="leave the accuracies out")
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        measure_step(options.step[0], int(options.step[1]), options.step[2] == "1")
        return
    memory = memory_table()
    if options.memory_only:
        return
    accuracy = accuracy_table()
    import torch
    import transformers

    lines = [
        "# Sequences longer than the encoder takes",
        "",
        f"`python benchmarks/long_sequences.py`; torch {torch.__version__}, transformers "
        f"{transformers.__version__}, {torch.get_num_threads()} threads.",
        "",
        f"{SIZES['train']} generated training sequences of {LENGTH:,} bases, the classes differ "
        "beyond base 520 only; DNABERT of 1 layer of 64 from random weights, 4 epochs:",
        "",
        *accuracy,
        "",
        f"One training step (float32) of {ROWS} sequences, model of the size of dnabert-6-mini, "
        "`mean`; memory that the step takes at its peak:",
        "",
        *memory,
    ]
    if options.output:
        options.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
