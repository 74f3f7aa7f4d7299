"""The class that a classifier is for: named, or told by the names of two classes."""

import logging
import re
from collections.abc import Sequence
from functools import lru_cache

from dnabert_hf.data.labelled.labels import LabelScheme

__all__ = ["choose_class", "guess_positive", "known_positive", "positive_id", "warn_of_guess"]

logger = logging.getLogger(__name__)

# What people call the class that is not looked for.
_NEGATIVE = frozenset(
    (
        *("0", "false", "no", "non", "not", "none", "neither", "other", "others"),
        *("negative", "negatives", "neg", "random", "background", "bg", "genomic", "intergenic"),
        *("control", "controls", "ctrl", "ctrls", "ctl", "input", "decoy", "decoys", "fake"),
        *("shuffled", "shuffle", "scrambled", "scramble", "permuted", "noise", "null", "rest"),
        *("free", "unbound", "inactive", "absent", "closed", "silent", "off", "miss", "misses"),
        *("benign", "normal", "healthy"),
    )
)
# Names that say something beside each other alone: the first is not looked for.
_PAIRS = (
    *(("fp", "tp"), ("tn", "tp"), ("n", "p"), ("n", "y"), ("f", "t"), ("minus", "plus")),
    *(("wt", "mut"), ("wildtype", "mutant"), ("wt", "mutant"), ("ref", "alt"), ("low", "high")),
    *(("weak", "strong"), ("down", "up")),
)
_GENES = frozenset(("REST",))  # a transcription factor, whose peaks are not the rest of the genome
_NEGATIONS = ("non", "not", "no", "un", "in")


def guess_positive(names: Sequence[str]) -> str | None:
    """Tell by the names of two classes which one is looked for.

    Args:
        names: Class names.

    Returns:
        The one that is not called other, none, random, shuffled, unbound, 0 and the like, nor the
        negation of its counterpart; None if there are not two classes, or the names do not tell.

    Example:
        >>> guess_positive(["bound", "free"]), guess_positive(["non-enhancer", "enhancer"])
        ('bound', 'enhancer')
        >>> guess_positive(["0", "1"]), guess_positive(["case", "control"])
        ('1', 'case')
        >>> guess_positive(["REST", "shuffled"]), guess_positive(["peak", "rest"])
        ('REST', 'peak')
        >>> guess_positive(["kidney", "liver"]) is guess_positive(["a", "b", "none"]) is None
        True
    """
    if len(names) != 2:
        return None
    one, other = names
    is_negative = [_is_negative(one, other), _is_negative(other, one)]
    if is_negative == [True, False]:
        return other
    return one if is_negative == [False, True] else None


def _is_negative(name: str, other: str) -> bool:
    found = re.findall(r"[A-Za-z0-9]+", name)
    words = [word.lower() for word in found if word not in _GENES]
    if name.strip() in ("-", "-1") or not _NEGATIVE.isdisjoint(words):
        return True
    rest = "".join(re.findall(r"[a-z0-9]+", other.lower()))
    if ("".join(words), rest) in _PAIRS:
        return True
    return bool(rest) and "".join(words) in {f"{negation}{rest}" for negation in _NEGATIONS}


def known_positive(scheme: LabelScheme, positive: str | None = None) -> str | None:
    """Find the class of interest, where it is known.

    Args:
        scheme: Labels of a model or of data.
        positive: Name of the class, if one was named.

    Returns:
        The class that was named, or that of the scheme, or what the names of two classes tell; None
        if there is none or it would be a guess.

    Raises:
        ValueError: If there is no such class.
    """
    if positive is not None:
        if scheme.problem_type == "regression":
            raise ValueError(
                f"a class of interest must be one of several, got {positive!r} for a regression; "
                "leave it out (--positive)"
            )
        if positive not in scheme.names:
            raise ValueError(
                f"the class of interest must be one of {', '.join(scheme.names)}, got {positive!r}"
            )
        return positive
    if scheme.positive is not None:
        return scheme.positive
    has_one_class = scheme.problem_type in ("single_label_classification", "token_classification")
    return guess_positive(scheme.names) if has_one_class else None


def positive_id(scheme: LabelScheme) -> int:
    """Number the class that scores of one class are of: the class of interest, else the second."""
    positive = known_positive(scheme)
    return 1 if positive is None else scheme.names.index(positive)


def choose_class(scheme: LabelScheme, label: str | None) -> str:
    """Find the class that scores of one class are about.

    Where two classes do not tell which one it is, the second is taken, and a warning says so.

    Args:
        scheme: Labels of a model.
        label: Name of the class; None for the class of interest.

    Raises:
        ValueError: If there is no such class, or none is named where there are not two.
    """
    known = ", ".join(scheme.names)
    if scheme.problem_type == "regression":
        raise ValueError("the probability of a class is scored, found a model of regression")
    if label is not None:
        named = scheme.find(label)
        if named is None:
            raise ValueError(f"the class must be one of {known}, got {label!r}")
        return named
    positive = known_positive(scheme)
    if positive is not None:
        return positive
    if len(scheme.names) != 2:
        raise ValueError(
            f"a model with {len(scheme.names)} classes needs the one to score (--label), one of "
            f"{known}"
        )
    warn_of_guess(scheme.names)
    return scheme.names[1]


@lru_cache
def warn_of_guess(names: tuple[str, ...], *, has_label: bool = True) -> None:
    """Say, once a process, which of two classes is taken that do not tell which is looked for.

    Args:
        names: The two classes.
        has_label: Whether there is an option for the class afterwards.
    """
    logger.warning(
        "which of %s and %s is the class of interest is not known: %s, the second, is taken; name "
        "the other in training (--positive)%s",
        *(*names, names[1], " or afterwards (--label)" if has_label else ""),
    )
