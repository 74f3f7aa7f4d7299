"""The server's answers: the page, its policy, questions, sentences for bad input, and its end."""

import asyncio
import json
import os
import re
import signal
import socket
import threading
import urllib.request
from contextlib import suppress

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from dnabert_hf.app import server
from dnabert_hf.app.explorer import Explorer
from dnabert_hf.app.server import make_application
from dnabert_hf.cli.main import app

SEQUENCE = "TTGACGTTGCATTGCAACCA"


@pytest.fixture
def client(explorer):
    with TestClient(make_application(explorer)) as client:
        yield client


def test_the_page_names_class_regression_and_limits_and_loads_nothing_else(client):
    response = client.get("/")
    page = response.text
    assert "The class of interest is <b>bound</b>" in page
    assert "this model has MCC 0.765, logistic regression on 5-mer counts 0.432" in page
    assert "mean over both strands" in page
    assert "sequences of 20 to 30 bases" in page
    assert "up to 200 sequences of\n100,000 bases" in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["data:,", "app.js"]
    assert "http://" not in page + client.get("/app.js").text
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; connect-src 'self'")
    assert client.get("/tracks.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/app.py").status_code == 404


def test_a_name_that_is_markup_is_shown_as_text(classifier, tmp_path):
    hostile = classifier.rename(tmp_path / "<b>x")
    config = json.loads((hostile / "config.json").read_text())
    config["id2label"] = {"0": "</script><script>alert(1)</script>", "1": "free"}
    config["label2id"] = {name: int(index) for index, name in config["id2label"].items()}
    (hostile / "config.json").write_text(json.dumps(config))
    with TestClient(make_application(Explorer(hostile, motifs={}))) as client:
        page = client.get("/").text
    assert "<b>x" not in page
    assert "<script>alert" not in page


def test_questions_have_answers(client, explorer):
    answer = client.post("/api/predict", json={"text": SEQUENCE}).json()
    expected = explorer.predict(SEQUENCE).tables["predictions"]
    assert answer["tables"]["predictions"] == {"columns": expected.columns, "rows": expected.rows}
    assert answer["notes"] == []
    bases = client.post("/api/bases", json={"sequence": SEQUENCE, "label": None}).json()
    assert len(bases["tables"]["bases"]["rows"]) == 20
    asked = {"sequence": SEQUENCE, "label": "bound", "start": 3, "end": 5}
    changes = client.post("/api/mutations", json=asked).json()["tables"]["mutations"]
    assert changes["columns"][:5] == ["position", "ref", "alt", "prob_ref_bound", "prob_bound"]
    assert [row[:3] for row in changes["rows"]] == [
        *([3, "A", alt] for alt in "CGT"),
        *([4, "C", alt] for alt in "AGT"),
    ]
    motifs = client.post("/api/motifs", json={"sequence": SEQUENCE}).json()["tables"]["motifs"]
    assert motifs["columns"] == ["motif", "start", "end", "strand", "score", "p_value"]


@pytest.mark.parametrize(
    ("question", "sent", "sentence"),
    [
        ("predict", {"text": "ACGTZ"}, "The pasted text: .* found 'Z' at position 4"),
        ("predict", {}, "A question must have the field text, found none."),
        ("predict", [1], "A question must be a JSON object, found list."),
        ("predict", {"text": 1}, "text has a value of another kind: 1."),
        ("bases", {"sequence": "AC"}, "at least k = 3 bases long, found 2"),
        ("mutations", {"sequence": SEQUENCE, "start": 0, "end": 99}, "must lie from 0 to 20"),
    ],
)
def test_bad_questions_have_a_sentence(client, question, sent, sentence):
    response = client.post(f"/api/{question}", json=sent)
    assert response.status_code == 400
    assert re.search(sentence, response.json()["error"], re.IGNORECASE)


def test_what_is_no_json_or_too_long_is_told(client):
    assert "must be JSON" in client.post("/api/predict", content=b"{").json()["error"]
    long = client.post("/api/predict", content=b" " * (1 << 21)).json()["error"]
    assert "at most 1,048,576 bytes" in long
    assert client.get("/api/predict").status_code == 405


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture
def _loop_of_its_own():
    """Hide the loop that playwright, once it was used, keeps running in this thread."""
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(running)


@pytest.mark.usefixtures("_loop_of_its_own")
def test_the_command_serves_until_ctrl_c(classifier):
    port = free_port()
    pages = []
    has_ended = threading.Event()

    def read_and_interrupt():
        while not pages and not has_ended.wait(0.05):
            with suppress(OSError):
                pages.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/").read())
        if pages:
            os.kill(os.getpid(), signal.SIGINT)

    reader = threading.Thread(target=read_and_interrupt)
    reader.start()
    result = CliRunner().invoke(app, ["app", str(classifier), "--port", str(port)])
    has_ended.set()
    reader.join()
    assert result.exit_code == 130, result.output
    assert b"<h1>ctcf</h1>" in pages[0]
    assert result.stdout == f"http://127.0.0.1:{port}/ (Ctrl-C ends it)\n"
    assert result.stderr.splitlines()[-1] == "dnabert app: stopped"


def error_of(*arguments):
    result = CliRunner().invoke(app, ["app", *map(str, arguments)])
    assert result.exit_code == 2
    return result.stderr.splitlines()[-1]


def test_what_cannot_be_served_is_one_line(classifier, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1, port {port}: must be free" in error_of(classifier, "--port", port)
    assert "no file motifs.meme" in error_of(classifier, "--known", "motifs.meme")
    assert "--port must be from 0 to 65,535" in error_of(classifier, "--port", 65_536)
    monkeypatch.setattr("dnabert_hf.cli.app.find_spec", lambda name: None)
    assert error_of(classifier).endswith("pip install 'dnabert-hf[app]'")


def test_known_motifs_come_from_a_file(classifier, monkeypatch, tmp_path):
    (tmp_path / "known.meme").write_text(
        "MEME version 4\n\nALPHABET= ACGT\n\nMOTIF M1 Box\n"
        "letter-probability matrix: alength= 4 w= 2\n 1 0 0 0\n 0 1 0 0\n"
    )
    shown = []
    monkeypatch.setattr(server, "serve", lambda explorer, **_: shown.append(explorer.motifs))
    options = ["--known", str(tmp_path / "known.meme")]
    result = CliRunner().invoke(app, ["app", str(classifier), *options])
    assert (result.exit_code, shown) == (0, [("Box M1",)])
