import json

import pytest
from huggingface_hub.errors import StrictDataclassError

from dnabert_hf.modeling.configuration_dnabert import AUTO_MAP, DNABertConfig, vocabulary_size


@pytest.mark.parametrize(
    ("k", "size"), [(2, 21), (3, 69), (4, 261), (5, 1029), (6, 4101), (7, 16389), (8, 65541)]
)
def test_k_and_vocabulary_size_follow_from_each_other(k, size):
    assert vocabulary_size(k) == size
    assert DNABertConfig(k=k).vocab_size == size
    assert DNABertConfig(vocab_size=size).k == k


def test_default_is_the_published_dnabert_6():
    config = DNABertConfig()
    assert (config.k, config.vocab_size, config.hidden_size, config.num_hidden_layers) == (
        *(6, 4101),
        *(768, 12),
    )


def test_vocabulary_may_hold_added_tokens():
    assert DNABertConfig(vocab_size=72).k == 3
    assert DNABertConfig(k=3, vocab_size=72).vocab_size == 72


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"k": 9}, "k must be from 2 to 8, got 9"),
        ({"k": "x"}, "'k'"),
        ({"k": 3, "vocab_size": 4101}, "vocab_size must be 69 for k = 3 .* got 4101"),
        ({"segment_pooling": "sum"}, "segment_pooling"),
        ({"segment_pooling": "concat"}, "needs num_segments"),
        ({"num_segment_rnn_layers": 0}, "num_segment_rnn_layers must be 1 or more"),
    ],
)
def test_wrong_fields_are_named(fields, message):
    with pytest.raises(StrictDataclassError, match=message):
        DNABertConfig(**fields)


def test_vocabulary_of_no_k_is_refused():
    # BERT's, and one with more tokens than k = 8 has: larger vocabularies are those of others.
    for size in (20, 22, 30522, 65542):
        with pytest.raises(ValueError, match=rf"4101 \(k = 6\), .*; got {size}"):
            DNABertConfig(vocab_size=size)
    assert DNABertConfig(k=7, vocab_size=30522).k == 7


def test_assignment_is_checked_too():
    config = DNABertConfig(k=3)
    with pytest.raises(StrictDataclassError, match="hidden_size"):
        config.hidden_size = "wide"


def test_saved_config_comes_back_with_the_full_auto_map(tmp_path):
    config = DNABertConfig(k=5, segment_pooling="concat", num_segments=3)
    config.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["auto_map"] == AUTO_MAP
    assert saved["model_type"] == "dnabert"
    loaded = DNABertConfig.from_pretrained(tmp_path)
    assert (loaded.k, loaded.segment_pooling, loaded.num_segments) == (5, "concat", 3)


def test_config_of_the_original_repositories_loads_without_its_dead_fields():
    config = DNABertConfig.from_dict(
        {
            "architectures": ["BertForMaskedLM"],
            "vocab_size": 1029,
            "split": 10,
            "rnn": "lstm",
            "rnn_hidden": 768,
            "num_rnn_layer": 2,
            "rnn_dropout": 0.0,
            "num_beams": 1,
            "do_sample": False,
        }
    )
    assert config.k == 5
    assert not {"split", "rnn", "num_beams", "do_sample"} & set(config.to_dict())
