import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification, DNABertTokenizer, evaluate, predict
from dnabert_hf.cli.main import app
from dnabert_hf.inference.stack import Stack
from dnabert_hf.training.kmer_counts.kmer_regression import kmer_logistic_regression
from dnabert_hf.workflows.stacking import stack_models


def train_like(tiny_config, folder, names, k, seed):
    torch.manual_seed(seed)
    tiny_config.k, tiny_config.vocab_size = k, 4**k + 5
    tiny_config.id2label = dict(enumerate(names))
    tiny_config.label2id = {name: i for i, name in enumerate(names)}
    DNABertForSequenceClassification(tiny_config).save_pretrained(folder)
    DNABertTokenizer(k=k).save_pretrained(folder)
    return folder


def rows_of(names, n, seed):
    generator = np.random.default_rng(seed)
    sequences = ["".join(each) for each in generator.choice(list("ACGT"), (n, 20))]
    # The class is told by composition, now and then.
    for i in range(0, n, 3):
        sequences[i] = sequences[i][:8] + "ACGT"[i % len(names)] * 12
    return [(sequence, names[i % len(names)]) for i, sequence in enumerate(sequences)]


@pytest.fixture(params=[("no", "yes"), ("a", "b", "c")], ids=["two classes", "three classes"])
def given(request, tiny_config, tmp_path):
    names = request.param
    models = [train_like(tiny_config, tmp_path / f"k{k}", names, k, k) for k in (3, 4)]
    rows = {s: rows_of(names, 60, i) for i, s in enumerate(("train", "dev", "test"))}
    lines = [f"{seq}\t{label}\t{s}\n" for s, of in rows.items() for seq, label in of]
    data = tmp_path / "d.tsv"
    data.write_text("sequence\tlabel\tsplit\n" + "".join(lines))
    return names, models, rows, data


def columns_by_hand(names, models, rows, split):
    """Columns of the regression, from the probabilities that `predict` gives."""
    sequences = [sequence for sequence, _ in rows[split]]
    labels = {s: np.array([names.index(label) for _, label in of]) for s, of in rows.items()}
    said = [
        np.array([list(each.probabilities.values()) for each in predict(model, sequences)])
        for model in models
    ]
    train = [sequence for sequence, _ in rows["train"]]
    said.append(kmer_logistic_regression(train, labels["train"], sequences, k=3))
    if len(names) == 2:
        columns = np.column_stack([np.log(p[:, 1] / p[:, 0]) for p in said])
    else:
        columns = np.column_stack([np.log(p) for p in said])
    return columns, labels[split]


def test_a_stack_is_the_regression_of_scikit_learn_on_the_dev_split(given, tmp_path):
    names, models, rows, data = given
    done = stack_models(models, data, output=tmp_path / "stacked", kmers=3)
    assert (done.stack.n_fitted, done.n_train) == (60, 60)
    fitted = LogisticRegression(max_iter=1000).fit(*columns_by_hand(names, models, rows, "dev"))
    assert done.stack.coefficients == pytest.approx(fitted.coef_, abs=1e-4)
    columns, labels = columns_by_hand(names, models, rows, "test")
    expected = fitted.predict_proba(columns)
    found = predict(tmp_path / "stacked", [sequence for sequence, _ in rows["test"]])
    probabilities = np.array([list(each.probabilities.values()) for each in found])
    assert probabilities == pytest.approx(expected, abs=1e-4)
    assert [each.label for each in found] == [names[i] for i in expected.argmax(axis=1)]
    table = tmp_path / "predictions.tsv"
    command = ["predict", str(tmp_path / "stacked"), str(data), "-o", str(table)]
    written = CliRunner().invoke(app, command)
    assert written.exit_code == 0, written.stderr
    last = [line.split("\t")[2:] for line in table.read_text().splitlines()[-60:]]
    assert np.array(last, dtype=float) == pytest.approx(expected, abs=1e-4)

    evaluation = evaluate(tmp_path / "stacked", data, split="test")
    assert [each.name for each in evaluation.models] == [
        *map(str, models),
        "3-mer regression",
        "stack",
    ]
    if len(names) == 2:
        assert evaluation.scores["auroc"] == pytest.approx(
            roc_auc_score(labels, expected[:, 1]), abs=1e-3
        )
    assert evaluation.models[0].scores == evaluate(models[0], data, split="test").scores


def test_the_test_split_is_never_looked_at(given, tmp_path):
    _, models, _, data = given
    stack_models(models, data, output=tmp_path / "one", kmers=3)
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join(line for line in lines if not line.endswith("\ttest\n")))
    stack_models(models, data, output=tmp_path / "two", kmers=3)
    one, two = ((tmp_path / name / "stack.json").read_text() for name in ("one", "two"))
    assert one == two
    data.write_text("".join(line for line in lines if not line.endswith("\tdev\n")))
    message = r"fitted on the validation split \(dev\), found train \(60\), test \(60\); add"
    with pytest.raises(ValueError, match=message):
        stack_models(models, data, output=tmp_path / "three")
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize("given", [("no", "yes")], indirect=True)
def test_a_stack_knows_its_members_and_what_is_no_stack_is_told(given, tmp_path, tokenizer):
    names, models, _, data = given
    command = ["stack", str(models[0]), str(data), "--also", str(models[1]), "-o"]
    done = CliRunner().invoke(app, [*command, str(tmp_path / "stacked"), "--kmers", "0"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "member\tweight"
    stack = Stack.read(tmp_path / "stacked")
    assert (stack.names, stack.kmers) == ([str(model) for model in models], None)

    # The whole tree may move.
    (tmp_path / "elsewhere").mkdir()
    for path in (*models, tmp_path / "stacked"):
        path.rename(tmp_path / "elsewhere" / path.name)
    moved = tmp_path / "elsewhere" / "stacked"
    assert predict(moved, ["ACGTACGT"])[0].label in names
    with pytest.raises(ValueError, match=r"is not averaged with others, found also"):
        predict(moved, ["ACGTACGT"], also=[tmp_path / "elsewhere" / "k3"])
    embed = ["embed", str(moved), str(data), "-o", str(tmp_path / "e.tsv")]
    refused = CliRunner().invoke(app, embed)
    assert refused.exit_code == 2
    assert "must be one model, found a stack of several" in refused.stderr

    manifest = json.loads((moved / "stack.json").read_text())
    for change, message in [
        ({"intercepts": [0.0, 1.0]}, r"must have the shapes"),
        ({"coefficients": [[1.0, float("nan")]]}, r"must be finite"),
        ({"members": 3}, r"reading it failed"),
        ({"classes": ["yes", "no"]}, r"must have its classes, yes, no, found no, yes"),
    ]:
        (moved / "stack.json").write_text(json.dumps(manifest | change))
        with pytest.raises(ValueError, match=message):
            predict(moved, ["ACGTACGT"])
    (moved / "stack.json").write_text(json.dumps(manifest))
    DNABertForSequenceClassification.from_pretrained(tmp_path / "elsewhere" / "k3").save_pretrained(
        tmp_path / "elsewhere" / "k4"
    )
    with pytest.raises(ValueError, match=r"k4 must have the weights that the stack was fitted on"):
        predict(moved, ["ACGTACGT"])
