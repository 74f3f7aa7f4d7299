import json

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification
from dnabert_hf.cli.main import app
from dnabert_hf.inference.evaluate import evaluate
from dnabert_hf.inference.predict import predict
from dnabert_hf.metrics.comparison import delong


@pytest.fixture
def always_donor(classifier, tokenizer, tmp_path):
    """A classifier that gives every sequence the class donor."""
    with torch.no_grad():
        classifier.classifier.weight.zero_()
        classifier.classifier.bias.copy_(torch.tensor([0.0, 3.0, 0.0]))
    path = tmp_path / "always_donor"
    classifier.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def write(path, text):
    path.write_text(text)
    return path


def test_scores_are_those_of_the_predictions(always_donor, tmp_path):
    data = write(
        tmp_path / "d.tsv",
        "sequence\tlabel\nACGTAC\tdonor\nTTTT\tnone\nGGGGA\tdonor\nACACA\tdonor\n",
    )
    output = tmp_path / "metrics.json"
    evaluation = evaluate(always_donor, data, output=output)
    assert evaluation.n_sequences == 4
    assert evaluation.scores["accuracy"] == 0.75
    saved = json.loads(output.read_text())
    assert saved["accuracy"] == 0.75
    assert (saved["source"], saved["n_sequences"]) == (str(data), 4)
    assert saved["both_strands"] is False


def test_one_split_is_scored(always_donor, tmp_path):
    data = write(
        tmp_path / "d.tsv",
        "sequence\tlabel\tsplit\nACGTAC\tnone\ttrain\nTTTT\tdonor\ttest\nTTTA\tdonor\ttest\n",
    )
    evaluation = evaluate(always_donor, data, split="test")
    assert (evaluation.n_sequences, evaluation.scores["accuracy"]) == (2, 1.0)
    with pytest.raises(ValueError, match=r"several splits, 'train' \(1\), 'test' \(2\); name"):
        evaluate(always_donor, data)
    with pytest.raises(ValueError, match=r"must have a split 'dev', found 'train' \(1\)"):
        evaluate(always_donor, data, split="dev")


def test_groups_of_a_column_are_scored_apart(always_donor, tmp_path):
    rows = ["ACGTAC donor TATA", "TTTT none TATA", "GGGGA donor plain", "ACACA donor TATA"]
    text = "\n".join(["sequence label box", *rows]).replace(" ", "\t")
    data = write(tmp_path / "d.tsv", f"{text}\n")
    evaluation = evaluate(always_donor, data, by="box", output=tmp_path / "m.json")
    assert evaluation.scores == evaluate(always_donor, data).scores
    found = {n: (part.n_sequences, part.scores) for n, part in evaluation.groups.items()}
    assert list(found) == ["TATA", "plain"]
    # One of three is no donor: precision 2/3, recall 1.
    assert (found["TATA"][0], found["TATA"][1]["accuracy"]) == (3, pytest.approx(2 / 3))
    assert (found["plain"][0], found["plain"][1]["accuracy"]) == (1, 1.0)
    only = write(tmp_path / "tata.tsv", "".join(f"{line}\n" for line in text.splitlines()
                                              if not line.endswith("plain")))  # fmt: skip
    assert found["TATA"][1] == evaluate(always_donor, only).scores
    saved = json.loads((tmp_path / "m.json").read_text())
    assert saved["groups"]["plain"] == {"sequences": 1} | found["plain"][1]
    with pytest.raises(ValueError, match=r"must have the column 'boxes' for the id, found"):
        evaluate(always_donor, data, by="boxes")
    gap = write(tmp_path / "gap.tsv", "sequence\tlabel\tbox\nACGTAC\tdonor\t\n")
    with pytest.raises(ValueError, match=r"line 2: .* a value in the column 'box', found an empty"):
        evaluate(always_donor, gap, by="box")
    rows = "".join(f"ACGT\tdonor\tg{i}\n" for i in range(51))
    many = write(tmp_path / "many.tsv", "sequence\tlabel\tbox\n" + rows)
    with pytest.raises(ValueError, match="must name groups, at most 50, found 51 among 51"):
        evaluate(always_donor, many, by="box")


