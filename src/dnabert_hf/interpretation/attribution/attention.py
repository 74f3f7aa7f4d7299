"""Attention scores: how much a model attends to each base."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, Unpack, get_args

import numpy as np
import torch

from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.inference.embed import spread_over_bases
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.layers import pooled_of
from dnabert_hf.inference.output.writer import WrittenResults
from dnabert_hf.inference.predict import Classifier
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.interpretation.attribution.scores import (
    BaseScores,
    cut_records,
    score_source,
    start_scoring,
)

__all__ = ["BaseScores", "Query", "attention_scores", "pooled_query"]

logger = logging.getLogger(__name__)

Query = Literal["cls", "kmers"]

_CHUNK_BASES = 1 << 20


def attention_scores(
    model: Any,
    source: Source,
    *,
    output: str | Path | None = None,
    layer: int | Sequence[int] = -1,
    heads: Sequence[int] | None = None,
    query: Query | None = None,
    rollout: bool = False,
    also: Sequence[str | Path] = (),
    genome: Genome | None = None,
    **options: Unpack[RunFields],
) -> list[BaseScores] | WrittenResults:
    """Score each base by the attention that [CLS] pays to the k-mers over it.

    As in DNABERT-viz (Ji et al. 2021): attention of the last layer with [CLS] as the query, summed
    over the heads, one value a k-mer; a base gets the mean over the k-mers that cover it, and the
    scores of a sequence are divided by their Euclidean norm. Only that one row of the attention is
    computed beside the fast kernel of the forward pass, so that memory grows with the length, not
    its square. Sequences beyond the model's limit are cut as its classifier cuts them, each piece
    with a [CLS] of its own, and joined.

    A model with `token_pooling="mean"` does not read [CLS] of the last layer: the queries are then
    all k-mers, and their mean is taken.

    Rollout (Abnar and Zuidema 2020) follows the attention down through all layers: in each, half of
    a token is itself and half the mean of the heads. It begins with what the model pools, [CLS] or
    the k-mers. For a batch it keeps the queries and keys of all layers, and the attention of one
    head of one layer at a time, (rows, tokens, tokens); `query="kmers"` does so for its layers.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model. Without a classifier,
            scores come without probabilities.
        source: FASTA, FASTQ, table or k-mer text ("-" is standard input), or sequences; with a
            genome also a BED or narrowPeak file, told by its name.
        output: File to write: Parquet (id, sequence, scores and, with a classifier, the probability
            of each class), .npz (`NpzFormat`), or, if coordinates are known, a track: .bedgraph,
            .bw, .bigwig. None gives a list back.
        layer: Layer, 0-based, or several that are summed; negative ones count from the last.
        heads: Heads to sum over, 0-based; None takes all.
        query: Whose attention: of "cls", or the mean of all "kmers"; None takes what the model
            pools.
        rollout: Whether to follow the attention through all layers and heads.
        also: Checkpoints to sum with, such as those of other k, as DNABERT-viz sums k = 3 to 6: the
            scores of each, which have the norm 1, are added up and divided by the norm of the sum,
            and probabilities are averaged. They must have the same classes; layers and heads are
            taken in each.
        genome: Genome that coordinates are of: those of a BED file, or of records with names such
            as chr1:100-400 (0-based, half-open). A bedGraph of such records does without.
        **options: The fields of `RunOptions`.

    Returns:
        The scores in the order of the source, or, with an output, where they are.

    Raises:
        ValueError: If model, source or output cannot be used, there is no such layer or head, or a
            record is a pair.
    """
    if rollout and not (layer == -1 and heads is None and query is None):
        raise ValueError(
            "rollout goes through all layers and heads, got some of them or a query; leave layer, "
            "heads and query out"
        )
    if query is not None and query not in get_args(Query):
        raise ValueError(f"query must be one of {', '.join(get_args(Query))}, got {query!r}")
    layers = [layer] if isinstance(layer, int) else list(layer)
    run, classifier = start_scoring(model, output, RunOptions.of(options))
    for member in also:
        run.start(member, "encoder" if classifier is None else "sequence-classification")
    if classifier is not None:
        Classifier(*run.engines)  # which compares their classes
    scorers = []
    for engine in run.engines:
        of_engine = None if classifier is None else Classifier(engine)
        asked = query or pooled_query(engine.model.config)
        scorers.append(
            _RolloutScorer(engine, of_engine)
            if rollout
            else _Scorer(engine, of_engine, layers=layers, heads=heads, query=asked)
        )
    depends_on = {"layer": layer, "heads": heads, "query": query, "rollout": rollout}
    scorer = scorers[0] if len(scorers) == 1 else _SumScorer(scorers)
    return score_source(run, source, scorer, genome=genome, depends_on=depends_on)


def pooled_query(config: Any) -> Query:
    """Name the queries whose attention reaches a classifier: what it pools in its last layer."""
    return "kmers" if getattr(config, "token_pooling", "cls") == "mean" else "cls"


class _Scorer:
    """Runs records through an engine and reads the attention of [CLS] in some layers."""

    chunk_bases = _CHUNK_BASES
    n_passes = 1

    def __init__(
        self,
        engine: Engine,
        classifier: Classifier | None,
        *,
        layers: Sequence[int],
        heads: Sequence[int] | None,
        query: Query,
    ):
        config = engine.model.config
        n_layers, n_heads = config.num_hidden_layers, config.num_attention_heads
        _check(layers, n_layers, heads, n_heads)
        self.scheme = None if classifier is None else classifier.scheme
        self._engine, self._classifier = engine, classifier
        self._encoder = getattr(engine.model, "bert", engine.model)
        chosen = sorted({layer % n_layers for layer in layers})
        self._layers = [self._encoder.encoder.layer[layer].attention.self for layer in chosen]
        self._heads = list(range(n_heads)) if heads is None else list(heads)
        self._from_kmers = query == "kmers"
        is_unread = config.token_pooling == "mean" and chosen[-1] == n_layers - 1
        if classifier is not None and query == "cls" and is_unread:
            logger.warning(
                "this classifier pools the mean of the k-mers: the attention of [CLS] in its last "
                "layer changes nothing; use that of the k-mers (--query kmers), or use rollout"
            )

    def score(self, records: Sequence[SequenceRecord]) -> Iterator[BaseScores]:
        """Score records that are in memory."""
        k = self._engine.tokenizer.k
        windows, rows, bounds = cut_records(self._engine, records)
        with self._keep_keys() as kept:
            results = self._engine.run(windows, lambda _, inputs: self._compute(inputs, kept))
        width = 0 if self._classifier is None else self._engine.model.config.hidden_size
        probabilities = self._probabilities([result[:width] for result in results], rows.tolist())
        for row, record in enumerate(records):
            of_kmers = [
                results[i][width:][: len(windows[i].sequence) - k + 1]
                for i in range(bounds[row], bounds[row + 1])
            ]
            scores = spread_over_bases(np.concatenate(of_kmers)[:, None], k=k)[:, 0]
            named = None if probabilities is None else probabilities[row]
            yield BaseScores(record.id, record.sequence, scores / np.linalg.norm(scores), named)

    def _compute(
        self, inputs: dict[str, torch.Tensor], kept: dict[tuple[int, str], torch.Tensor]
    ) -> torch.Tensor:
        """Give for each row what is pooled, and behind it the scores of its tokens from 1 on."""
        if self._from_kmers:
            pooled = self._encoder(**inputs, return_dict=True).pooler_output
        else:  # of the last layer only [CLS] is looked at
            pooled = pooled_of(self._encoder, inputs)
        scores = self._look(inputs, kept)[:, 1:]
        return scores if self._classifier is None else torch.cat([pooled.float(), scores], dim=1)

    def _look(
        self, inputs: dict[str, torch.Tensor], kept: dict[tuple[int, str], torch.Tensor]
    ) -> torch.Tensor:
        """Sum the attention that is wanted over layers and heads, shape (rows, tokens)."""
        shape, device = inputs["input_ids"].shape, inputs["input_ids"].device
        sums = torch.zeros(shape, dtype=torch.float32, device=device)
        share = _of_kmers(inputs) if self._from_kmers else None
        for layer in range(len(self._layers)):
            if share is None:
                sums += self._attention(layer, kept, inputs, slice(1))[:, self._heads, 0].sum(1)
            else:
                for head in self._heads:
                    sums += self._follow(share, layer, kept, inputs, head)
        return sums

    def _follow(
        self,
        share: torch.Tensor,
        layer: int,
        kept: dict[tuple[int, str], torch.Tensor],
        inputs: dict[str, torch.Tensor],
        head: int,
    ) -> torch.Tensor:
        """Give shares of tokens to those that they attend to by a head, shape (rows, tokens)."""
        weights = self._attention(layer, kept, inputs, slice(None), slice(head, head + 1))[:, 0]
        return torch.einsum("rq,rqt->rt", share, weights)

    def _attention(
        self,
        layer: int,
        kept: dict[tuple[int, str], torch.Tensor],
        inputs: dict[str, torch.Tensor],
        queries: slice,
        heads: slice = slice(None),
    ) -> torch.Tensor:
        """Compute attention from what was kept, shape (rows, heads, queries, tokens)."""
        module = self._layers[layer]
        query, key = (
            kept[layer, name].unflatten(-1, (-1, module.attention_head_size))[:, :, heads]
            for name in ("query", "key")  # (rows, tokens, heads, size)
        )
        logits = torch.einsum("rqhs,rths->rhqt", query[:, queries].float(), key.float())
        logits *= module.scaling
        mask = inputs.get("attention_mask")
        if mask is not None:
            logits = logits + self._encoder.attention_bias(mask, logits.dtype)
        return logits.softmax(-1)

    @contextmanager
    def _keep_keys(self) -> Iterator[dict[tuple[int, str], torch.Tensor]]:
        """Keep what query and key of the layers give, while the fast kernel computes."""
        kept: dict[tuple[int, str], torch.Tensor] = {}

        def keep(name: tuple[int, str], _module: Any, _inputs: Any, result: torch.Tensor) -> None:
            kept[name] = result

        hooks = [
            getattr(module, name).register_forward_hook(partial(keep, (layer, name)))
            for layer, module in enumerate(self._layers)
            for name in ("query", "key")
        ]
        try:
            yield kept
        finally:
            for hook in hooks:
                hook.remove()

    def _probabilities(
        self, pooled: Sequence[np.ndarray], rows: Sequence[int]
    ) -> list[dict[str, float]] | None:
        if self._classifier is None:
            return None
        values = self._classifier.from_pooled(self._engine, np.stack(pooled), rows)
        names = self._classifier.scheme.names
        return [dict(zip(names, row, strict=True)) for row in values.tolist()]


class _RolloutScorer(_Scorer):
    """Follows the attention from what is pooled down through all layers."""

    def __init__(self, engine: Engine, classifier: Classifier | None):
        config = engine.model.config
        layers = range(config.num_hidden_layers)
        query = pooled_query(config)
        super().__init__(engine, classifier, layers=layers, heads=None, query=query)

    def _look(
        self, inputs: dict[str, torch.Tensor], kept: dict[tuple[int, str], torch.Tensor]
    ) -> torch.Tensor:
        """Give the share of each token in what is pooled, shape (rows, tokens)."""
        if self._from_kmers:
            share = _of_kmers(inputs)
        else:
            share = torch.zeros_like(inputs["input_ids"], dtype=torch.float32)
            share[:, 0] = 1
        for layer in reversed(range(len(self._layers))):
            of_heads = [self._follow(share, layer, kept, inputs, head) for head in self._heads]
            share = 0.5 * share + 0.5 * torch.stack(of_heads).mean(dim=0)
        return share


class _SumScorer:
    """Sums the scores of several models, and averages their probabilities."""

    chunk_bases = _CHUNK_BASES

    def __init__(self, scorers: Sequence[_Scorer]):
        self.n_passes = len(scorers)
        self.scheme = scorers[0].scheme
        self._scorers = scorers

    def score(self, records: Sequence[SequenceRecord]) -> Iterator[BaseScores]:
        """Score records that are in memory."""
        for members in zip(*(each.score(records) for each in self._scorers), strict=True):
            scores = np.sum([each.scores for each in members], axis=0, dtype=np.float32)
            named = members[0].probabilities
            if named is not None:
                rows = [list((each.probabilities or {}).values()) for each in members]
                named = dict(zip(named, np.mean(rows, axis=0).tolist(), strict=True))
            yield members[0]._replace(scores=scores / np.linalg.norm(scores), probabilities=named)


def _of_kmers(inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Share out 1 among the k-mers of each row, shape (rows, tokens)."""
    ids = inputs["input_ids"]
    share = torch.ones_like(ids, dtype=torch.float32)
    if "attention_mask" in inputs:
        share *= inputs["attention_mask"]
    n_tokens = share.sum(dim=1).long()
    share[:, 0] = 0  # [CLS]
    share.scatter_(1, n_tokens[:, None] - 1, 0.0)  # [SEP]
    return share / share.sum(dim=1, keepdim=True)


def _check(layers: Sequence[int], n_layers: int, heads: Sequence[int] | None, n_heads: int) -> None:
    wrong = [layer for layer in layers if not -n_layers <= layer < n_layers]
    if wrong or not layers:
        raise ValueError(
            f"a layer must be from 0 to {n_layers - 1} (or from -1 to {-n_layers}, from the "
            f"last), got {wrong[0] if wrong else 'none'}"
        )
    wrong = [head for head in heads or () if not 0 <= head < n_heads]
    if wrong or (heads is not None and not heads):
        found = wrong[0] if wrong else "none"
        raise ValueError(f"heads must be from 0 to {n_heads - 1}, got {found}")
