import numpy as np
import pytest
import torch

from dnabert_hf import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
)
from dnabert_hf.inference.engine import precision
from dnabert_hf.inference.engine.checkpoint import Checkpoint
from dnabert_hf.inference.engine.engine import Engine, Window
from dnabert_hf.inference.engine.precision import choose_device, choose_dtype

CPU = torch.device("cpu")


def test_auto_takes_an_accelerator_where_there_is_one():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    if torch.backends.mps.is_available():
        expected = "mps"
    assert choose_device("auto").type == expected


def test_an_unknown_device_is_refused():
    with pytest.raises(ValueError, match="device must be one that torch can use here, got 'tpu9'"):
        choose_device("tpu9")


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ValueError, match=r"dtype must be one of auto, .*, got 'float8'"):
        choose_dtype("float8", CPU, hidden_size=768)


def test_int8_is_refused_off_the_cpu():
    with pytest.raises(ValueError, match="dtype int8 runs on the CPU only, got device cuda"):
        choose_dtype("int8", torch.device("cuda"), hidden_size=768)


@pytest.mark.parametrize(("gain", "dtype"), [(1.2, "float32"), (1.4, "bfloat16")])
def test_bfloat16_is_taken_where_it_is_clearly_faster(monkeypatch, gain, dtype):
    monkeypatch.setattr(precision, "_bfloat16_gain", lambda: gain)
    assert choose_dtype("auto", CPU, hidden_size=768) == dtype


def test_narrow_models_stay_in_float32(monkeypatch):
    monkeypatch.setattr(precision, "_bfloat16_gain", lambda: 9.0)
    assert choose_dtype("auto", CPU, hidden_size=128) == "float32"


def test_the_probe_runs_once():
    gain = precision._bfloat16_gain()
    assert gain > 0
    assert precision._bfloat16_gain() == gain
    assert precision._bfloat16_gain.cache_info().misses == 1


def test_mps_stays_in_float32():
    assert choose_dtype("auto", torch.device("mps"), hidden_size=768) == "float32"


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.1), ("int8", 0.2)])
def test_logits_in_few_bits_are_near_those_of_float32(checkpoint, dtype, tolerance):
    windows = [Window("ACGTACGTAC"), Window("TTTGGGA")]

    def logits(dtype):
        engine = Engine(checkpoint, device="cpu", dtype=dtype)
        results = engine.run(windows, lambda model, inputs: model(**inputs).logits)
        return torch.tensor([row.tolist() for row in results])

    exact, rough = logits("float32"), logits(dtype)
    assert not torch.equal(exact, rough)
    scale = exact.abs().max()
    torch.testing.assert_close(rough / scale, exact / scale, atol=tolerance, rtol=0)


def test_int8_leaves_the_global_engine_alone(checkpoint):
    before = torch.backends.quantized.engine
    Engine(checkpoint, device="cpu", dtype="int8")
    assert torch.backends.quantized.engine == before


def test_the_head_of_a_classifier_stays_in_float32(checkpoint):
    model = Engine(checkpoint, device="cpu", dtype="bfloat16").model
    assert model.classifier.weight.dtype == torch.float32


def test_on_cuda_auto_takes_the_few_bits_that_a_model_has():
    cuda = torch.device("cuda")
    for name, own in (("bfloat16", torch.bfloat16), ("float16", torch.float16)):
        assert choose_dtype("auto", cuda, hidden_size=64, own=own) == name
    assert choose_dtype("float32", cuda, hidden_size=64, own=torch.float16) == "float32"
    assert choose_dtype("auto", CPU, hidden_size=64, own=torch.bfloat16) == "float32"


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.15), ("float16", 0.02)])
@pytest.mark.parametrize(
    "model_class",
    [
        DNABertForMaskedLM,
        DNABertForSequenceClassification,
        DNABertForTokenClassification,
        DNABertModel,
    ],
)
def test_an_encoder_that_is_narrow_as_a_whole(
    tiny_config, tokenizer, monkeypatch, model_class, dtype, tolerance
):
    """What CUDA devices run, here on the CPU."""
    model = model_class(tiny_config).eval()
    checkpoint = Checkpoint(model, tokenizer, "tiny", is_ours=False)
    windows = [Window("ACGTACGTAC"), Window("TTTGGGA")]

    def outputs(engine):
        def compute(run, inputs):
            found = run(**inputs)
            return found.pooler_output if model_class is DNABertModel else found.logits

        return [row[:7] for row in engine.run(windows, compute)]  # of the shorter: no padding

    exact = outputs(Engine(checkpoint, device="cpu", dtype="float32"))
    monkeypatch.setattr(precision, "_WHOLE_ENCODER", ("cpu",))
    engine = Engine(checkpoint, device="cpu", dtype=dtype)
    rough = outputs(engine)
    encoder = getattr(engine.model, "bert", engine.model)
    for part in (encoder.embeddings, encoder.encoder):
        assert {p.dtype for p in part.parameters()} == {getattr(torch, dtype)}
    for name, parameter in engine.model.named_parameters():
        if "encoder." not in name and "embeddings." not in name:
            assert parameter.dtype == torch.float32, name
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not np.array_equal(exact[0], rough[0])
    scale = max(np.abs(row).max() for row in exact)
    for one, other in zip(exact, rough, strict=True):
        np.testing.assert_allclose(other / scale, one / scale, atol=tolerance)
