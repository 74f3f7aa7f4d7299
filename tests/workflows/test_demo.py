import csv
import json
import re

import pytest
from typer.testing import CliRunner

from dnabert_hf.cli.main import app
from dnabert_hf.workflows import demo as demonstration
from dnabert_hf.workflows.demo import demonstrate

pytestmark = pytest.mark.usefixtures("rendered_curves")


@pytest.fixture
def small(monkeypatch):
    """The demonstration with a hundredth of its data: everything runs, nothing is learnt."""
    monkeypatch.setattr(demonstration, "_SIZES", {"train": 60, "dev": 20, "test": 40})
    monkeypatch.setattr(demonstration, "_N_NEW", 13)


def test_a_used_folder_is_overwritten_when_asked_by_what_the_report_speaks_of(small, tmp_path):
    folder = tmp_path / "demo"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "new.fa").write_text(">old\nACGT\n")  # tells a demonstration
    (folder / "index.html").write_text("old")
    words = ["demo", "-o", str(folder), "--seed", "1"]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2
    assert re.search("must be empty or new, .*found a folder with files", refused.stderr)
    result = CliRunner().invoke(app, [*words, "--overwrite"])
    assert result.exit_code == 0, result.output
    assert f"report: {folder / 'index.html'}" in result.stdout
    assert "5-mer regression" in result.stdout
    assert {file.name for file in folder.iterdir()} == {
        *("data", "model", "predictions.tsv", "letters.png", "metrics.json", "index.html")
    }
    report = json.loads((folder / "metrics.json").read_text())
    assert report["simulated"] is True
    assert set(report["test"]) == {"DNABERT", "5-mer regression"}
    with (folder / "predictions.tsv").open(newline="") as file:
        assert len(list(csv.DictReader(file, delimiter="\t"))) == 13
    page = (folder / "index.html").read_text()
    assert "The data are simulated." in page
    assert "$" not in page
    assert f"{report['test']['DNABERT']['auroc']:.3f}" in page
    assert page.count("data:image/png;base64,iVBOR") == 2
    # The page needs nothing from elsewhere.
    assert "http" not in page


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "demo").write_text("x")
    with pytest.raises(ValueError, match="must be a folder to write, found a file"):
        demonstrate(tmp_path / "demo")


@pytest.mark.slow
def test_the_demonstration_learns_and_beats_its_baseline(tmp_path):
    scores = demonstrate(tmp_path / "demo").scores
    assert scores["DNABERT"]["auroc"] > 0.9
    assert scores["DNABERT"]["auroc"] > scores["5-mer regression"]["auroc"]
