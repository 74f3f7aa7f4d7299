"""What the app answers is what the package's functions give."""

import csv
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dnabert_hf import (
    DNABertForSequenceClassification,
    DNABertModel,
    attention_scores,
    attribution_scores,
    mutagenesis,
    predict,
)
from dnabert_hf.app.explorer import MOST_LETTERS, Explorer
from dnabert_hf.app.page import render_page
from dnabert_hf.data.building.simulation import CTCF
from dnabert_hf.data.example.motifs import KNOWN_MOTIFS

SEQUENCE = "TTGACGTTGCATTGCAACCA"


def test_the_documentation_names_the_columns(explorer, masked_model):
    text = (Path(__file__).parents[2] / "docs" / "app.md").read_text()
    rows = re.findall(r"^\| `(\w+)\.tsv` \| (.*) \|$", text, re.MULTILINE)
    named = {name: re.findall(r"`(\w+)`", columns) for name, columns in rows}
    answers = [
        explorer.predict(SEQUENCE),
        explorer.score_bases(SEQUENCE),
        explorer.map_mutations(SEQUENCE, "bound", start=0, end=1),
        explorer.find_motifs(SEQUENCE),
    ]
    tables = {name: table for answer in answers for name, table in answer.tables.items()}
    masked = Explorer(masked_model, motifs={}).map_mutations(SEQUENCE, start=0, end=1)
    tables["expected"] = masked.tables["expected"]
    del tables["sequences"]  # which is not saved
    assert named.keys() == tables.keys()
    for name, table in tables.items():
        # The page puts the id before the others.
        columns = dict.fromkeys(["id", *table.columns])
        found = dict.fromkeys(re.sub("_(bound|free)$", "_CLASS", each) for each in columns)
        assert list(found) == named[name]


def columns_of(table):
    return dict(zip(table.columns, zip(*table.rows, strict=True), strict=True))


@pytest.mark.parametrize("both_strands", [None, False])
def test_predictions_are_those_of_predict(classifier, both_strands):
    explorer = Explorer(classifier, motifs={}, both_strands=both_strands)
    answer = explorer.predict(f">a some words\n{SEQUENCE[:9]}\n{SEQUENCE[9:]}\n>b\nacguacguu\n")
    expected = predict(classifier, [SEQUENCE, "ACGTACGTT"], both_strands=both_strands)
    table = answer.tables["predictions"]
    assert list(table.columns) == ["id", "label", "prob_free", "prob_bound"]
    for name, row, each in zip("ab", table.rows, expected, strict=True):
        assert row[:2] == [name, each.label]
        assert row[2:] == pytest.approx(list(each.probabilities.values()), abs=1e-6)
    assert answer.tables["sequences"].rows == [("a", SEQUENCE), ("b", "ACGTACGTT")]


@pytest.mark.parametrize(("label", "explained"), [(None, "bound"), ("free", "free")])
def test_bases_are_scored_as_by_attribution_and_attention(classifier, explorer, label, explained):
    table = explorer.score_bases(SEQUENCE, label).tables["bases"]
    columns = columns_of(table)
    (attributed,) = attribution_scores(classifier, [SEQUENCE], label=explained)
    (attended,) = attention_scores(classifier, [SEQUENCE])
    assert "".join(columns["base"]) == SEQUENCE
    assert columns["position"] == tuple(range(20))
    np.testing.assert_allclose(columns["attribution"], attributed.scores, atol=1e-5)
    np.testing.assert_allclose(columns["attention"], attended.scores, atol=1e-5)


def read_map(path):
    with path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize("kind", ["classifier", "masked_model"])
