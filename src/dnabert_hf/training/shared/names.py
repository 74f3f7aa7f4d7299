"""Names of starts and fields, and the refusal of unknown ones; loads without torch."""

import difflib
from collections.abc import Iterable

__all__ = ["NETWORKS", "RANDOM", "check_names"]

RANDOM = "random"
# To compare with: those of the paper, and what others compare with.
NETWORKS = ("cnn", "cnn-lstm", "cnn-gru", "deepbind", "danq", "basset")


def check_names(names: Iterable[str], known: Iterable[str], what: str) -> None:
    """Refuse names that are not known, and offer the closest ones.

    Args:
        names: Names to check.
        known: Names there are.
        what: What the names are, in the plural, for the error.

    Raises:
        ValueError: If a name is not among those known.

    Example:
        >>> check_names(["seed"], ["seed", "bf16"], "arguments")
    """
    known = list(known)
    for name in names:
        if name not in known:
            closest = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
            remedy = f"did you mean {' or '.join(closest)}?" if closest else "remove it"
            raise ValueError(f"{what} must be known by name, got {name!r}; {remedy}")
