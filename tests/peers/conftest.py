"""The test suite of transformers: fetched for the session, run in a process of its own."""

import ast
import importlib
import itertools
import os
import re
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import transformers

SUITES = Path(__file__).parent / "suites"
# Modules that the common tests import and the source distribution does not have.
MISSING = {
    "exporters/test_export.py": "class ExportTesterMixin:\n    pass\n",
    "generation/test_utils.py": "class GenerationTesterMixin:\n    pass\n",
    "utils/test_configuration_utils.py": "config_common_kwargs = {}\n",
    "fixtures/sample_text.txt": "ACGTACGTTGCA\n",
}
# Sentences that the tests of tokenizers encode, and what looks like them but is a message.
SENTENCE = re.compile(
    r"\s?([A-Z]\w*( [\w',.é-]+)+[.!?]?|Sequence|(low|test|hello)( \w+)*|.*, running)\s?", re.DOTALL
)
MESSAGE = re.compile("ssue with|ossible to|maximum sequence|rror|okenizer|No |skip|This model")


def in_dna(source: str) -> str:
    """Put DNA of the same length in place of the sentences that tests encode."""
    lines = source.encode().splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]
    sentences = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        for part in ast.walk(node):
            text = part.value if isinstance(part, ast.Constant) else None
            if isinstance(text, str) and SENTENCE.fullmatch(text) and not MESSAGE.search(text):
                begin = starts[part.lineno - 1] + part.col_offset
                sentences.append((begin, starts[part.end_lineno - 1] + part.end_col_offset, text))
    written = source.encode()
    for begin, end, text in sorted(sentences, reverse=True):
        dna = "".join("ACGT"[ord(letter) % 4] for letter in text)
        written = written[:begin] + repr(dna).encode() + written[end:]
    return written.decode()


@pytest.fixture(scope="session")
def peer_tests(tmp_path_factory):
    """Folder with the `tests` package of the installed version of transformers."""
    for module in ("parameterized", "accelerate"):
        pytest.importorskip(module, reason="the tests of transformers need it")
    folder = tmp_path_factory.mktemp("transformers")
    version = re.match(r"[\d.]+\d", transformers.__version__).group()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
    command += ["--no-build-isolation", "--dest", str(folder), f"transformers=={version}"]
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    archives = list(folder.glob("*.tar.gz"))
    if run.returncode or not archives:
        pytest.skip(f"no source distribution of transformers {version}: {run.stderr[-200:]}")
    with tarfile.open(archives[0]) as archive:
        root = archive.next().name.split("/")[0]
        archive.extractall(folder, filter="data")
    (folder / root / "tests").rename(folder / "tests")
    for name, text in {**MISSING, "__init__.py": ""}.items():
        path = folder / "tests" / name
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        if not path.exists():
            path.write_text(text)
    tokenizers = folder / "tests" / "test_tokenization_common.py"
    tokenizers.write_text(in_dna(tokenizers.read_text()))
    # The configuration's tests look for the package's sources beside themselves.
    (folder / "src").symlink_to(Path(importlib.import_module("transformers").__file__).parents[1])
    return folder


@pytest.fixture
def run_suite(peer_tests):
    """Run a suite; gives for each of its classes what passed, failed (and how) and was skipped."""

    def run(name: str, deselected: tuple[str, ...] = ()) -> dict[str, dict[str, dict[str, str]]]:
        suite = peer_tests / f"test_peer_{name}.py"
        suite.write_text((SUITES / f"{name}.py").read_text())
        report = peer_tests / f"{name}.xml"
        command = [sys.executable, "-m", "pytest", suite.name, "-q", "-p", "no:cacheprovider"]
        command += [f"--junitxml={report}", "-o", "addopts=", "--rootdir", str(peer_tests)]
        command += ["-k", " and ".join(f"not {test}" for test in deselected) or "test"]
        environment = {**os.environ, "PYTHONPATH": str(peer_tests), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            command, cwd=peer_tests, env=environment, capture_output=True, text=True, check=False
        )
        assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
        return read_report(report)

    return run


def read_report(path: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Sort the tests of each class by outcome; one that failed in a part has failed."""
    results: dict[str, dict[str, dict[str, str]]] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {"failure": "failed", "error": "failed", "skipped": "skipped"}
        outcome, message = "passed", ""
        for found in case:
            if found.tag in kinds:
                outcome, message = kinds[found.tag], found.get("message", "")
        of_class = results.setdefault(
            case.get("classname").split(".")[-1], {"failed": {}, "skipped": {}, "passed": {}}
        )
        name = case.get("name").split(" ")[0]
        if name not in of_class["failed"]:
            for earlier in of_class.values():
                earlier.pop(name, None)
            of_class[outcome][name] = message
    return results


def counts(results) -> str:
    """A line for each class of a suite."""
    return "\n".join(
        f"{name}: " + ", ".join(f"{len(tests)} {outcome}" for outcome, tests in outcomes.items())
        for name, outcomes in results.items()
    )


@pytest.fixture
def report(record_property, capsys):
    """Write the counts where they are seen: in pytest's output and in its XML."""

    def write(results) -> None:
        record_property("counts", counts(results))
        with capsys.disabled():
            sys.stdout.write(f"\n{counts(results)}\n")

    return write
