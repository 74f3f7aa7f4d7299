"""The labelled sets on one GPU: many small networks of one shape fine-tuned side by side.

    python benchmarks/finetune_on_gpu.py --prepare DATA --sets sets.npz     # any machine, a minute
    python benchmarks/finetune_on_gpu.py --sets sets.npz --output results   # one GPU, some minutes
    python benchmarks/finetune_on_gpu.py --prepare DATA --sets sets.npz --labels 100 300 1000 3000

A network of 4 x 256 leaves most of a GPU idle, so those that agree in shape and steps are trained
together: each weight has a first dimension for them, and a step is one CUDA graph. Starts,
sequences and recipe are those of `dnabert benchmark benchmarks/labelled_sets.yaml` for its DNABERT
models (Muon for the encoder, AdamW for the rest, both strands where `find_strand` finds none, steps
as `passes_of_small` says). What differs: weights and activations are bfloat16 on a GPU (masters
float32), a model is scored five times and not after each epoch, and the first step has the rate
that is the second's there.

OUTPUT/table.jsonl holds a row a training: scores at the evaluation with the best MCC on dev (mcc,
auroc) and at the end (last_mcc, last_auroc). OUTPUT/scores.tsv is as `dnabert benchmark` writes it.
"""

import argparse
import csv
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from networks_side_by_side import Networks
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from dnabert_hf import DNABertConfig, checkpoint
from dnabert_hf.training.shared.initialisation import passes_of_small

SUITE = Path(__file__).with_name("labelled_sets.yaml")
CURVES = (  # sets for curves of labels
    "core promoters (70)",
    "human TF 1 (101)",
    "splice sites, primates (60)",
    "yeast H3 (500)",
)
RANDOM = "random"
STARTS = {"DNABERT-mini": "dnabert-6-mini", "DNABERT-mini from random weights": RANDOM}
BASES = "ATCG"  # in the order of the vocabulary: complements are neighbours
CLS, SEP, N_SPECIAL = 2, 3, 5
EVALUATIONS = 5
TINY_STEPS = 10
MOST = 14  # networks side by side


class Job(NamedTuple):
    """One training: its sequences (a key of the prepared sets), its start and its seed."""

    cell: str
    model: str
    seed: int


def kmer_ids(codes: np.ndarray, k: int) -> Tensor:
    """Turn bases (sequences, bases), numbers in BASES, into ids (sequences, tokens) as wrapped."""
    n_kmers = codes.shape[1] - k + 1
    values = sum(codes[:, i : i + n_kmers].astype(np.int64) * 4 ** (k - 1 - i) for i in range(k))
    return functional.pad(
        functional.pad(torch.from_numpy(values + N_SPECIAL), (1, 0), value=CLS), (0, 1), value=SEP
    )


def opposite(codes: np.ndarray) -> np.ndarray:
    """Read bases from the opposite strand."""
    return np.ascontiguousarray(codes[:, ::-1]) ^ 1


def train(
    jobs: Sequence[Job],
    sets: Mapping[str, np.ndarray],
    config: DNABertConfig,
    *,
    device: torch.device,
    most_steps: int | None = None,
) -> list[dict[str, Any]]:
    """Train jobs that agree in everything but start and sequences, side by side; a row for each."""
    first = jobs[0].cell
    batch, n_steps = recipe_of(sets, first)
    n_steps = min(n_steps, most_steps or n_steps)
    reads_both, n_rows = bool(sets[f"{first}.both"]), len(sets[f"{first}.train.x"])
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    n_classes = 1 + max(int(sets[f"{first}.{split}.y"].max()) for split in ("train", "dev", "test"))
    networks = Networks(config, n_classes, len(jobs), n_steps=n_steps, device=device, dtype=dtype)

    def ids_of(split: str, *, turned: bool) -> Tensor:
        each = [sets[f"{job.cell}.{split}.x"] for job in jobs]
        return torch.stack([kmer_ids(opposite(x) if turned else x, config.k) for x in each]).to(
            device
        )

    strands = [ids_of("train", turned=turned) for turned in (False, True)[: 1 + reads_both]]
    labels = torch.stack([torch.from_numpy(sets[f"{j.cell}.train.y"]) for j in jobs]).to(device)
    order, turns = _order(jobs, n_rows, batch, n_steps)
    order, turns = order.to(device), turns.to(device)
    which = torch.arange(len(jobs), device=device)[:, None]
    loss = torch.zeros(len(jobs), device=device)

    def one_step() -> None:
        chosen = order.index_select(0, networks.count.view(1))[0]
        ids = strands[0][which, chosen]
        if reads_both:
            turned = turns.index_select(0, networks.count.view(1))[0]
            ids = torch.where(turned[..., None], strands[1][which, chosen], ids)
        loss.copy_(networks.step(ids, labels[which, chosen]))

    step = captured(one_step, device)
    networks.reset()
    for i, job in enumerate(jobs):
        networks.start(i, _weights(STARTS[job.model], device), seed=job.seed)
    held = {
        split: [ids_of(split, turned=turned) for turned in (False, True)[: 1 + reads_both]]
        for split in ("dev", "test")
    }
    marks = {round(n_steps * (i + 1) / EVALUATIONS) for i in range(EVALUATIONS)}
    found = []
    for number in range(1, n_steps + 1):
        step()
        if number in marks:
            found.append({split: probabilities(networks, ids) for split, ids in held.items()})
    return [
        {"data": job.cell.split("|")[0], "labels": n_rows, "model": job.model, "seed": job.seed}
        | {"steps": n_steps, "batch": batch, "both_strands": reads_both}
        | scores([{s: p[i] for s, p in each.items()} for each in found], sets, job.cell)
        | {"loss": round(float(loss[i]), 4)}
        for i, job in enumerate(jobs)
    ]


