"""The head of a model card, which the Hub reads: task, tags, licence, origin, scores, examples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData

__all__ = ["card_metadata", "describe_start", "is_on_the_hub", "read_origin"]

# What the page of a model offers to try. The first is the head of an Alu repeat, the commonest
# sequence of the human genome, with one base masked.
_EXAMPLES = {
    "fill-mask": {
        "example_title": "A masked base in an Alu repeat",
        "text": "GGCCGGGCGCGGTGGCTCACGCCTGTAATCCC[MASK]GCACTTTGGGAGGCCGAGGCGGGCGGATCACGAG",
    },
    "text-classification": {
        "example_title": "TATA box and initiator",
        "text": "GGGCTATAAAAGGGGGTGGGGGCGCGTTCGTCCTCACTCTCTTCCGCATC",
    },
}


def card_metadata(
    pipeline_tag: str,
    *,
    name: str,
    tags: Sequence[str],
    results: Sequence[EvalResult] = (),
    library: str | None = "transformers",
    **known: Any,
) -> str:
    """Write the metadata of a model card, between whose `---` lines it goes.

    Args:
        pipeline_tag: Task, as the Hub calls it.
        name: Name of the model, under which its scores are listed.
        tags: Tags beside "dna" and "genomics".
        results: Scores of the model.
        library: What loads it, as the Hub calls it.
        **known: Fields of `huggingface_hub.ModelCardData` as far as they are known, such as
            `license`, `datasets` and `base_model`; None is left out.

    Returns:
        YAML, without a line end behind.

    Example:
        >>> print(card_metadata("token-classification", name="tss", tags=["dnabert"]))
        library_name: transformers
        pipeline_tag: token-classification
        tags:
        - dna
        - genomics
        - dnabert
    """
    if pipeline_tag in _EXAMPLES:
        known.setdefault("widget", [dict(_EXAMPLES[pipeline_tag])])
    metadata = ModelCardData(
        library_name=library,
        pipeline_tag=pipeline_tag,
        tags=["dna", "genomics", *tags],
        model_name=name if results else None,
        eval_results=list(results) or None,
        **known,
    )
    return metadata.to_yaml()


def is_on_the_hub(model: str) -> bool:
    """Whether a model was named as a repository of the Hub, and not as a folder.

    Example:
        >>> is_on_the_hub("zhihan1996/DNA_bert_6"), is_on_the_hub("./peaks-model")
        (True, False)
    """
    is_path = model.startswith((".", "/", "~")) or Path(model).exists()
    return model.count("/") == 1 and not is_path


def read_origin(model: str | Path) -> dict[str, Any]:
    """Read what a model that is trained from another inherits: licence and repository.

    Args:
        model: Folder or Hub repository that training began from. Of a folder, the card is read; a
            repository is not asked.

    Returns:
        `base_model` and `license`, as the Hub's metadata have them, as far as they are known.
    """
    if is_on_the_hub(str(model)):
        return {"base_model": str(model)}
    try:
        text = (Path(model) / "README.md").read_text(encoding="utf-8")
        fields = ModelCard(text, ignore_metadata_errors=True).data.to_dict()
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return {name: fields[name] for name in ("base_model", "license") if fields.get(name)}


def describe_start(model: str) -> str:
    """Name what a training began from, without the path of a folder.

    Example:
        >>> describe_start("random"), describe_start("/data/models/dnabert-6")
        ('random weights', '`dnabert-6`')
    """
    if model == "random":
        return "random weights"
    return f"`{model if is_on_the_hub(model) else Path(model).name}`"
