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
import speed_of_effects
import speed_of_models
import speed_of_training
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
            # Its defaults put medians and columns into bins: p-values up to 1.4 times ours. So they
            # are within 1.0003 times.
            "memelite, medians to 1e-5, compiled": lambda: memelite.tomtom(
                [turned[8]], turned, n_target_bins=None, n_median_bins=100_000, n_jobs=1
            ),
        },
        1,
        turns=5,
    )
    seconds = {name: 1 / rate for name, rate in found.items()}
    table = [row("a motif against 1,956, both strands", "CPU s", seconds, "5")]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "motifs.npz"
        np.savez(path, *known)
        load = f"import numpy as np; m = list(np.load({str(path)!r}).values())"
        ours = (
            "from dnabert_hf.interpretation.motifs.matrices import similarity as s\n"
            f"{load}; s.compare_with_targets(m[8], s.TargetMotifs(m))"
        )
        theirs = (
            f"import sys; sys.path.append({str(Path(memelite.__file__).parents[1])!r})\n"
            f"import memelite; {load}; m = [np.ascontiguousarray(each.T) for each in m]\n"
            "memelite.tomtom([m[8]], m, n_target_bins=None, n_median_bins=100_000, n_jobs=1)"
        )
        python = [sys.executable, "-c"]
        seconds = cpu_seconds({"ours": [*python, ours], "memelite": [*python, theirs]}, Path(name))
    return [*table, row("the same in a process of its own", "CPU s", seconds, "5")]


def cpu_seconds(commands: dict[str, list[str]], folder: Path) -> dict[str, float]:
    """Run commands in turns in a folder; the least CPU seconds of each, with its children."""
    seconds = dict.fromkeys(commands, float("inf"))
    for _ in range(2):
        for name, command in commands.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            seconds[name] = min(seconds[name], spent)
    return seconds


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
        encode = "('ACGTACGT', return_tensors='np')"
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
            "model": [*python, "from dnabert_hf import DNABertForMaskedLM"],
            "numpy": [*python, f"from dnabert_hf import DNABertTokenizer as T; T(k=6){encode}"],
            "bert": [
                *python,
                f"from transformers import BertTokenizer as T; T('model/vocab.txt'){encode}",
            ],
        }
        seconds = cpu_seconds(commands, folder)
    loaded = {"torch, BertModel and its weights": seconds["stock"]}
    limit = f"{seconds['stock'] + 0.5:.2f}"
    table = [
        Row(f"`dnabert {name}`, one record", "CPU s", seconds[name], loaded, limit)
        for name in ("predict", "embed", "variants", "tokenize")
    ]
    head = {"import of BertForMaskedLM": seconds["head"]}
    limit = f"{seconds['head'] + 0.2:.2f}"
    tokens = {"BertTokenizer": seconds["bert"]}
    return [
        *table,
        Row("`import dnabert_hf`", "CPU s", seconds["import"], head, limit),
        Row("import of DNABertForMaskedLM", "CPU s", seconds["model"], head, limit),
        Row("`DNABertTokenizer`, 8 bases to numpy", "CPU s", seconds["numpy"], tokens, "-"),
    ]


PARTS = {
    part.__name__: part
    for part in (
        speed_of_models.tokenizing,
        speed_of_models.masking,
        speed_of_models.inference,
        speed_of_models.embeddings,
        speed_of_effects.mutagenesis,
        speed_of_effects.variants,
        speed_of_effects.dependencies,
        speed_of_training.training,
        motifs,
        startup,
    )
}


def write_table(path: Path, measured: dict[str, list[list[Any]]]) -> None:
    """Write all rows that were measured, each beside its best peer."""
    lines = [
        "| work | unit | limit | ours | best peer | it | ratio | `--rows` |",
        "|---|---|---|---|---|---|---|---|",
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
                f"{ratio:.2f} | {part} |"
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
