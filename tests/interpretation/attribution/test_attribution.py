import numpy as np
import pytest
import torch

from dnabert_hf import DNABertForSequenceClassification, DNABertModel
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.predict import predict
from dnabert_hf.interpretation.attribution.attribution import attribution_scores

SHORT = ["ACGTTGCAACGTAGCTAGG", "TTTGACG", "ACGTN" + "ACGGTTA" * 3, "GGC"]
LONG = "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCA" * 2
ROOM, K = 28, 3
METHODS = ["gradient_x_input", "integrated_gradients", "occlusion"]


def make_classifier(config, **fields):
    config.max_position_embeddings = ROOM + 2
    config.initializer_range = 0.2
    config.id2label, config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    for name, value in fields.items():
        setattr(config, name, value)
    return DNABertForSequenceClassification(config).eval()


@pytest.fixture
def classifier(tiny_config):
    return make_classifier(tiny_config)


def log_odds(model, ids, embedded=None):
    """The class 1 against class 0, from the model's own call; word embeddings put in its place."""
    words = model.bert.embeddings.word_embeddings
    hook = words.register_forward_hook(lambda _, inputs, out: out if embedded is None else embedded)
    logits = model(torch.as_tensor(ids)[None]).logits[0]
    hook.remove()
    return logits[1] - logits[0]


def ids_of(tokenizer, sequence):
    return tokenizer(sequence, return_tensors="pt", verbose=False)["input_ids"][0]


def masked(ids, places):
    ids = ids.clone()
    ids[places] = 4
    return ids


@pytest.mark.parametrize("fields", [{}, {"token_pooling": "mean"}, {"segment_pooling": "gru"}])
def test_integrated_gradients_add_up_to_the_difference(tiny_config, tokenizer, fields):
    """Completeness: the sum is the log odds of the sequence less those of [MASK] k-mers."""
    model = make_classifier(tiny_config, **fields)
    found = attribution_scores(model, [*SHORT, LONG], tokenizer=tokenizer, label="yes", steps=64)
    for sequence, each in zip([*SHORT, LONG], found, strict=True):
        ids = ids_of(tokenizer, sequence)
        with torch.no_grad():
            difference = log_odds(model, ids) - log_odds(model, masked(ids, slice(1, -1)))
        assert each.scores.shape == (len(sequence),)
        assert each.scores.sum() == pytest.approx(difference.item(), abs=2e-3)
    assert any((each.scores < 0).any() and (each.scores > 0).any() for each in found)


def test_sums_that_miss_the_difference_are_warned_of(classifier, tokenizer, caplog):
    options = {"tokenizer": tokenizer, "label": "yes"}
    attribution_scores(classifier, [*SHORT, LONG], steps=64, **options)
    assert "integrated gradients miss" not in " ".join(caplog.messages)
    attribution_scores(classifier, [*SHORT, LONG], steps=1, **options)
    assert "integrated gradients miss what they should add up to" in " ".join(caplog.messages)


def test_gradient_x_input_is_the_slope_along_each_embedding(classifier, tokenizer):
    (found,) = attribution_scores(
        classifier, SHORT[:1], tokenizer=tokenizer, label="yes", method="gradient_x_input"
    )
    classifier.double()
    ids = ids_of(tokenizer, SHORT[0])
    embedded = classifier.bert.embeddings.word_embeddings(ids).detach()
    of_bases = np.zeros(len(SHORT[0]))
    for token in range(1, len(ids) - 1):
        values = []
        for sign in (1, -1):
            moved = embedded.clone()
            moved[token] *= 1 + sign * 1e-5
            with torch.no_grad():
                values.append(log_odds(classifier, ids, moved).item())
        of_bases[token - 1 : token - 1 + K] += (values[0] - values[1]) / 2e-5 / K
    np.testing.assert_allclose(found.scores, of_bases, atol=1e-4)


