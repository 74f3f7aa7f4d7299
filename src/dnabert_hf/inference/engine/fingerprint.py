"""Fingerprints of a run: short texts of all its results depend on, to be compared."""

import hashlib
from pathlib import Path
from typing import Any

import torch

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.inference.engine.checkpoint import Checkpoint
from dnabert_hf.inference.engine.engine import Engine

__all__ = ["fingerprint_run", "fingerprint_weights"]


def fingerprint_run(
    engine: Engine,
    checkpoint: Checkpoint,
    source: Source | Genome,
    *,
    weights: str,
    **options: object,
) -> dict[str, str] | None:
    """Describe a run, so that a later one can tell whether it would give the same results.

    Args:
        engine: Engine that runs the model.
        checkpoint: The model.
        source: Its input. A genome is known by its sequence, wherever it lies.
        weights: Fingerprint of the weights, taken before the engine converted them.
        **options: Whatever else the results depend on.

    Returns:
        Texts by the words that an error message uses for them; None if the source is not a file
        that could be read again.
    """
    if isinstance(source, Genome):
        of_source = {"genome": source.fingerprint}
    elif isinstance(source, str | Path) and str(source) != "-":
        state = Path(source).stat()
        of_source = {
            "input": str(source),
            "input size": str(state.st_size),
            "input change time": str(state.st_mtime_ns),
        }
    else:
        return None
    return {
        "model": checkpoint.name,
        "weights": weights,
        **of_source,
        "device": engine.device.type,
        "dtype": engine.dtype,
        "batch tokens": str(engine.batch_tokens),
        **{name.replace("_", " "): str(value) for name, value in options.items()},
    }


def fingerprint_weights(model: Any) -> str:
    """Hash the config and the weights of a model; retraining it in place changes the result.

    The bits of each tensor are added up as integers, so the number of threads does not matter.
    """
    digest = hashlib.sha256(model.config.to_json_string(use_diff=False).encode())
    integers = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    for name, tensor in model.state_dict().items():
        bits = tensor.contiguous().view(integers[tensor.element_size()])
        digest.update(f"{name} {tuple(tensor.shape)} {int(bits.sum())}".encode())
    return digest.hexdigest()[:16]
