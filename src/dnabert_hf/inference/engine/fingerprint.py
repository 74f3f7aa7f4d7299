"""Fingerprints of a run: short texts of all its results depend on, to be compared."""

from pathlib import Path

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.files.fingerprint import fingerprint_file, fingerprint_weights
from dnabert_hf.inference.engine.checkpoint import Checkpoint
from dnabert_hf.inference.engine.engine import Engine

__all__ = ["fingerprint_run", "fingerprint_weights"]

_CHUNKS = 2  # how an input is cut; a new number where parts of an earlier version would not fit


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
    elif isinstance(source, str | Path) and Path(source).is_file():  # not a pipe
        of_source = {"input": str(source), "input content": fingerprint_file(source)}
    else:
        return None
    return {
        "model": checkpoint.name,
        "weights": weights,
        **of_source,
        "device": engine.device.type,
        "dtype": engine.dtype,
        "batch tokens": str(engine.batch_tokens),
        "way to cut the input": str(_CHUNKS),
        **{name.replace("_", " "): str(value) for name, value in options.items()},
    }
