"""Names of weights and fields as others write them, and as DNABERT's models do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from dnabert_hf.cards.converted import ORIGINAL, OURS

__all__ = ["MULTIMOLECULE", "ORIGINAL", "OURS", "Contents", "name_contents"]

MULTIMOLECULE = "multimolecule"

_EMBEDDINGS = "bert.embeddings.word_embeddings.weight"
# Old files call the parameters of a layer norm gamma and beta.
_OLD_NAMES = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))
_MULTIMOLECULE_NAMES = (
    (r"^model\.", "bert."),
    (r"^lm_head\.bias", "cls.predictions.bias"),
    (r"^lm_head\.", "cls.predictions."),
    (r"^(?:sequence|token)_head\.decoder\.", "classifier."),
    (r"\.layer_norm\.", ".LayerNorm."),
)
_MULTIMOLECULE_FIELDS = {
    "hidden_dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
}
_MULTIMOLECULE_ONLY = (
    *("head", "lm_head", "null_token_id", "unk_token_id", "mask_token_id", "bos_token_id"),
    *("eos_token_id", "position_embedding_type", "id2label", "label2id", "num_labels"),
)
_MULTIMOLECULE_PROBLEMS = {
    "regression": "regression",
    "multiclass": "single_label_classification",
    "multilabel": "multi_label_classification",
    "binary": "multi_label_classification",  # one logit for a sigmoid
}


@dataclass
class Contents:
    """A repository's weights and configuration, by the names of this package.

    Attributes:
        origin: Who wrote it: `ORIGINAL`, `MULTIMOLECULE` or `OURS`.
        task: What its model is for, as in `dnabert_hf.inference.engine.checkpoint.MODEL_CLASSES`.
        fields: Fields of the configuration.
        weights: Tensors by name; those of the encoder begin with "bert.".
        notes: What a user should know of the conversion, a sentence each.
    """

    origin: str
    task: str
    fields: dict[str, Any]
    weights: dict[str, torch.Tensor]
    notes: list[str] = field(default_factory=list)


def name_contents(
    fields: Mapping[str, Any], weights: Mapping[str, torch.Tensor], name: str
) -> Contents:
    """Find out who wrote a repository and for what, and rename what it holds.

    The heads for long sequences of the original (Ji et al. 2021) become `segment_pooling`:
    `rnn`, the final states of which are summed, "lstm" or "gru"; `classifier1`, over the pooled
    outputs side by side, "concat".

    Args:
        fields: Fields of config.json.
        weights: Tensors by their names in the files.
        name: Folder or repository, for errors.

    Raises:
        ValueError: If a head has no counterpart here.
    """
    weights = {key: value for key, value in weights.items() if not key.endswith("position_ids")}
    if any(".layer_norm." in key for key in weights):
        contents = _from_multimolecule(fields, weights, name)
    else:
        origin = OURS if fields.get("model_type") == "dnabert" else ORIGINAL
        contents = Contents(origin, "encoder", dict(fields), _rename(weights, _OLD_NAMES))
    contents.weights = {
        # An encoder that was saved alone has no prefix.
        re.sub(r"^(embeddings|encoder|pooler)\.", r"bert.\1.", key): value
        for key, value in contents.weights.items()
    }
    if _EMBEDDINGS not in contents.weights:
        raise ValueError(
            f"{name} must have the weights of BERT, but {_EMBEDDINGS} is not among them, "
            f"{', '.join(sorted(weights)[:3])} are: they are of another architecture; use a "
            "DNABERT checkpoint"
        )
    _name_head(contents, name)
    return contents


def _rename(
    weights: Mapping[str, torch.Tensor], names: tuple[tuple[str, str], ...]
) -> dict[str, torch.Tensor]:
    renamed = {}
    for key, value in weights.items():
        for pattern, replacement in names:
            key = re.sub(pattern, replacement, key)
        renamed[key] = value
    return renamed


def _from_multimolecule(
    fields: Mapping[str, Any], weights: Mapping[str, torch.Tensor], name: str
) -> Contents:
    positions = fields.get("position_embedding_type", "absolute")
    head = fields.get("head") or {}
    if positions != "absolute" or head.get("act") is not None:
        raise ValueError(
            f"{name}: a model of multimolecule must have absolute positions and no activation "
            f"behind its head, found positions {positions!r} and activation {head.get('act')!r}; "
            "DNABERT has neither: train the head anew with `dnabert finetune`"
        )
    own = {_MULTIMOLECULE_FIELDS.get(key, key): value for key, value in fields.items()}
    problem = head.get("problem_type") or own.pop("problem_type", None)
    for key in (*_MULTIMOLECULE_ONLY, "problem_type"):
        own.pop(key, None)
    if problem is not None:
        own["problem_type"] = _MULTIMOLECULE_PROBLEMS.get(problem, problem)
    own["vocab_size"] = int(fields["vocab_size"]) - 1  # <null> goes
    if any(key.startswith("token_head.") for key in weights):
        own["architectures"] = ["DNABertForTokenClassification"]
    return Contents(MULTIMOLECULE, "encoder", own, _rename(weights, _MULTIMOLECULE_NAMES))


def _name_head(contents: Contents, name: str) -> None:
    """Find the task by the weights, and give the head our names and fields."""
    weights = contents.weights
    if any(key.startswith("cls.predictions.") for key in weights):
        contents.task = "masked-lm"
        return
    architectures = contents.fields.get("architectures") or [""]
    if "rnn.weight_ih_l0" in weights:
        last = _name_recurrent(contents, name)
    elif "classifier1.weight" in weights:
        last = _name_concatenating(contents)
    else:
        heads = [key for key in weights if re.fullmatch(r"classifier\.(\w+\.)?weight", key)]
        if not heads:
            return
        last = max(heads)
    is_of_tokens = "ForTokenClassification" in architectures[0]
    contents.task = "token-classification" if is_of_tokens else "sequence-classification"
    n_labels = len(contents.weights[last])
    if len(contents.fields.get("id2label") or ()) != n_labels:
        # Old versions of transformers let num_labels and id2label fall apart.
        labels = [f"LABEL_{i}" for i in range(n_labels)]
        contents.fields["id2label"] = dict(enumerate(labels))
        contents.fields["label2id"] = {label: i for i, label in enumerate(labels)}
        contents.fields.pop("num_labels", None)
        if not contents.fields.get("finetuning_task"):
            contents.notes.append(
                f"the config did not name the {n_labels} outputs: they are called "
                f"{', '.join(labels)}"
            )


def _name_recurrent(contents: Contents, name: str) -> str:
    """Rename the head of "dnalong"."""
    weights = contents.weights
    hidden = weights["rnn.weight_hh_l0"].shape[1]
    kind = {4: "lstm", 3: "gru"}.get(len(weights["rnn.weight_ih_l0"]) // hidden)
    if kind is None or "rnn.weight_ih_l0_reverse" not in weights:
        raise ValueError(
            f"{name}: the rnn of a head must be a bidirectional LSTM or GRU, found weights "
            f"{', '.join(sorted(key for key in weights if key.startswith('rnn.weight')))}; train "
            "the head anew with `dnabert finetune`"
        )
    n_layers = sum(1 for key in weights if re.fullmatch(r"rnn\.weight_ih_l\d+", key))
    n_pieces = contents.fields.get("split") or contents.fields.get("padded_segments")
    contents.fields |= {
        "segment_pooling": kind,
        "num_segment_rnn_layers": n_layers,
        "padded_segments": n_pieces,
    }
    contents.weights = _rename(
        weights,
        ((r"^rnn\.", "classifier.rnn."), (r"^classifier\.(\w+)$", r"classifier.out_proj.\1")),
    )
    if n_pieces is None:
        contents.notes.append(
            "the config does not say how many pieces there were (split): to short sequences the "
            "original adds pieces of padding, which have no part here"
        )
    return "classifier.out_proj.weight"


def _name_concatenating(contents: Contents) -> str:
    """Rename the head of "dnalongcat"."""
    first = contents.weights["classifier1.weight"]
    n_segments = first.shape[1] // first.shape[0]
    contents.fields |= {
        "segment_pooling": "concat",
        "num_segments": n_segments,
        "padded_segments": n_segments,
    }
    contents.weights = _rename(
        contents.weights,
        ((r"^classifier1\.", "classifier.0."), (r"^classifier2\.", "classifier.3.")),
    )
    return "classifier.3.weight"
