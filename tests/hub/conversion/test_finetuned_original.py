"""Fine-tuned checkpoints of the original, beside its arithmetic written out over stock modules."""

import csv
import math
import random

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dnabert_hf import (
    DNABertForSequenceClassification,
    DNABertTokenizer,
    attention_scores,
    attribution_scores,
    convert,
    evaluate,
    find_motifs,
    mutagenesis,
    predict,
)
from dnabert_hf.cli.main import app
from dnabert_hf.data.reading.records import Columns

K, PADDED_TO = 3, 40


def random_dna(*lengths, seed=0):
    generator = random.Random(seed)
    return ["".join(generator.choices("ACGT", k=n)) for n in lengths]


def original_attention(bert, ids, n_tokens, mask_of_padding):
    """Pooled output, and the attention of each layer, of BERT with an additive mask.

    The original of June 2021 and later adds 1 to the scores of tokens and 0 to those of padding;
    before, 0 and -10000.
    """
    of_tokens = 1.0 if mask_of_padding == 0.0 else 0.0
    is_token = torch.arange(len(ids)) < n_tokens
    mask = torch.where(is_token, of_tokens, mask_of_padding)
    hidden = bert.embeddings(torch.tensor([ids]))
    attentions = []
    for layer in bert.encoder.layer:
        module = layer.attention.self
        query, key, value = (
            project(hidden)[0].view(len(ids), -1, module.attention_head_size).transpose(0, 1)
            for project in (module.query, module.key, module.value)
        )
        scores = query @ key.transpose(1, 2) / math.sqrt(module.attention_head_size) + mask
        attentions.append(scores.softmax(-1))
        context = (attentions[-1] @ value).transpose(0, 1).reshape(1, len(ids), -1)
        hidden = layer.attention.output(context, hidden)
        hidden = layer.output(layer.intermediate(hidden), hidden)
    return bert.pooler(hidden)[0], attentions


@torch.no_grad()
def original(bert, sequence, *, padded_to=PADDED_TO, mask_of_padding=0.0):
    tokens = DNABertTokenizer(k=K)(sequence)["input_ids"]
    ids = tokens + [0] * (padded_to - len(tokens))
    return original_attention(bert, ids, len(tokens), mask_of_padding)


@pytest.fixture
def stock(shapes):
    torch.manual_seed(0)
    return shapes.stock_model(K, "BertForSequenceClassification", num_labels=2)


@pytest.fixture
def source(shapes, tmp_path, stock):
    return shapes.write_original(tmp_path / "in", stock)


@torch.no_grad()
def original_probabilities(stock, sequence, **options):
    return stock.classifier(original(stock.bert, sequence, **options)[0]).softmax(-1).numpy()


def test_padding_is_attended_to_as_in_the_original(stock, source, tmp_path):
    conversion = convert(source, tmp_path / "out", padded_to=PADDED_TO)
    assert any("padding up to 40 tokens is attended to" in note for note in conversion.notes)
    assert "40 tokens is attended to" in (tmp_path / "out" / "README.md").read_text()
    # 40 bases are 38 k-mers: no padding. 60 are more than 40 tokens: the others of its batch have
    # padding beyond the 40, which must not count.
    sequences = random_dna(3, 10, 39, 40, 24, 60)
    expected = [original_probabilities(stock, each) for each in sequences]
    masked = original_probabilities(stock, sequences[1], mask_of_padding=-10000.0)
    assert abs(np.log(masked / expected[1])).max() > 0.05  # of log odds
    predictions = predict(tmp_path / "out", sequences, dtype="float32")
    got = [list(each.probabilities.values()) for each in predictions]
    assert np.allclose(got, expected, rtol=0, atol=1e-5)

    model = DNABertForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    inputs = DNABertTokenizer(k=K)(sequences[:2], padding=True, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs, output_attentions=True, output_hidden_states=True)
        alone = model(inputs["input_ids"][1:], output_hidden_states=True)
        words = model.bert.embeddings.word_embeddings(inputs["input_ids"])
        mask, types = inputs["attention_mask"], inputs["token_type_ids"]
        embedded = model(inputs_embeds=words, attention_mask=mask, token_type_ids=types)
        positions = torch.arange(10).expand(2, -1)
        placed = model(**inputs, position_ids=positions).logits
    for logits in (outputs.logits, embedded.logits, placed):
        assert np.allclose(logits.softmax(-1), expected[:2], rtol=0, atol=1e-5)
    assert np.allclose(alone.logits.softmax(-1), expected[1:2], rtol=0, atol=1e-5)
    assert outputs.attentions[0].shape == (2, 2, 10, 10)
    assert outputs.hidden_states[-1].shape == (2, 10, 16)
    low = predict(tmp_path / "out", sequences, dtype="bfloat16")
    assert np.allclose([list(e.probabilities.values()) for e in low], expected, rtol=0, atol=0.05)


