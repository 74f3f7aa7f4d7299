"""What scans and variants cost beside the model itself, and how they grow.

    python benchmarks/inference_scale.py overhead                # beside plain forward passes
    python benchmarks/inference_scale.py growth 100000 300000 1000000   # variants: time and memory
    python benchmarks/inference_scale.py contig genome/yeast.fa.gz yeast_0004   # a scan into bigWig

One thread, time of the processor (what else runs on the machine adds nothing to it). Every
measurement runs in a process of its own; the time of loading is taken out as the difference of a
long and a short run.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from dnabert_hf import (
    DNABertConfig,
    DNABertForSequenceClassification,
    DNABertTokenizer,
    open_genome,
    read_records,
    scan,
    score_variants,
)
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.engine.engine import Engine, Window

_WINDOW, _STEP = 300, 100
_SIZES = {  # k, hidden, layers, heads
    "mini": (6, 256, 4, 4),
    "small": (4, 96, 2, 4),
    "tiny": (3, 16, 1, 1),
}


def save_model(folder: Path, size: str) -> str:
    """Save a classifier with random weights, and its tokenizer."""
    k, hidden, layers, heads = _SIZES[size]
    torch.manual_seed(0)
    config = DNABertConfig(k=k, hidden_size=hidden, num_hidden_layers=layers,
                           num_attention_heads=heads, intermediate_size=4 * hidden)  # fmt: skip
    path = folder / size
    DNABertForSequenceClassification(config).save_pretrained(path)
    DNABertTokenizer(k=k).save_pretrained(path)
    return str(path)


def write_genome(folder: Path, n_bases: int) -> str:
    """Write one random contig."""
    letters = np.random.default_rng(0).integers(4, size=n_bases)
    path = folder / "genome.fa"
    path.write_bytes(b">a\n" + np.frombuffer(b"ACGT", dtype=np.uint8)[letters].tobytes() + b"\n")
    return str(path)


def write_variants(folder: Path, genome: str, n: int) -> str:
    """Write n single-base variants at random places, in order."""
    sequence = next(iter(read_records(genome))).sequence
    rng, path = random.Random(0), folder / f"{n}.vcf"
    with path.open("w") as file:
        file.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for start in sorted(rng.choices(range(_WINDOW, len(sequence) - _WINDOW), k=n)):
            ref = sequence[start]
            file.write(f"a\t{start + 1}\t.\t{ref}\t{reverse_complement(ref)}\t.\t.\t.\n")
    return str(path)


def measure(kind: str, model: str, genome: str, n: int, vcf: str = "") -> dict[str, float]:
    """Run something on n windows or variants; seconds of the processor and peak memory."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        opened, output = open_genome(genome), Path(folder) / "out.parquet"
        begin = time.process_time()
        if kind == "plain":
            begin = plain(model, opened.sequence("a", 0, _STEP * (n - 1) + _WINDOW))
        elif kind == "scan":
            regions = [Interval("a", 0, _STEP * (n - 1) + _WINDOW)]
            scan(model, opened, output=output, window=_WINDOW, step=_STEP, regions=regions,
                 dtype="float32")  # fmt: skip
        else:
            window = _WINDOW if kind == "variants" else 64
            score_variants(model, vcf, opened, output=output, window=window, dtype="float32")
        seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mb": peak}


def plain(model: str, sequence: str) -> float:
    """Run the windows through the model of the engine, tokens made before; when it began."""
    engine = Engine(as_checkpoint(model, None, task="sequence-classification"), dtype="float32")
    starts = range(0, len(sequence) - _WINDOW + 1, _STEP)
    windows = [Window(sequence[start : start + _WINDOW]) for start in starts]
    rows = engine.batch_tokens // windows[0].n_tokens(engine.tokenizer.k)
    batches = [engine.tokenize(windows[i : i + rows]) for i in range(0, len(windows), rows)]
    with torch.inference_mode():
        begin = time.process_time()
        for inputs in batches:
            engine.model(**inputs).logits.numpy()
    return begin


def run_apart(*arguments: object) -> dict[str, float]:
    """Measure in a process of its own."""
    result = subprocess.run(
        [sys.executable, __file__, "measure", *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(result.stdout.splitlines()[-1]))


def overhead(folder: Path, sizes: list[str]) -> None:
    """Print the share of the plain forward rate that scans and variants reach."""
    genome = write_genome(folder, 2_000_000)
    print("| model | plain, windows/s | scan, windows/s | share | variants/s | share |")
    print("|---|---|---|---|---|---|")
    for size in sizes:
        model = save_model(folder, size)
        few, many = (200, 1000) if size == "mini" else (1000, 6000)
        vcfs = {n: write_variants(folder, genome, n // 2) for n in (few, many)}
        rates = {"plain": 0.0, "scan": 0.0, "variants": 0.0}
        for kind in rates:
            for _ in range(2):  # the better of two
                seconds = [
                    run_apart(kind, model, genome, n, vcfs[n])["seconds"] for n in (few, many)
                ]
                rates[kind] = max(rates[kind], (many - few) / (seconds[1] - seconds[0]))
        base, scanned, scored = rates.values()  # a variant is two windows
        print(
            f"| {size} | {base:.0f} | {scanned:.0f} | {scanned / base:.1%} | {scored / 2:.0f} | "
            f"{scored / base:.1%} |"
        )


def growth(folder: Path, numbers: list[int]) -> None:
    """Print time and memory of `score_variants` with a tiny model."""
    model, genome = save_model(folder, "tiny"), write_genome(folder, 10_000_000)
    print("| variants | CPU seconds | variants/s | peak memory, MB |")
    print("|---|---|---|---|")
    for n in numbers:
        vcf = write_variants(folder, genome, n)
        found = run_apart("many", model, genome, n, vcf)
        rate = n / found["seconds"]
        print(f"| {n:,} | {found['seconds']:.1f} | {rate:,.0f} | {found['peak_mb']:.0f} |")
        Path(vcf).unlink()


def contig(folder: Path, fasta: str, name: str) -> None:
    """Scan a contig into a bigWig, and read it as a browser does."""
    import pyBigWig

    (record,) = (each for each in read_records(fasta) if each.id == name)
    alone = folder / "contig.fa"
    alone.write_text(f">{name}\n{record.sequence}\n")
    begin, track = time.process_time(), folder / "t.bw"
    done = scan(save_model(folder, "small"), open_genome(alone), output=folder / "w.parquet",
                window=_WINDOW, step=_STEP, track=track, calls=folder / "c.bed")  # fmt: skip
    seconds = time.process_time() - begin
    with pyBigWig.open(str(track)) as file:
        length = file.chroms()[name]
        covered, mean = (file.stats(name, type=kind)[0] for kind in ("coverage", "mean"))
        zooms = file.stats(name, nBins=5)
    print(f"{name}: {length:,} bases, {done.n_windows:,} windows, {seconds:.0f} CPU seconds")
    print(f"bigWig of {track.stat().st_size:,} bytes: covered {covered:.4f}, mean {mean:.4f}")
    print(f"means of five bins: {', '.join(f'{each:.4f}' for each in zooms)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["overhead", "growth", "contig", "measure"])
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    if options.what == "measure":
        kind, model, genome, n, *vcf = options.arguments
        print(json.dumps(measure(kind, model, genome, int(n), *vcf)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DNABERT_HF_CACHE"] = str(folder / "cache")
        if options.what == "overhead":
            overhead(folder, options.arguments or list(_SIZES)[:2])
        elif options.what == "growth":
            growth(folder, [int(n) for n in options.arguments])
        else:
            contig(folder, *options.arguments)


if __name__ == "__main__":
    main()
