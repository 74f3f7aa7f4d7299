from types import SimpleNamespace

import pytest
from transformers import BertConfig

from dnabert_hf.data.labelled.labels import LabelScheme, infer_labels

SINGLE = "single_label_classification"
MULTI = "multi_label_classification"


@pytest.mark.parametrize(
    ("labels", "problem_type", "names"),
    [
        (["1", "0", "1"], SINGLE, ("0", "1")),
        (["10", "9", "-1"], SINGLE, ("-1", "9", "10")),
        (["none", "donor", "acceptor"], SINGLE, ("acceptor", "donor", "none")),
        (["10", "9", "x"], SINGLE, ("10", "9", "x")),
        (["skin; liver", "", "skin;"], MULTI, ("liver", "skin")),
        (["10;9", "9"], MULTI, ("9", "10")),
        (["0", "1.5"], "regression", ("value",)),
        (["1e-3", "2"], "regression", ("value",)),
    ],
)
def test_the_task_is_found_from_the_labels(labels, problem_type, names):
    assert infer_labels(iter(labels)) == LabelScheme(problem_type, names)


def test_the_problem_type_given_overrides_the_rule():
    assert infer_labels(["0", "1"], problem_type="regression").names == ("value",)
    assert infer_labels(["0.1;2"], problem_type="regression").names == ("value_0", "value_1")
    assert infer_labels(["0.5", "1.0"], problem_type=SINGLE).names == ("0.5", "1")
    assert infer_labels(["a"], problem_type=MULTI).names == ("a",)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "labels must hold at least one label, found none"),
        (["1", "1"], "single_label_classification needs at least 2 different labels, found '1'"),
        (["a", " ", "b"], "labels must not be empty where each sequence has one class"),
        ([";"], "multi_label_classification needs at least 1 different labels, found none"),
        (["1;0;1", "0;1;0"], "a label must name each class once, found '(1;0;1|0;1;0)'"),
        (["yes;no;no", "no"], "a label must name each class once, found 'yes;no;no'"),
    ],
)
def test_labels_that_describe_no_task_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        infer_labels(labels)


def test_classes_are_encoded_by_their_ids():
    scheme = LabelScheme(SINGLE, ("donor", "none"))
    assert scheme.encode(" none ", source="x") == 1
    assert scheme.label2id == {"donor": 0, "none": 1}
    assert scheme.id2label == {0: "donor", 1: "none"}


def test_several_labels_are_encoded_as_zeros_and_ones():
    scheme = LabelScheme(MULTI, ("brain", "liver", "skin"))
    assert scheme.encode("skin; brain", source="x") == [1.0, 0.0, 1.0]
    assert scheme.encode("", source="x") == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="a label must name each class once, found 'skin;skin'"):
        scheme.encode("skin;skin", source="x")


def test_numbers_are_encoded_as_themselves():
    assert LabelScheme("regression", ("value",)).encode("-1.5", source="x") == -1.5
    two = LabelScheme("regression", ("a", "b"))
    assert two.encode("0.25; 2", source="x") == [0.25, 2.0]


@pytest.mark.parametrize("problem_type", [SINGLE, MULTI])
def test_a_label_not_seen_in_training_is_named_beside_the_known_ones(problem_type):
    scheme = LabelScheme(problem_type, ("donor", "none"))
    with pytest.raises(ValueError, match=r"^dev, record 7: .* 'donor', 'none', found 'acceptor'"):
        scheme.encode("acceptor", source="dev, record 7")


def test_of_many_known_labels_ten_are_shown():
    scheme = infer_labels(str(number) for number in range(13))
    with pytest.raises(ValueError, match="'8', '9' and 3 more, found 'x'"):
        scheme.encode("x", source="dev")


@pytest.mark.parametrize("label", ["high", "nan", "inf", "", "1;2"])
def test_a_regression_label_that_is_no_finite_number_is_refused(label):
    scheme = LabelScheme("regression", ("value",))
    with pytest.raises(ValueError, match=f"^dev, record 7: .* 1 finite .* found '{label}'"):
        scheme.encode(label, source="dev, record 7")


def test_a_scheme_needs_a_known_problem_type_and_names_of_its_own():
    with pytest.raises(
        ValueError, match=r"problem_type must be one of single_label.* got 'ranking'"
    ):
        LabelScheme("ranking", ("a", "b"))
    with pytest.raises(ValueError, match="names must differ from each other, got 'a', 'b', 'a'"):
        LabelScheme(SINGLE, ("a", "b", "a"))


@pytest.mark.parametrize(
    "scheme",
    [
        LabelScheme(SINGLE, ("donor", "none")),
        LabelScheme(MULTI, ("a", "b", "c")),
        LabelScheme("regression", ("value",)),
    ],
)
def test_a_saved_configuration_gives_back_the_scheme(tmp_path, scheme):
    config = BertConfig(
        id2label=scheme.id2label, label2id=scheme.label2id, problem_type=scheme.problem_type
    )
    config.save_pretrained(tmp_path)
    assert LabelScheme.from_config(BertConfig.from_pretrained(tmp_path)) == scheme


