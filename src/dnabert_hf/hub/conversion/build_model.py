"""A model from weights by name, with an account of every one of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from dnabert_hf.hub.conversion.weight_names import Contents
from dnabert_hf.inference.engine.checkpoint import MODEL_CLASSES
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig

__all__ = ["BuiltModel", "build_model"]

_POOLER = ("bert.pooler.dense.weight", "bert.pooler.dense.bias")
_WITHOUT_POOLER = ("masked-lm", "token-classification")
_PADDING = "padding_piece"
_NEXT_SENTENCE = "cls.seq_relationship."  # BERT's other task, which DNABERT was not trained for
# Each pair is one parameter of the model.
_TIED = (
    ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    ("cls.predictions.bias", "cls.predictions.decoder.bias"),
)


class BuiltModel(NamedTuple):
    """A model and what became of the weights it was made from.

    Attributes:
        model: The model, in evaluation mode and float32.
        missing: Weights of the model that were not there.
        unexpected: Weights that the model does not have, which were left out.
        reinitialised: Weights of the pooler, if none are kept.
    """

    model: Any
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reinitialised: tuple[str, ...]


def build_model(
    config: DNABertConfig, contents: Contents, weights: Mapping[str, torch.Tensor], name: str
) -> BuiltModel:
    """Make the model of a repository.

    Args:
        config: Its configuration.
        contents: What the repository holds: the task is what counts.
        weights: Tensors by name, in the order of DNABERT's vocabulary.
        name: Where they come from, for errors.

    Raises:
        ValueError: If weights other than the pooler are missing, are not those of the model, are
            of another shape or not finite.
    """
    task, prefix = contents.task, "bert." if contents.task == "encoder" else ""
    has_pooler = task not in _WITHOUT_POOLER and _POOLER[0] in weights
    options = {"add_pooling_layer": has_pooler} if task == "encoder" else {}
    model: Any = MODEL_CLASSES[task](config, **options)
    expected = {f"{prefix}{key}": value for key, value in model.state_dict().items()}
    given = _join_tied(weights, name)
    lacks_padding = _PADDING in expected and _PADDING not in given
    if lacks_padding:
        given[_PADDING] = expected[_PADDING]
    missing = sorted(expected.keys() - given.keys())
    unexpected = sorted(given.keys() - expected.keys())
    no_place = [key for key in unexpected if not _may_go(key, task)]
    if missing or no_place:
        raise ValueError(
            f"{name} must have the weights of {type(model).__name__} with "
            f"{config.num_hidden_layers} layers, but lacks {_list(missing)} and also has "
            f"{_list(no_place)}: they are of another architecture, or the config is of another "
            "model"
        )
    for key, value in expected.items():
        if given[key].shape != value.shape:
            raise ValueError(
                f"{name}: {key} must have the shape {tuple(value.shape)}, as the config says, "
                f"found {tuple(given[key].shape)}; use the config.json that belongs to the weights"
            )
        if not torch.isfinite(given[key]).all():
            raise ValueError(
                f"{name}: {key} must hold finite numbers, found NaN or infinity: training went "
                "wrong, or the file is damaged; use another checkpoint"
            )
    model.load_state_dict({key.removeprefix(prefix): given[key] for key in expected})
    if lacks_padding:
        _pool_padding(model.eval())
    model.config.architectures = [type(model).__name__]
    lacks_pooler = task == "encoder" and not has_pooler
    return BuiltModel(
        model.eval(),
        missing=_POOLER if lacks_pooler else (),
        unexpected=tuple(unexpected),
        reinitialised=_POOLER if lacks_pooler or task in _WITHOUT_POOLER else (),
    )


@torch.no_grad()
def _pool_padding(model: Any) -> None:
    """Compute what the pooler gives for a piece of [PAD] alone, as the original computes it.

    The same number is added to all of its attention's scores, so that padding attends to padding;
    -10000, where padding is masked, leaves them three decimals, and that is kept.
    """
    config = model.config
    ids = torch.full((1, config.max_position_embeddings), config.pad_token_id or 0)
    mask = torch.full((1, 1, *ids.shape), 0.0 if config.attended_padding else -10000.0)
    # Attentions are asked for since the kernel that gives them rounds as the original does.
    outputs = model.bert(ids, attention_mask=mask, output_attentions=True, return_dict=True)
    model.padding_piece.copy_(outputs.pooler_output[0])


def _join_tied(weights: Mapping[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """Give both names of a tied parameter what stands under one of them."""
    joined = dict(weights)
    if not any(key.startswith("cls.predictions.") for key in weights):
        return joined
    for first, second in _TIED:
        if first in joined and second in joined and not torch.equal(joined[first], joined[second]):
            raise ValueError(
                f"{name}: {first} and {second} must be equal, since they are one parameter of "
                "DNABERT, but they differ; use a checkpoint of DNABERT"
            )
        for one, other in ((first, second), (second, first)):
            if one in joined:
                joined.setdefault(other, joined[one])
    return joined


def _may_go(key: str, task: str) -> bool:
    return key.startswith(_NEXT_SENTENCE) or (key in _POOLER and task in _WITHOUT_POOLER)


def _list(keys: list[str]) -> str:
    shown = ", ".join(keys[:3])
    return f"{len(keys)} weights ({shown}{', ...' if len(keys) > 3 else ''})" if keys else "none"
