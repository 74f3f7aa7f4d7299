"""One call for a machine with a GPU: tests, speed beside stock transformers, and checkpoints.

    python benchmarks/gpu.py --genome human.fa.gz --output results --minutes 9
    python benchmarks/gpu.py --tiny --output results          # rehearsal on a CPU, half a minute

Parts, each written to OUTPUT as soon as it is done, so that a stop loses nothing:

- machine: versions, the measured peak of bfloat16 products and of copies;
- tests: `pytest -m gpu tests/gpu` (tests.txt); a rehearsal on a CPU leaves them out, for what they
  run there the other tests run too (`--tiny --parts tests` runs them all the same);
- inference and training: BERT-base, ours beside stock transformers, with the share of the peak;
- profile, only if asked for: where the time goes, the costliest operations (profile.txt);
- pretrain: small checkpoints side by side for the minutes that are left (NAME.safetensors in
  bfloat16, below 16 MiB each), finished when the minutes end. package_checkpoint.py makes them
  checkpoints of the package.

A part that fails is in the report with its error, the others go on, and the exit status is 1.
OUTPUT/report.json holds every figure, OUTPUT/log.txt what the trainings said. Needs torch,
transformers, accelerate and this package; neither datasets, evaluate nor pyarrow.

How the checkpoints are trained: 126 k-mers at a constant learning rate for the first part of the
time, then 510 k-mers while the rate falls linearly to 0 by the clock, so that the end comes when
the minutes end, however many trainings share the GPU. Steps, tokens and rates are in the report.
"""

import argparse
import copy
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from transformers import TrainerCallback

HELD_OUT = [f"human_{number:04d}" for number in range(1, 7)]  # GRCh38 chr20:5-10M
FIRST_SHARE = 0.6  # of a training's time, for the short segments


class Run(NamedTuple):
    """A checkpoint to make: its name, k, start, and settings over those of the preset."""

    name: str
    k: int
    preset: str
    recipe: dict[str, Any]
    config: dict[str, Any]


# Normal weights know less about their neighbours at first, catch up within 200 million tokens, and
# are better to fine-tune at k = 6 (results/gpu.md); fewer k-mers were not compared.
RUNS = (
    Run("dnabert-6-mini", 6, "mini", {"weights": "normal"}, {"initializer_range": 0.02}),
    Run("dnabert-5-mini", 5, "mini", {}, {}),
    Run("dnabert-4-mini", 4, "mini", {}, {}),
    Run("dnabert-3-mini", 3, "mini", {}, {}),
)


def first_and_median_of(
    work: Callable[[], Any], device: torch.device, *, repeats: int
) -> tuple[float, float]:
    """Seconds of a first call, and the median of those after it."""
    found = []
    for _ in range(repeats + 1):
        if device.type == "cuda":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - begin)
    return found[0], float(np.median(found[1:]))


def seconds_of(work: Callable[[], Any], device: torch.device, *, repeats: int) -> float:
    """Median seconds of a call, after a warm-up."""
    return first_and_median_of(work, device, repeats=repeats)[1]


def describe_machine(device: torch.device, *, tiny: bool) -> dict[str, Any]:
    size = 128 if tiny else 8192
    a, b = (torch.randn(size, size, device=device).to(torch.bfloat16) for _ in range(2))
    peak = 2 * size**3 / seconds_of(lambda: a @ b, device, repeats=10)
    block = torch.randn(2**20 if tiny else 2**30, device=device)
    target = torch.empty_like(block)
    copied = 2 * 4 * block.numel() / seconds_of(lambda: target.copy_(block), device, repeats=10)
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "bf16_peak_tflops": peak / 1e12,
        "copy_gb_per_s": copied / 1e9,
    }


def base_model(*, tiny: bool) -> tuple[Any, Any, dict[str, Any]]:
    """DNABERT and stock BERT with the same weights, base size, for two classes."""
    from transformers import BertConfig, BertForSequenceClassification

    from dnabert_hf import DNABertConfig, DNABertForSequenceClassification

    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 128} if tiny else {}  # fmt: skip
    ours = DNABertForSequenceClassification(DNABertConfig(k=6, **sizes))
    stock = BertForSequenceClassification(BertConfig(vocab_size=4101, **sizes))
    stock.load_state_dict(ours.state_dict())
    return ours, stock, sizes


