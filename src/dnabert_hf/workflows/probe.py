"""What embeddings know of classes: a linear probe and k nearest neighbours, beside k-mer counts."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from datasets import DatasetDict

from dnabert_hf.data.labelled.dataset import read_dataset
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import positive_id
from dnabert_hf.data.labelled.splits import (
    check_splits,
    labels_of,
    warn_of_few,
    warn_of_repeats,
    with_validation_split,
)
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.files.atomic import write_json
from dnabert_hf.inference.embed import Pooling
from dnabert_hf.inference.embeddings.nearest import embed_set
from dnabert_hf.inference.output.writer import check_output
from dnabert_hf.inference.run import RunFields, RunOptions
from dnabert_hf.metrics.scores import score_classification
from dnabert_hf.training.kmer_counts.kmer_regression import (
    choose_strength,
    no_regression,
    score_kmer_regression,
)

__all__ = ["ProbeResult", "linear_probe", "nearest_neighbour_probe", "probe"]

logger = logging.getLogger(__name__)

_SEED = 42  # of the validation split where there is none, as `finetune` has it
LINEAR, COUNTS = "linear probe", "5-mer regression"


@dataclass(frozen=True)
class ProbeResult:
    """Scores of classifiers that see nothing but embeddings, and of one that sees none.

    Attributes:
        scores: By split (validation, test), then by classifier ("linear probe", "5-NN" and the
            like, "5-mer regression"), then by metric.
        n_sequences: Sequences of each split, train among them.
        strength: C of the linear probe, chosen by cross-validation in the training split.
        advice: What to conclude where the regression does better; None where it does not.
    """

    scores: dict[str, dict[str, dict[str, float]]]
    n_sequences: dict[str, int]
    strength: float
    advice: str | None

    def to_json(self) -> dict[str, Any]:
        """Give all of it as one mapping."""
        return {
            "sequences": self.n_sequences,
            "strength": self.strength,
            "scores": self.scores,
            "advice": self.advice,
        }


def probe(
    model: Any,
    data: str | Path | Mapping[str, str | Path],
    *,
    output: str | Path | None = None,
    pooling: Pooling = "mean",
    neighbours: int = 5,
    **options: Unpack[RunFields],
) -> ProbeResult:
    """Score what the embeddings of a model, which is not trained, tell of the classes.

    A logistic regression and a vote of the nearest neighbours learn the embeddings of the training
    split, and are scored on the others; so is a logistic regression on 5-mer counts of the same
    sequences, which an embedding that is worth its time does better than.

    Args:
        model: As in `embed`; of a classifier, the encoder is used.
        data: Labelled sequences with their splits, as `finetune` takes them; one class each.
        output: JSON file to write the scores to.
        pooling: As in `embed`: "mean" or "cls".
        neighbours: Nearest neighbours that vote.
        **options: The fields of `RunOptions`; there are no shards.

    Returns:
        The scores.

    Raises:
        ValueError: If the data, the model or the output cannot be used.
    """
    running = RunOptions.of(options, excluded=["shard"])
    if output is not None:
        files = data.values() if isinstance(data, Mapping) else [data]
        check_output(output, overwrite=running.overwrite, inputs=files)
    if pooling not in ("mean", "cls"):
        raise ValueError(f"pooling must be mean or cls, one vector a sequence, got {pooling!r}")
    splits, scheme = read_dataset(data, columns=running.columns)
    source = str(data)
    if reason := no_regression(splits["train"], scheme):
        raise ValueError(f"{source}: a probe cannot be fitted: {reason}")
    if "test" not in splits:
        splits = with_validation_split(splits, scheme, seed=_SEED)
    check_splits(splits, scheme)
    n_train = len(splits["train"])
    if not 1 <= neighbours <= n_train:
        raise ValueError(
            f"neighbours must be from 1 to {n_train}, the training sequences, got {neighbours}"
        )
    warn_of_few(splits)
    warn_of_repeats(splits, scheme, source=source)
    vectors = _embed_splits(model, splits, pooling, options)
    scores, strength = _score(vectors, splits, scheme, neighbours)
    for name, found in score_kmer_regression(splits, scheme).items():
        scores[name][COUNTS] = found
    result = ProbeResult(
        scores=scores,
        n_sequences={name: len(each) for name, each in splits.items()},
        strength=strength,
        advice=_advise(scores),
    )
    if output is not None:
        write_json(
            {
                "model": str(model),
                "data": source,
                "pooling": pooling,
                "neighbours": neighbours,
                **result.to_json(),
            },
            Path(output),
        )
    return result


def _embed_splits(
    model: Any, splits: DatasetDict, pooling: Pooling, options: RunFields
) -> dict[str, np.ndarray]:
    records = [
        SequenceRecord(name, sequence)
        for each in splits.values()
        for name, sequence in zip(each["id"], each["sequence"], strict=True)
    ]
    running: Any = {
        name: value for name, value in options.items() if name not in ("columns", "overwrite")
    }
    if running.get("skip_short"):
        raise ValueError("every sequence has a label to be scored by: skip_short is not for probes")
    found = embed_set(model, records, pooling=pooling, **running)
    vectors = np.concatenate([block for _, block in found.blocks()])
    ends = np.cumsum([len(each) for each in splits.values()])
    return dict(zip(splits, np.split(vectors, ends[:-1]), strict=True))


def _score(
    vectors: Mapping[str, np.ndarray], splits: DatasetDict, scheme: LabelScheme, k: int
) -> tuple[dict[str, dict[str, dict[str, float]]], float]:
    held = [name for name in splits if name != "train"]
    labels = labels_of(splits["train"])
    asked = np.concatenate([vectors[name] for name in held])
    probabilities, strength = linear_probe(vectors["train"], labels, asked)
    votes = nearest_neighbour_probe(vectors["train"], labels, asked, k=k)
    ends = np.cumsum([len(vectors[name]) for name in held])[:-1]
    scores: dict[str, dict[str, dict[str, float]]] = {name: {} for name in held}
    for kind, predicted in ((LINEAR, probabilities), (f"{k}-NN", votes)):
        for name, part in zip(held, np.split(predicted, ends), strict=True):
            scores[name][kind] = score_classification(
                labels_of(splits[name]), part, names=scheme.names, positive=positive_id(scheme)
            )
    return scores, strength


def linear_probe(
    train: np.ndarray, labels: np.ndarray, vectors: np.ndarray
) -> tuple[np.ndarray, float]:
    """Predict classes by logistic regression on standardised embeddings.

    The strength of its L2 penalty is chosen as for the regression on k-mer counts, by
    cross-validation among the training vectors.

    Args:
        train: Embeddings to learn, shape (n, dimensions).
        labels: Their class indices from 0, shape (n,).
        vectors: Embeddings to predict, shape (m, dimensions).

    Returns:
        Probability of each class, shape (m, classes), and the strength (C of scikit-learn).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(np.asarray(train, dtype=np.float64))
    known, asked = scaler.transform(train), scaler.transform(vectors)
    strength = choose_strength(known, labels)
    regression = LogisticRegression(C=strength, max_iter=1000).fit(known, labels)
    return np.asarray(regression.predict_proba(asked)), strength


