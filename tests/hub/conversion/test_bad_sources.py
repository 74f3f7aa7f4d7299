import json
import os
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import DistilBertConfig

from dnabert_hf import DNABertConfig, DNABertForSequenceClassification, DNABertTokenizer, convert


class Command:
    """What a pickle may hold: a command that runs when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("this-folder-must-not-be-made",)


def edit_config(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def assert_refused(source, tmp_path, match, **options):
    with pytest.raises(ValueError, match=match):
        convert(source, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*.partial.*"))


@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickle_with_code_in_it_is_refused_and_not_run(original, tmp_path, monkeypatch, legacy):
    monkeypatch.chdir(tmp_path)
    torch.save(
        {"bert.pooler.dense.bias": Command()},
        original / "pytorch_model.bin",
        _use_new_zipfile_serialization=not legacy,
    )
    match = r"must be a pickle of tensors alone, found \S+mkdir: refused, since loading it may run"
    assert_refused(original, tmp_path, match)
    assert not (tmp_path / "this-folder-must-not-be-made").exists()


def test_a_pickle_of_other_things_is_refused(original, tmp_path):
    torch.save({"epoch": 3}, original / "pytorch_model.bin")
    assert_refused(original, tmp_path, "must hold tensors by their names, found a dict of other")
    (original / "pytorch_model.bin").write_bytes(b"not a pickle")
    assert_refused(original, tmp_path, "must be a pickle of tensors alone, found something else")


@pytest.mark.parametrize("size", [0, 10, 500, 1000, 1001, 1002, -60])
def test_a_truncated_pickle_is_refused(original, tmp_path, size):
    path = original / "pytorch_model.bin"
    path.write_bytes(path.read_bytes()[: size or None] if size else b"")
    assert_refused(
        original, tmp_path, "whole files? of (torch )?weights, found a truncated or damaged"
    )


@pytest.mark.parametrize("size", [4, 100, -60])
def test_truncated_safetensors_are_refused(shapes, tmp_path, size):
    source = shapes.write_original(tmp_path / "in", shapes.stock_model(3), safetensors=True)
    path = source / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    match = r"model\.safetensors must be a whole file of safetensors, found a truncated"
    assert_refused(source, tmp_path, match)


def test_a_pointer_of_git_lfs_is_named(original, tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (original / "pytorch_model.bin").write_text(pointer)
    assert_refused(original, tmp_path, "found a pointer of Git LFS to them; run `git lfs pull`")


def test_another_kind_of_model_is_refused(original, tmp_path):
    DistilBertConfig().save_pretrained(original)
    assert_refused(
        original, tmp_path, "must be a DNABERT checkpoint, found model type 'distilbert'"
    )


def test_weights_of_another_architecture_are_named(shapes, original, tmp_path):
    weights = {"transformer.wte.weight": torch.zeros(69, 16), "lm.weight": torch.zeros(1)}
    torch.save(weights, original / "pytorch_model.bin")
    match = (
        r"bert\.embeddings\.word_embeddings\.weight is not among them, lm\.weight, "
        r"transformer\.wte\.weight are: they are of another architecture"
    )
    assert_refused(original, tmp_path, match)


def test_a_config_of_another_model_is_named_by_the_weights(original, tmp_path):
    edit_config(original, num_hidden_layers=2)
    match = (
        r"with 2 layers, but lacks 16 weights \(bert\.encoder\.layer\.1\..*, \.\.\.\) and also has"
    )
    assert_refused(original, tmp_path, match)
    edit_config(original, num_hidden_layers=0)
    assert_refused(original, tmp_path, r"lacks none and also has 16 weights \(bert\.encoder")
    edit_config(original, num_hidden_layers=1, intermediate_size=8)
    match = r"dense\.weight must have the shape \(8, 16\), as the config says, found \(24, 16\)"
    assert_refused(original, tmp_path, match)


def test_weights_that_are_no_numbers_are_refused(shapes, tmp_path):
    stock = shapes.stock_model(3)
    weights = shapes.old_names(stock)
    weights["bert.embeddings.LayerNorm.beta"][3] = float("nan")
    source = shapes.write_original(tmp_path / "in", stock, weights=weights)
    match = r"embeddings\.LayerNorm\.bias must hold finite numbers, found NaN or infinity"
    assert_refused(source, tmp_path, match)


def test_a_head_that_has_no_counterpart_is_refused(shapes, tmp_path):
    stock = shapes.stock_model(3, "BertModel")
    weights = shapes.old_names(stock, extra={"qa_outputs.weight": torch.zeros(2, 16)})
    source = shapes.write_original(tmp_path / "in", stock, weights=weights)
    assert_refused(source, tmp_path, r"lacks none and also has 1 weights \(qa_outputs\.weight\)")


def test_a_recurrent_head_in_one_direction_is_refused(shapes, tmp_path):
    stock = shapes.stock_model(3, "BertModel")
    weights = {f"bert.{name}": value for name, value in shapes.old_names(stock).items()}
    rnn = torch.nn.LSTM(16, 16, batch_first=True)
    weights |= {f"rnn.{name}": value for name, value in rnn.state_dict().items()}
    source = shapes.write_original(tmp_path / "in", stock, weights=weights)
    assert_refused(
        source, tmp_path, "must be a bidirectional LSTM or GRU, found weights rnn.weight"
    )


def test_weights_that_ought_to_be_one_are_refused(shapes, tmp_path):
    stock = shapes.stock_model(3)
    extra = {"cls.predictions.decoder.weight": torch.zeros(69, 16)}
    weights = shapes.old_names(stock, extra=extra)
    source = shapes.write_original(tmp_path / "in", stock, weights=weights)
    assert_refused(source, tmp_path, r"word_embeddings\.weight and cls\.\S+weight must be equal")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tokens: tokens[:-1], "it lacks 1, GGG among them"),
        (lambda tokens: [*tokens, "[unused1]"], r"it also has 1, \[unused1\] among them"),
        (lambda tokens: [*tokens, "AAA"], "it repeats 1, AAA among them"),
        (lambda tokens: [*tokens[:5], *(9 * base for base in "ACGT")], "bases, found 9 letters"),
        (lambda tokens: tokens[:5], "must hold k-mers of 2 to 8 bases, found no letters"),
        (lambda tokens: [*tokens, "promoter"], "it also has 1, promoter among them"),
    ],
)
def test_a_vocabulary_of_other_tokens_is_refused(shapes, tmp_path, change, message):
    tokens = change(shapes.tokens(3))
    source = shapes.write_original(tmp_path / "in", shapes.stock_model(3), tokens=tokens)
    assert_refused(source, tmp_path, message)


def test_a_vocabulary_of_another_size_than_the_weights_is_refused(shapes, tmp_path):
    tokens = shapes.tokens(4)
    source = shapes.write_original(tmp_path / "in", shapes.stock_model(3), tokens=tokens)
    match = r"word_embeddings\.weight must have a row for each of the 261 tokens .* found 69"
    assert_refused(source, tmp_path, match)


def test_what_multimolecule_has_and_dnabert_has_not_is_refused(shapes, tmp_path):
    stock = shapes.stock_model(3, "BertForSequenceClassification")
    source = shapes.write_multimolecule(tmp_path / "in", stock, 3, head="sequence_head")
    edit_config(source, head={"act": "tanh"})
    assert_refused(source, tmp_path, "found positions 'absolute' and activation 'tanh'")
    edit_config(source, head=None)
    weights = load_file(source / "model.safetensors")
    extra = {"sequence_head.transform.dense.weight": torch.zeros(16, 16)}
    save_file(weights | extra, source / "model.safetensors")
    assert_refused(source, tmp_path, r"also has 1 weights \(sequence_head\.transform")
    (source / "vocab.txt").unlink()
    assert_refused(source, tmp_path, r"must have a vocab\.txt, since the order of its tokens")


def test_sources_that_are_no_repository_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert_refused(tmp_path / "empty", tmp_path, r"has no config\.json and no weights")
    assert_refused(tmp_path / "none", tmp_path, "found no such folder or file; check the path")
    assert_refused("./none", tmp_path, "found no such folder or file; check the path")
    (tmp_path / "model.bin").write_text("x")
    assert_refused(
        tmp_path / "model.bin", tmp_path, "must be a zip .* but it is none or is damaged"
    )


def test_a_zip_of_no_or_several_models_is_refused(tmp_path):
    path = tmp_path / "models.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "")
    assert_refused(path, tmp_path, r"with one config\.json, found none; unpack it")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("3/config.json", "{}")
        file.writestr("4/config.json", "{}")
    assert_refused(path, tmp_path, r"found 3/config\.json, 4/config\.json; unpack it")


def test_a_destination_in_use_is_kept(original, tmp_path):
    out = tmp_path / "out"
    convert(original, out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(
        ValueError, match=r"must be empty or new, or an earlier one be replaced \(--overwrite\)"
    ):
        convert(original, out)
    (original / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="truncated or damaged"):
        convert(original, out, overwrite=True)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    with pytest.raises(ValueError, match="must be another folder than the source"):
        convert(original, original, overwrite=True)
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("")
    with pytest.raises(ValueError, match=r"must hold the config\.json of what is to be"):
        convert(out, notes, overwrite=True)
    with pytest.raises(ValueError, match="must be a folder to write, found a file"):
        convert(out, notes / "a.txt", overwrite=True)
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"must hold nothing else .* found thesis\.tex; move them"):
        convert(original, out, overwrite=True)
    assert (out / "thesis.tex").read_text() == "mine"


def test_options_that_make_no_sense_are_refused(original, shapes, tmp_path):
    assert_refused(
        original,
        tmp_path,
        "mlm_bias must be one of auto, single, double, got 'twice'",
        mlm_bias="twice",
    )
    match = "dna is what mlm_bias='auto' compares on, but mlm_bias is 'double'"
    assert_refused(original, tmp_path, match, mlm_bias="double", dna="g.fa")
    stock = shapes.stock_model(3, "BertForSequenceClassification")
    source = shapes.write_original(tmp_path / "classifier", stock)
    match = "mlm_bias and dna belong to masked language models, found a model for sequence-class"
    assert_refused(source, tmp_path, match, mlm_bias="double")


@pytest.mark.parametrize(
    "fields",
    [{"token_pooling": "mean"}, {"segment_pooling": "concat", "num_segments": 2}],
)
def test_what_stock_bert_cannot_express_is_refused(tiny_config, tmp_path, fields):
    config = DNABertConfig.from_dict(tiny_config.to_dict() | fields)
    DNABertForSequenceClassification(config).save_pretrained(tmp_path / "in")
    DNABertTokenizer(k=3).save_pretrained(tmp_path / "in")
    ((name, value), *_) = fields.items()
    match = rf'a stock classifier must pool \[CLS\].*{name}="{value}".* leave out --stock'
    assert_refused(tmp_path / "in", tmp_path, match, stock=True)


def test_added_tokens_are_no_stock_vocabulary(tiny_config, tmp_path):
    tiny_config.vocab_size = 70
    DNABertForSequenceClassification(tiny_config).save_pretrained(tmp_path / "in")
    tokenizer = DNABertTokenizer(k=3)
    tokenizer.add_tokens(["[TSS]"])
    tokenizer.save_pretrained(tmp_path / "in")
    match = "must have the 69 tokens of k = 3, found 70; leave out --stock"
    assert_refused(tmp_path / "in", tmp_path, match, stock=True)
    convert(tmp_path / "in", tmp_path / "full")
    assert DNABertTokenizer.from_pretrained(tmp_path / "full")("[TSS]ACG")["input_ids"] == [
        2,
        69,
        16,
        3,
    ]
