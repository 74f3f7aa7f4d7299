import csv

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification, attention_scores
from dnabert_hf.cli.main import app
from dnabert_hf.interpretation.pages.training_report import report_training


@pytest.fixture
def training(tiny_config, tokenizer, tmp_path):
    """Three checkpoints as `finetune --keep-checkpoints` leaves them."""
    for step in (9, 10, 20):
        torch.manual_seed(step)
        folder = tmp_path / "run" / "checkpoints" / f"checkpoint-{step}"
        DNABertForSequenceClassification(tiny_config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return tmp_path / "run"


def test_the_page_holds_each_checkpoint_and_class(training, tmp_path):
    generator = np.random.default_rng(0)
    sequences = ["".join(each) for each in generator.choice(list("ACGT"), (6, 12))]
    data = tmp_path / "d.tsv"
    rows = [f"{sequence}\t{'no' if i < 4 else 'yes'}\n" for i, sequence in enumerate(sequences)]
    data.write_text("sequence\tlabel\n" + "".join(rows))
    command = ["attention-report", str(training), str(data), "--over-training", "-o"]
    done = CliRunner().invoke(app, [*command, str(tmp_path / "report")])
    assert done.exit_code == 0, done.stderr
    with (tmp_path / "report" / "landscape.tsv").open(newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    steps = ["checkpoint-9", "checkpoint-10", "checkpoint-20"]
    assert list(dict.fromkeys(row["checkpoint"] for row in table)) == steps
    scores = {
        step: np.stack([each.scores for each in attention_scores(
            training / "checkpoints" / step, sequences)])
        for step in steps
    }  # fmt: skip
    for label, part in (("class no", slice(4)), ("class yes", slice(4, 6))):
        for step in steps:
            found = [
                float(row["mean"])
                for row in table
                if (row["checkpoint"], row["label"]) == (step, label)
            ]
            assert found == pytest.approx(scores[step][part].mean(axis=0), abs=1e-5)
    page = (tmp_path / "report" / "index.html").read_text()
    assert page.count("data:image/png") == 2
    norms = {step: np.linalg.norm(each, axis=1) for step, each in scores.items()}
    for step in steps:
        cosines = (scores[step] * scores[steps[-1]]).sum(axis=1) / norms[step] / norms[steps[-1]]
        assert f"{cosines.mean():.4g}" in page
    again = CliRunner().invoke(app, [*command, str(tmp_path / "report"), "--overwrite"])
    assert again.exit_code == 0, again.stderr


def test_a_folder_without_checkpoints_and_a_source_without_sequences_are_told(training, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"must hold folders checkpoint-<step>, found none"):
        report_training(tmp_path / "empty", ["ACGTACGT"], tmp_path / "report")
    with pytest.raises(ValueError, match=r"must have sequences to show, found none"):
        report_training(training, [], tmp_path / "report")
    with pytest.raises(ValueError, match=r"unequal length must be aligned .* \(--align\)"):
        report_training(training, ["ACGTACGT", "ACGTAC"], tmp_path / "report")
    assert not (tmp_path / "report").exists()
