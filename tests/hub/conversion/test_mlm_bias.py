"""Which of the two biases wins, on a model that knows nothing but how frequent k-mers are."""

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertForMaskedLM, convert

SHARES = {"A": 0.55, "T": 0.25, "C": 0.15, "G": 0.05}


@pytest.fixture
def genome(tmp_path, monkeypatch):
    """DNA in which the bases are drawn by their shares, one by one."""
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    bases = np.random.default_rng(0).choice(list(SHARES), 4000, p=list(SHARES.values()))
    path = tmp_path / "genome.fa"
    path.write_text(f">a\n{''.join(bases)}\n")
    return path


@pytest.fixture
def source(shapes, tmp_path):
    """Writes a model with zero embeddings, whose logits are its bias: log frequencies times x."""

    def write(share_of_bias):
        stock = shapes.stock_model(3)
        frequencies = [np.prod([SHARES[base] for base in kmer]) for kmer in shapes.tokens(3)[5:]]
        bias = np.concatenate([np.full(5, -50.0), np.log(frequencies)])
        with torch.no_grad():
            stock.bert.embeddings.word_embeddings.weight.zero_()
            stock.cls.predictions.bias.copy_(torch.from_numpy(bias * share_of_bias))
        return shapes.write_original(tmp_path / f"in-{share_of_bias}", stock)

    return write


@pytest.mark.parametrize(("share_of_bias", "kind"), [(1.0, "single"), (0.5, "double")])
def test_auto_takes_the_bias_that_makes_the_frequencies(
    source, genome, tmp_path, share_of_bias, kind
):
    conversion = convert(source(share_of_bias), tmp_path / "out", dna=genome)
    bias = conversion.mlm_bias
    assert bias.kind == kind
    # A model that knows the frequencies and no context has their entropy as its loss.
    shares = np.array(list(SHARES.values()))
    entropy = -3 * float((shares * np.log(shares)).sum())
    assert bias.losses[kind] == pytest.approx(entropy, abs=0.15)
    other = {"single": "double", "double": "single"}[kind]
    assert bias.losses[other] > bias.losses[kind] + 0.1
    model = DNABertForMaskedLM.from_pretrained(tmp_path / "out")
    assert model.cls.predictions.bias[5].item() == pytest.approx(3 * np.log(0.55), abs=1e-5)
    (line,) = [line for line in conversion.lines() if line.startswith("MLM bias")]
    assert (
        f"{kind}: the lower loss on genome.fa (single {bias.losses['single']:.4f}, double" in line
    )


def test_a_bias_of_zero_makes_no_difference(source, genome, tmp_path):
    bias = convert(source(0.0), tmp_path / "out", dna=genome).mlm_bias
    assert (bias.kind, bias.reason) == ("single", "the same loss on genome.fa")


def test_auto_without_dna_leaves_the_bias_and_says_so(source, tmp_path):
    conversion = convert(source(0.5), tmp_path / "out")
    assert (conversion.mlm_bias.kind, conversion.mlm_bias.losses) == ("single", None)
    assert conversion.mlm_bias.reason.startswith("not compared: no DNA was given, and random DNA")
    model = DNABertForMaskedLM.from_pretrained(tmp_path / "out")
    assert model.cls.predictions.bias[5].item() == pytest.approx(1.5 * np.log(0.55), abs=1e-5)


def test_dna_that_is_not_there_is_refused(source, tmp_path):
    with pytest.raises(ValueError, match=r"none\.fa must be a FASTA file, found no such file"):
        convert(source(1.0), tmp_path / "out", dna=tmp_path / "none.fa")
    assert not (tmp_path / "out").exists()
