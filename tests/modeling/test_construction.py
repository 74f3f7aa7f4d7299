"""Models as they are built, resized and called wrongly, beside stock BERT."""

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    BertModel,
)

from dnabert_hf import (
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
    DNABertTokenizer,
)

SIZES = {"hidden_size": 16, "num_hidden_layers": 2}
SIZES |= {"num_attention_heads": 2, "intermediate_size": 16}
CLASSES = [
    DNABertModel,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
]


@pytest.mark.parametrize(
    ("ours", "stock"),
    [
        (DNABertModel, BertModel),
        (DNABertForMaskedLM, BertForMaskedLM),
        (DNABertForTokenClassification, BertForTokenClassification),
    ],
)
def test_a_seed_gives_the_weights_that_it_gives_stock_bert(ours, stock):
    """So nothing is drawn twice: an encoder built in vain would use up random numbers."""
    torch.manual_seed(0)
    expected = stock(BertConfig(vocab_size=69, num_labels=3, **SIZES)).state_dict()
    after = torch.rand(3)
    torch.manual_seed(0)
    found = ours(DNABertConfig(k=3, num_labels=3, **SIZES)).state_dict()
    assert torch.equal(torch.rand(3), after)
    assert list(found) == list(expected)
    for name, weights in expected.items():
        assert torch.equal(found[name], weights), name


@pytest.mark.parametrize("model_class", CLASSES)
@pytest.mark.parametrize("asked", [True, False])
def test_a_config_can_ask_for_checkpointing(model_class, asked):
    model = model_class(DNABertConfig(k=3, gradient_checkpointing=asked, **SIZES))
    assert model.is_activation_checkpointing is asked
    layers = model.base_model.encoder.layer
    assert [layer.gradient_checkpointing for layer in layers] == [asked] * 2


@pytest.mark.parametrize("model_class", CLASSES)
@pytest.mark.parametrize("size", [68, 261, 300, 60])
def test_a_vocabulary_that_could_not_be_saved_is_refused_when_it_is_made(model_class, size):
    model = model_class(DNABertConfig(k=3, **SIZES))
    with pytest.raises(ValueError, match=rf"must be 69 for k = 3 .*up to 260.* got {size}"):
        model.resize_token_embeddings(size)
    with pytest.raises(ValueError, match="got 512"):
        model.resize_token_embeddings(70, pad_to_multiple_of=512)
    assert model.get_input_embeddings().num_embeddings == model.config.vocab_size == 69


@pytest.mark.parametrize("model_class", CLASSES)
def test_vocabularies_with_added_tokens_are_saved(model_class, tmp_path):
    model = model_class(DNABertConfig(k=3, **SIZES))
    model.resize_token_embeddings(70, pad_to_multiple_of=64)
    assert model.config.vocab_size == 128
    model.save_pretrained(tmp_path)
    assert model_class.from_pretrained(tmp_path).get_input_embeddings().num_embeddings == 128
    model.resize_token_embeddings(69)
    assert model.config.vocab_size == 69


@pytest.mark.parametrize("model_class", CLASSES)
def test_what_is_no_batch_of_tensors_is_named(model_class):
    model = model_class(DNABertConfig(k=3, **SIZES)).eval()
    encoded = DNABertTokenizer(k=3)("ACGTA")
    for call, message in (
        ((encoded,), r"got BatchEncoding: .* model\(\*\*encoded\)"),
        (([[2, 9, 3]],), "must be a tensor of shape .batch, tokens., got list"),
        ((torch.tensor([2, 9, 3]),), r"must have the shape \(batch, tokens\), got \(3,\)"),
        ((), "must be given input_ids or inputs_embeds, got neither"),
    ):
        with pytest.raises(ValueError, match=message):
            model(*call)
    with pytest.raises(ValueError, match="got both"):
        model(torch.tensor([[2, 3]]), inputs_embeds=torch.zeros(1, 2, 16))
    with pytest.raises(ValueError, match=r"inputs_embeds must have the shape .* got \(2, 16\)"):
        model(inputs_embeds=torch.zeros(2, 16))


@pytest.mark.parametrize("model_class", CLASSES)
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("input_ids", [[2, 69, 3]], r"token ids must be from 0 to 68 .* got 2 to 69: use the tok"),
        ("input_ids", [[2, -100, 3]], "token ids must be from 0 to 68 .* got -100 to 3"),
        ("token_type_ids", [[0, 2, 0]], "token_type_ids must be from 0 to 1 .* got 0 to 2$"),
        ("position_ids", [[0, 1, 512]], "position_ids must be from 0 to 511 .* got 0 to 512$"),
    ],
)
def test_what_is_out_of_range_is_named(model_class, name, value, message):
    model = model_class(DNABertConfig(k=3, **SIZES)).eval()
    inputs = {"input_ids": torch.tensor([[2, 9, 3]]), name: torch.tensor(value)}
    with pytest.raises(ValueError, match=message):
        model(**inputs)


def test_new_heads_are_called_classifier():
    """So that PEFT trains and saves them."""
    for pooling in ("mean", "concat", "lstm", "gru"):
        config = DNABertConfig(k=3, segment_pooling=pooling, num_segments=2, **SIZES)
        model = DNABertForSequenceClassification(config)
        heads = {name.split(".")[0] for name, _ in model.named_parameters()} - {"bert"}
        assert heads == {"classifier"}
    token = DNABertForTokenClassification(DNABertConfig(k=3, **SIZES))
    assert {name.split(".")[0] for name, _ in token.named_parameters()} == {"bert", "classifier"}
