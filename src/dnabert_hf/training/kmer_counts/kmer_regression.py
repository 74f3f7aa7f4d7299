"""Logistic regression on k-mer counts, which a model beats if it learnt more than composition."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict

from dnabert_hf.data.kmers.counts import KmerRegression, count_kmers
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import positive_id
from dnabert_hf.data.labelled.splits import labels_of
from dnabert_hf.metrics.scores import score_classification

__all__ = [
    "choose_strength",
    "fit_kmer_regression",
    "kmer_logistic_regression",
    "no_regression",
    "score_kmer_regression",
]

# Strengths to choose from by cross-validation. On ChIP-seq, promoter and enhancer sets of 500 to
# 5,000 sequences the best is 0.001 or 0.003, up to 0.06 MCC above 0.01 and 0.2 above 1.
_STRENGTHS = (0.0001, 0.001, 0.003, 0.01, 0.1)
_USUAL_STRENGTH = 0.003  # where a class has too few sequences to be divided
_FOLDS = 3
_MOST_TO_CHOOSE_BY = 3000  # sequences; the choice is made in a second or two


def fit_kmer_regression(
    sequences: Sequence[str], labels: np.ndarray, *, k: int = 5, both_strands: bool = False
) -> KmerRegression:
    """Fit a logistic regression to k-mer counts, scaled to unit variance.

    The strength of its L2 penalty is chosen by cross-validation among the sequences (three folds,
    log loss, on 3,000 of them at most).

    Args:
        sequences: DNA to train on.
        labels: Class indices from 0, each of them there, shape (sequences,).
        k: Bases per k-mer.
        both_strands: As in `count_kmers`.

    Returns:
        The regression; the scaling is part of its weights.

    Raises:
        ValueError: If k is out of range, a letter is no nucleotide or the labels have one class.
    """
    counts = count_kmers(sequences, k, both_strands=both_strands)
    fitted = _regression(choose_strength(counts, labels)).fit(counts, labels)
    scaler, regression = fitted[0], fitted[1]
    weights, intercepts = regression.coef_ / scaler.scale_, regression.intercept_
    if len(weights) == 1:  # of two classes, scikit-learn has the log-odds of the second
        weights = np.concatenate([np.zeros_like(weights), weights])
        intercepts = np.append(0.0, intercepts)
    return KmerRegression(k, both_strands, weights, intercepts)


def kmer_logistic_regression(
    train_sequences: Sequence[str],
    train_labels: np.ndarray,
    sequences: Sequence[str],
    *,
    k: int = 5,
    both_strands: bool = False,
) -> np.ndarray:
    """Predict classes by logistic regression on k-mer counts, as `fit_kmer_regression` fits it.

    Args:
        train_sequences: DNA to train on.
        train_labels: Class indices from 0, shape (train sequences,).
        sequences: DNA to predict.
        k: Bases per k-mer.
        both_strands: As in `count_kmers`.

    Returns:
        Probability of each class, shape (sequences, classes).

    Raises:
        ValueError: If k is out of range, a letter is no nucleotide or the labels have one class.

    Example:
        >>> train = ["AAAAAAAA", "AAATAAAA", "CCCCCCCC", "CCGCCCCC"]
        >>> predicted = kmer_logistic_regression(train, np.array([0, 0, 1, 1]), ["AAAA"], k=2)
        >>> bool(predicted[0, 0] > 0.5)
        True
    """
    fitted = fit_kmer_regression(train_sequences, train_labels, k=k, both_strands=both_strands)
    return fitted.probabilities(sequences)


def _regression(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(C=strength, max_iter=1000)
    return make_pipeline(StandardScaler(with_mean=False), regression)


def choose_strength(counts: Any, labels: np.ndarray) -> float:
    """Choose the strength of a logistic regression (C of scikit-learn) by cross-validation.

    Args:
        counts: Features of the training sequences, sparse or not, shape (sequences, features); they
            are scaled to unit variance.
        labels: Class indices from 0, shape (sequences,).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(0).permutation(len(labels))[:_MOST_TO_CHOOSE_BY]
    counts, labels = counts[rows], labels[rows]
    classes, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < _FOLDS or len(classes) < 2:
        return _USUAL_STRENGTH
    losses = np.zeros(len(_STRENGTHS))
    for train, held in StratifiedKFold(_FOLDS).split(counts, labels):
        scaler = StandardScaler(with_mean=False).fit(counts[train])
        known, unknown = scaler.transform(counts[train]), scaler.transform(counts[held])
        # Each begins where the one before ended, which is near.
        model = LogisticRegression(max_iter=1000, warm_start=True)
        for index, strength in enumerate(_STRENGTHS):
            predicted = model.set_params(C=strength).fit(known, labels[train])
            losses[index] += log_loss(
                labels[held], predicted.predict_proba(unknown), labels=classes
            )
    return _STRENGTHS[int(losses.argmin())]


def no_regression(train: Dataset, scheme: LabelScheme) -> str | None:
    """Say why data are not for logistic regression on k-mer counts; None if they are.

    Example:
        >>> rows = Dataset.from_dict({"sequence": ["ACGT"], "labels": [0.5]})
        >>> no_regression(rows, LabelScheme("regression", ("value",)))
        'it is for one class a sequence, not for regression'
    """
    if scheme.problem_type != "single_label_classification":
        kind = scheme.problem_type.replace("_", " ")
        return f"it is for one class a sequence, not for {kind}"
    if "sequence_b" in train.column_names:
        return "it is for single sequences, not for pairs"
    return None


def score_kmer_regression(
    splits: DatasetDict,
    scheme: LabelScheme,
    *,
    k: int = 5,
    both_strands: bool = False,
    fitted: KmerRegression | None = None,
) -> dict[str, dict[str, float]]:
    """Fit `kmer_logistic_regression` to the training split, and score it on the others.

    Args:
        splits: Data sets with the columns "sequence" and "labels".
        scheme: Their labels.
        k: Bases per k-mer.
        both_strands: As in `count_kmers`.
        fitted: One that was fitted to the training split already.

    Returns:
        Scores by metric name, for each of the splits "validation" and "test" that there are.

    Raises:
        ValueError: If the data are not for it.
    """
    if reason := no_regression(splits["train"], scheme):
        raise ValueError(f"logistic regression on k-mer counts cannot be fitted: {reason}")
    names = [name for name in ("validation", "test") if name in splits]
    labels = [labels_of(splits[name]) for name in names]
    if fitted is None:
        train = splits["train"]
        fitted = fit_kmer_regression(
            list(train["sequence"]), labels_of(train), k=k, both_strands=both_strands
        )
    probabilities = fitted.probabilities(
        [sequence for name in names for sequence in splits[name]["sequence"]]
    )
    ends = np.cumsum([len(each) for each in labels])
    parts = np.split(probabilities, ends[:-1])
    return {
        name: score_classification(truth, part, names=scheme.names, positive=positive_id(scheme))
        for name, truth, part in zip(names, labels, parts, strict=True)
    }
