"""Model cards of exported models: what reads the files, in Python and JavaScript."""

from pathlib import Path
from typing import Any

from dnabert_hf.cards.converted import PIPELINE_TAGS, SourceCard
from dnabert_hf.cards.metadata import card_metadata, is_on_the_hub
from dnabert_hf.cards.render import fill_template

__all__ = ["exported_card"]


def exported_card(done: Any, config: Any, *, source: str, card: SourceCard) -> str:
    """Write the card of an exported model.

    Args:
        done: What `dnabert_hf.export` wrote.
        config: Configuration of the model.
        source: What was exported: a folder, a repository of the Hub, or the class of a model.
        card: What its card says.

    Returns:
        Content of the folder's README.md.
    """
    known = dict(card.metadata)
    if is_on_the_hub(source):
        known["base_model"] = source
    name = done.folder.resolve().name
    is_javascript = not {"onnx", "int8"}.isdisjoint(done.differences)
    has_pipeline = done.task != "encoder" and config.problem_type != "regression"
    return fill_template(
        "exported",
        metadata=card_metadata(
            PIPELINE_TAGS[done.task],
            name=name,
            tags=["dnabert", *done.differences],
            library="transformers.js" if is_javascript else None,
            results=() if done.task == "encoder" else card.results,
            **known,
        ),
        name=name,
        task=done.task,
        k=config.k,
        limit=config.max_position_embeddings - 2,
        formats=list(done.differences),
        lines=[line.split("\t", 1) for line in done.lines()[1:-1]],
        source=source if is_on_the_hub(source) else Path(source).name,
        labels=list((config.id2label or {}).values()),
        problem_type=config.problem_type,
        both_strands=config.both_strands and done.task == "sequence-classification",
        sections=card.sections,
        output="sentence_embedding" if done.task == "encoder" else "logits",
        pipeline=PIPELINE_TAGS[done.task],
        javascript="pipeline" if has_pipeline else "model",
        auto_class="AutoModel" if done.task == "encoder" else "AutoModelForSequenceClassification",
    )
