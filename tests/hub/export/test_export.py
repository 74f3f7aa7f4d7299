"""Exported folders, read by what their cards say and by nothing of ours."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from dnabert_hf import (
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertTokenizer,
    embed,
    export,
    predict,
)
from dnabert_hf.cli.main import app
from dnabert_hf.hub.export import formats
from dnabert_hf.hub.stock.tokenizer_json import build_stock_tokenizer

SEQUENCES = ["ACGTTGCAACGTAGCTAGG", "GGCCGGGCGCGGTGGCTCACGCCTGTAATCC"]  # those of the cards
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SMALL |= {"intermediate_size": 24, "initializer_range": 0.5, "k": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Holds `model`, a classifier of both strands, and `vectors`, a masked language model."""
    folder = tmp_path_factory.mktemp("exports")
    labels = {0: "background", 1: "promoter", 2: "enhancer"}
    config = DNABertConfig(**SMALL, id2label=labels, both_strands=True)
    DNABertForSequenceClassification(config).save_pretrained(folder / "model")
    DNABertForMaskedLM(DNABertConfig(**SMALL)).save_pretrained(folder / "vectors")
    for name in ("model", "vectors"):
        DNABertTokenizer(k=3).save_pretrained(folder / name)
    return folder


def consumers(card: Path) -> dict[str, str]:
    """Give the programs of a card by the library that they are for."""
    blocks = re.findall(r"^## \w+, with (\S+).*?^```\w+\n(.*?)^```", card.read_text(), re.M | re.S)
    return {name.rstrip(","): code for name, code in blocks}


def run_alone(code: str, folder: Path) -> np.ndarray:
    """Run a program where neither this package nor transformers is, and read what it prints."""
    head = "import sys; sys.modules.update(dnabert_hf=None, transformers=None)\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", head + code],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return np.array(json.loads(re.sub(r"(?<=[\d.\]])\s+(?=[-\d\[])", ", ", done.stdout)))


def probabilities(model, sequences):
    found = predict(str(model), sequences, dtype="float32")
    return np.array([list(each.probabilities.values()) for each in found])


