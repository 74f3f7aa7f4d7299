"""Every block of the pages runs; every command there is one; no page is long."""

import functools
import shlex
import sys
import textwrap

import pytest
from running import BLOCK, ROOT, commands_of, run_block

sys.path.insert(0, str(ROOT / "docs" / "hooks"))
from site_pages import walk_commands

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
# Several trainings each, or long maps: run with -m slow.
LONG = {
    "comparing-models",
    "dependencies",
    "experiments",
    "embeddings",
    "export",
    "long-sequences",
    "peaks-to-motifs",
    "pretraining",
    "promoters-and-a-scan",
    "splice-sites",
}
GUIDES = sorted([*(DOCS / "guides").glob("*.md"), *(DOCS / "quickstart").glob("*.md")])


def name_of(path):
    return path.relative_to(DOCS).as_posix()


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] * (page.stem in LONG)) for page in GUIDES],
    ids=map(name_of, GUIDES),
)
def test_blocks_of_the_guides_run(page, work_folder):
    text = page.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for indent, language, block in BLOCK.findall(text):
        assert not indent or language == "yaml"
        run_block(language, textwrap.dedent(block), names)


@pytest.mark.slow
def test_commands_of_the_readme_run(work_folder):
    for _, language, block in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        if language == "bash":
            run_block(language, block, {})


@functools.cache
def commands():
    """Commands of the app by what is typed after dnabert, which do not look for their files."""
    found = {typed.split(" ", 1)[1]: command for typed, command, _ in walk_commands()}
    for command in found.values():
        for parameter in command.params:
            parameter.callback = None
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_the_pages_are_understood(page):
    for line in commands_of(page.read_text(encoding="utf-8")):
        words = shlex.split(line, comments=True)[1:]
        n_words = 2 if words[0] in ("dataset", "experiment") else 1
        name = " ".join(words[:n_words])
        assert name in commands(), line
        commands()[name].make_context(name, words[n_words:])


def test_no_page_is_long():
    for page in [*PAGES, ROOT / "README.md"]:
        n_lines = len(page.read_text(encoding="utf-8").splitlines())
        most = 150 if page.name == "README.md" else 120 if "guides" in page.parts else 250
        assert n_lines <= most, f"{page} has {n_lines} lines"
