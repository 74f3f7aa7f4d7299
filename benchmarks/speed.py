"""Speed of this package beside its peers on one CPU core, as one table.

    OMP_NUM_THREADS=1 python benchmarks/speed.py --peers PEERS --output benchmarks/results/speed.md

PEERS is a folder with the peers that are not installed, made with `pip install --no-deps --target
PEERS multimolecule tangermeme memelite prokbert` and what they import. Contenders take turns in one
process, each several times, and the least time of the processor counts, so that other work on the
machine does not decide. Random data, random weights, float32. `--rows` measures some of the parts;
those of earlier calls are kept in the JSON file beside the output.
"""

import argparse
import json
import platform
import resource
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import speed_of_models
import torch
import transformers
from measuring import random_sequences
from speed_of_models import K, Row, rates, row

from dnabert_hf import DNABertForSequenceClassification, DNABertTokenizer


def motifs() -> list[Row]:
    import memelite

    from dnabert_hf.interpretation.motifs.matrices.similarity import (
        TargetMotifs,
        compare_with_targets,
    )

    generator = np.random.default_rng(0)
    # As many and as wide as JASPAR's of 2022: 1,956 motifs of 5 to 30 positions, most of 8 to 15.
    widths = np.clip(generator.gamma(9, 1.3, size=1956).astype(int) + 1, 5, 30)
    known = [generator.dirichlet(np.full(4, 0.3), size=int(width)) for width in widths]
    query = known[8]
    turned = [np.ascontiguousarray(each.T) for each in known]
    found = rates(
        {
            "ours": lambda: compare_with_targets(query, TargetMotifs(known)),
            "memelite": lambda: memelite.tomtom([turned[8]], turned, n_jobs=1),
        },
        1,
        turns=3,
    )
    seconds = {name: 1 / rate for name, rate in found.items()}
    return [row("a motif against 1,956, both strands", "CPU s", seconds, "5")]


def startup() -> list[Row]:
    model = "dnabert-6-mini"
    weights = Path(__file__).parents[1] / "src" / "dnabert_hf" / "checkpoints" / model
    load = f"BertModel.from_pretrained({str(weights)!r})"
    python = [sys.executable, "-c"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (sequence,) = random_sequences(1, 200)
        (folder / "x.fa").write_text(f">a\n{sequence}\n")
        alt = "C" if sequence[99] == "A" else "A"
        header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        (folder / "x.vcf").write_text(f"{header}a\t100\t.\t{sequence[99]}\t{alt}\t.\t.\t.\n")
        classifier = DNABertForSequenceClassification.from_pretrained(weights)
        classifier.save_pretrained(folder / "model")
        DNABertTokenizer(k=K).save_pretrained(folder / "model")
        program = str(Path(sys.executable).with_name("dnabert"))
        commands = {
            "stock": [*python, f"import torch; from transformers import BertModel; {load}"],
            "predict": shlex.split(f"{program} predict model x.fa -o p.tsv --overwrite"),
            "embed": shlex.split(f"{program} embed {model} x.fa -o e.parquet --overwrite"),
            "variants": shlex.split(
                f"{program} variants {model} x.vcf --genome x.fa --window 100 -o v.tsv --overwrite"
            ),
            "tokenize": shlex.split(f"{program} tokenize x.fa -o t.tsv --overwrite"),
            "head": [*python, "from transformers import BertForMaskedLM"],
            "import": [*python, "import dnabert_hf"],
        }
        seconds = dict.fromkeys(commands, float("inf"))
        for _ in range(2):
            for name_of, command in commands.items():
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run(command, cwd=folder, capture_output=True, check=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                seconds[name_of] = min(seconds[name_of], spent)
    loaded = {"torch, BertModel and its weights": seconds["stock"]}
    limit = f"{seconds['stock'] + 0.5:.2f}"
    table = [
        Row(f"`dnabert {name}`, one record", "CPU s", seconds[name], loaded, limit)
        for name in ("predict", "embed", "variants", "tokenize")
    ]
    head = {"import of BertForMaskedLM": seconds["head"]}
    limit = f"{seconds['head'] + 0.2:.2f}"
    return [*table, Row("`import dnabert_hf`", "CPU s", seconds["import"], head, limit)]


PARTS = {
    part.__name__: part
    for part in (
        speed_of_models.tokenizing,
        speed_of_models.masking,
        speed_of_models.inference,
        speed_of_models.embeddings,
        speed_of_models.mutagenesis,
        speed_of_models.training,
        motifs,
        startup,
    )
}


def write_table(path: Path, measured: dict[str, list[list[Any]]]) -> None:
    """Write all rows that were measured, each beside its best peer."""
    lines = [
        "| work | unit | limit | ours | best peer | it | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for part in PARTS:
        for each in measured.get(part, []):
            line = Row(*each)
            is_time = line.unit == "CPU s"
            best = (min if is_time else max)(line.peers, key=line.peers.__getitem__)
            theirs = line.peers[best]
            ratio = theirs / line.ours if is_time else line.ours / theirs
            shown = [f"{n:,.2f}" if n < 10 else f"{n:,.0f}" for n in (line.ours, theirs)]
            lines.append(
                f"| {line.work} | {line.unit} | {line.limit} | {shown[0]} | {best} | {shown[1]} | "
                f"{ratio:.2f} |"
            )
    text = path.read_text(encoding="utf-8") if path.exists() else "# Speed beside peers\n\n"
    head, _, rest = text.partition("| work |")
    notes = rest.partition("\n\n")[2]
    path.write_text(head + "\n".join(lines) + "\n\n" + notes, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, help="folder of packages that are not installed")
    parser.add_argument("--rows", default=",".join(PARTS), help="parts to measure")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.peers:
        sys.path.append(str(arguments.peers))
    torch.set_num_threads(1)
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, transformers "
        f"{transformers.__version__}, {torch.backends.cpu.get_cpu_capability()}"
    )
    store = arguments.output.with_suffix(".json")
    measured = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    for name in arguments.rows.split(","):
        measured[name] = PARTS[name]()
        store.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
        write_table(arguments.output, measured)
        print(name, *measured[name], sep="\n  ")


if __name__ == "__main__":
    main()
