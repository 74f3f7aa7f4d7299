"""Scores of predictions against true labels, for classification and regression."""

import logging
from collections.abc import Sequence

import numpy as np

__all__ = [
    "BINARY_METRIC_NAMES",
    "DEFAULT_METRIC",
    "LOWER_IS_BETTER",
    "METRIC_NAMES",
    "logits_to_predictions",
    "metric_names",
    "score_classification",
    "score_multi_label",
    "score_predictions",
    "score_regression",
]

logger = logging.getLogger(__name__)

_OF_CLASSES = ("accuracy", "f1", "mcc", "precision", "recall", "auroc", "auprc")
METRIC_NAMES = {
    "single_label_classification": _OF_CLASSES,
    "multi_label_classification": ("accuracy", "f1", "f1_micro", *_OF_CLASSES[3:]),
    "regression": ("pearson", "spearman", "rmse"),
    "token_classification": _OF_CLASSES,
}
# With two classes also those of the class of interest, as DNABERT reports them for binding sites.
BINARY_METRIC_NAMES = ("f1_binary", "precision_binary", "recall_binary")
# Where 0.5 decides too coarsely in the first epochs (no class predicted at all, F1 = 0), a ranking
# metric tells checkpoints apart.
DEFAULT_METRIC = {
    "single_label_classification": "mcc",
    "multi_label_classification": "auroc",
    "regression": "spearman",
    "token_classification": "auprc",  # most bases are of one class, and MCC may stay 0 for long
}
_ONE_CLASS = ("single_label_classification", "token_classification")
LOWER_IS_BETTER = frozenset({"rmse", "loss"})


def metric_names(problem_type: str, n_classes: int) -> tuple[str, ...]:
    """Name the scores of a problem type with a number of classes.

    Args:
        problem_type: One of the keys of `METRIC_NAMES`.
        n_classes: Classes or targets.

    Example:
        >>> metric_names("single_label_classification", 2)[-3:]
        ('f1_binary', 'precision_binary', 'recall_binary')
    """
    is_binary = problem_type in _ONE_CLASS and n_classes == 2
    return METRIC_NAMES[problem_type] + (BINARY_METRIC_NAMES if is_binary else ())


def logits_to_predictions(logits: np.ndarray, problem_type: str) -> np.ndarray:
    """Turn a model's logits into probabilities, or leave them as they are for regression.

    Args:
        logits: Shape (..., classes) or (n, targets).
        problem_type: As in a `LabelScheme`.

    Returns:
        Softmax over the classes (one a sequence or base), sigmoid of each (multi-label) or the
        values themselves (regression), same shape.

    Example:
        >>> logits_to_predictions(np.array([[0.0, 0.0]]), "single_label_classification").tolist()
        [[0.5, 0.5]]
    """
    from scipy.special import expit, softmax

    values = np.asarray(logits, dtype=np.float64)
    if problem_type in _ONE_CLASS:
        return np.asarray(softmax(values, axis=-1))
    if problem_type == "multi_label_classification":
        return np.asarray(expit(values))
    return values


def score_predictions(
    labels: np.ndarray,
    predictions: np.ndarray,
    *,
    problem_type: str,
    names: Sequence[str] | None = None,
    positive: int = 1,
) -> dict[str, float]:
    """Score predictions with the metrics of a problem type.

    Args:
        labels: True labels, as the function of the problem type takes them.
        predictions: Probabilities (n, classes), or values (n,) or (n, targets) for regression.
        problem_type: "single_label_classification", "token_classification" (a row is a base),
            "multi_label_classification" or "regression".
        names: Class names in the order of the columns, for messages.
        positive: As in `score_classification`.

    Returns:
        Scores by the names of `metric_names`; a score that these labels leave undefined is left
        out, and a warning is logged.

    Raises:
        ValueError: If shapes do not fit together or the problem type is not known.
    """
    if problem_type in _ONE_CLASS:
        return score_classification(labels, predictions, names=names, positive=positive)
    if problem_type == "multi_label_classification":
        return score_multi_label(labels, predictions, names=names)
    if problem_type == "regression":
        return score_regression(labels, predictions, names=names)
    raise ValueError(f"problem_type must be one of {sorted(METRIC_NAMES)}, got {problem_type!r}")


