"""Motifs that a fine-tuned model looks at, from a model and labelled sequences in one call."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from dnabert_hf.data.labelled.labels import LabelScheme, infer_labels
from dnabert_hf.data.labelled.positive_class import choose_class
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.sources import Source, open_source
from dnabert_hf.inference.engine.checkpoint import architecture_of, as_checkpoint
from dnabert_hf.interpretation.attribution.attention import attention_scores
from dnabert_hf.interpretation.attribution.attribution import attribution_scores
from dnabert_hf.interpretation.attribution.scores import BaseScores
from dnabert_hf.interpretation.motifs.files import read_meme
from dnabert_hf.interpretation.motifs.report import write_motifs
from dnabert_hf.interpretation.motifs.results import MotifSearch, MotifSettings
from dnabert_hf.interpretation.motifs.search import search_motifs
from dnabert_hf.interpretation.motifs.tomtom import compare_motifs
from dnabert_hf.interpretation.pages.page import report_folder
from dnabert_hf.interpretation.plots.logos import import_logomaker

__all__ = ["MotifScore", "find_motifs"]

logger = logging.getLogger(__name__)

MotifScore = Literal["attention", "gradient_x_input", "integrated_gradients", "occlusion"]


def find_motifs(
    model: Any,
    source: Source,
    *,
    output: str | Path | None = None,
    label: str | None = None,
    score: MotifScore | None = None,
    settings: MotifSettings | None = None,
    also: Sequence[str | Path] = (),
    known: str | Path | None = None,
    columns: Columns | None = None,
    tokenizer: Any = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_tokens: int | None = None,
    overwrite: bool = False,
) -> MotifSearch:
    """Find the motifs that a model looks at in the sequences of a class.

    Bases are scored, and `search_motifs` does what DNABERT-viz does with the scores (Ji et al.
    2021). The published score is the attention of [CLS] in the last layer. A classifier that pools
    the mean of the k-mers (`token_pooling="mean"`, as `dnabert-6-mini` does) makes no use of [CLS],
    and nothing trained that attention: there gradient x input is the default.

    Args:
        model: Folder or Hub repository of a fine-tuned checkpoint, a DNABERT classifier, or the
            scores of all sequences of the source, as `attention_scores` or `attribution_scores`
            give them.
        source: File of sequences, or sequences: texts or records. Without labels the classes that
            the model predicts are taken.
        output: Folder to write: matrices, tables, logos and index.html.
        label: Class whose motifs are looked for, against all others; the second of two by default.
        score: "attention", "gradient_x_input", "integrated_gradients" or "occlusion"; by default
            attention, and of classifiers that pool k-mers, not [CLS], gradient_x_input and, where
            that finds no motif, attention.
        settings: How to search.
        also: Checkpoints whose attention to add to that of the model, such as those of k = 3 to 6;
            the score is attention then.
        known: MEME file of known motifs to compare with, such as JASPAR's.
        columns: Names of the columns, for a table.
        tokenizer: Tokenizer, needed if `model` is an object.
        device: "auto", "cpu", "cuda", ...
        dtype: "auto", "float32", "bfloat16" or "float16".
        batch_tokens: Tokens a batch; by default what suits the device.
        overwrite: Whether to replace an earlier report in the folder.

    Returns:
        Motifs, best first, and all candidates; no motif at all is an answer too.

    Raises:
        ValueError: If model, source, known motifs or output cannot be used, or the sequences are
            all of the class, or none is.
        ImportError: If logos need a package that is not installed.
    """
    if score is not None and score not in get_args(MotifScore):
        raise ValueError(f"score must be one of {', '.join(get_args(MotifScore))}, got {score!r}")
    if also and (score not in (None, "attention") or isinstance(model, list | tuple)):
        given = "scores of your own" if score is None else f"score={score!r}"
        raise ValueError(
            f"several models are joined by their attention, found also (--also) with {given}; "
            "leave one of them out"
        )
    known_motifs = None if known is None else read_meme(known)
    if output is not None:
        import_logomaker()
    running = {"device": device, "dtype": dtype, "batch_tokens": batch_tokens}
    search = None
    for records, scored, scheme, name in _scorings(
        model,
        source,
        "attention" if also else score,
        label,
        also=also,
        columns=columns,
        tokenizer=tokenizer,
        running=running,
    ):
        if search is not None:
            logger.warning("no motif so far: the sequences are scored by %s as well", name)
        chosen = choose_class(scheme, label)
        is_positive, by = _classes(records, scored, chosen, scheme)
        search = search_motifs(
            [each.sequence for each in scored],
            [each.scores for each in scored],
            is_positive,
            settings,
        )
        if search.motifs:
            break
    assert search is not None  # at least one way of scoring is tried
    matches = None if known_motifs is None else compare_motifs(search.motifs, known_motifs)
    search = replace(search, label=chosen, matches=matches)
    if output is None:
        return search
    with report_folder(output, overwrite=overwrite) as folder:
        write_motifs(
            search,
            records,
            folder,
            lead=f"{search.n_positives:,} sequences of class {chosen} by {by}, beside "
            f"{search.n_sequences - search.n_positives:,} others.",
            known=known_motifs or (),
        )
    return search


def _scorings(
    model: Any,
    source: Source,
    score: MotifScore | None,
    label: str | None,
    *,
    also: Sequence[str | Path],
    columns: Columns | None,
    tokenizer: Any | None,
    running: dict[str, Any],
) -> Iterator[tuple[list[SequenceRecord], list[BaseScores], LabelScheme, str]]:
    """Read the sequences, and score their bases in each way to be tried, one after the other."""
    if isinstance(model, list | tuple):
        records = list(open_source(source, k=1, columns=columns))
        _check_scores(records, model)
        yield records, list(model), _scheme_of(records, model), "the given scores"
        return
    is_classifier = architecture_of(model).endswith("ForSequenceClassification")
    task = "sequence-classification" if is_classifier else "encoder"
    checkpoint = as_checkpoint(model, tokenizer, task=task)
    config, tokenizer = checkpoint.model.config, checkpoint.tokenizer
    records = list(open_source(source, k=tokenizer.k, columns=columns))
    scores: tuple[MotifScore, ...] = ("attention",)
    if score is not None:
        scores = (score,)
    elif is_classifier and config.token_pooling != "cls":
        # Which of the two tells more depends on the training (results/motifs.md).
        scores = ("gradient_x_input", "attention")
    for each in scores:
        if each == "attention":
            scored = attention_scores(
                checkpoint.model, records, tokenizer=tokenizer, also=also, **running
            )
        else:
            target = choose_class(LabelScheme.from_config(config), label) if is_classifier else None
            scored = attribution_scores(
                checkpoint.model, records, tokenizer=tokenizer, method=each, label=target, **running
            )
        if not isinstance(scored, list):
            raise TypeError(f"scores must be a list, got {type(scored).__name__}")
        yield (
            records,
            scored,
            LabelScheme.from_config(config) if is_classifier else _scheme_of(records, scored),
            each,
        )


def _check_scores(records: Sequence[SequenceRecord], scored: Sequence[BaseScores]) -> None:
    if len(records) != len(scored):
        raise ValueError(
            f"there must be scores for each sequence, found {len(scored)} scores for "
            f"{len(records)} sequences; score the same source"
        )
    for record, each in zip(records, scored, strict=True):
        if record.sequence != each.sequence:
            raise ValueError(
                f"record {record.id}: the scores must be of the same sequences in the same order, "
                f"found those of record {each.id}; score the same source"
            )


def _scheme_of(records: Sequence[SequenceRecord], scored: Sequence[BaseScores]) -> LabelScheme:
    """Find the classes of scores that come without a classifier's configuration."""
    labels = [record.label for record in records if record.label is not None]
    if labels:
        return infer_labels(labels)
    if not scored or scored[0].probabilities is None:
        raise ValueError(
            "a search for motifs needs classes, found sequences without labels and a model without "
            "a classifier; give a table with labels, or a fine-tuned model"
        )
    return LabelScheme("single_label_classification", tuple(scored[0].probabilities))


