import logging

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.splits import (
    check_splits,
    count_labels,
    labels_of,
    warn_of_bias,
    warn_of_few,
    warn_of_repeats,
    warn_of_scale,
    with_lengths,
    with_validation_split,
)

TWO = LabelScheme("single_label_classification", ("no", "yes"))
MANY = LabelScheme("multi_label_classification", ("liver", "skin"))
VALUE = LabelScheme("regression", ("value",))


def make(labels):
    ids = [str(index) for index in range(len(labels))]
    return Dataset.from_dict({"id": ids, "sequence": ["ACGT"] * len(labels), "labels": labels})


def test_classes_that_gc_or_length_tells_apart_are_warned_of_once(caplog):
    fair = make([0, 1] * 10)
    biased = Dataset.from_dict({"sequence": ["ACGT", "ACGTG"] * 10, "labels": [0, 1] * 10})
    pairs = biased.add_column("sequence_b", ["ACGT"] * 20)
    numbers = Dataset.from_dict({"sequence": ["ACGT", "ACGTG"], "labels": [0.0, 1.0]})
    with caplog.at_level(logging.WARNING):
        for data, scheme in ((fair, TWO), (pairs, TWO), (numbers, VALUE), (make([0, 0]), TWO)):
            warn_of_bias(data, scheme, source="a.tsv")
        assert caplog.messages == []
        for _ in range(2):
            warn_of_bias(biased, TWO, source="warned_of_once.tsv")
    start = "warned_of_once.tsv: {} alone tells the classes apart with an AUROC of 1.000"
    assert [message.startswith(start.format(name)) for message, name in
            zip(caplog.messages, ("GC", "length"), strict=True)] == [True, True]  # fmt: skip


def of(rows):
    sequences, labels = zip(*rows, strict=True)
    return Dataset.from_dict({"sequence": list(sequences), "labels": list(labels)})


def test_sequences_of_two_splits_and_of_two_labels_are_warned_of(caplog):
    """Of four test sequences one is in the training split, and one is its reverse complement."""
    train = of([("AACCG", 0), ("ACGTA", 1), ("GGGTT", 0), ("AACCC", 1)])  # the last two are equal
    test = of([("AACCG", 0), ("TACGT", 1), ("CCCCA", 0), ("GAGAG", 1)])
    fair = DatasetDict({"train": of([("AACCG", 0), ("ACGTA", 1)]), "test": of([("GAGAG", 1)])})
    with caplog.at_level(logging.WARNING):
        warn_of_repeats(fair, TWO, source="fair.tsv")
        assert caplog.messages == []
        for _ in range(2):
            warn_of_repeats(DatasetDict({"train": train, "test": test}), TWO, source="leak.tsv")
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("leak.tsv: 2 of 4 test sequences are in the training")
    assert caplog.messages[1].startswith("leak.tsv: 1 sequence (or reverse complements) have more")


def test_splits_of_a_few_sequences_are_warned_of(caplog):
    rows = [("ACGTA", 0), ("ACGTC", 1)]
    few, many = of(rows * 2), of(rows * 10)
    with caplog.at_level(logging.WARNING):
        warn_of_few(DatasetDict({"train": few, "validation": many}))
        assert caplog.messages == []
        warn_of_few(DatasetDict({"train": few, "validation": few, "test": few}))
    assert caplog.messages[0].startswith("the validation split has 4 sequences: scores, and the ch")
    assert caplog.messages[1].startswith("the test split has 4 sequences: scores on so few are")


def test_values_far_from_those_of_a_new_model_are_warned_of(caplog):
    warn_of_scale(make([0.5, -1.5, 3.0]), VALUE)
    warn_of_scale(make([900, 1100]), TWO)
    assert caplog.messages == []
    warn_of_scale(make([900.0, 1100.0]), VALUE)
    scheme = LabelScheme("regression", ("value_0", "value_1"))
    warn_of_scale(make([[1.0, 0.001], [2.0, 0.002]]), scheme)
    starts = ["the labels (value) have mean 1000 and standard deviation 100",
              "the labels (value_1) have mean 0.0015 and standard deviation 0.0005"]  # fmt: skip
    assert [text.split(", and what")[0] for text in caplog.messages] == starts


