"""Attention of every head of every layer, for a few sequences."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Unpack

import numpy as np
import torch

from dnabert_hf.data.reading.sources import Source, open_source
from dnabert_hf.inference.embed import spread_over_bases
from dnabert_hf.inference.engine.checkpoint import as_checkpoint, classifier_or_encoder
from dnabert_hf.inference.engine.engine import Engine, cut_into_windows
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.interpretation.attribution.attention import Query

__all__ = ["Context", "HeadScores", "attention_context", "head_scores"]

# Gets the attention of a layer, (heads, tokens, tokens), queries first, and gives what to keep.
_Reduce = Callable[[torch.Tensor], torch.Tensor]
_QUERIES: dict[str, _Reduce] = {
    "cls": lambda weights: weights[:, 0, 1:-1],
    "kmers": lambda weights: weights[:, 1:-1, 1:-1].mean(dim=1),
}


class HeadScores(NamedTuple):
    """Attention of each head to each base of a sequence.

    Attributes:
        id: Name of the record.
        sequence: Its DNA.
        scores: Float32, shape (heads, bases); their sum over the heads is the score of
            `attention_scores`.
    """

    id: str
    sequence: str
    scores: np.ndarray


class Context(NamedTuple):
    """Attention of the k-mers of a sequence to a site of it.

    Attributes:
        id: Name of the record.
        sequence: Its DNA.
        start: First base of the site, 0-based.
        end: End of the site, exclusive.
        k: Bases per k-mer; k-mer i covers bases [i, i + k).
        attention: What each k-mer pays to the k-mers over the site, summed over these, float32,
            shape (layers, heads, k-mers), from 0 to 1.
    """

    id: str
    sequence: str
    start: int
    end: int
    k: int
    attention: np.ndarray


def head_scores(
    model: Any,
    source: Source,
    *,
    layer: int = -1,
    heads: Sequence[int] | None = None,
    query: Query = "cls",
    **options: Unpack[RunFields],
) -> list[HeadScores]:
    """Score each base for each head: what `attention_scores` sums.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model.
        source: Sequences, or a file of them.
        layer: Layer, 0-based; negative ones count from the last.
        heads: Heads that the scores are summed over, as in `attention_scores`; all heads are given
            in any case, in units of that sum.
        query: Whose attention: of "cls", or the mean of all "kmers".
        **options: tokenizer, columns and device, as in `RunOptions`.

    Returns:
        The scores in the order of the source.

    Raises:
        ValueError: If model, source, layer or heads cannot be used.
    """
    running = RunOptions.of(options, excluded=["dtype", "batch_tokens", "shard", "overwrite"])
    engine, encoder = _open(model, running.tokenizer, running.device)
    n_layers, n_heads = _shape_of(encoder)
    if not -n_layers <= layer < n_layers:
        raise ValueError(f"a layer must be from {-n_layers} to {n_layers - 1}, got {layer}")
    if heads is not None and (not heads or not all(0 <= head < n_heads for head in heads)):
        raise ValueError(f"heads must be from 0 to {n_heads - 1}, got {list(heads)}")
    summed = slice(None) if heads is None else list(heads)
    k, room = engine.tokenizer.k, encoder.config.max_position_embeddings - 2
    found = []
    for record in open_source(source, k=k, columns=running.columns, skip_short=running.skip_short):
        windows = cut_into_windows(record.sequence, k=k, n_kmers=room)
        rows = _run(engine, encoder, [layer], windows, _QUERIES[query])
        of_kmers = np.concatenate([row[0] for row in rows], axis=-1)
        of_bases = spread_over_bases(of_kmers.T, k=k).T
        of_bases /= np.linalg.norm(of_bases[summed].sum(axis=0))
        found.append(HeadScores(record.id, record.sequence, of_bases))
    return found


def attention_context(
    model: Any,
    sequence: str,
    site: tuple[int, int],
    *,
    name: str = "",
    tokenizer: Any = None,
    device: str = "auto",
) -> Context:
    """Find which k-mers attend to a site, for each head of each layer (Ji et al. 2021, Figure 4e).

    The attention of one layer is computed at a time and only what goes to the site is kept: the
    memory beside the forward pass is 4 bytes x heads x tokens^2 (12.6 MB for 12 heads and 512
    tokens), not that times the layers.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model.
        sequence: DNA that fits into the model at once (512 tokens).
        site: First base, 0-based, and end, exclusive. The k-mers inside it stand for it, or, if it
            is shorter than k, those that cover it.
        name: Name of the sequence.
        tokenizer: Tokenizer, needed if `model` is an object.
        device: "auto", "cpu", "cuda", ...

    Raises:
        ValueError: If the model cannot be used, the sequence is too long, or the site is not in it.
    """
    engine, encoder = _open(model, tokenizer, device)
    k, room = engine.tokenizer.k, encoder.config.max_position_embeddings - 2
    (record,) = open_source([sequence], k=k)
    start, end = site
    n_bases, n_kmers = len(record.sequence), len(record.sequence) - k + 1
    if not 0 <= start < end <= n_bases:
        raise ValueError(
            f"a site must lie in its sequence, from 0 to {n_bases}, got {start} to {end}"
        )
    if n_kmers > room:
        raise ValueError(
            f"a sequence must fit into the model at once, {room + k - 1} bases, to be seen in its "
            f"context, found {n_bases}; cut out the part around the site"
        )
    inside_or_over = sorted((start, end - k))
    first, last = max(inside_or_over[0], 0), min(inside_or_over[1], n_kmers - 1)
    columns = slice(1 + first, 1 + last + 1)  # token 0 is [CLS]
    windows = cut_into_windows(record.sequence, k=k, n_kmers=room)
    layers = range(_shape_of(encoder)[0])
    (attention,) = _run(
        engine, encoder, layers, windows, lambda weights: weights[:, 1:-1, columns].sum(dim=-1)
    )
    return Context(name, record.sequence, start, end, k, attention)


def _open(model: Any, tokenizer: Any, device: str) -> tuple[Engine, Any]:
    checkpoint = as_checkpoint(model, tokenizer, task=classifier_or_encoder(model))
    engine = Engine(checkpoint, device=device, dtype="float32", batch_tokens=1)  # a row at a time
    return engine, getattr(engine.model, "bert", engine.model)


def _shape_of(encoder: Any) -> tuple[int, int]:
    return encoder.config.num_hidden_layers, encoder.config.num_attention_heads


def _run(
    engine: Engine, encoder: Any, layers: Sequence[int], windows: Sequence[Any], reduce: _Reduce
) -> list[np.ndarray]:
    """Give for each window what is kept of each layer, shape (layers, ...)."""

    def compute(_model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        with _watch([encoder.encoder.layer[i].attention.self for i in layers], reduce) as kept:
            encoder(**inputs)
        return torch.stack(kept)[None]

    return engine.run(windows, compute)


@contextmanager
def _watch(modules: Sequence[Any], reduce: _Reduce) -> Iterator[list[torch.Tensor]]:
    """Compute the attention of modules from what goes into them, while the fast kernel runs."""
    kept: list[torch.Tensor] = []

    def compute(module: Any, inputs: tuple[Any, ...], _output: Any) -> None:
        # Shape (heads, tokens, size): the one row of the batch.
        query, key = (
            linear(inputs[0])[0].unflatten(-1, (-1, module.attention_head_size)).transpose(0, 1)
            for linear in (module.query, module.key)
        )
        kept.append(reduce((query @ key.transpose(1, 2) * module.scaling).softmax(dim=-1)))

    handles = [module.register_forward_hook(compute) for module in modules]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()