def test_a_label_not_seen_in_training_is_named(always_donor, tmp_path):
    data = write(tmp_path / "d.csv", "id,sequence,label\nx,ACGTAC,branch point\n")
    message = "record x: a label must be one of those seen in training, .*found 'branch point'"
    with pytest.raises(ValueError, match=message):
        evaluate(always_donor, data)


def test_an_existing_output_is_refused(always_donor, tmp_path):
    data = write(tmp_path / "d.csv", "sequence,label\nACGTAC,donor\n")
    with pytest.raises(ValueError, match=r"d\.csv must not exist yet"):
        evaluate(always_donor, data, output=data)


def test_several_models_are_scored_by_the_mean_of_their_probabilities(
    always_donor, classifier, tokenizer, tmp_path
):
    # By hand: softmax of (0, 3, 0) and of (0, 0, 4) have the mean (0.032, 0.461, 0.507).
    with torch.no_grad():
        classifier.classifier.bias.copy_(torch.tensor([0.0, 0.0, 4.0]))
    classifier.save_pretrained(tmp_path / "other")
    tokenizer.save_pretrained(tmp_path / "other")
    names = classifier.config.id2label
    rows = [("ACGTAC", names[2]), ("TTTT", names[1]), ("GGGGA", names[2])]
    lines = [f"{sequence}\t{label}" for sequence, label in rows]
    data = write(tmp_path / "d.tsv", "\n".join(["sequence\tlabel", *lines]) + "\n")
    output = tmp_path / "metrics.json"
    evaluation = evaluate(always_donor, data, also=[tmp_path / "other"], output=output)
    assert evaluation.scores["accuracy"] == pytest.approx(2 / 3)
    assert evaluate(always_donor, data).scores["accuracy"] == pytest.approx(1 / 3)
    assert json.loads(output.read_text())["others"] == [str(tmp_path / "other")]
    first, second, mean = evaluation.models
    assert [first.name, second.name] == [str(always_donor), str(tmp_path / "other")]
    assert first.scores == evaluate(always_donor, data).scores
    assert second.scores == evaluate(tmp_path / "other", data).scores
    assert (mean.name, mean.scores) == ("mean", evaluation.scores)
    assert first.difference is None
    assert mean.difference.metric == "mcc"
    assert mean.difference.value == mean.scores["mcc"] - first.scores["mcc"]
    assert json.loads(output.read_text())["models"][2]["difference"] == mean.difference._asdict()


def test_models_are_compared_on_the_same_rows(tiny_config, tokenizer, tmp_path):
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    folders = [tmp_path / "m0", tmp_path / "m1"]
    for folder in folders:
        DNABertForSequenceClassification(tiny_config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    generator = np.random.default_rng(0)
    sequences = ["".join(each) for each in generator.choice(list("ACGT"), (30, 12))]
    lines = [f"{sequence}\t{['no', 'yes'][i % 2]}\n" for i, sequence in enumerate(sequences)]
    data = write(tmp_path / "d.tsv", "sequence\tlabel\n" + "".join(lines))
    command = ["evaluate", str(folders[0]), str(data), "--also", str(folders[1])]
    printed, as_json = (CliRunner().invoke(app, [*command, *more]) for more in ([], ["--json"]))

    labels = np.arange(30) % 2 == 1
    own = [[each.probabilities["yes"] for each in predict(f, sequences)] for f in folders]
    areas = [roc_auc_score(labels, each) for each in (*own, np.mean(own, axis=0))]
    value, p_value = delong(labels, np.array(own[1]), np.array(own[0]))
    found = json.loads(as_json.stdout)
    assert [each["auroc"] for each in found["models"]] == pytest.approx(areas)
    assert found["auroc"] == pytest.approx(areas[2])
    assert found["models"][1]["difference"]["value"] == pytest.approx(value)
    assert found["models"][1]["difference"]["p_value"] == pytest.approx(p_value)
    table = dict(line.split("\t", 1) for line in printed.stdout.splitlines())
    assert table[""] == f"mean\t{folders[0]}\t{folders[1]}"
    assert table["auroc"].split("\t")[1:] == [f"{area:.4g}" for area in areas[:2]]
    assert table["p"].split("\t")[1:] == ["", f"{p_value:.4g}"]
    assert f"p: DeLong, auroc of class yes, against {folders[0]}, two-sided" in printed.stderr
