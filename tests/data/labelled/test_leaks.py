import json
from dataclasses import asdict

import numpy as np
import pytest

from dnabert_hf.data.labelled.composition_bias import (
    bound_bias,
    measure_bias,
    standard_error,
)
from dnabert_hf.data.labelled.leaks import format_report, report_dataset
from dnabert_hf.data.reading.sequences import reverse_complement

SPLITS = ("train", "dev", "test")
KINDS = ("exact_duplicates", "reverse_complements", "near_duplicates", "conflicting_labels")


def random_dna(length, *, seed):
    return "".join(np.array(list("ACGT"))[np.random.default_rng(seed).integers(0, 4, length)])


def clean_rows():
    """Thirty unrelated sequences as (id, sequence, label, split), ten in each split."""
    return [(f"clean{i}", random_dna(300, seed=i), "01"[i % 2], SPLITS[i // 10]) for i in range(30)]


def report_rows(rows, **options):
    ids, sequences, labels, splits = zip(*rows, strict=True)
    return report_dataset(sequences, labels, splits, ids=ids, **options)


def found(report):
    return {kind: getattr(report, kind).n_sets for kind in KINDS if getattr(report, kind).n_sets}


FIRST = random_dna(300, seed=0)  # clean0: train, label 0


def test_a_clean_set_has_no_leak():
    report = report_rows(clean_rows())
    assert found(report) == {}
    assert not report.has_leaks
    assert report.n_duplicates_within == {"train": 0, "dev": 0, "test": 0}


@pytest.mark.parametrize(
    ("sequence", "label", "split", "kind"),
    [
        (FIRST, "0", "test", "exact_duplicates"),
        (FIRST.lower(), "0", "test", "exact_duplicates"),
        (reverse_complement(FIRST), "0", "dev", "reverse_complements"),
        (FIRST[100:] + random_dna(100, seed=99), "0", "test", "near_duplicates"),
        (
            reverse_complement(FIRST[:200]) + random_dna(9, seed=99),
            "1",
            "dev",
            "near_duplicates",
        ),
        (FIRST, "1", "train", "conflicting_labels"),
        (reverse_complement(FIRST), "1", "train", "conflicting_labels"),
    ],
)
def test_a_planted_leak_is_found_and_nothing_else(sequence, label, split, kind):
    report = report_rows([*clean_rows(), ("planted", sequence, label, split)])
    assert found(report) == {kind: 1}
    assert report.has_leaks
    leak = getattr(report, kind)
    assert leak.n_sequences == 2
    (example,) = leak.examples
    assert example.ids == ("clean0", "planted")
    assert example.splits == ("train", split)
    assert example.labels == ("0", label)


def test_several_leaks_are_told_apart():
    rows = clean_rows()
    planted = [
        ("copy", rows[0][1], "0", "dev"),
        ("turned", reverse_complement(rows[1][1]), "1", "test"),
        ("shifted", rows[2][1][50:], "0", "test"),
        ("relabelled", rows[3][1], "0", "train"),
    ]
    report = report_rows(rows + planted)
    assert [getattr(report, kind).examples[0].ids for kind in KINDS] == [
        ("clean0", "copy"),
        ("clean1", "turned"),
        ("clean2", "shifted"),
        ("clean3", "relabelled"),
    ]
    assert [getattr(report, kind).n_sets for kind in KINDS] == [1, 1, 1, 1]


def test_repeats_within_a_split_are_counted_but_no_leak():
    rows = clean_rows()
    rows += [
        ("again", FIRST, "0", "train"),
        ("turned", reverse_complement(FIRST), "0", "train"),
        ("near", rows[10][1][50:], "0", "dev"),
    ]
    report = report_rows(rows)
    assert not report.has_leaks
    assert report.n_duplicates_within == {"train": 2, "dev": 0, "test": 0}


def test_an_example_shows_two_that_differ_in_strand_and_split():
    turned = reverse_complement(FIRST)
    rows = [
        ("a", FIRST, "0", "train"),
        ("b", FIRST, "0", "dev"),
        ("c", turned, "0", "train"),
        ("d", random_dna(300, seed=1), "1", "dev"),
    ]
    report = report_rows(rows)
    # Read from the first on, a and b are of one strand, a and c of one split.
    assert report.reverse_complements.examples[0].ids == ("b", "c")
    assert report.reverse_complements.n_sequences == 3
    assert report.exact_duplicates.examples[0].ids == ("a", "b")


def test_five_examples_are_shown_in_the_order_of_the_rows():
    copies = [
        (f"copy{i}", sequence, label, "test")
        for i, (_, sequence, label, _) in enumerate(clean_rows()[:7])
    ]
    report = report_rows([*clean_rows(), *reversed(copies)])
    assert report.exact_duplicates.n_sets == 7
    assert report.exact_duplicates.n_sequences == 14
    assert [example.ids for example in report.exact_duplicates.examples] == [
        (f"clean{i}", f"copy{i}") for i in range(5)
    ]


def test_statistics_of_splits_and_classes():
    report = report_dataset(
        ["ACGT", "GGGGCN", "AATT", "CC", "NN"],
        ["one", "other", "one", "one", "other"],
        ["train", "train", "train", "dev", "dev"],
    )
    rows = [tuple(asdict(part).values()) for part in report.statistics]
    # GC: 2 of 4, 5 of 5 known, 0 of 4; 2 of 2, none known.
    assert rows == [
        ("train", None, 3, 0.5, pytest.approx(14 / 3), 4, 6, 1),
        ("train", "one", 2, 0.25, 4.0, 4, 4, 0),
        ("train", "other", 1, 1.0, 6.0, 6, 6, 1),
        ("dev", None, 2, 0.5, 2.0, 2, 2, 1),
        ("dev", "one", 1, 1.0, 2.0, 2, 2, 0),
        ("dev", "other", 1, 0.0, 2.0, 2, 2, 1),
    ]


def test_a_class_that_a_split_lacks_has_no_line():
    report = report_dataset(["ACGT", "AAGT", "CCGT"], ["a", "b", "a"], ["train", "train", "test"])
    assert [(part.split, part.label) for part in report.statistics] == [
        ("train", None),
        ("train", "a"),
        ("train", "b"),
        ("test", None),
        ("test", "a"),
    ]


def test_classes_that_gc_tells_apart_are_warned_of():
    # GC 0.25, 0.5 against 0.5, 1: of four pairs three are won and one is tied. All have 4 bases.
    report = report_dataset(
        ["ATTC", "ACGT", "GATC", "GGCC"] * 20, list("0011") * 20, ["train"] * 80
    )
    assert report.bias == {"GC": 0.875, "length": 0.5}
    (warning,) = report.warnings
    assert "GC alone tells the classes apart with an AUROC of 0.875" in warning
    assert "matched by GC" in warning
    assert f"warning: {warning}" in format_report(report)


def test_classes_that_length_tells_apart_are_warned_of():
    report = report_dataset(
        ["AC", "ACG", "ACGTAC", "ACGTACG"] * 5, list("1100") * 5, ["train"] * 20
    )
    assert report.bias["length"] == 1.0
    assert any("length alone" in w and "one length" in w for w in report.warnings)


def test_with_three_classes_pairs_count_alike_whichever_is_larger():
    # a-b 1.0, a-c 0.5 (0.3 and 0.5 around 0.4), b-c 1.0; b is the lowest.
    values = np.array([0.3, 0.5, 0.1, 0.1, 0.4])
    assert measure_bias(values, np.array(list("aabbc"))) == pytest.approx(2.5 / 3)


def test_one_class_has_no_bias():
    with pytest.raises(ValueError, match="classes must be two or more, got 1"):
        measure_bias(np.array([0.1, 0.2]), np.array(["a", "a"]))


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (["0.5", "1", "2"], {}),
        (["a;b", "a", ""], {}),
        (["0", "1", "2"], {"problem_type": "regression"}),
    ],
)
def test_labels_that_are_no_classes_have_only_splits_and_leaks(labels, options):
    splits = ["train", "train", "test"]
    report = report_dataset(["ACGG", "AAGT", "CCGT"], labels, splits, **options)
    assert [(part.split, part.label) for part in report.statistics] == [
        ("train", None),
        ("test", None),
    ]
    assert report.bias == {}
    assert report.warnings == ()
    # ACGG is the other strand of CCGT.
    assert report.reverse_complements.examples[0].ids == ("0", "2")
    assert not any("AUROC" in line for line in format_report(report))


def test_a_report_is_written_as_json():
    report = report_rows([*clean_rows(), ("copy", FIRST, "0", "test")])
    written = json.loads(json.dumps(asdict(report)))
    assert written["exact_duplicates"] == {
        "n_sets": 1,
        "n_sequences": 2,
        "examples": [
            {"ids": ["clean0", "copy"], "splits": ["train", "test"], "labels": ["0", "0"]}
        ],
    }
    assert written["statistics"][0]["n_sequences"] == 10


def test_the_text_says_what_was_found():
    rows = [("a", "ACGT", "0", "train"), ("b", "AANT", "1", "train"), ("c", "ACGT", "0", "test")]
    lines = format_report(report_rows([*rows, ("d", "AANT", "1", "train")]))
    assert lines == [
        "split       class          sequences     GC            bases unknown",
        "train       all                    3  0.167          4-4 (4)       2",
        "train       0                      1  0.500          4-4 (4)       0",
        "train       1                      2  0.000          4-4 (4)       2",
        "test        all                    1  0.500          4-4 (4)       0",
        "test        0                      1  0.500          4-4 (4)       0",
        "leaks: FOUND",
        "  exact duplicates across splits: 1, 2 sequences in all, such as a (train, label 0) "
        "and c (test, label 0)",
        "  reverse complements across splits: 0",
        "  near duplicates across splits: 0",
        "  sequences with two labels: 0",
        "duplicates within a split (no leak): 1 in train",
        "AUROC between classes by one number alone (chance: 0.5): GC 1.000, length 0.500",
    ]


def test_the_text_of_many_classes_stays_short():
    sequences = [random_dna(30, seed=i) for i in range(60)]
    labels, splits = [f"class{i % 20}" for i in range(60)], [SPLITS[i // 20] for i in range(60)]
    lines = format_report(report_dataset(sequences, labels, splits))
    assert "and 48 more lines of splits and classes" in lines
    assert "leaks: none" in lines
    assert len(lines) <= 30


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ((["AC"], ["0", "1"], ["train"]), {}, r"one entry for each sequence, got \(1, 2, 1, 1\)"),
        ((["AC"], ["0"], ["train"]), {"ids": []}, r"one entry for .*got \(1, 1, 1, 0\)"),
        (([], [], []), {}, "labels must hold at least one label, found none"),
        ((["AC", "GT"], ["0", "0"], ["a", "b"]), {}, "at least 2 different labels, found '0'"),
        ((["AC", "G-"], ["0", "1"], ["a", "b"]), {"ids": ["x", "y"]}, "sequence y: .*found '-'"),
    ],
)
def test_columns_that_make_no_data_set_are_refused(columns, options, message):
    with pytest.raises(ValueError, match=message):
        report_dataset(*columns, **options)


def test_the_standard_error_is_that_of_the_paper():
    """The example of Hanley & McNeil 1982: 0.893 from 51 abnormal and 58 normal images."""
    assert standard_error(0.893, 51, 58) == pytest.approx(0.0325, abs=5e-4)


def test_few_sequences_may_differ_in_gc_by_chance_and_many_may_not():
    values, classes = np.array([0.3, 0.4, 0.5, 0.6]), np.array(list("0011"))
    assert measure_bias(values, classes) == 1.0
    few = report_dataset(["ATTA", "ACTA", "ACGA", "ACGC"], classes, ["train"] * 4)
    assert (few.bias["GC"], few.warnings) == (1.0, ())
    # 0.6 is exceeded by 1.96 errors of 0.6: (0.24 + 99 (0.4286 - 0.36) + 99 (0.45 - 0.36)) / 1e4.
    many = bound_bias(np.tile(values, 50), np.tile(classes, 50))
    assert many == pytest.approx(1 - 1.96 * 0.0399, abs=1e-3)
