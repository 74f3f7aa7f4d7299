"""Logistic regression on k-mer counts, which a model beats if it learnt more than composition."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import positive_id
from dnabert_hf.data.labelled.splits import labels_of
from dnabert_hf.data.reading.sequences import clean_sequence
from dnabert_hf.metrics.scores import score_classification

__all__ = ["count_kmers", "kmer_logistic_regression", "no_regression", "score_kmer_regression"]

_CODES = np.full(256, -1, dtype=np.int64)
_CODES[np.frombuffer(b"ACGT", dtype=np.uint8)] = range(4)
_CHUNK_BASES = 1 << 22  # bounds the memory of the ids of one chunk to some 100 MB
# Strengths to choose from by cross-validation. On ChIP-seq, promoter and enhancer sets of 500 to
# 5,000 sequences the best is 0.001 or 0.003, up to 0.06 MCC above 0.01 and 0.2 above 1.
_STRENGTHS = (0.0001, 0.001, 0.003, 0.01, 0.1)
_USUAL_STRENGTH = 0.003  # where a class has too few sequences to be divided
_FOLDS = 3
_MOST_TO_CHOOSE_BY = 3000  # sequences; the choice is made in a second or two


def count_kmers(sequences: Sequence[str], k: int, *, both_strands: bool = False) -> Any:
    """Count the overlapping k-mers of each sequence.

    Args:
        sequences: DNA or RNA of any length and case.
        k: Bases per k-mer, from 1 to 12.
        both_strands: Whether a k-mer and its reverse complement count as the first of the two in
            alphabetical order.

    Returns:
        Counts as a `scipy.sparse.csr_array` of shape (sequences, 4**k), k-mers in alphabetical
        order; those with a letter other than A, C, G and T are not counted.

    Raises:
        ValueError: If k is out of range or a letter is no nucleotide.

    Example:
        >>> count_kmers(["AACA", "TTNT"], k=1).toarray().tolist()
        [[3, 1, 0, 0], [0, 0, 0, 3]]
        >>> count_kmers(["AACA", "TTNT"], k=1, both_strands=True).toarray().tolist()
        [[3, 1, 0, 0], [3, 0, 0, 0]]
    """
    from scipy.sparse import csr_array, vstack

    if not 1 <= k <= 12:
        raise ValueError(f"k must be from 1 to 12, got {k}")
    cleaned = [
        clean_sequence(sequence, source=f"sequence {index} (0-based)")
        for index, sequence in enumerate(sequences)
    ]
    blocks = []
    for chunk in _chunks(cleaned):
        rows, kmers = _kmer_ids(chunk, k)
        if both_strands:
            kmers = np.minimum(kmers, _reverse_complements(kmers, k))
        counts = csr_array(
            (np.ones(len(rows), dtype=np.int64), (rows, kmers)), shape=(len(chunk), 4**k)
        )
        counts.sum_duplicates()
        blocks.append(counts)
    return vstack(blocks, format="csr") if blocks else csr_array((0, 4**k), dtype=np.int64)


def _chunks(sequences: list[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    n_bases = 0
    for sequence in sequences:
        chunk.append(sequence)
        n_bases += len(sequence)
        if n_bases >= _CHUNK_BASES:
            yield chunk
            chunk, n_bases = [], 0
    if chunk:
        yield chunk


def _kmer_ids(sequences: list[str], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find row and number of every countable k-mer, two arrays of shape (n_kmers,)."""
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    codes = _CODES[np.frombuffer("".join(sequences).encode("ascii"), dtype=np.uint8)]
    row_of_base = np.repeat(np.arange(len(sequences)), lengths)
    n_starts = max(len(codes) - k + 1, 0)
    kmers = np.zeros(n_starts, dtype=np.int64)
    is_countable = np.ones(n_starts, dtype=bool)
    for offset in range(k):
        letters = codes[offset : offset + n_starts]
        kmers = 4 * kmers + letters
        is_countable &= letters >= 0
    # A k-mer must not reach over the end of its sequence.
    is_countable &= row_of_base[:n_starts] == row_of_base[k - 1 : k - 1 + n_starts]
    return row_of_base[:n_starts][is_countable], kmers[is_countable]


def _reverse_complements(kmers: np.ndarray, k: int) -> np.ndarray:
    """Number the reverse complements of k-mers, numbered in alphabetical order."""
    others = np.zeros_like(kmers)
    for _ in range(k):
        others = 4 * others + 3 - kmers % 4
        kmers = kmers // 4
    return others


def kmer_logistic_regression(
    train_sequences: Sequence[str],
    train_labels: np.ndarray,
    sequences: Sequence[str],
    *,
    k: int = 5,
    both_strands: bool = False,
) -> np.ndarray:
    """Predict classes by logistic regression on k-mer counts, scaled to unit variance.

    The strength of its L2 penalty is chosen by cross-validation among the training sequences (three
    folds, log loss, on 3,000 of them at most).

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
    counts = count_kmers(train_sequences, k, both_strands=both_strands)
    model = _regression(_choose_strength(counts, train_labels))
    model.fit(counts, train_labels)
    return np.asarray(model.predict_proba(count_kmers(sequences, k, both_strands=both_strands)))


def _regression(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(C=strength, max_iter=1000)
    return make_pipeline(StandardScaler(with_mean=False), regression)


def _choose_strength(counts: Any, labels: np.ndarray) -> float:
    """Choose the strength by cross-validation."""
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
    splits: DatasetDict, scheme: LabelScheme, *, k: int = 5, both_strands: bool = False
) -> dict[str, dict[str, float]]:
    """Fit `kmer_logistic_regression` to the training split, and score it on the others.

    Args:
        splits: Data sets with the columns "sequence" and "labels".
        scheme: Their labels.
        k: Bases per k-mer.
        both_strands: As in `count_kmers`.

    Returns:
        Scores by metric name, for each of the splits "validation" and "test" that there are.

    Raises:
        ValueError: If the data are not for it.
    """
    if reason := no_regression(splits["train"], scheme):
        raise ValueError(f"logistic regression on k-mer counts cannot be fitted: {reason}")
    names = [name for name in ("validation", "test") if name in splits]
    labels = [labels_of(splits[name]) for name in names]
    probabilities = kmer_logistic_regression(
        list(splits["train"]["sequence"]),
        labels_of(splits["train"]),
        [sequence for name in names for sequence in splits[name]["sequence"]],
        k=k,
        both_strands=both_strands,
    )
    ends = np.cumsum([len(each) for each in labels])
    parts = np.split(probabilities, ends[:-1])
    return {
        name: score_classification(truth, part, names=scheme.names, positive=positive_id(scheme))
        for name, truth, part in zip(names, labels, parts, strict=True)
    }