def nearest_neighbour_probe(
    train: np.ndarray, labels: np.ndarray, vectors: np.ndarray, *, k: int
) -> np.ndarray:
    """Predict classes by a vote of the nearest embeddings.

    Nearest by the cosine of standardised embeddings: without that all are near each other, since
    most dimensions differ little among sequences.

    Args:
        train: Embeddings that vote, shape (n, dimensions).
        labels: Their class indices from 0, shape (n,).
        vectors: Embeddings to predict, shape (m, dimensions).
        k: How many vote.

    Returns:
        Share of the votes of each class, shape (m, classes).
    """
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(np.asarray(train, dtype=np.float64))
    voters = KNeighborsClassifier(k, metric="cosine").fit(scaler.transform(train), labels)
    return np.asarray(voters.predict_proba(scaler.transform(vectors)))


def _advise(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str | None:
    """Say where counts of 5-mers do better than what was learnt from embeddings."""
    name, last = list(scores.items())[-1]
    best = max((kind for kind in last if kind != COUNTS), key=lambda kind: last[kind]["mcc"])
    counts, embedded = last[COUNTS]["mcc"], last[best]["mcc"]
    if counts <= embedded:
        return None
    return (
        f"a logistic regression on 5-mer counts does better on {name} (MCC {counts:.3f}) than the "
        f"{best} on embeddings ({embedded:.3f}): as they are, these embeddings add nothing that "
        "counts do not tell; fine-tune the model, or take the counts"
    )
