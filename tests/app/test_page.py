"""The page in chromium: a sequence is pasted, read, changed by clicks, and spelt wrongly."""

import csv
import socket
import threading

import pytest
import uvicorn

from dnabert_hf import attention_scores, attribution_scores, predict
from dnabert_hf.app.explorer import Explorer
from dnabert_hf.app.server import make_application
from dnabert_hf.data.example.motifs import KNOWN_MOTIFS

SEQUENCE = "TTGACGTTGCATTGCAACCA"


@pytest.fixture
def serving():
    """Serve explorers while a test lasts."""
    servers = []

    def start(explorer):
        listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(make_application(explorer), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        servers.append((server, thread, listening))
        return f"http://127.0.0.1:{listening.getsockname()[1]}/"

    yield start
    for server, thread, listening in servers:
        server.should_exit = True
        thread.join()
        listening.close()


def look(page, text):
    page.fill("#text", text)
    page.click("#look")


def wait_for_changes(page):
    page.wait_for_selector("#tracks .base")
    page.wait_for_selector("#progress:empty", state="attached")


def probabilities(page):
    names = page.locator("#says .name").all_inner_texts()
    values = page.locator("#says .value").all_inner_texts()
    return {name: float(text.split()[0]) for name, text in zip(names, values, strict=True)}


def letters(page):
    return "".join(page.locator("#tracks .letter").all_text_contents())


def numbers(page):
    terms = page.locator("#details dt").all_inner_texts()
    return dict(zip(terms, page.locator("#details dd").all_inner_texts(), strict=True))


def test_a_pasted_sequence_is_read_changed_by_a_click_and_told_wrong_letters(
    serving, classifier, browser, tmp_path
):
    page = browser.open(serving(Explorer(classifier, motifs=KNOWN_MOTIFS)))
    look(page, SEQUENCE.lower())
    wait_for_changes(page)
    (expected,) = predict(classifier, [SEQUENCE])
    assert probabilities(page) == pytest.approx(expected.probabilities, abs=6e-5)
    assert page.locator("#says .interest .name").inner_text() == "bound"
    assert page.locator("#label").input_value() == "bound"
    # Letters, and what is said of one of them.
    assert letters(page) == SEQUENCE
    page.locator("#tracks .base").nth(9).click()
    (attributed,) = attribution_scores(classifier, [SEQUENCE], label="bound")
    (attended,) = attention_scores(classifier, [SEQUENCE])
    said = numbers(page)
    assert said["position"] == "9 (0-based), 10 (1-based)"
    assert float(said["attribution"]) == pytest.approx(attributed.scores[9], abs=1e-4)
    assert float(said["attention"]) == pytest.approx(attended.scores[9], abs=1e-4)
    # A click on a base and one on another letter change it.
    page.locator("#details .to").nth(2).click()  # of A, G, T
    page.wait_for_selector("#changes .chip")
    wait_for_changes(page)
    changed = f"{SEQUENCE[:9]}T{SEQUENCE[10:]}"
    assert page.locator("#changes .chip").inner_text() == "9 C→T"
    (after,) = predict(classifier, [changed])
    assert probabilities(page) == pytest.approx(after.probabilities, abs=6e-5)
    assert after.probabilities["bound"] != pytest.approx(expected.probabilities["bound"], abs=1e-3)
    assert letters(page) == changed
    # So does a click on a square of the map; undo takes it back.
    page.locator('#tracks .cell[data-position="0"][data-base="G"]').click()
    page.wait_for_selector("#tracks .changed >> nth=1")
    assert letters(page) == f"G{changed[1:]}"
    page.get_by_text("Undo").click()
    page.wait_for_selector("#tracks .changed >> nth=1", state="detached")
    wait_for_changes(page)
    assert letters(page) == changed
    assert page.overflow() <= 0
    with page.expect_download() as download:
        page.get_by_text("mutations.tsv").click()
    with download.value.path().open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 60
    assert rows[0]["id"] == "pasted|9C>T"
    assert (page.outside_requests(), page.problems) == ([], [])
    # An ill letter has a sentence, and nothing of before stands below it.
    look(page, "ACGTJACGT")
    page.wait_for_selector("#error:not([hidden])")
    assert "found 'J' at position 4 (0-based); correct it" in page.inner_text("#error")
    assert not page.is_visible("#answer")


def test_the_page_fits_a_phone_with_long_and_several_sequences(serving, classifier, browser):
    page = browser.open(serving(Explorer(classifier, motifs=KNOWN_MOTIFS)), is_phone=True)
    look(page, f">one\n{SEQUENCE * 2}\n>long\n{'ACGTTGCATG' * 101}\n")
    page.wait_for_selector("#tracks .base")
    assert letters(page) == SEQUENCE * 2
    assert page.overflow() <= 0
    page.locator("#records button").nth(1).click()
    page.wait_for_selector("#too-long:not([hidden])")
    assert "this sequence has 1,010" in page.inner_text("#too-long")
    # Windows of the length of training, half of it apart, to choose from.
    page.wait_for_selector("#records .caption >> nth=1")
    assert page.locator("#records .caption").nth(1).inner_text() == "Windows of 24 bases"
    window = page.locator("#records table").nth(1).locator("tbody tr").nth(3)
    assert window.locator("td").first.inner_text() == "long:36-60"
    window.locator("button").click()
    page.wait_for_selector("#by-base:not([hidden])")
    wait_for_changes(page)
    assert letters(page) == ("ACGTTGCATG" * 6)[36:]
    assert page.overflow() <= 0
    assert (page.outside_requests(), page.problems) == ([], [])


def test_a_masked_model_shows_the_bases_it_expects(serving, masked_model, browser):
    page = browser.open(serving(Explorer(masked_model, motifs={})))
    look(page, SEQUENCE)
    wait_for_changes(page)
    assert "of 14 bases that could be hidden one at a time" in page.inner_text("#says")
    page.locator("#tracks .base").nth(9).click()
    shares = numbers(page)["expected"].split()
    assert shares[::2] == list("ACGT")
    assert sum(map(float, shares[1::2])) == pytest.approx(1, abs=0.03)
    tables = page.locator("#tables button").all_inner_texts()
    assert tables == ["bases.tsv", "motifs.tsv", "mutations.tsv", "expected.tsv"]
    assert page.problems == []
