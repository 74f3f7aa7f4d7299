"""The journeys of CONTRIBUTING.md are ways that one can go: each file is named by one before it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "dnabert_hf"
LONGEST = 15  # files


def read_journeys() -> dict[str, list[str]]:
    """Read the files of each journey, by its command."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    block = text.split("## Ten journeys")[1].split("```")[1]
    lines = re.sub(r"\n +→", " →", block).strip().splitlines()
    return {line.split()[0]: place_names(line.split(maxsplit=1)[1]) for line in lines}


def place_names(line: str) -> list[str]:
    """Give each file its folder: that of the file before it, where it names none from the top."""
    files: list[str] = []
    folder = ""
    for name in map(str.strip, line.split("→")):
        found = name
        if not file_of(name).exists():
            # motifs/words/regions is "words/regions" beside motifs/find.
            base = folder if file_of(f"{folder}/{name}").exists() else str(Path(folder).parent)
            found = f"{base}/{name}"
        files.append(found)
        folder = str(Path(found).parent)
    return files


def file_of(name: str) -> Path:
    """Give the path of a file of the package."""
    return (ROOT if name.startswith("modeling/") else PACKAGE) / f"{name}.py"


def names_of(name: str) -> set[str]:
    """Give the files that a file imports from, also within its functions."""
    tree = ast.parse(file_of(name).read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {str(module).removeprefix("dnabert_hf.").replace(".", "/") for module in modules}


JOURNEYS = read_journeys()


def test_there_are_ten() -> None:
    """Each command of them begins its own."""
    assert len(JOURNEYS) == 10
    for command, files in JOURNEYS.items():
        assert files[0] == f"cli/{command}"


@pytest.mark.parametrize("command", JOURNEYS)
def test_a_journey_goes_from_file_to_file(command: str) -> None:
    """Every arrow is an import, no file is passed twice, and the way is short."""
    files = JOURNEYS[command]
    assert len(files) == len(set(files)) <= LONGEST
    for number, name in enumerate(files[1:], 1):
        assert file_of(name).exists(), name
        before = set().union(*map(names_of, files[:number]))
        assert name in before, f"no file before it imports {name}"
