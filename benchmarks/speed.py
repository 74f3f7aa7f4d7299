"""Speed of tokenizer, masking and forward pass beside transformers' own and multimolecule's.

    python benchmarks/speed.py --peer-python /path/to/environment/bin/python --output speed.json

The peer's Python is that of an environment of its own with multimolecule installed
(`python -m venv peer && peer/bin/pip install multimolecule`); without it, its rows are left out.
Everything is measured in one run, on random data and random weights, one after the other.
"""

import argparse
import json
import platform
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from measuring import best_rate, print_table, random_sequences
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    DataCollatorForLanguageModeling,
    PreTrainedTokenizerFast,
)

from dnabert_hf import (
    DataCollatorForContiguousKmerMasking,
    DNABertConfig,
    DNABertForSequenceClassification,
    DNABertTokenizer,
)
from dnabert_hf.hub.stock.tokenizer_json import build_stock_tokenizer
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.engine.engine import Engine, Window

K = 6
GEMM_SHAPES = ((2048, 2048, 2048), (4096, 4096, 4096), (4096, 3072, 768))


def bert_tokenizer() -> BertTokenizer:
    with tempfile.TemporaryDirectory() as folder:
        (vocab_file,) = DNABertTokenizer(k=K).save_vocabulary(folder)
        return BertTokenizer(vocab_file, do_lower_case=False)


def tokenizing() -> dict[str, float]:
    """Mbases a second, 1,000 sequences of 512 bases a call."""
    sequences = random_sequences(1000, 512)
    megabases = sum(map(len, sequences)) / 1e6
    ours, bert = DNABertTokenizer(k=K), bert_tokenizer()

    def kmer_text() -> list[str]:
        return [" ".join(s[i : i + K] for i in range(len(s) - K + 1)) for s in sequences]

    stock = PreTrainedTokenizerFast(tokenizer_object=build_stock_tokenizer(K))
    for ids in (bert(kmer_text()[:9])["input_ids"], stock(sequences[:9])["input_ids"]):
        assert ids == ours(sequences[:9])["input_ids"]
    contenders = {
        "dnabert-hf, to torch tensors": lambda: ours(sequences, return_tensors="pt"),
        "dnabert-hf, to NumPy arrays": lambda: ours(sequences, return_tensors="np"),
        "dnabert-hf, to lists": lambda: ours(sequences),
        "transformers BertTokenizer (Rust) and k-merising, to tensors": lambda: bert(
            kmer_text(), return_tensors="pt"
        ),
        "dnabert convert --stock (tokenizer.json), to tensors": lambda: stock(
            sequences, return_tensors="pt"
        ),
    }
    return {name: best_rate(work, megabases) for name, work in contenders.items()}


def masking() -> dict[str, float]:
    """Sequences a second, batches of 64 sequences of 512 tokens."""
    ours = DNABertTokenizer(k=K)
    sequences = random_sequences(64, 507 + K - 1 + 3)
    ids = ours(sequences, return_tensors="np")["input_ids"]
    assert ids.shape == (64, 512)
    contiguous = DataCollatorForContiguousKmerMasking(ours, seed=1)
    single = DataCollatorForLanguageModeling(bert_tokenizer())
    rows = [torch.from_numpy(row) for row in ids]
    lists = [{"input_ids": row.tolist()} for row in ids]
    contenders = {
        "dnabert-hf, tensors to a masked batch": lambda: contiguous(rows),
        "dnabert-hf, raw DNA to a masked batch": lambda: contiguous(sequences),
        "transformers' collator, tensors (single k-mers)": lambda: single(rows),
        "transformers' collator, lists (single k-mers)": lambda: single(lists),
    }
    return {name: best_rate(work, 64) for name, work in contenders.items()}