def test_onnx_is_read_by_ten_lines_and_gives_what_predict_gives(folder):
    done = export(folder / "model", folder / "model-onnx", formats=["onnx", "int8"])
    assert 0 < done.differences["onnx"] <= 1e-4 < done.differences["int8"] < 0.5
    quantized = onnx.load(done.folder / "onnx" / "model_quantized.onnx")
    n_int8 = sum(each.data_type == onnx.TensorProto.INT8 for each in quantized.graph.initializer)
    assert n_int8 > 6  # a matrix for each projection of the layer
    files = {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*.*")}
    assert files == {
        "README.md",
        "config.json",
        "onnx/model.onnx",
        "onnx/model_quantized.onnx",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    config = json.loads((done.folder / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["id2label"] == {"0": "background", "1": "promoter", "2": "enhancer"}
    code = consumers(done.folder / "README.md")["onnxruntime"]
    assert len(code.splitlines()) <= 13
    # In this process: it takes a second less.
    spoken: list[object] = []
    long = ["ACGTTGCAAN" * 170, "GATTACA", "acgu" * 128]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for sequences in (SEQUENCES, long):
            text = code.replace(json.dumps(SEQUENCES), json.dumps(sequences))
            assert json.dumps(sequences) in text
            exec(text, {"print": spoken.append})
    for sequences, given in zip((SEQUENCES, long), spoken, strict=True):
        assert np.abs(given - probabilities(folder / "model", sequences)).max() <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("library", ["openvino", "torch"])
def test_other_formats_are_read_by_ten_lines_without_this_package(folder, library):
    pytest.importorskip(library)
    done = export(folder / "model", folder / f"model-{library}", formats=[library])
    given = run_alone(consumers(done.folder / "README.md")[library], folder)
    # OpenVINO computes in bfloat16 where the processor has it.
    tolerance = 0.05 if library == "openvino" else 1e-5
    assert np.abs(given - probabilities(folder / "model", SEQUENCES)).max() <= tolerance


@pytest.mark.slow
def test_vectors_are_those_of_embed(folder):
    done = export(folder / "vectors", folder / "vectors-onnx", embeddings=True)
    assert done.task == "encoder"
    given = run_alone(consumers(done.folder / "README.md")["onnxruntime"], folder)
    expected = embed(str(folder / "vectors"), SEQUENCES, dtype="float32")
    # Printed with eight digits.
    assert np.abs(given - [each.embedding for each in expected]).max() <= 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "formats must be some of onnx, int8, openvino, torch, each once, got none"),
        (["--onnx", "--opset", "7"], "opset must be from 18 to 23, got 7"),
        (["--onnx", "-o", "model"], "model must be another folder than the input"),
        (["--onnx", "-o", "."], "must be another folder than"),
        (["--onnx", "-o", "there"], "there must be empty or new"),
        (["--onnx", "-o", "there", "--overwrite"], "there must hold the config.json"),
    ],
)
def test_bad_choices_end_in_one_line(folder, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    Path("there").mkdir(exist_ok=True)
    Path("there/notes.txt").touch()
    output = [] if "-o" in arguments else ["-o", "new"]
    result = CliRunner().invoke(app, ["export", "model", *arguments, *output])
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path("new").exists()


def test_models_that_no_graph_holds_are_refused(folder, tmp_path, tiny_config, tokenizer):
    tiny_config.segment_pooling = "lstm"
    lstm = DNABertForSequenceClassification(tiny_config)
    with pytest.raises(ValueError, match=r"by their mean, found segment_pooling=\"lstm\""):
        export(lstm, tmp_path / "new", tokenizer=tokenizer)
    regression = tmp_path / "model.json"
    regression.write_text("{}")
    with pytest.raises(ValueError, match=r"must be a checkpoint folder, found a file"):
        export(regression, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["model.json"]


def test_missing_packages_are_named_with_the_extra(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    for name, extra in (("onnx", "export"), ("openvino", "openvino")):
        with pytest.raises(ImportError, match=rf"pip install 'dnabert-hf\[{extra}\]'"):
            export(folder / "model", tmp_path / "new", formats=[name])


def test_a_file_that_says_something_else_is_not_kept(folder, tmp_path, monkeypatch):
    wrong = formats.FORMATS["torch"]._replace(
        write=lambda program, path: path.touch(),
        open=lambda path: lambda inputs: {"logits": np.zeros((len(inputs["input_ids"]), 3))},
    )
    monkeypatch.setitem(formats.FORMATS, "torch", wrong)
    monkeypatch.setattr("dnabert_hf.hub.export.export.trace", lambda graph: None)  # two seconds
    with pytest.raises(RuntimeError, match=r"model\.pt2 must say what the model says"):
        export(folder / "model", tmp_path / "new", formats=["torch"])
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_transformers_js_gives_our_ids_and_what_predict_gives(folder, tmp_path):
    """Installs transformers.js from npm's registry."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: install Node.js 20 or later")
    install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run([*install, "@huggingface/transformers@4.3.2"], cwd=tmp_path, check=True)
    export(folder / "model", tmp_path / "model-js")
    code = consumers(tmp_path / "model-js" / "README.md")["transformers.js"]
    sequences = [*SEQUENCES, "ACGTTGCAAN" * 170, "acgu" * 128]
    texts = [*sequences, "ACG CGT GTN", "[MASK]", "AC[MASK]GTACG\nTTN-A", "ATG TGG GG", "ac", ""]
    code = code.replace(json.dumps(SEQUENCES), json.dumps(sequences))
    code += (
        'import { AutoTokenizer } from "@huggingface/transformers";\n'
        'const tokenizer = await AutoTokenizer.from_pretrained("model-js");\n'
        f"console.log(JSON.stringify({json.dumps(texts)}.map((text) => tokenizer.encode(text))));\n"
    )
    (tmp_path / "consumer.mjs").write_text(code)
    done = subprocess.run(
        ["node", "consumer.mjs"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    answers, ids = map(json.loads, done.stdout.splitlines())
    names = ["background", "promoter", "enhancer"]
    scores = [{each["label"]: each["score"] for each in row} for row in answers]
    given = [[row[name] for name in names] for row in scores]
    assert np.abs(np.array(given) - probabilities(folder / "model", sequences)).max() <= 1e-4
    assert ids == [row.ids for row in build_stock_tokenizer(3).encode_batch(texts)]
