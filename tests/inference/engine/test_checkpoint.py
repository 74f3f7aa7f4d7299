import json
import logging
import re

import pytest
import torch
from transformers import BertTokenizer

from dnabert_hf import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
    DNABertTokenizer,
)
from dnabert_hf.inference.engine.checkpoint import as_checkpoint, load_checkpoint
from dnabert_hf.training.shared.initialisation import load_config


def edit_config(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("task", ["encoder", "sequence-classification"])
def test_a_saved_classifier_loads_with_its_weights(folder, classifier, task):
    model, tokenizer = load_checkpoint(folder, task)
    loaded = model if task == "encoder" else model.bert
    weights = classifier.bert.encoder.layer[1].output.dense.weight
    assert torch.equal(loaded.encoder.layer[1].output.dense.weight, weights)
    assert tokenizer.k == 3
    assert not model.training


def test_a_folder_of_the_original_dnabert_loads(tmp_path, tiny_config):
    """It has no model_type, BERT's tokenizer in lower case, and a pickle of weights."""
    model = DNABertForMaskedLM(tiny_config)
    fields = tiny_config.to_dict()
    for name in ("model_type", "auto_map", "k"):
        fields.pop(name)
    (tmp_path / "config.json").write_text(json.dumps(fields))
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    DNABertTokenizer(k=3).save_vocabulary(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    )
    loaded, tokenizer = load_checkpoint(tmp_path, "masked-lm")
    assert tokenizer("ATGGCT")["input_ids"] == [2, 12, 36, 67, 62, 3]
    ids = torch.tensor([[2, 12, 36, 67, 62, 3]])
    torch.testing.assert_close(loaded(ids).logits, model.eval()(ids).logits)


def test_a_folder_without_vocabulary_gets_that_of_its_k(folder, caplog):
    (folder / "vocab.txt").unlink()
    with caplog.at_level(logging.WARNING, logger="dnabert_hf"):
        _, tokenizer = load_checkpoint(folder, "encoder")
    assert tokenizer.k == 3
    assert "has no vocab.txt: using the vocabulary of k = 3" in caplog.text


def test_an_unknown_task_is_refused(folder):
    with pytest.raises(ValueError, match=r"task must be one of encoder, .*, got 'regression'"):
        load_checkpoint(folder, "regression")


def test_classifiers_of_bases_and_of_sequences_are_not_mixed_up(folder, tiny_config, tmp_path):
    DNABertForTokenClassification(tiny_config).save_pretrained(tmp_path / "bases")
    DNABertTokenizer(k=3).save_pretrained(tmp_path / "bases")
    with pytest.raises(ValueError, match="bases must be a classifier of sequences, found one of b"):
        load_checkpoint(tmp_path / "bases", "sequence-classification")
    with pytest.raises(ValueError, match="checkpoint must be a classifier of bases, found one of"):
        load_checkpoint(folder, "token-classification")


def test_a_missing_folder_is_refused_without_asking_the_hub(tmp_path):
    with pytest.raises(ValueError, match="found no such folder"):
        load_checkpoint(tmp_path / "nothing", "encoder")
    with pytest.raises(ValueError, match="found no such folder"):
        load_checkpoint("./nothing", "encoder")


def test_a_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.touch()
    with pytest.raises(ValueError, match="must be a checkpoint folder, found a file"):
        load_checkpoint(path, "encoder")


def test_a_repository_that_cannot_be_reached_is_one_sentence():
    with pytest.raises(ValueError, match="nobody/nothing must be a folder or a repository") as info:
        load_checkpoint("nobody/nothing", "encoder")
    assert "\n" not in str(info.value)


def test_a_folder_that_is_no_checkpoint_names_what_is_missing(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=re.escape("it has no weights (model.safetensors or")):
        load_checkpoint(folder, "encoder")
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match=r"it has no config\.json and no weights"):
        load_checkpoint(folder, "encoder")
    (folder / "adapter_config.json").touch()
    with pytest.raises(ValueError, match="must be a whole model, found a PEFT adapter; merge it"):
        load_checkpoint(folder, "encoder")


