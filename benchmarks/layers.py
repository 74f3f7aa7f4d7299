"""Where the time of one layer goes on a CPU core, and what other ways to compute it give.

    OMP_NUM_THREADS=1 python benchmarks/layers.py [--compile]

A layer of BERT-base and of the mini on 4,096 tokens, float32, random weights: the whole layer as
transformers runs it, as the engine runs it, with 8-bit products, and with --compile from
`torch.compile` with frozen weights (its seconds of compiling are printed); then each part alone.
Least time of the processor of several turns, GFLOP/s of the products, share of the matrix peak.
"""

import argparse
import copy
import time
from typing import Any

import torch
from speed_of_models import SIZES, matrix_peak, rates
from torch import nn
from transformers import BertConfig, BertModel

from dnabert_hf.inference.engine import layers as fast
from dnabert_hf.inference.engine.precision import _quantize


def ways(config: BertConfig, states: torch.Tensor, *, compiled: bool) -> dict[str, Any]:
    """Whole layers, by how they are computed."""
    stock = BertModel(config).eval()
    ours, eight = copy.deepcopy(stock), copy.deepcopy(stock)
    fast.make_layers_fast(ours)
    fast.make_layers_fast(eight)
    _quantize(eight.encoder)
    models = {"transformers": stock, "engine": ours, "engine, int8": eight}
    found = {name: model.encoder.layer[0] for name, model in models.items()}
    if compiled:
        import torch._inductor.config as inductor

        inductor.freezing = True
        begin = time.process_time()
        layer: Any = torch.compile(copy.deepcopy(stock).encoder.layer[0])
        layer(states)
        print(f"compiled in {time.process_time() - begin:.0f} CPU s")
        found["torch.compile, frozen"] = layer
    return {name: lambda layer=layer: layer(states) for name, layer in found.items()}


def parts(config: BertConfig, states: torch.Tensor) -> dict[str, tuple[Any, float]]:
    """Each part alone, with its GFLOP."""
    hidden, wide = config.hidden_size, config.intermediate_size
    tokens, length = states.shape[0] * states.shape[1], states.shape[1]
    layer: Any = BertModel(config).eval().encoder.layer[0]
    attention = layer.attention.self
    inner = torch.randn(*states.shape[:2], wide)
    heads = (config.num_attention_heads, hidden // config.num_attention_heads)
    query = states.unflatten(-1, heads).transpose(1, 2)
    square, tall = 2e-9 * tokens * hidden**2, 2e-9 * tokens * hidden * wide
    attend = nn.functional.scaled_dot_product_attention
    return {
        "query, key, value": (
            lambda: [each(states) for each in (attention.query, attention.key, attention.value)],
            3 * square,
        ),
        "attention": (lambda: attend(query, query, query), 4e-9 * tokens * length * hidden),
        "product of the output": (lambda: layer.attention.output.dense(states), square),
        "first product of the feed-forward": (lambda: layer.intermediate.dense(states), tall),
        "GELU": (lambda: nn.functional.gelu(inner), 0.0),
        "second product": (lambda: layer.output.dense(inner), tall),
        "a sum and a norm": (lambda: layer.output.LayerNorm(states + states), 0.0),
    }


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compile", action="store_true")
    compiled = parser.parse_args().compile
    torch.set_num_threads(1)
    peak = matrix_peak()
    print(f"matrix peak {peak:.0f} GFLOP/s")
    for size, rows, length in (("base", 8, 512), ("mini", 8, 512), ("mini", 42, 97)):
        config = BertConfig(
            **SIZES[size] | {"num_hidden_layers": 1}
        )  # fmt: skip
        config._attn_implementation = "sdpa"
        states = torch.randn(rows, length, config.hidden_size)
        each = parts(config, states)
        work = sum(flops for _, flops in each.values())
        print(f"\n{size}, {rows} x {length} tokens, {work:.1f} GFLOP")
        contenders = ways(config, states, compiled=compiled)
        reference = contenders["transformers"]()
        for name, rate in rates(contenders, 1, turns=4).items():
            off = float((contenders[name]() - reference).abs().max())
            print(
                f"  {name:<36}{1e3 / rate:7.1f} ms {work * rate:6.0f} GFLOP/s "
                f"{work * rate / peak:5.0%}  differs by {off:.0e}"
            )
        found = rates({name: call for name, (call, _) in each.items()}, 1, turns=4)
        for name, rate in found.items():
            flops = each[name][1]
            print(f"    {name:<36}{1e3 / rate:7.1f} ms {flops * rate:6.0f} GFLOP/s", flush=True)


if __name__ == "__main__":
    main()