def base_scores(of_kmers, n_bases):
    """Mean over the k-mers that cover a base, divided by the Euclidean norm."""
    covering = [of_kmers[max(0, i - K + 1) : i + 1] for i in range(n_bases)]
    scores = np.array([np.mean(each) for each in covering])
    return scores / np.linalg.norm(scores)


@pytest.mark.parametrize("how", [{}, {"query": "kmers"}, {"rollout": True}])
def test_base_scores_are_those_of_the_original_with_padding(stock, source, tmp_path, how):
    convert(source, tmp_path / "out", padded_to=PADDED_TO)
    sequences = random_dna(12, 30, 50)
    found = attention_scores(tmp_path / "out", sequences, dtype="float32", **how)
    for sequence, scores in zip(sequences, found, strict=True):
        _, attentions = original(stock.bert, sequence)
        n_kmers = len(sequence) - K + 1
        if how.get("rollout"):
            of_tokens = torch.eye(attentions[0].shape[-1])[0]
            for each in reversed(attentions):
                of_tokens = 0.5 * of_tokens + 0.5 * (of_tokens @ each.mean(0))
        elif "query" in how:
            of_tokens = attentions[-1][:, 1 : n_kmers + 1].mean(1).sum(0)
        else:
            of_tokens = attentions[-1][:, 0].sum(0)
        expected = base_scores(of_tokens[1 : n_kmers + 1].numpy(), len(sequence))
        assert np.allclose(scores.scores, expected, rtol=0, atol=1e-5)


