"""Pages that the site makes of the code when it is built, so that no copy of it can be wrong."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

# The module that tells the package not to wait for transformers.
import dnabert_hf_command  # noqa: F401
from dnabert_hf.cli.main import app

__all__ = ["command_pages", "name_pages", "names_by_page", "walk_commands"]

ROOT = Path(__file__).parents[2]
# By the start of their modules; the first that fits. A page of the reference each.
_NAMES = {
    "models": ("Models, tokenizer, collator", ("modeling", "checkpoints", "data.masking")),
    "data": ("Data and genomes", ("data",)),
    "training": ("Training", ("training", "workflows")),
    "inference": ("Using a model", ("inference",)),
    "interpretation": ("Explaining a model", ("interpretation",)),
    "hub": ("Hub and pipelines", ("hub", "pipelines", "registration")),
}


def walk_commands(group: Any = None, prefix: str = "dnabert") -> Iterator[tuple[str, Any, str]]:
    """Yield what is typed, the command, and the panel of `dnabert --help` that it stands in."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        panel = command.rich_help_panel
        if hasattr(command, "commands"):
            for typed, each, _ in walk_commands(command, f"{prefix} {name}"):
                yield typed, each, panel
        else:
            yield f"{prefix} {name}", command, panel


def _fenced(text: str) -> str:
    """Turn the indented examples of a docstring into blocks that can be copied."""
    blocks = re.split(r"(\n\n(?: {4}.*\n?)+)", f"{text}\n")
    return "".join(
        f"\n\n```bash\n{textwrap.dedent(block).strip()}\n```\n" if number % 2 else block
        for number, block in enumerate(blocks)
    )


def _value(parameter: Any, context: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    show = getattr(parameter, "display_type_rich", None) or parameter.make_metavar  # older typer
    value = str(show(ctx=context)).strip("<>[]")
    value = re.sub(r"^list\[(.*?)\]?$", r"\1", value).split(" range")[0]
    return value.replace("|", " or ")


def _default(parameter: Any) -> str:
    if parameter.required:
        return " **Required.**"
    if isinstance(parameter.show_default, str):
        return f" Default: {parameter.show_default}."
    default = getattr(parameter.default, "value", parameter.default)
    if default is None or isinstance(default, bool) or callable(default):
        return ""
    return f" Default: `{default}`."


def _row(parameter: Any, context: Any) -> str:
    if parameter.param_type_name == "argument":
        name = f"`{parameter.name.upper()}`"
    else:
        names = sorted([*parameter.opts, *parameter.secondary_opts], key=len, reverse=True)
        name = "<br>".join(f"`{each}`" for each in names)
        if value := _value(parameter, context):
            name += f"<br><small>{value}</small>"
    text = (parameter.help or "").rstrip(".")
    text = text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
    return f"| {name} | {text}.{_default(parameter)} |"


def command_pages() -> dict[str, tuple[str, str, str]]:
    """Write a page for each command.

    Returns:
        By the name of the page: the panel of `dnabert --help`, what is typed, and the page.
    """
    pages = {}
    for typed, command, panel in walk_commands():
        panels: dict[str, list[str]] = {}
        context = typer.Context(command)
        for parameter in command.params:
            is_argument = parameter.param_type_name == "argument"
            title = "Arguments" if is_argument else parameter.rich_help_panel or "Options"
            panels.setdefault(title, []).append(_row(parameter, context))
        parts = [f"# {typed}", _fenced(inspect.getdoc(command.callback) or "").strip()]
        parts += [
            "\n".join([f"## {title}", "", "| name | what it is |", "|---|---|", *rows])
            for title, rows in panels.items()
        ]
        parts.append(
            "What it writes: [columns of every output](../columns.md). In the terminal: "
            f"`{typed} --help`."
        )
        name = typed.removeprefix("dnabert ").replace(" ", "-")
        pages[f"{name}.md"] = (panel, typed, "\n\n".join(parts) + "\n")
    return pages


def _public_names() -> dict[str, str]:
    stub = ast.parse((ROOT / "src" / "dnabert_hf" / "__init__.pyi").read_text(encoding="utf-8"))
    imports = (node for node in stub.body if isinstance(node, ast.ImportFrom))
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def names_by_page() -> dict[str, list[str]]:
    """Return the public names of each page of the reference."""
    found: dict[str, list[str]] = {page: [] for page in _NAMES}
    for name, module in _public_names().items():
        place = module.removeprefix("dnabert_hf.")
        page = next(
            page
            for page, (_, starts) in _NAMES.items()
            if any(place == start or place.startswith(f"{start}.") for start in starts)
        )
        found[page].append(name)
    return found


def name_pages() -> dict[str, tuple[str, str]]:
    """Write a page for each group of public names, with what mkdocstrings puts in.

    Returns:
        By the name of the page: its title, and the page.
    """
    modules = _public_names()
    pages = {}
    for page, names in names_by_page().items():
        title = _NAMES[page][0]
        parts = [f"# {title}", "All of these come from `dnabert_hf`: "
                 + ", ".join(f"[`{name}`](#{name})" for name in names) + "."]  # fmt: skip
        for name in names:
            # modeling/ lies beside src: mkdocstrings, which reads files, finds it by that name.
            place = f"{modules[name]}.{name}".replace("dnabert_hf.modeling.", "modeling.")
            parts.append(f"## {name} {{ #{name} }}\n\n::: {place}")
        pages[f"{page}.md"] = (title, "\n\n".join(parts) + "\n")
    return pages
