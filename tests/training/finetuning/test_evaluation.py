import numpy as np
import pytest

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.files.environment import package_versions
from dnabert_hf.training.finetuning.evaluation import SplitResult, find_collapse, write_predictions

TWO = LabelScheme("single_label_classification", ("no", "yes"))
MANY = LabelScheme("multi_label_classification", ("liver", "skin"))
VALUE = LabelScheme("regression", ("value",))


def make(labels, predictions, scheme):
    ids = [f"s{index}" for index in range(len(labels))]
    return SplitResult(ids, np.array(labels), np.array(predictions), scheme)


def test_a_collapse_names_the_class_and_the_remedies():
    result = make([0, 1, 0, 1], [[0.4, 0.6]] * 4, TWO)
    assert find_collapse(result) == (
        "the model predicts class yes for 100.0% of the sequences, but 50.0% are of that class; "
        "lower the learning rate, lengthen the warm-up, or train for more epochs, or use class "
        "weights"
    )


def test_a_collapse_after_few_steps_says_to_train_longer():
    result = make([0, 1, 0, 1], [[0.4, 0.6]] * 4, TWO)
    longer = "120 steps are few: train for more epochs (--epochs), lower the learning rate"
    assert longer in find_collapse(result, steps=120)
    assert find_collapse(result, steps=2000) == find_collapse(result)


def test_classes_that_are_guessed_are_named_with_the_probability_of_chance():
    # 30 of 50 right: MCC 0.2, chi-squared 50 * 0.2^2 = 2, p = 0.157.
    labels = [0] * 25 + [1] * 25
    predicted = [0] * 15 + [1] * 10 + [0] * 10 + [1] * 15
    rows = [[0.3, 0.7] if one else [0.6, 0.4] for one in predicted]
    assert find_collapse(make(labels, rows, TWO)).startswith(
        "the predicted classes of 50 sequences cannot be told from chance (chi-squared test, "
        "p = 0.16); test on more sequences, lower the learning rate"
    )
    assert find_collapse(make(labels * 4, rows * 4, TWO)) is None  # p = 0.005
    of_bases = LabelScheme("token_classification", ("no", "yes"))
    assert find_collapse(make(labels, rows, of_bases)) is None


def test_a_regression_that_predicts_one_value_has_collapsed():
    result = make([0.0, 1.0, 2.0], [[0.9], [0.9], [0.901]], VALUE)
    assert find_collapse(result).startswith("the model predicts about 0.9003 for every sequence")


@pytest.mark.parametrize(
    "result",
    [
        make([0, 1] * 3, [[0.9, 0.1], [0.2, 0.8]] * 3, TWO),
        make([1, 1], [[0.9, 0.1], [0.2, 0.8]], TWO),
        make([1, 1], [[0.2, 0.8], [0.2, 0.8]], TWO),
        make([0.0, 1.0], [[0.4], [0.6]], VALUE),
        make([[0.0, 1.0]], [[0.4, 0.4]], MANY),
    ],
    ids=["two classes", "one true class", "one class is right", "values", "multi-label"],
)
def test_a_model_that_tells_sequences_apart_has_not_collapsed(result):
    assert find_collapse(result) is None


def test_predictions_of_classes_stand_beside_the_truth(tmp_path):
    write_predictions(make([1, 0], [[0.25, 0.75], [0.4, 0.6]], TWO), tmp_path / "p.tsv")
    assert (tmp_path / "p.tsv").read_text() == (
        "id\tlabel\ttrue\tprob_no\tprob_yes\ns0\tyes\tyes\t0.25\t0.75\ns1\tyes\tno\t0.4\t0.6\n"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["p.tsv"]


def test_predictions_of_several_classes_are_joined(tmp_path):
    result = make([[1.0, 1.0], [0.0, 0.0]], [[0.9, 0.5], [0.1, 0.2]], MANY)
    write_predictions(result, tmp_path / "p.tsv")
    assert (tmp_path / "p.tsv").read_text().splitlines()[1:] == [
        "s0\tliver;skin\tliver;skin\t0.9\t0.5",
        "s1\t\t\t0.1\t0.2",
    ]


def test_predicted_values_stand_beside_the_true_ones(tmp_path):
    write_predictions(make([0.5], [[0.625]], VALUE), tmp_path / "p.tsv")
    assert (tmp_path / "p.tsv").read_text() == "id\tvalue\ttrue_value\ns0\t0.625\t0.5\n"


def test_scores_are_those_of_the_problem_type():
    assert make([0.0, 1.0], [[0.0], [1.0]], VALUE).scores()["rmse"] == 0
    assert make([0, 1], [[0.9, 0.1], [0.2, 0.8]], TWO).scores()["mcc"] == 1


def test_versions_name_the_package_itself():
    assert "dnabert-hf" in package_versions()
