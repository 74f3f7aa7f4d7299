"""What percentiles, genes and haplotypes cost beside the forward passes that they need.

    python benchmarks/variant_costs.py --model dnabert-6-mini

A classifier (random weights on --model) scores single-base changes of a random genome, on one
thread, the contenders in turns. Each is compared with the plain prediction of the distinct windows
that it takes, cut beforehand. Writes --output: processor seconds, the least of --rounds, and the
peak of memory of the process after each.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import dnabert_hf
from dnabert_hf import DNABertForSequenceClassification, DNABertTokenizer, open_genome
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.variants.haplotypes import HaplotypeReader, cut_haplotype
from dnabert_hf.data.variants.vcf import alleles_of, iterate_vcf
from dnabert_hf.data.variants.windows import WindowCutter
from dnabert_hf.inference.predict import predict
from dnabert_hf.inference.variants import background
from dnabert_hf.inference.variants.haplotypes import score_haplotypes
from dnabert_hf.inference.variants.score_variants import score_variants

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tme\n"


def write_inputs(folder: Path, n_variants: int) -> None:
    rng = np.random.default_rng(0)
    dna = "".join(rng.choice(list("ACGT"), size=1_000_000))
    (folder / "g.fa").write_text(f">chr1\n{dna}\n")
    lines = []
    for start in (500 + 40 * np.arange(n_variants)).tolist():
        alt = "ACGT"[("ACGT".index(dna[start]) + 1) % 4]
        lines.append(f"chr1\t{start + 1}\t.\t{dna[start]}\t{alt}\t.\t.\t.\tGT\t1|0\n")
    (folder / "in.vcf").write_text(HEADER + "".join(lines))
    about = 'gene_id "g{0}"; transcript_id "t{0}";'
    exons = [
        f"chr1\tx\texon\t{start}\t{start + 200}\t.\t+\t.\t{about.format(start // 2000)}\n"
        for start in range(1, 900_000, 1000)
    ]
    (folder / "genes.gtf").write_text("".join(exons))


def distinct(windows: list) -> list[SequenceRecord]:
    sequences = dict.fromkeys(dna for window in windows for dna in window[:2])
    return [SequenceRecord(str(row), dna) for row, dna in enumerate(sequences)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="dnabert-6-mini")
    parser.add_argument("--variants", type=int, default=150)
    parser.add_argument("--places", type=int, default=1, help="of each context")
    parser.add_argument("--window", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/variant_costs.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp())
    write_inputs(folder, options.variants)
    model = folder / "model"
    start = dnabert_hf.checkpoint(options.model)
    DNABertForSequenceClassification.from_pretrained(start, num_labels=2).save_pretrained(model)
    DNABertTokenizer.from_pretrained(start).save_pretrained(model)
    genome = open_genome(folder / "g.fa", cache_dir=folder / "cache")
    cutter = WindowCutter(genome, options.window)
    vcf, shared = folder / "in.vcf", {"window": options.window, "overwrite": True}
    alleles = [allele for record in iterate_vcf(vcf) for allele in alleles_of(record)]
    sites = background._draw_sites(genome, cutter, options.places)
    (random_changes,) = background._chunks_of(sites, genome, 10**9)
    of_variants = [cutter.cut(each) for each in alleles]
    of_random = [cutter.cut(each) for each in random_changes]
    haplotypes = HaplotypeReader(vcf, "me", options.window // 2).read()
    of_haplotypes = [
        window
        for each in haplotypes
        for cut in [cut_haplotype(each, genome, options.window)]
        for window in (cut.joint, *cut.singles)
    ]
    file = folder / "b.npz"

    def ranked() -> None:
        file.unlink(missing_ok=True)
        extra = {"background": file, "background_size": options.places}
        score_variants(model, vcf, genome, output=folder / "r.tsv", **shared, **extra)

    def placed() -> None:
        extra = {"annotation": folder / "genes.gtf"}
        score_variants(model, vcf, genome, output=folder / "p.tsv", **shared, **extra)

    contenders: dict[str, tuple[Callable[[], object], list[SequenceRecord]]] = {
        "scores": (
            lambda: score_variants(model, vcf, genome, output=folder / "s.tsv", **shared),
            distinct(of_variants),
        ),
        "scores and genes": (placed, distinct(of_variants)),
        "scores and percentiles, the background made": (ranked, distinct(of_variants + of_random)),
        "haplotypes": (
            lambda: score_haplotypes(
                model, vcf, genome, output=folder / "h.tsv", sample="me", **shared
            ),
            distinct(of_haplotypes),
        ),
    }
    seconds: dict[tuple[str, bool], list[float]] = {}
    peaks: dict[str, float] = {}
    predict(model, distinct(of_variants)[:50])  # what is only done once
    for _ in range(options.rounds):
        for name, (run, records) in contenders.items():
            plain = folder / "plain.tsv"
            for is_plain in (True, False):
                begin = time.process_time()
                if is_plain:
                    predict(model, records, output=plain, overwrite=True)
                else:
                    run()
                seconds.setdefault((name, is_plain), []).append(time.process_time() - begin)
            peaks[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = [
        "# What percentiles, genes and haplotypes cost",
        "",
        f"`python benchmarks/variant_costs.py --model {options.model} --variants "
        f"{options.variants} --places {options.places} --window {options.window} --rounds "
        f"{options.rounds}`: processor seconds on one thread, the least of the rounds, beside the "
        "prediction of the same distinct windows.",
        "",
        "| what | windows | prediction alone | all | ratio | peak memory so far, MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, (_, records) in contenders.items():
        plain, whole = min(seconds[name, True]), min(seconds[name, False])
        lines.append(
            f"| {name} | {len(records):,} | {plain:.2f} | {whole:.2f} | {whole / plain:.3f} | "
            f"{peaks[name]:.0f} |"
        )
    options.output.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
