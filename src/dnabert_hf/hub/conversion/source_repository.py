"""The files of a model repository, from a folder, a zip as the authors release it, or the Hub."""

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError

from dnabert_hf.checkpoints.hub import check_reachable, is_repository
from dnabert_hf.inference.engine.checkpoint import check_files

__all__ = ["open_repository"]

_TEXTS = ("*.json", "vocab.txt", "README.md")
_SAFETENSORS = "model*.safetensors"
_PICKLES = "pytorch_model*.bin"


@contextmanager
def open_repository(source: str | Path) -> Iterator[Path]:
    """Give the folder of a repository; that of a zip is there only while the block runs.

    Args:
        source: Folder, zip with the files of one model, or repository id on the Hub.

    Yields:
        Folder with config.json and weights.

    Raises:
        ValueError: If there is nothing of this name, or it does not hold a model.
    """
    path = Path(source)
    if path.is_dir():
        check_files(path)
        yield path
    elif path.is_file():
        with tempfile.TemporaryDirectory() as name:
            _unpack(path, Path(name))
            check_files(Path(name))
            yield Path(name)
    elif isinstance(source, Path) or source.count("/") > 1 or source.startswith((".", "/", "~")):
        raise ValueError(
            f"{source} must be a folder, a zip or a repository of the Hub (owner/name), found no "
            "such folder or file; check the path"
        )
    else:
        if is_repository(source):
            check_reachable(source)
        yield _download(source)


def _unpack(path: Path, folder: Path) -> None:
    """Write the files of the one model in a zip into a folder, whatever folder they lie in."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [PurePosixPath(name) for name in archive.namelist()]
            # macOS adds a shadow of every file.
            members = [member for member in members if "__MACOSX" not in member.parts]
            configs = [member for member in members if member.name == "config.json"]
            if len(configs) != 1:
                found = ", ".join(map(str, configs)) or "none"
                raise ValueError(
                    f"{path} must hold the files of one model, with one config.json, found {found};"
                    " unpack it and name the folder of the model"
                )
            for member in members:
                if member.parent == configs[0].parent and _is_wanted(member.name):
                    with (
                        archive.open(str(member)) as packed,
                        (folder / member.name).open("wb") as f,
                    ):
                        shutil.copyfileobj(packed, f, 1 << 20)
    # RuntimeError where it is encrypted or compressed by an unknown method.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ValueError(
            f"{path} must be a zip with the files of a model, but it is none or is damaged "
            f"({error}); download it again"
        ) from error


def _is_wanted(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in (*_TEXTS, _SAFETENSORS, _PICKLES))


def _download(repository: str) -> Path:
    try:
        folder = Path(snapshot_download(repository, allow_patterns=[*_TEXTS, _SAFETENSORS]))
        if not any(folder.glob(_SAFETENSORS)):  # pickles only where there is nothing better
            folder = Path(snapshot_download(repository, allow_patterns=[*_TEXTS, _PICKLES]))
    except (OSError, HfHubHTTPError, ValueError) as error:
        raise ValueError(
            f"{repository} must be a folder, a zip or a repository of the Hub that you may read, "
            f"but fetching it failed: {' '.join(str(error).split())}"
        ) from error
    check_files(folder)
    return folder
