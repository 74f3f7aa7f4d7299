"""Graphs, before any file is written: what the models say, at every length and from either side."""

import pytest
import torch

from dnabert_hf import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
    embed,
    predict,
)
from dnabert_hf.hub.export.graphs import build_graph
from dnabert_hf.metrics.scores import logits_to_predictions

CLASSES = {
    "encoder": DNABertModel,
    "masked-lm": DNABertForMaskedLM,
    "sequence-classification": DNABertForSequenceClassification,
    "token-classification": DNABertForTokenClassification,
}
LENGTHS = ([2, 4], [3, 20, 12], [18], [19, 5], [34, 35, 3, 90])  # tokens; 18 make one piece


def graph_and_model(config, task, **fields):
    config.max_position_embeddings = 18
    for name, value in fields.items():
        setattr(config, name, value)
    model = CLASSES[task](config).eval().requires_grad_(False)
    return build_graph(model, task), model


def rows(lengths, *, is_left=False):
    """Ids, mask and types of rows of so many tokens, padded on one side."""
    width = max(lengths)
    ids, mask = torch.zeros(2, len(lengths), width, dtype=torch.long)
    generator = torch.Generator().manual_seed(sum(lengths))
    for i, n in enumerate(lengths):
        row = torch.randint(5, 69, (n,), generator=generator)
        row[0], row[-1] = 2, 3
        place = slice(width - n, width) if is_left else slice(0, n)
        ids[i, place], mask[i, place] = row, 1
    return ids, mask, torch.zeros_like(ids)


@pytest.mark.parametrize(
    "fields", [{}, {"token_pooling": "mean"}, {"attended_padding": 10}], ids=str
)
def test_a_classifier_gives_the_model_s_logits_at_any_length(tiny_config, fields):
    graph, model = graph_and_model(tiny_config, "sequence-classification", **fields)
    for lengths in LENGTHS:
        ids, mask, types = rows(lengths)
        types[:, 3:] = mask[:, 3:]
        expected = model(ids, mask, types).logits
        assert torch.allclose(graph(ids, mask, types)["logits"], expected, atol=1e-5)


@pytest.mark.parametrize("task", ["masked-lm", "token-classification"])
@pytest.mark.parametrize("fields", [{}, {"attended_padding": 10}], ids=str)
def test_a_head_over_tokens_gives_the_model_s_logits_piece_by_piece(tiny_config, task, fields):
    graph, model = graph_and_model(tiny_config, task, **fields)
    for lengths in LENGTHS:
        ids, mask, types = rows(lengths)
        logits = graph(ids, mask, types)["logits"]
        for row, n, found in zip(ids, lengths, logits, strict=True):
            for begin in range(1, n - 1, 16):
                end = min(begin + 16, n - 1)
                piece = torch.cat([torch.tensor([2]), row[begin:end], torch.tensor([3])])
                expected = model(piece[None]).logits[0, 1:-1]
                assert torch.allclose(found[begin:end], expected, atol=1e-4)


@pytest.mark.parametrize("task", CLASSES)
def test_padding_on_the_left_makes_no_difference(tiny_config, task):
    graph, _ = graph_and_model(tiny_config, task, both_strands=True)
    for lengths in LENGTHS:
        right, left = rows(lengths), rows(lengths, is_left=True)
        for name, expected in graph(*right).items():
            found = graph(*left)[name]
            if expected.shape[:2] == right[0].shape:
                expected, found = expected[right[1] == 1], found[left[1] == 1]
            assert torch.allclose(found, expected, atol=1e-5), name


@pytest.mark.parametrize(
    ("problem_type", "n_labels"),
    [
        ("single_label_classification", 3),
        ("multi_label_classification", 3),
        ("regression", 2),
    ],
)
def test_both_strands_give_what_predict_gives(tiny_config, tokenizer, problem_type, n_labels):
    tiny_config.id2label = {i: f"class {i}" for i in range(n_labels)}
    graph, model = graph_and_model(
        tiny_config, "sequence-classification", both_strands=True, problem_type=problem_type
    )
    sequences = ["ACGTTGCANACGTAGG", "TTTGGGACACGT", "GATTACAGATTACCA" * 5]
    found = predict(model, sequences, tokenizer=tokenizer, dtype="float32")
    inputs = tokenizer(sequences, padding=True, return_tensors="pt", return_token_type_ids=True)
    logits = graph(inputs["input_ids"], inputs["attention_mask"], inputs["token_type_ids"])
    given = logits_to_predictions(logits["logits"].numpy(), problem_type)
    for row, prediction in zip(given, found, strict=True):
        assert row.tolist() == pytest.approx(list(prediction.probabilities.values()), abs=1e-5)


def test_the_other_strand_of_a_pair_is_that_of_either_sequence(tiny_config, tokenizer):
    graph, _ = graph_and_model(tiny_config, "sequence-classification", both_strands=True)
    given, turned = (
        tokenizer(first, second, return_tensors="pt", return_token_type_ids=True)
        for first, second in (("ACGTTG", "CCATNG"), ("CAACGT", "CNATGG"))
    )
    inputs = (given["input_ids"], given["attention_mask"], given["token_type_ids"])
    assert torch.equal(graph.other_strand(graph.rows(*inputs)).ids, turned["input_ids"])


def test_embeddings_are_those_of_embed(tiny_config, tokenizer):
    graph, model = graph_and_model(tiny_config, "encoder")
    sequences = ["ACG", "ACGTTGCANACGTAGG", "GATTACAGATTACCA" * 5]
    expected = embed(model, sequences, tokenizer=tokenizer, dtype="float32")
    inputs = tokenizer(sequences, padding=True, return_tensors="pt", return_token_type_ids=True)
    found = graph(inputs["input_ids"], inputs["attention_mask"], inputs["token_type_ids"])
    for row, vector in zip(found["sentence_embedding"], expected, strict=True):
        assert row.tolist() == pytest.approx(vector.embedding.tolist(), abs=1e-5)
