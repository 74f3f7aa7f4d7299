import pytest
import torch
from datasets import Dataset

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.training.finetuning.losses import BalancedLoss

TWO = LabelScheme("single_label_classification", ("no", "yes"))
MANY = LabelScheme("multi_label_classification", ("liver", "skin"))


def test_classes_weigh_in_proportion_to_their_rarity():
    loss = BalancedLoss.from_labels(Dataset.from_dict({"labels": [0, 0, 0, 1]}), TWO)
    assert loss.weights == pytest.approx((4 / (2 * 3), 4 / (2 * 1)))


def test_multi_label_positives_weigh_as_many_negatives_as_they_have():
    labels = [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    assert BalancedLoss.from_labels(Dataset.from_dict({"labels": labels}), MANY).weights == (3, 1)


def test_single_label_loss_by_hand():
    loss = BalancedLoss("single_label_classification", (0.5, 2.0))
    logits = torch.log(torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    labels = torch.tensor([1, 0])
    total = 2.0 * -torch.log(torch.tensor(0.75)) + 0.5 * -torch.log(torch.tensor(0.5))
    assert loss({"logits": logits}, labels) == pytest.approx(total.item() / 2)
    assert loss({"logits": logits}, labels, 8) == pytest.approx(total.item() / 8)


def test_multi_label_loss_by_hand():
    loss = BalancedLoss("multi_label_classification", (3.0, 1.0))
    labels = torch.tensor([[1.0, 0.0]])
    total = (3.0 + 1.0) * torch.log(torch.tensor(2.0))  # both at probability 1/2
    assert loss({"logits": torch.zeros(1, 2)}, labels) == pytest.approx(total.item() / 2)


def test_a_regression_has_no_classes_to_weigh():
    with pytest.raises(ValueError, match="class weights must go with classes"):
        BalancedLoss.from_labels(
            Dataset.from_dict({"labels": [0.5]}), LabelScheme("regression", ("value",))
        )


@pytest.mark.parametrize(("scheme", "labels"), [(TWO, [0, 0]), (MANY, [[1.0, 0.0], [1.0, 1.0]])])
def test_a_class_that_never_or_always_occurs_is_refused(scheme, labels):
    with pytest.raises(ValueError, match="every class to occur"):
        BalancedLoss.from_labels(Dataset.from_dict({"labels": labels}), scheme)
