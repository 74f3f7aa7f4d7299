import json
from math import ceil

import numpy as np
import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoModelForSequenceClassification

from dnabert_hf import DNABertTokenizer, finetune
from dnabert_hf.training.networks.published import Basset, centre
from dnabert_hf.training.shared.cnn import DNACnnConfig, DNACnnForSequenceClassification


def make(architecture, n_labels=2, **fields):
    labels = {i: f"{i}" for i in range(n_labels)}
    config = DNACnnConfig(architecture=architecture, id2label=labels, **fields)
    return DNACnnForSequenceClassification(config)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def encode(*sequences):
    return DNABertTokenizer(k=3)(list(sequences), padding=True, return_tensors="pt")


def test_deepbind_has_the_parameters_of_its_layers():
    """16 detectors of 24 x 4 bases with a threshold each, 32 hidden units, the output."""
    assert count(make("deepbind", 1)) == (16 * 24 * 4 + 16) + (16 * 32 + 32) + (32 + 1)


def test_danq_has_the_parameters_that_its_paper_counts():
    """46,926,479 with 919 outputs on 1,000 bases; PyTorch's LSTM has a second bias of each unit."""
    assert count(make("danq", 919)) == 46_926_479 + 2 * 4 * 320


def test_basset_has_the_parameters_of_its_layers():
    """On 600 bases 582 positions, 194 maxima; 184 and 46; 40 and 10, of 200 filters: 2,000."""
    convolutions = (300 * 4 * 19 + 300) + (200 * 300 * 11 + 200) + (200 * 200 * 7 + 200)
    dense = (2000 * 1000 + 1000) + (1000 * 1000 + 1000) + (1000 * 164 + 164)
    normalised = 2 * (300 + 200 + 200 + 1000 + 1000)
    assert count(make("basset", 164)) == convolutions + dense + normalised == 4_135_064


def test_sequences_lie_in_the_middle():
    bases = torch.zeros(2, 4, 5)
    bases[0, 0, :5] = torch.arange(1, 6)
    bases[1, 1, :2] = torch.tensor([7.0, 8])
    found = centre(bases, torch.tensor([5, 2]), 8)
    assert found[0, 0].tolist() == [0, 1, 2, 3, 4, 5, 0, 0]
    assert found[1, 1].tolist() == [0, 0, 0, 7, 8, 0, 0, 0]
    assert found.sum() == 30
    with pytest.raises(ValueError, match=r"4 bases at most, .* found 5; cut them"):
        centre(bases, torch.tensor([5, 2]), 4)


@pytest.mark.parametrize("architecture", ["danq", "basset"])
def test_padding_does_not_change_a_result_and_a_saved_network_gives_the_same(
    architecture, tmp_path
):
    fields = {"num_filters": 6, "dense_size": 9} | (
        {"rnn_size": 5} if architecture == "danq" else {}
    )
    model = make(architecture, max_length=170, **fields).eval()
    sequences = ["ACGTTGCAAC" * 5, "ACGGTC" * 20]
    with torch.no_grad():
        together = model(**encode(*sequences)).logits
        alone = torch.cat([model(**encode(each)).logits for each in sequences])
        assert torch.allclose(together, alone, atol=1e-5)
        model.save_pretrained(tmp_path)
        again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
        assert torch.equal(again(**encode(*sequences)).logits, together)
        with pytest.raises(ValueError, match=r"must have 170 bases at most, .* found 171"):
            model(**encode("ACG" * 57))


