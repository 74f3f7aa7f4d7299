"""Device and number format in which a model runs fastest."""

import copy
import time
import warnings
from functools import cache
from typing import Any

import torch
from torch import nn

from dnabert_hf.inference.engine.layers import make_layers_fast

__all__ = ["DTYPES", "choose_device", "choose_dtype", "prepare_encoder"]

DTYPES = ("auto", "float32", "bfloat16", "float16", "int8")

_FEW_BITS = {"bfloat16": torch.bfloat16, "float16": torch.float16}
_WHOLE_ENCODER = ("cuda",)  # devices where a cast costs more than float32 sums are worth

# Below this gain over float32, its precision is worth more.
_MIN_GAIN = 1.3
# Shape of the probe: the widest layer of BERT-base on one sequence.
_PROBE_SHAPE = (512, 768, 3072)
# One of 1 ms before it: a CPU without instructions for bfloat16 takes a second for the other.
_SMALL_PROBE_SHAPE = (128, 768, 768)
# Narrower models spend their time outside the matrix products, and gain nothing from bfloat16.
_MIN_HIDDEN = 256


def choose_device(device: str = "auto") -> torch.device:
    """Find the device to run on.

    Args:
        device: "auto" (CUDA, else MPS, else the CPU) or a name that torch knows, such as "cuda:1".

    Raises:
        ValueError: If there is no such device.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.zeros(1, device=device).item()  # "meta" has no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device must be one that torch can use here, got {device!r} ({reason}); leave it out "
            "to have it chosen"
        ) from error
    return torch.device(device)


def choose_dtype(
    dtype: str, device: torch.device, *, hidden_size: int, own: torch.dtype | None = None
) -> str:
    """Find the number format to run in.

    Args:
        dtype: One of `DTYPES`; "auto" takes bfloat16 where it is clearly faster than float32: on
            CUDA devices that have it, and on a CPU after timing one matrix product in both.
        device: Device to run on.
        hidden_size: Width of the model; narrow ones stay in float32.
        own: Format of a model that the caller has made; on CUDA "auto" takes one of 16 bits.

    Returns:
        One of `DTYPES`, not "auto".

    Raises:
        ValueError: If the format is not known or does not run on the device.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    if dtype == "int8" and device.type != "cpu":
        raise ValueError(f"dtype int8 runs on the CPU only, got device {device}; use bfloat16")
    if dtype != "auto":
        return dtype
    if device.type == "cuda":
        for name, few_bits in _FEW_BITS.items():
            if own == few_bits:
                return name
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if device.type == "cpu" and hidden_size >= _MIN_HIDDEN and _bfloat16_gain() >= _MIN_GAIN:
        return "bfloat16"
    return "float32"


@cache
def _bfloat16_gain() -> float:
    """Time float32 and bfloat16 on this CPU; once per process, some 50 ms."""
    gain = _time_bfloat16(_SMALL_PROBE_SHAPE)
    return gain if gain < 1 else _time_bfloat16(_PROBE_SHAPE)


def _time_bfloat16(shape: tuple[int, int, int]) -> float:
    """Time a product of matrices of (rows, inner, outer) in float32 as a multiple of bfloat16.

    Time of the processor, and in turns: what else runs on the machine must not decide, for the
    results of a run and of its continuation must be alike.
    """
    rows, inner, outer = shape
    dtypes = (torch.float32, torch.bfloat16)
    operands = {
        dtype: (torch.ones(rows, inner, dtype=dtype), torch.ones(outer, inner, dtype=dtype))
        for dtype in dtypes
    }
    seconds: dict[torch.dtype, list[float]] = {dtype: [] for dtype in dtypes}
    with torch.inference_mode():
        for _ in range(4):  # the first one also sets the kernel up
            for dtype in dtypes:
                begin = time.process_time()
                nn.functional.linear(*operands[dtype])
                seconds[dtype].append(time.process_time() - begin)
    return min(seconds[torch.float32]) / min(seconds[torch.bfloat16])


def prepare_encoder(model: Any, *, device: torch.device, dtype: str, is_ours: bool) -> Any:
    """Put a model into evaluation mode on a device, its encoder in a number format.

    On a CPU only the matrix products and the attention of the layers run in a 16-bit format. The
    sums they are added to, normalisation, pooler and head stay in float32, which costs little there
    and keeps the logits four times as near to those of float32. On CUDA, where every cast is a pass
    over the memory, embeddings and layers are in the format as a whole; pooler and head, of a state
    a sequence, stay in float32.

    Args:
        model: DNABERT model.
        device: Device to run on.
        dtype: "float32", "bfloat16", "float16" or "int8" (weights and activations of the linear
            layers, scaled as the data comes; on the CPU).
        is_ours: Whether `model` may be changed. Otherwise a copy is; weights that are where and as
            they are needed are shared with it, not copied.

    Returns:
        The model to run.
    """
    prepared = (model if is_ours else _share(model)).eval()
    if dtype in _FEW_BITS and device.type in _WHOLE_ENCODER:
        _narrow_encoder(prepared, device, _FEW_BITS[dtype])
    else:
        prepared.to(device, torch.float32)
    if prepared.config._attn_implementation == "eager":
        prepared.set_attn_implementation("sdpa")  # nearly twice as fast; needs no float32 mask
    make_layers_fast(getattr(prepared, "bert", prepared))
    if device.type in _WHOLE_ENCODER:
        return prepared
    layers = getattr(prepared, "bert", prepared).encoder
    if dtype == "int8":
        _quantize(layers)
    elif dtype != "float32":
        for module in layers.modules():
            if isinstance(module, nn.Linear):
                module.to(_FEW_BITS[dtype])
                module.register_forward_pre_hook(_as_weight)
    return prepared


def _share(model: Any) -> Any:
    """Copy a model, but not the numbers of its weights.

    The copy has parameters of its own, which may be converted and need no gradient.
    """
    shared = {
        id(parameter): nn.Parameter(parameter.detach(), requires_grad=False)
        for parameter in model.parameters()
        if type(parameter) is nn.Parameter
    }
    return copy.deepcopy(model, shared)


def _narrow_encoder(model: Any, device: torch.device, dtype: torch.dtype) -> None:
    """Convert embeddings and layers as a whole; what reads their states takes float32."""
    encoder = getattr(model, "bert", model)
    owners = [each for each in model.modules() if any(m is encoder for m in each.children())]
    for owner in (*owners, encoder):  # adapters have the model somewhere inside
        for name, child in list(owner.named_children()):
            is_head = child not in (encoder, encoder.embeddings, encoder.encoder)
            if is_head and any(True for _ in child.parameters()):
                # A copy: a masked language model shares weights with its embeddings.
                head = copy.deepcopy(child).to(device, torch.float32)
                head.register_forward_pre_hook(_as_float32)
                setattr(owner, name, head)
    model.to(device)
    for part in (encoder.embeddings, encoder.encoder):
        part.to(dtype)


def _as_weight(linear: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (inputs[0].to(linear.weight.dtype), *inputs[1:])


def _as_float32(_module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (inputs[0].float(), *inputs[1:])


def _quantize(layers: Any) -> None:
    engine = torch.backends.quantized.engine
    with warnings.catch_warnings():
        # torch points to torchao, a package that this would be the only use of.
        warnings.simplefilter("ignore")
        try:
            if "onednn" in torch.backends.quantized.supported_engines:
                torch.backends.quantized.engine = "onednn"
            torch.ao.quantization.quantize_dynamic(
                layers, {nn.Linear}, dtype=torch.qint8, inplace=True
            )
        finally:
            torch.backends.quantized.engine = engine
