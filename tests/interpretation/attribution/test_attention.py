import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from dnabert_hf import (
    DNABertConfig,
    DNABertForSequenceClassification,
    DNABertModel,
    DNABertTokenizer,
)
from dnabert_hf.cli.main import app
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.inference.predict import predict
from dnabert_hf.interpretation.attribution.attention import attention_scores

SEQUENCES = ["ACGTTGCAACGTAGCTAGG", "TTTGACG", "ACGTN" + "ACGGTTA" * 3, "GGC"]


@pytest.fixture
def classifier(tiny_config):
    tiny_config.max_position_embeddings = 30
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    return DNABertForSequenceClassification(tiny_config).eval()


def by_the_formula(encoder, tokenizer, sequence, *, layer=-1, heads=slice(None), room=28, k=3):
    """The published score from the whole attention, in plain NumPy."""
    scores = []
    for start in range(0, len(sequence) - k + 1, room):
        inputs = tokenizer(sequence[start : start + room + k - 1], return_tensors="pt")
        with torch.no_grad():
            attentions = encoder(**inputs, output_attentions=True).attentions
        scores += attentions[layer][0].numpy()[heads, 0, 1:-1].sum(axis=0).tolist()
    of_bases = [
        np.mean([scores[i] for i in range(base - k + 1, base + 1) if 0 <= i < len(scores)])
        for base in range(len(sequence))
    ]
    return np.array(of_bases) / np.linalg.norm(of_bases)


def test_scores_are_those_of_the_formula(classifier, tokenizer):
    found = attention_scores(classifier, SEQUENCES, tokenizer=tokenizer, dtype="float32")
    for sequence, each in zip(SEQUENCES, found, strict=True):
        expected = by_the_formula(classifier.bert, tokenizer, sequence)
        np.testing.assert_allclose(each.scores, expected, atol=1e-5)
        assert each.sequence == sequence
        assert np.square(each.scores).sum() == pytest.approx(1, rel=1e-5)


def test_layers_and_heads_can_be_chosen(classifier, tokenizer):
    options = {"tokenizer": tokenizer, "dtype": "float32"}
    (first,) = attention_scores(classifier, SEQUENCES[:1], layer=0, heads=[1], **options)
    expected = by_the_formula(classifier.bert, tokenizer, SEQUENCES[0], layer=0, heads=[1])
    np.testing.assert_allclose(first.scores, expected, atol=1e-5)
    for layer, heads, message in [
        (2, None, r"from 0 to 1 \(or from -1 to -2, from the last\), got 2"),
        (-3, None, "got -3"),
        (0, [2], "heads must be from 0 to 1, got 2"),
        (0, [], "heads must be from 0 to 1, got none"),
    ]:
        with pytest.raises(ValueError, match=message):
            attention_scores(classifier, SEQUENCES, layer=layer, heads=heads, **options)


@pytest.fixture
def of_k4(tmp_path):
    config = DNABertConfig(
        k=4,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=30,
        id2label={0: "no", 1: "yes"},
        label2id={"no": 0, "yes": 1},
    )
    DNABertForSequenceClassification(config).save_pretrained(tmp_path / "k4")
    DNABertTokenizer(k=4).save_pretrained(tmp_path / "k4")
    return tmp_path / "k4"


def test_scores_of_several_k_are_summed_as_by_the_formula(classifier, tokenizer, of_k4):
    """Each of norm 1, their sum divided by its norm; probabilities as `predict` averages them."""
    sequences, options = SEQUENCES[:2], {"tokenizer": tokenizer, "dtype": "float32"}
    found = attention_scores(classifier, sequences, also=[of_k4], **options)
    other = DNABertForSequenceClassification.from_pretrained(of_k4).eval()
    predicted = predict(classifier, sequences, also=[of_k4], both_strands=False, **options)
    for sequence, each, prediction in zip(sequences, found, predicted, strict=True):
        total = by_the_formula(classifier.bert, tokenizer, sequence)
        total = total + by_the_formula(other.bert, DNABertTokenizer(k=4), sequence, k=4)
        np.testing.assert_allclose(each.scores, total / np.linalg.norm(total), atol=1e-5)
        assert each.probabilities == pytest.approx(prediction.probabilities, abs=1e-5)
    with pytest.raises(ValueError, match="at least k = 4 bases long, found 3"):
        attention_scores(classifier, ["GGC"], also=[of_k4], **options)


