"""Fingerprints of files, weights and rows: what a run depends on, in a short text."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "fingerprint_file",
    "fingerprint_files",
    "fingerprint_inputs",
    "fingerprint_rows",
    "fingerprint_start",
    "fingerprint_weights",
]

_ROWS = 1000  # in memory at a time
_MODEL_FILES = ("config.json", "*.safetensors", "pytorch_model*.bin")


def fingerprint_file(path: str | Path) -> str:
    """Hash the content of a file, whatever its name and times are."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def fingerprint_files(source: object) -> str:
    """Hash the contents of a file, of the files of a folder, or of files by name.

    Args:
        source: Path, or mapping of paths; of what is no path, such as a repository of the Hub,
            only the name counts.
    """
    digest = hashlib.sha256()
    for name, path in _list_files(source):
        digest.update(f"{name} {fingerprint_file(path) if path.is_file() else ''}\n".encode())
    return digest.hexdigest()[:16]


def _list_files(source: object) -> Iterator[tuple[str, Path]]:
    if isinstance(source, Mapping):
        for name in sorted(source):
            for inner, path in _list_files(source[name]):
                yield f"{name} {inner}", path
        return
    root = Path(str(source))
    if root.is_dir():
        for path in sorted(root.iterdir()):
            if path.is_file():
                yield path.name, path
    else:
        yield "" if root.is_file() else str(source), root


def fingerprint_inputs(
    start: str | Path, tokenizer: Any, splits: Mapping[str, Any]
) -> dict[str, Any]:
    """Hash what a training run learns from; one that goes on must find the same.

    Args:
        start: Where its weights begin, as in `fingerprint_start`.
        tokenizer: Its tokenizer.
        splits: Its datasets by the name of the split.
    """
    vocabulary = json.dumps([getattr(tokenizer, "k", None), sorted(tokenizer.get_vocab().items())])
    return {
        "rows": fingerprint_rows(splits),
        "weights": fingerprint_start(start),
        "tokenizer": hashlib.sha256(vocabulary.encode()).hexdigest()[:16],
    }


def fingerprint_start(start: str | Path) -> str:
    """Say which weights a training run begins with.

    Args:
        start: A folder, whose config and weights count; a repository of the Hub, of which the
            commit does; or a name of random weights, which stands for itself.
    """
    folder = Path(start)
    files = [path for pattern in _MODEL_FILES for path in folder.glob(pattern)]
    if files:
        return fingerprint_files({path.name: path for path in files})
    commit = _find_commit(str(start)) if "/" in str(start) and not folder.exists() else None
    return str(start) if commit is None else f"{start}@{commit}"


def _find_commit(repository: str) -> str | None:
    """Give the commit of a repository that would be loaded now, None if it cannot be."""
    from huggingface_hub import hf_hub_download

    try:
        found = hf_hub_download(repository, "config.json")
    except (OSError, ValueError):  # whoever loads it says why
        return None
    return Path(found).parent.name  # snapshots/COMMIT/config.json


def fingerprint_weights(model: Any) -> str:
    """Hash the config and the weights of a model; retraining it in place changes the result.

    Args:
        model: A model of torch; of one without a config, the weights alone.
    """
    import torch

    digest = hashlib.sha256()
    if hasattr(model, "config"):
        digest.update(model.config.to_json_string(use_diff=False).encode())
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def fingerprint_rows(splits: Mapping[str, Any]) -> dict[str, str]:
    """Hash the rows of each split, in their order, whatever file they come from.

    Args:
        splits: Datasets by the name of the split.
    """
    found = {}
    for name, dataset in splits.items():
        digest = hashlib.sha256()
        for batch in dataset.with_format(None).iter(batch_size=_ROWS):
            digest.update(json.dumps(batch, sort_keys=True).encode())
        found[name] = digest.hexdigest()[:16]
    return found
