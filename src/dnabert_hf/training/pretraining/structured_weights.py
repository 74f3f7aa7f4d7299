"""Starting weights that know what a k-mer is and where its neighbours stand."""

import itertools
import math
from typing import Any, cast

import torch

from dnabert_hf.modeling.configuration_dnabert import N_SPECIAL_TOKENS
from dnabert_hf.modeling.modeling_dnabert import DNABertForMaskedLM

__all__ = ["extend_positions", "initialise_structured"]

_NOISE = 0.25  # of a k-mer's own part, relative to the sum of its bases
_KEPT = 0.3  # share of BERT's random queries and keys that stays
_RIDGE = 1e-3  # of the fit of positions, in units of a sinusoid's mean square
_PEAK = 16.0  # attention score of the token that a head looks at
_FREQUENCIES = (2.5, 0.01)  # radians a token: from neighbours to the whole sequence
# Tokens away at which the heads of a layer look, in turn. The k-mers that cover a masked base lie
# within k tokens of each other: two layers bring the visible ones next to any hidden one.
_OFFSETS = ((-1, 1, -3, 3), (-2, 2, -6, 6), (-1, 1, -4, 4), (-2, 2, -5, 5))


@torch.no_grad()
def initialise_structured(model: DNABertForMaskedLM) -> None:
    """Replace BERT's random embeddings and attention by a start that k-mers call for.

    Random weights need millions of tokens to find out that neighbouring k-mers share bases, which
    is most of what the loss of a masked k-mer is about. Here, the embedding of a k-mer begins as
    the sum of one random vector for each of its bases and their place in it; positions begin as
    sinusoids in dimensions of their own (as many as a head has); and each head begins by looking at
    the token a fixed number of places away. Everything remains free to change in training. On the
    mini model, the perplexity of a masked k-mer after 0.9 million tokens is 306 in place of 3,213
    (see benchmarks/results/pretraining.md).

    Attention to fixed offsets from sinusoids is that of Vaswani et al. 2017 (section 3.5); starting
    from weights as trained models have them follows Trockman and Kolter 2023 (arXiv 2305.09828).

    Args:
        model: Model to change in place; draws from torch's random state.

    Raises:
        ValueError: If a head has an odd number of dimensions or is all that the model has.
    """
    config = model.config
    width = config.hidden_size // config.num_attention_heads
    if width % 2 or width >= config.hidden_size:
        raise ValueError(
            "structured weights need two heads or more, of an even number of dimensions; got "
            f"{config.num_attention_heads} of {width}"
        )
    embeddings = model.bert.embeddings
    scale = config.initializer_range
    words, positions = embeddings.word_embeddings.weight, embeddings.position_embeddings.weight
    words[:, width:] = scale * torch.randn_like(words[:, width:])
    words[:, :width] = 0
    kmers = _kmer_vectors(cast(int, config.k), words.shape[1] - width)
    words[N_SPECIAL_TOKENS : N_SPECIAL_TOKENS + len(kmers), width:] = scale * kmers
    embeddings.token_type_embeddings.weight.zero_()

    frequencies = _frequencies(width)
    positions.zero_()
    positions[:, :width] = scale * math.sqrt(2) * _sinusoids(len(positions), frequencies)

    layers: Any = model.bert.encoder.layer
    for layer, offsets in zip(layers, itertools.cycle(_OFFSETS), strict=False):
        attention = layer.attention.self
        for head, offset in zip(
            range(config.num_attention_heads), itertools.cycle(offsets), strict=False
        ):
            rows = slice(head * width, (head + 1) * width)
            # After LayerNorm a sine and its cosine have squares that sum to 2; scores are divided
            # by the square root of the width.
            gain = math.sqrt(_PEAK * math.sqrt(width) / (width // 2) / 2)
            attention.query.weight[rows] *= _KEPT
            attention.query.weight[rows, :width] += gain * _rotation(offset * frequencies)
            attention.key.weight[rows] *= _KEPT
            attention.key.weight[rows, :width] += gain * torch.eye(width)


@torch.no_grad()
def extend_positions(model: DNABertForMaskedLM, n_trained: int) -> None:
    """Carry the positions of a model that was trained on short segments on to longer ones.

    Positions that no segment reached still have their first values, which means nothing to weights
    that have moved on. Here they are continued from the trained ones: a linear map from sinusoids
    to the trained embeddings (least squares) is applied to the positions beyond. Only sinusoids
    with three periods or more among the trained positions take part, for slower ones cannot be
    told from a trend. For the mini model trained on 126 k-mers, the loss of 510 k-mers fell from
    6.8 to 1.6 nats before any further step (1.4 on 126 k-mers).

    Args:
        model: Model that began with structured weights, changed in place.
        n_trained: K-mers of the longest segments that it was trained on.

    Raises:
        ValueError: If there are fewer trained positions than the map needs.
    """
    config = model.config
    positions = model.bert.embeddings.position_embeddings.weight
    # [CLS] stands on the first position and [SEP] alone on the one after the longest segment.
    first, last = 1, n_trained + 1
    frequencies = _frequencies(config.hidden_size // config.num_attention_heads)
    frequencies = frequencies[frequencies * (last - first) >= 3 * 2 * math.pi]
    features = torch.cat(
        [_sinusoids(len(positions), frequencies), torch.ones(len(positions), 1)], dim=1
    )
    if features.shape[1] > n_trained:
        raise ValueError(
            f"positions can be carried on from {features.shape[1]} trained ones or more, got "
            f"{n_trained}; train on longer segments"
        )
    trained = features[first:last].double()
    products = trained.T @ trained + _RIDGE * len(trained) * torch.eye(trained.shape[1])
    fitted = torch.linalg.solve(products, trained.T @ positions[first:last].double())
    positions[last:] = (features[last:].double() @ fitted).to(positions.dtype)


def _frequencies(width: int) -> torch.Tensor:
    fastest, slowest = _FREQUENCIES
    return torch.logspace(math.log10(fastest), math.log10(slowest), width // 2)


def _sinusoids(n_positions: int, frequencies: torch.Tensor) -> torch.Tensor:
    """Sine and cosine in turn, shape (positions, 2 frequencies)."""
    angles = torch.arange(n_positions)[:, None] * frequencies
    return torch.stack([torch.sin(angles), torch.cos(angles)], dim=-1).flatten(1)


def _kmer_vectors(k: int, width: int) -> torch.Tensor:
    """Draw a vector for each k-mer from its bases, shape (4**k, width), variance about 1."""
    bases = torch.randn(k, 4, width)
    bases -= bases.mean(dim=1, keepdim=True)
    kmer = torch.arange(4**k)
    digits = [kmer // 4 ** (k - 1 - place) % 4 for place in range(k)]
    total = sum(bases[place, digit] for place, digit in enumerate(digits))
    return total / math.sqrt(k) + _NOISE * torch.randn(4**k, width)


def _rotation(angles: torch.Tensor) -> torch.Tensor:
    """Matrix that adds an angle to each pair of sine and cosine, shape (2 n, 2 n)."""
    blocks = torch.stack(
        [
            torch.stack([torch.cos(angles), torch.sin(angles)], dim=-1),
            torch.stack([-torch.sin(angles), torch.cos(angles)], dim=-1),
        ],
        dim=-2,
    )
    return torch.block_diag(*blocks)
