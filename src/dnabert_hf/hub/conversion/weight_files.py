"""Weights of a repository as tensors by name, without running anything that the file brings."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dnabert_hf.files.weights import readable_weights

__all__ = ["read_weights"]

_NAMES = ("model.safetensors", "pytorch_model.bin")  # the safe ones where there are both


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read the weights of a repository, from one file or several.

    Args:
        folder: Folder with model.safetensors or pytorch_model.bin, or with an index and its parts.

    Returns:
        Tensors by their names in the files, on the CPU.

    Raises:
        ValueError: If a file is missing or damaged, or is a pickle of more than tensors, for
            loading such a pickle runs what its author put in.
    """
    weights: dict[str, torch.Tensor] = {}
    for name in _NAMES:
        for path in _find_files(folder, name):
            _refuse_pointer(path)
            read = _read_safetensors if path.suffix == ".safetensors" else _read_pickle
            weights.update(read(path))
        if weights:
            break
    return weights


def _find_files(folder: Path, name: str) -> list[Path]:
    index = folder / f"{name}.index.json"
    if (folder / name).is_file() or not index.is_file():
        return [folder / name] if (folder / name).is_file() else []
    parts = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    missing = [part for part in parts if not (folder / part).is_file()]
    if missing:
        raise ValueError(
            f"{index} names {len(parts)} files of weights, but {', '.join(missing)} is not there; "
            "download the repository again"
        )
    return [folder / part for part in parts]


def _refuse_pointer(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(24) == b"version https://git-lfs.":
            raise ValueError(
                f"{path} must hold weights, found a pointer of Git LFS to them; run `git lfs pull` "
                "in the repository"
            )


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"{path} must be a whole file of safetensors, found a truncated or damaged one "
            f"({error}); download it again"
        ) from error


def _read_pickle(path: Path) -> dict[str, torch.Tensor]:
    try:
        with readable_weights(path):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except ValueError:
        raise
    except Exception as error:  # whatever the reader of a damaged pickle stumbles over
        raise ValueError(
            f"{path} must be a whole file of torch weights, found a truncated or damaged one; "
            "download it again"
        ) from error
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise ValueError(
            f"{path} must hold tensors by their names, found a {type(content).__name__} of other "
            "things; save model.state_dict() alone"
        )
    return dict(content)
