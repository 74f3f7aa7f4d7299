"""Model cards of converted checkpoints: use, origin, what the conversion found, limits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard

from dnabert_hf.cards.metadata import card_metadata, is_on_the_hub
from dnabert_hf.cards.render import fill_template

__all__ = [
    "ORIGINAL",
    "OURS",
    "PIPELINE_TAGS",
    "SourceCard",
    "conversion_card",
    "published_original",
    "read_source_card",
]

# Who wrote a source.
ORIGINAL = "original DNABERT"
OURS = "dnabert-hf"

# Fields of a source's metadata that are true of the converted model too.
_KEPT = ("license", "license_name", "license_link", "datasets", "language", "base_model")
PIPELINE_TAGS = {
    "encoder": "feature-extraction",
    "masked-lm": "fill-mask",
    "sequence-classification": "text-classification",
    "token-classification": "token-classification",
}
_KINDS = {
    "encoder": "encoder",
    "masked-lm": "masked language model",
    "sequence-classification": "classifier of sequences ({})",
    "token-classification": "classifier of k-mers ({})",
}
_OWN_SECTIONS = ("Conversion", "Citation", "Use")
# Names that the authors of DNABERT gave their checkpoints, on the Hub and as archives.
_PUBLISHED = re.compile(r"(?:.*/)?(?:DNA_bert_([3-6])|([3-6])-new-12w-0(?:\.zip)?)/?")


@dataclass(frozen=True)
class SourceCard:
    """Facts on the card of a source that hold for the converted model.

    Attributes:
        metadata: Fields of its metadata: licence, data, origin.
        results: Its scores, as `huggingface_hub.EvalResult`.
        sections: Its sections, without code, if this package wrote it.
    """

    metadata: Mapping[str, Any]
    results: tuple[Any, ...] = ()
    sections: str = ""


def published_original(source: str, k: int) -> str | None:
    """Give the repository of one of the authors' four checkpoints, if a source is named like it.

    Example:
        >>> published_original("downloads/6-new-12w-0.zip", 6)
        'zhihan1996/DNA_bert_6'
    """
    match = _PUBLISHED.fullmatch(source)
    is_published = match is not None and (match[1] or match[2]) == str(k)
    return f"zhihan1996/DNA_bert_{k}" if is_published else None


def read_source_card(folder: Path, origin: str) -> SourceCard:
    """Read the card of a source as far as it can be read; an empty one if there is none.

    Args:
        folder: Folder of the source.
        origin: Who wrote it, as in `Contents`.
    """
    try:
        card = ModelCard(
            (folder / "README.md").read_text(encoding="utf-8"), ignore_metadata_errors=True
        )
        fields = card.data.to_dict()
    except (OSError, ValueError, yaml.YAMLError):
        return SourceCard({})
    known = {key: fields[key] for key in _KEPT if fields.get(key)}
    if origin != OURS:
        return SourceCard(known)
    # Code and pictures name what is not in the new folder.
    text = re.sub(r"^```.*?^```\n", "", card.text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^!\[.*\n", "", text, flags=re.MULTILINE)
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    kept = [section.strip() for section in sections if section.split()[1] not in _OWN_SECTIONS]
    return SourceCard(
        known, tuple(getattr(card.data, "eval_results", None) or ()), "\n\n".join(kept)
    )


def conversion_card(
    conversion: Any,
    config: Any,
    *,
    source: str,
    task: str,
    card: SourceCard,
    stock: bool,
) -> str:
    """Write the model card of a converted checkpoint.

    Args:
        conversion: What `dnabert_hf.convert` found and did.
        config: Configuration of the model.
        source: What was converted: a folder, an archive, or a repository of the Hub.
        task: What the model is for, as in `Contents`.
        card: What the source's card says.
        stock: Whether it is a repository of stock BERT.

    Returns:
        Content of the repository's README.md.
    """
    name = conversion.folder.resolve().name
    published = None
    if conversion.origin == ORIGINAL and task == "masked-lm":
        published = published_original(source, conversion.k)
    known = dict(card.metadata)
    if published is not None:
        known |= {"base_model": published, "license": known.get("license", "apache-2.0")}
    elif is_on_the_hub(source):
        known["base_model"] = source
    labels = ", ".join(f"`{label}`" for label in (config.id2label or {}).values())
    return fill_template(
        "converted",
        metadata=card_metadata(
            PIPELINE_TAGS[task],
            name=name,
            tags=["dnabert", *(["bert"] if stock else [])],
            results=card.results,
            **known,
        ),
        name=name,
        kind=_KINDS[task].format(labels),
        k=conversion.k,
        layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
        parameters=conversion.n_parameters,
        limit=config.max_position_embeddings - 2,
        task=task,
        loaded=f'"{name}"' if stock else f'"{name}", trust_remote_code=True',
        stock=stock,
        source=source if is_on_the_hub(source) else Path(source).name,
        facts=_facts(conversion),
        sections=card.sections,
        published=published,
        is_own=conversion.origin == OURS,
        origin=conversion.origin,
    )


def _facts(conversion: Any) -> list[list[str]]:
    left_out = ("source", "model", "written")
    rows = [line.split("\t", 1) for line in conversion.lines()]
    return [row for row in rows if row[0] not in left_out]
