"""Attention scores: how much a model looks at each base."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from dnabert_hf.data.records import Columns, SequenceRecord
from dnabert_hf.inference.embedding import spread_over_bases
from dnabert_hf.inference.engine import Engine, Window, cut_into_windows
from dnabert_hf.inference.fingerprint import fingerprint_run, fingerprint_weights
from dnabert_hf.inference.formats import ParquetFormat, choose_format
from dnabert_hf.inference.loading import architecture_of, as_checkpoint
from dnabert_hf.inference.prediction import Classifier
from dnabert_hf.inference.results import WrittenResults
from dnabert_hf.inference.sharding import find_shard
from dnabert_hf.inference.sources import Source, iterate_chunks, open_source
from dnabert_hf.inference.writing import check_output, open_output

__all__ = ["AttentionScores", "attention_scores"]

_CHUNK_BASES = 1 << 20


class AttentionScores(NamedTuple):
    """How much a model looks at each base of a sequence.

    Attributes:
        id: Name of the record.
        sequence: Its DNA.
        scores: Score of each base, float32, shape (bases,); their squares sum to 1.
        probabilities: Probability of each class, from the same pass; None without a classifier.
    """

    id: str
    sequence: str
    scores: np.ndarray
    probabilities: dict[str, float] | None


def attention_scores(
    model: Any,
    source: Source,
    *,
    output: str | Path | None = None,
    layer: int = -1,
    heads: Sequence[int] | None = None,
    columns: Columns | None = None,
    tokenizer: Any = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int | None = None,
    shard: str | None = None,
    overwrite: bool = False,
) -> list[AttentionScores] | WrittenResults:
    """Score each base by the attention that [CLS] pays to the k-mers over it.

    As in DNABERT-viz (Ji et al. 2021): attention of the last layer with [CLS] as the query, summed
    over the heads, one value a k-mer; a base gets the mean over the k-mers that cover it, and the
    scores of a sequence are divided by their Euclidean norm. Only that one row of the attention is
    computed beside the fast kernel of the forward pass, so that memory grows with the length, not
    its square. Sequences beyond the model's limit are cut as its classifier cuts them, each piece
    with a [CLS] of its own, and joined.

    Args:
        model: Folder or Hub repository of a checkpoint, or a DNABERT model. Without a classifier,
            scores come without probabilities.
        source: FASTA, FASTQ, table or k-mer text ("-" is standard input), or sequences.
        output: Parquet file to write (id, sequence, scores and, with a classifier, the probability
            of each class); None gives a list back.
        layer: Layer, 0-based; negative ones count from the last.
        heads: Heads to sum over, 0-based; None takes all.
        columns: Names of the columns, for a table.
        tokenizer: Tokenizer, needed if `model` is an object.
        device: "auto", "cpu", "cuda", ...
        dtype: "auto", "float32", "bfloat16", "float16" or "int8".
        batch_tokens: Tokens a batch; by default what suits the device.
        shard: "I/N" does part I (0-based) of N and leaves it beside the output for `join_parts`.
            None does all or, under `torchrun` and `accelerate launch`, what is this process's.
        overwrite: Whether to replace an existing output.

    Returns:
        The scores in the order of the source, or, with an output, where they are.

    Raises:
        ValueError: If model, source or output cannot be used, there is no such layer or head, or a
            record is a pair.
    """
    share = find_shard(shard, output)
    if output is not None:
        check_output(output, overwrite=overwrite)
    is_classifier = architecture_of(model).endswith("ForSequenceClassification")
    task = "sequence-classification" if is_classifier else "encoder"
    checkpoint = as_checkpoint(model, tokenizer, task=task)
    weights = fingerprint_weights(checkpoint.model)
    engine = Engine(checkpoint, device=device, dtype=dtype, batch_tokens=batch_tokens, shard=share)
    scorer = _Scorer(engine, layer, heads, Classifier(engine) if is_classifier else None)
    records = open_source(source, k=checkpoint.tokenizer.k, columns=columns)
    if output is None:
        with engine.progress():
            chunks = iterate_chunks(records, n_bases=_CHUNK_BASES)
            return [scores for chunk in chunks for scores in scorer.score(chunk)]
    result_format = choose_format(Path(output), {".parquet": scorer.parquet_format})
    fingerprint = fingerprint_run(
        engine, checkpoint, source, weights=weights, columns=columns, layer=layer, heads=heads
    )
    with (
        open_output(
            output, result_format, fingerprint=fingerprint, overwrite=overwrite, shard=share
        ) as writer,
        engine.progress(),
    ):
        for chunk in writer.remaining(iterate_chunks(records, n_bases=_CHUNK_BASES)):
            writer.write(
                [
                    [each.id, each.sequence, each.scores, *(each.probabilities or {}).values()]
                    for each in scorer.score(chunk)
                ]
            )
    return WrittenResults(Path(output), writer.n_written)


class _Scorer:
    """Runs records through an engine and reads the attention of [CLS] in one layer."""

    def __init__(
        self,
        engine: Engine,
        layer: int,
        heads: Sequence[int] | None,
        classifier: Classifier | None,
    ):
        config = engine.model.config
        n_layers, n_heads = config.num_hidden_layers, config.num_attention_heads
        if not -n_layers <= layer < n_layers:
            raise ValueError(
                f"a layer must be from 0 to {n_layers - 1} (or from -1 to {-n_layers}, from the "
                f"last), got {layer}"
            )
        wrong = [head for head in heads or () if not 0 <= head < n_heads]
        if wrong or (heads is not None and not heads):
            found = wrong[0] if wrong else "none"
            raise ValueError(f"heads must be from 0 to {n_heads - 1}, got {found}")
        self._engine, self._classifier = engine, classifier
        self._encoder = getattr(engine.model, "bert", engine.model)
        self._attention = self._encoder.encoder.layer[layer].attention.self
        self._heads = list(range(n_heads)) if heads is None else list(heads)

    def score(self, records: Sequence[SequenceRecord]) -> Iterator[AttentionScores]:
        """Score records that are in memory."""
        k = self._engine.tokenizer.k
        room = self._engine.model.config.max_position_embeddings - 2
        windows: list[Window] = []
        rows: list[int] = []
        for row, record in enumerate(records):
            if record.sequence_b is not None:
                raise ValueError(
                    f"record {record.id}: attention scores are of one sequence, found a pair; give "
                    "single sequences"
                )
            pieces = cut_into_windows(record.sequence, k=k, n_kmers=room)
            windows += pieces
            rows += [row] * len(pieces)
        with self._keep_keys() as kept:
            results = self._engine.run(windows, lambda _, inputs: self._compute(inputs, kept))
        width = 0 if self._classifier is None else self._engine.model.config.hidden_size
        probabilities = self._probabilities([result[:width] for result in results], rows)
        first = np.searchsorted(rows, np.arange(len(records) + 1)).tolist()
        for row, record in enumerate(records):
            of_kmers = [
                results[i][width:][: len(windows[i].sequence) - k + 1]
                for i in range(first[row], first[row + 1])
            ]
            scores = spread_over_bases(np.concatenate(of_kmers)[:, None], k=k)[:, 0]
            named = None if probabilities is None else probabilities[row]
            yield AttentionScores(
                record.id, record.sequence, scores / np.linalg.norm(scores), named
            )

    def _compute(
        self, inputs: dict[str, torch.Tensor], kept: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Give for each row what is pooled, and behind it the scores of its tokens from 1 on."""
        pooled = self._encoder(**inputs, return_dict=True).pooler_output
        size = self._attention.attention_head_size
        query, key = kept["query"].float(), kept["key"].float()
        query = query[:, 0].unflatten(-1, (-1, size))  # (rows, heads, size)
        key = key.unflatten(-1, (-1, size))  # (rows, tokens, heads, size)
        logits = torch.einsum("rhs,rths->rht", query, key) * self._attention.scaling
        mask = inputs.get("attention_mask")
        if mask is not None:
            logits = logits.masked_fill(mask[:, None] == 0, -torch.inf)
        scores = logits.softmax(-1)[:, self._heads].sum(dim=1)
        if self._classifier is None:
            return scores[:, 1:]
        return torch.cat([pooled.float(), scores[:, 1:]], dim=1)

    @contextmanager
    def _keep_keys(self) -> Iterator[dict[str, torch.Tensor]]:
        """Keep what query and key of the layer give, while the fast kernel computes."""
        kept: dict[str, torch.Tensor] = {}

        def keep(name: str, _module: Any, _inputs: Any, result: torch.Tensor) -> None:
            kept[name] = result

        hooks = [
            getattr(self._attention, name).register_forward_hook(partial(keep, name))
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

    def parquet_format(self) -> ParquetFormat:
        """Make the format of the result file."""
        import pyarrow as pa

        names = [] if self._classifier is None else self._classifier.scheme.names
        fields = [
            ("id", pa.string()),
            ("sequence", pa.string()),
            ("scores", pa.list_(pa.float32())),
        ]
        return ParquetFormat(pa.schema(fields + [(f"prob_{name}", pa.float32()) for name in names]))
