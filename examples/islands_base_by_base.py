"""Learn a label for each base, and find the regions of an unseen contig as BED.

    python examples/islands_base_by_base.py --steps 40

The DNA is simulated: islands where CpG is as common as chance has it, in DNA where it is not. With
your own data, the command line does the same: `dnabert dataset bases islands.bed --genome
genome.fa -o islands.tsv`, `dnabert finetune islands.tsv --task token --init dnabert-6-mini -o
model`, then `dnabert predict model contig.fa -o found.bed`.
"""

import argparse
import random
import tempfile
from pathlib import Path

import numpy as np

import dnabert_hf

LENGTH, N_WINDOWS = 150, 300


def simulate(length: int, generator: random.Random) -> tuple[str, str]:
    """Simulate DNA, and the label of each base: 1 in an island, 0 outside."""
    sequence, labels = "", ""
    while len(sequence) < length:
        n_outside, n_inside = generator.randrange(30, 150), generator.randrange(40, 150)
        outside = "".join(generator.choices("ACGT", (32, 18, 18, 32), k=n_outside))
        inside = "".join(generator.choices("ACGT", (15, 35, 35, 15), k=n_inside))
        sequence += outside.replace("CG", "TG") + inside
        labels += "0" * n_outside + "1" * n_inside
    return sequence[:length], labels[:length]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    steps = parser.parse_args().steps
    generator = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            "\t".join((*simulate(LENGTH, generator), "dev" if i % 15 == 0 else "train"))
            for i in range(N_WINDOWS)
        ]
        table = folder / "islands.tsv"
        table.write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
        dnabert_hf.finetune(
            "dnabert-6-mini",
            table,
            output_dir=folder / "model",
            task="token",
            arguments={
                "max_steps": steps,
                "per_device_train_batch_size": 16,
                "eval_strategy": "steps",
                "eval_steps": max(steps // 3, 1),
            },
        )
        contig, labels = simulate(3000, generator)
        (folder / "contig.fa").write_text(f">contig\n{contig}\n")
        dnabert_hf.predict_bases(
            folder / "model", folder / "contig.fa", output=folder / "found.bed", label="1"
        )
        found = np.zeros(len(contig), dtype=bool)
        for line in (folder / "found.bed").read_text().splitlines():
            print(line)
            start, end = map(int, line.split("\t")[1:3])
            found[start:end] = True
    islands = np.array(list(labels)) == "1"
    shared = (found & islands).sum() / (found | islands).sum()
    print(f"bases of islands and of what was found that are in both: {shared:.0%}")


if __name__ == "__main__":
    main()
