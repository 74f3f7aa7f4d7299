"""Rounds of hard negatives on splice sites: how the false-positive rate on a held-out contig falls.

    python benchmarks/hard_negatives.py DATA --output hard_negatives.md

Splice sites of primates (UCI, 60 bases, a donor or an acceptor in the middle, or neither) and
windows of 60 bases of the human genome. No list of splice sites comes with that genome; a window
drawn at random has one in its very middle about once in 10,000 times (some 400,000 sites, either
strand, in 3 Gb), so the windows count as negatives. Windows like a sequence that is scored are not
taken (`finetune_with_hard_negatives`). GRCh38 chr20:5-10M is held out.
"""

import argparse
import csv
import gzip
import platform
import random
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

HELD_OUT = "GRCh38", "chr20"
NEGATIVE = "2"


def find_held_out(genome: Path) -> list[str]:
    """Name the records of the held-out region."""
    with gzip.open(genome / "pieces.tsv.gz", "rt") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    return [row[0] for row in rows if set(HELD_OUT) <= set(row)]


def write_subset(source: Path, path: Path, n_labels: int) -> None:
    """Keep the first training sequences of a seeded shuffle, and all of dev and test."""
    with gzip.open(source, "rt") as file:
        header, *rows = file
    split = header.rstrip("\n").split("\t").index("split")
    training = [row for row in rows if row.rstrip("\n").split("\t")[split] == "train"]
    others = [row for row in rows if row.rstrip("\n").split("\t")[split] != "train"]
    random.Random(0).shuffle(training)
    path.write_text("".join([header, *training[:n_labels], *others]))


def write_table(rounds: list[list[dict]]) -> list[str]:
    """Write a row for each round, which has one measurement for each seed."""
    names = list(rounds[0][0])
    lines = ["| round | " + " | ".join(name.replace("_", " ") for name in names) + " |"]
    lines.append("|---|" + "---|" * len(names))
    for number, seeds in enumerate(rounds):
        cells = []
        for name in names:
            values = [each[name] for each in seeds]
            form = ",.0f" if isinstance(values[0], int) else ".3f"
            mean, low, high = sum(values) / len(values), min(values), max(values)
            cells.append(f"{mean:{form}} ({low:{form}}, {high:{form}})")
        lines.append(f"| {number} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with splice/ and genome/")
    parser.add_argument("--output", type=Path, help="Markdown file to write")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--windows", type=int, default=5000)
    parser.add_argument("--labels", type=int, default=1500, help="training sequences")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    options = parser.parse_args()

    import torch
    import transformers

    from dnabert_hf import finetune_with_hard_negatives, open_genome

    torch.set_num_threads(1)
    begin = time.process_time()
    measured = []  # of each seed: its rounds
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "splice.tsv"
        write_subset(options.data / "splice" / "uci_splice_primate60.tsv.gz", table, options.labels)
        for seed in options.seeds:
            rounds = finetune_with_hard_negatives(
                "dnabert-6-mini",
                table,
                open_genome(options.data / "genome" / "human.fa.gz"),
                output_dir=Path(folder) / f"model-{seed}",
                held_out=find_held_out(options.data / "genome"),
                rounds=options.rounds,
                negative=NEGATIVE,
                windows=options.windows,
                arguments={"seed": seed},
                reinitialise_layers=3,
            )
            measured.append([asdict(each) for each in rounds])
    seeds = " ".join(map(str, options.seeds))
    lines = [
        "# Hard negatives on splice sites",
        "",
        f"`python benchmarks/hard_negatives.py DATA --rounds {options.rounds} --windows "
        f"{options.windows} --labels {options.labels} --seeds {seeds}`: "
        f"{time.process_time() - begin:.0f} s of one core; torch {torch.__version__}, "
        f"transformers {transformers.__version__}, {platform.machine()}.",
        "",
        f"dnabert-6-mini, {options.labels} training sequences of UCI's splice sites of primates "
        "(60 bases), fine-tuned anew in each round, the upper three layers from random weights; "
        "windows of human DNA, GRCh38 chr20:5-10M held out. A call is a "
        "probability of 0.5 or more of donor and acceptor together; recall and "
        "MCC are those of the test split, AUPRC that of its sites among the held-out windows. "
        f"Mean over {len(options.seeds)} seeds, lowest and highest in brackets.",
        "",
        *write_table([[rounds[i] for rounds in measured] for i in range(options.rounds + 1)]),
    ]
    print("\n".join(lines))
    if options.output:
        options.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
