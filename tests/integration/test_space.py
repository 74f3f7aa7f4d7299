"""The Space of a model: what it holds, what is refused, and that it starts as the Hub starts it."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from dnabert_hf import DNABertConfig, DNABertForSequenceClassification, DNABertTokenizer
from dnabert_hf.app.explorer import Explorer
from dnabert_hf.cli.main import app
from dnabert_hf.hub import space
from dnabert_hf.hub.publish import publish

sys.path.insert(0, str(Path(__file__).parent))
from hub_server import serve_hub
from test_publish import use_hub

REPO = "lab/ctcf"
CARD = (
    "---\nlibrary_name: transformers\npipeline_tag: text-classification\nlicense: mit\n---\n# A\n"
)
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "ctcf"
    config = DNABertConfig(
        k=3, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    config.id2label, config.label2id = {0: "bound", 1: "free"}, {"bound": 0, "free": 1}
    DNABertForSequenceClassification(config).save_pretrained(folder)
    DNABertTokenizer(k=3).save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return folder


def text_of(files, name):
    (content,) = [file.content for file in files if file.name == name]
    return content.decode()


def test_a_space_is_what_the_hub_asks_for(model):
    files = publish(model, REPO, space=True, dry_run=True).space
    _, head, body = text_of(files, "README.md").split("---\n")
    metadata = yaml.safe_load(head)
    assert metadata["sdk"] == "docker"
    assert metadata["app_port"] == 7860
    assert metadata["license"] == "mit"
    assert metadata["models"] == [REPO]
    assert len(metadata["short_description"]) <= 60
    assert "dnabert app lab/ctcf" in body
    lines = text_of(files, "Dockerfile").splitlines()
    assert lines[0].startswith("FROM python:3.")
    # From the line on in which the user changes, nothing is done as root.
    assert lines.index("RUN useradd -m -u 1000 user") < lines.index("USER user")
    assert "COPY --chown=user . ." in lines
    assert not any(line.startswith("USER root") for line in lines)
    command = json.loads(lines[-1].removeprefix("CMD "))
    assert command == ["dnabert", "app", REPO, "--host", "0.0.0.0", "--port", "7860"]
    assert "EXPOSE 7860" in lines


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        (None, "dnabert-hf[app]=={version}"),
        (
            {"url": "https://example.org/d.git", "vcs_info": {"vcs": "git", "commit_id": "ab1"}},
            "dnabert-hf[app] @ git+https://example.org/d.git@ab1",
        ),
        (
            {"url": "https://example.org/d.whl", "archive_info": {}},
            "dnabert-hf[app] @ https://example.org/d.whl",
        ),
        ({"url": "file://{place}/dnabert_hf-1.whl", "archive_info": {}}, "./dnabert_hf-1.whl[app]"),
        ({"url": "file://{place}/source%20tree", "dir_info": {}}, "./package[app]"),
    ],
)
def test_the_package_comes_from_where_it_was_installed_from(
    model, tmp_path, monkeypatch, noted, expected
):
    (tmp_path / "dnabert_hf-1.whl").write_bytes(b"wheel")
    source = tmp_path / "source tree"
    for name in ("src/dnabert_hf/a.py", "src/dnabert_hf/checkpoints/mini/model.safetensors",
                 "src/dnabert_hf/__pycache__/a.pyc", "src/d.egg-info/PKG-INFO", "modeling/m.py",
                 "tokenizer_files/t.txt", "setup.cfg", "pyproject.toml", "README.md", "LICENSE",
                 "tests/test_a.py"):  # fmt: skip
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("x")

    class Installed:
        version = distribution("dnabert-hf").version

        def read_text(self, name):
            assert name == "direct_url.json"
            return None if noted is None else json.dumps(noted).replace("{place}", str(tmp_path))

    monkeypatch.setattr(space, "distribution", lambda name: Installed())
    files = publish(model, REPO, space=True, dry_run=True).space
    last = text_of(files, "requirements.txt").splitlines()[-1]
    assert last == expected.format(version=Installed.version)
    rest = sorted(file.name for file in files[3:])
    assert rest == {
        "./dnabert_hf-1.whl[app]": ["dnabert_hf-1.whl"],
        "./package[app]": sorted(
            f"package/{name}"
            for name in ("LICENSE", "README.md", "modeling/m.py", "pyproject.toml", "setup.cfg",
                         "src/dnabert_hf/a.py", "tokenizer_files/t.txt")
        ),
    }.get(last, [])  # fmt: skip
    if last == "./package[app]":
        source.rename(tmp_path / "moved")
        with pytest.raises(ValueError, match="is not there any more; install it again"):
            publish(model, REPO, space=True, dry_run=True)


def test_model_and_space_are_published_together(model, monkeypatch, tmp_path):
    with serve_hub() as hub:
        use_hub(hub, monkeypatch, tmp_path)
        result = CliRunner().invoke(app, ["publish", str(model), REPO, "--space", "--private"])
        assert result.exit_code == 0, result.output
        made = hub.repositories[f"spaces/{REPO}"]
        files = made.commits[made.refs["main"]]
        assert {"README.md", "Dockerfile", "requirements.txt"} <= set(files)
        assert made.private
        assert "model.safetensors" not in files
        assert f"{hub.url}/spaces/{REPO}\n" in result.stdout
        assert "secret HF_TOKEN" in result.stdout
        assert (
            "model.safetensors"
            in hub.repositories[REPO].commits[hub.repositories[REPO].refs["main"]]
        )


def test_what_the_app_does_not_show_has_no_space(model, tmp_path):
    with pytest.raises(ValueError, match="shows what is on the main branch"):
        publish(model, REPO, space=True, branch="next", dry_run=True)
    config = json.loads((model / "config.json").read_text())
    for name in ("DNABertModel", "DNABertForTokenClassification"):
        other = tmp_path / name
        other.mkdir()
        for path in model.iterdir():
            (other / path.name).write_bytes(path.read_bytes())
        (other / "config.json").write_text(json.dumps(config | {"architectures": [name]}))
        with pytest.raises(ValueError, match=f"found {name} of type dnabert; publish it without"):
            publish(other, REPO, space=True, dry_run=True)
        with pytest.raises(ValueError, match=f"found {name}"):
            Explorer(other, motifs={})


@pytest.mark.slow
def test_a_space_starts_in_a_fresh_environment(model, monkeypatch, tmp_path):
    """As its Dockerfile says, but for other packages, which are those of this environment."""
    done = publish(model, REPO, space=True, dry_run=True)
    if not text_of(done.space, "requirements.txt").endswith("./package[app]\n"):
        pytest.skip("the package was not installed from a folder")
    for file in done.space:
        path = tmp_path / "app" / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = file.content
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    python = tmp_path / "fresh" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "fresh"], check=True)
    (site,) = (tmp_path / "fresh").glob("lib/python*/site-packages")
    (site / "others.pth").write_text(
        "\n".join(path for path in sys.path if "site-packages" in path)
    )
    install = ["install", "--no-deps", "--no-build-isolation", "./package"]
    install = [sys.executable, "-m", "pip", "--python", python, *install]
    subprocess.run(install, cwd=tmp_path / "app", check=True)
    found = "import dnabert_hf; print(dnabert_hf.__file__)"
    place = subprocess.run([python, "-c", found], capture_output=True, text=True, check=True)
    assert place.stdout.startswith(str(site))
    command = json.loads(re.search("^CMD (.*)$", text_of(done.space, "Dockerfile"), re.M)[1])
    with serve_hub() as hub:
        use_hub(hub, monkeypatch, tmp_path)
        publish(model, REPO)
        environment = {
            "PATH": f"{python.parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"),
            "HF_ENDPOINT": hub.url,
            "HF_HUB_DISABLE_XET": "1",
        }
        process = subprocess.Popen(command, cwd=tmp_path / "app", env=environment)
        try:
            page = wait_for(f"http://127.0.0.1:{space.PORT}/", process)
            asked = urllib.request.Request(
                f"http://127.0.0.1:{space.PORT}/api/predict", data=b'{"text": "ACGTTGCA"}'
            )
            answer = json.loads(urllib.request.urlopen(asked).read())
        finally:
            process.terminate()
            assert process.wait(timeout=30) == 143
    assert "<h1>lab/ctcf</h1>" in page
    assert answer["tables"]["predictions"]["columns"] == ["id", "label", "prob_bound", "prob_free"]


def wait_for(address, process):
    for _ in range(600):
        assert process.poll() is None
        try:
            return urllib.request.urlopen(address).read().decode()
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the app did not start")
