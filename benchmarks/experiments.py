"""Experiments and designs of a model whose rule is known, beside tangermeme and plain predictions.

    OMP_NUM_THREADS=1 python benchmarks/experiments.py [--peers PEERS] [--steps 1500] \
        [--model FOLDER] [-o benchmarks/results/experiments.md] [--images docs/images]

PEERS is a folder with tangermeme and what it imports, as in benchmarks/speed.py. A small classifier
(k = 3, two layers; kept in FOLDER and taken from there the next time) learns that a sequence of 50
bases is positive where GATAAG lies five bases left of CCTGAC; negatives have one of them, both at
other distances or in the other order, or none. Then:

- what `experiment space`, `insert`, `ablate` and `scan` say of it: it must be the rule;
- the same numbers by tangermeme's space, marginalize and ablate, on the same model;
- CPU time beside `predict` on the same edited sequences, with the weights of dnabert-6-mini;
- designs from sequences without the words: greedy, by beams, with a shortlist.
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dnabert_hf import (
    DNABertConfig,
    DNABertForSequenceClassification,
    DNABertTokenizer,
    Limits,
    RandomSequences,
    checkpoint,
    design,
    experiment_ablate,
    experiment_insert,
    experiment_scan,
    experiment_space,
    predict,
    report_experiment,
)
from dnabert_hf.interpretation.experiments import frame
from dnabert_hf.interpretation.experiments.edits import Edit
from dnabert_hf.interpretation.experiments.scoring import ClassScorer

N_BASES, DISTANCE = 50, 5
A, B = "GATAAG", "CCTGAC"


def put(letters: list[str], start: int, word: str) -> None:
    letters[start : start + len(word)] = word


def draw(rng: np.random.Generator, *, positive: bool) -> str:
    letters = list(rng.choice(list("ACGT"), N_BASES))
    kind = "pair" if positive else rng.choice(["one", "apart", "apart", "none"])
    distance = DISTANCE
    if kind == "apart":
        distance = int(rng.choice([d for d in range(16) if d != DISTANCE]))
    words = [A, B] if kind == "pair" or rng.random() < 0.7 else [B, A]
    if kind in ("pair", "apart"):
        start = int(rng.integers(N_BASES - 12 - distance + 1))
        put(letters, start, words[0])
        put(letters, start + 6 + distance, words[1])
    elif kind == "one":
        put(letters, int(rng.integers(N_BASES - 5)), str(rng.choice([A, B])))
    return "".join(letters)


def train(n_steps: int, folder: Path | None):
    if folder is not None and (folder / "config.json").exists():
        loaded = DNABertForSequenceClassification.from_pretrained(folder)
        return loaded.eval(), DNABertTokenizer(k=3)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    config = DNABertConfig(
        k=3,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        num_labels=2,
        id2label={0: "other", 1: "pair"},
        label2id={"other": 0, "pair": 1},
        training_lengths=[N_BASES, N_BASES, N_BASES],
    )
    model, tokenizer = DNABertForSequenceClassification(config).train(), DNABertTokenizer(k=3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=n_steps)
    correct = []
    for step in range(n_steps):
        labels = rng.integers(2, size=64)
        batch = tokenizer([draw(rng, positive=bool(each)) for each in labels], return_tensors="pt")
        del batch["attention_mask"]
        out = model(**batch, labels=torch.tensor(labels))
        out.loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        correct.append(float((out.logits.argmax(1).numpy() == labels).mean()))
        if step % 250 == 0 or step + 1 == n_steps:
            print(f"step {step}: accuracy {np.mean(correct[-100:]):.3f}", flush=True)
    if folder is not None:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return model.eval(), tokenizer


class OneHot(torch.nn.Module):
    """The model as tangermeme calls it: bases one-hot, (rows, 4, bases), to P(pair), (rows, 1)."""

    def __init__(self, model, tokenizer):
        super().__init__()
        self.model, self.tokenizer = model, tokenizer

    def forward(self, bases):
        """Give P(pair), shape (rows, 1)."""
        texts = ["".join("ACGT"[i] for i in row) for row in bases.argmax(1).tolist()]
        logits = self.model(**self.tokenizer(texts, return_tensors="pt")).logits
        return logits.softmax(-1)[:, 1:]


def one_hot(sequences):
    codes = torch.tensor([["ACGT".index(base) for base in text] for text in sequences])
    return torch.nn.functional.one_hot(codes, 4).permute(0, 2, 1).to(torch.int8)


def column(done, name):
    return np.array([row[done.columns.index(name)] for row in done.rows])


def recorded(experiment, *arguments, **options):
    """Run an experiment, and give the edits that it scored, too."""
    seen: list[Edit] = []
    rows = frame._rows

    def keep(chunk, scorer):
        seen.extend(edit for _, edit in chunk.edits)
        return rows(chunk, scorer)

    frame._rows = keep
    try:
        return experiment(*arguments, **options), seen
    finally:
        frame._rows = rows


def asked(call) -> list[str]:
    """Run a design, and give the sequences that its model was asked about."""
    seen: list[str] = []
    scores = ClassScorer.scores

    def keep(self, sequences):
        seen.extend(sequences)
        return scores(self, sequences)

    ClassScorer.scores = keep
    try:
        call()
    finally:
        ClassScorer.scores = scores
    return seen


def compare(model, tokenizer, lines: list[str]) -> None:
    from tangermeme.ablate import ablate
    from tangermeme.marginalize import marginalize
    from tangermeme.space import space

    sequences = [each.sequence for each in RandomSequences(20).draw(N_BASES, 5)]
    x, theirs = one_hot(sequences), OneHot(model, tokenizer)
    options = {"tokenizer": tokenizer, "dtype": "float32"}
    gaps = {}
    done = experiment_insert(model, sequences, A, **options)
    before, after = (y[:, 0].numpy() for y in marginalize(theirs, x, A, device="cpu"))
    gaps["marginalize"] = max(
        np.abs(column(done, "prob_ref_pair") - before).max(),
        np.abs(column(done, "prob_pair") - after).max(),
    )
    done = experiment_space(model, sequences, A, B, distances=(0, 9), position=8, **options)
    spaced = space(theirs, x, [A, B], [[d] for d in range(10)], start=8, device="cpu")
    keys = zip(*(column(done, n) for n in ("id", "order", "strand_a", "strand_b")), strict=True)
    is_plain = np.array([tuple(key)[1:] == ("AB", "+", "+") for key in keys])
    ours = column(done, "prob_pair")[is_plain].reshape(len(sequences), 10)
    gaps["space"] = np.abs(ours - spaced.y_afters[..., 0].numpy()).max()
    done, edits = recorded(
        experiment_ablate, model, sequences, region=(10, 30), replacement="shuffled", n_draws=5,
        **options,
    )  # fmt: skip
    is_site = column(done, "place") == "site"
    shuffled = [e.sequence for e, here in zip(edits, is_site, strict=True) if here]

    def shuffle(bases, *, n, **_):
        return one_hot(shuffled).reshape(len(bases), n, 4, -1)

    ablated = ablate(theirs, x, 10, 30, n=5, shuffle_fn=shuffle, device="cpu")
    gaps["ablate"] = np.abs(
        column(done, "prob_pair")[is_site] - ablated.y_after[..., 0].numpy().ravel()
    ).max()
    for name, gap in gaps.items():
        lines.append(f"| probabilities beside tangermeme's `{name}` | {gap:.1e} apart at most |")


def rule(model, tokenizer, lines: list[str], images: Path | None) -> None:
    options = {"tokenizer": tokenizer, "dtype": "float32"}
    spaced = experiment_space(
        model, RandomSequences(100), A, B, distances=(0, 15), position=8, **options
    )
    best, *others = sorted(spaced.effects, key=lambda each: -each.interaction)
    lines.append(f"| `space`, largest interaction of {len(spaced.effects)} | {best} |")
    lines.append(f"| the next one | {others[0]} |")
    inserted = experiment_insert(model, RandomSequences(100), [A, B, f"{A}NNNNN{B}"], **options)
    lines += [f"| `insert` | {each} |" for each in inserted.effects]
    rng = np.random.default_rng(7)
    positives = [draw(rng, positive=True) for _ in range(100)]
    ablated = experiment_ablate(model, positives, A, n_draws=10, **options)
    lines += [f"| `ablate` {A} in positives | {each} |" for each in ablated.effects]
    with_b = [
        text[:30] + B + text[36:] for text in (r.sequence for r in RandomSequences(50).draw(50, 9))
    ]
    scanned = experiment_scan(model, with_b, A, **options)
    top = max(scanned.effects, key=lambda each: each.change)
    lines.append(f"| `scan` of {A}, {B} at 30 (the rule: at 19) | {top} |")
    if images is not None:
        report_experiment(spaced, plot=images / "experiment-space.png")


def designs(model, tokenizer, lines: list[str]) -> None:
    starts = [each.sequence for each in RandomSequences(10).draw(N_BASES, 11)]
    for name, options in {
        "greedy": {},
        "beam of 4": {"beam": 4},
        "shortlist of 20": {"shortlist": 20},
        "beam of 4, shortlist of 20": {"beam": 4, "shortlist": 20},
    }.items():
        begin = time.process_time()
        done = design(
            model, starts, limits=Limits(edits=12), tokenizer=tokenizer, dtype="float32", **options
        )
        seconds = time.process_time() - begin
        n_pairs = sum(f"{A}{each.sequence[i + 6 : i + 11]}{B}" in each.sequence
                      for each in done.designs for i in range(N_BASES - 16))  # fmt: skip
        lines.append(
            f"| `design`, {name}, 12 edits | {done.summary()}; the pair in {n_pairs}; "
            f"{seconds:.1f} CPU s |"
        )


def cost(lines: list[str]) -> None:
    torch.manual_seed(0)
    folder = checkpoint("dnabert-6-mini")
    model = DNABertForSequenceClassification.from_pretrained(folder, num_labels=2).eval()
    options = {"tokenizer": DNABertTokenizer(k=6), "dtype": "float32"}
    given = [each.sequence for each in RandomSequences(40).draw(101, 3)]
    calls = {
        "insert": lambda: experiment_insert(model, given, ["TGASTCA", "GATA"], **options),
        "ablate": lambda: experiment_ablate(
            model, given[:10], region=(40, 60), n_draws=5, **options
        ),
        "space": lambda: experiment_space(
            model, given[:1], "TGACTCA", "GATA", distances=(0, 9), **options
        ),
        "scan": lambda: experiment_scan(model, given[:1], "TGASTCA", **options),
    }
    texts_of = {}
    for name, call in calls.items():
        done, edits = recorded(call)
        refs = given[: done.n_sequences]
        texts_of[name] = [*refs, *(t for e in edits for t in (*e.parts, e.sequence))]
    calls["design"] = lambda: design(model, given[:1], limits=Limits(edits=1), **options)
    texts_of["design"] = asked(calls["design"])
    for name, call in calls.items():
        texts = list(dict.fromkeys(texts_of[name]))
        times: dict[str, list[float]] = {"ours": [], "plain": []}
        for _ in range(3):
            for who, run in (("ours", call), ("plain", partial(predict, model, texts, **options))):
                begin = time.process_time()
                run()
                times[who].append(time.process_time() - begin)
        ours, plain = min(times["ours"]), min(times["plain"])
        lines.append(
            f"| `{name}`: {len(texts):,} distinct sequences of 101 bases | {ours:.2f} CPU s, "
            f"`predict` {plain:.2f}: {ours / plain:.2f} times |"
        )


class _Lines(list):
    """Lines of a table that are printed as they come."""

    def append(self, line: str) -> None:
        print(line, flush=True)
        super().append(line)

    def __iadd__(self, lines):
        for line in lines:
            self.append(line)
        return self


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lines = _Lines(["| | |", "|---|---|"])
    model, tokenizer = train(arguments.steps, arguments.model)
    rng = np.random.default_rng(99)
    labels = rng.integers(2, size=1000)
    found = predict(model, [draw(rng, positive=bool(x)) for x in labels], tokenizer=tokenizer)
    accuracy = np.mean([(f.label == "pair") == x for f, x in zip(found, labels, strict=True)])
    lines.append(f"| accuracy on 1,000 new sequences | {accuracy:.3f} |")
    rule(model, tokenizer, lines, arguments.images)
    if arguments.peers is not None:
        sys.path.append(str(arguments.peers))
        compare(model, tokenizer, lines)
    cost(lines)
    designs(model, tokenizer, lines)
    if arguments.output is not None:
        head = "# Experiments on a model whose rule is known\n\n"
        typed = f"`python benchmarks/experiments.py --steps {arguments.steps} --peers PEERS`"
        arguments.output.write_text(f"{head}{typed}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
