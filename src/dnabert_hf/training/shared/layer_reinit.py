"""Fine-tuning from the lower layers of a checkpoint alone."""

from typing import Any

import torch
from torch import nn

__all__ = ["check_layers", "reinitialise_top_layers"]

_STANDARD_DEVIATION = 0.02  # BERT's, whatever pretraining started from


def check_layers(
    n_layers: int, config: Any, *, starts_from_checkpoint: bool, trains_encoder: bool
) -> None:
    """Refuse a number of layers that cannot be re-initialised.

    Args:
        n_layers: Layers to re-initialise, counted from the top.
        config: Configuration of the model.
        starts_from_checkpoint: Whether there is anything but random weights.
        trains_encoder: Whether all weights are trained.

    Raises:
        ValueError: If the model has fewer layers, is random all over, or its encoder stays as it
            is.
    """
    if n_layers == 0:
        return
    if not starts_from_checkpoint:
        raise ValueError(
            f"layers can be re-initialised where training starts from a checkpoint, got random "
            f"weights and {n_layers} layers; leave reinitialise_layers (--reinitialise-layers) out"
        )
    if not trains_encoder:
        raise ValueError(
            f"layers that are re-initialised must be trained, got {n_layers} of them with a frozen "
            "encoder or adapters; leave out either"
        )
    if not 0 <= n_layers <= config.num_hidden_layers:
        raise ValueError(
            f"the layers to re-initialise must be from 0 to {config.num_hidden_layers}, the layers "
            f"of the model, got {n_layers}"
        )


@torch.no_grad()
def reinitialise_top_layers(model: Any, n_layers: int) -> None:
    """Re-initialise the last layers of an encoder with random weights.

    The top layers of a masked language model serve its own task, and few labels do not bring them
    off it; from random weights above the lower layers, fine-tuning learns faster and better
    (Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning", arXiv 2006.05987).

    Args:
        model: DNABERT classifier, changed in place.
        n_layers: Layers to re-initialise, counted from the top.
    """
    layers = model.bert.encoder.layer
    for layer in layers[len(layers) - n_layers :]:
        for module in layer.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=_STANDARD_DEVIATION)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
