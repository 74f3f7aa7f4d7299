import json
import random
import zipfile

import pytest
import torch
from huggingface_hub import constants
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from dnabert_hf import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
    DNABertTokenizer,
    convert,
    embed,
)

FILES = {
    ".gitattributes",
    "README.md",
    "config.json",
    "configuration_dnabert.py",
    "model.safetensors",
    "modeling_dnabert.py",
    "tokenization_dnabert.py",
    "tokenizer_config.json",
    "vocab.txt",
}
POOLER = ("bert.pooler.dense.bias", "bert.pooler.dense.weight")


def largest_difference(one, other):
    return float((one - other).abs().max())


@pytest.mark.parametrize("k", range(2, 9))
@pytest.mark.parametrize("safetensors", [False, True])
def test_a_repository_of_the_original_becomes_ours(shapes, tmp_path, k, safetensors):
    stock = shapes.stock_model(k)
    source = shapes.write_original(tmp_path / "in", stock, safetensors=safetensors)
    conversion = convert(source, tmp_path / "out")
    assert (conversion.origin, conversion.k, conversion.reordered) == ("original DNABERT", k, False)
    assert conversion.architecture == "DNABertForMaskedLM"
    assert conversion.missing == ()
    assert conversion.unexpected == POOLER
    assert set(conversion.reinitialised) == set(POOLER)
    assert conversion.notes == ()
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    inputs = tokenizer(["acgtacgtNacg", "TTTGGGACAC"], padding=True, return_tensors="pt")
    assert torch.equal(
        inputs["input_ids"],
        DNABertTokenizer(k=k)(["ACGTACGTNACG", "TTTGGGACAC"], padding=True, return_tensors="pt")[
            "input_ids"
        ],
    )
    encoder = AutoModel.from_pretrained(tmp_path / "out").eval()
    head = AutoModelForMaskedLM.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        expected = stock.bert(**inputs).last_hidden_state
        assert largest_difference(encoder(**inputs).last_hidden_state, expected) <= 1e-6
        assert largest_difference(head(**inputs).logits, stock(**inputs).logits) <= 1e-6
    direct = DNABertForMaskedLM.from_pretrained(source).state_dict()
    assert all(torch.equal(value, direct[name]) for name, value in head.state_dict().items())


def test_the_bias_counts_twice_when_asked(shapes, original, inputs, tmp_path):
    stock = shapes.stock_model(3)
    shapes.write_original(original, stock)
    conversion = convert(original, tmp_path / "out", mlm_bias="double")
    assert conversion.mlm_bias.kind == "double"
    model = DNABertForMaskedLM.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        old_logits = stock(**inputs).logits + stock.cls.predictions.bias
        assert largest_difference(model(**inputs).logits, old_logits) <= 1e-6


@pytest.mark.parametrize("n_labels", [2, 3])
def test_a_fine_tuned_classifier_keeps_head_and_pooler(shapes, inputs, tmp_path, n_labels):
    stock = shapes.stock_model(3, "BertForSequenceClassification", num_labels=n_labels)
    # Old versions set num_labels alone.
    names = {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "num_labels": n_labels}
    source = shapes.write_original(tmp_path / "in", stock, **names)
    conversion = convert(source, tmp_path / "out")
    assert conversion.reinitialised == conversion.missing == conversion.unexpected == ()
    assert conversion.mlm_bias is None
    assert [note.split()[0] for note in conversion.notes] == ["classes", "padding"]
    model = DNABertForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        assert largest_difference(model(**inputs).logits, stock(**inputs).logits) <= 1e-6


def test_a_token_classifier_and_an_encoder_alone_are_told_apart(shapes, inputs, tmp_path):
    stock = shapes.stock_model(3, "BertForTokenClassification")
    conversion = convert(shapes.write_original(tmp_path / "tokens", stock), tmp_path / "out")
    assert conversion.architecture == "DNABertForTokenClassification"
    model = DNABertForTokenClassification.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        assert largest_difference(model(**inputs).logits, stock(**inputs).logits) <= 1e-6

    encoder = shapes.stock_model(3, "BertModel")
    source = shapes.write_original(tmp_path / "encoder", encoder)
    assert convert(source, tmp_path / "out", overwrite=True).reinitialised == ()
    ours = DNABertModel.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        expected = encoder(**inputs).pooler_output
        assert largest_difference(ours(**inputs).pooler_output, expected) <= 1e-6

    weights = shapes.old_names(encoder)
    without = {name: value for name, value in weights.items() if not name.startswith("pooler")}
    shapes.write_original(source, encoder, weights=without)
    conversion = convert(source, tmp_path / "out", overwrite=True)
    assert set(conversion.missing) == set(conversion.reinitialised) == set(POOLER)