def test_a_configuration_without_problem_type_means_classes_or_for_one_label_a_number():
    config = SimpleNamespace(problem_type=None, num_labels=2, id2label={0: "a", 1: "b"})
    assert LabelScheme.from_config(config).problem_type == SINGLE
    config = SimpleNamespace(problem_type=None, num_labels=1, id2label={0: "a"})
    assert LabelScheme.from_config(config).problem_type == "regression"


@pytest.mark.parametrize(
    ("labels", "problem_type", "names"),
    [
        (["0.0", "1.0"], SINGLE, ("0", "1")),  # pandas: integers that met a NaN
        (["0.", "1.000", "1"], SINGLE, ("0", "1")),
        (["2.0", "10.0", "-1.0"], SINGLE, ("-1", "2", "10")),
        (["0.0", "1.0", "0.5"], "regression", ("value",)),
        (["1.0", "x"], SINGLE, ("1", "x")),
        (["1e0", "0e0", "1", "0"], SINGLE, ("0", "1")),
        # What numpy.savetxt writes unless told otherwise, and R for round numbers.
        (["1.000000000000000000e+00", "0.000000000000000000e+00"], SINGLE, ("0", "1")),
        (["1e+05", "2E5", "-1.5e1"], SINGLE, ("-15", "100000", "200000")),
        (["1e0", "5e-1"], "regression", ("value",)),
        (["1e300", "1"], "regression", ("value",)),  # beyond what is exact
    ],
)
def test_whole_numbers_with_a_fraction_or_exponent_are_classes(labels, problem_type, names):
    scheme = infer_labels(labels)
    assert scheme == LabelScheme(problem_type, names)
    if problem_type == SINGLE:
        assert [scheme.names[scheme.encode(each, source="x")] for each in names] == list(names)


def test_a_class_is_found_whichever_way_its_number_is_written():
    for names in (("0", "1"), ("0.0", "1.0")):
        scheme = LabelScheme(SINGLE, names)
        assert [scheme.encode(each, source="x") for each in ("0", "0.0", "1", "1.")] == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="seen in training, '0', '1', found '01'"):
        LabelScheme(SINGLE, ("0", "1")).encode("01", source="x")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["0,5", "1,25", "2"], r"no commas, .*found '0,5', '1,25'; write 0\.5 \("),
        (["-0,5", "1.5"], "no commas"),
        (["1.000,5", "20"], r"found '1\.000,5'; write 1000\.5 \("),
        (["1,000", "700"], r"write 1000 if they part thousands, 1\.000 if they are decimal \("),
        (["1,234,567", "2,000.5"], r"write 1234567 if they part thousands \("),
        (["0", "1", "NA", "1"], "found 1 of 4 records with 'NA'; take these records out"),
        (["0", "1", "NaN", "nan"], "found 2 of 4 records with 'NaN', 'nan'"),
        (["0.5", "#N/A", "1.5"], "found 1 of 3 records with '#N/A'"),
    ],
)
def test_damaged_numbers_are_named_with_the_way_out(labels, message):
    with pytest.raises(ValueError, match=message) as found:
        infer_labels(labels)
    assert "problem type single_label_classification" in str(found.value)
    assert infer_labels(labels, problem_type=SINGLE).problem_type == SINGLE


@pytest.mark.parametrize("labels", [["A,1", "B,2"], ["none", "donor", "NA"], ["1,2,3", "4"]])
def test_names_are_no_damaged_numbers(labels):
    assert infer_labels(labels).problem_type == SINGLE


def test_labels_are_counted_by_class():
    assert infer_labels(["0.0", "1", "1.0"]).count(["1", "0.0", "1.0", "1"]) == {"0": 1, "1": 3}
    assert LabelScheme(MULTI, ("a", "b")).count(["a;b", " b;", ""]) == {"a": 1, "b": 2}
    assert LabelScheme("token_classification", ("0", "1")).count(["00.1", "1"]) == {"0": 2, "1": 2}
    assert LabelScheme("regression", ("value",)).count(["0.5"]) == {}


def test_classes_without_names_are_found_by_their_numbers_and_the_other_way_round():
    unnamed = LabelScheme("single_label_classification", ("LABEL_0", "LABEL_1"))
    assert [unnamed.encode(each, source="t") for each in ("1", "LABEL_0", "0.0")] == [1, 0, 0]
    numbered = LabelScheme("single_label_classification", ("0", "1", "2"))
    assert numbered.encode("LABEL_2", source="t") == 2
    for scheme, label in ((unnamed, "2"), (numbered, "LABEL_3")):
        with pytest.raises(ValueError, match="one of those seen in training"):
            scheme.encode(label, source="t")
