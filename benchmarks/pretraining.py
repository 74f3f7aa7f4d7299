"""Pretraining side by side with stock transformers: data, training step, memory.

    python benchmarks/pretraining.py data GENOME.fa.gz [--generated 1000]
    python benchmarks/pretraining.py step [--size base] [--dtype bfloat16] [--steps 6]

`data` reads segments of up to 510 k-mers of a genome and masks them, on one core, and prints the
rate, the share of padding and the peak memory; --generated does it on a random genome of so many
megabases instead. `step` times training steps on the same segments: ours (masked head, batches of
one length) beside BertForMaskedLM with DataCollatorForLanguageModeling and batches as they come,
both with the dropout asked for; each in a process of its own, which also gives its peak memory;
--longest at equal shapes, all segments being full ones. Rates count tokens that are no padding.
Peaks vary by a tenth with what the allocator keeps; with --memory, freed buffers of 1 MB or more go
back to the system at once (glibc), so that what the step itself takes is seen, but more slowly.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZES = {"mini": (4, 256, 4), "small": (6, 512, 8), "base": (12, 768, 12)}
ROWS = 16


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_random_genome(path: Path, megabases: int) -> None:
    """Write contigs of 10 Mb, each with a run of N."""
    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    with path.open("wb") as file:
        for contig in range(max(1, megabases // 10)):
            size = min(megabases, 10) * 1_000_000
            sequence = letters[rng.integers(4, size=size, dtype=np.uint8)]
            sequence[1000:2000] = ord("N")
            lines = np.full((size // 100, 101), ord("\n"), dtype=np.uint8)
            lines[:, :100] = sequence.reshape(-1, 100)
            file.write(b">contig%d\n" % contig + lines.tobytes())


def measure_data(genome: Path, n_segments: int) -> None:
    from dnabert_hf import DataCollatorForContiguousKmerMasking, DNABertTokenizer
    from dnabert_hf.data.genome.genome import open_genome
    from dnabert_hf.data.masking.segments import SegmentDataset, SegmentOptions

    begin = time.perf_counter()
    store = open_genome(genome)
    built = time.perf_counter() - begin
    before = peak_megabytes()
    dataset = SegmentDataset(store, SegmentOptions(batch_size=64, reverse_complement=True))
    collate = DataCollatorForContiguousKmerMasking(DNABertTokenizer(k=6), seed=1, per_span=True)
    last = min(len(dataset), n_segments) // 64 * 64
    n_tokens = n_padding = 0
    begin = time.process_time()
    for first in range(0, last, 64):
        batch = collate(dataset.__getitems__(range(first, first + 64)))
        n_tokens += batch["input_ids"].numel()
        n_padding += int((batch["attention_mask"] == 0).sum())
    seconds = time.process_time() - begin
    print(
        f"{len(store.codes) / 1e6:.0f} Mb: store {built:.1f} s, {len(dataset):,} segments a pass, "
        f"{last / seconds:,.0f} segments/s and core with masks, {n_tokens / last:.0f} tokens each, "
        f"padding {n_padding / n_tokens:.2%}, peak {peak_megabytes():.0f} MB ({before:.0f} before)"
    )


def random_codes() -> np.ndarray:
    return np.random.default_rng(0).integers(4, size=4_000_000, dtype=np.uint8)


def make_ours(config: dict, codes: np.ndarray, options: argparse.Namespace):
    """Model and batches of this package."""
    from dnabert_hf import (
        DataCollatorForContiguousKmerMasking,
        DNABertConfig,
        DNABertForMaskedLM,
        DNABertTokenizer,
    )
    from dnabert_hf.data.masking.segments import SegmentDataset, SegmentOptions

    class Codes:  # what a data set needs of a genome
        contigs, offsets = (), np.array([0, len(codes)])
        runs = np.array([[0, 0, len(codes)]])

    Codes.codes = codes
    Codes.contigs = (type("Contig", (), {"name": "random", "file": "random"}),)
    dataset = SegmentDataset(
        Codes(), SegmentOptions(mode="cut", batch_size=ROWS, max_tokens=options.tokens)
    )
    collate = DataCollatorForContiguousKmerMasking(
        DNABertTokenizer(k=6), seed=0, pad_to_multiple_of=8
    )
    segments = (
        dataset.__getitems__(range(i, i + ROWS)) for i in range(0, len(dataset) - ROWS, ROWS)
    )
    if options.longest:
        segments = (rows for rows in segments if len(rows[0]["input_ids"]) == options.tokens + 2)
    batches = map(collate, segments)
    model = DNABertForMaskedLM(DNABertConfig(k=6, **config))
    model.set_attn_implementation(options.attention)
    return model, batches


def make_stock(config: dict, codes: np.ndarray, options: argparse.Namespace):
    """Model and batches of transformers: the same lengths, in the order in which they come."""
    from transformers import (
        BertConfig,
        BertForMaskedLM,
        BertTokenizer,
        DataCollatorForLanguageModeling,
    )

    from dnabert_hf.modeling.tokenization_dnabert import kmer_ids

    vocabulary = Path(__file__).parents[1] / "tokenizer_files" / "dnabert-6" / "vocab.txt"
    tokenizer = BertTokenizer(str(vocabulary), do_lower_case=False)
    collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    rng = np.random.default_rng(1)
    ids = kmer_ids(codes, 6)

    def batches():
        at = 0
        while at + ROWS * 520 < len(ids):
            rows = []
            for _ in range(ROWS):
                longest = options.tokens
                is_longest = options.longest or rng.random() < 0.5
                n = longest if is_longest else int(rng.integers(5, longest + 1))
                rows.append({"input_ids": [2, *ids[at : at + n].tolist(), 3]})
                at += n + 5
            yield dict(collate(rows))

    return BertForMaskedLM(BertConfig(vocab_size=4101, **config)), batches()


def measure_step(kind: str, options: argparse.Namespace) -> None:
    """Time the steps of one contender; prints JSON."""
    import torch

    torch.manual_seed(0)
    layers, hidden, heads = SIZES[options.size]
    config = {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "intermediate_size": 4 * hidden,
        "hidden_dropout_prob": options.dropout,
        "attention_probs_dropout_prob": options.dropout,
    }
    model, batches = (make_ours if kind == "ours" else make_stock)(config, random_codes(), options)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    dtype = getattr(torch, options.dtype)
    n_tokens, begin = 0, 0.0
    for step, batch in zip(range(options.steps + 2), batches, strict=False):
        if step == 2:  # two to warm up
            n_tokens, begin = 0, time.process_time()
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        n_tokens += int((batch["input_ids"] != 0).sum())
    rate = n_tokens / (time.process_time() - begin) * torch.get_num_threads()
    print(json.dumps({"rate": rate, "peak": peak_megabytes()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data")
    data.add_argument("genome", type=Path, nargs="?")
    data.add_argument("--generated", type=int, help="megabases of a random genome")
    data.add_argument("--segments", type=int, default=64_000)
    step = commands.add_parser("step")
    step.add_argument("--size", choices=SIZES, default="base")
    step.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    step.add_argument("--dropout", type=float, default=0.1)
    step.add_argument("--steps", type=int, default=6)
    step.add_argument("--tokens", type=int, default=510, help="k-mers of the longest segment")
    step.add_argument("--longest", action="store_true", help="segments of that length alone")
    step.add_argument("--memory", action="store_true", help="peaks without what is freed")
    step.add_argument("--attention", default="sdpa", help="kernel of ours: sdpa or eager")
    step.add_argument("--only", choices=("ours", "stock"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.command == "data":
        if options.generated is None:
            measure_data(options.genome, options.segments)
            return
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DNABERT_HF_CACHE"] = folder
            path = Path(folder) / "genome.fa"
            write_random_genome(path, options.generated)
            measure_data(path, options.segments)
        return
    if options.only:
        measure_step(options.only, options)
        return
    found = {}
    environment = os.environ | ({"MALLOC_MMAP_THRESHOLD_": str(1 << 20)} if options.memory else {})
    for kind in ("ours", "stock"):
        command = [sys.executable, __file__, *sys.argv[1:], "--only", kind]
        found[kind] = json.loads(subprocess.check_output(command, env=environment))
        print(f"{kind:6} {found[kind]['rate']:>8,.0f} tokens/s, peak {found[kind]['peak']:,.0f} MB")
    print(f"ratio {found['ours']['rate'] / found['stock']['rate']:.2f}")


if __name__ == "__main__":
    main()