def test_a_tenth_of_each_class_is_set_apart_and_said(caplog):
    splits = DatasetDict({"train": make([0] * 80 + [1] * 20)})
    with caplog.at_level(logging.WARNING):
        made = with_validation_split(splits, TWO, seed=1)
    assert np.bincount(labels_of(made["validation"])).tolist() == [8, 2]
    assert np.bincount(labels_of(made["train"])).tolist() == [72, 18]
    assert not set(made["train"]["id"]) & set(made["validation"]["id"])
    assert "10 of 100 training sequences were set apart for it (seed 1)" in caplog.text


def test_the_seed_decides_which_sequences_are_set_apart(caplog):
    splits = DatasetDict({"train": make([0, 1] * 50)})
    chosen = [
        with_validation_split(splits, TWO, seed=seed)["validation"]["id"] for seed in (1, 1, 2)
    ]
    assert list(chosen[0]) == list(chosen[1]) != list(chosen[2])


def test_rare_classes_are_in_both_parts_and_single_ones_stay_for_training(caplog):
    three = LabelScheme("single_label_classification", ("a", "b", "c"))
    made = with_validation_split(DatasetDict({"train": make([0, 0, 1, 1, 2])}), three, seed=0)
    assert np.bincount(labels_of(made["validation"]), minlength=3).tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([0] * 59 + [1], "found 1 of 'b'; add some"),
        ([0, 1, 2, 3, 4], "of 'a', 'b', 'c' and 2 more"),
    ],
)
def test_too_few_of_a_class_to_set_one_apart_are_named(labels, found):
    scheme = LabelScheme("single_label_classification", tuple("abcde"))
    with pytest.raises(ValueError, match=f"each class must have at least 2 .*{found}"):
        with_validation_split(DatasetDict({"train": make(labels)}), scheme, seed=0)


def test_regression_sets_apart_a_tenth_of_all(caplog):
    made = with_validation_split(
        DatasetDict({"train": make([float(value) for value in range(30)])}), VALUE, seed=0
    )
    assert (len(made["train"]), len(made["validation"])) == (27, 3)


def test_a_validation_split_is_left_as_it_is():
    splits = DatasetDict({"train": make([0, 1]), "validation": make([0, 1])})
    assert with_validation_split(splits, TWO, seed=0) is splits


def test_one_sequence_cannot_be_split():
    with pytest.raises(ValueError, match=r"at least 2 sequences, .* found 1"):
        with_validation_split(DatasetDict({"train": make([1])}), TWO, seed=0)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_an_empty_split_is_named(split):
    splits = DatasetDict({"train": make([0, 1]), "validation": make([0, 1])})
    splits[split] = make([0, 1]).select([])
    with pytest.raises(ValueError, match=f"the {split} split must hold sequences, found none"):
        check_splits(splits, TWO)


@pytest.mark.parametrize(
    ("scheme", "labels", "found"),
    [
        (TWO, [1, 1, 1], "found only yes in 3 sequences"),
        (VALUE, [0.5, 0.5], "found only 0.5 in 2 sequences"),
        (MANY, [[0.0, 1.0], [0.0, 1.0]], "found each class in all or in none of them"),
    ],
)
def test_a_split_that_cannot_be_scored_is_refused(scheme, labels, found):
    splits = DatasetDict({"train": make(labels), "test": make(labels)})
    with pytest.raises(ValueError, match=f"the test split must hold different labels .*{found}"):
        check_splits(splits, scheme)


@pytest.mark.parametrize(
    ("scheme", "labels", "counts"),
    [
        (TWO, [1, 1, 0], {"no": 1, "yes": 2}),
        (MANY, [[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]], {"liver": 1, "skin": 2}),
        (VALUE, [0.5, 1.5], {}),
    ],
)
def test_splits_that_can_be_scored_pass_and_are_counted(scheme, labels, counts):
    check_splits(DatasetDict({"train": make(labels), "validation": make(labels)}), scheme)
    assert count_labels(make(labels), scheme) == counts


def test_lengths_count_both_sequences_of_a_pair():
    pairs = Dataset.from_dict({"sequence": ["ACGT", "AC"], "sequence_b": ["A", "CCC"]})
    splits, varies = with_lengths(DatasetDict({"train": pairs, "test": pairs.select([0])}))
    assert list(splits["train"]["length"]) == [5, 5]
    assert list(splits["test"]["length"]) == [5]
    assert not varies


def test_different_lengths_in_training_are_seen():
    data = Dataset.from_dict({"sequence": ["ACGT", "AC"]})
    assert with_lengths(DatasetDict({"train": data}))[1]
