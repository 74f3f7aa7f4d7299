"""Attributions: what each base adds to the class that a model predicts."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Unpack, get_args

import numpy as np
import torch
from transformers import PreTrainedConfig

from dnabert_hf.checkpoints import locate
from dnabert_hf.data.genome.genome import Genome
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import known_positive
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sources import Source
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.engine.precision import choose_device
from dnabert_hf.inference.output.writer import WrittenResults
from dnabert_hf.inference.predict import classify_pieces, pooled_output
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.interpretation.attribution.gradients import attribute_by_gradients, class_logits
from dnabert_hf.interpretation.attribution.occlusion import attribute_by_occlusion, pool_masked
from dnabert_hf.interpretation.attribution.scores import (
    BaseScores,
    Pieces,
    cut_records,
    score_source,
    start_scoring,
)
from dnabert_hf.metrics.scores import logits_to_predictions

__all__ = ["Attribution", "attribution_scores", "choose_targets", "explained_class"]

logger = logging.getLogger(__name__)

Attribution = Literal["gradient_x_input", "integrated_gradients", "occlusion"]

_CHUNK_BASES = 1 << 18
_OCCLUSION_CHUNK_BASES = 1 << 13  # of which each is a run of the model
# Tokens a batch: fewer than elsewhere, for the way back needs the states of all layers.
_GRADIENT_TOKENS = {"cpu": 1024, "cuda": 16384}
_LARGEST_GAP = 0.1  # of the difference that integrated gradients should add up to


def attribution_scores(
    model: Any,
    source: Source,
    *,
    method: Attribution = "integrated_gradients",
    label: str | None = None,
    steps: int = 24,
    output: str | Path | None = None,
    genome: Genome | None = None,
    **options: Unpack[RunFields],
) -> list[BaseScores] | WrittenResults:
    """Score each base by what it adds to a class, in nats of log odds, with its sign.

    What is explained is log(p / (1 - p)) of the class: for two classes the difference of their
    logits, which, other than one logit, a shift of both leaves alone. For regression it is the
    value.

    - "gradient_x_input": gradient at the sequence times the word embedding of each k-mer (Shrikumar
      et al. 2016), one pass forward and back.
    - "integrated_gradients": gradients along the straight line from a sequence of [MASK] k-mers to
      this one (Sundararajan et al. 2017), at the points of Gauss and Legendre. The scores of a
      sequence add up to the difference between the two ends, if there are points enough: a
      fine-tuned model may need hundreds, and a warning says by how much they miss it.
    - "occlusion": by how much the class falls when a base is masked, that is, all k-mers over it
      become [MASK]. As many runs of the model as there are bases.

    A k-mer's share is divided equally among its k bases. Sequences of any length are cut as the
    classifier cuts them, and the gradient goes through the joining of the pieces.

    Args:
        model: Folder or Hub repository of a fine-tuned checkpoint, or a DNABERT classifier.
        source: As in `attention_scores`.
        method: One of the three.
        label: Class (or target) to explain; by default the class of interest, or where there is
            none the most probable one of each sequence.
        steps: Points of integrated gradients.
        output: As in `attention_scores`; None gives a list back.
        genome: As in `attention_scores`.
        **options: The fields of `RunOptions`. Gradients take float32 unless another number format
            is named, never int8, and by default fewer tokens a batch.

    Returns:
        The scores in the order of the source, or, with an output, where they are.

    Raises:
        ValueError: If model, source or output cannot be used, the model has no classifier or no
            such class, or a record is a pair.
    """
    if method not in get_args(Attribution):
        raise ValueError(
            f"method must be one of {', '.join(get_args(Attribution))}, got {method!r}"
        )
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, got {steps}")
    running = RunOptions.of(options)
    if method != "occlusion":
        running = _for_gradients(running)
    run, classifier = start_scoring(model, output, running)
    if classifier is None:
        raise ValueError(
            "attributions explain a class, found a model without a classifier: run `dnabert "
            "finetune` on it first, or take attention scores"
        )
    label = known_positive(classifier.scheme) if label is None else label
    scorer = _Attributor(run.engines[0], classifier.scheme, method=method, label=label, steps=steps)
    depends_on = {"method": method, "class": label, "steps": steps}
    return score_source(run, source, scorer, genome=genome, depends_on=depends_on)


def explained_class(model: str | Path, label: str | None = None) -> str | None:
    """Name the class that `attribution_scores` explains; None: the most probable one of each.

    Args:
        model: Folder, repository or name of a checkpoint.
        label: The class, if one was named.
    """
    if label is not None:
        return label
    fields, _ = PreTrainedConfig.get_config_dict(str(locate(model)))
    return known_positive(LabelScheme.from_config(PreTrainedConfig(**fields)))


def _for_gradients(options: RunOptions) -> RunOptions:
    if options.dtype == "int8":
        raise ValueError("int8 has no gradients; take float32 or bfloat16, or occlusion")
    n_tokens = _GRADIENT_TOKENS.get(choose_device(options.device).type, 4096)
    return replace(
        options,
        dtype="float32" if options.dtype == "auto" else options.dtype,
        batch_tokens=options.batch_tokens or n_tokens,
    )


class _Attributor:
    """Predicts records and explains the class of each."""

    def __init__(
        self,
        engine: Engine,
        scheme: LabelScheme,
        *,
        method: Attribution,
        label: str | None,
        steps: int,
    ):
        self.scheme: LabelScheme | None = scheme
        self.chunk_bases = _OCCLUSION_CHUNK_BASES if method == "occlusion" else _CHUNK_BASES
        self.n_passes = steps if method == "integrated_gradients" else 1
        self._engine, self._scheme = engine, scheme
        self._method, self._label, self._steps = method, label, steps
        self._has_warned = False
        choose_targets(self._scheme, label, np.zeros((1, len(self._scheme.names))))

    def score(self, records: Sequence[SequenceRecord]) -> Iterator[BaseScores]:
        """Score records that are in memory."""
        engine, problem_type = self._engine, self._scheme.problem_type
        pieces = cut_records(engine, records)
        pooled = np.stack(
            engine.run(
                pieces.windows,
                pooled_output,
                weight=0,
            )
        )
        logits = classify_pieces(engine, pooled, pieces.rows.tolist())
        probabilities = logits_to_predictions(logits, problem_type)
        targets = choose_targets(self._scheme, self._label, probabilities)
        if self._method == "occlusion":
            found = attribute_by_occlusion(
                engine, pieces, pooled, targets, problem_type=problem_type
            )
        else:
            steps = self._steps if self._method == "integrated_gradients" else None
            found = attribute_by_gradients(
                engine, pieces, targets, problem_type=problem_type, steps=steps
            )
            if steps is not None and not self._has_warned:
                self._check_sums(pieces, logits, targets, found)
        for record, scores, row in zip(records, found, probabilities.tolist(), strict=True):
            named = dict(zip(self._scheme.names, row, strict=True))
            yield BaseScores(record.id, record.sequence, scores, named)

    def _check_sums(
        self,
        pieces: Pieces,
        logits: np.ndarray,
        targets: np.ndarray,
        found: Sequence[np.ndarray],
    ) -> None:
        """Warn if scores do not add up to the difference from a sequence of [MASK] k-mers."""
        n_kmers = [len(w.sequence) - self._engine.tokenizer.k + 1 for w in pieces.windows]
        extras = {"first": np.ones(len(n_kmers), dtype=int), "end": np.add(n_kmers, 1)}
        pooled = np.stack(self._engine.run(pieces.windows, pool_masked, extras=extras, weight=0))
        masked = classify_pieces(self._engine, pooled, pieces.rows.tolist())
        whole, baseline = (
            class_logits(
                torch.from_numpy(each), torch.from_numpy(targets), self._scheme.problem_type
            ).numpy()
            for each in (logits, masked)
        )
        sums = np.array([scores.sum() for scores in found])
        gap = float(np.abs(whole - baseline - sums).mean())
        difference = float(np.abs(whole - baseline).mean())
        if gap > _LARGEST_GAP * difference:
            self._has_warned = True
            logger.warning(
                "integrated gradients miss what they should add up to by %.2g of %.2g (means): the "
                "gradient of this model changes faster than %d points see; give more of them "
                "(--steps), or take occlusion",
                gap,
                difference,
                self._steps,
            )


def choose_targets(scheme: LabelScheme, label: str | None, probabilities: np.ndarray) -> np.ndarray:
    """Find the class that is explained of each sequence.

    Args:
        scheme: Labels of the model.
        label: Name of the class (or target) for all; None for the most probable one of each.
        probabilities: Shape (sequences, classes).

    Returns:
        Index of the class, int64, shape (sequences,).

    Raises:
        ValueError: If there is no such class, or one of several targets is not named.

    Example:
        >>> scheme = LabelScheme("single_label_classification", ("bound", "free"))
        >>> choose_targets(scheme, None, np.array([[0.9, 0.1], [0.2, 0.8]])).tolist()
        [0, 1]
    """
    known = ", ".join(scheme.names)
    if label is not None:
        named = scheme.find(label)
        if named is None:
            raise ValueError(f"the class must be one of {known}, got {label!r}")
        return np.full(len(probabilities), scheme.label2id[named])
    if scheme.problem_type == "regression" and len(scheme.names) > 1:
        raise ValueError(f"one of several targets must be named (--label), one of {known}")
    return np.asarray(probabilities.argmax(axis=1))
