"""The card of a model, as far as the page shows it: the regression beside it, and examples."""

from pathlib import Path

import yaml
from huggingface_hub import ModelCard, hf_hub_download
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

from dnabert_hf.checkpoints import locate

__all__ = ["read_card", "read_examples"]


def read_card(model: str | Path) -> str:
    """Read the card of a model.

    Args:
        model: Folder or Hub repository, or name of a checkpoint that comes with the package.

    Returns:
        Its text, "" where there is none or it cannot be read.
    """
    place = locate(model)
    try:
        if Path(place).is_dir():
            return (Path(place) / "README.md").read_text(encoding="utf-8")
        return Path(hf_hub_download(str(place), "README.md")).read_text(encoding="utf-8")
    except (OSError, ValueError, HTTPError):
        return ""


def read_examples(card: str, k: int) -> list[tuple[str, str]]:
    """Read the sequences that a card offers to try.

    Args:
        card: Text of the card.
        k: Bases of the shortest.

    Returns:
        Title and sequence of each.
    """
    if not card.startswith("---"):  # which ModelCard would complain of
        return []
    try:
        fields = ModelCard(card, ignore_metadata_errors=True).data.to_dict()
    except (ValueError, yaml.YAMLError):
        return []
    found = []
    for each in fields.get("widget") or []:
        text = each.get("text") if isinstance(each, dict) else None
        if isinstance(text, str) and len(text) >= k and set(text.upper()) <= set("ACGTN"):
            found.append((str(each.get("example_title") or "Example"), text))
    return found
