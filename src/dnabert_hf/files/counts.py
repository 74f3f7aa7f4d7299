"""Numbers of things in words."""

from collections.abc import Mapping

__all__ = ["counted", "counted_reasons"]


def counted(n: int, thing: str) -> str:
    """Write a number of things, one or many.

    Args:
        n: How many.
        thing: One of them, whose plural ends in s.

    Example:
        >>> counted(1, "sequence"), counted(1200, "sequence")
        ('1 sequence', '1,200 sequences')
    """
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def counted_reasons(counts: Mapping[str, int]) -> str:
    """Write how often each reason held, whatever its words, which may be of one or of many.

    Example:
        >>> counted_reasons({"repeated sequences": 1, "windows that run off an end": 1200})
        'repeated sequences (1), windows that run off an end (1,200)'
    """
    return ", ".join(f"{reason} ({n:,})" for reason, n in counts.items())
