"""The class of interest: named, told by names, or said to be a guess."""

import logging
from types import SimpleNamespace

import pytest

from dnabert_hf.data.labelled import positive_class
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.labelled.positive_class import (
    choose_class,
    guess_positive,
    known_positive,
    positive_id,
)

CLASSES = "single_label_classification"


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("peak", "shuffled"),
        ("bound", "unbound"),
        ("bound", "free"),
        ("positive", "random"),
        ("positive", "negative"),
        ("active", "inactive"),
        ("enhancer", "other"),
        ("enhancer", "non-enhancer"),
        ("promoter", "NonPromoter"),
        ("1", "0"),
        ("1", "-1"),
        ("case", "control"),
        ("methylated", "unmethylated"),
        ("TATA", "no_TATA"),
        ("class_1", "class_0"),
        ("site", "Genomic background"),
        ("open", "closed"),
        ("case", "ctrl"),
        ("REST", "shuffled"),
        ("REST peaks", "rest"),
        ("mut", "wt"),
        ("High", "low"),
        ("on", "OFF"),
        ("+", "-"),
        ("TP", "FP"),
        ("tp", "TN"),
        ("true positive", "false positive"),
        ("P", "N"),
        ("y", "n"),
        ("T", "F"),
        ("plus", "minus"),
        ("donor", "decoys"),
        ("pathogenic", "benign"),
        ("tumor", "normal"),
        ("promoter", "intergenic"),
        ("H3K27ac", "input"),
        ("HITS", "MISS"),
        ("signal", "noise"),
    ],
)
def test_the_names_of_two_classes_tell_in_either_order(positive, negative):
    assert guess_positive([positive, negative]) == positive
    assert guess_positive([negative, positive]) == positive


@pytest.mark.parametrize(
    "names",
    [
        ("kidney", "liver"),
        ("shuffled", "random"),
        ("1", "2"),
        ("FP", "GFP"),
        ("CTCF", "REST"),
        ("N", "C"),
        ("a", "b", "none"),
        ("x",),
    ],
)
def test_other_names_do_not(names):
    assert guess_positive(names) is None


def test_what_was_named_comes_first_then_the_model_then_the_names(caplog):
    names = ("bound", "free")
    assert known_positive(LabelScheme(CLASSES, names), "free") == "free"
    assert known_positive(LabelScheme(CLASSES, names, "free")) == "free"
    scheme = LabelScheme(CLASSES, names)
    assert (known_positive(scheme), positive_id(scheme), choose_class(scheme, None)) == (
        "bound",
        0,
        "bound",
    )
    assert choose_class(scheme, "free") == "free"
    assert not caplog.records


def test_a_guess_is_said_once(caplog):
    positive_class.warn_of_guess.cache_clear()
    scheme = LabelScheme(CLASSES, ("kidney", "liver"))
    with caplog.at_level(logging.WARNING):
        assert choose_class(scheme, None) == choose_class(scheme, None) == "liver"
    (record,) = caplog.records
    assert "liver, the second, is taken" in record.getMessage()
    assert positive_id(scheme) == 1 and known_positive(scheme) is None


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="must be one of a, b, got 'c'"):
        known_positive(LabelScheme(CLASSES, ("a", "b")), "c")
    with pytest.raises(ValueError, match="got 'a' for a regression"):
        known_positive(LabelScheme("regression", ("value",)), "a")
    with pytest.raises(ValueError, match="a model with 3 classes needs the one to score"):
        choose_class(LabelScheme(CLASSES, ("a", "b", "none")), None)
    with pytest.raises(ValueError, match="found a model of regression"):
        choose_class(LabelScheme("regression", ("value",)), None)


def test_a_config_keeps_the_class_only_while_it_has_it():
    fields = {"num_labels": 2, "problem_type": CLASSES, "id2label": {0: "a", 1: "b"}}
    assert LabelScheme.from_config(SimpleNamespace(**fields, positive="a")).positive == "a"
    assert LabelScheme.from_config(SimpleNamespace(**fields, positive="gone")).positive is None
    assert LabelScheme.from_config(SimpleNamespace(**fields)).positive is None
    # Models may be averaged whether or not they say what they are for.
    assert LabelScheme(CLASSES, ("a", "b"), "a") == LabelScheme(CLASSES, ("a", "b"))
