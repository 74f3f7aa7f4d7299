"""Checks of outputs before any work is done: nothing of anybody's is lost, nothing fails late."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

__all__ = ["MODEL_FILES", "check_distinct", "check_folder", "check_output"]

# What lies in a folder that `save_pretrained` and a conversion wrote, by patterns of names.
MODEL_FILES = (
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "pytorch_model.bin",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "configuration_dnabert.py",
    "modeling_dnabert.py",
    "tokenization_dnabert.py",
    "__pycache__/*.pyc",
    "README.md",
    ".gitattributes",
)
_SHOWN = 3


def check_output(
    path: str | Path,
    *,
    overwrite: bool,
    is_folder: bool = False,
    inputs: Iterable[object] = (),
    others: Iterable[str | Path | None] = (),
) -> None:
    """Refuse an output that cannot be written, before any work is done.

    Args:
        path: Result file, or "-" for standard output.
        overwrite: Whether what exists may be replaced.
        is_folder: Whether the result is a folder of files.
        inputs: What the result is made of; what is no path, such as a model, is passed by.
        others: Other outputs of the same run; None and "-" are passed by.

    Raises:
        ValueError: If the output exists and must not be replaced, there is something else in its
            place, its folder does not exist, or it is an input or another output of the run.
    """
    if str(path) == "-":
        return
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"{path} must lie in a folder that exists, found no folder {path.parent}")
    check_distinct(path, inputs=inputs, others=others)
    if not path.exists():
        return
    if path.is_dir() != is_folder or not (path.is_file() or path.is_dir()):
        kind = "a folder" if is_folder else "a file"
        found = "a folder" if path.is_dir() else "a file" if path.is_file() else "a device"
        raise ValueError(
            f"{path} must be {kind} to write, found {found}; give the output another name"
        )
    if not overwrite:
        raise ValueError(
            f"{path} must not exist yet, or overwrite must be set (--overwrite), found a "
            f"{'folder' if is_folder else 'file'}"
        )
    if is_folder:
        numbered = set(path.glob(f"{path.stem}-[0-9]*-of-[0-9]*{path.suffix}"))
        others_there = sorted(each.name for each in path.iterdir() if each not in numbered)
        if others_there:
            raise ValueError(
                f"{path} must hold nothing but the files of an earlier run to be overwritten, "
                f"found {others_there[0]}; give the output another name"
            )


def check_distinct(
    path: str | Path, *, inputs: Iterable[object] = (), others: Iterable[str | Path | None] = ()
) -> None:
    """Refuse an output that is an input or another output of the same run, even to overwrite it.

    Args:
        path: Result, or "-" for standard output.
        inputs: What the result is made of; what is no path, such as a model, is passed by.
        others: Other outputs of the run; None and "-" are passed by.

    Raises:
        ValueError: If it is one of them, by whatever name, or a file of a model among the inputs.
    """
    if str(path) == "-":
        return
    path = Path(path)
    for other in _paths(others):
        if _is_same(path, other):
            raise ValueError(
                f"{path} must be the name of one output of a run, found it given to two; give each "
                "a name of its own"
            )
    for each in _paths(inputs):
        is_of_model = _is_same(path.parent, each) and path.exists() and _is_model_file(path)
        if is_of_model or _is_same(path, each):
            kind = "folder" if path.is_dir() else "file"
            what = f"those of the input {each}" if is_of_model else f"the input {each}"
            raise ValueError(
                f"{path} must be another {kind} than {what}, which would be lost; give the output "
                "another name"
            )


def check_folder(
    path: str | Path,
    *,
    overwrite: bool,
    marker: str,
    known: Sequence[str],
    inputs: Iterable[object] = (),
) -> None:
    """Refuse a folder that must not be written, or whose replacement would take files away.

    Args:
        path: Folder to write as a whole, new or empty or, with `overwrite`, written before.
        overwrite: Whether to replace what was written before.
        marker: File that tells what was written before from a folder of somebody's.
        known: Patterns of all paths that are written there; `**` at the end is all below.
        inputs: What the folder is made of; what is no path is passed by.

    Raises:
        ValueError: If it must not be written.
    """
    path = Path(path)
    if not path.exists():
        return
    if not path.is_dir():
        raise ValueError(f"{path} must be a folder to write, found a file; choose another name")
    for each in _paths(inputs):
        if path.resolve() in (each.resolve(), *each.resolve().parents):
            raise ValueError(
                f"{path} must be another folder than the source {each} or one that holds it; "
                "choose another"
            )
    files = [file for file in path.rglob("*") if not file.is_dir() or file.is_symlink()]
    if not files:
        return
    if not overwrite:
        raise ValueError(
            f"{path} must be empty or new, or an earlier one be replaced (--overwrite), found a "
            "folder with files; choose another"
        )
    if not (path / marker).is_file():
        raise ValueError(
            f"{path} must hold the {marker} of what is to be overwritten, found none in it; choose "
            "another folder"
        )
    names = sorted(file.relative_to(path).as_posix() for file in files)
    foreign = [name for name in names if not any(_matches(name, each) for each in known)]
    if foreign:
        more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        raise ValueError(
            f"{path} must hold nothing else than what is to be overwritten, found "
            f"{', '.join(foreign[:_SHOWN])}{more}; move them away or choose another folder"
        )


def _is_model_file(path: Path) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in MODEL_FILES)


def _matches(name: str, pattern: str) -> bool:
    """Tell whether a path has a pattern, folder by folder; `**` at its end is all below.

    Example:
        >>> _matches("a/b.tsv", "*/*.tsv"), _matches("a/b.tsv", "*.tsv"), _matches("a/b/c", "a/**")
        (True, False, True)
    """
    parts, patterns = name.split("/"), pattern.split("/")
    if patterns[-1] == "**":
        parts, patterns = parts[: len(patterns) - 1], patterns[:-1]
    return len(parts) == len(patterns) and all(map(fnmatch, parts, patterns))


def _paths(names: Iterable[object]) -> Iterator[Path]:
    for name in names:
        if isinstance(name, str | Path) and str(name) not in ("-", ""):
            yield Path(name)


def _is_same(path: Path, other: Path) -> bool:
    if path.resolve() == other.resolve():
        return True
    return path.exists() and other.exists() and path.samefile(other)
