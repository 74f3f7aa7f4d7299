"""LoRA: train a few weights beside the frozen ones, then add them up."""

from typing import Any

from torch import nn

from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
)

__all__ = ["add_lora", "merge_lora"]

_TARGETS = ["query", "value"]  # as Hu et al. 2021 found best for a given number of weights
# No pretraining trains these: they learn as a whole.
_WHOLE = ["pooler", "classifier"]


def add_lora(classifier: nn.Module, rank: int) -> Any:
    """Freeze a classifier but for its pooler and head, and add low-rank adapters to its attention.

    The adapters stand beside the query and value projections of every layer (Hu et al. 2021), at a
    scale of 2.

    Args:
        classifier: A DNABertForSequenceClassification or DNABertForTokenClassification, which
            becomes part of the result.
        rank: Rank of the adapters, 1 or more.

    Returns:
        A `peft.PeftModel`, to be trained in place of the classifier.

    Raises:
        ImportError: If peft is not installed.
        ValueError: If the rank is below 1 or the model is not DNABERT's.
    """
    if rank < 1:
        raise ValueError(f"the rank of LoRA must be 1 or more, got {rank}")
    is_per_base = isinstance(classifier, DNABertForTokenClassification)
    if not is_per_base and not isinstance(classifier, DNABertForSequenceClassification):
        raise ValueError(
            f"LoRA must have a DNABERT to adapt, got {type(classifier).__name__}; leave it out"
        )
    try:
        import peft
    except ImportError as error:
        raise ImportError(
            "LoRA needs the package peft, which is not installed; install it with "
            "`pip install 'dnabert-hf[peft]'`"
        ) from error
    settings = peft.LoraConfig(
        task_type="TOKEN_CLS" if is_per_base else "SEQ_CLS",
        r=rank,
        lora_alpha=2 * rank,
        target_modules=_TARGETS,
        modules_to_save=_WHOLE[1:] if is_per_base else _WHOLE,
    )
    return peft.get_peft_model(classifier, settings)


def merge_lora(model: Any) -> DNABertForSequenceClassification:
    """Add the adapters to the weights they stand beside: an ordinary classifier again.

    Args:
        model: What `add_lora` returned, trained.

    Returns:
        The classifier, with the logits that the adapted one had.
    """
    merged: DNABertForSequenceClassification = model.merge_and_unload()
    merged.requires_grad_(True)
    return merged
