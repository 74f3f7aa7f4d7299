"""The checkpoints that come with the package."""

import json

import pytest
import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer, pipeline

import dnabert_hf

NAMES = [f"dnabert-{k}-mini" for k in (3, 4, 5, 6)]


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_is_small_and_complete(name):
    folder = dnabert_hf.checkpoint(name)
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "config.json", "curves.png", "model.safetensors"),
        *("tokenizer_config.json", "vocab.txt"),
    }
    assert (folder / "model.safetensors").stat().st_size <= 12 * 2**20
    card = (folder / "README.md").read_text()
    assert "bits per base" in card
    assert "library_name: transformers" in card
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "dnabert"
    assert "AutoModelForMaskedLM" in config["auto_map"]


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_loads_in_32_bits_and_knows_its_dna(name):
    folder = dnabert_hf.checkpoint(name)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForMaskedLM.from_pretrained(folder)
    assert model.dtype == AutoModel.from_pretrained(folder).dtype == torch.float32
    # The k-mers around a masked base leave four for each k-mer over it: a trained model finds them.
    fill = pipeline("fill-mask", model=model, tokenizer=tokenizer)
    text = "GGCCGGGCGCGGTGGCTCACGCCTGTAATCCC[MASK]GCACTTTGGGAGGCCGAGGCGGGCGGATCACGAG"
    found = [answers[0]["token_str"] for answers in fill(text)]
    before, after = text.split("[MASK]")
    k = tokenizer.k
    for n_before, kmer in zip(range(k - 1, -1, -1), found, strict=True):
        assert kmer[:n_before] == before[len(before) - n_before :]
        assert kmer[n_before + 1 :] == after[: k - 1 - n_before]


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"one of dnabert-3-mini, .*-6-mini, got 'dnabert-6'"):
        dnabert_hf.checkpoint("dnabert-6")