def forward() -> tuple[dict[str, float], float]:
    """Tokens a second of BERT-base, 8 sequences of 512 tokens; largest difference of logits."""
    torch.manual_seed(0)
    config = DNABertConfig(k=K)
    model = DNABertForSequenceClassification(config).eval()
    fields = config.to_dict()
    stock = BertForSequenceClassification(
        BertConfig(**{name: fields[name] for name in ("vocab_size", "hidden_size")})
    ).eval()
    stock.load_state_dict(model.state_dict())
    tokenizer = DNABertTokenizer(k=K)
    windows = [Window(s) for s in random_sequences(16, 510 + K - 1)]
    ids = tokenizer([w.sequence for w in windows], return_tensors="pt")["input_ids"]
    rates, logits = {}, {}
    with torch.inference_mode():
        logits["stock"] = stock(input_ids=ids).logits.numpy()
        name = "transformers BertForSequenceClassification, as it comes (float32)"
        rates[name] = best_rate(lambda: stock(input_ids=ids[:8]), 8 * 512, seconds=8)
        stock = stock.to(torch.bfloat16)
        name = "transformers BertForSequenceClassification, bfloat16"
        rates[name] = best_rate(lambda: stock(input_ids=ids[:8]), 8 * 512, seconds=6)

    def compute(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return model(**inputs).logits

    for dtype in ("auto", "float32", "int8"):
        engine = Engine(
            as_checkpoint(model, tokenizer, task="sequence-classification"), dtype=dtype
        )
        name = f"dnabert-hf engine, {dtype}" + (f" ({engine.dtype})" if dtype == "auto" else "")
        logits[dtype] = np.stack(engine.run(windows, compute))
        rates[name] = best_rate(lambda e=engine: e.run(windows, compute), 16 * 512, seconds=6)
        difference = np.abs(logits[dtype] - logits["stock"]).max()
        print(f"  {name}: logits within {difference:.4f} of the stock model's")
    return rates, float(np.abs(logits["auto"] - logits["stock"]).max())


def matrix_peak() -> dict[str, float]:
    """GFLOP/s of the best matrix product of this machine, in both number formats."""
    peaks = {}
    for dtype in (torch.float32, torch.bfloat16):
        rates = []
        for rows, columns, inner in GEMM_SHAPES:
            left, right = torch.randn(rows, inner).to(dtype), torch.randn(columns, inner).to(dtype)
            work = 2 * rows * columns * inner / 1e9
            rates.append(
                best_rate(lambda a=left, b=right: torch.nn.functional.linear(a, b), work, seconds=1)
            )
        peaks[str(dtype).removeprefix("torch.")] = max(rates)
    return peaks


def flop_per_token(config: DNABertConfig, n_tokens: int) -> float:
    """Matrix work of the encoder for one token of a sequence of n_tokens."""
    hidden, wide = config.hidden_size, config.intermediate_size
    projections = 2 * (4 * hidden * hidden + 2 * hidden * wide)
    attention = 2 * 2 * n_tokens * hidden
    return config.num_hidden_layers * (projections + attention)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", help="Python of an environment with multimolecule")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    peer: dict[str, dict[str, float]] = {}
    if arguments.peer_python:
        script = Path(__file__).with_name("peer_multimolecule.py")
        run = subprocess.run(
            [arguments.peer_python, str(script)], stdout=subprocess.PIPE, text=True, check=True
        )
        peer = json.loads(run.stdout)
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, transformers "
        f"{transformers.__version__}, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}"
    )
    peaks = matrix_peak()
    rates, difference = forward()
    tables = {"tokenizing": tokenizing(), "masking": masking(), "forward": rates}
    for name, rows in peer.items():
        tables[name] |= rows
    first_of_stock = {
        name: next(row for row in rows if row.startswith("transformers"))
        for name, rows in tables.items()
    }
    for name, (title, unit) in {
        "tokenizing": ("Tokenising 1,000 x 512 bases, k = 6", "Mbases/s"),
        "masking": ("Masked batches of 64 x 512 tokens, k = 6", "sequences/s"),
        "forward": ("Forward pass, BERT-base, 512 tokens", "tokens/s"),
    }.items():
        print_table(title, unit, tables[name], first_of_stock[name])
    per_token = flop_per_token(DNABertConfig(k=K), 512)
    print(f"\nMatrix peak: {', '.join(f'{n} {p:,.0f} GFLOP/s' for n, p in peaks.items())}")
    for name, rate in tables["forward"].items():
        dtype = "bfloat16" if "bfloat16" in name else "float32"
        if "int8" not in name:
            share = rate * per_token / 1e9 / peaks[dtype]
            print(f"  {name:<66}{share:>8.0%} of the {dtype} peak")
    print(f"Engine logits within {difference:.4f} of stock float32")
    if arguments.output:
        result = {"tables": tables, "matrix_peak_gflops": peaks, "logit_difference": difference}
        arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
