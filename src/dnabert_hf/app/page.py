"""The page itself: what it says of the model, and the look of the package's reports."""

import json
from importlib.resources import files

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from dnabert_hf.app.explorer import MOST_LETTERS, Explorer
from dnabert_hf.app.pasted import MOST_BASES, MOST_SEQUENCES
from dnabert_hf.files.environment import package_versions

__all__ = ["render_page"]


def render_page(explorer: Explorer) -> str:
    """Render the page of a model.

    Args:
        explorer: The model.
    """
    environment = Environment(
        loader=PackageLoader("dnabert_hf.app", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared = files("dnabert_hf.interpretation") / "templates" / "page.css"
    own = files("dnabert_hf.app") / "templates" / "app.css"
    scheme = explorer.scheme
    known = {
        "isClassifier": explorer.is_classifier,
        "problem": None if scheme is None else scheme.problem_type,
        "classes": [] if scheme is None else scheme.names,
        "positive": explorer.positive,
        "k": explorer.k,
        "mostLetters": MOST_LETTERS,
        "lengths": explorer.lengths,
        "examples": [sequence for _, sequence in explorer.examples],
    }
    return environment.get_template("app.html").render(
        explorer=explorer,
        titles=[title for title, _ in explorer.examples],
        most_bases=MOST_BASES,
        most_sequences=MOST_SEQUENCES,
        most_letters=MOST_LETTERS,
        style=Markup("\n".join(each.read_text(encoding="utf-8") for each in (shared, own))),
        # "<" could end the element that holds it.
        known=Markup(json.dumps(known).replace("<", "\\u003c")),
        versions=", ".join(f"{name} {number}" for name, number in package_versions().items()),
    )
