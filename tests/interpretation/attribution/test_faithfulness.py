import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification, attribution_scores, faithfulness
from dnabert_hf.cli.main import app
from dnabert_hf.interpretation.attribution.faithfulness import replace_bases
from dnabert_hf.interpretation.attribution.scores import BaseScores

N_BASES, N_SEQUENCES = 60, 40


@pytest.fixture
def classifier(tiny_config):
    """A classifier that sees the k-mer GGG and nothing else, made by hand."""
    tiny_config.num_hidden_layers, tiny_config.token_pooling = 1, "mean"
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    model = DNABertForSequenceClassification(tiny_config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.fill_(1)
        model.bert.embeddings.word_embeddings.weight[68, 0] = 1  # GGG, the last of the vocabulary
        model.bert.pooler.dense.weight[0, 0] = 1
        model.classifier.weight[1, 0] = 40
        model.classifier.bias[1] = -3
    return model


@pytest.fixture
def sequences():
    generator = np.random.default_rng(0)
    rows = generator.choice(list("ACT"), (N_SEQUENCES, N_BASES))
    rows[:, 20:26] = "G"
    return ["".join(row) for row in rows]


def as_scores(sequences, values):
    return [BaseScores(str(i), s, values, None) for i, s in enumerate(sequences)]


def test_scores_of_what_matters_make_the_probability_fall_furthest(
    classifier, tokenizer, sequences
):
    site = np.zeros(N_BASES, dtype=np.float32)
    site[20:26] = 1
    right = faithfulness(classifier, as_scores(sequences, site), tokenizer=tokenizer)
    wrong = faithfulness(classifier, as_scores(sequences, np.roll(site, 20)), tokenizer=tokenizer)
    assert right.n_sequences == N_SEQUENCES
    assert right.top > 0.3
    assert right.top > 2 * max(right.random, right.shifted)
    assert abs(wrong.top) < 0.05
    assert wrong.random == right.random
    found = attribution_scores(classifier, sequences, tokenizer=tokenizer, method="occlusion")
    assert faithfulness(classifier, found, tokenizer=tokenizer).top == pytest.approx(
        right.top, abs=0.1
    )
    again = faithfulness(classifier, as_scores(sequences, site), tokenizer=tokenizer)
    other = faithfulness(classifier, as_scores(sequences, site), tokenizer=tokenizer, seed=1)
    assert again == right != other


def test_a_named_class_is_looked_at(classifier, tokenizer, sequences):
    scores = as_scores(sequences, np.arange(N_BASES, dtype=np.float32))
    yes, no = (
        faithfulness(classifier, scores, label=label, tokenizer=tokenizer)
        for label in ("yes", "no")
    )
    assert yes[1:] == pytest.approx([-each for each in no[1:]], abs=1e-6)


def test_every_chosen_base_and_no_other_changes():
    generator = np.random.default_rng(0)
    changed = replace_bases("ACGTN" * 20, np.arange(50), generator)
    assert all(a != b for a, b in zip(changed[:50], "ACGTN" * 10, strict=True))
    assert changed[50:] == "ACGTN" * 10
    assert set(changed[:50]) <= set("ACGT")


def test_what_cannot_be_measured_is_refused(classifier, tokenizer, sequences):
    for scores, options, message in [
        ([], {}, "at least one sequence, got none"),
        (as_scores(sequences, np.ones(N_BASES)), {"share": 0}, "above 0 and at most 1, got 0"),
        (as_scores(sequences, np.ones(N_BASES)), {"label": "x"}, "must be one of no, yes"),
    ]:
        with pytest.raises(ValueError, match=message):
            faithfulness(classifier, scores, tokenizer=tokenizer, **options)


def test_command_line_prints_the_falls(classifier, tokenizer, sequences, tmp_path):
    classifier.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    (tmp_path / "s.fa").write_text("".join(f">s{i}\n{s}\n" for i, s in enumerate(sequences)))
    arguments = ["attribute", tmp_path / "m", tmp_path / "s.fa", "-o", tmp_path / "s.parquet"]
    arguments += ["--method", "occlusion", "--faithfulness", 0.1, "--label", "yes"]
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    falls = dict(line.split("\t") for line in result.stdout.splitlines())
    assert list(falls) == ["fall_top", "fall_random", "fall_shifted"]
    assert float(falls["fall_top"]) > float(falls["fall_random"])