def test_effects_of_mutations_are_those_of_the_original_with_padding(stock, source, tmp_path):
    convert(source, tmp_path / "out", padded_to=PADDED_TO)
    (sequence,) = random_dna(20)
    mutagenesis(tmp_path / "out", [sequence], output=tmp_path / "map.tsv", dtype="float32")
    with (tmp_path / "map.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 60
    for row in rows[::9]:
        position = int(row["position"])
        mutated = sequence[:position] + row["alt"] + sequence[position + 1 :]
        for name, each in (("prob_ref_1", sequence), ("prob_1", mutated)):
            expected = original_probabilities(stock, each)[1]
            assert float(row[name]) == pytest.approx(expected, abs=1e-5)


def test_attributions_add_up_to_what_the_original_says_with_padding(stock, source, tmp_path):
    convert(source, tmp_path / "out", padded_to=PADDED_TO)
    (sequence,) = random_dna(12)
    options = {"method": "integrated_gradients", "steps": 200, "dtype": "float32"}
    (found,) = attribution_scores(tmp_path / "out", [sequence], label="1", **options)
    with torch.no_grad():  # the baseline: [MASK] in place of each k-mer
        masked = [2, *[4] * 10, 3] + [0] * (PADDED_TO - 12)
        baseline = stock.classifier(original_attention(stock.bert, masked, 12, 0.0)[0])
        logits = stock.classifier(original(stock.bert, sequence)[0])
    expected = float((logits[1] - logits[0]) - (baseline[1] - baseline[0]))
    assert found.scores.sum() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("padded_to", [None, 3 * 512])
@pytest.mark.parametrize("kind", ["lstm", "gru", "concat"])
def test_pieces_of_padding_count_in_short_sequences(shapes, tmp_path, kind, padded_to):
    n_pieces, hidden = 3, 16
    torch.manual_seed(1)
    stock = shapes.stock_model(K, "BertModel")
    weights = {f"bert.{name}": value for name, value in shapes.old_names(stock).items()}
    if kind == "concat":
        head = {
            "classifier1": torch.nn.Linear(n_pieces * hidden, hidden),
            "classifier2": torch.nn.Linear(hidden, 2),
        }
    else:
        recurrent = torch.nn.LSTM if kind == "lstm" else torch.nn.GRU
        head = {
            "rnn": recurrent(hidden, hidden, num_layers=2, bidirectional=True, batch_first=True),
            "classifier": torch.nn.Linear(hidden, 2),
        }
    for name, module in head.items():
        weights |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    source = shapes.write_original(tmp_path / "in", stock, weights=weights, split=n_pieces)
    convert(source, tmp_path / "out", padded_to=padded_to)

    mask_of_padding = -10000.0 if padded_to is None else 0.0
    sequences = random_dna(30, 700, 1400)
    expected = []
    for sequence in sequences:
        ids = DNABertTokenizer(k=K)(sequence, verbose=False)["input_ids"][1:-1]
        pooled = []
        for begin in range(0, n_pieces * 510, 510):
            piece = ids[begin : begin + 510]
            tokens = [2, *piece, 3] if piece else []
            padded = tokens + [0] * (512 - len(tokens))
            pooled.append(original_attention(stock, padded, len(tokens), mask_of_padding)[0])
        states = torch.stack(pooled)[None]
        with torch.no_grad():
            if kind == "concat":
                logits = head["classifier2"](head["classifier1"](states.flatten(1)).relu())
            else:
                _, last = head["rnn"](states)
                last = last[0] if kind == "lstm" else last
                logits = head["classifier"](last.sum(dim=0))
        expected.append(logits.softmax(-1)[0].numpy())
    predictions = predict(tmp_path / "out", sequences, dtype="float32")
    got = [list(each.probabilities.values()) for each in predictions]
    assert np.allclose(got, expected, rtol=0, atol=1e-5)
    # And again from our own repository.
    convert(tmp_path / "out", tmp_path / "again")
    again = predict(tmp_path / "again", sequences, dtype="float32")
    assert [each.probabilities for each in again] == [each.probabilities for each in predictions]


def test_their_pairs_have_no_token_types(shapes, tmp_path, stock):
    source = shapes.write_original(tmp_path / "in", stock, finetuning_task="dnapair")
    conversion = convert(source, tmp_path / "out")
    assert any("first token type" in note for note in conversion.notes)
    rows = [("ACGTTGCA", "TTGACCA"), ("GGGATC", "ACGTACGTAC")]
    table = tmp_path / "dev.tsv"
    lines = [f"{' '.join(kmers(a))}\t{' '.join(kmers(b))}\t{i}" for i, (a, b) in enumerate(rows)]
    table.write_text("\n".join(["seq1\tseq2\tlabel", *lines]) + "\n")
    columns = Columns(sequence="seq1", sequence_b="seq2")
    predictions = predict(tmp_path / "out", table, columns=columns, dtype="float32")
    for (one, other), prediction in zip(rows, predictions, strict=True):
        inputs = DNABertTokenizer(k=K)(one, other, return_tensors="pt")
        with torch.no_grad():
            expected = stock(inputs["input_ids"]).logits.softmax(-1)[0]
        assert inputs["token_type_ids"].any()
        assert np.allclose(list(prediction.probabilities.values()), expected, rtol=0, atol=1e-6)
    named = ["--sequence-column", "seq1", "--sequence-b-column", "seq2"]
    for command in ("predict", "evaluate"):
        done = CliRunner().invoke(app, [command, str(tmp_path / "out"), str(table), *named])
        assert done.exit_code == 0, done.output


def kmers(sequence):
    return [sequence[i : i + K] for i in range(len(sequence) - K + 1)]


@pytest.mark.parametrize("n_labels", [2, 3])
def test_their_own_tables_are_evaluated(shapes, tmp_path, n_labels):
    stock = shapes.stock_model(K, "BertForSequenceClassification", num_labels=n_labels)
    source = shapes.write_original(tmp_path / "in", stock, num_labels=n_labels)
    convert(source, tmp_path / "out")
    sequences = random_dna(*[30] * 30)
    lines = [f"{' '.join(kmers(each))}\t{i % n_labels}" for i, each in enumerate(sequences)]
    table = tmp_path / "dev.tsv"
    table.write_text("\n".join(["sequence\tlabel", *lines]) + "\n")
    right = [
        int(original_probabilities(stock, each, mask_of_padding=-10000.0).argmax()) == i % n_labels
        for i, each in enumerate(sequences)
    ]
    evaluation = evaluate(tmp_path / "out", table, dtype="float32")
    assert evaluation.scores["accuracy"] == pytest.approx(np.mean(right))
    assert find_motifs(tmp_path / "out", table, label="1").n_positives == 30 // n_labels
    # As is a model whose classes are called LABEL_0, LABEL_1, ...
    shapes.write_original(tmp_path / "in", stock, num_labels=n_labels, finetuning_task=None)
    convert(tmp_path / "in", tmp_path / "unnamed")
    again = evaluate(tmp_path / "unnamed", table, dtype="float32")
    assert again.scores["accuracy"] == evaluation.scores["accuracy"]
    search = find_motifs(tmp_path / "unnamed", table, label="1")
    assert (search.label, search.n_positives) == ("LABEL_1", 30 // n_labels)


def test_what_cannot_be_is_refused(shapes, tmp_path, source):
    with pytest.raises(ValueError, match=r"must be from 3 to 512 tokens, got 513"):
        convert(source, tmp_path / "out", padded_to=513)
    with pytest.raises(ValueError, match=r"stock BERT masks all padding"):
        convert(source, tmp_path / "out", padded_to=40, stock=True)
    pretrained = shapes.write_original(tmp_path / "pretrained", shapes.stock_model(K))
    with pytest.raises(ValueError, match=r"padded_to is for classifiers"):
        convert(pretrained, tmp_path / "out", padded_to=40)
    assert not (tmp_path / "out").exists()


def test_a_note_tells_of_padding(source, tmp_path):
    conversion = convert(source, tmp_path / "out")
    assert any("--padded-to" in note for note in conversion.notes)
    assert "convert with --padded-to" in (tmp_path / "out" / "README.md").read_text()
