"""Model folders: the files a repository of the Hub must hold, and those that go there."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open

from dnabert_hf.cards.names import name_card
from dnabert_hf.data.kmers.counts import KMER_REGRESSION
from dnabert_hf.modeling import configuration_dnabert
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig

__all__ = ["RepositoryFile", "read_repository"]

logger = logging.getLogger(__name__)

_CARD = "README.md"
# What a repository of ours runs where the package is not installed.
_CODE = ("configuration_dnabert.py", "modeling_dnabert.py", "tokenization_dnabert.py")
_PUBLISHED = (
    _CARD,
    ".gitattributes",
    "LICENSE*",
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    *_CODE,
    KMER_REGRESSION,
    "*.png",
)
# What a repository must hold, by model_type: ours, and what any BERT loader reads.
_NEEDED = {
    "dnabert": ("config.json", "tokenizer_config.json", "vocab.txt"),
    "bert": ("config.json", "tokenizer.json", "tokenizer_config.json"),
}
_TEXT = (".json", ".md", ".py", ".txt")
# Tokens of the Hub, and folders of a person's machine: neither belongs on the Hub.
_SECRET = re.compile(r"\bhf_[A-Za-z0-9]{20,}\b")
_LOCAL = re.compile(
    r"(?<![\w./:])(/(?:home|Users|root|tmp|mnt|data|scratch)/[\w./-]+|[A-Z]:\\\\?\w+)"
)


_LOCAL_SETTINGS = ("is_local", "local_files_only", "name_or_path")


@dataclass(frozen=True)
class RepositoryFile:
    """A file on its way to the Hub.

    Attributes:
        name: Path in the repository.
        size: Bytes.
        content: What is uploaded: a file, or bytes where it differs from the file.
    """

    name: str
    size: int
    content: Path | bytes


def read_repository(folder: Path, *, name: str) -> tuple[list[RepositoryFile], list[str]]:
    """Check that a folder is a whole model, and list what of it goes to the Hub.

    A card that this package wrote gets the name of the repository. The three model files are those
    of this package, whatever the folder holds in their place, for others run them; a warning says
    where they differ, as after an upgrade. The configuration must be one that they read.

    Args:
        folder: Folder that `finetune`, `pretrain`, `dnabert convert` or `save_pretrained` wrote.
        name: Repository it is to become, such as "lab/dnabert-6-promoters".

    Returns:
        The files to upload, and the names of files that stay behind.

    Raises:
        ValueError: If a file is missing or damaged, or holds what is nobody else's business.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: a model's folder must be a folder, found none")
    present = sorted(path.name for path in folder.iterdir() if path.is_file())
    chosen = [file for file in present if any(fnmatch(file, p) for p in _PUBLISHED)]
    _check_files(folder, present)
    _check_weights(folder, chosen)
    replaced = {_CARD: _card(folder, name)} | _clean_settings(folder, chosen)
    paths = {file: folder / file for file in chosen}
    package = Path(configuration_dnabert.__file__).parent
    config = _read_json(folder / "config.json")
    if config["model_type"] == "dnabert":
        _check_config(config, folder / "config.json")
        _compare_code(folder, package)
        paths |= {file: package / file for file in _CODE}
    files = []
    for file, path in sorted(paths.items()):
        content = replaced[file].encode() if file in replaced else path
        if path.suffix in _TEXT:
            _check_text(path, replaced.get(file) or path.read_text(encoding="utf-8"))
        size = len(content) if isinstance(content, bytes) else path.stat().st_size
        files.append(RepositoryFile(file, size, content))
    return files, [file for file in present if file not in chosen]


def _check_files(folder: Path, present: list[str]) -> None:
    config = _read_json(folder / "config.json")
    kind = config.get("model_type")
    if kind not in _NEEDED:
        raise ValueError(
            f"{folder / 'config.json'}: model_type must be {' or '.join(_NEEDED)} to be published, "
            f"found {kind!r}; networks to compare with load only where this package is installed, "
            "and original checkpoints are made loadable by `dnabert convert`"
        )
    missing = [file for file in _NEEDED[kind] if file not in present]
    if kind == "dnabert" and "auto_map" not in config:
        missing.append("auto_map in config.json")
    if missing:
        raise ValueError(
            f"{folder}: a repository must hold {', '.join(missing)}, found none; save model and "
            "tokenizer there with save_pretrained, or use `dnabert convert`"
        )


