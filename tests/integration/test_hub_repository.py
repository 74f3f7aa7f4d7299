"""A saved model works where the package is not installed, under every Auto class."""

import json
import subprocess
import sys

import pytest
import torch

from dnabert_hf import (
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
    DNABertTokenizer,
)

# Runs in a process that cannot import the package: argv is the folder, the rest comes from it.
SCRIPT = """
import json, sys
sys.modules["dnabert_hf"] = None
import torch
import transformers
from transformers import pipeline

folder, result = sys.argv[1:]
config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=True)
tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
inputs = tokenizer(["ACGTNACGTACGT", "ACGTTTACG"], padding=True, return_tensors="pt")
outputs = {}
for name in ("AutoModel", "AutoModelForPreTraining", "AutoModelForMaskedLM",
             "AutoModelForSequenceClassification", "AutoModelForTokenClassification"):
    model = getattr(transformers, name).from_pretrained(folder, trust_remote_code=True).eval()
    with torch.no_grad():
        outputs[name] = model(**inputs)[0]
pipe = pipeline("text-classification", model=folder, trust_remote_code=True)
answers = pipe(["ACGT" * 300, "ACGTTTACG"])
model = transformers.AutoModelForSequenceClassification.from_pretrained(
    folder, trust_remote_code=True
)
model.save_pretrained(folder + "-again")
tokenizer.save_pretrained(folder + "-again")
facts = {"ids": inputs["input_ids"], "outputs": outputs, "answers": answers, "k": config.k}
torch.save(facts, result)
"""

HEADS = {
    "AutoModel": DNABertModel,
    "AutoModelForPreTraining": DNABertForMaskedLM,
    "AutoModelForMaskedLM": DNABertForMaskedLM,
    "AutoModelForSequenceClassification": DNABertForSequenceClassification,
    "AutoModelForTokenClassification": DNABertForTokenClassification,
}


def run_without_the_package(folder, cache):
    result = cache / "result.pt"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(folder), str(result)],
        check=True,
        env={"PATH": "", "HF_HOME": str(cache / "hf"), "HF_HUB_OFFLINE": "1", "HOME": str(cache)},
    )
    return torch.load(result)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A folder with a fine-tuned classifier, whose encoder also answers to the other classes.

    k = 8, so that ids are above 2**16.
    """
    torch.manual_seed(0)
    config = DNABertConfig(
        k=8,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.5,
        id2label={0: "background", 1: "promoter"},
    )
    folder = tmp_path_factory.mktemp("hub") / "repository"
    DNABertForSequenceClassification(config).save_pretrained(folder)
    DNABertTokenizer(k=8).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def remote(repository):
    """What a process without the package gives; it also saves `repository-again`."""
    return run_without_the_package(repository, repository.parent)


def test_repository_works_under_every_auto_class_without_the_package(repository, remote):
    from transformers import AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(repository)
    inputs = tokenizer(["ACGTNACGTACGT", "ACGTTTACG"], padding=True, return_tensors="pt")
    assert remote["k"] == 8
    assert torch.equal(remote["ids"], inputs["input_ids"])
    trained = {"AutoModel", "AutoModelForSequenceClassification"}  # other heads are new and random
    for name, output in remote["outputs"].items():
        model = HEADS[name].from_pretrained(repository).eval()
        with torch.no_grad():
            expected = model(**inputs)[0]
        assert output.shape == expected.shape
        if name in trained:
            assert torch.equal(output, expected), name
    here = pipeline("text-classification", model=str(repository))(["ACGT" * 300, "ACGTTTACG"])
    # The other process may have another number of threads, and so another order of sums.
    assert remote["answers"] == [
        each | {"score": pytest.approx(each["score"], abs=1e-5)} for each in here
    ]
    assert {answer["label"] for answer in here} <= {"background", "promoter"}


def test_repository_saved_again_without_the_package_is_complete(repository, remote, tmp_path):
    again = repository.parent / "repository-again"
    assert {path.name for path in again.iterdir()} >= {path.name for path in repository.iterdir()}
    for name in ("config.json", "tokenizer_config.json"):
        text = (again / name).read_text()
        assert str(repository.parent) not in text
        assert "--" not in json.dumps(json.loads(text)["auto_map"])
    run_without_the_package(again, tmp_path)


def test_repository_holds_exactly_the_files_of_the_hub(repository):
    assert {path.name for path in repository.iterdir()} == {
        "config.json",
        "configuration_dnabert.py",
        "model.safetensors",
        "modeling_dnabert.py",
        "tokenization_dnabert.py",
        "tokenizer_config.json",
        "vocab.txt",
    }
