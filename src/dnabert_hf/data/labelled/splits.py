"""Train, validation and test sets: made where missing, and checked before training."""

import logging
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict

from dnabert_hf.data.labelled.composition_bias import (
    bound_bias,
    describe_bias,
    measure_bias,
    measure_sequences,
)
from dnabert_hf.data.labelled.labels import UNLABELLED_ID, LabelScheme
from dnabert_hf.data.labelled.similarity_split import number_equal

__all__ = [
    "check_splits",
    "count_labels",
    "labels_of",
    "measure_lengths",
    "warn_of_bias",
    "warn_of_few",
    "warn_of_repeats",
    "warn_of_scale",
    "with_lengths",
    "with_validation_split",
]

logger = logging.getLogger(__name__)

_VALIDATION_SHARE = 0.1
_MEASURED = 50_000  # sequences that tell of a bias
_FEW = 20  # sequences of a split whose scores are chance
_FAR = 10  # from 0 is what a head that begins near 0 hardly reaches in a training


def labels_of(dataset: Dataset) -> np.ndarray:
    """Read the labels of a data set: shape (n,), or (n, classes) for several a sequence.

    Those of bases come one after the other, without the bases that have none, shape (bases,).
    """
    column = dataset.select_columns("labels").with_format("arrow")[:]["labels"]
    if pa.types.is_list(column.type) and pa.types.is_integer(column.type.value_type):
        of_bases = pc.list_flatten(column).to_numpy()
        return np.asarray(of_bases[of_bases != UNLABELLED_ID].astype(np.int64))
    return np.asarray(dataset.select_columns("labels").with_format("numpy")[:]["labels"])


def with_lengths(splits: DatasetDict) -> tuple[DatasetDict, bool]:
    """Add the number of bases as a column, by which the Trainer makes batches of like lengths.

    Args:
        splits: Data sets by split.

    Returns:
        The splits with a column "length" (both sequences of a pair together), and whether the
        lengths of the training set differ.
    """
    columns = {}
    for name, dataset in splits.items():
        parts = [part for part in ("sequence", "sequence_b") if part in dataset.column_names]
        lengths = [pc.utf8_length(dataset.data.column(part)).to_numpy() for part in parts]
        columns[name] = np.sum(lengths, axis=0)
    with_column = {
        name: dataset.add_column("length", columns[name]) for name, dataset in splits.items()
    }
    return DatasetDict(with_column), len(np.unique(columns["train"])) > 1


def measure_lengths(dataset: Dataset) -> list[int]:
    """Measure the sequences of a data set.

    Args:
        dataset: Data set with the column "length", as `with_lengths` adds it.

    Returns:
        The fewest, the median and the most bases.

    Example:
        >>> measure_lengths(Dataset.from_dict({"length": [101, 90, 300]}))
        [90, 101, 300]
    """
    lengths = np.asarray(dataset["length"])
    return [int(lengths.min()), int(np.median(lengths)), int(lengths.max())]


def with_validation_split(splits: DatasetDict, scheme: LabelScheme, *, seed: int) -> DatasetDict:
    """Set a tenth of the training set apart for validation where there is no validation set.

    Args:
        splits: Data sets by split.
        scheme: Labels of the data; the share is taken from each class where sequences have one.
        seed: Seed of the choice.

    Returns:
        The splits with "validation" among them.

    Raises:
        ValueError: If there are fewer than two sequences to train on, or fewer than two classes
            have two.
    """
    if "validation" in splits:
        return splits
    train = splits["train"]
    if len(train) < 2:
        raise ValueError(
            f"the training set must hold at least 2 sequences, to set one apart for validation, "
            f"found {len(train)}; add sequences"
        )
    groups = np.zeros(len(train), dtype=np.int64)
    if scheme.problem_type == "single_label_classification":
        groups = labels_of(train)
    generator = np.random.default_rng(seed)
    is_held = np.zeros(len(train), dtype=bool)
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        # At least one of every class, or scores such as MCC would be undefined; but not the last.
        n_held = min(max(round(_VALIDATION_SHARE * len(members)), 1), len(members) - 1)
        is_held[generator.permutation(members)[:n_held]] = True
    _check_held(groups, is_held, scheme)
    logger.warning(
        "there is no validation split: %d of %d training sequences were set apart for it "
        "(seed %d); add a dev file or a split column to choose them yourself",
        is_held.sum(),
        len(train),
        seed,
    )
    chosen = {
        "train": train.select(np.flatnonzero(~is_held)),
        "validation": train.select(np.flatnonzero(is_held)),
    }
    return DatasetDict({**splits, **chosen})


def _check_held(groups: np.ndarray, is_held: np.ndarray, scheme: LabelScheme) -> None:
    """Name classes with too few sequences, if that leaves one class or none for validation."""
    names, counts = np.unique(groups, return_counts=True)
    if len(names) < 2 or len(np.unique(groups[is_held])) >= 2:
        return
    single = [scheme.names[name] for name in names[counts == 1]]
    more = f" and {len(single) - 3:,} more classes" if len(single) > 3 else ""
    raise ValueError(
        "each class must have at least 2 training sequences, one of them to set apart for "
        f"validation, found 1 of {', '.join(map(repr, single[:3]))}{more}; add some (5 or more of "
        "each class), or give a validation split"
    )