def test_another_model_type_is_refused(folder):
    edit_config(folder, model_type="gpt2")
    with pytest.raises(ValueError, match="found model type 'gpt2'"):
        load_checkpoint(folder, "encoder")


def test_a_baseline_is_refused_with_the_way_to_run_it(folder):
    edit_config(folder, model_type="dna_cnn", architecture="cnn-gru")
    with pytest.raises(ValueError, match=r"compared with \(cnn-gru\): .*text-classification"):
        load_checkpoint(folder, "encoder")


def test_a_vocabulary_that_is_not_dnaberts_is_refused(folder):
    edit_config(folder, model_type="bert", vocab_size=30522, k=None)
    with pytest.raises(ValueError, match=r"has no config of a DNABERT model: .*30522"):
        load_checkpoint(folder, "encoder")


def test_a_checkpoint_that_was_not_fine_tuned_is_refused(tmp_path, tiny_config, tokenizer):
    DNABertForMaskedLM(tiny_config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="was not fine-tuned; run `dnabert finetune`"):
        load_checkpoint(tmp_path, "sequence-classification")


def test_weights_that_are_missing_are_named(tmp_path, tiny_config, tokenizer):
    model = DNABertModel(tiny_config)
    del model.encoder.layer[1]
    model.save_pretrained(tmp_path)
    edit_config(tmp_path, num_hidden_layers=2)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"but lacks 16 of them \(encoder\.layer\.1"):
        load_checkpoint(tmp_path, "encoder")


def test_tokenizer_and_model_of_different_k_are_refused(folder, classifier):
    DNABertTokenizer(k=4).save_pretrained(folder)
    with pytest.raises(ValueError, match="found k = 4 in the tokenizer and k = 3 in the model"):
        load_checkpoint(folder, "encoder")
    with pytest.raises(ValueError, match="found k = 4 in the tokenizer and k = 3 in the model"):
        as_checkpoint(classifier, DNABertTokenizer(k=4), task="sequence-classification")


def test_berts_tokenizer_is_refused_by_name(classifier, folder):
    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])}
    bert = BertTokenizer(vocab=vocabulary)
    for model in (classifier, folder):
        with pytest.raises(ValueError, match=r"found BertTokenizer.*save DNABertTokenizer\(k=3\)"):
            as_checkpoint(model, bert, task="sequence-classification")


def test_a_model_object_needs_its_tokenizer(classifier):
    with pytest.raises(ValueError, match=r"pass tokenizer=DNABertTokenizer\(k=3\)"):
        as_checkpoint(classifier, None, task="sequence-classification")


def test_a_name_may_come_with_another_tokenizer(folder, tokenizer):
    checkpoint = as_checkpoint(str(folder), tokenizer, task="sequence-classification")
    assert checkpoint.tokenizer is tokenizer
    assert checkpoint.is_ours
    assert isinstance(checkpoint.model, DNABertForSequenceClassification)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", "\x00"])
def test_a_damaged_json_file_is_named(folder, name, text):
    (folder / name).write_text(text)
    for load in (lambda: load_checkpoint(folder, "encoder"), lambda: load_config(folder, {})):
        with pytest.raises(ValueError, match=rf"{name} must hold fields of a .*copy or download"):
            load()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "token_pooling",
            "attentive",
            "no config of a DNABERT model: Field 'token_pooling'",
        ),
        ("hidden_size", "a", "no config of a DNABERT model: Field 'hidden_size'"),
        ("intermediate_size", 48, "weights must have the shapes that its config.json says"),
    ],
)
def test_a_damaged_config_is_told(folder, field, value, message):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {field: value}))
    with pytest.raises(ValueError, match=message) as info:
        load_checkpoint(folder, "sequence-classification")
    assert "\n" not in str(info.value)
