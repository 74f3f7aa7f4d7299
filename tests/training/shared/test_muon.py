"""Muon against torch's own, and what it needs to be saved, resumed and refused."""

import copy

import pytest
import torch
from torch import nn
from transformers import TrainingArguments

from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import DNABertForMaskedLM
from dnabert_hf.training.shared.arguments import has_fast_bf16
from dnabert_hf.training.shared.muon import Muon, muon_groups, optimizer_class, orthogonalise


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = DNABertConfig(
        k=3, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    return DNABertForMaskedLM(config)


def set_gradients(*models, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameters in zip(*(m.parameters() for m in models), strict=True):
        gradient = torch.randn(parameters[0].shape, generator=generator)
        for parameter in parameters:
            parameter.grad = gradient.clone()


def split(model):
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        is_matrix = "encoder.layer" in name and parameter.ndim == 2
        (matrices if is_matrix else others).append(parameter)
    return matrices, others


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has Muon since 2.9")
def test_three_steps_are_those_of_torchs_muon_and_adamw(model):
    other = copy.deepcopy(model)
    ours = Muon(
        muon_groups(model, learning_rate=0.02, weight_decay=0.1),
        lr=1e-3,
        betas=(0.9, 0.98),
        eps=1e-6,
    )
    matrices, rest = split(other)
    theirs = [
        torch.optim.Muon(matrices, lr=0.02, weight_decay=0.1, momentum=0.95),
        torch.optim.AdamW(
            [
                {"params": [p for p in rest if p.ndim > 1], "weight_decay": 0.01},
                {"params": [p for p in rest if p.ndim == 1], "weight_decay": 0},
            ],
            lr=1e-3,
            betas=(0.9, 0.98),
            eps=1e-6,
        ),
    ]
    for group in ours.param_groups:
        if not group["muon"] and group["weight_decay"]:
            group["weight_decay"] = 0.01
    for step in range(3):
        set_gradients(model, other, seed=step)
        ours.step()
        for optimizer in theirs:
            optimizer.step()
    for (name, found), expected in zip(model.named_parameters(), other.parameters(), strict=True):
        # torch's orthogonalises in bfloat16 always, ours where the machine is made for it.
        is_matrix = "encoder.layer" in name and found.ndim == 2
        torch.testing.assert_close(found, expected, rtol=0, atol=3e-3 if is_matrix else 1e-7)


@pytest.mark.parametrize("shape", [(32, 32), (64, 16), (16, 64)])
def test_singular_values_come_near_one_and_vectors_stay(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    found = orthogonalise(matrices)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.3  # the smallest of a square matrix are raised last
    assert values.max() < 1.3
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    inner = u.mT @ found @ vh.mT
    off = inner - torch.diag_embed(torch.diagonal(inner, dim1=1, dim2=2))
    assert off.abs().max() < 0.03


@pytest.mark.parametrize("shape", [(2, 24, 96), (2, 96, 24), (3, 32, 32)])
def test_directions_are_those_of_the_iterations_as_they_are_written(shape):
    """In double precision, and with singular values over four orders of magnitude."""
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    matrices *= torch.logspace(0, -4, shape[2])
    tall = shape[1] > shape[2]
    x = (matrices.mT if tall else matrices).double()
    x = x / torch.linalg.matrix_norm(x)[:, None, None]
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
    is_16_bit = has_fast_bf16(on_cpu=True)
    expected = x.mT if tall else x
    found = orthogonalise(matrices).double()
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05 if is_16_bit else 2e-4)


def test_a_state_that_was_saved_goes_on_alike(model):
    def optimizer(model):
        groups = muon_groups(model, learning_rate=0.02, weight_decay=0.01)
        return Muon(groups, lr=1e-3, fused=True)

    other = copy.deepcopy(model)
    whole, first = optimizer(model), optimizer(other)
    for step in range(2):
        set_gradients(model, other, seed=step)
        whole.step()
        first.step()
    second = optimizer(other)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    set_gradients(model, other, seed=2)
    whole.step()
    second.step()
    for found, expected in zip(other.parameters(), model.parameters(), strict=True):
        assert torch.equal(found, expected)


def test_a_schedule_scales_both_parts(model):
    groups = muon_groups(model, learning_rate=0.02, weight_decay=0.01)
    optimizer = Muon(groups, lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    set_gradients(model, seed=0)
    optimizer.step()
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.01, 5e-4, 5e-4]


def test_every_trained_parameter_is_in_one_group(model):
    model.bert.embeddings.requires_grad_(False)
    groups = muon_groups(model, learning_rate=0.02, weight_decay=0.01)
    found = [id(p) for group in groups for p in group["params"]]
    assert sorted(found) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    # Query, key, value, output, and two of the feed-forward part, in two layers.
    assert len(groups[0]["params"]) == 12
    assert {p.ndim for p in groups[-1]["params"]} == {1}


def test_what_muon_is_not_for_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"Muon steps matrices, found .* shape \(3,\)"):
        Muon([{"params": [nn.Parameter(torch.zeros(3))], "muon": True}])
    model.bert.encoder.requires_grad_(False)
    with pytest.raises(ValueError, match="matrices of an encoder that is trained, found none"):
        muon_groups(model, learning_rate=0.02, weight_decay=0.01)
    arguments = TrainingArguments(str(tmp_path), use_cpu=True)
    with pytest.raises(ValueError, match='must be "adamw" or "muon", got \'lion\''):
        optimizer_class("lion", model, arguments, muon_learning_rate=0.02)
    assert optimizer_class("adamw", model, arguments, muon_learning_rate=0.02) is None
