"""From a genome and a list of start sites to a data set that does not leak, and a first model.

    python examples/promoters_of_a_genome.py --steps 60

The genome is simulated: each start site has a TATA box before it. With your own data, the command
line does the same: `dnabert dataset promoters sites.bed --genome genome.fa -o promoters.tsv`, then
`dnabert finetune promoters.tsv --init dnabert-6-mini -o model`.
"""

import argparse
import random
import tempfile
from pathlib import Path

import dnabert_hf
from dnabert_hf.data.labelled.leaks import format_report

N_SITES, DISTANCE = 150, 3000


def write_genome(folder: Path) -> tuple[Path, Path]:
    """Write a genome (FASTA) and its start sites (BED)."""
    generator = random.Random(0)
    letters = generator.choices("ACGT", k=(N_SITES + 1) * DISTANCE)
    starts = [DISTANCE * (i + 1) for i in range(N_SITES)]
    for start in starts:
        letters[start - 31 : start - 23] = "TATAAAAG"
        letters[start - 60 : start - 54] = "GGGCGG"
    genome, sites = folder / "genome.fa", folder / "sites.bed"
    genome.write_text(f">chr1\n{''.join(letters)}\n")
    sites.write_text("".join(f"chr1\t{s}\t{s + 1}\tgene{s}\t0\t+\n" for s in starts))
    return genome, sites


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        genome, sites = write_genome(folder)
        built = dnabert_hf.build_promoters(
            dnabert_hf.open_genome(genome, cache_dir=folder / "cache"),
            dnabert_hf.read_start_sites(sites),
            upstream=80,
            downstream=19,
        )
        print("\n".join(format_report(built.report)))
        built.write(folder / "promoters.tsv", settings={"start_sites": str(sites)})
        result = dnabert_hf.finetune(
            "dnabert-6-mini",
            folder / "promoters.tsv",
            output_dir=folder / "model",
            arguments={
                "max_steps": steps,
                "eval_strategy": "steps",
                "eval_steps": max(steps // 6, 1),
            },
        )
    print(f"test MCC after {steps} steps: {result.scores['test']['mcc']:.2f}")


if __name__ == "__main__":
    main()
