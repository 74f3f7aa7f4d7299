"""Stacking: a logistic regression on what several models say of the validation split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np

from dnabert_hf.checkpoints import locate
from dnabert_hf.data.kmers.counts import KmerRegression
from dnabert_hf.data.labelled.dataset import iterate_labelled
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sources import iterate_chunks
from dnabert_hf.files.fingerprint import fingerprint_start
from dnabert_hf.files.outputs import check_folder
from dnabert_hf.inference.engine.checkpoint import STACK, as_checkpoint
from dnabert_hf.inference.engine.progress import Progress
from dnabert_hf.inference.engine.training_defaults import choose_strands
from dnabert_hf.inference.predict import Classifier
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.inference.stack import KMERS, Stack, is_stack, stack_columns
from dnabert_hf.training.kmer_counts.kmer_regression import fit_kmer_regression

__all__ = ["StackedModels", "stack_models"]

_CHUNK_BASES = 1 << 22
_MOST_K = 12


class StackedModels(NamedTuple):
    """What `stack_models` made.

    Attributes:
        path: Folder of the stack.
        stack: The stack.
        n_train: Sequences that the regression on k-mer counts was fitted on; 0 without one.
    """

    path: Path
    stack: Stack
    n_train: int


def stack_models(
    models: Sequence[str | Path],
    data: str | Path,
    *,
    output: str | Path,
    kmers: int = 5,
    both_strands: bool | None = None,
    **options: Unpack[RunFields],
) -> StackedModels:
    """Weigh several models by a logistic regression on their answers (stacking, Wolpert 1992).

    It is fitted on the validation split alone, by scikit-learn's `LogisticRegression` with its
    defaults, on the columns of `stack_columns`; the test split is not looked at. A regression on
    k-mer counts, fitted on the training split, may be one of the members.

    Args:
        models: Checkpoints of sequences with the same classes, such as those of k = 3 to 6.
        data: Table with a split column, or a folder with train, dev and test files: the data that
            the models were trained on.
        output: Folder to write: a manifest that names the members, and their weights. `predict`
            and `evaluate` take it as a model.
        kmers: k of the regression on k-mer counts; 0 for none.
        both_strands: Whether members average over both strands; by default as they were trained.
        **options: The fields of `RunOptions`; there are no shards.

    Raises:
        ValueError: If a model, the data or the output cannot be used, there are fewer than two
            members, classes are not one a sequence, or the validation split lacks one of them.
    """
    running = RunOptions.of(options, excluded=["shard", "tokenizer"])
    if not 0 <= kmers <= _MOST_K:
        raise ValueError(f"kmers must be 1 to {_MOST_K}, or 0 for none, got {kmers}")
    _check_members(models, kmers)
    check_folder(
        output,
        overwrite=running.overwrite,
        marker=STACK,
        known=[STACK, KMERS],
        inputs=[*models, data],
    )
    checkpoints = [as_checkpoint(each, None, task="sequence-classification") for each in models]
    engines = [running.start(each) for each in checkpoints]
    both_strands = choose_strands(engines, both_strands)
    classifier = Classifier(*engines, both_strands=both_strands)
    scheme = classifier.scheme
    if scheme.problem_type != "single_label_classification":
        raise ValueError(
            "models of a stack must tell one class a sequence, found "
            f"{scheme.problem_type.replace('_', ' ')}; average them in place (--also)"
        )
    k = max(each.tokenizer.k for each in checkpoints)
    train, dev = _read(data, running, k)
    labels = _encode(dev, scheme, str(data), "validation")
    progress = Progress[list[SequenceRecord]](
        "sequences", lambda: len(dev), n_passes=len(engines) * (1 + both_strands)
    )
    chunks = progress.follow(iterate_chunks(dev, n_bases=_CHUNK_BASES), engines)
    said = np.concatenate([classifier.of_models(chunk) for chunk in chunks], axis=1)
    regression = None
    if kmers:
        regression = _fit_kmers(train, scheme, str(data), k=kmers, both_strands=both_strands)
        counted = regression.probabilities([record.sequence for record in dev])
        said = np.concatenate([said, counted[None]])
    coefficients, intercepts = _fit(stack_columns(said), labels)
    stack = Stack(
        members=tuple(str(each) for each in models),
        weights_of=tuple(fingerprint_start(locate(each)) for each in models),
        kmers=regression,
        classes=scheme.names,
        both_strands=both_strands,
        coefficients=coefficients,
        intercepts=intercepts,
        n_fitted=len(dev),
    )
    stack.write(Path(output))
    return StackedModels(Path(output), stack, len(train) if kmers else 0)


def _check_members(models: Sequence[str | Path], kmers: int) -> None:
    if len(models) + bool(kmers) < 2:
        raise ValueError("a stack must have two members or more, found one; name more (--also)")
    for each in models:
        if is_stack(each):
            raise ValueError(f"{each}: a member of a stack must be one model, found a stack")


def _read(
    data: str | Path, running: RunOptions, k: int
) -> tuple[list[SequenceRecord], list[SequenceRecord]]:
    """Read the training and the validation split; rows of the test split are passed over."""
    of_split: dict[str, list[SequenceRecord]] = {"train": [], "validation": []}
    found: dict[str, int] = {}
    for split, record, _ in iterate_labelled(data, columns=running.columns, k=k):
        found[split] = found.get(split, 0) + 1
        if split in of_split:
            of_split[split].append(record)
    if not of_split["validation"]:
        splits = ", ".join(f"{name} ({n})" for name, n in found.items())
        raise ValueError(
            f"{data}: a stack is fitted on the validation split (dev), found {splits}; add a split "
            "column with dev, or files of these names"
        )
    return of_split["train"], of_split["validation"]


def _encode(
    records: Sequence[SequenceRecord], scheme: LabelScheme, data: str, split: str
) -> np.ndarray:
    """Number the classes of sequences; every class must be there."""
    labels = np.array(
        [scheme.encode(each.label or "", source=f"{data}, record {each.id}") for each in records],
        dtype=np.int64,
    )
    missing = [name for i, name in enumerate(scheme.names) if i not in labels]
    if missing:
        raise ValueError(
            f"{data}: the {split} split must have sequences of each class, found none of "
            f"{', '.join(missing)} among {len(labels)}; add some"
        )
    return labels


def _fit_kmers(
    train: Sequence[SequenceRecord], scheme: LabelScheme, data: str, **options: Any
) -> KmerRegression:
    if any(record.sequence_b is not None for record in train):
        raise ValueError(
            f"{data}: a regression on k-mer counts is for single sequences, found pairs; leave it "
            "out (--kmers 0)"
        )
    labels = _encode(train, scheme, data, "train")
    return fit_kmer_regression([record.sequence for record in train], labels, **options)


def _fit(columns: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=1000).fit(columns, labels)
    return np.asarray(fitted.coef_), np.asarray(fitted.intercept_)