def _order(jobs: Sequence[Job], n_rows: int, batch: int, n_steps: int) -> tuple[Tensor, Tensor]:
    """Draw the sequences of each step (steps, jobs, batch), and which are read reversed."""
    order = np.zeros((n_steps, len(jobs), batch), np.int64)
    turns = np.zeros((n_steps, len(jobs), batch), bool)
    for number, job in enumerate(jobs):
        rng = np.random.default_rng(job.seed + 17)
        per_epoch = -(-n_rows // batch)
        epochs = [
            np.resize(rng.permutation(n_rows), (per_epoch, batch))
            for _ in range(-(-n_steps // per_epoch))
        ]
        order[:, number] = np.concatenate(epochs)[:n_steps]
        turns[:, number] = rng.random((n_steps, batch)) < 0.5
    return torch.from_numpy(order), torch.from_numpy(turns)


def captured(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Make a CUDA graph of some work, which runs twice before; elsewhere, the work itself."""
    if device.type != "cuda":
        return work
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(2):
            work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        work()
    replay: Callable[[], None] = graph.replay
    return replay


@torch.no_grad()
def probabilities(networks: Networks, strands: Sequence[Tensor]) -> np.ndarray:
    """Class probabilities (networks, sequences, classes), the mean over the strands."""
    networks.prepare_forward()
    size = max(16, 400_000 // (strands[0].shape[2] * networks.n))
    sums = sum(
        torch.cat(
            [networks.logits(part, is_training=False).softmax(-1) for part in ids.split(size, 1)], 1
        )
        for ids in strands
    )
    return (sums / len(strands)).cpu().numpy()


def scores(
    found: Sequence[Mapping[str, np.ndarray]], sets: Mapping[str, np.ndarray], cell: str
) -> dict[str, float]:
    """Score the test split at the evaluation with the best MCC on dev, and at the last one."""
    from sklearn.metrics import matthews_corrcoef, roc_auc_score

    truth = {split: sets[f"{cell}.{split}.y"] for split in ("dev", "test")}
    on_dev = [matthews_corrcoef(truth["dev"], each["dev"].argmax(1)) for each in found]
    best = int(np.argmax(on_dev))
    result = {"dev_mcc": round(float(on_dev[best]), 4), "evaluation": best + 1}
    for prefix, each in (("", found[best]), ("last_", found[-1])):
        p = each["test"] / each["test"].sum(1, keepdims=True)
        area = roc_auc_score(truth["test"], p[:, 1] if p.shape[1] == 2 else p, multi_class="ovo")
        result[prefix + "mcc"] = round(float(matthews_corrcoef(truth["test"], p.argmax(1))), 4)
        result[prefix + "auroc"] = round(float(area), 4)
    return result


def recipe_of(sets: Mapping[str, np.ndarray], cell: str) -> tuple[int, int]:
    """Give batch size and steps, as the defaults of `finetune` for small models have them."""
    n_rows, length = sets[f"{cell}.train.x"].shape
    chosen = passes_of_small(n_rows, length)
    batch = chosen["per_device_train_batch_size"]
    return batch, chosen["num_train_epochs"] * -(-n_rows // batch)


def _weights(start: str, device: torch.device) -> dict[str, Tensor]:
    if start == RANDOM:
        return {}
    return load_file(checkpoint(start) / "model.safetensors", device=str(device))


def prepare(data: Path, path: Path, labels: Sequence[int]) -> None:
    """Draw the sequences of the suite, as `dnabert benchmark` draws them, into one file.

    Raises:
        ValueError: If sequences of a set differ in length or have other letters than ACGT.
    """
    from dnabert_hf.training.benchmark.data import write_subset
    from dnabert_hf.training.benchmark.suite import Cell
    from dnabert_hf.training.benchmark.suite_yaml import read_suite
    from dnabert_hf.training.kmer_counts.strandedness import find_strand

    suite = read_suite(SUITE, data_folder=data)
    arrays: dict[str, Any] = {}
    names = CURVES if labels else suite.data
    cases = [(name, n) for name in names for n in labels or suite.labels_of(name)]
    with tempfile.TemporaryDirectory() as folder:
        for (name, n), seed in [(case, seed) for case in cases for seed in suite.seeds]:
            table = write_subset(suite, Cell(name, n, "", None, seed), Path(folder))
            with table.open(newline="") as file:
                rows = list(csv.DictReader(file, delimiter="\t"))
            classes = sorted({row["label"] for row in rows})
            key = f"{name}|{n}|{seed}"
            for split, ours in (("train", "train"), ("validation", "dev"), ("test", "test")):
                chosen = [row for row in rows if row["split"] == split]
                arrays[f"{key}.{ours}.x"] = codes_of([row["sequence"] for row in chosen], name)
                arrays[f"{key}.{ours}.y"] = np.array([classes.index(r["label"]) for r in chosen])
            given = [row for row in rows if row["split"] == "train"]
            strand = find_strand(
                [row["sequence"] for row in given], [classes.index(row["label"]) for row in given]
            )
            is_open = strand.share is not None and not strand.has_strand
            arrays[f"{key}.both"] = np.array(is_open)
    np.savez_compressed(path, **arrays)


def codes_of(sequences: Sequence[str], name: str) -> np.ndarray:
    """Turn sequences of one length into numbers, shape (sequences, bases)."""
    lengths = {len(sequence) for sequence in sequences}
    letters = set("".join(sequences).upper())
    if len(lengths) != 1 or not letters <= set(BASES):
        raise ValueError(
            f"{name}: sequences must be of one length and of the letters ACGT, found lengths "
            f"{sorted(lengths)[:5]} and letters {sorted(letters)}; use dnabert benchmark"
        )
    bases = np.frombuffer("".join(sequences).upper().encode(), np.uint8)
    table = np.zeros(256, np.uint8)
    table[np.frombuffer(BASES.encode(), np.uint8)] = range(4)
    return table[bases].reshape(len(sequences), -1)


def tiny_sets() -> dict[str, np.ndarray]:
    """Make two small sets for a rehearsal, of which each has a word in the sequences of a class."""
    rng = np.random.default_rng(0)
    sets: dict[str, np.ndarray] = {}
    for name, seed in (("rehearsal, both strands", 0), ("rehearsal, one strand", 0)):
        key = f"{name}|64|{seed}"
        for split, n in (("train", 64), ("dev", 32), ("test", 32)):
            x, y = rng.integers(0, 4, (n, 24)), np.arange(n) % 2
            x[y == 1, 8:16] = [0, 1, 2, 3, 3, 2, 1, 0]
            sets |= {f"{key}.{split}.x": x.astype(np.uint8), f"{key}.{split}.y": y}
        sets[f"{key}.both"] = np.array("both" in name)
    return sets


def write_results(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write table.jsonl and scores.tsv."""
    (folder / "table.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = ["data\tlabels\tmodel\tlearning_rate\tseed\tmcc\tseconds"]
    for row in rows:
        lines.append(f"{row['data']}\t{row['labels']}\t{row['model']}\t\t{row['seed']}\t")
        lines[-1] += f"{row['mcc']:.6f}\t{row['seconds']:.2f}"
    (folder / "scores.tsv").write_text("\n".join(lines) + "\n")


def run(sets: Mapping[str, np.ndarray], folder: Path, *, most_steps: int | None) -> None:
    """Train every start on every cell, in groups that agree in what they need."""
    config = DNABertConfig.from_pretrained(checkpoint("dnabert-6-mini"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    groups: dict[tuple[Any, ...], list[Job]] = defaultdict(list)
    for cell in dict.fromkeys(key.rsplit(".", 2)[0] for key in sets if key.endswith(".train.x")):
        n_classes = len(np.unique(sets[f"{cell}.train.y"]))
        shape = *sets[f"{cell}.train.x"].shape, *sets[f"{cell}.test.x"].shape, n_classes
        for model in STARTS:
            job = Job(cell, model, int(cell.rsplit("|", 1)[1]))
            key = (shape, len(sets[f"{cell}.dev.x"]), bool(sets[f"{cell}.both"]))
            groups[key].append(job)
    rows = []
    for jobs in groups.values():
        for at in range(0, len(jobs), MOST):
            begin, some = time.perf_counter(), jobs[at : at + MOST]
            found = train(some, sets, config, device=device, most_steps=most_steps)
            seconds = (time.perf_counter() - begin) / len(some)
            rows += [row | {"seconds": seconds} for row in found]
            write_results(rows, folder)
            print(*(f"{r['data']} {r['model']} {r['seed']}: {r['mcc']}" for r in found), sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prepare", type=Path, help="folder of the labelled sets")
    parser.add_argument("--labels", type=int, nargs="*", default=[], help="for curves of 4 sets")
    parser.add_argument("--sets", type=Path, help="file that --prepare writes and a run reads")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--tiny", action="store_true", help="rehearsal on made-up sets, on a CPU")
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare, options.sets, options.labels)
        return
    options.output.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.enable_cudnn_sdp(False)
    sets = tiny_sets() if options.tiny else dict(np.load(options.sets))
    run(sets, options.output, most_steps=TINY_STEPS if options.tiny else None)


if __name__ == "__main__":
    main()
