"""Templates of model cards, filled in."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["fill_template", "rate"]


def fill_template(template: str, /, **values: Any) -> str:
    """Fill in a template of this package.

    Args:
        template: Its file name without suffix.
        **values: What stands in it.

    Returns:
        Markdown.
    """
    return _environment().get_template(f"{template}.md").render(values)


@cache
def _environment() -> Environment:
    # Markdown is no HTML: nothing is escaped.
    environment = Environment(
        loader=PackageLoader("dnabert_hf.cards", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": "`{}`".format, "row": _row, "rule": _rule, "score": _score}
    environment.filters["rate"] = rate
    return environment


def rate(value: float) -> str:
    """Write a number of which two digits count.

    Example:
        >>> rate(197.6), rate(0.0312)
        ('198', '0.031')
    """
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _row(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _rule(n_columns: int) -> str:
    return "|" + "---|" * n_columns


def _score(scores: Mapping[str, float], metric: str) -> str:
    return f"{scores[metric]:.4f}" if metric in scores else "-"
