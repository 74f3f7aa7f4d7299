"""Hooks of mkdocs: generated pages, and links that lead to files beside the documentation."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from mkdocs.structure.files import File, Files
from site_pages import ROOT, command_pages, name_pages

_RESULTS = ROOT / "benchmarks" / "results"
# What the site takes from elsewhere in the repository, by its place in the site.
_BESIDE = {"changelog.md": ROOT / "CHANGELOG.md"} | {
    f"benchmarks/results/{path.relative_to(_RESULTS).as_posix()}": path
    for path in sorted(_RESULTS.rglob("*"))
    if path.suffix in {".md", ".png"}
}


def on_config(config: Any) -> Any:
    """Put the generated pages where the navigation says "commands" and "names"."""
    panels: dict[str, list[dict[str, str]]] = {}
    for name, (panel, typed, _) in command_pages().items():
        panels.setdefault(panel, []).append({typed: f"reference/commands/{name}"})
    names = [{title: f"reference/python/{name}"} for name, (title, _) in name_pages().items()]
    reference = next(part["Reference"] for part in config.nav if "Reference" in part)
    for part in reference:
        if "Commands" in part:
            part["Commands"] += [{panel: pages} for panel, pages in panels.items()]
        if "Python" in part:
            part["Python"] = names
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages, the changelog and the results of the benchmarks."""
    for name, (_, _, text) in command_pages().items():
        files.append(File.generated(config, f"reference/commands/{name}", content=text))
    for name, (_, text) in name_pages().items():
        files.append(File.generated(config, f"reference/python/{name}", content=text))
    for place, path in _BESIDE.items():
        content = path.read_bytes() if path.suffix == ".png" else path.read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links to files of the repository, which GitHub follows, into links of the site.

    What the site does not hold, scripts and tables, is named and not linked.
    """
    here = "../" * page.file.src_uri.count("/")
    if page.file.src_uri.startswith("benchmarks/"):
        return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\.(?:py|tsv|json|yaml)\)", r"\1", markdown)
    outside = r"\[([^\]]+)\]\((?:\.\./)+(?:benchmarks/(?!results/)|examples/|src/|tests/)[^)]+\)"
    markdown = re.sub(outside, r"\1", markdown)
    return re.sub(r"(?:\.\./)+benchmarks/results/", f"{here}benchmarks/results/", markdown)