def flops_a_token(config: Any, n_tokens: float) -> float:
    """Operations of a forward pass a token: two a weight, four a pair of tokens and dimension."""
    hidden, inner = config.hidden_size, config.intermediate_size
    weights = config.num_hidden_layers * (4 * hidden**2 + 2 * hidden * inner)
    return 2 * weights + 4 * config.num_hidden_layers * hidden * n_tokens


def measure_inference(device: torch.device, peak: float, *, tiny: bool) -> list[dict[str, Any]]:
    """Tokens a second from raw DNA to probabilities, at 100, 512 and mixed lengths."""
    from dnabert_hf import DNABertTokenizer, predict
    from dnabert_hf.inference.engine import engine
    from dnabert_hf.inference.engine.transfers import without_cudnn_attention

    ours, stock, _ = base_model(tiny=tiny)
    tokenizer = DNABertTokenizer(k=6)
    prepared = copy.deepcopy(ours).to(device, torch.bfloat16).eval()
    stock = stock.to(device, torch.bfloat16).eval()
    rng = np.random.default_rng(0)
    n = 64 if tiny else 8192
    lengths = {
        "100 tokens": np.full(n, 98),
        "512 tokens": np.full(n // 4, 510),
        "20 to 512 tokens": rng.integers(18, 511, n // 2),
    }

    def with_stock(sequences: list[str]) -> None:
        """As one writes it: batches of 256 in order, padded."""
        with torch.inference_mode():
            for first in range(0, len(sequences), 256):
                batch = tokenizer(
                    sequences[first : first + 256], padding=True, return_tensors="pt"
                ).to(device)
                stock(**batch).logits.float().softmax(-1).cpu()

    def with_ours(sequences: list[str], model: Any = prepared, batch: int | None = None) -> None:
        predict(
            model,
            sequences,
            tokenizer=tokenizer,
            device=str(device),
            dtype="bfloat16",
            batch_tokens=batch,
        )

    def with_cudnn(sequences: list[str]) -> None:
        """Masked attention by the kernel that torch would take."""
        engine.without_cudnn_attention = nullcontext
        try:
            with_ours(sequences)
        finally:
            engine.without_cudnn_attention = without_cudnn_attention

    contenders: dict[str, Callable[[list[str]], None]] = {
        "stock BERT, bf16": with_stock,
        "dnabert-hf predict": with_ours,
        "dnabert-hf predict, 32,768 tokens a batch": partial(with_ours, batch=32768),
        "dnabert-hf predict, 131,072 tokens a batch": partial(with_ours, batch=131072),
        "dnabert-hf predict, model on the host in float32": partial(with_ours, model=ours),
        "dnabert-hf predict, cuDNN's masked attention allowed": with_cudnn,
    }
    rows = []
    for name, kmers in lengths.items():
        sequences = ["".join(rng.choice(list("ACGT"), m + 5)) for m in kmers]
        tokens = float((kmers + 2).sum())
        mean = float(((kmers + 2) ** 2).sum() / (kmers + 2).sum())
        flops = flops_a_token(ours.config, mean)
        for who, work in contenders.items():
            if "cuDNN" in who and len(set(kmers)) == 1:
                continue
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            first, seconds = first_and_median_of(
                partial(work, sequences), device, repeats=1 if tiny else 2
            )
            rows.append({
                "work": f"predict, BERT-base, {name}",
                "who": who,
                "tokens_per_s": tokens / seconds,
                "first_call_s": first,
                "seconds": seconds,
                "share_of_peak": tokens / seconds * flops / peak,
                "peak_gb": torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0,
            })  # fmt: skip
    return rows


def profile(device: torch.device, output: Path, *, tiny: bool) -> dict[str, float]:
    """Write the 15 costliest operations of predictions and of a training step to profile.txt."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from dnabert_hf import (
        DataCollatorForContiguousKmerMasking,
        DNABertConfig,
        DNABertForMaskedLM,
        DNABertTokenizer,
        predict,
    )

    tokenizer = DNABertTokenizer(k=6)
    ours, _, sizes = base_model(tiny=tiny)
    ours = ours.to(device, torch.bfloat16).eval()
    rng = np.random.default_rng(0)

    def random_dna(n: int, shortest: int, longest: int) -> list[str]:
        lengths = rng.integers(shortest, longest + 1, n)
        return ["".join(rng.choice(list("ACGT"), length)) for length in lengths]

    batch = DataCollatorForContiguousKmerMasking(tokenizer, seed=1)(
        random_dna(4 if tiny else 64, 515, 515)
    )
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    trained = DNABertForMaskedLM(DNABertConfig(k=6, **sizes)).to(device).train()
    optimizer = torch.optim.AdamW(trained.parameters(), fused=device.type == "cuda")

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            loss = trained(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    n = 32 if tiny else 2048
    options: Any = {"tokenizer": tokenizer, "device": str(device), "dtype": "bfloat16"}
    works = {
        f"predict, {n} x 100 tokens": partial(predict, ours, random_dna(n, 103, 103), **options),
        f"predict, {n // 2} x 20 to 512 tokens": partial(
            predict, ours, random_dna(n // 2, 23, 515), **options
        ),
        "training step": step,
    }
    activities, by = [ProfilerActivity.CPU], "self_cpu_time_total"
    if device.type == "cuda":
        activities, by = [*activities, ProfilerActivity.CUDA], "self_cuda_time_total"
    seconds = {}
    with (output / "profile.txt").open("w") as stream:
        for name, work in works.items():
            seconds[name] = seconds_of(work, device, repeats=1)  # and warmed up
            with profiler(activities=activities) as found:
                work()
                if device.type == "cuda":
                    torch.cuda.synchronize()
            table = found.key_averages().table(sort_by=by, row_limit=15, max_name_column_width=70)
            stream.write(f"{name}: {seconds[name]:.4f} s without the profiler\n{table}\n\n")
    return seconds


def measure_training(device: torch.device, peak: float, *, tiny: bool) -> list[dict[str, Any]]:
    """Tokens a second of a training step on masked k-mers, 64 segments of 510 k-mers."""
    from transformers import BertConfig, BertForMaskedLM

    from dnabert_hf import (
        DataCollatorForContiguousKmerMasking,
        DNABertConfig,
        DNABertForMaskedLM,
        DNABertTokenizer,
    )
    from dnabert_hf.training.shared.muon import Muon, muon_groups

    _, _, sizes = base_model(tiny=tiny)
    n = 4 if tiny else 64
    rng = np.random.default_rng(0)
    tokenizer = DNABertTokenizer(k=6)
    sequences = ["".join(rng.choice(list("ACGT"), 515)) for _ in range(n)]
    collator = DataCollatorForContiguousKmerMasking(tokenizer, seed=1)
    batch = {name: tensor.to(device) for name, tensor in collator(sequences).items()}
    stock = BertForMaskedLM(BertConfig(vocab_size=4101, **sizes))
    contenders: dict[str, tuple[Any, str]] = {
        "stock BERT, fused AdamW": (stock, "adamw"),
        "dnabert-hf, fused AdamW": (DNABertForMaskedLM(DNABertConfig(k=6, **sizes)), "adamw"),
        "dnabert-hf, Muon": (DNABertForMaskedLM(DNABertConfig(k=6, **sizes)), "muon"),
        "dnabert-hf, Muon, compiled": (DNABertForMaskedLM(DNABertConfig(k=6, **sizes)), "compile"),
    }
    rows = []
    for who, (model, kind) in contenders.items():
        model = model.to(device).train()
        fused = {"fused": device.type == "cuda"}
        optimizer: Any
        if kind == "adamw":
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, **fused)
        else:
            groups = muon_groups(model, learning_rate=0.02, weight_decay=0.01)
            optimizer = Muon(groups, lr=1e-4, **fused)
        inner: Any = torch.compile(model.bert.encoder) if kind == "compile" and not tiny else None
        if inner is not None:
            model.bert.encoder.forward = inner

        def step(model: Any = model, optimizer: Any = optimizer) -> None:
            with torch.autocast(device.type, torch.bfloat16):
                loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        rate = batch["input_ids"].numel() / seconds_of(step, device, repeats=1 if tiny else 10)
        rows.append({
            "work": "training step, BERT-base, 64 x 512 tokens",
            "who": who,
            "tokens_per_s": rate,
            "share_of_peak": rate * 3 * flops_a_token(model.config, 512) / peak,
            "peak_gb": torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0,
        })  # fmt: skip
        del model, optimizer
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return rows


class ByTheClock(TrainerCallback):
    """Ends training at a time, and brings the learning rate down to 0 by then if asked.

    Args:
        end: Time to stop, as `time.time()` gives it.
        decay: Whether the learning rates fall linearly from the first step to the end.
    """

    def __init__(self, end: float, *, decay: bool):
        self.end, self.decay = end, decay
        self.begin = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Start the clock."""
        self.begin = time.time()

    def on_step_begin(
        self,
        args: Any,  # noqa: ARG002
        state: Any,  # noqa: ARG002
        control: Any,  # noqa: ARG002
        optimizer: Any = None,
        **_: Any,
    ) -> None:
        """Scale the rate that the schedule has set."""
        if self.decay:
            left = max(0.0, (self.end - time.time()) / (self.end - self.begin))
            groups = getattr(optimizer, "optimizer", optimizer).param_groups
            for group in groups:
                group["lr"] *= left

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Stop when the time has come."""
        if time.time() >= self.end:
            control.should_log = True
            control.should_training_stop = True


def train(run: Run, genome: Path, work: Path, output: Path, end: float, *, tiny: bool) -> None:
    """Make one checkpoint in two stages, by the clock; what a subprocess does."""
    from dnabert_hf import DNABertForMaskedLM, pretrain

    logging.basicConfig(level=logging.INFO, format=f"{run.name} %(asctime)s %(message)s")
    begin = time.time()
    middle = begin + FIRST_SHARE * (end - begin)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 128} if tiny else {}  # fmt: skip
    shared = {
        "lr_scheduler_type": "constant_with_warmup",
        "lr_scheduler_kwargs": {},
        "max_steps": 10_000_000,
        "dataloader_num_workers": 1 if tiny else 3,
        "dataloader_prefetch_factor": 4,
        "logging_steps": 5 if tiny else 250,
        "eval_steps": 20 if tiny else 1500,
        "save_strategy": "no",
        "max_grad_norm": 1.0,
    }
    held_out = HELD_OUT if not tiny else ["b"]
    stages: list[Any] = []
    rows = (8, 4) if tiny else (512, 128)
    lengths = (126, 510)
    for number, stop in enumerate((middle, end)):
        is_first = number == 0
        recipe = {"max_tokens": lengths[number], "segments": "cut"} | run.recipe
        structured = recipe.get("weights", "structured") == "structured"
        if is_first:
            recipe |= {"mlm_probability": 0.45}
        else:
            recipe |= {"mlm_probability": 0.25}
            if structured:
                recipe |= {"extend_from": lengths[0]}
        result = pretrain(
            genome,
            output_dir=work / f"{run.name}-{number + 1}",
            preset=run.preset,
            model="random" if is_first else work / f"{run.name}-1",
            config={"k": run.k} | run.config | sizes if is_first else {},
            recipe=recipe,
            held_out=held_out,
            validation_windows=16 if tiny else 256,
            arguments=shared
            | {
                "per_device_train_batch_size": rows[number],
                "warmup_steps": 5 if tiny else (200 if is_first else 20),
                "seed": number + 1,
            },
            callbacks=[ByTheClock(stop, decay=not is_first)],
            overwrite=True,
        )
        folder = work / f"{run.name}-{number + 1}"
        metrics = json.loads((folder / "metrics.json").read_text())
        # By the clock: the steps made, not those that there might have been; and no path.
        metrics["steps"] = metrics["stages"][-1]["steps"] = metrics["history"][-1]["step"]
        metrics["model"] = metrics["stages"][-1]["model"] = "random" if is_first else "stage 1"
        stages.append(metrics)
        print(f"{run.name} {number + 1}: {result.n_tokens} tokens {result.scores}", flush=True)
    report = {"run": run._asdict(), "stages": stages}
    (output / f"{run.name}.json").write_text(json.dumps(report))
    model = DNABertForMaskedLM.from_pretrained(work / f"{run.name}-2", dtype=torch.bfloat16)
    model.save_pretrained(work / f"{run.name}-bf16")
    shutil.copy(work / f"{run.name}-bf16" / "model.safetensors", output / f"{run.name}.safetensors")


def pretrain_all(
    runs: list[Run], genome: Path, output: Path, end: float, *, tiny: bool
) -> list[dict[str, Any]]:
    """Train the checkpoints side by side, a process each; what came of them."""
    from dnabert_hf import open_genome

    open_genome(genome)  # so that the processes find it built
    work = Path(tempfile.mkdtemp(prefix="pretrain-"))
    log = (output / "log.txt").open("a")
    environment = os.environ | {"OMP_NUM_THREADS": "2", "TOKENIZERS_PARALLELISM": "false"}
    processes = []
    for run in runs:
        command = [sys.executable, __file__, "--genome", genome, "--output", work]
        command += ["--train", json.dumps(run._asdict()), "--end", end] + ["--tiny"] * tiny
        processes.append(
            subprocess.Popen([*map(str, command)], stdout=log, stderr=log, env=environment)
        )
    for process in processes:
        process.wait(max(1.0, end + (300 if tiny else 60) - time.time()))  # importing takes time
    found = []
    for run in runs:
        path = work / f"{run.name}.json"
        found.append(json.loads(path.read_text()) if path.exists() else {"run": run._asdict()})
        weights = work / f"{run.name}.safetensors"
        if weights.exists():
            shutil.copy(weights, output / weights.name)
    return found


def run_tests(output: Path, device: torch.device) -> dict[str, Any]:
    """Run the GPU suite, with the versions of this machine and their warnings."""
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "tests/gpu", "-q", "-W", "default"]
    command += ["-p", "no:cacheprovider", "-x"] if device.type == "cpu" else ["-n", "4"]
    environment = os.environ | {"DNABERT_HF_TEST_DEVICE": device.type, "OMP_NUM_THREADS": "2"}
    begin = time.perf_counter()
    with (output / "tests.txt").open("w") as stream:
        done = subprocess.run(
            command, cwd=root, env=environment, stdout=stream, stderr=stream, check=False
        )
    last = (output / "tests.txt").read_text().strip().splitlines()[-1:]
    return {"summary": last, "exit": done.returncode, "seconds": time.perf_counter() - begin}


def tiny_genome(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(list("ACGT"), 60_000))
    path = folder / "genome.fa"
    path.write_text(f">a\n{text[:50_000]}\n>b\n{text[50_000:]}\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genome", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9, help="whole call")
    parser.add_argument("--tiny", action="store_true", help="rehearsal: small and on any device")
    parser.add_argument("--parts", help="comma-separated, in place of all but the profile")
    parser.add_argument("--runs", help="JSON list of runs, in place of the four checkpoints")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    parser.add_argument("--end", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    begin = time.time()
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    if options.train:
        run = Run(**json.loads(options.train))
        train(run, options.genome, output, output, options.end, tiny=options.tiny)
        return
    minutes = 0.4 if options.tiny and options.minutes == 9 else options.minutes
    end = begin + 60 * minutes - (5 if options.tiny else 25)  # to save and to copy
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    genome = tiny_genome(output) if options.tiny else options.genome
    runs = (
        [Run(**fields) for fields in json.loads(options.runs)]
        if options.runs
        else list(RUNS[: 1 if options.tiny else None])
    )
    report: dict[str, Any] = {}
    tiny: bool = options.tiny

    def peak() -> float:
        return float(report.get("machine", {}).get("bf16_peak_tflops", 1.0)) * 1e12

    parts: dict[str, Callable[[], Any]] = {
        "machine": lambda: describe_machine(device, tiny=tiny),
        "tests": lambda: run_tests(output, device),
        "inference": lambda: measure_inference(device, peak(), tiny=tiny),
        "training": lambda: measure_training(device, peak(), tiny=tiny),
        "profile": lambda: profile(device, output, tiny=tiny),
        "pretrain": lambda: pretrain_all(
            # A rehearsal on a busy machine may have no time left for it.
            runs,
            genome,
            output,
            max(end, time.time() + 12) if tiny else end,
            tiny=tiny,
        ),
    }
    chosen = "machine,tests,inference,training,pretrain"
    if tiny and device.type == "cpu":
        chosen = "machine,inference,training,profile,pretrain"
        report["tests"] = {"skipped": "a rehearsal on a CPU; --parts tests runs them there"}
        print(f"tests: {json.dumps(report['tests'])}")
    for name in (options.parts or chosen).split(","):
        started = time.time()
        try:
            report[name] = parts[name]()
        except Exception as error:  # noqa: BLE001 - what comes after must not be lost
            report[name] = {"error": f"{type(error).__name__}: {error}"}
        (output / "report.json").write_text(json.dumps(report, indent=1))
        brief = report[name] if name != "pretrain" else [
            [run["run"]["name"], *[(s["tokens"], s["scores"]) for s in run.get("stages", [])]]
            for run in report[name]
        ] if isinstance(report[name], list) else report[name]  # fmt: skip
        print(f"{name} ({time.time() - started:.0f} s): {json.dumps(brief)}", flush=True)
    # A training that ended before it wrote its report has no stages.
    if any("error" in found for found in report.values() if isinstance(found, dict)) or any(
        not run.get("stages") for run in report.get("pretrain", []) if isinstance(run, dict)
    ):
        sys.exit(1)


if __name__ == "__main__":
    main()
