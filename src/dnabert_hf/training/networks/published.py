"""DanQ and Basset, networks over one-hot bases with weights for each position of a sequence."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

__all__ = ["BASSET_LEAST", "DANQ_LEAST", "Basset", "DanQ", "centre"]

_DANQ_POOL = 13
_BASSET_POOL, _BASSET_LAYERS = 3, ((200, 11, 4), (200, 7, 4))  # filters, width, pool
DANQ_LEAST = 26 + _DANQ_POOL - 1  # bases from which on one step is left
BASSET_LEAST = 168


def centre(bases: torch.Tensor, n_bases: torch.Tensor, width: int) -> torch.Tensor:
    """Lay sequences in the middle of a width, with zeros on both sides.

    Args:
        bases: One-hot bases, zero behind the end of each sequence, shape (batch, 4, longest).
        n_bases: Bases of each sequence, shape (batch,).
        width: Positions there are.

    Returns:
        Shape (batch, 4, width).

    Raises:
        ValueError: If a sequence is longer.

    Example:
        >>> ones = torch.tensor([[[1.0, 1, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]]])
        >>> centre(ones, torch.tensor([3]), 6)[0, 0].tolist()
        [0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    if int(n_bases.max()) > width:
        raise ValueError(
            f"sequences must have {width} bases at most, for the network has weights for each "
            f"position and was made for so many (max_length), found {int(n_bases.max())}; cut "
            "them, or train it on sequences as long"
        )
    padded = functional.pad(bases, (0, width - bases.shape[2])) if bases.shape[2] < width else bases
    positions = torch.arange(width, device=bases.device)
    shifts = (width - n_bases) // 2
    # What lies behind the end of a sequence is zero and comes round to the front.
    source = (positions - shifts[:, None]) % width
    return padded[:, :, :width].gather(2, source[:, None].expand(-1, bases.shape[1], -1))


class DanQ(nn.Module):
    """DanQ (Quang and Xie 2016): convolution, maxima, a bidirectional LSTM, a dense layer.

    320 filters of 26 bases, maxima of 13 positions, 320 units in each direction, all steps of them
    to 925 units.

    Args:
        config: A `DNACnnConfig` with the sizes and `max_length`.
        num_labels: Outputs.
    """

    def __init__(self, config: Any, num_labels: int):
        super().__init__()
        self.width: int = config.max_length
        self.pool_width: int = config.pool_width
        self.convolution = nn.Conv1d(4, config.num_filters, config.filter_width)
        n_steps = _steps(self.width, config.filter_width, self.pool_width)
        self.filter_dropout = nn.Dropout(config.filter_dropout)
        self.rnn = nn.LSTM(
            config.num_filters, config.rnn_size, batch_first=True, bidirectional=True
        )
        self.dropout = nn.Dropout(config.dropout)
        self.dense = nn.Linear(n_steps * 2 * config.rnn_size, config.dense_size)
        self.classifier = nn.Linear(config.dense_size, num_labels)

    def forward(self, bases: torch.Tensor) -> torch.Tensor:
        """Give logits (batch, labels) of bases (batch, 4, max_length)."""
        pooled = functional.max_pool1d(torch.relu(self.convolution(bases)), self.pool_width)
        states, _ = self.rnn(self.filter_dropout(pooled).transpose(1, 2))
        hidden = torch.relu(self.dense(self.dropout(states).flatten(1)))
        return torch.as_tensor(self.classifier(hidden))


class Basset(nn.Module):
    """Basset (Kelley et al. 2016): three convolutions and two dense layers, all normalised.

    300 filters of 19 bases, 200 of 11 and 200 of 7, maxima of 3, 4 and 4 positions, twice 1,000
    units with a dropout of 0.3.

    Args:
        config: A `DNACnnConfig` with `max_length`.
        num_labels: Outputs.
    """

    def __init__(self, config: Any, num_labels: int):
        super().__init__()
        self.width: int = config.max_length
        layers: list[nn.Module] = []
        depth, length = 4, self.width
        first = (config.num_filters, config.filter_width, _BASSET_POOL)
        for n_filters, width, pool in (first, *_BASSET_LAYERS):
            layers += [nn.Conv1d(depth, n_filters, width), BatchNorm(n_filters), nn.ReLU()]
            layers.append(nn.MaxPool1d(pool))
            depth, length = n_filters, _steps(length, width, pool)
        layers.append(nn.Flatten())
        n_features = depth * length
        for _ in range(2):
            n_units = config.dense_size
            layers += [nn.Linear(n_features, n_units), BatchNorm(n_units), nn.ReLU()]
            layers.append(nn.Dropout(config.dropout))
            n_features = n_units
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Linear(n_features, num_labels)

    def forward(self, bases: torch.Tensor) -> torch.Tensor:
        """Give logits (batch, labels) of bases (batch, 4, max_length)."""
        return torch.as_tensor(self.classifier(self.layers(bases)))


def _steps(length: int, width: int, pool: int) -> int:
    """Count the maxima of a convolution without padding."""
    n_steps = (length - width + 1) // pool
    if n_steps < 1:
        raise ValueError(
            f"filters of {width} bases and maxima of {pool} positions must fit into the sequence, "
            f"found {length} positions for them; give a larger max_length"
        )
    return n_steps


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that takes a last batch of a single sequence by the running means."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  # torch's name
        """Normalise each channel of (batch, channels) or (batch, channels, positions)."""
        if self.training and len(input) == 1:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)
