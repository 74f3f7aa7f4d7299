import copy

import pytest
import torch
from transformers import BertConfig, BertModel

from dnabert_hf import DNABertConfig, DNABertModel
from dnabert_hf.inference.engine.layers import make_layers_fast, pooled_of, states_of

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}


@pytest.fixture(scope="module")
def stock() -> BertModel:
    torch.manual_seed(0)
    return BertModel(BertConfig(vocab_size=69, **SIZES)).eval()


def fast_copy(stock, **settings):
    model = DNABertModel(DNABertConfig(k=3, **SIZES, **settings)).eval()
    model.load_state_dict(copy.deepcopy(stock.state_dict()))
    make_layers_fast(model)
    return model


def padded_batch(n_rows: int = 5, n_tokens: int = 40):
    torch.manual_seed(1)
    ids = torch.randint(5, 69, (n_rows, n_tokens))
    mask = (torch.arange(n_tokens) < torch.arange(n_tokens, 0, -4)[:n_rows, None]).long()
    return {"input_ids": ids * mask, "attention_mask": mask}


@pytest.mark.parametrize("n_rows", [1, 60])  # one piece, three pieces
def test_all_tokens_have_the_bits_of_stock_bert(stock, n_rows):
    inputs = {"input_ids": torch.randint(5, 69, (n_rows, 40))}
    with torch.inference_mode():
        expected = stock(**inputs).last_hidden_state
        assert torch.equal(fast_copy(stock)(**inputs).last_hidden_state, expected)


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_wanted_tokens_have_the_states_of_stock_bert(stock, kernel):
    model, inputs = fast_copy(stock), padded_batch()
    model.set_attn_implementation(kernel)
    wanted = torch.tensor([[0, 39], [35, 3], [7, 7], [0, 27], [23, 1]])
    with torch.inference_mode():
        full = stock(**inputs).last_hidden_state
        found = states_of(model, inputs, wanted).last_hidden_state
    expected = torch.stack([full[row, columns] for row, columns in enumerate(wanted)])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_more_tokens_may_be_wanted_than_there_are(stock):
    ids = torch.tensor([[2, 9, 3]])
    with torch.inference_mode():
        full = stock(input_ids=ids).last_hidden_state
        wanted = torch.tensor([[1, 0, 2, 1, 1]])
        found = states_of(fast_copy(stock), {"input_ids": ids}, wanted).last_hidden_state
    torch.testing.assert_close(found, full[:, wanted[0]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_what_is_pooled_is_what_a_whole_pass_pools(stock, pooling):
    model, inputs = fast_copy(stock, token_pooling=pooling), padded_batch()
    with torch.inference_mode():
        expected = model(**inputs).pooler_output
        torch.testing.assert_close(pooled_of(model, inputs), expected, rtol=0, atol=1e-6)


def test_the_last_layer_sees_only_what_is_wanted(stock):
    model, rows = fast_copy(stock), []
    model.encoder.layer[-1].output.dense.register_forward_hook(
        lambda _module, inputs, _output: rows.append(inputs[0].numel() // 64)
    )
    with torch.inference_mode():
        pooled_of(model, padded_batch())
        model(**padded_batch())
    assert rows == [5, 200]


def test_gradients_are_those_of_stock_bert(stock):
    inputs = padded_batch()
    gradients = []
    for model in (stock, fast_copy(stock)):
        embedded = model.embeddings.word_embeddings(inputs["input_ids"]).detach()
        embedded.requires_grad_()
        given = {"inputs_embeds": embedded, "attention_mask": inputs["attention_mask"]}
        model(**given).pooler_output.square().sum().backward()
        gradients.append(embedded.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-7)
