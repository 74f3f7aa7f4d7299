import logging

import pytest

from dnabert_hf.data.labelled.dataset import read_dataset
from dnabert_hf.data.labelled.label_check import describe_labels, find_doubtful_labels
from dnabert_hf.data.labelled.labels import LabelScheme, infer_labels


def doubts(*labels):
    scheme = infer_labels(labels)
    return find_doubtful_labels(scheme, scheme.count(labels))


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (["BOUND"] * 9 + ["bound"] * 9 + ["free"] * 9, "'BOUND' (9), 'bound' (9) differ in case"),
        (["00"] * 9 + ["0"] * 9 + ["1"] * 9, "'0' (9), '00' (9) differ in case or leading zeros"),
        (["+1"] * 9 + ["1"] * 9 + ["0"] * 9, "'+1' (9), '1' (9) differ"),
        (["TF A"] * 9 + ["TFA"] * 9, "'TF A' (9), 'TFA' (9) differ"),
        (
            ["donor"] * 9 + ["none"] * 9 + ["NA"] * 7,
            "the class 'NA' (7) looks like a missing value",
        ),
        (["donor"] * 9 + ["none"] * 9 + ["<NA>"] * 7, "'<NA>' (7) looks like a missing value"),
        (["MARCH2"] * 9 + ["1-Mar"] * 9, "'1-Mar' (9) look like dates"),
        (["0"] * 9 + ["1"] * 9 + ["?"] * 7, "'?' (7) stand among numbers"),
        (["0"] * 9 + ["1"] * 9 + ["None"] * 7, "'None' (7) stand among numbers"),
        (["5"] * 9 + ["6"] * 9 + ["<5"] * 7, "'<5' (7) stand among numbers"),
        (["0.1;0.5", "0.2;NA"], "'0.1' are taken for classes: if they are values"),
        (["bound"] * 9 + ["free"] * 9 + ["fre"] * 2, "'fre' (2) have fewer than 5 records"),
        (["id1", "id2", "id3"], "3 classes with one record each, such as 'id1': nothing can be"),
        ([str(i) for i in range(60)], "60 numbers with one record each are taken for classes: if"),
        ([f"{i}.0" for i in range(60)], "60 numbers with one record each are taken for classes"),
        ([str(i) for i in range(30)] * 9, "30 whole numbers are taken for classes: if they are"),
        ([f"{i}%" for i in range(60)], "60 numbers with percent signs, such as '0%', are taken"),
        (["1.5 %"] * 9 + ["2 %", "3 %"], "if they are values, write '1.5' and say so"),
        (["1;0", "1", "NaN"], "the class 'NaN' (1) looks like a missing value"),
        (["a;b", "a", "NA"], "the class 'NA' (1) looks like a missing value"),
        (["a;b", "a;n/a", "#N/A"], "'#N/A' (1), 'n/a' (1) looks like a missing value"),
    ],
)
def test_what_may_be_no_class_is_named(labels, text):
    (doubt,) = doubts(*labels)
    assert text in doubt


@pytest.mark.parametrize(
    "labels",
    [
        ["0"] * 9 + ["1"] * 9,
        ["donor"] * 9 + ["acceptor"] * 9 + ["none"] * 9,
        ["1.5", "2.5"],
        ["a", "b"],
        ["5%"] * 9 + ["10%"] * 9,
        ["a;b", "A"],
        ["1;2", "2;3"],
    ],
)
def test_nothing_is_said_of_ordinary_labels(labels):
    assert doubts(*labels) == []


@pytest.mark.parametrize(
    ("scheme", "counts", "text"),
    [
        (
            LabelScheme("single_label_classification", ("0", "1", "NA")),
            {"0": 90, "1": 89, "NA": 1},
            "task: one class a sequence; 180 sequences, 3 classes: 0 (90), 1 (89), NA (1)",
        ),
        (LabelScheme("regression", ("value",)), {}, "task: regression (values); 180 sequences"),
        (
            LabelScheme("regression", ("value_0", "value_1")),
            {},
            "task: regression (values); 180 sequences with 2 values each",
        ),
        (
            LabelScheme("single_label_classification", tuple(map(str, range(12)))),
            {},
            "0), 9 (0) and 2 more classes",
        ),
    ],
)
def test_the_task_and_its_classes_are_said(scheme, counts, text):
    assert text in describe_labels(scheme, counts, 180)


def test_reading_a_data_set_says_what_was_found(tmp_path, caplog):
    path = tmp_path / "d.tsv"
    labels = ["0.0"] * 6 + ["1.0"] * 6 + ["2.0"]
    path.write_text("sequence\tlabel\n" + "".join(f"ACGT\t{label}\n" for label in labels))
    with caplog.at_level(logging.INFO):
        read_dataset(path)
    assert caplog.messages == [
        f"{path}: task: one class a sequence; 13 sequences, 3 classes: 0 (6), 1 (6), 2 (1)",
        f"{path}: the classes '2' (1) have fewer than 5 records: add some, or take them out if "
        "they are mistakes",
    ]