def test_changes_are_scored_as_by_mutagenesis_whatever_the_parts(kind, request, tmp_path):
    model = request.getfixturevalue(kind)
    explorer = Explorer(model, motifs={})
    sequence = f"{SEQUENCE[:10]}N{SEQUENCE[10:]}"
    mutagenesis(model, [sequence], output=tmp_path / "map.tsv")
    expected = read_map(tmp_path / "map.tsv")
    found = []
    for start, end in ((0, 7), (7, 10), (10, 11), (11, 21)):
        table = explorer.map_mutations(sequence, start=start, end=end).tables["mutations"]
        found += [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert len(found) == len(expected) == 60
    for one, other in zip(found, expected, strict=True):
        assert other.pop("id") == "0"
        for name, text in other.items():
            if name in ("ref", "alt"):
                assert one[name] == text
            elif text == "":
                assert one[name] is None
            else:
                assert one[name] == pytest.approx(float(text), abs=2e-4)


def test_a_regression_has_values(tiny_config, tokenizer, tmp_path):
    tiny_config.num_labels = 1
    tiny_config.problem_type = "regression"
    DNABertForSequenceClassification(tiny_config).save_pretrained(tmp_path / "activity")
    tokenizer.save_pretrained(tmp_path / "activity")
    explorer = Explorer(tmp_path / "activity", motifs={})
    assert explorer.positive is None
    (expected,) = predict(tmp_path / "activity", [SEQUENCE])
    table = explorer.predict(SEQUENCE).tables["predictions"]
    assert list(table.columns) == ["id", "value"]
    assert table.rows[0][1] == pytest.approx(*expected.probabilities.values(), abs=1e-6)
    changes = explorer.map_mutations(SEQUENCE, "LABEL_0", start=0, end=1).tables["mutations"]
    assert list(changes.columns) == ["position", "ref", "alt", "value_ref", "value", "change"]
    assert len(explorer.score_bases(SEQUENCE, "LABEL_0").tables["bases"].rows) == 20
    assert "A model that gives a value" in render_page(explorer)


def test_a_masked_model_says_which_bases_it_expects(masked_model):
    explorer = Explorer(masked_model, motifs={})
    assert not explorer.is_classifier
    assert set(explorer.predict(SEQUENCE).tables) == {"sequences"}
    assert list(explorer.score_bases(SEQUENCE).tables["bases"].columns) == [
        *("position", "base", "attention")
    ]
    answer = explorer.map_mutations(SEQUENCE, start=0, end=20)
    ratios = {row[:3]: row[3] for row in map(tuple, answer.tables["mutations"].rows)}
    expected = answer.tables["expected"]
    assert [row[0] for row in expected.rows if row[2] is None] == [0, 1, 2, 17, 18, 19]
    for position, base, *shares in expected.rows[3:17]:
        assert base == SEQUENCE[position]
        assert sum(shares) == pytest.approx(1)
        of_base = dict(zip("ACGT", shares, strict=True))
        for alt in set("ACGT") - {base}:
            ratio = np.log(of_base[alt] / of_base[base])
            assert ratios[position, base, alt] == pytest.approx(ratio, abs=1e-6)


def test_known_motifs_are_found_on_either_strand(explorer):
    site = "".join("ACGT"[row.index(max(row))] for row in CTCF)
    opposite = site[::-1].translate(str.maketrans("ACGT", "TGCA"))
    flank = "ATATTAATCATA"
    table = explorer.find_motifs(flank + site + flank + opposite).tables["motifs"]
    found = [tuple(row[:4]) for row in table.rows if row[0] == "CTCF"]
    n = len(site)
    assert found == [("CTCF", 12, 12 + n, "+"), ("CTCF", 24 + n, 24 + 2 * n, "-")]
    assert all(row[5] < 1e-8 for row in table.rows if row[0] == "CTCF")


def test_what_the_package_warns_of_stands_beside_the_answer(explorer):
    answer = explorer.predict("ACGTNACGT" + "A" * 7)
    (note,) = answer.notes
    assert "3 of 14 k-mers (k = 3) hold letters other than A, C, G, T and become [UNK]" in note
    assert explorer.predict(SEQUENCE).notes == []
    (note,) = explorer.predict(f"{SEQUENCE}\n{SEQUENCE}\n").notes
    assert note.startswith("The 2 parts of the pasted text were joined to one sequence; to have")


def test_questions_at_the_same_time_have_their_own_answers(explorer):
    sequences = [SEQUENCE[i:] + SEQUENCE[:i] for i in range(3)]
    alone = [explorer.score_bases(each) for each in sequences]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(explorer.score_bases, sequences))
    assert together == alone


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  \n", "there must be a sequence to look at, found none"),
        ("ACGTXACGT", r"pasted text: .*found 'X' at position 4 \(0-based\)"),
        (">a\nACGT\n>b\nAC-GT\n", r"pasted text, record b: .*found '-' at position 2"),
        (">a\n>b\nACGT\n", "record a has a header but no sequence"),
        ("AC", "at least k = 3 bases long, found 2"),
        ("MKVLAAGHRSDYWMKVLAAGHRSDYW", "found 'L'"),
        (">a\nACGT\n" * 201, "up to 200 sequences of 100,000 bases together, found 201 of 804"),
        ("ACGT" * 25_001, "found 1 of 100,004; `dnabert predict` reads files of any size"),
        ("ACGT" * 60_000, "found 240,000 letters"),
    ],
)
def test_what_cannot_be_used_is_told(explorer, text, message):
    with pytest.raises(ValueError, match=message):
        explorer.predict(text)


def test_limits_of_what_is_drawn_base_by_base_are_told(explorer):
    with pytest.raises(ValueError, match="at most 1,000 bases to be looked at base by base"):
        explorer.score_bases("A" * (MOST_LETTERS + 1))
    with pytest.raises(ValueError, match="must lie from 0 to 20, got 5 to 21"):
        explorer.map_mutations(SEQUENCE, start=5, end=21)
    with pytest.raises(ValueError, match="the class must be one of free, bound, got 'boung'"):
        explorer.map_mutations(SEQUENCE, "boung", start=0, end=1)
    with pytest.raises(ValueError, match="one sequence is looked at base by base, found 2"):
        explorer.find_motifs(">a\nACGT\n>b\nACGT")


def test_the_card_of_the_model_is_read(explorer, masked_model, classifier):
    text = "On the test split this model has MCC 0.765, logistic regression on 5-mer counts 0.432."
    assert explorer.regression == (text, False)
    assert explorer.examples == [("A sequence of class bound", SEQUENCE)]
    (classifier / "README.md").unlink()
    without = Explorer(classifier, motifs=KNOWN_MOTIFS)
    assert without.regression.is_warning
    assert "not known" in without.regression.text
    assert Explorer(masked_model, motifs={}).regression is None


def test_a_model_without_classes_is_refused(tiny_config, tokenizer, tmp_path):
    DNABertModel(tiny_config).save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    with pytest.raises(ValueError, match="classifiers of sequences and masked language models, fo"):
        Explorer(tmp_path / "encoder", motifs={})