def long_logits(stock, head, ids, n_pieces):
    """The heads of the original for long sequences, on pieces that are all filled."""
    pieces = ids.view(-1, 512)
    pooled = stock(pieces).pooler_output.view(len(ids), n_pieces, -1)
    if "rnn" in head:
        _, state = head["rnn"](pooled)
        final = state[0] if isinstance(state, tuple) else state
        return head["classifier"](final.sum(dim=0))
    return head["classifier2"](head["classifier1"](pooled.flatten(1)).relu())


@pytest.mark.parametrize("kind", ["lstm", "gru", "concat"])
def test_heads_for_long_sequences_become_segment_pooling(shapes, tmp_path, kind):
    n_pieces, hidden = 2, 16
    stock = shapes.stock_model(3, "BertModel")
    if kind == "concat":
        head = {
            "classifier1": torch.nn.Linear(n_pieces * hidden, hidden),
            "classifier2": torch.nn.Linear(hidden, 3),
        }
    else:
        rnn = torch.nn.LSTM if kind == "lstm" else torch.nn.GRU
        head = {
            "rnn": rnn(hidden, hidden, num_layers=2, bidirectional=True, batch_first=True),
            "classifier": torch.nn.Linear(hidden, 3),
        }
    weights = {f"bert.{name}": value for name, value in shapes.old_names(stock).items()}
    for name, module in head.items():
        weights |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    fields = {"split": n_pieces, "rnn": kind, "num_labels": 3}
    source = shapes.write_original(tmp_path / "in", stock, weights=weights, **fields)
    conversion = convert(source, tmp_path / "out")
    assert conversion.unexpected == ()
    model = DNABertForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    assert model.config.segment_pooling == kind

    generator = random.Random(0)
    dna = ["".join(generator.choices("ACGT", k=n_pieces * 510 + 2)) for _ in range(2)]
    inputs = DNABertTokenizer(k=3)(dna, return_tensors="pt", verbose=False)
    middle = inputs["input_ids"][:, 1:-1].view(2, n_pieces, 510)
    ends = torch.ones(2, n_pieces, 1, dtype=torch.long)
    ids = torch.cat([2 * ends, middle, 3 * ends], dim=2).view(2, -1)
    with torch.no_grad():
        expected = long_logits(stock, head, ids, n_pieces)
        assert largest_difference(model(**inputs).logits, expected) <= 1e-6


@pytest.mark.parametrize(
    ("architecture", "head", "our_class"),
    [
        ("BertForMaskedLM", "lm_head", DNABertForMaskedLM),
        ("BertForSequenceClassification", "sequence_head", DNABertForSequenceClassification),
        ("BertForTokenClassification", "token_head", DNABertForTokenClassification),
    ],
)
def test_multimolecule_is_brought_into_order(
    shapes, inputs, tmp_path, architecture, head, our_class
):
    stock = shapes.stock_model(3, architecture)
    source = shapes.write_multimolecule(tmp_path / "in", stock, 3, head=head)
    conversion = convert(source, tmp_path / "out")
    assert (conversion.origin, conversion.reordered) == ("multimolecule", True)
    model = our_class.from_pretrained(tmp_path / "out").eval()
    assert model.config.hidden_dropout_prob == 0.1
    assert not {"hidden_dropout", "null_token_id", "lm_head"} & set(model.config.to_dict())
    with torch.no_grad():
        assert largest_difference(model(**inputs).logits, stock(**inputs).logits) <= 1e-6


@pytest.mark.parametrize("our_class", [DNABertModel, DNABertForMaskedLM, AutoModel])
def test_multimolecule_is_never_loaded_with_random_weights(shapes, tmp_path, our_class):
    """Its config says model_type "dnabert" too, and none of its names is ours."""
    source = shapes.write_multimolecule(tmp_path / "in", shapes.stock_model(3), 3)
    match = r"must have the weights of DNABERT's encoder.* lacks \d+ of .*convert"
    with pytest.raises(ValueError, match=match):
        our_class.from_pretrained(source)
    with pytest.raises(ValueError, match="line 1 must be"):
        AutoTokenizer.from_pretrained(source)
    with pytest.raises(ValueError, match=match):
        embed(source, ["ACGTACGT"])
    convert(source, tmp_path / "out")
    assert our_class.from_pretrained(tmp_path / "out").config.vocab_size == 69


def test_a_vocabulary_in_another_order_is_converted(shapes, inputs, tmp_path):
    stock = shapes.stock_model(3)
    tokens = shapes.tokens(3)
    order = torch.randperm(len(tokens))
    weights = shapes.old_names(stock)
    for name, value in weights.items():
        if len(value) == len(tokens):
            weights[name] = value[order]
    source = shapes.write_original(
        tmp_path / "in", stock, weights=weights, tokens=[tokens[i] for i in order]
    )
    assert convert(source, tmp_path / "out").reordered
    model = DNABertForMaskedLM.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        assert largest_difference(model(**inputs).logits, stock(**inputs).logits) <= 1e-6


