"""`dnabert attention-report`, read in a browser."""

import csv

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification, DNABertModel, attention_scores
from dnabert_hf.cli.main import app
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.interpretation.attribution.attention_heads import head_scores
from dnabert_hf.interpretation.pages.attention_report import _find_positive as find_positive
from dnabert_hf.interpretation.pages.attention_report import report_attention

HOSTILE = "<img src=http://example.org/x.png onerror=alert(1)>"


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    return ["".join(row) for row in rng.choice(list("ACGT"), (10, 64))]


@pytest.fixture
def model(tiny_config, tokenizer, tmp_path):
    tiny_config.id2label = {0: "no", 1: "yes"}
    tiny_config.label2id = {"no": 0, "yes": 1}
    path = tmp_path / "model"
    DNABertForSequenceClassification(tiny_config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def report(model, sequences, tmp_path):
    lines = ["id\tsequence\tlabel"]
    names = [HOSTILE, *(f"s{i}" for i in range(1, 10))]
    for i, (name, sequence) in enumerate(zip(names, sequences, strict=True)):
        lines.append(f"{name}\t{sequence}\t{['no', 'yes'][i % 2]}")
    (tmp_path / "data.tsv").write_text("\n".join(lines) + "\n")
    arguments = ["attention-report", str(model), str(tmp_path / "data.tsv")]
    result = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "report")])
    assert result.exit_code == 0, result.stderr
    return tmp_path / "report"


def test_hovering_a_base_shows_its_values(report, model, sequences, browser):
    page = browser.open(report / "index.html")
    title = page.inner_text(".widget option:checked")
    sequence = dict(zip([HOSTILE, *(f"s{i}" for i in range(1, 10))], sequences, strict=True))[title]
    (expected,) = head_scores(model, [sequence])
    scores = expected.scores.sum(axis=0)
    details = page.locator(".widget .details")
    page.locator(".letters button").nth(41).hover()
    assert details.locator(".position").inner_text() == "41 (0-based), 42 (1-based)"
    assert details.locator(".base").inner_text() == sequence[41]
    assert float(details.locator(".score").inner_text()) == pytest.approx(scores[41], abs=2e-4)
    strongest = expected.scores[:, 41].argmax()
    assert details.locator(".strongest-head").inner_text() == str(strongest)
    shown = [float(text) for text in details.locator(".value").all_inner_texts()]
    assert shown == pytest.approx(expected.scores[:, 41].tolist(), abs=2e-4)
    page.locator(".letters button").nth(7).focus()
    page.keyboard.press("ArrowRight")
    assert details.locator(".position").inner_text() == "8 (0-based), 9 (1-based)"
    page.locator(".widget select").select_option(label=HOSTILE)
    assert "".join(page.locator(".letters button").all_inner_texts()) == sequences[0]
    assert (page.outside_requests(), page.problems) == ([], [])
    # The truth stands beside what the model says.
    captions = page.locator("figcaption").all_inner_texts()
    names = [HOSTILE, *(f"s{i}" for i in range(1, 10))]
    truths = dict(zip(names, ["no", "yes"] * 5, strict=True))
    for caption in captions[:3]:
        name, rest = caption.rsplit(", is ", 1)
        assert rest.startswith(f"{truths[name]}: letters as high as their attention")


@pytest.mark.parametrize("is_phone", [False, True])
def test_the_page_fits_its_window(report, browser, tmp_path, is_phone):
    page = browser.open(report / "index.html", is_phone=is_phone)
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 50_000
    assert page.overflow() <= 0
    assert all(page.eval_on_selector_all("img", "all => all.map(i => i.naturalWidth > 0 && i.alt)"))
    if is_phone:
        page.locator(".letters button").nth(5).tap()
        assert page.locator(".position").inner_text() == "5 (0-based), 6 (1-based)"


def test_the_folder_holds_scores_and_landscape(report, model, sequences):
    rows = parquet.read_table(report / "scores.parquet").to_pylist()
    expected = attention_scores(model, sequences)
    for row, each in zip(rows, expected, strict=True):
        np.testing.assert_allclose(row["scores"], each.scores, atol=1e-3)
    with (report / "landscape.tsv").open() as file:
        landscape = list(csv.DictReader(file, delimiter="\t"))
    assert [row["class"] for row in landscape] == ["yes"] * 64 + ["no"] * 64
    mean = np.mean([row["scores"][63] for row in rows[1::2]])
    last_of_yes = landscape[63]
    assert (last_of_yes["position"], last_of_yes["n_sequences"]) == ("63", "5")
    assert float(last_of_yes["mean"]) == pytest.approx(mean, rel=1e-4)
    names = {path.name for path in report.iterdir()}
    assert names == {
        "index.html",
        "scores.parquet",
        "landscape.tsv",
        "landscape.png",
        "sequences.png",
        *(f"sequence-{n}.png" for n in (1, 2, 3)),
        "context.png",
        "context-grid.png",
    }


def test_an_encoder_long_sequences_and_no_labels_are_reported(
    tiny_config, tokenizer, tmp_path, typed
):
    typed("here")
    tiny_config.max_position_embeddings = 20
    tiny_config.token_pooling = "mean"
    encoder = DNABertModel(tiny_config).eval()
    records = [SequenceRecord("long", "ACGTTGCA" * 9), SequenceRecord("longer", "ACGTTGCAA" * 9)]
    page = report_attention(encoder, records, tmp_path / "r", align="centre", tokenizer=tokenizer)
    text = page.read_text()
    assert "the mean of the k-mers as the query" in text
    assert "all sequences" in text
    assert ">here<" in text


def test_which_of_two_classes_comes_first_is_said_where_it_is_a_guess(caplog):
    schemes = [LabelScheme("single_label_classification", names)
               for names in (("alpha", "beta"), ("bound", "free"), ("a", "b", "c"))]  # fmt: skip
    assert [find_positive(scheme) for scheme in schemes] == ["beta", "bound", None]
    (said,) = caplog.messages
    assert said.endswith("beta, the second, is taken; name the other in training (--positive)")


def test_bad_input_leaves_nothing(model, tmp_path):
    (tmp_path / "in.fa").write_text(">a\nACGTACGT\n>b\nACGTACGTAC\n")
    arguments = ["attention-report", str(model), str(tmp_path / "in.fa")]
    for extra, message in [
        (["-o", str(tmp_path / "r")], "choose one (--align)"),
        (["-o", str(tmp_path / "r"), "--align", "middle"], "'middle'"),
        (["-o", str(tmp_path / "r"), "--align", "end", "--layer", "9"], "got 9"),
        (["-o", str(model), "--align", "end"], "must be another folder than the"),
    ]:
        result = CliRunner().invoke(app, [*arguments, *extra])
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"in.fa", "model"}
