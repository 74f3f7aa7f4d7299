"""Which way imports point, as CONTRIBUTING.md draws it."""

import ast
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A module imports its own layer and those before it; training and inference are neighbours.
LAYERS = [
    {"modeling", "tokenizer_files", "files"},
    {"checkpoints"},
    {"data", "metrics"},
    {"cards"},
    {"training", "inference"},
    {"interpretation"},
    {"pipelines"},
    {"registration", "late_registration"},
    {"hub"},
    {"workflows"},
    {"app"},
    {"cli", "__init__"},
    {"__main__"},
]
MODELING_MAY_IMPORT = {"torch", "transformers", "numpy", "huggingface_hub"}


def level(name: str) -> int:
    (found,) = [i for i, layer in enumerate(LAYERS) if name in layer]
    return found


def imported_names(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.append(node.module)
    return names


SOURCES = sorted((ROOT / "src" / "dnabert_hf").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path):
    own = path.relative_to(ROOT / "src" / "dnabert_hf").parts[0].removesuffix(".py")
    for name in imported_names(path):
        parts = name.split(".")
        if parts[0] != "dnabert_hf" or len(parts) == 1:
            continue
        other = parts[1]
        assert level(other) <= level(own), f"{own} imports {name}"
        if level(other) == level(own):
            assert other == own or {own, other} == {"data", "metrics"}, f"{own} imports {name}"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "modeling").glob("*_dnabert.py")), ids=lambda p: p.name
)
def test_files_for_the_hub_stand_alone(path):
    text = path.read_text()
    import_roots = {name.split(".")[0] for name in imported_names(path)}
    import sys

    assert import_roots - set(sys.stdlib_module_names) <= MODELING_MAY_IMPORT
    assert "from __future__" not in text  # @strict would check nothing
    assert "TYPE_CHECKING" not in text  # the Hub's loader would demand what it imports


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        (
            "matplotlib",
            {
                "files/figures.py",
                "metrics/reliability.py",
                "training/shared/curves.py",
                "training/benchmark/plot.py",
                "interpretation/plots",
            },
        ),
        (
            "torch",
            {
                "files/environment.py",
                "files/fingerprint.py",
                "data/masking/collator.py",
                "pipelines.py",
                "training",
                "inference",
                "interpretation",
                "hub",
                "workflows",
            },
        ),
    ],
)
def test_heavy_libraries_are_imported_where_they_belong(library, allowed):
    for path in SOURCES:
        relative = path.relative_to(ROOT / "src" / "dnabert_hf")
        if any(name.split(".")[0] == library for name in imported_names(path)):
            places = {place.as_posix() for place in (relative, *relative.parents)}
            assert places & allowed, relative


def test_command_modules_import_nothing_heavy_at_the_top():
    for path in (ROOT / "src" / "dnabert_hf" / "cli").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = (
                    [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
                )
                for name in names:
                    heavy = {
                        "torch",
                        "transformers",
                        "datasets",
                        "sklearn",
                        "pyarrow",
                        "matplotlib",
                    }
                    assert name.split(".")[0] not in heavy, f"{path.name} imports {name}"


def test_packages_import_each_other_in_one_direction():
    """A package within a layer is read after those it imports, not beside them."""
    imported: dict[str, set[str]] = {}
    for path in SOURCES:
        own = ".".join(path.relative_to(ROOT / "src").parent.parts)
        others = {name.rpartition(".")[0] for name in imported_names(path)}
        imported.setdefault(own, set()).update(
            other for other in others if other.startswith("dnabert_hf.") and other != own
        )
    TopologicalSorter(imported).prepare()  # raises CycleError


def test_folders_stay_small():
    """More than a dozen files in a folder, and nobody finds the one that matters."""
    counts = Counter(path.parent for path in SOURCES if path.parent.name != "cli")
    assert {folder: n for folder, n in counts.items() if n > 12} == {}
