"""push_to_hub of transformers leaves whole repositories; what the Hub refuses is said."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from transformers import Trainer, TrainingArguments
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification, DNABertTokenizer
from dnabert_hf.cli.main import app
from dnabert_hf.files.fingerprint import fingerprint_start
from dnabert_hf.hub.publish import publish

sys.path.insert(0, str(Path(__file__).parent))
from hub_server import Repository, serve_hub
from test_publish import load, load_here, use_hub

REPO = "lab/promoters"
CODE = {"configuration_dnabert.py", "modeling_dnabert.py", "tokenization_dnabert.py"}
NEEDED = {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json", *CODE}
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with serve_hub() as hub:
        use_hub(hub, monkeypatch, tmp_path)
        yield hub


@pytest.fixture
def saved(tiny_config, tokenizer, tmp_path):
    """A folder to load from, as users do before they push: nothing of it may go along."""
    DNABertForSequenceClassification(tiny_config).save_pretrained(tmp_path / "saved")
    tokenizer.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def files_of(hub):
    repository = hub.repositories[REPO]
    stored = repository.commits[repository.refs["main"]]
    return {path: hub.objects[checksum] for path, checksum in stored.items()}


def assert_complete(hub, saved, tmp_path, but=frozenset()):
    files = {name: content for name, content in files_of(hub).items() if name not in but}
    assert set(files) >= NEEDED
    assert len(json.loads(files["config.json"])["auto_map"]) >= 5
    assert "auto_map" in json.loads(files["tokenizer_config.json"])
    for name, content in files.items():
        assert str(tmp_path).encode() not in content, name
        assert str(saved).encode() not in content, name
        assert b"is_local" not in content or name.endswith(".py"), name
    result, error = load(hub, tmp_path, "remote")
    assert result is not None, error
    assert set(result["outputs"]) >= {"AutoModel", "AutoModelForSequenceClassification"}
    loaded = load_here(tmp_path)
    assert {name: output.shape for name, output in loaded.items()} == {
        name: output.shape for name, output in result["outputs"].items()
    }


def test_model_and_tokenizer_push_a_whole_repository(hub, saved, tmp_path):
    DNABertForSequenceClassification.from_pretrained(saved).push_to_hub(REPO)
    DNABertTokenizer.from_pretrained(saved).push_to_hub(REPO)
    assert_complete(hub, saved, tmp_path)


def test_weights_to_start_from_are_known_by_the_commit_of_their_repository(hub, saved):
    repository = hub.repositories[REPO] = Repository(private=False)
    hub.objects |= {"1": b'{"k": 3}', "2": b'{"k": 3, "other": 1}'}
    first = repository.commit("main", {"config.json": "1"}, "first")
    assert fingerprint_start(REPO) == f"{REPO}@{first}"
    second = repository.commit("main", {"config.json": "2"}, "second")
    assert fingerprint_start(REPO) == f"{REPO}@{second}"
    assert fingerprint_start("lab/none") == "lab/none"  # whoever loads it says that there is none
    assert fingerprint_start("random") == "random"


def test_a_trainer_pushes_a_whole_repository(hub, saved, tmp_path):
    trainer = Trainer(
        DNABertForSequenceClassification.from_pretrained(saved),
        TrainingArguments(str(tmp_path / "out"), hub_model_id=REPO, use_cpu=True, report_to="none"),
        processing_class=DNABertTokenizer.from_pretrained(saved),
    )
    trainer.init_hf_repo()
    trainer.push_to_hub()
    # What transformers adds pickles places of this machine.
    files = files_of(hub)
    assert set(files) == NEEDED | {"training_args.bin", "README.md"}
    assert str(tmp_path / "out").encode() in files["training_args.bin"]
    assert_complete(hub, saved, tmp_path, but={"training_args.bin"})
    # `dnabert publish` leaves it behind, and wants a card that says what the model is for.
    with pytest.raises(ValueError, match="must have pipeline_tag, found library_name"):
        publish(tmp_path / "out", REPO, dry_run=True)
    card = tmp_path / "out" / "README.md"
    line = "library_name: transformers\n"
    card.write_text(card.read_text().replace(line, line + "pipeline_tag: text-classification\n", 1))
    clean = publish(tmp_path / "out", REPO, dry_run=True)
    assert {file.name for file in clean.files} == NEEDED | {"README.md"}
    assert "training_args.bin" in clean.left_out


def test_a_gated_repository_is_told_apart_from_one_that_is_not_there(hub, tmp_path):
    gated = Repository(private=False, is_gated=True)
    gated.commit("main", {"config.json": "0", "model.safetensors": "0"}, "initial commit")
    hub.objects["0"] = b"{}"
    hub.repositories["lab/gated"] = gated
    for name, reason in (("lab/gated", "restricted"), ("lab/absent", "Repository Not Found")):
        result = CliRunner().invoke(app, ["convert", name, str(tmp_path / "converted")])
        assert result.exit_code == 2
        message = " ".join(result.stderr.split())
        assert name in message
        assert reason in message
        assert "Traceback" not in message
        assert not (tmp_path / "converted").exists()


@pytest.mark.parametrize("options", [[], ["--stock"]])
def test_a_full_disk_leaves_no_half_converted_folder(saved, tmp_path, options):
    resource = pytest.importorskip("resource")
    arguments = [str(saved), str(tmp_path / "converted"), *options]
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (saved / "model.safetensors").stat().st_size
    assert all(path.stat().st_size <= size for path in saved.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, hard))  # the weights are what fails
    try:
        result = CliRunner().invoke(app, ["convert", *arguments])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    assert result.exit_code == 2
    message = " ".join(result.stderr.split())
    assert f"{tmp_path / 'converted'} cannot be written: " in message
    assert message.endswith("; make room and try again")
    assert "File too large" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saved"]


def test_a_disk_that_fills_up_while_a_classifier_is_written_is_one_error(saved, tmp_path):
    resource = pytest.importorskip("resource")
    rows = [f"{'ACGTT' * 6 if i % 2 else 'GGCAT' * 6}\t{'xy'[i % 2]}" for i in range(40)]
    (tmp_path / "peaks.tsv").write_text("\n".join(["sequence\tlabel", *rows]) + "\n")
    arguments = [str(tmp_path / "peaks.tsv"), "--init", str(saved), "-o", str(tmp_path / "model")]
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (saved / "model.safetensors").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, hard))
    try:
        result = CliRunner().invoke(app, ["finetune", *arguments, "--epochs", "1"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    assert result.exit_code == 2
    assert "dnabert finetune: error: " in result.stderr
    assert "File too large" in result.stderr


def test_a_vocabulary_with_windows_line_ends_gives_the_same_ids(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "windows")
    vocabulary = tmp_path / "windows" / "vocab.txt"
    vocabulary.write_bytes(vocabulary.read_bytes().replace(b"\n", b"\r\n"))
    found = DNABertTokenizer.from_pretrained(tmp_path / "windows")
    expected = DNABertTokenizer.from_pretrained(saved)
    assert found("ACGTNACGTT")["input_ids"] == expected("ACGTNACGTT")["input_ids"]
    assert found.convert_ids_to_tokens(5) == expected.convert_ids_to_tokens(5)


def test_a_repository_of_somebody_else_is_not_written_to(hub):
    theirs = Repository(private=False)
    theirs.commit("main", {}, "initial commit")
    hub.repositories["other/promoters"] = theirs
    result = CliRunner().invoke(app, ["publish", "dnabert-6-mini", "other/promoters"])
    assert result.exit_code == 2
    message = " ".join(result.stderr.split())
    assert "token must have the right to write to other/promoters" in message
    assert len(theirs.commits) == 1
