"""What other runtimes cost on a processor, beside the engine of this package.

    python benchmarks/export.py [--rounds 3] [--large] [--classifier MODEL --data TEST.tsv]

Microseconds of one core a token, of an encoder and the mean of its k-mers, at 100 and 512 tokens:
dnabert-6-mini and, with --large, a network of BERT-base's size with random weights. All contenders
run in one process with one thread each, in turns, and the least of the rounds counts. Engine and
OpenVINO also in the number format that they choose. int8 is `quantize_dynamic` of ONNX Runtime on
the exported file. With a classifier and labelled sequences: its AUROC as exported, and in int8.
"""

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import openvino
import torch
from measuring import random_sequences
from onnxruntime.quantization import QuantType, quantize_dynamic

from dnabert_hf import DNABertConfig, DNABertModel, DNABertTokenizer, checkpoint
from dnabert_hf.hub.export.formats import INPUTS, trace, write_onnx
from dnabert_hf.hub.export.graphs import build_graph
from dnabert_hf.hub.stock.tokenizer_json import build_stock_tokenizer
from dnabert_hf.inference.embed import mean_over_kmers
from dnabert_hf.inference.engine.checkpoint import Checkpoint, as_checkpoint
from dnabert_hf.inference.engine.engine import Engine, Window
from dnabert_hf.metrics.scores import logits_to_predictions

N_TOKENS = 2048  # of a batch
Arrays = dict[str, np.ndarray]


def open_onnx(path: Path) -> Callable[[Arrays], Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)


def open_openvino(path: Path, **settings: Any) -> Callable[[Arrays], Any]:
    model = openvino.compile_model(path, "CPU", {"INFERENCE_NUM_THREADS": 1, **settings})
    return lambda inputs: model(inputs)


def quantize(path: Path) -> Path:
    small = path.with_name("model_quantized.onnx")
    quantize_dynamic(path, small, weight_type=QuantType.QInt8, per_channel=True)
    return small


def encode(sequences: list[str], k: int) -> Arrays:
    tokenizer = build_stock_tokenizer(k)
    tokenizer.enable_padding()
    rows = tokenizer.encode_batch(sequences)
    columns = np.array([(row.ids, row.attention_mask, row.type_ids) for row in rows])
    return dict(zip(INPUTS, columns.transpose(1, 0, 2), strict=True))


def contenders(found: Checkpoint, folder: Path) -> dict[str, Callable[[list[str], Arrays], Any]]:
    """Give what runs sequences, as text or as arrays."""
    program = trace(build_graph(found.model, "encoder"))
    module = program.module()
    path = folder / "model.onnx"

    def run_program(inputs: Arrays) -> Any:
        with torch.no_grad():
            return module(*(torch.from_numpy(inputs[name]) for name in INPUTS))

    ways: dict[str, Callable[[Arrays], Any]] = {"torch.export": run_program}
    write_onnx(trace(build_graph(found.model, "encoder")), path, None)
    ways["ONNX Runtime"] = open_onnx(path)
    ways["ONNX Runtime, int8"] = open_onnx(quantize(path))
    ways["OpenVINO, float32"] = open_openvino(path, INFERENCE_PRECISION_HINT="f32")
    ways["OpenVINO, as it chooses"] = open_openvino(path)
    runs: dict[str, Callable[[list[str], Arrays], Any]] = {
        name: lambda _, inputs, run=run: run(inputs) for name, run in ways.items()
    }
    for name, dtype in (("float32", "float32"), ("as it chooses", "auto"), ("int8", "int8")):
        engine = Engine(found._replace(is_ours=False), device="cpu", dtype=dtype)
        runs[f"dnabert-hf, {name}"] = lambda texts, _, engine=engine: engine.run(
            [Window(text) for text in texts], mean_over_kmers
        )
    return runs


def measure(name: str, found: Checkpoint, n_rounds: int) -> None:
    k = found.tokenizer.k
    with TemporaryDirectory() as folder:
        runs = contenders(found, Path(folder))
        sizes = (100, 512)
        least = {way: dict.fromkeys(sizes, np.inf) for way in runs}
        for n_tokens in sizes:
            texts = random_sequences(N_TOKENS // n_tokens, n_tokens + k - 3)
            inputs = encode(texts, k)
            for _ in range(n_rounds + 1):  # the first warms up
                for way, run in runs.items():
                    begin = time.process_time()
                    run(texts, inputs)
                    spent = (time.process_time() - begin) / inputs["input_ids"].size
                    least[way][n_tokens] = min(least[way][n_tokens], spent)
    print(f"\n{name}: microseconds of a core a token\n")
    print("| | 100 tokens | 512 tokens |\n|---|---|---|")
    for way, times in sorted(least.items(), key=lambda item: item[1][512]):
        print(f"| {way} | {times[100] * 1e6:.0f} | {times[512] * 1e6:.0f} |")
    begin = time.process_time()
    encode(texts * 10, k)
    spent = (time.process_time() - begin) / (10 * inputs["input_ids"].size)
    print(f"\nThe exported tokenizer takes {spent * 1e6:.1f} microseconds a token.")


def compare_scores(model: str, data: Path) -> None:
    from sklearn.metrics import roc_auc_score

    found = as_checkpoint(model, None, task="sequence-classification")
    with data.open(newline="") as text:
        rows = list(csv.DictReader(text, delimiter="\t"))
    rows = [row for row in rows if row.get("split", "test") == "test"]
    positive = found.model.config.positive
    column = found.model.config.label2id[positive]
    truth = [row["label"] == positive for row in rows]
    scores = {}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_onnx(trace(build_graph(found.model, "sequence-classification")), path, None)
        for name, file in (("float32", path), ("int8", quantize(path))):
            run = open_onnx(file)
            size = file.stat().st_size / 1e6
            parts = [
                run(
                    encode([row["sequence"] for row in rows[begin : begin + 32]], found.tokenizer.k)
                )
                for begin in range(0, len(rows), 32)
            ]
            logits = np.concatenate([part[0] for part in parts])
            scores[name] = logits_to_predictions(logits, "single_label_classification")[:, column]
            auroc = roc_auc_score(truth, scores[name])
            print(f"{name}: AUROC {auroc:.4f} of {len(rows)} sequences, {size:.1f} MB")
    print(
        f"largest change of a probability: {np.abs(scores['int8'] - scores['float32']).max():.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--classifier")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    mini = as_checkpoint(checkpoint("dnabert-6-mini"), None, task="encoder")
    measure("dnabert-6-mini", mini, arguments.rounds)
    if arguments.large:
        torch.manual_seed(0)
        model = DNABertModel(DNABertConfig(k=6), add_pooling_layer=False).eval()
        large = Checkpoint(model, DNABertTokenizer(k=6), "large", is_ours=False)
        measure("BERT-base's size, random weights", large, arguments.rounds)
    if arguments.classifier:
        compare_scores(arguments.classifier, arguments.data)


if __name__ == "__main__":
    main()