def _check_weights(folder: Path, chosen: list[str]) -> None:
    weights = [file for file in chosen if file.endswith(".safetensors")]
    if "model.safetensors.index.json" in chosen:
        index = _read_json(folder / "model.safetensors.index.json")
        parts = sorted(set(index.get("weight_map", {}).values()))
        if missing := [part for part in parts if part not in weights]:
            raise ValueError(f"{folder}: weights must be whole, found no {', '.join(missing)}")
    elif "model.safetensors" not in weights:
        raise ValueError(
            f"{folder}: weights must be in model.safetensors, found none; pickled weights become "
            "safetensors with `dnabert convert`"
        )
    for file in weights:
        try:
            with safe_open(folder / file, framework="np") as tensors:
                tensors.keys()
        except (SafetensorError, OSError) as error:
            raise ValueError(
                f"{folder / file}: weights must be whole, found a damaged file ({error}); save "
                "or copy them again"
            ) from error


def _clean_settings(folder: Path, chosen: list[str]) -> dict[str, str]:
    """Leave out what from_pretrained noted about this machine and save_pretrained wrote down."""
    file = "tokenizer_config.json"
    if file not in chosen:
        return {}
    settings = _read_json(folder / file)
    kept = {key: value for key, value in settings.items() if key not in _LOCAL_SETTINGS}
    return {} if kept == settings else {file: json.dumps(kept, indent=2) + "\n"}


def _card(folder: Path, name: str) -> str:
    """Read the model card; ours get the name of the repository."""
    path = folder / _CARD
    if not path.exists():
        raise ValueError(
            f"{folder}: a repository must have a model card, found no {_CARD}; write one that says "
            "what the model was trained on and how well it does (finetune, pretrain and "
            "`dnabert convert` write one)"
        )
    text = name_card(path.read_text(encoding="utf-8"), name)
    try:
        metadata = ModelCard(text).data.to_dict()
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: the card's metadata must be YAML: {error}") from error
    missing = [key for key in ("library_name", "pipeline_tag") if key not in metadata]
    if missing:
        raise ValueError(
            f"{path}: the card's metadata must have {' and '.join(missing)}, found "
            f"{', '.join(metadata) or 'none'}; add them between the --- lines at its head"
        )
    return text


def _check_config(config: Mapping[str, Any], path: Path) -> None:
    """Refuse fields that the code beside them, which is this package's, does not read."""
    try:
        DNABertConfig.from_dict(dict(config))
    except (ValueError, StrictDataclassError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(
            f"{path} must be readable by the model's code of this version of the package: {reason}"
        ) from error


def _compare_code(folder: Path, package: Path) -> None:
    """Say which code of the folder is not published: written by another version, or changed."""
    there = [file for file in _CODE if (folder / file).exists()]
    differs = [f for f in there if (folder / f).read_bytes() != (package / f).read_bytes()]
    if differs:
        logger.warning(
            "%s: %s %s published as this version of the package has it, not as the folder does, "
            "where another version wrote or somebody changed it",
            *(folder, ", ".join(differs), "is" if len(differs) == 1 else "are"),
        )


def _check_text(path: Path, text: str) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        if _SECRET.search(line):
            raise ValueError(
                f"{path}, line {number}: a published file must hold no token of the Hub, found "
                "one; remove it, and revoke it"
            )
        if path.suffix != ".py" and (local := _LOCAL.search(line)):
            raise ValueError(
                f"{path}, line {number}: a published file must name no path of your machine, "
                f"found {local[0]}; remove it"
            )


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ValueError(f"{path.parent}: a model's folder must hold {path.name}, found none")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} must hold JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object, found {type(content).__name__}")
    return content
