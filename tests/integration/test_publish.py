"""Models are published to a Hub over HTTP with its real client, and loaded from there."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
import torch
import transformers
from transformers.utils.hub import hf_api
from typer.testing import CliRunner

from dnabert_hf.cards.finetuned import finetuning_card
from dnabert_hf.cards.regression import read_regression
from dnabert_hf.cli.main import app
from dnabert_hf.hub.publish import publish
from dnabert_hf.training.finetuning.finetune import finetune

sys.path.insert(0, str(Path(__file__).parent))
from hub_server import serve_hub

TINY = {
    "k": 3,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
REPO = "lab/promoters"
# Of the Hub's client, for the way in which it uploads files itself.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

# In a process of its own with an empty cache; argv: repository, result, "remote" or "package".
LOAD = """
import sys
repository, result, mode = sys.argv[1:]
if mode == "package":
    import dnabert_hf
    trust = {}
else:
    sys.modules["dnabert_hf"] = None
    trust = {"trust_remote_code": True}
import torch, transformers
tokenizer = transformers.AutoTokenizer.from_pretrained(repository, **trust)
inputs = tokenizer(["ACGTNACGTACGT", "ACGTTT"], padding=True, return_tensors="pt")
outputs = {}
for name in ("AutoModel", "AutoModelForMaskedLM", "AutoModelForSequenceClassification",
             "AutoModelForTokenClassification"):
    model = getattr(transformers, name).from_pretrained(repository, **trust).eval()
    with torch.no_grad():
        outputs[name] = model(**inputs)[0]
answers = transformers.pipeline("text-classification", model=repository, **trust)(["ACGT" * 300])
torch.save({"ids": inputs["input_ids"], "outputs": outputs, "answers": answers}, result)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder as `dnabert finetune` leaves it."""
    folder = tmp_path_factory.mktemp("model")
    with (folder / "peaks.tsv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["id", "sequence", "label", "split"])
        for index in range(48):
            split = "train" if index < 32 else "dev" if index < 40 else "test"
            writer.writerow([f"s{index}", "G" + "AC"[index % 2] * 9, "xy"[index % 2], split])
    arguments = {"num_train_epochs": 1, "learning_rate": 1e-3}
    finetune("random", folder / "peaks.tsv", output_dir=folder / "promoters", config=TINY,
             arguments=arguments)  # fmt: skip
    return folder / "promoters"


@pytest.fixture
def model(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "promoters"))


def use_hub(hub, monkeypatch, tmp_path):
    """Let the client of this process talk to a Hub."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    # What the client has read off the endpoint when it was imported.
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.create_repo.__self__, "endpoint", hub.url)
    monkeypatch.setattr(hf_api(), "endpoint", hub.url)  # transformers keeps one of its own
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.setenv("HF_TOKEN", "hf_writer")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with serve_hub() as hub:
        use_hub(hub, monkeypatch, tmp_path)
        yield hub


