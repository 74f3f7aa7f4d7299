"""Networks trained side by side on a GPU against the model and the optimiser of the package."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertConfig, DNABertForSequenceClassification, DNABertTokenizer
from dnabert_hf.training.shared.muon import Muon, muon_groups

FOLDER = Path(__file__).parents[2] / "benchmarks"
CPU = torch.device("cpu")
N, N_STEPS = 3, 30


@pytest.fixture(scope="module")
def benchmarks():
    """The two modules of benchmarks/, which is no package."""
    loaded = {}
    for name in ("networks_side_by_side", "finetune_on_gpu"):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        loaded[name] = importlib.util.module_from_spec(spec)
        sys.modules[name] = loaded[name]
        spec.loader.exec_module(loaded[name])
    yield loaded
    for name in loaded:
        del sys.modules[name]


@pytest.fixture
def config():
    return DNABertConfig(
        k=3,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        token_pooling="mean",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout=0.0,
        num_labels=3,
    )


@pytest.fixture
def models(config):
    found = []
    for seed in range(N):
        torch.manual_seed(seed)
        model = DNABertForSequenceClassification(config)
        for parameter in model.parameters():  # biases and norms too
            torch.nn.init.normal_(parameter, std=0.1)
        found.append(model)
    return found


@pytest.fixture
def networks(benchmarks, config, models):
    made = benchmarks["networks_side_by_side"].Networks(
        config, 3, N, n_steps=N_STEPS, device=CPU, dtype=torch.float32
    )
    for i, model in enumerate(models):
        made.start(i, dict(model.named_parameters()), seed=0)
    made.prepare_forward()
    return made


@pytest.fixture
def ids():
    kmers = torch.randint(5, 69, (N, 4, 9), generator=torch.Generator().manual_seed(1))
    cls, sep = (torch.full((N, 4, 1), token) for token in (2, 3))
    return torch.cat([cls, kmers, sep], 2)


def test_logits_are_those_of_the_model(networks, models, ids):
    logits = networks.logits(ids, is_training=False)
    for i, model in enumerate(models):
        with torch.no_grad():
            expected = model.eval()(input_ids=ids[i]).logits
        torch.testing.assert_close(logits[i], expected, atol=1e-5, rtol=1e-5)


def test_steps_are_those_of_the_packages_optimiser(benchmarks, networks, models, ids, monkeypatch):
    module = benchmarks["networks_side_by_side"]
    monkeypatch.setattr(module, "DROPOUT", 0.0)
    labels = torch.randint(0, 3, (N, 4), generator=torch.Generator().manual_seed(2))
    optimisers = [
        Muon(
            muon_groups(model, learning_rate=0.005, weight_decay=0.01),
            lr=1e-3,
            weight_decay=0.01,
            betas=(0.9, 0.999),
            eps=1e-8,
        )
        for model in models
    ]
    for number in range(2):
        losses = networks.step(ids, labels)
        for i, (model, optimiser) in enumerate(zip(models, optimisers, strict=True)):
            shares = [group["lr"] for group in optimiser.param_groups]
            for group, rate in zip(optimiser.param_groups, shares, strict=True):
                group["lr"] = rate * float(networks.schedule[number])
            optimiser.zero_grad()
            loss = model(input_ids=ids[i], labels=labels[i]).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            for group, rate in zip(optimiser.param_groups, shares, strict=True):
                group["lr"] = rate
            torch.testing.assert_close(losses[i], loss.detach(), atol=1e-5, rtol=1e-4)
    for i, model in enumerate(models):
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(
                networks.weights[name][i], parameter.detach(), atol=2e-5, rtol=1e-4, msg=name
            )


def test_the_schedule_rises_for_a_tenth_and_falls_to_the_last_step(benchmarks):
    found = benchmarks["networks_side_by_side"].schedule(20)
    assert found[:3].tolist() == [0.5, 1.0, 1.0]  # steps 1 and 2 of a tenth of 20
    assert found[-1].item() == pytest.approx(1 / 18)


def test_ids_are_those_of_the_tokenizer(benchmarks):
    module = benchmarks["finetune_on_gpu"]
    sequences = ["ACGTTGCA", "TTTTACGG"]
    codes = module.codes_of(sequences, "two")
    tokenizer = DNABertTokenizer(k=3)
    assert module.kmer_ids(codes, 3).tolist() == tokenizer(sequences)["input_ids"]
    turned = ["TGCAACGT", "CCGTAAAA"]
    np.testing.assert_array_equal(module.opposite(codes), module.codes_of(turned, "turned"))


@pytest.mark.parametrize("sequences", [["ACGT", "ACG"], ["ACGN", "ACGT"]])
def test_sequences_it_cannot_take_are_refused(benchmarks, sequences):
    with pytest.raises(ValueError, match="one length and of the letters ACGT"):
        benchmarks["finetune_on_gpu"].codes_of(sequences, "set")