def score_classification(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    names: Sequence[str] | None = None,
    positive: int = 1,
) -> dict[str, float]:
    """Score single-label predictions.

    F1, precision and recall are macro averages over the classes, as DNABERT reports them for
    promoters and splice sites. With two classes AUROC and AUPRC rank by the probability of the
    class of interest, and f1_binary, precision_binary and recall_binary are those of this class
    alone, as it reports them for binding sites. With more, AUROC is the mean over all pairs of
    classes (one against one, Hand and Till 2001) and AUPRC (average precision) the mean over
    classes against the rest.

    Args:
        labels: Class indices, shape (n,).
        probabilities: Probability of each class, shape (n, classes).
        names: Class names in id order, for messages.
        positive: Index of the class of interest, of two.

    Returns:
        accuracy, f1, mcc, precision, recall, auroc and auprc, and with two classes those of the
        class of interest alone. If all labels are of one class, only accuracy and the macro
        averages are defined, the others left out. Classes without a label do not count in averages
        over classes.

    Raises:
        ValueError: If the shapes do not fit together or a label has no column.

    Example:
        >>> labels = np.array([0, 0, 1, 1])
        >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
        >>> scores = score_classification(labels, probabilities)
        >>> scores["accuracy"], scores["auroc"]
        (0.75, 0.75)
    """
    from sklearn import metrics

    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _check_shapes(labels, probabilities, label_axes=1)
    n_classes = probabilities.shape[1]
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(
            f"labels must be class indices from 0 to {n_classes - 1}, one for each column of the "
            f"probabilities; got {labels.min()} to {labels.max()}"
        )
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predicted, average="macro", labels=np.unique(labels), zero_division=0
    )
    scores = {"accuracy": float((labels == predicted).mean()), "f1": float(f1)}
    present = np.unique(labels)
    if len(present) == 1:
        name = names[present[0]] if names is not None else present[0]
        logger.warning(
            "all %d labels are of class %s: MCC, AUROC and AUPRC are undefined and left out",
            len(labels),
            name,
        )
        return scores | {"precision": float(precision), "recall": float(recall)}
    scores["mcc"] = float(metrics.matthews_corrcoef(labels, predicted))
    scores |= {"precision": float(precision), "recall": float(recall)}
    if n_classes == 2:
        is_positive, of_positive = labels == positive, probabilities[:, positive]
        scores["auroc"] = float(metrics.roc_auc_score(is_positive, of_positive))
        scores["auprc"] = float(metrics.average_precision_score(is_positive, of_positive))
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            is_positive, predicted == positive, average="binary", zero_division=0
        )
        of_one_class = (float(f1), float(precision), float(recall))
        return scores | dict(zip(BINARY_METRIC_NAMES, of_one_class, strict=True))
    scores["auroc"] = _auroc_one_vs_one(labels, probabilities, present)
    scores["auprc"] = float(
        np.mean(
            [metrics.average_precision_score(labels == c, probabilities[:, c]) for c in present]
        )
    )
    return scores


def _auroc_one_vs_one(labels: np.ndarray, probabilities: np.ndarray, present: np.ndarray) -> float:
    # Not scikit-learn's multi_class="ovo": that refuses a set in which a class has no label.
    from sklearn.metrics import roc_auc_score

    areas = []
    for one in present:
        for other in present[present != one]:
            rows = (labels == one) | (labels == other)
            areas.append(roc_auc_score(labels[rows] == one, probabilities[rows, one]))
    return float(np.mean(areas))


