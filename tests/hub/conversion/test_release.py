"""The four checkpoints of the original at once, from folders in the shape of theirs."""

import subprocess

import pytest
import torch
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from dnabert_hf import DNABertForMaskedLM, convert_release
from dnabert_hf.cli.main import app
from dnabert_hf.hub.publish import publish


@pytest.fixture
def originals(shapes, tmp_path):
    """Four folders as zhihan1996 publishes them, and the models in them by k."""
    (tmp_path / "in").mkdir()
    models = {}
    for k in (3, 4, 5, 6):
        models[k] = shapes.stock_model(k)
        shapes.write_original(tmp_path / "in" / f"DNA_bert_{k}", models[k])
    return models


@pytest.mark.parametrize("stock", [False, True])
def test_one_command_makes_four_repositories_with_cards_and_checksums(originals, tmp_path, stock):
    out = tmp_path / "release"
    arguments = [str(tmp_path / "in" / "DNA_bert_{k}"), str(out / "dnabert-{k}")]
    result = CliRunner().invoke(app, ["convert", *arguments, *(["--stock"] if stock else [])])
    assert result.exit_code == 0, result.stderr
    names = [f"dnabert-{k}" for k in originals]
    assert sorted(path.name for path in out.iterdir()) == ["SHA256SUMS", *names]
    written = [line for line in result.stdout.splitlines() if line.startswith("written")]
    assert written == [f"written\t{out / name}" for name in names]
    sums = (out / "SHA256SUMS").read_text().splitlines()
    files = [path for path in out.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    assert len(sums) == len(files) == 4 * (6 if stock else 9)
    check = ["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"]
    subprocess.run(check, cwd=out, check=True)
    for k, stock_model in originals.items():
        folder = out / f"dnabert-{k}"
        card = ModelCard.load(folder / "README.md")
        assert card.data.base_model == f"zhihan1996/DNA_bert_{k}"
        assert card.data.license == "apache-2.0"
        assert f"# dnabert-{k}\n" in card.text and "GRCh38" in card.text
        assert f"Spans of {k} contiguous k-mers were masked" in card.text
        done = publish(folder, f"lab/dnabert-{k}", dry_run=True)
        assert not done.left_out
        if not stock:
            model = DNABertForMaskedLM.from_pretrained(folder).eval()
            ids = torch.tensor([[2, 5, 30, 68, 1, 44, 3]])
            with torch.no_grad():
                difference = model(input_ids=ids).logits - stock_model(input_ids=ids).logits
            assert float(difference.abs().max()) <= 1e-6


def test_all_four_or_none(originals, tmp_path):
    source, out = str(tmp_path / "in" / "DNA_bert_{k}"), tmp_path / "out"
    weights = tmp_path / "in" / "DNA_bert_5" / "pytorch_model.bin"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    with pytest.raises(ValueError, match=r"DNA_bert_5\S+ must be a whole file of torch weights"):
        convert_release(source, out / "dnabert-{k}")
    assert list(out.iterdir()) == []
    weights.write_bytes(whole)
    convert_release(source, out / "dnabert-{k}")
    with pytest.raises(ValueError, match=r"dnabert-3 must be empty or new"):
        convert_release(source, out / "dnabert-{k}")
    convert_release(source, out / "dnabert-{k}", overwrite=True)
    for k in (3, 4):
        (tmp_path / "in" / f"DNA_bert_{k}").rename(tmp_path / "in" / f"other_{7 - k}")
    (tmp_path / "in" / "DNA_bert_5").rename(tmp_path / "in" / "other_5")
    (tmp_path / "in" / "DNA_bert_6").rename(tmp_path / "in" / "other_6")
    with pytest.raises(ValueError, match=r"other_3 must be the checkpoint of k = 3, .* k = 4"):
        convert_release(str(tmp_path / "in" / "other_{k}"), tmp_path / "new" / "{k}")


@pytest.mark.parametrize(
    ("source", "destination"),
    [("in/DNA_bert_{k}", "out"), ("in/DNA_bert_3", "out/{k}"), ("in/{k}", "{k}/dnabert-{k}")],
)
def test_the_place_of_k_is_said(source, destination):
    with pytest.raises(ValueError, match=r"\{k\} must stand for 3 to 6 in the source and in the"):
        convert_release(source, destination)