def test_windows_line_ends_and_a_missing_vocabulary_are_taken(original, tmp_path):
    vocabulary = original / "vocab.txt"
    vocabulary.write_bytes(vocabulary.read_bytes().replace(b"\n", b"\r\n"))
    conversion = convert(original, tmp_path / "out")
    assert (conversion.reordered, conversion.notes) == (False, ())
    assert b"\r" not in (tmp_path / "out" / "vocab.txt").read_bytes()
    vocabulary.unlink()
    (note,) = convert(original, tmp_path / "out", overwrite=True).notes
    assert note == "no vocab.txt: the vocabulary is taken to be the original's"


def test_an_older_repository_of_ours_keeps_its_fields(tiny_config, tmp_path):
    tiny_config.token_pooling = "mean"
    model = DNABertForSequenceClassification(tiny_config).eval()
    model.save_pretrained(tmp_path / "in")
    DNABertTokenizer(k=3, model_max_length=99).save_pretrained(tmp_path / "in")
    config = json.loads((tmp_path / "in" / "config.json").read_text())
    for name in ("auto_map", "k"):
        config.pop(name)
    (tmp_path / "in" / "config.json").write_text(json.dumps(config))
    conversion = convert(tmp_path / "in", tmp_path / "out")
    assert conversion.origin == "dnabert-hf"
    loaded = DNABertForSequenceClassification.from_pretrained(tmp_path / "out")
    assert (loaded.config.token_pooling, loaded.config.k) == ("mean", 3)
    assert AutoTokenizer.from_pretrained(tmp_path / "out").model_max_length == 99
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)


def test_a_checkpoint_of_this_package_is_named_alone(tmp_path):
    conversion = convert("dnabert-6-mini", tmp_path / "out")
    assert (conversion.origin, conversion.k) == ("dnabert-hf", 6)
    assert conversion.mlm_bias.reason == "as the models of dnabert-hf add it"


def test_the_head_of_the_task_that_was_not_trained_is_left_out(shapes, tmp_path):
    stock = shapes.stock_model(3)
    extra = {"cls.seq_relationship.weight": torch.zeros(2, 16)}
    weights = shapes.old_names(stock, extra=extra)
    conversion = convert(
        shapes.write_original(tmp_path / "in", stock, weights=weights), tmp_path / "out"
    )
    assert conversion.unexpected == (*POOLER, "cls.seq_relationship.weight")


def test_a_zip_as_released_is_read(original, tmp_path):
    archive = tmp_path / "3-new-12w-0.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in original.iterdir():
            file.write(path, f"3-new-12w-0/{path.name}")
            file.writestr(f"__MACOSX/3-new-12w-0/{path.name}", "shadow")
    assert convert(archive, tmp_path / "zipped").k == 3
    convert(original, tmp_path / "unzipped")
    weights = [
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("zipped", "unzipped")
    ]
    assert weights[0] == weights[1]


def test_a_hub_repository_is_read_from_the_cache(original, tmp_path, monkeypatch):
    repository = tmp_path / "cache" / "models--zhihan1996--DNA_bert_3"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    (repository / "snapshots").mkdir()
    original.rename(repository / "snapshots" / ("a" * 40))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    assert convert("zhihan1996/DNA_bert_3", tmp_path / "out").k == 3
    with pytest.raises(
        ValueError, match=r"zhihan1996/DNA_bert_4 must be .* but fetching it failed"
    ):
        convert("zhihan1996/DNA_bert_4", tmp_path / "out4")


def test_weights_in_several_files_are_joined(shapes, tmp_path):
    stock = shapes.stock_model(3)
    source = shapes.write_original(tmp_path / "in", stock)
    weights = shapes.old_names(stock)
    (source / "pytorch_model.bin").unlink()
    parts = {name: f"pytorch_model-{i % 2}.bin" for i, name in enumerate(sorted(weights))}
    for part in set(parts.values()):
        own = {name: value for name, value in weights.items() if parts[name] == part}
        torch.save(own, source / part)
    index = source / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": parts}))
    assert convert(source, tmp_path / "out").missing == ()
    (source / "pytorch_model-1.bin").unlink()
    with pytest.raises(ValueError, match=r"names 2 files of weights, but pytorch_model-1\.bin is"):
        convert(source, tmp_path / "other")


def test_the_random_state_of_the_caller_is_left_alone(original, tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    convert(original, tmp_path / "out")
    assert torch.equal(torch.rand(3), expected)
