"""Pretrain a checkpoint of the package in a few minutes of one GPU, and time the base model there.

    python benchmarks/pretrain_on_gpu.py GENOME.fa.gz OUTPUT --minutes 8 [--k 6] [--base-steps 30]

Two stages, the first on 126 k-mers, which is cheaper a token, the last on 510. Each times its first
steps to choose how many fit into its share of the minutes, so that its learning rate comes down to
0 in time. Prints tokens/s with the share of the machine's matrix peak, then what the result knows
of held-out DNA (package_checkpoint.py turns OUTPUT/stage1 and OUTPUT/stage2 into a checkpoint of
the package). --base-steps also times so many steps of the base model. Runs on a CPU as well.
"""

import argparse
import logging
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

from dnabert_hf import evaluate_masked_lm, pretrain

HELD_OUT = [f"human_{number:04d}" for number in range(1, 7)]  # GRCh38 chr20:5-10M
TIMED_STEPS = 40


class Stage(NamedTuple):
    """What differs between the stages: length, batch, peak of the learning rate, share of time."""

    name: str
    max_tokens: int
    rows: int
    learning_rate: float
    share: float


STAGES = (Stage("stage1", 126, 512, 3e-3, 0.6), Stage("stage2", 510, 128, 1.5e-3, 0.4))


def run(
    genome: Path,
    output: Path,
    *,
    stage: Stage,
    steps: int,
    start: Path | None,
    k: int,
    preset: str = "mini",
    held_out: list[str],
) -> tuple[int, float]:
    """Train for so many steps; tokens read and seconds taken."""
    recipe: dict[str, Any] = {"max_tokens": stage.max_tokens, "segments": "cut"}
    if start is not None:
        recipe["extend_from"] = STAGES[0].max_tokens
    begin = time.perf_counter()
    result = pretrain(
        genome,
        output_dir=output,
        preset=preset,
        model="random" if start is None else start,
        config={"k": k} if start is None else {},
        recipe=recipe,
        held_out=held_out,
        arguments={
            "max_steps": steps,
            "per_device_train_batch_size": stage.rows,
            "learning_rate": stage.learning_rate,
            "dataloader_num_workers": 4,
            "logging_steps": max(1, steps // 50),
            "seed": 1,
        },
        overwrite=True,
    )
    return result.n_tokens, time.perf_counter() - begin


def time_a_step(options: argparse.Namespace, stage: Stage, start: Path | None, **which: Any) -> Any:
    """Tokens and seconds of a step, start-up taken off by the difference of two short runs."""
    folder = options.output / "timing"
    runs = []
    for steps in (options.timed_steps // 4, options.timed_steps):
        runs.append((steps, *run(options.genome, folder, stage=stage, steps=steps, start=start,
                                 held_out=[], k=options.k, **which)))  # fmt: skip
    shutil.rmtree(folder)
    (few, some_tokens, some_seconds), (many, tokens, seconds) = runs
    n = many - few
    return (tokens - some_tokens) / n, max(seconds - some_seconds, 1e-3) / n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("genome", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--k", type=int, default=6)
    parser.add_argument("--base-steps", type=int, default=0)
    parser.add_argument("--held-out", nargs="*", default=HELD_OUT)
    parser.add_argument("--rows", type=int, help="sequences a batch, in place of 512 and 128")
    parser.add_argument("--timed-steps", type=int, default=TIMED_STEPS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    start = None
    for each in STAGES:
        stage = each if options.rows is None else each._replace(rows=options.rows)
        tokens, seconds = time_a_step(options, stage, start)
        steps = max(1, int(options.minutes * 60 * stage.share / seconds))
        print(f"{stage.name}: {tokens / seconds:,.0f} tokens/s, {steps} steps", flush=True)
        folder = options.output / stage.name
        run(options.genome, folder, stage=stage, steps=steps, start=start, k=options.k,
            held_out=options.held_out)  # fmt: skip
        start = folder
    scores = evaluate_masked_lm(
        start,
        options.genome,
        regions=options.held_out,
        train=options.genome,
        untrained=True,
        n_windows=2000,
    ).rows()
    for name, row in scores.items():
        print(f"{name:40} {row['bits_per_base']:.4f} ± {row['standard_error']:.4f}")
    if options.base_steps:
        options.timed_steps = options.base_steps
        base = Stage("base", 510, options.rows or 64, 4e-4, 0)
        tokens, seconds = time_a_step(options, base, None, preset="base")
        print(f"base: {tokens / seconds:,.0f} tokens/s")


if __name__ == "__main__":
    main()
