"""Folders for sentence-transformers: its vectors are those of embed, without our code."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from dnabert_hf import DNABertForSequenceClassification, DNABertModel, embed
from dnabert_hf import save_sentence_transformers as save
from dnabert_hf.cli.main import app

SEQUENCES = ["ACGTACGTAC", "acgtnnACGTTTGCGAGCRYATTTAGC", "GATTACA" * 6, "ATG TGG GGC"]


@pytest.fixture
def folder(tiny_config, tokenizer, tmp_path):
    path = tmp_path / "model"
    tiny_config.token_pooling = "mean"  # a classifier that stock BERT has not; its encoder it has
    DNABertForSequenceClassification(tiny_config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_its_modules_by_hand_give_the_vectors_of_embed(folder, tmp_path, pooling):
    done = save(folder, tmp_path / "vectors", pooling=pooling)
    assert done.lines()[1].endswith("cuts sequences at 512 bases, unlike embed")
    modules = json.loads((done.folder / "modules.json").read_text())
    kinds = [module["type"].rpartition(".")[2] for module in modules]
    tokenizer = AutoTokenizer.from_pretrained(done.folder)
    inputs = tokenizer(SEQUENCES, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = AutoModel.from_pretrained(done.folder)(**inputs).last_hidden_state
    if pooling == "mean":
        assert kinds == ["Transformer", "WordWeights", "Pooling"]
        config = json.loads((done.folder / modules[1]["path"] / "config.json").read_text())
        assert {token: i for i, token in enumerate(config["vocab"])} == tokenizer.get_vocab()
        (table,) = load_file(done.folder / modules[1]["path"] / "model.safetensors").values()
        weights = table[inputs["input_ids"]] * inputs["attention_mask"][:, :, None]
        vectors = (states * weights).sum(dim=1) / weights.sum(dim=1)
    else:
        assert kinds == ["Transformer", "Pooling"]
        vectors = states[:, 0]
    expected = [e.embedding for e in embed(folder, SEQUENCES, pooling=pooling, dtype="float32")]
    np.testing.assert_allclose(vectors.numpy(), np.stack(expected), atol=1e-5)
    assert "sentence-transformers" in (done.folder / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of other people's libraries, as they load
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_sentence_transformers_encodes_as_embed_does(folder, tmp_path, pooling):
    library = pytest.importorskip("sentence_transformers")
    save(folder, tmp_path / "vectors", pooling=pooling)
    model = library.SentenceTransformer(str(tmp_path / "vectors"), device="cpu")
    expected = [e.embedding for e in embed(folder, SEQUENCES, pooling=pooling, dtype="float32")]
    np.testing.assert_allclose(model.encode(SEQUENCES), np.stack(expected), atol=1e-5)
    cut = model.encode(["ACGTTGCA" * 100])
    (first,) = embed(folder, [("ACGTTGCA" * 100)[:512]], pooling=pooling, dtype="float32")
    np.testing.assert_allclose(cut[0], first.embedding, atol=1e-5)


def test_what_cannot_be_such_a_folder_is_told(folder, tiny_config, tokenizer, tmp_path, runner):
    with pytest.raises(ValueError, match="pooling must be mean or cls"):
        save(folder, tmp_path / "vectors", pooling="base")
    with pytest.raises(ValueError, match="must be another folder than the source"):
        save(folder, folder, overwrite=True)
    tiny_config.attended_padding = 20
    DNABertModel(tiny_config).save_pretrained(tmp_path / "padded")
    tokenizer.save_pretrained(tmp_path / "padded")
    with pytest.raises(ValueError, match="stock BERT masks all padding"):
        save(tmp_path / "padded", tmp_path / "vectors")
    assert not (tmp_path / "vectors").exists()
    command = ["export", str(folder), "-o", str(tmp_path / "vectors")]
    command += ["--sentence-transformers", "mean"]
    found = runner.invoke(app, [*command, "--onnx"])
    assert found.exit_code == 2
    assert "leave out --onnx" in found.stderr
    assert runner.invoke(app, command).exit_code == 0
    found = runner.invoke(app, command)
    assert "must be empty or new" in found.stderr
    assert runner.invoke(app, [*command, "--overwrite"]).exit_code == 0


@pytest.fixture
def runner():
    from typer.testing import CliRunner

    return CliRunner()
