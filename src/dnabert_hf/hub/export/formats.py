"""Files of a graph, and the runtimes that read them again."""

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

__all__ = ["FORMATS", "INPUTS", "Format", "Run", "trace", "write_onnx"]

INPUTS = ("input_ids", "attention_mask", "token_type_ids")

# Runs a batch: arrays by name in, arrays by name out.
Run = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


class Format(NamedTuple):
    """A kind of file.

    Attributes:
        files: Its files in the folder, the one to open first.
        needs: Packages that write and check it.
        extra: Extra of this package that brings them.
        write: Writes the first file, given an ONNX file; of torch's, given the traced program.
        open: Opens the first file to run it.
        is_exact: Whether it must say what the model says.
    """

    files: tuple[str, ...]
    needs: tuple[str, ...]
    extra: str
    write: Callable[[Any, Path], object]
    open: Callable[[Path], Run]
    is_exact: bool = True

    def check_installed(self, name: str) -> None:
        """Refuse a format whose packages are not there.

        Args:
            name: Its name.

        Raises:
            ImportError: If they are not.
        """
        if missing := [each for each in self.needs if find_spec(each) is None]:
            raise ImportError(
                f"{name} needs {', '.join(missing)}: pip install 'dnabert-hf[{self.extra}]'"
            )


def trace(graph: Any) -> Any:
    """Trace a graph into a program of torch whose batch and width are open.

    Args:
        graph: As `build_graph` makes it.
    """
    # Longer than a piece, so that nothing could be taken for a row of one piece.
    n_tokens = graph.room + 40
    ids = torch.full((2, n_tokens), 5)
    ids[:, 0], ids[:, -1] = 2, 3
    inputs = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens", min=2)
    shapes = {name: {0: batch, 1: tokens} for name in INPUTS}
    with torch.no_grad(), _quiet():
        return torch.export.export(graph, inputs, dynamic_shapes=shapes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to themselves what exporters say of their own code."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def write_onnx(program: Any, path: Path, opset: int | None) -> None:
    """Write a traced program as an ONNX file; of each program once, for this changes it.

    Args:
        program: As `trace` makes it.
        path: File to write.
        opset: Version of ONNX's operators; None takes what the installed torch prefers.
    """
    outputs = program.call_spec.out_spec.context
    with torch.no_grad(), _quiet():
        written = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            opset_version=opset,
            input_names=list(INPUTS),
            output_names=list(outputs),
        )
        assert written is not None
        written.save(path)


def _copy_onnx(whole: Path, path: Path) -> None:
    shutil.copyfile(whole, path)


def _open_onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _write_int8(whole: Path, path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True)


def _write_openvino(whole: Path, path: Path) -> None:
    import openvino

    openvino.save_model(openvino.convert_model(whole), path, compress_to_fp16=False)


def _open_openvino(path: Path) -> Run:
    import openvino

    # By default it computes in the narrower format that the host is good at.
    model = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [output.get_any_name() for output in model.outputs]

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        results = model(dict(inputs))
        return {name: np.array(results[name]) for name in names}

    return run


def _write_torch(program: Any, path: Path) -> None:
    with _quiet():
        torch.export.save(program, path)


def _open_torch(path: Path) -> Run:
    with _quiet():
        program = torch.export.load(path).module()

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with torch.no_grad():
            results = program(*(torch.from_numpy(inputs[name]) for name in INPUTS))
        return {name: value.numpy() for name, value in results.items()}

    return run


_OF_ONNX = ("onnx", "onnxscript", "onnxruntime")
FORMATS = {
    # Where transformers.js and optimum look for them.
    "onnx": Format(("onnx/model.onnx",), _OF_ONNX, "export", _copy_onnx, _open_onnx),
    "int8": Format(
        ("onnx/model_quantized.onnx",), _OF_ONNX, "export", _write_int8, _open_onnx, is_exact=False
    ),
    "openvino": Format(
        ("openvino_model.xml", "openvino_model.bin"),
        ("onnx", "onnxscript", "openvino"),
        "openvino",
        _write_openvino,
        _open_openvino,
    ),
    "torch": Format(("model.pt2",), (), "", _write_torch, _open_torch),
}
