import time

import pytest
import torch

from dnabert_hf.modeling.modeling_dnabert import DNABertForMaskedLM
from dnabert_hf.training.pretraining import throughput
from dnabert_hf.training.pretraining.throughput import peak_matmul_flops, training_flops


def test_operations_are_counted_as_by_hand(tiny_config):
    # A layer has four matrices of 32 x 32 and two of 32 x 64: 8,192 weights. Two layers, six
    # operations a weight; and for attention 12 x 2 layers x tokens x 32 dimensions.
    model = DNABertForMaskedLM(tiny_config)
    assert training_flops(model, 100) == 6 * 16_384 + 24 * 100 * 32
    assert training_flops(model, 512) == 6 * 16_384 + 24 * 512 * 32
    assert training_flops(torch.nn.DataParallel(model), 8) == training_flops(model, 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_peak_is_what_a_product_of_matrices_takes(monkeypatch, dtype):
    monkeypatch.setattr(throughput, "_SIZE", 256)
    monkeypatch.setattr(throughput, "_SECONDS", 0.05)
    state = torch.random.get_rng_state()
    peak = peak_matmul_flops(torch.device("cpu"), dtype)
    assert torch.equal(torch.random.get_rng_state(), state), "training must not notice"
    a = torch.randn(256, 256).to(dtype)
    begin = time.perf_counter()
    for _ in range(10):
        torch.matmul(a, a)
    mean = 10 * 2 * 256**3 / (time.perf_counter() - begin)
    assert mean / 1000 < peak < 1000 * mean  # the same unit; other work slows down either