def _classes(
    records: Sequence[SequenceRecord],
    scored: Sequence[BaseScores],
    label: str,
    scheme: LabelScheme,
) -> tuple[list[bool], str]:
    """Tell which sequences are of the class, and by what: their label or the prediction."""
    labels = [record.label for record in records if record.label is not None]
    if len(labels) == len(records):
        by = "label"
        is_positive = [label in map(scheme.find, each.split(";")) for each in labels]
    else:
        by = "prediction"
        logger.warning(
            "the sequences have no labels: those that the model predicts to be %s are searched",
            label,
        )
        is_positive = [_is_predicted(each, label) for each in scored]
    n_positive = sum(is_positive)
    if not 0 < n_positive < len(is_positive):
        raise ValueError(
            f"a search for motifs compares sequences of class {label!r} with others, found by "
            f"{by} {n_positive} of the class and {len(is_positive) - n_positive} others; add the "
            "missing ones"
        )
    return is_positive, by


def _is_predicted(scored: BaseScores, label: str) -> bool:
    if scored.probabilities is None:
        raise ValueError(
            f"record {scored.id}: it must have a label or a prediction, found neither; give a "
            "table with labels, or a fine-tuned model"
        )
    return max(scored.probabilities, key=scored.probabilities.__getitem__) == label
