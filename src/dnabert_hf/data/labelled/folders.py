"""Data sets that lie in a folder, found by what the files are called."""

from pathlib import Path

from dnabert_hf.data.labelled.dataset import SPLIT_OF_NAME
from dnabert_hf.data.reading.records_from_file import has_known_suffix

__all__ = ["find_datasets", "resolve_dataset"]

_TABLES = (".csv", ".parquet", ".tsv")


def resolve_dataset(path: Path) -> Path | None:
    """Find a file or folder whose suffix may have been left out.

    Args:
        path: Such as "data/promoters", for data/promoters/ or data/promoters.tsv.gz.

    Returns:
        What is there, None if nothing is.

    Raises:
        ValueError: If several files fit.
    """
    if path.exists():
        return path
    found = sorted(file for file in path.parent.glob(f"{path.name}.*") if _is_table(file))
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise ValueError(f"{path} must be one file or folder, found {names}; write the suffix")
    return found[0] if found else None


def find_datasets(folder: Path) -> dict[str, Path]:
    """Find the data sets below a folder, such as the nested folders of GUE.

    A folder with a file called train, dev or test (of any format) is one data set, a table in any
    other folder another one. Names that begin with a dot are passed over.

    Args:
        folder: The folder, which may itself be a data set.

    Returns:
        Files and folders by their path within the folder, without suffixes, in alphabetical order.

    Raises:
        ValueError: If there are none, or two would have one name.
    """
    found: dict[str, Path] = {}
    for path in _walk(folder, frozenset()):
        relative = path.relative_to(folder)
        stem = path.name if path.is_dir() else Path(_uncompressed(path)).stem
        name = folder.name if path == folder else (relative.parent / stem).as_posix()
        if name in found:
            raise ValueError(
                f"{folder}: data sets must differ in name, found {found[name]}, {path}"
            )
        found[name] = path
    if not found:
        raise ValueError(
            f"{folder} must hold data sets, found none: folders with train, dev and test files, or "
            f"tables ({', '.join(_TABLES)}, plain or gzip) with a split column"
        )
    return found


def _walk(folder: Path, above: frozenset[Path]) -> list[Path]:
    real = folder.resolve()
    if real in above:  # a link that leads back
        return []
    children = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if any(_is_split(path) for path in children):
        return [folder]
    found = []
    for path in children:
        if path.is_dir():
            found += _walk(path, above | {real})
        elif _is_table(path):
            found.append(path)
    return found


def _is_split(path: Path) -> bool:
    is_named = path.name.split(".")[0].lower() in SPLIT_OF_NAME
    return is_named and path.is_file() and has_known_suffix(path)


def _is_table(path: Path) -> bool:
    return path.is_file() and _uncompressed(path).lower().endswith(_TABLES)


def _uncompressed(path: Path) -> str:
    return path.stem if path.suffix.lower() in (".gz", ".bgz") else path.name
