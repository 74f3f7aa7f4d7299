"""Habits of the original's fine-tuning script that its checkpoints do not carry in weights."""

import re

from dnabert_hf.hub.conversion.weight_names import MULTIMOLECULE, ORIGINAL, Contents

__all__ = ["apply_padding", "apply_task"]

_TOKEN_TYPES = "bert.embeddings.token_type_embeddings.weight"
_PIECE = 512  # tokens of each piece of a long sequence


def apply_task(contents: Contents) -> None:
    """Bring over what `finetuning_task` says of a classifier that the original trained.

    Classes that have no names get those of its tables: "0", "1" and so on. Its pairs ("dnapair")
    were fed without token types, so both types get the embedding of the first.

    Args:
        contents: What the repository holds; changed in place.
    """
    if not _is_finetuned_original(contents):
        return
    names = contents.fields.get("id2label") or {}
    if all(re.fullmatch(r"LABEL_\d+", str(name)) for name in names.values()):
        labels = [str(index) for index in range(len(names))]
        contents.fields["id2label"] = dict(enumerate(labels))
        contents.fields["label2id"] = {label: index for index, label in enumerate(labels)}
        contents.notes.append(f"classes are called {', '.join(labels)}, as in the task's tables")
    if contents.fields["finetuning_task"] == "dnapair":
        first = contents.weights[_TOKEN_TYPES][:1]
        contents.weights[_TOKEN_TYPES] = first.expand_as(contents.weights[_TOKEN_TYPES]).clone()
        contents.notes.append(
            "both sequences of a pair get the first token type: the original's --model_type dna "
            "told no types apart"
        )


def _is_finetuned_original(contents: Contents) -> bool:
    task = str(contents.fields.get("finetuning_task") or "")
    is_classifier = contents.task == "sequence-classification"
    return contents.origin == ORIGINAL and is_classifier and task.startswith("dna")


def apply_padding(contents: Contents, padded_to: int | None, name: str) -> None:
    """Note or reproduce that the original attends to padding, and says nothing of it.

    Its commit 1fcc2cc of 18 June 2021 made `get_extended_attention_mask` return the mask of 0 and 1
    itself, which is added to the scores: padding loses a factor e and no more. What was fine-tuned
    since then has learnt, and was evaluated, with padding up to `--max_seq_length`.

    Args:
        contents: What the repository holds; changed in place.
        padded_to: The `--max_seq_length` of the fine-tuning; None masks padding.
        name: Where it comes from, for errors.

    Raises:
        ValueError: If `padded_to` does not fit the model.
    """
    if padded_to is None:
        if _is_finetuned_original(contents):
            contents.notes.append(
                "padding is masked. If this was fine-tuned with the original's code of 18 June "
                "2021 or later, that attends to padding: convert with --padded-to and the "
                "--max_seq_length of the fine-tuning to get its outputs"
            )
        return
    if contents.task != "sequence-classification" or contents.origin == MULTIMOLECULE:
        raise ValueError(
            f"{name}: padded_to is for classifiers that the original's code fine-tuned, found a "
            f"model of {contents.origin} for {contents.task}; leave it out"
        )
    n_pieces = contents.fields.get("padded_segments")
    if n_pieces is not None:
        if padded_to != n_pieces * _PIECE:
            raise ValueError(
                f"{name}: padded_to must be {n_pieces * _PIECE}, {_PIECE} tokens for each of the "
                f"{n_pieces} pieces of this classifier, got {padded_to}"
            )
        padded_to = _PIECE
    limit = contents.fields.get("max_position_embeddings", _PIECE)
    if not 3 <= padded_to <= limit:
        raise ValueError(f"{name}: padded_to must be from 3 to {limit} tokens, got {padded_to}")
    contents.fields["attended_padding"] = padded_to
    contents.notes.append(
        f"padding up to {padded_to} tokens is attended to, as by the original's code since 18 June "
        "2021"
    )