@pytest.mark.parametrize("segment_pooling", ["mean", "lstm"])
def test_gradients_go_through_the_joining_of_pieces(tiny_config, tokenizer, segment_pooling):
    """What a long sequence gives is the slope of the model's own answer for it."""
    model = make_classifier(tiny_config, segment_pooling=segment_pooling)
    (found,) = attribution_scores(
        model, [LONG], tokenizer=tokenizer, label="yes", method="gradient_x_input"
    )
    model.double()
    pieces = [LONG[s : s + ROOM + K - 1] for s in range(0, len(LONG) - K + 1, ROOM)]
    ids = [ids_of(tokenizer, piece) for piece in pieces]
    words = model.bert.embeddings.word_embeddings
    points = [words(each[None]).detach().requires_grad_() for each in ids]
    pooled = []
    for each, point in zip(ids, points, strict=True):
        hook = words.register_forward_hook(lambda *_, point=point: point)
        pooled.append(model.bert(each[None]).pooler_output[0])
        hook.remove()
    logits = model.classify(torch.stack(pooled), torch.zeros(len(pieces), dtype=torch.long))[0]
    gradients = torch.autograd.grad(logits[1] - logits[0], points)
    of_kmers = [
        (gradient * point).sum(-1)[0, 1:-1].detach()
        for gradient, point in zip(gradients, points, strict=True)
    ]
    expected = np.convolve(torch.cat(of_kmers).numpy(), np.full(K, 1 / K))
    np.testing.assert_allclose(found.scores, expected, atol=1e-4)


@pytest.mark.parametrize("segment_pooling", ["mean", "gru"])
def test_occlusion_is_the_fall_when_all_kmers_over_a_base_are_masked(
    tiny_config, tokenizer, segment_pooling
):
    model = make_classifier(tiny_config, segment_pooling=segment_pooling)
    found = attribution_scores(
        model, [*SHORT, LONG], tokenizer=tokenizer, method="occlusion", label="yes", dtype="float32"
    )
    for sequence, each in zip([*SHORT, LONG], found, strict=True):
        ids = ids_of(tokenizer, sequence)
        n_kmers = len(sequence) - K + 1
        with torch.no_grad():
            whole = log_odds(model, ids).item()
            for base in range(len(sequence)):
                over = [i + 1 for i in range(base - K + 1, base + 1) if 0 <= i < n_kmers]
                fall = whole - log_odds(model, masked(ids, over)).item()
                assert each.scores[base] == pytest.approx(fall, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_predicted_class_is_explained_unless_one_is_named(classifier, tokenizer, method):
    options = {"tokenizer": tokenizer, "dtype": "float32", "method": method}
    found = attribution_scores(classifier, SHORT, **options)
    expected = predict(classifier, SHORT, tokenizer=tokenizer, dtype="float32")
    no, yes = (attribution_scores(classifier, SHORT, label=n, **options) for n in ("no", "yes"))
    for each, prediction, of_no, of_yes in zip(found, expected, no, yes, strict=True):
        assert each.probabilities == pytest.approx(prediction.probabilities, abs=1e-6)
        chosen = of_yes if prediction.label == "yes" else of_no
        np.testing.assert_allclose(each.scores, chosen.scores, atol=1e-6)
        np.testing.assert_allclose(of_no.scores, -of_yes.scores, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_one_value_of_regression_is_explained(tiny_config, tokenizer, method):
    tiny_config.id2label, tiny_config.label2id = {0: "value"}, {"value": 0}
    model = DNABertForSequenceClassification(tiny_config).eval()
    (found,) = attribution_scores(model, SHORT[:1], tokenizer=tokenizer, method=method)
    assert found.probabilities.keys() == {"value"}
    assert np.abs(found.scores).max() > 1e-4


def test_the_callers_model_is_left_as_it_was(classifier, tokenizer):
    attribution_scores(classifier, SHORT, tokenizer=tokenizer, steps=1)
    assert all(parameter.requires_grad for parameter in classifier.parameters())
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_what_cannot_be_explained_is_refused(classifier, tiny_config, tokenizer):
    pair = SequenceRecord("p", "ACGTACGT", sequence_b="ACGTA")
    encoder = DNABertModel(tiny_config)
    for model, source, options, message in [
        (encoder, SHORT, {}, "found a model without a classifier: run `dnabert finetune`"),
        (classifier, SHORT, {"label": "x"}, "must be one of no, yes, got 'x'"),
        (classifier, SHORT, {"method": "x"}, "method must be one of gradient_x_input"),
        (classifier, SHORT, {"steps": 0}, "steps must be 1 or more"),
        (classifier, SHORT, {"dtype": "int8"}, "int8 has no gradients"),
        (classifier, [pair], {}, "record p: scores of bases are of one sequence"),
    ]:
        with pytest.raises(ValueError, match=message):
            attribution_scores(model, source, tokenizer=tokenizer, **options)
    tiny_config.id2label, tiny_config.problem_type = {0: "a", 1: "b"}, "regression"
    model = DNABertForSequenceClassification(tiny_config)
    with pytest.raises(ValueError, match="one of several targets must be named"):
        attribution_scores(model, SHORT, tokenizer=tokenizer)
