"""Scores and contexts of single heads, beside the whole attention of the eager kernel."""

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertForSequenceClassification, attention_scores
from dnabert_hf.interpretation.attribution.attention_heads import attention_context, head_scores

SEQUENCES = ["ACGTTGCAACGTAGCTAG", "TTTTGACG", "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCA"]


@pytest.fixture
def classifier(tiny_config):
    tiny_config.max_position_embeddings = 20
    return DNABertForSequenceClassification(tiny_config).eval()


def whole_attention(classifier, tokenizer, sequence):
    with torch.no_grad():
        inputs = tokenizer(sequence, return_tensors="pt")
        attentions = classifier.bert(**inputs, output_attentions=True).attentions
    return torch.stack(attentions)[:, 0].numpy()  # (layers, heads, tokens, tokens)


@pytest.mark.parametrize("query", ["cls", "kmers"])
@pytest.mark.parametrize("layer", [0, -1])
def test_heads_add_up_to_the_score(classifier, tokenizer, query, layer):
    options = {"tokenizer": tokenizer, "layer": layer, "query": query}
    found = head_scores(classifier, SEQUENCES, **options)
    expected = attention_scores(classifier, SEQUENCES, dtype="float32", **options)
    for each, score in zip(found, expected, strict=True):
        assert each.scores.shape == (2, len(score.sequence))
        np.testing.assert_allclose(each.scores.sum(axis=0), score.scores, atol=1e-5)


def test_a_head_is_in_units_of_those_that_are_summed(classifier, tokenizer):
    (found,) = head_scores(classifier, SEQUENCES[:1], heads=[1], tokenizer=tokenizer)
    (expected,) = attention_scores(
        classifier, SEQUENCES[:1], heads=[1], tokenizer=tokenizer, dtype="float32"
    )
    np.testing.assert_allclose(found.scores[1], expected.scores, atol=1e-5)


@pytest.mark.parametrize(
    ("site", "kmers"),
    [((4, 9), [4, 5, 6]), ((4, 7), [4]), ((4, 5), [2, 3, 4]), ((17, 18), [15]), ((0, 1), [0])],
)
def test_context_is_what_goes_to_the_kmers_of_the_site(classifier, tokenizer, site, kmers):
    found = attention_context(classifier, SEQUENCES[0], site, name="s", tokenizer=tokenizer)
    whole = whole_attention(classifier, tokenizer, SEQUENCES[0])
    expected = whole[:, :, 1:-1, [1 + kmer for kmer in kmers]].sum(axis=-1)
    np.testing.assert_allclose(found.attention, expected, atol=1e-5)
    assert (found.id, found.start, found.end, found.k) == ("s", *site, 3)


def test_bad_input_is_refused(classifier, tokenizer):
    options = {"tokenizer": tokenizer}
    with pytest.raises(ValueError, match="a layer must be from -2 to 1, got 2"):
        head_scores(classifier, SEQUENCES, layer=2, **options)
    with pytest.raises(ValueError, match=r"heads must be from 0 to 1, got \[2\]"):
        head_scores(classifier, SEQUENCES, heads=[2], **options)
    with pytest.raises(ValueError, match="a site must lie in its sequence, from 0 to 18, got 5 to"):
        attention_context(classifier, SEQUENCES[0], (5, 19), **options)
    with pytest.raises(ValueError, match=r"at once, 20 bases, .* found 46"):
        attention_context(classifier, SEQUENCES[2], (5, 9), **options)
