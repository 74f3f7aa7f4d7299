"""Spaces of the Hub: the app of a published model, as a container that the Hub builds and runs."""

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from huggingface_hub import ModelCard, SpaceCardData

from dnabert_hf.cards.render import fill_template
from dnabert_hf.hub.model_folder import RepositoryFile

__all__ = ["PORT", "build_space"]

PORT = 7860  # where the Hub expects an app
_SHOWN = ("ForSequenceClassification", "ForMaskedLM")
_PACKAGE = "dnabert-hf"
# What pip builds the package of, where it was installed from a folder. Its checkpoints stay behind:
# the Space has a model.
_SOURCE = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
_SOURCE_FOLDERS = ("src", "modeling", "tokenizer_files")
_STAYS_BEHIND = ("__pycache__", "*.egg-info", "dnabert_hf/checkpoints/*/*")

# The Hub runs a container as the user 1000 (https://huggingface.co/docs/hub/spaces-sdks-docker).
_DOCKERFILE = """\
FROM python:3.12-slim
RUN useradd -m -u 1000 user
USER user
ENV HOME=/home/user PATH=/home/user/.local/bin:$PATH
WORKDIR /home/user/app
COPY --chown=user . .
RUN pip install --no-cache-dir --user -r requirements.txt
EXPOSE {port}
CMD {command}
"""
# Containers of the Hub have no GPU unless one is paid for: the CPU build of torch is a tenth.
_REQUIREMENTS = """\
--extra-index-url https://download.pytorch.org/whl/cpu
torch
{package}
"""


def build_space(folder: Path, repo_id: str, card: str) -> list[RepositoryFile]:
    """Make the files of a Space that shows a published model with `dnabert app`.

    The model is loaded from its repository when the Space starts. The package comes from where it
    was installed from here: the index of packages, a repository of code at its commit, or a folder
    or file of this machine, which then goes into the Space.

    Args:
        folder: Folder of the model.
        repo_id: Repository of the model.
        card: Its model card, for the licence.

    Returns:
        README.md with the metadata of a Space, Dockerfile, requirements.txt and, if need be, the
        package.

    Raises:
        ValueError: If the app does not show such a model, or the package is no longer where it was
            installed from.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    architecture = (config.get("architectures") or [""])[0]
    if config.get("model_type") != "dnabert" or not architecture.endswith(_SHOWN):
        raise ValueError(
            f"{folder}: a Space shows a DNABERT classifier of sequences or masked language model, "
            f"found {architecture or 'no name of either'} of type {config.get('model_type')}; "
            "publish it without --space"
        )
    requirement, package = _package()
    command = ["dnabert", "app", repo_id, "--host", "0.0.0.0", "--port", str(PORT)]
    fields = ModelCard(card).data.to_dict()
    texts = {
        "README.md": _readme(repo_id, fields),
        "Dockerfile": _DOCKERFILE.format(port=PORT, command=json.dumps(command)),
        "requirements.txt": _REQUIREMENTS.format(package=requirement),
    }
    own = [RepositoryFile(name, len(text.encode()), text.encode()) for name, text in texts.items()]
    return [*own, *package]


def _readme(repo_id: str, card: dict[str, Any]) -> str:
    name = repo_id.rpartition("/")[2]
    metadata = SpaceCardData(
        title=name,
        emoji="🧬",
        colorFrom="blue",
        colorTo="green",
        sdk="docker",
        app_port=PORT,
        pinned=False,
        license=card.get("license"),
        models=[repo_id],
        tags=["dna", "genomics", "dnabert"],
        short_description="Paste DNA: what the model says, and why",
    )
    text = yaml.safe_dump(metadata.to_dict(), sort_keys=False, allow_unicode=True).strip()
    return fill_template("space", metadata=text, name=name, model=repo_id)


def _package() -> tuple[str, list[RepositoryFile]]:
    """Say what pip is to install the package from, and give the files for it."""
    installed = distribution(_PACKAGE)
    # Where pip was given an address or a path, it notes that (PEP 610).
    noted = installed.read_text("direct_url.json")
    if noted is None:
        return f"{_PACKAGE}[app]=={installed.version}", []
    origin = json.loads(noted)
    url = origin["url"]
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        return f"{_PACKAGE}[app] @ {vcs['vcs']}+{url}@{vcs['commit_id']}", []
    if not url.startswith("file:"):
        return f"{_PACKAGE}[app] @ {url}", []
    place = Path(unquote(urlsplit(url).path))
    if place.is_file():
        return f"./{place.name}[app]", [RepositoryFile(place.name, place.stat().st_size, place)]
    if not (place / "setup.cfg").is_file():
        raise ValueError(
            f"a Space needs this package, which was installed from {place} and is not there any "
            "more; install it again"
        )
    return "./package[app]", _source_files(place)


def _source_files(place: Path) -> list[RepositoryFile]:
    paths = [place / name for name in _SOURCE]
    for folder in _SOURCE_FOLDERS:
        paths += sorted(path for path in (place / folder).rglob("*") if path.is_file())
    return [
        RepositoryFile(f"package/{path.relative_to(place).as_posix()}", path.stat().st_size, path)
        for path in paths
        if not any(part.match(left) for part in (path, *path.parents) for left in _STAYS_BEHIND)
    ]
