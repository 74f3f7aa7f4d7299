"""Repositories of the Hub: how their names are made, and whether one can be reached."""

import re

__all__ = ["check_reachable", "is_repository"]

_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?", re.ASCII)
_LONGEST = 96
_SECONDS = 5.0  # to wait for an answer of the Hub


def is_repository(name: str) -> bool:
    """Tell whether a repository of the Hub may have this name: OWNER/NAME.

    Example:
        >>> [is_repository(each) for each in ("lab/promoters", "runs/", "../lab", "my runs/first")]
        [True, False, False, False]
    """
    is_odd = "--" in name or ".." in name or name.endswith((".git", ".ipynb"))
    return len(name) <= _LONGEST and not is_odd and _NAME.fullmatch(name) is not None


def check_reachable(name: str) -> None:
    """Ask the Hub once whether it is there, before libraries ask again and again for half a minute.

    Nothing is asked where a copy of the repository is in the cache, or offline.

    Args:
        name: Repository, OWNER/NAME.

    Raises:
        ValueError: If there is no answer.
    """
    from huggingface_hub import constants, get_session, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # httpx's or httpx2's

    if constants.HF_HUB_OFFLINE or isinstance(try_to_load_from_cache(name, "config.json"), str):
        return
    try:
        get_session().head(hf_hub_url(name, "config.json"), timeout=_SECONDS)
    except HTTPError as error:
        raise ValueError(
            f"{name}: there is no folder of this name here, and the Hub cannot be reached "
            f"({error}); check the path, or the network"
        ) from error