def load(hub, tmp_path, mode):
    """Load a repository in a new process; None and the error if that fails."""
    cache = tmp_path / f"cache-{mode}"
    environment = {
        "PATH": "",
        "HOME": str(cache),
        "HF_HOME": str(cache),
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    result = tmp_path / "result.pt"
    result.unlink(missing_ok=True)
    command = [sys.executable, "-W", "ignore", "-c", LOAD, REPO, str(result), mode]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return (torch.load(result) if result.exists() else None), run.stderr


def load_here(tmp_path, **options):
    """Load a repository in this process, with the package; give the first output of each model."""
    options.setdefault("cache_dir", tmp_path / "cache-here")
    inputs = transformers.AutoTokenizer.from_pretrained(REPO, **options)(
        ["ACGTNACGTACGT", "ACGTTT"], padding=True, return_tensors="pt"
    )
    outputs = {}
    for name in ("AutoModel", "AutoModelForMaskedLM", "AutoModelForSequenceClassification",
                 "AutoModelForTokenClassification"):  # fmt: skip
        model = getattr(transformers, name).from_pretrained(REPO, **options).eval()
        with torch.no_grad():
            outputs[name] = model(**inputs)[0]
    return outputs


def test_round_trip_without_and_with_the_package_and_offline(hub, model, tmp_path, monkeypatch):
    done = publish(model, REPO)
    repository = hub.repositories[REPO]
    assert done.revision == repository.refs["main"]
    assert set(repository.commits[done.revision]) == {file.name for file in done.files}
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    here = AutoModelForSequenceClassification.from_pretrained(model).eval()
    inputs = AutoTokenizer.from_pretrained(model)(["ACGTNACGTACGT", "ACGTTT"], padding=True,
                                                  return_tensors="pt")  # fmt: skip
    with torch.no_grad():
        expected = here(**inputs).logits
    for mode in ("remote", "package"):
        loaded, errors = load(hub, tmp_path, mode)
        assert loaded is not None, errors
        assert torch.equal(loaded["ids"], inputs["input_ids"])
        assert torch.equal(loaded["outputs"]["AutoModelForSequenceClassification"], expected)
        assert {name: output.shape[:2] for name, output in loaded["outputs"].items()} == {
            "AutoModel": (2, 13), "AutoModelForMaskedLM": (2, 13),
            "AutoModelForSequenceClassification": (2, 2),
            "AutoModelForTokenClassification": (2, 13),
        }  # fmt: skip
    before = len(hub.requests)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    again = load_here(tmp_path, cache_dir=tmp_path / "cache-package" / "hub")
    assert torch.equal(again["AutoModelForSequenceClassification"], expected)
    assert len(hub.requests) == before


def test_a_private_repository_needs_a_token(hub, model, tmp_path, monkeypatch):
    publish(model, REPO, private=True)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(OSError, match="is not a local folder and is not a valid model identifier"):
        load_here(tmp_path)
    loaded = load_here(tmp_path, token="hf_reader")
    assert loaded["AutoModelForSequenceClassification"].shape == (2, 2)


def test_the_card_gets_the_name_of_the_repository_and_nothing_local_goes(hub, model, tmp_path):
    done = publish(model, REPO)
    assert f'pipeline("text-classification", model="{REPO}", trust_remote_code=True)' in done.card
    assert f"# {REPO}\n" in done.card
    assert set(done.left_out) == {"metrics.json", "predictions.tsv"}
    files = hub.repositories[REPO].commits[done.revision]
    for name, checksum in files.items():
        assert str(tmp_path).encode() not in hub.objects[checksum], name
        assert b"pytest" not in hub.objects[checksum], name
    # What its owner has written stays as it is.
    (model / "README.md").write_text(done.card + "\nRead this.\n")
    assert publish(model, "lab/other").card.endswith("Read this.\n")


def test_the_regression_is_read_off_the_card_again(trained):
    report = json.loads((trained / "metrics.json").read_text())
    split = report["predictions"]
    report |= {
        "scores": {split: {"accuracy": 0.9, "mcc": 0.8123}},
        "regression": {"k": 5, "both_strands": False, "scores": {split: {"mcc": 0.51}}},
    }
    note = read_regression(finetuning_card(report | {"advice": None}, name="m"))
    assert note.text == (
        f"On the {split} split this model has MCC 0.812, logistic regression on 5-mer counts 0.510."
    )
    assert not note.is_warning
    advice = "logistic regression on 5-mer counts does better, MCC 0.9 against 0.8: try more epochs"
    note = read_regression(finetuning_card(report | {"advice": advice}, name="m"))
    assert note == (f"L{advice[1:]}.", True)
    report |= {"advice": None, "regression": {"left_out": "too few sequences"}}
    note = read_regression(finetuning_card(report, name="m"))
    assert note.text.endswith("stands beside the model: too few sequences.")
    assert note.is_warning


def test_publishing_again_sends_only_what_has_changed(hub, model):
    first = publish(model, REPO, tag="v1")
    n_commits = len(hub.repositories[REPO].commits)
    assert publish(model, REPO).revision == first.revision
    assert len(hub.repositories[REPO].commits) == n_commits
    assert hub.repositories[REPO].refs["v1"] == first.revision
    config = json.loads((model / "config.json").read_text()) | {"classifier_dropout": 0.3}
    (model / "config.json").write_text(json.dumps(config))
    hub.requests.clear()
    second = publish(model, REPO)
    assert second.revision != first.revision
    assert not any(method == "PUT" for method, _ in hub.requests)  # the weights were there


def test_branches_and_pull_requests_leave_main_alone(hub, model):
    main = publish(model, REPO).revision
    (model / "README.md").write_text((model / "README.md").read_text() + "\nMore.\n")
    branch = publish(model, REPO, branch="next")
    assert hub.repositories[REPO].refs["next"] == branch.revision
    (model / "README.md").write_text((model / "README.md").read_text() + "\nAnd more.\n")
    request = publish(model, REPO, pull_request=True, message="Better card")
    assert request.url == f"{hub.url}/{REPO}/discussions/1"
    assert hub.repositories[REPO].titles[request.revision] == "Better card"
    assert hub.repositories[REPO].refs["main"] == main


def test_a_dropped_connection_is_tried_again_or_leaves_no_half_commit(hub, model, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    hub.uploads_to_drop = 1
    done = publish(model, REPO)
    assert "model.safetensors" in hub.repositories[REPO].commits[done.revision]
    hub.uploads_to_drop = 1000
    with (model / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    with pytest.raises(ValueError, match="lab/promoters: the Hub must be in reach at http"):
        publish(model, REPO)
    assert hub.repositories[REPO].refs["main"] == done.revision


def test_a_hub_without_xet_is_written_to_over_plain_http(hub, model, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_XET_LOG_DEST", str(tmp_path / "xet.log"))
    pytest.importorskip("hf_xet")
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", False)
    asked = ("GET", f"/api/models/{REPO}/xet-write-token/main")
    done = publish(model, REPO)
    assert hub.requests.count(asked) == 1  # answered 501, as every endpoint that is not there
    checksum = hub.repositories[REPO].commits[done.revision]["model.safetensors"]
    assert hub.objects[checksum] == (model / "model.safetensors").read_bytes()
    assert len(hub.repositories[REPO].commits) == 2
    assert publish(model, REPO).revision == done.revision
    with (model / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    hub.uploads_to_drop = 1000
    result = CliRunner().invoke(app, ["publish", str(model), REPO])
    assert result.exit_code == 2
    assert f"the Hub must be in reach at {hub.url}" in " ".join(result.stderr.split())
    assert hub.repositories[REPO].refs["main"] == done.revision


def test_a_hub_that_is_full_is_told_apart_from_a_lost_connection(hub, model, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    hub.is_full = True
    result = CliRunner().invoke(app, ["publish", str(model), REPO])
    assert result.exit_code == 2
    message = " ".join(result.stderr.split())
    assert f"{REPO}: the Hub has no room for it (the Hub said: Insufficient storage)" in message
    assert set(hub.repositories[REPO].titles.values()) == {"initial commit"}


def test_a_dry_run_sends_nothing(hub, model):
    result = CliRunner().invoke(app, ["publish", str(model), REPO, "--dry-run"])
    assert result.exit_code == 0
    assert not hub.requests
    assert f"# {REPO}" in result.stdout
    size = (model / "model.safetensors").stat().st_size
    assert f"{size:>12,}  model.safetensors" in result.stdout
    assert "stays behind: metrics.json, predictions.tsv" in result.stdout


def test_who_may_not_publish_is_told_why(hub, model, monkeypatch):
    with pytest.raises(ValueError, match="token must have the right to write to other/promoters"):
        publish(model, "other/promoters")
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    with pytest.raises(ValueError, match="role write"):
        publish(model, REPO)
    monkeypatch.setenv("HF_TOKEN", "hf_unknown")
    with pytest.raises(ValueError, match="the Hub must know the token, and did not"):
        publish(model, REPO)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(ValueError, match="needs a token of the Hub that may write, found none"):
        publish(model, REPO)
    assert REPO not in hub.repositories


def test_a_tag_that_is_taken_is_told(hub, model):
    publish(model, REPO, tag="v1")
    with pytest.raises(ValueError, match=r"what is to be made is there already.*Tag v1"):
        publish(model, REPO, tag="v1")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "README.md").unlink(), "must have a model card, found no README.md"),
        (lambda f: (f / "README.md").write_text("---\nlicense: mit\n---\n"),
         "must have library_name and pipeline_tag, found license"),
        (lambda f: (f / "README.md").write_text("---\na: [\n---\n"), "metadata must be YAML"),
        (lambda f: (f / "vocab.txt").unlink(), "must hold vocab.txt, found none"),
        (lambda f: (f / "model.safetensors").unlink(), "must be in model.safetensors, found none"),
        (lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes()[:5000]), "found a damaged file"),
        (lambda f: (f / "config.json").write_text('{"model_type": "dnacnn"}'), "found 'dnacnn'"),
        (lambda f: (f / "config.json").write_text("{"), "config.json must hold JSON"),
        (lambda f: (f / "tokenizer_config.json").write_text('{"from": "/home/me/dna"}'),
         r"tokenizer_config.json, line 1.* no path of your machine, found /home/me/dna"),
        (lambda f: (f / "vocab.txt").write_text("hf_" + "a" * 30), "line 1.*no token of the Hub"),
    ],
)  # fmt: skip
def test_a_folder_that_is_no_repository_is_refused(model, spoil, message):
    spoil(model)
    with pytest.raises(ValueError, match=message):
        publish(model, REPO, dry_run=True)


def test_code_is_that_of_the_package_whatever_the_folder_holds(model, caplog):
    """Whoever loads the repository with `trust_remote_code` runs it; an upgrade leaves old code."""
    code = model / "modeling_dnabert.py"
    own = code.read_text()
    code.write_text(f"import os\nos.system('true')\n{own}")
    files = publish(model, "me/tiny", dry_run=True).files
    content = next(file.content for file in files if file.name == code.name)
    assert content.read_text() == own
    assert "modeling_dnabert.py is published as this version of the package has it" in caplog.text
    assert code.read_text() != own  # the folder stays as it is
    code.write_text(own)
    caplog.clear()
    publish(model, "me/tiny", dry_run=True)
    assert not caplog.records


def test_a_config_of_another_version_that_the_code_does_not_read_is_refused(model):
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"token_pooling": "attentive"}))
    with pytest.raises(ValueError, match=r"config\.json must be readable by the model's code"):
        publish(model, "me/tiny", dry_run=True)


def test_names_are_checked(model, tmp_path):
    with pytest.raises(ValueError, match="must be called owner/name"):
        publish(model, "a/b/c", dry_run=True)
    with pytest.raises(ValueError, match="model's folder must be a folder, found none"):
        publish(tmp_path / "absent", REPO, dry_run=True)
    with pytest.raises(ValueError, match="choose tag or pull request"):
        publish(model, REPO, tag="v1", pull_request=True, dry_run=True)
