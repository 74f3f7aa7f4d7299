"""Turn the folders of a pretraining run into a checkpoint that comes with the package.

    python benchmarks/package_checkpoint.py STAGE_FOLDER ... --name NAME --genome GENOME.fa.gz
        --held-out CONTIG ... [--pieces pieces.tsv.gz] [--script SCRIPT]

Saves the weights of the last stage in bfloat16 (half the size; they load in float32), scores this
very file on held-out DNA beside the network from random weights and what counting knows, draws the
curve over all stages and writes the card. --pieces is a table of where the contigs come from, with
the columns id, assembly, chrom, start0 and end (0-based, half-open). --script is the file of the
repository that repeats the stages.
"""

import argparse
import csv
import gzip
import json
import shutil
from collections import defaultdict
from pathlib import Path

import torch

from dnabert_hf import DNABertForMaskedLM, DNABertTokenizer, evaluate_masked_lm, open_genome
from dnabert_hf.cards.pretrained import pretraining_card

CHECKPOINTS = Path(__file__).parents[1] / "src" / "dnabert_hf" / "checkpoints"
USE = """
## Use

It comes with the package dnabert-hf: `dnabert_hf.checkpoint("NAME")` is its folder, and `--init
NAME` starts from it. The weights are stored in bfloat16 and load in float32. Classifiers pool the
mean of the k-mers (`token_pooling="mean"`).

![Loss and bits per base by tokens](curves.png)
"""


def save(run: Path, folder: Path) -> None:
    """Save weights, configuration and tokenizer."""
    shutil.rmtree(folder, ignore_errors=True)
    model = DNABertForMaskedLM.from_pretrained(run, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    DNABertTokenizer.from_pretrained(run).save_pretrained(folder)
    for code in folder.glob("*.py"):  # the package has them
        code.unlink()
    config = json.loads((folder / "config.json").read_text())
    # A dtype of "auto" takes what the config says: training and comparing need all 32 bits.
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / "model.safetensors").chmod(0o644)


def describe_sources(pieces: Path, contigs: set[str], held_out: set[str]) -> str:
    """List where the contigs come from, neighbours with less than 100 kb between them joined."""
    with gzip.open(pieces, "rt") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["id"] in contigs]
    places: dict[tuple[str, str, bool], list[list[int]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row["start0"])):
        spans = places[row["assembly"], row["chrom"], row["id"] in held_out]
        start, end = int(row["start0"]), int(row["end"])
        if spans and start - spans[-1][1] < 100_000:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    lines, clones = [], []
    for (assembly, chromosome, is_held_out), spans in places.items():
        if assembly == "contig":
            clones.append(chromosome.split(".")[0])
            continue
        where = ", ".join(f"{start:,}-{end:,}" for start, end in spans)
        lines.append(f"- {assembly} {chromosome}:{where}{' (held out)' if is_held_out else ''}")
    text = "\n## Sources\n\nHuman, 0-based and half-open; gaps of N and short gaps not listed:\n\n"
    return text + "\n".join(lines) + f"\n- GenBank clones {', '.join(sorted(set(clones)))}\n"


def draw_curves(stages: list[Path], path: Path) -> None:
    """Draw loss and bits per base over the tokens of all stages."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    losses, bits = figure.subplots(1, 2)
    before = 0.0
    for stage in stages:
        history = json.loads((stage / "metrics.json").read_text())["history"]
        points = [(e["num_input_tokens_seen"] / 1e6 + before, e) for e in history]
        loss = [(x, e["loss"]) for x, e in points if "loss" in e]
        held_out = [(x, e["eval_bits_per_base"]) for x, e in points if "eval_bits_per_base" in e]
        losses.plot(*zip(*loss, strict=True), color="#0b6bb0", linewidth=1)
        if held_out:
            bits.plot(*zip(*held_out, strict=True), "o-", color="#0b6bb0")
        before = points[-1][0]
        for axes in (losses, bits):
            axes.axvline(before, color="#d0d0d0", linewidth=0.8, zorder=0)
    losses.set(xlabel="million tokens", ylabel="nats per masked k-mer", title="Training loss")
    bits.set(xlabel="million tokens", ylabel="bits per base", title="Held-out DNA")
    for axes in (losses, bits):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stages", type=Path, nargs="+")
    parser.add_argument("--name", required=True)
    parser.add_argument("--genome", type=Path, required=True)
    parser.add_argument("--held-out", action="append", required=True)
    parser.add_argument("--pieces", type=Path)
    parser.add_argument("--script")
    parser.add_argument("--windows", type=int, default=2000, help="0 scores all held-out DNA")
    options = parser.parse_args()
    folder, last = CHECKPOINTS / options.name, options.stages[-1]
    save(last, folder)
    evaluation = evaluate_masked_lm(
        folder,
        options.genome,
        regions=options.held_out,
        train=options.genome,
        untrained=True,
        n_windows=options.windows or None,
    )
    report = json.loads((last / "metrics.json").read_text())
    rows = evaluation.rows()
    report["scores"] = rows["model"] | {"n_bases": evaluation.n_bases}
    draw_curves(options.stages, folder / "curves.png")
    notes = USE.replace("NAME", options.name)
    if options.script is not None:
        notes += f"\n`{options.script}` in the package's repository repeats the training.\n"
    if options.pieces is not None:
        contigs = {contig.name for contig in open_genome(options.genome).contigs}
        notes += describe_sources(options.pieces, contigs, set(options.held_out))
    card = pretraining_card(
        report,
        name=options.name,
        source=f'dnabert_hf.checkpoint("{options.name}")',
        comparison=rows,
        notes=notes,
        licence="apache-2.0",
    )
    (folder / "README.md").write_text(card)
    for name, row in rows.items():
        print(f"{name:40} {row['bits_per_base']:.4f} ± {row['standard_error']:.4f}", end="  ")
        print(f"accuracy {row['accuracy']:.4f}")


if __name__ == "__main__":
    main()