def score_multi_label(
    labels: np.ndarray, probabilities: np.ndarray, *, names: Sequence[str] | None = None
) -> dict[str, float]:
    """Score multi-label predictions; a class is predicted from a probability of 0.5 on.

    Args:
        labels: 1 where a class applies and 0 elsewhere, shape (n, classes).
        probabilities: Probability of each class, shape (n, classes).
        names: Class names in column order, for messages.

    Returns:
        accuracy (all classes of a row right), f1, precision and recall (macro), f1_micro, and
        auroc and auprc as means over the classes that have both values; classes that have not are
        named in a warning, and without any other class the two are left out.

    Raises:
        ValueError: If the shapes do not fit together.

    Example:
        >>> labels = np.array([[1, 0], [0, 1], [1, 1]])
        >>> scores = score_multi_label(labels, np.array([[0.9, 0.2], [0.1, 0.8], [0.7, 0.4]]))
        >>> round(scores["accuracy"], 3), scores["auroc"]
        (0.667, 1.0)
    """
    from sklearn import metrics

    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _check_shapes(labels, probabilities, label_axes=2)
    labels = labels.astype(np.int64)
    predicted = (probabilities >= 0.5).astype(np.int64)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predicted, average="macro", zero_division=0
    )
    scores = {
        "accuracy": float((labels == predicted).all(axis=1).mean()),
        "f1": float(f1),
        "f1_micro": float(metrics.f1_score(labels, predicted, average="micro", zero_division=0)),
        "precision": float(precision),
        "recall": float(recall),
    }
    has_both = labels.min(axis=0) != labels.max(axis=0)
    if not has_both.all():
        without = [
            str(c) if names is None else names[c] for c in np.flatnonzero(~has_both).tolist()
        ]
        logger.warning(
            "AUROC and AUPRC leave out %d of %d classes, whose labels are all 0 or all 1: %s",
            len(without),
            len(has_both),
            ", ".join(without),
        )
    if has_both.any():
        labels, probabilities = labels[:, has_both], probabilities[:, has_both]
        scores["auroc"] = float(metrics.roc_auc_score(labels, probabilities, average="macro"))
        scores["auprc"] = float(metrics.average_precision_score(labels, probabilities))
    return scores


def score_regression(
    labels: np.ndarray, values: np.ndarray, *, names: Sequence[str] | None = None
) -> dict[str, float]:
    """Score predicted values; with several targets, each score is the mean over targets.

    Args:
        labels: True values, shape (n,) or (n, targets).
        values: Predicted values, same shape; (n, 1) goes with (n,).
        names: Names of several targets.

    Returns:
        pearson, spearman and rmse, and with names both correlations of each target, as
        pearson_NAME. If the labels or the predictions of a target are constant,
        both correlations are undefined for it: they are left out, and a warning is logged.

    Raises:
        ValueError: If the shapes do not fit together.

    Example:
        >>> scores = score_regression(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0]))
        >>> {name: round(score, 3) for name, score in scores.items()}
        {'pearson': 1.0, 'spearman': 1.0, 'rmse': 1.0}
    """
    labels, values = _as_columns(labels), _as_columns(values)
    _check_shapes(labels, values, label_axes=2)
    rmse = float(np.sqrt(((labels - values) ** 2).mean(axis=0)).mean())
    is_constant = (np.ptp(labels, axis=0) == 0) | (np.ptp(values, axis=0) == 0)
    if is_constant.any():
        logger.warning(
            "labels or predictions are constant in %d of %d targets: Pearson and Spearman "
            "correlations are undefined and left out",
            is_constant.sum(),
            len(is_constant),
        )
    from scipy.stats import rankdata

    scores: dict[str, float] = {}
    pairs = {"pearson": (labels, values)}
    pairs["spearman"] = (rankdata(labels, axis=0), rankdata(values, axis=0))
    for score, columns in pairs.items():
        of_targets = _correlations(*(each[:, ~is_constant] for each in columns)).tolist()
        if not is_constant.any():
            scores[score] = float(np.mean(of_targets))
        if labels.shape[1] > 1 and names is not None:
            known = [name for name, is_out in zip(names, is_constant, strict=True) if not is_out]
            for name, value in zip(known, of_targets, strict=True):
                scores[f"{score}_{name}"] = value
    return {**scores, "rmse": rmse}


def _correlations(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Give Pearson's correlation of each column of (n, targets) arrays, shape (targets,)."""
    labels, values = labels - labels.mean(axis=0), values - values.mean(axis=0)
    norms = np.linalg.norm(labels, axis=0) * np.linalg.norm(values, axis=0)
    correlations: np.ndarray = (labels * values).sum(axis=0) / norms
    return correlations


def _as_columns(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    return array[:, None] if array.ndim == 1 else array


def _check_shapes(labels: np.ndarray, predictions: np.ndarray, *, label_axes: int) -> None:
    is_fitting = (
        predictions.ndim == 2
        and labels.ndim == label_axes
        and labels.shape == predictions.shape[:label_axes]
    )
    if not is_fitting or len(labels) == 0:
        wanted = "(n,)" if label_axes == 1 else "(n, columns)"
        raise ValueError(
            f"labels must have shape {wanted} and predictions (n, columns) with n > 0, got "
            f"{labels.shape} and {predictions.shape}"
        )
