"""Evaluation of a fine-tuned model on labelled sequences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Unpack

import numpy as np

from dnabert_hf.data.labelled.labels import UNLABELLED_ID, LabelScheme
from dnabert_hf.data.labelled.positive_class import known_positive, positive_id
from dnabert_hf.data.reading.records import Columns, SequenceRecord
from dnabert_hf.data.reading.records_from_file import read_records
from dnabert_hf.data.reading.sources import iterate_chunks
from dnabert_hf.files.atomic import write_json
from dnabert_hf.inference.engine.checkpoint import architecture_of, as_checkpoint
from dnabert_hf.inference.engine.progress import Progress
from dnabert_hf.inference.engine.training_defaults import choose_strands
from dnabert_hf.inference.output.writer import check_output
from dnabert_hf.inference.predict import Classifier, find_members
from dnabert_hf.inference.predict_bases import BaseClassifier
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.metrics.comparison import Difference, compare_predictions
from dnabert_hf.metrics.reliability import measure_reliability, plot_reliability
from dnabert_hf.metrics.scores import score_predictions

__all__ = ["Evaluation", "ModelScores", "evaluate"]

_CHUNK_BASES = 1 << 22
_MOST_GROUPS = 50


class ModelScores(NamedTuple):
    """Scores of one of several models on the same sequences.

    Attributes:
        name: The model, as it was given; "mean" is the mean of all, "stack" what a stack makes of
            them.
        scores: Value of each metric.
        difference: Its score minus that of the first model, with a p-value; None for the first
            model itself, and where the labels leave it undefined.
    """

    name: str
    scores: dict[str, float]
    difference: Difference | None = None

    def to_json(self) -> dict[str, Any]:
        """Give name, scores and difference as one mapping."""
        found = None if self.difference is None else self.difference._asdict()
        return {"model": self.name, **self.scores, "difference": found}


class Evaluation(NamedTuple):
    """Scores of a model on labelled sequences.

    Attributes:
        n_sequences: Sequences that were scored, all their labelled bases if bases have labels.
        scores: Value of each metric; what the labels leave undefined is missing.
        groups: The same of each group of sequences, if they were to be told apart.
        models: Of several models: each by itself, in their order, and the mean at the end.
    """

    n_sequences: int
    scores: dict[str, float]
    groups: Mapping[str, "Evaluation"] = MappingProxyType({})
    models: tuple[ModelScores, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give number and scores as one mapping."""
        return {"sequences": self.n_sequences, **self.scores}


def evaluate(
    model: Any,
    source: str | Path,
    *,
    output: str | Path | None = None,
    plot: str | Path | None = None,
    split: str | None = None,
    also: Sequence[str | Path] = (),
    by: str | None = None,
    both_strands: bool | None = None,
    **options: Unpack[RunFields],
) -> Evaluation:
    """Score a fine-tuned model of sequences or bases on a labelled table, held in memory.

    Args:
        model: Checkpoint folder, repository id on the Hub, a model, which is not changed, or the
            folder of a stack.
        source: Table with sequences and labels ("-" is standard input).
        output: JSON file to write the scores to.
        plot: Picture to write (.png, .svg or .pdf): how often probabilities are right, those of the
            class of interest or, without one, of the predicted class.
        split: Part of the data to score, as its split column names it; needed if there are several.
        also: Checkpoints of sequences with the same classes to average the probabilities with,
            such as those of other k. Each of the models is scored by itself, too, and compared
            with the first one as `compare_predictions` does.
        by: Column that names the group of each sequence, such as promoters with and without a TATA
            box, to score each of them, too.
        both_strands: Whether to average over each sequence and its reverse complement; by default
            as the model was trained.
        **options: The fields of `RunOptions`; there are no shards.

    Returns:
        The scores, by the names of `dnabert_hf.metrics.scores.metric_names`.

    Raises:
        ValueError: If model, source or output cannot be used, a label was not seen in training, or
            the data has several splits and none is named.
    """
    running = RunOptions.of(options, excluded=["shard"])
    for path in (output, plot):
        if path is not None:
            check_output(path, overwrite=running.overwrite)
    members, stack = find_members(model, also)
    is_per_base = architecture_of(members[0]).endswith("ForTokenClassification")
    task = "token-classification" if is_per_base else "sequence-classification"
    if is_per_base and also:
        raise ValueError("also averages models of sequences, found a model of bases; leave it out")
    checkpoints = [as_checkpoint(each, running.tokenizer, task=task) for each in members]
    engines = [running.start(checkpoint) for checkpoint in checkpoints]
    if stack is not None and both_strands is None:
        both_strands = stack.both_strands
    both_strands = choose_strands(engines, both_strands)
    classifier: BaseClassifier | Classifier
    if is_per_base:
        classifier = BaseClassifier(*engines, both_strands=both_strands)
    else:
        classifier = Classifier(*engines, both_strands=both_strands, stack=stack)
    scheme = classifier.scheme
    if plot is not None and scheme.problem_type == "regression":
        raise ValueError("a plot is of probabilities, found a model of regression; leave it out")
    k = max(checkpoint.tokenizer.k for checkpoint in checkpoints)
    columns = running.columns or Columns()
    if by is not None:
        columns = replace(columns, id=by)
    records = list(
        read_records(source, columns=columns, k=k, labelled=True, skip_short=running.skip_short)
    )
    records = _choose_split(records, split, str(source))
    groups = None if by is None else _find_groups(records, by, str(source))
    labels = _encode_labels(records, scheme, str(source), is_per_base=is_per_base)
    progress = Progress[list[SequenceRecord]](
        "sequences", lambda: len(records), n_passes=len(engines) * (1 + both_strands)
    )
    chunks = progress.follow(iterate_chunks(records, n_bases=_CHUNK_BASES), engines)
    of_models = None
    if isinstance(classifier, Classifier):
        of_models = np.concatenate([classifier.of_models(chunk) for chunk in chunks], axis=1)
        probabilities = classifier.combine(of_models)
    else:
        probabilities = np.concatenate([classifier.probabilities(chunk) for chunk in chunks])
    if is_per_base and groups is not None:
        groups = np.repeat(groups, [len(record.sequence) for record in records])

    def score(chosen: np.ndarray) -> dict[str, float]:
        if is_per_base:
            chosen = chosen & (labels != UNLABELLED_ID)
        return _score(labels[chosen], probabilities[chosen], scheme)

    scores = score(np.full(len(labels), True))
    models: tuple[ModelScores, ...] = ()
    if of_models is not None and len(of_models) > 1:
        names = [c.name for c in checkpoints] if stack is None else stack.names
        said = dict(zip(_distinct(names), of_models, strict=True))
        joined = "mean" if stack is None else "stack"
        models = _compare(labels, said | {joined: probabilities}, scheme)
    parts = {}
    for name, n in Counter(record.id for record in records).items() if by else ():
        parts[name] = Evaluation(n, score(np.asarray(groups == name)))
    if plot is not None:
        known = labels != UNLABELLED_ID if is_per_base else np.full(len(labels), True)
        about = split or Path(source).name
        _plot(plot, labels[known], probabilities[known], scheme, about=about)
    if output is not None:
        content: dict[str, Any] = {
            "model": checkpoints[0].name if stack is None else str(model),
            "others": [c.name for c in checkpoints[1:]] if stack is None else stack.names,
            "source": str(source),
            "split": split,
            "both_strands": both_strands,
            "n_sequences": len(records),
        }
        if by is not None:
            content |= {"by": by, "groups": {n: part.to_json() for n, part in parts.items()}}
        if models:
            content["models"] = [each.to_json() for each in models]
        write_json(content | scores, Path(output))
    return Evaluation(len(records), scores, parts, models)