def check_splits(splits: DatasetDict, scheme: LabelScheme) -> None:
    """Make sure that every split can be scored before hours go into training.

    Args:
        splits: Data sets by split.
        scheme: Labels of the data.

    Raises:
        ValueError: If a split is empty, or the labels of validation or test are all the same.
    """
    for name, dataset in splits.items():
        if len(dataset) == 0:
            raise ValueError(
                f"the {name} split must hold sequences, found none; add some or remove the split"
            )
        if name == "train":
            continue
        labels = labels_of(dataset)
        if not len(labels):
            raise ValueError(f"the {name} split must have labelled bases, found none; add some")
        if scheme.problem_type == "multi_label_classification":
            is_scorable = bool((labels.min(axis=0) != labels.max(axis=0)).any())
            found = "each class in all or in none of them"
        else:
            is_scorable = bool((labels != labels[0]).any())
            first = np.ravel(labels[0])[0]
            is_class = scheme.problem_type != "regression"
            found = f"only {scheme.names[first] if is_class else first!s}"
        if not is_scorable:
            raise ValueError(
                f"the {name} split must hold different labels to be scored, found {found} in "
                f"{len(labels)} sequences; add sequences with other labels"
            )


def warn_of_bias(train: Dataset, scheme: LabelScheme, *, source: str) -> None:
    """Warn where GC content or length alone tells the classes apart, with the AUROC.

    Not where so few sequences may do so by chance (see `bound_bias`).

    Args:
        train: Training sequences; 50,000 at most are used, evenly spaced.
        scheme: Their labels; only those of one class a sequence are used.
        source: Where they are from; the same is said once a process.
    """
    if scheme.problem_type != "single_label_classification" or "sequence_b" in train.column_names:
        return
    rows = train.select(range(0, len(train), -(-len(train) // _MEASURED) or 1))
    labels = labels_of(rows)
    if len(np.unique(labels)) < 2:
        return
    measures = measure_sequences(rows["sequence"][:])
    for name, values in (("GC", measures.gc), ("length", measures.lengths)):
        at_least = bound_bias(values, labels)
        if sentence := describe_bias(name, measure_bias(values, labels), at_least=at_least):
            _warn_once(f"{source}: {sentence}")


def warn_of_repeats(splits: DatasetDict, scheme: LabelScheme, *, source: str) -> None:
    """Warn of sequences that stand in two splits, and of those with two labels.

    Reverse complements count as equal; pairs and labels of bases are not looked at.

    Args:
        splits: Data sets by split.
        scheme: Their labels.
        source: Where they are from; the same is said once a process.
    """
    is_pair = "sequence_b" in splits["train"].column_names
    if is_pair or scheme.problem_type == "token_classification":
        return
    sizes = [len(each) for each in splits.values()]
    forms = number_equal(
        [sequence for each in splits.values() for sequence in each["sequence"][:]],
        both_strands=True,
    )
    parts = dict(zip(splits, np.split(forms, np.cumsum(sizes)[:-1]), strict=True))
    if shared := {
        f"{np.isin(part, parts['train']).sum():,} of {len(part):,} {name} sequences"
        for name, part in parts.items()
        if name != "train" and np.isin(part, parts["train"]).any()
    }:
        _warn_once(
            f"{source}: {' and '.join(sorted(shared))} are in the training split too, or their "
            "reverse complements are: scores there say how well the model remembers; `dnabert "
            "dataset check` names some, and finds near duplicates as well"
        )
    labels = np.concatenate([labels_of(each) for each in splits.values()])
    if scheme.problem_type == "regression" or not len(labels):
        return
    pairs = np.unique(np.column_stack([forms, labels.reshape(len(labels), -1)]), axis=0)
    if n := int((np.bincount(pairs[:, 0].astype(np.int64)) > 1).sum()):
        _warn_once(
            f"{source}: {n:,} sequence{'s' * (n != 1)} (or reverse complements) have more than one "
            "label: no model can get all of them right; `dnabert dataset check` names some"
        )


def warn_of_few(splits: DatasetDict) -> None:
    """Warn of splits that are too small to choose a checkpoint by, or to believe a score of."""
    for name, each in splits.items():
        if name != "train" and len(each) < _FEW:
            logger.warning(
                "the %s split has %d sequences: %s on so few are mostly chance; have 100 or more",
                name,
                len(each),
                "scores, and the choice of a checkpoint," if name == "validation" else "scores",
            )


def warn_of_scale(train: Dataset, scheme: LabelScheme) -> None:
    """Warn of values far from 0 or of another size than 1, to which a model may not get."""
    if scheme.problem_type != "regression":
        return
    values = labels_of(train).reshape(len(train), -1)
    for name, mean, deviation in zip(
        scheme.names, values.mean(axis=0).tolist(), values.std(axis=0).tolist(), strict=True
    ):
        if abs(mean) > _FAR or deviation > _FAR or 0 < deviation < 1 / (_FAR * _FAR):
            _warn_once(
                f"the labels ({name}) have mean {mean:.4g} and standard deviation {deviation:.4g}, "
                "and what a model says begins near 0 with a size of 1, from where it may not get "
                "there: train on (label - mean) / deviation, or on logarithms"
            )


@lru_cache
def _warn_once(message: str) -> None:
    """Warn, but not again for every model that learns the same data."""
    logger.warning("%s", message)


def count_labels(dataset: Dataset, scheme: LabelScheme) -> dict[str, int]:
    """Count the sequences (or bases) of each class, by class name; nothing for regression."""
    if scheme.problem_type == "regression":
        return {}
    labels = labels_of(dataset)
    if scheme.problem_type != "multi_label_classification":
        counts = np.bincount(labels, minlength=len(scheme.names))
    else:
        counts = labels.astype(np.int64).sum(axis=0)
    return dict(zip(scheme.names, counts.tolist(), strict=True))