def test_models_of_other_classes_are_not_summed(classifier, tokenizer, of_k4):
    classifier.config.id2label = {0: "no", 1: "maybe"}
    with pytest.raises(ValueError, match="models to average must have the same classes"):
        attention_scores(classifier, SEQUENCES, also=[of_k4], tokenizer=tokenizer)


def attentions_of(encoder, tokenizer, sequence):
    """The whole attention of a short sequence, shape (layers, heads, tokens, tokens)."""
    inputs = tokenizer(sequence, return_tensors="pt", verbose=False)
    with torch.no_grad():
        attentions = encoder(**inputs, output_attentions=True).attentions
    return torch.cat(attentions).numpy().astype(float)


def over_bases(of_kmers, k=3):
    """Mean over the k-mers that cover each base, divided by the norm."""
    bases = range(len(of_kmers) + k - 1)
    means = np.array([of_kmers[max(b - k + 1, 0) : b + 1].mean() for b in bases])
    return means / np.linalg.norm(means)


def test_several_layers_are_summed(classifier, tokenizer):
    (found,) = attention_scores(
        classifier, SEQUENCES[:1], layer=[0, -1], tokenizer=tokenizer, dtype="float32"
    )
    attentions = attentions_of(classifier.bert, tokenizer, SEQUENCES[0])
    expected = over_bases(attentions[:, :, 0, 1:-1].sum(axis=(0, 1)))
    np.testing.assert_allclose(found.scores, expected, atol=1e-5)


def test_the_queries_can_be_all_kmers(classifier, tokenizer):
    found = attention_scores(
        classifier, SEQUENCES, query="kmers", heads=[1], tokenizer=tokenizer, dtype="float32"
    )
    for sequence, each in zip(SEQUENCES, found, strict=True):
        attentions = attentions_of(classifier.bert, tokenizer, sequence)
        expected = over_bases(attentions[-1, 1, 1:-1, 1:-1].mean(axis=0))
        np.testing.assert_allclose(each.scores, expected, atol=1e-5)


@pytest.mark.parametrize("token_pooling", ["cls", "mean"])
def test_rollout_is_the_product_of_all_layers(tiny_config, tokenizer, token_pooling):
    tiny_config.token_pooling = token_pooling
    model = DNABertForSequenceClassification(tiny_config).eval()
    found = attention_scores(model, SEQUENCES, rollout=True, tokenizer=tokenizer, dtype="float32")
    for sequence, each in zip(SEQUENCES, found, strict=True):
        attentions = attentions_of(model.bert, tokenizer, sequence).mean(axis=1)
        identity = np.eye(attentions.shape[-1])
        product = identity
        for attention in attentions:
            product = (0.5 * attention + 0.5 * identity) @ product
        assert product.sum(axis=1) == pytest.approx(1)
        pooled = product[0] if token_pooling == "cls" else product[1:-1].mean(axis=0)
        np.testing.assert_allclose(each.scores, over_bases(pooled[1:-1]), atol=1e-5)


