"""Dependency maps of a model whose structure is known, and what they cost.

    python benchmarks/dependencies.py [--steps 3000] [--sequences 30] [-o FOLDER]

A small model (k = 3, two layers) learns sequences of 64 bases from a Markov chain of order 1, in
which a hairpin of free letters (arms at 12 and 26, six bases) and a pair of words (one of ACCA and
GTTG at 40, the same choice of TGGT and CAAC at 54) are planted. Then, on new sequences:

- of the hairpins and pairs, how many `find_blocks` finds, and what else it finds;
- the same for a model of the chain alone, whose map must be a band: the share of its dependency
  within two bases of the diagonal;
- CPU time beside that of plain passes of the model over as many windows.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from dnabert_hf import (
    DataCollatorForContiguousKmerMasking,
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertTokenizer,
    dependency_maps,
    find_blocks,
)
from dnabert_hf.interpretation.plots.dependency_map import plot_dependency_maps

N_BASES = 64
ARMS = (12, 26)
ARM_BASES = 6
WORDS = (40, 54)
CHOICES = (("ACCA", "TGGT"), ("GTTG", "CAAC"))
CHAIN = np.array(
    [[0.4, 0.1, 0.2, 0.3], [0.3, 0.3, 0.1, 0.3], [0.2, 0.4, 0.3, 0.1], [0.1, 0.2, 0.5, 0.2]]
)


def sequence_of_chain(rng: np.random.Generator) -> list[str]:
    letters = [int(rng.integers(4))]
    while len(letters) < N_BASES:
        letters.append(int(rng.choice(4, p=CHAIN[letters[-1]])))
    return ["ACGT"[letter] for letter in letters]


def plant(letters: list[str], rng: np.random.Generator) -> list[str]:
    for offset in range(ARM_BASES):
        letter = int(rng.integers(4))
        letters[ARMS[0] + offset] = "ACGT"[letter]
        letters[ARMS[1] + ARM_BASES - 1 - offset] = "TGCA"[letter]
    for start, word in zip(WORDS, CHOICES[int(rng.integers(2))], strict=True):
        letters[start : start + len(word)] = word
    return letters


def draw(n: int, rng: np.random.Generator, *, planted: bool) -> list[str]:
    each = (sequence_of_chain(rng) for _ in range(n))
    return ["".join(plant(letters, rng) if planted else letters) for letters in each]


def train(n_steps: int, *, planted: bool) -> tuple[DNABertForMaskedLM, DNABertTokenizer]:
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    config = DNABertConfig(
        k=3,
        hidden_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=192,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model, tokenizer = DNABertForMaskedLM(config).train(), DNABertTokenizer(k=3)
    collator = DataCollatorForContiguousKmerMasking(
        tokenizer, mlm_probability=0.2, per_span=True, seed=0
    )
    pool = [tokenizer(each)["input_ids"] for each in draw(20_000, rng, planted=planted)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=n_steps)
    for step in range(n_steps):
        rows = rng.integers(len(pool), size=48)
        batch = collator([{"input_ids": pool[row]} for row in rows])
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 200 == 0:
            print(f"step {step}: loss {loss.item():.3f}", flush=True)
    return model.eval(), tokenizer


def report(name: str, maps: list, folder: Path | None) -> None:
    blocks = [find_blocks(each) for each in maps]
    near = np.abs(np.subtract.outer(np.arange(N_BASES), np.arange(N_BASES))) <= 2
    share = np.mean([np.nansum(each.scores[near]) / np.nansum(each.scores) for each in maps])
    arms = (ARMS[0], ARMS[0] + ARM_BASES, ARMS[1], ARMS[1] + ARM_BASES)

    def overlaps(block, one, other) -> bool:
        return block.start_b is not None and (
            min(block.end, one + 6) > max(block.start, one)
            and min(block.end_b, other + 6) > max(block.start_b, other)
        )

    hairpins = sum(
        any(b.kind == "inverted repeat" and overlaps(b, arms[0], arms[2]) for b in of_map)
        for of_map in blocks
    )
    pairs = sum(any(overlaps(b, *WORDS) for b in of_map) for of_map in blocks)
    others = [
        b
        for of_map in blocks
        for b in of_map
        if b.kind != "site" and not overlaps(b, arms[0], arms[2]) and not overlaps(b, *WORDS)
    ]
    sites = sum(b.kind == "site" for of_map in blocks for b in of_map)
    print(
        f"{name}: {len(maps)} maps; hairpin found in {hairpins}, pair in {pairs}; other "
        f"repeats and pairs {len(others)}, sites {sites}; "
        f"within two bases of the diagonal {share:.2f}"
    )
    if folder is not None:
        plot_dependency_maps([(maps[0], blocks[0])], folder / f"dependencies-{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--sequences", type=int, default=30)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.output is not None:
        arguments.output.mkdir(exist_ok=True)
    for name, planted in (("planted", True), ("chain", False)):
        model, tokenizer = train(arguments.steps, planted=planted)
        sequences = draw(arguments.sequences, np.random.default_rng(2), planted=planted)
        begin = time.process_time()
        maps = dependency_maps(model, sequences, tokenizer=tokenizer, dtype="float32")
        seconds = time.process_time() - begin
        report(name, maps, arguments.output)
        n_windows = arguments.sequences * N_BASES * (1 + 3 * (N_BASES - 1))
        ids = torch.tensor(tokenizer(sequences)["input_ids"])[:16].repeat(4, 1)
        with torch.inference_mode():
            begin = time.process_time()
            for _ in range(20):
                model.bert(ids)
            plain = (time.process_time() - begin) / (20 * len(ids)) * n_windows
        print(f"{n_windows:,} windows: {seconds:.0f} CPU s, plain passes {plain:.0f}", flush=True)


if __name__ == "__main__":
    main()