def test_basset_is_its_layers_one_after_another():
    """The forward pass, written out for one sequence."""
    model = make("basset", num_filters=5, dense_size=7, max_length=168).eval()
    network = model.network
    assert isinstance(network, Basset)
    with torch.no_grad():
        for norm in [each for each in network.layers if hasattr(each, "running_mean")]:
            norm.running_mean.uniform_(-0.1, 0.1)
            norm.running_var.uniform_(0.5, 2)
        x = torch.nn.functional.one_hot(torch.arange(168) % 4, 4).T[None].float()
        found = network(x)[0]
        parts = list(network.layers)
        values = x[0].numpy()
        for start, pool in ((0, 3), (4, 4), (8, 4)):
            weight, bias = (each.numpy() for each in parts[start].parameters())
            n = values.shape[1] - weight.shape[2] + 1
            windows = np.stack([values[:, i : i + weight.shape[2]] for i in range(n)])
            values = np.einsum("fcw,ncw->fn", weight, windows) + bias[:, None]
            norm = parts[start + 1]
            mean, var = norm.running_mean.numpy()[:, None], norm.running_var.numpy()[:, None]
            values = np.maximum((values - mean) / np.sqrt(var + 1e-5), 0)
            n = values.shape[1] // pool
            values = values[:, : n * pool].reshape(len(values), n, pool).max(axis=2)
        hidden = values.ravel()
        for start in (13, 17):
            weight, bias = (each.numpy() for each in parts[start].parameters())
            norm = parts[start + 1]
            hidden = weight @ hidden + bias - norm.running_mean.numpy()
            hidden = np.maximum(hidden / np.sqrt(norm.running_var.numpy() + 1e-5), 0)
        weight, bias = (each.numpy() for each in network.classifier.parameters())
    assert found.numpy() == pytest.approx(weight @ hidden + bias, abs=1e-4)


def test_lengths_that_make_no_network_are_refused():
    for architecture, least in (("danq", 38), ("basset", 168)):
        make(architecture, max_length=least)
        with pytest.raises(StrictDataclassError) as caught:
            DNACnnConfig(architecture=architecture, max_length=least - 1)
        assert f"max_length must be {least} or more, got {least - 1}" in str(caught.value.__cause__)
    with pytest.raises(StrictDataclassError) as caught:
        DNACnnConfig(max_length=200)
    assert "which have weights for each position, got 200 for cnn" in str(caught.value.__cause__)
    with pytest.raises(ValueError, match=r"filters of 200 bases .* must fit into the sequence"):
        make("danq", filter_width=200, max_length=168)


@pytest.mark.parametrize("architecture", ["deepbind", "danq", "basset"])
def test_finetune_takes_them_by_name_with_batches_of_one_and_sequences_of_all_lengths(
    architecture, tmp_path
):
    generator = np.random.default_rng(0)
    sizes = [30, 41, 35]
    rows = [("".join(generator.choice(list("ACGT"), sizes[i % 3])), i % 2) for i in range(33)]
    splits = ["train"] * 17 + ["dev"] * 8 + ["test"] * 8
    lines = [f"{s}\t{y}\t{split}\n" for (s, y), split in zip(rows, splits, strict=True)]
    (tmp_path / "d.tsv").write_text("sequence\tlabel\tsplit\n" + "".join(lines))
    config = {"num_filters": 4, "dense_size": 8}
    if architecture == "danq":
        config["rnn_size"] = 5
    arguments = {"num_train_epochs": 1, "per_device_train_batch_size": 8}
    result = finetune(
        architecture, tmp_path / "d.tsv", output_dir=tmp_path / "out", config=config,
        arguments=arguments, reports=False,
    )  # fmt: skip
    assert set(result.scores) == {"validation", "test"}
    saved = json.loads((tmp_path / "out" / "config.json").read_text())
    assert ceil(17 / 8) * 8 > 17  # so the last batch had one sequence
    assert saved["max_length"] == {"deepbind": None, "danq": 41, "basset": 168}[architecture]
    if architecture == "danq":
        with pytest.raises(ValueError, match=r"must fit into max_length = 40 positions, found one"):
            finetune(
                architecture, tmp_path / "d.tsv", output_dir=tmp_path / "no",
                config=config | {"max_length": 40}, reports=False,
            )  # fmt: skip
