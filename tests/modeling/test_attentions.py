"""`output_attentions=True` under any kernel: from threads, under checkpointing, with any mask."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import BertConfig, BertModel

from dnabert_hf import DNABertConfig, DNABertForSequenceClassification, DNABertModel

SIZES = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.5,
}


def small_config(n_layers: int = 2) -> DNABertConfig:
    return DNABertConfig(k=3, num_hidden_layers=n_layers, **SIZES)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, by torch
@pytest.mark.parametrize("implementation", ["sdpa", "eager", "flex_attention"])
@pytest.mark.parametrize("form", ["none", "2-D", "2-D bool", "4-D bool", "4-D additive"])
@torch.no_grad()
def test_attentions_are_those_of_stock_bert_run_eagerly(implementation, form):
    ours = DNABertModel(small_config()).eval()
    stock = BertModel(BertConfig(vocab_size=69, num_hidden_layers=2, **SIZES)).eval()
    stock.load_state_dict(ours.state_dict())
    stock.set_attn_implementation("eager")
    ours.set_attn_implementation(implementation)
    ids = torch.randint(5, 69, (2, 9))
    is_token = torch.arange(9) < torch.tensor([[9], [6]])
    additive = torch.zeros(2, 1, 9, 9).masked_fill(
        ~is_token[:, None, None, :], torch.finfo(torch.float32).min
    )
    mask = {
        "none": None,
        "2-D": is_token.long(),
        "2-D bool": is_token,
        "4-D bool": is_token[:, None, None, :].expand(2, 1, 9, 9),
        "4-D additive": additive,
    }[form]
    expected = stock(ids, attention_mask=None if mask is None else additive, output_attentions=True)
    output = ours(ids, attention_mask=mask, output_attentions=True, output_hidden_states=True)
    assert len(output.attentions) == 2
    for mine, theirs in zip(output.attentions, expected.attentions, strict=True):
        torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(output.last_hidden_state, expected.last_hidden_state)
    assert ours.config._attn_implementation == implementation


@torch.no_grad()
def test_a_config_that_asks_for_attentions_gets_them():
    model = DNABertModel(small_config()).eval()
    model.set_attn_implementation("eager")
    model.config.output_attentions = True
    assert len(model(torch.tensor([[2, 9, 3]])).attentions) == 2
    assert model(torch.tensor([[2, 9, 3]]), output_attentions=False).attentions is None


def test_threads_get_the_attentions_of_all_layers():
    """Half of the threads ask for attentions, half do not: nobody sees the others' choice."""
    model = DNABertModel(small_config(6)).eval()
    assert model.config._attn_implementation == "sdpa"
    ids = torch.randint(5, 69, (2, 24))
    with torch.no_grad():
        expected = model(ids, output_attentions=True)

    def call(number: int) -> list[object]:
        found = []
        for _ in range(50):
            with torch.no_grad():
                output = model(ids, output_attentions=number % 2 == 0)
            found.append(None if output.attentions is None else len(output.attentions))
            torch.testing.assert_close(output.last_hidden_state, expected.last_hidden_state)
        return found

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(call, range(6)))
    assert results == [[6] * 50 if number % 2 == 0 else [None] * 50 for number in range(6)]


@pytest.mark.parametrize("use_reentrant", [False, True])
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad=True")
def test_checkpointing_recomputes_what_was_computed(implementation, use_reentrant):
    plain = DNABertForSequenceClassification(small_config()).train()
    plain.set_attn_implementation(implementation)
    checkpointed = copy.deepcopy(plain)
    checkpointed.activation_checkpointing_enable({"use_reentrant": use_reentrant})
    ids, labels = torch.randint(5, 69, (2, 9)), torch.tensor([0, 1])
    for model in (plain, checkpointed):
        output = model(ids, labels=labels, output_attentions=True)
        assert len(output.attentions) == 2
        output.loss.backward()
    for mine, theirs in zip(checkpointed.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_calls_without_attentions_keep_the_kernel(monkeypatch):
    """The ordinary call must not pay: it goes to sdpa, layer by layer."""
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    calls = []

    def counted(*args, **kwargs):
        calls.append(1)
        return sdpa_attention_forward(*args, **kwargs)

    monkeypatch.setitem(AttentionInterface._global_mapping, "sdpa", counted)
    model = DNABertModel(small_config()).eval()
    model(torch.tensor([[2, 9, 3]]))
    assert len(calls) == 2
    model(torch.tensor([[2, 9, 3]]), output_attentions=True)
    assert len(calls) == 2
