"""What scans and variants cost beside the model itself, and how they grow.

    python benchmarks/inference_scale.py overhead                # beside plain forward passes
    python benchmarks/inference_scale.py growth variants 10000 1000000   # time, memory and files
    python benchmarks/inference_scale.py plot                    # what `growth` measured, drawn
    python benchmarks/inference_scale.py contig genome/yeast.fa.gz yeast_0004   # a scan into bigWig

`growth` takes `variants`, `sequences` (of 20 bases), `scan` (windows of one contig, with track and
calls) or `genome` (bases of a FASTA file into the store that pretraining reads), makes so many of
them, and adds a row each to results/inference_scale.tsv.

One thread, time of the processor (what else runs on the machine adds nothing to it). Every
measurement runs in a process of its own; for `overhead` the time of loading is taken out as the
difference of a long and a short run. Memory is what the process alone has (RssAnon): pages of files
that are mapped, which the system may drop, are left out.
"""

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch

from dnabert_hf import (
    DNABertConfig,
    DNABertForSequenceClassification,
    DNABertTokenizer,
    open_genome,
    predict,
    read_records,
    scan,
    score_variants,
)
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.engine.engine import Engine, Window

_WINDOW, _STEP = 300, 100
_SHORT, _TINY = 64, 20  # bases of the windows and sequences of `growth`
_LABELS = {"variants": "variants", "sequences": "sequences of 20 bases",
           "scan": "windows of a scan", "genome": "bases of a genome"}  # fmt: skip
_GROWTH = Path(__file__).parent / "results" / "inference_scale.tsv"
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


class Memory(threading.Thread):
    """Looks at the memory of this process until it is stopped; `peak` in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._stop_now = 0.0, threading.Event()

    def run(self) -> None:
        """Look every 50 ms."""
        while not self._stop_now.wait(0.05):
            (line,) = re.findall(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
            self.peak = max(self.peak, int(line) / 1024)

    def stop(self) -> float:
        """Give the peak."""
        self._stop_now.set()
        self.join()
        return self.peak


def measure(kind: str, model: str, source: str, n: int, vcf: str = "") -> dict[str, float]:
    """Run something on n windows, variants or sequences; time of the processor, memory, files."""
    torch.set_num_threads(1)
    memory = Memory()
    with tempfile.TemporaryDirectory() as name:
        folder, begin = Path(name), time.process_time()
        output = folder / "out.parquet"
        memory.start()
        if kind == "plain":
            genome = open_genome(source)
            begin = plain(model, genome.sequence("a", 0, _STEP * (n - 1) + _WINDOW))
        elif kind == "regions":
            regions = [Interval("a", 0, _STEP * (n - 1) + _WINDOW)]
            scan(model, open_genome(source), output=output, window=_WINDOW, step=_STEP,
                 regions=regions, dtype="float32")  # fmt: skip
        elif kind == "scan":
            scan(model, open_genome(source), output=output, window=_SHORT, step=_SHORT // 4,
                 track=folder / "t.bedgraph", calls=folder / "c.bed", dtype="float32")  # fmt: skip
        elif kind == "sequences":
            predict(model, source, output=output, dtype="float32")
        elif kind == "genome":
            open_genome(source, cache_dir=folder)
        else:
            window = _WINDOW if kind == "pairs" else _SHORT
            score_variants(model, vcf, open_genome(source), output=output, window=window,
                           dtype="float32")  # fmt: skip
        seconds = time.process_time() - begin
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {"seconds": seconds, "memory_mb": memory.stop(), "files": len(sizes),
            "output_mb": sum(sizes) / 1e6}  # fmt: skip


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
        rates = {"plain": 0.0, "regions": 0.0, "pairs": 0.0}
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


def write_input(folder: Path, kind: str, n: int) -> tuple[str, str]:
    """Write what `growth` measures; the file, and the VCF beside it."""
    path = folder / "in.fa"
    if kind == "variants":
        genome = write_genome(folder, 10_000_000)
        return genome, write_variants(folder, genome, n)
    if kind == "scan":
        return write_genome(folder, _SHORT // 4 * (n - 1) + _SHORT), ""
    rng, letters = np.random.default_rng(0), np.frombuffer(b"ACGT\n", dtype=np.uint8)
    with path.open("wb") as file:
        if kind == "sequences":
            for begin in range(0, n, 1 << 16):
                rows = letters[rng.integers(4, size=(min(n - begin, 1 << 16), _TINY))]
                file.write(b"".join(b">s%d\n%s\n" % (begin + i, row.tobytes())
                                    for i, row in enumerate(rows)))  # fmt: skip
        else:
            for begin in range(0, n, 100_000_000):
                lines = np.full((min(n - begin, 100_000_000) // 100, 101), 4, dtype=np.uint8)
                lines[:, :100] = rng.integers(4, size=(len(lines), 100), dtype=np.uint8)
                file.write(b">c%d\n" % begin + letters[lines].tobytes())
    return str(path), ""


def growth(folder: Path, kind: str, numbers: list[int]) -> None:
    """Measure time, memory and files of a tiny model's work, or of a genome store, by size."""
    model = save_model(folder, "tiny")
    for n in numbers:
        source, vcf = write_input(folder, kind, n)
        found = run_apart(kind, model, source, n, vcf)
        is_new = not _GROWTH.exists()
        with _GROWTH.open("a") as table:
            table.write("\t".join(["kind", "n", *found]) + "\n" if is_new else "")
            table.write("\t".join([kind, str(n), *(f"{each:.4g}" for each in found.values())]))
            table.write("\n")
        rate, memory = n / found["seconds"], found["memory_mb"]
        print(f"| {kind} | {n:,} | {found['seconds']:.1f} | {rate:,.0f} | {memory:.0f} | "
              f"{found['files']} | {found['output_mb']:,.1f} |", flush=True)  # fmt: skip
        for path in {source, vcf} - {""}:
            Path(path).unlink()
        shutil.rmtree(folder / "cache", ignore_errors=True)


def plot() -> None:
    """Draw time and memory over size, from the table."""
    import matplotlib.pyplot as plt

    rows = [line.split("\t") for line in _GROWTH.read_text().splitlines()[1:]]
    figure, (times, memories) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for kind in dict.fromkeys(row[0] for row in rows):
        points = np.array(
            sorted([float(each) for each in row[1:4]] for row in rows if row[0] == kind)
        )
        times.loglog(points[:, 0], points[:, 1], "o-", label=_LABELS[kind])
        memories.semilogx(points[:, 0], points[:, 2], "o-")
    times.set(xlabel="size of the input", ylabel="seconds of one core")
    memories.set(xlabel="size of the input", ylabel="peak memory (MB)", ylim=(0, 500))
    times.legend(frameon=False)
    for axes in (times, memories):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(_GROWTH.with_suffix(".png"), dpi=150)


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
    commands = ["overhead", "growth", "plot", "contig", "measure"]
    parser.add_argument("what", choices=commands)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    if options.what == "measure":
        kind, model, source, n, *vcf = options.arguments
        print(json.dumps(measure(kind, model, source, int(n), *vcf)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DNABERT_HF_CACHE"] = str(folder / "cache")
        if options.what == "overhead":
            overhead(folder, options.arguments or list(_SIZES)[:2])
        elif options.what == "growth":
            kind, *numbers = options.arguments
            growth(folder, kind, [int(n) for n in numbers])
        elif options.what == "plot":
            plot()
        else:
            contig(folder, *options.arguments)


if __name__ == "__main__":
    main()