def test_attention_that_a_classifier_does_not_read_is_warned_of(tiny_config, tokenizer, caplog):
    tiny_config.token_pooling = "mean"
    model = DNABertForSequenceClassification(tiny_config).eval()
    attention_scores(model, SEQUENCES, query="kmers", tokenizer=tokenizer)
    attention_scores(model, SEQUENCES, rollout=True, tokenizer=tokenizer)
    attention_scores(model, SEQUENCES, layer=0, tokenizer=tokenizer)
    found = attention_scores(model, SEQUENCES, tokenizer=tokenizer)
    expected = attention_scores(model, SEQUENCES, query="kmers", tokenizer=tokenizer)
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.scores, other.scores)  # what the model pools is the default
    assert not [each for each in caplog.messages if "pools the mean" in each]
    attention_scores(model, SEQUENCES, query="cls", tokenizer=tokenizer)
    assert [each for each in caplog.messages if "pools the mean of the k-mers" in each]


def test_options_that_contradict_each_other_are_refused(classifier, tokenizer):
    for options, message in [
        ({"rollout": True, "layer": 0}, "rollout goes through all layers and heads"),
        ({"rollout": True, "query": "kmers"}, "leave layer, heads and query out"),
        ({"query": "sep"}, "query must be one of cls, kmers, got 'sep'"),
        ({"layer": []}, "a layer must be from 0 to 1 .* got none"),
    ]:
        with pytest.raises(ValueError, match=message):
            attention_scores(classifier, SEQUENCES, tokenizer=tokenizer, **options)


def test_long_sequences_are_joined_from_pieces(classifier, tokenizer):
    long = "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCA" * 2
    (found,) = attention_scores(classifier, [long], tokenizer=tokenizer, dtype="float32")
    expected = by_the_formula(classifier.bert, tokenizer, long)
    np.testing.assert_allclose(found.scores, expected, atol=1e-5)


def test_probabilities_come_from_the_same_pass(classifier, tokenizer):
    options = {"tokenizer": tokenizer, "dtype": "float32"}
    sequences = [*SEQUENCES, "ACGGT" * 20]
    found = attention_scores(classifier, sequences, **options)
    expected = predict(classifier, sequences, **options)
    for each, prediction in zip(found, expected, strict=True):
        assert each.probabilities == pytest.approx(prediction.probabilities, abs=1e-6)


@pytest.mark.parametrize("has_pooler", [False, True])
def test_an_encoder_alone_has_no_probabilities(tiny_config, tokenizer, has_pooler):
    encoder = DNABertModel(tiny_config, add_pooling_layer=has_pooler).eval()
    (found,) = attention_scores(encoder, SEQUENCES[:1], tokenizer=tokenizer, dtype="float32")
    assert found.probabilities is None
    expected = by_the_formula(encoder, tokenizer, SEQUENCES[0], room=510)
    np.testing.assert_allclose(found.scores, expected, atol=1e-5)


def test_pairs_are_refused(classifier, tokenizer):
    pair = SequenceRecord("p", "ACGTACGT", sequence_b="ACGTA")
    with pytest.raises(ValueError, match="record p: scores of bases are of one sequence"):
        attention_scores(classifier, [pair], tokenizer=tokenizer)


def test_command_line_writes_parquet(classifier, tokenizer, tmp_path):
    classifier.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    (tmp_path / "s.fa").write_text("".join(f">s{i}\n{s}\n" for i, s in enumerate(SEQUENCES)))
    out = tmp_path / "scores.parquet"
    arguments = ["attention", str(tmp_path / "m"), str(tmp_path / "s.fa"), "-o", str(out)]
    result = CliRunner().invoke(app, [*arguments, "--dtype", "float32"])
    assert result.exit_code == 0, result.stderr
    rows = pq.read_table(out).to_pylist()
    found = attention_scores(classifier, SEQUENCES, tokenizer=tokenizer, dtype="float32")
    assert [row["id"] for row in rows] == ["s0", "s1", "s2", "s3"]
    for row, each in zip(rows, found, strict=True):
        assert row["sequence"] == each.sequence
        np.testing.assert_allclose(row["scores"], each.scores, atol=1e-5)
        assert row["prob_yes"] == pytest.approx(each.probabilities["yes"], abs=1e-6)
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, "must not exist yet" in result.stderr) == (2, True)
