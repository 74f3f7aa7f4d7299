"""Building a genome store and reading from it, beside pyfaidx where that is installed.

    python benchmarks/genome.py --megabases 1000

A random genome of contigs of 50 Mb with lower case and gaps of N is written to a temporary folder,
plain and compressed with gzip. Each build runs in a process of its own, whose peak memory is taken
(on Linux): it must not grow with the genome.
"""

import argparse
import multiprocessing
import random
import tempfile
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnabert_hf.data.genome.genome import Genome, open_genome

CONTIG_LENGTH = 50_000_000  # bases
LINE_LENGTH = 60  # bases
N_FETCHES = 20_000
FETCH_LENGTH = 512  # bases
STATUS = Path("/proc/self/status")


class Build(NamedTuple):
    """What one build took.

    Attributes:
        seconds: Wall time.
        cpu_seconds: Processor time.
        start_memory: Memory of the process before it (MB): what the imports take.
        peak_memory: Peak memory of the process in it (MB).
        disk: Size of the store (MB).
    """

    seconds: float
    cpu_seconds: float
    start_memory: float
    peak_memory: float
    disk: float


def contig(rng: np.random.Generator, length: int) -> bytes:
    """Draw a contig with 1 % of N and half of it in lower case, in lines."""
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[rng.integers(0, 4, length, dtype=np.uint8)]
    for start in range(0, length, 10_000):
        letters[start : start + 5000] |= 0x20
        letters[start + 7000 : start + 7100] = ord("N")
    lines = letters[: length // LINE_LENGTH * LINE_LENGTH].reshape(-1, LINE_LENGTH)
    return np.insert(lines, LINE_LENGTH, ord("\n"), axis=1).tobytes()


def write_genome(plain: Path, compressed: Path, megabases: int) -> None:
    rng = np.random.default_rng(0)
    compressor = zlib.compressobj(level=1, wbits=31)
    rest = megabases * 1_000_000
    with plain.open("wb") as stream, compressed.open("wb") as gzip_stream:
        number = 0
        while rest > 0:
            text = f">c{number}\n".encode() + contig(rng, min(rest, CONTIG_LENGTH))
            stream.write(text)
            gzip_stream.write(compressor.compress(text))
            number += 1
            rest -= CONTIG_LENGTH
        gzip_stream.write(compressor.flush())


def memory(field: str) -> float:
    """Read VmRSS (memory now) or VmHWM (its peak) of this process, in MB."""
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith(field)]
    return int(line.split()[1]) / 1e3


def build(path: Path, cache_dir: Path) -> Build:
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew: imports had theirs
    start_memory = memory("VmRSS")
    begin, cpu_begin = time.perf_counter(), time.process_time()
    genome = open_genome(path, cache_dir=cache_dir)
    seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu_begin
    disk = sum(file.stat().st_size for file in genome.folder.iterdir()) / 1e6
    return Build(seconds, cpu_seconds, start_memory, memory("VmHWM"), disk)


def read_bytes(path: Path) -> float:
    """Time the reading of a file without doing anything with it."""
    begin = time.perf_counter()
    with path.open("rb") as stream:
        while stream.read(1 << 20):
            pass
    return time.perf_counter() - begin


def fetches(genome: Genome, sequence: Callable[[str, int, int], object]) -> float:
    """Read random intervals and return how many a second."""
    rng = random.Random(0)
    contigs = rng.choices(genome.contigs, k=N_FETCHES)
    starts = [rng.randrange(contig.length - FETCH_LENGTH) for contig in contigs]
    places = [(contig.name, start) for contig, start in zip(contigs, starts, strict=True)]
    begin = time.perf_counter()
    for name, start in places:
        sequence(name, start, start + FETCH_LENGTH)
    return N_FETCHES / (time.perf_counter() - begin)


def print_fetches(genome: Genome, plain: Path) -> None:
    print(f"fetches of {FETCH_LENGTH} bases a second, at random places ({N_FETCHES} of them):")
    for round_ in ("first round", "second round"):
        forward = fetches(genome, genome.sequence)
        backward = fetches(genome, lambda name, start, end: genome.sequence(name, start, end, "-"))
        print(f"  {round_}: {forward:,.0f} forward, {backward:,.0f} reverse complement")
    try:
        from pyfaidx import Fasta
    except ImportError:
        print("  pyfaidx is not installed: left out (pip install pyfaidx)")
        return
    fasta = Fasta(str(plain), sequence_always_upper=True, rebuild=True)
    name, length = genome.contigs[0].name, FETCH_LENGTH
    assert fasta[name][1000 : 1000 + length].seq == genome.sequence(name, 1000, 1000 + length)
    rate = fetches(genome, lambda name, start, end: fasta[name][start:end].seq)
    print(f"  pyfaidx: {rate:,.0f} forward")
    rate = fetches(genome, lambda name, start, end: fasta[name][start:end].reverse.complement.seq)
    print(f"  pyfaidx: {rate:,.0f} reverse complement")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabases", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="where to put the temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        plain, compressed = folder / "genome.fa", folder / "genome.fa.gz"
        write_genome(plain, compressed, options.megabases)
        seconds = read_bytes(plain)
        print(f"{options.megabases} Mb; reading the plain file alone: {seconds:.2f} s")
        for path in (plain, compressed):
            # A new process: its peak is that of the build.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as executor:
                result = executor.submit(build, path, folder / "cache").result()
            print(
                f"  {path.name}: {result.seconds:.2f} s ({result.cpu_seconds:.2f} s of processor), "
                f"{options.megabases / result.seconds:,.0f} Mb/s; peak memory "
                f"{result.peak_memory:,.0f} MB, {result.start_memory:,.0f} MB before; "
                f"store {result.disk:,.1f} MB"
            )
        genome = open_genome(plain, cache_dir=folder / "cache")
        begin = time.perf_counter()
        genome.verify()
        print(f"  verify: {time.perf_counter() - begin:.2f} s")
        print_fetches(genome, plain)


if __name__ == "__main__":
    main()
