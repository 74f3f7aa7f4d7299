import json

import pytest
from transformers import BertConfig, BertTokenizer, DistilBertConfig

from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.modeling.configuration_dnabert import DNABertConfig
from dnabert_hf.modeling.modeling_dnabert import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
)
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer
from dnabert_hf.training.shared.initialisation import build_classifier, load_config, load_tokenizer

SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
THREE = LabelScheme("single_label_classification", ("acceptor", "donor", "none"))


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "checkpoint"
    DNABertForMaskedLM(DNABertConfig(k=4, **SMALL)).save_pretrained(path)
    DNABertTokenizer(k=4).save_pretrained(path)
    return path


def test_random_weights_take_k_and_size_from_the_fields():
    config = load_config("random", {"k": 3, **SMALL})
    assert (config.k, config.vocab_size, config.hidden_size) == (3, 69, 8)
    model = build_classifier("random", config, THREE)
    assert model.config.id2label == {0: "acceptor", 1: "donor", 2: "none"}
    assert model.classifier.out_features == 3
    assert load_tokenizer(None, "random", config).k == 3


def test_a_checkpoint_gives_encoder_and_tokenizer_and_the_head_is_new(checkpoint):
    config = load_config(checkpoint, {"hidden_dropout_prob": 0.2})
    assert (config.k, config.hidden_dropout_prob) == (4, 0.2)
    model = build_classifier(checkpoint, config, THREE)
    pretrained = DNABertForMaskedLM.from_pretrained(checkpoint)
    weights = model.bert.embeddings.word_embeddings.weight
    assert weights.equal(pretrained.bert.embeddings.word_embeddings.weight)
    assert model.config.problem_type == "single_label_classification"
    assert load_tokenizer(None, checkpoint, config).k == 4


def test_a_classifier_of_other_classes_can_be_trained_further(checkpoint, tmp_path):
    config = DNABertConfig(k=4, num_labels=2, **SMALL)
    DNABertForSequenceClassification(config).save_pretrained(tmp_path / "two")
    model = build_classifier(tmp_path / "two", load_config(tmp_path / "two", {}), THREE)
    assert model.classifier.out_features == 3


def test_a_checkpoint_without_tokenizer_gets_one_of_its_k(tmp_path):
    DNABertForMaskedLM(DNABertConfig(k=5, **SMALL)).save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").unlink(missing_ok=True)
    (tmp_path / "tokenizer_config.json").unlink(missing_ok=True)
    assert load_tokenizer(None, tmp_path, load_config(tmp_path, {})).k == 5


def test_a_repository_of_the_original_dnabert_loads(checkpoint):
    fields = json.loads((checkpoint / "config.json").read_text())
    for name in ("model_type", "k", "auto_map", "architectures"):
        fields.pop(name)
    (checkpoint / "config.json").write_text(json.dumps(fields))
    (checkpoint / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    config = load_config(checkpoint, {})
    assert config.k == 4
    assert load_tokenizer(None, checkpoint, config).k == 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hiden_size": 8}, "got 'hiden_size'; did you mean hidden_size"),
        ({"k": 6}, "k must be that of the checkpoint, 4, got 6"),
    ],
)
def test_fields_that_do_not_fit_the_checkpoint_are_refused(checkpoint, fields, message):
    with pytest.raises(ValueError, match=message):
        load_config(checkpoint, fields)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must hold config\.json, found none"):
        load_config(tmp_path, {})


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    DistilBertConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="must be of type dnabert, found 'distilbert'"):
        load_config(tmp_path, {})


def test_a_bert_over_words_is_refused(tmp_path):
    BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"must be that of a DNABERT vocabulary, .* got 30522"):
        load_config(tmp_path, {})


def test_a_model_that_is_nowhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nobody/nothing: the model must be a checkpoint folder"):
        load_config("nobody/nothing", {})


def test_a_tokenizer_of_another_k_is_refused(checkpoint):
    with pytest.raises(ValueError, match="must have the k of the model, 6, found 4"):
        load_tokenizer(str(checkpoint), "random", DNABertConfig(k=6))


def test_a_tokenizer_without_kmers_is_refused(checkpoint):
    tokenizer = BertTokenizer(str(checkpoint / "vocab.txt"), do_lower_case=False)
    with pytest.raises(ValueError, match="found BertTokenizer, which knows no k-mers"):
        load_tokenizer(tokenizer, checkpoint, DNABertConfig(k=4))