def _score(labels: np.ndarray, predicted: np.ndarray, scheme: LabelScheme) -> dict[str, float]:
    return score_predictions(
        labels,
        predicted,
        problem_type=scheme.problem_type,
        names=scheme.names,
        positive=positive_id(scheme),
    )


def _distinct(names: list[str]) -> list[str]:
    """Number names that are there several times."""
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _compare(
    labels: np.ndarray, predicted: Mapping[str, np.ndarray], scheme: LabelScheme
) -> tuple[ModelScores, ...]:
    """Score the predictions of several models, and compare each with the first."""
    (first, *_) = predicted.values()
    compared = []
    for number, (name, rows) in enumerate(predicted.items()):
        difference = None
        if number:
            difference = compare_predictions(
                labels,
                rows,
                first,
                problem_type=scheme.problem_type,
                names=scheme.names,
                positive=positive_id(scheme),
            )
        compared.append(ModelScores(name, _score(labels, rows, scheme), difference))
    return tuple(compared)


def _find_groups(records: list[SequenceRecord], by: str, source: str) -> np.ndarray:
    """Give the group of each record, which was read in place of its id."""
    groups = np.array([record.id for record in records])
    n_groups = len(np.unique(groups))
    if n_groups > _MOST_GROUPS:
        raise ValueError(
            f"{source}: the column {by!r} must name groups, at most {_MOST_GROUPS}, found "
            f"{n_groups} among {len(records)} sequences; name another column"
        )
    return groups


def _plot(
    path: str | Path,
    labels: np.ndarray,
    probabilities: np.ndarray,
    scheme: LabelScheme,
    *,
    about: str,
) -> None:
    """Draw how often probabilities are right."""
    name = known_positive(scheme)
    index = None if name is None else scheme.names.index(name)
    plot_reliability(
        {about: measure_reliability(labels, probabilities, positive=index)},
        path,
        about="the predicted class" if name is None else name,
        title=f"Calibration, {len(labels):,} labels",
    )


def _encode_labels(
    records: list[SequenceRecord], scheme: LabelScheme, source: str, *, is_per_base: bool
) -> np.ndarray:
    """Encode all labels before the first forward pass: a wrong one must not cost hours."""
    encoded = [
        scheme.encode(
            record.label or "",
            source=f"{source}, record {record.id}",
            n_bases=len(record.sequence),
        )
        for record in records
    ]
    labels = np.concatenate(encoded) if is_per_base else np.array(encoded)
    if (labels == UNLABELLED_ID).all() and is_per_base:
        raise ValueError(f"{source} must have labelled bases to score, found none")
    return labels


def _choose_split(
    records: list[SequenceRecord], split: str | None, source: str
) -> list[SequenceRecord]:
    counts = Counter(record.split or "" for record in records)
    found = ", ".join(f"{name!r} ({n})" for name, n in counts.items())
    if split is None:
        if len(counts) > 1:
            raise ValueError(
                f"{source} holds several splits, {found}; name the one to score, such as "
                "split='test' (--split test)"
            )
        return records
    if split not in counts:
        raise ValueError(f"{source} must have a split {split!r}, found {found}; name one of these")
    return [record for record in records if record.split == split]
