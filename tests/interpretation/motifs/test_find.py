import csv
import logging

import numpy as np
import pytest
from typer.testing import CliRunner

from dnabert_hf import (
    DNABertConfig,
    DNABertForSequenceClassification,
    DNABertTokenizer,
    MotifSettings,
    attention_scores,
    find_motifs,
)
from dnabert_hf.cli.main import app
from dnabert_hf.data.labelled.labels import LabelScheme
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.interpretation.attribution.scores import BaseScores
from dnabert_hf.interpretation.motifs.files import read_meme

SITE = "GATTACA"


@pytest.fixture
def classifier(tiny_config):
    tiny_config.max_position_embeddings = 40
    tiny_config.id2label, tiny_config.label2id = {0: "free", 1: "bound"}, {"free": 0, "bound": 1}
    return DNABertForSequenceClassification(tiny_config).eval()


def labelled(*, n=40, has_labels=True):
    """Records on chr1, 50 bases each; every other one is bound, with a site at 20 to 27."""
    generator = np.random.default_rng(0)
    records, scores = [], []
    for row in range(n):
        letters = generator.choice(list("CG"), size=50)
        of_bases = np.full(50, 0.01, dtype=np.float32)
        is_bound = row % 2 == 0
        if is_bound:
            letters[20:27] = list(SITE)
            of_bases[20:27] = 1.0
        name = f"chr1:{100 * row}-{100 * row + 50}" + ("(-)" if row % 4 == 0 else "")
        label = ("bound" if is_bound else "free") if has_labels else None
        records.append(SequenceRecord(name, "".join(letters), label))
        chances = {"free": 0.1 + 0.8 * (not is_bound), "bound": 0.1 + 0.8 * is_bound}
        scores.append(BaseScores(name, records[-1].sequence, of_bases, chances))
    return records, scores


def read_table(path):
    with path.open() as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def test_a_folder_is_written_and_reads_back(tmp_path, typed):
    typed("the call")
    records, scores = labelled()
    found = find_motifs(scores, records, output=tmp_path / "out", label="bound")
    (motif,) = found.motifs
    folder = tmp_path / "out"
    assert read_meme(folder / "motifs.meme")[0].name == motif.matrix.consensus
    assert (folder / "motifs.jaspar").read_text().startswith(">motif_1\t")
    (candidate,) = read_table(folder / "candidates.tsv")
    assert (candidate["word"], candidate["positives"], candidate["sequences"]) == (SITE, "20", "20")
    sites = read_table(folder / "instances.tsv")
    assert len(sites) == len(motif.sites) == 20
    offset = motif.matrix.consensus.index(SITE)
    assert {int(site["start"]) + offset for site in sites} == {20}
    assert sites[0]["bases"][offset : offset + 7] == SITE
    page = (folder / "index.html").read_text()
    assert "the call" in page
    assert motif.matrix.consensus in page
    assert page.count("data:image/png") == 2
    for suffix, magic in ((".png", b"\x89PNG"), (".svg", b"<?xml")):
        for name in ("logos", "positions"):
            assert (folder / name / f"motif_1{suffix}").read_bytes().startswith(magic)
    assert not (folder / "matches").exists()


@pytest.mark.parametrize("is_phone", [False, True])
def test_the_page_opens_in_a_browser(browser, tmp_path, is_phone):
    records, scores = labelled()
    found = find_motifs(scores, records, output=tmp_path / "out", label="bound")
    page = browser.open(tmp_path / "out" / "index.html", is_phone=is_phone)
    assert page.get_by_text(found.motifs[0].matrix.consensus, exact=True).first.is_visible()
    assert page.locator("img").first.evaluate("image => image.naturalWidth") > 100
    assert page.overflow() <= 0
    assert not page.outside_requests() and not page.problems


def test_sites_are_placed_on_the_genome(tmp_path):
    records, scores = labelled()
    (motif,) = find_motifs(scores, records, output=tmp_path / "out", label="bound").motifs
    lines = (tmp_path / "out" / "instances.bed").read_text().splitlines()
    n, offset = len(motif.matrix), motif.matrix.consensus.index(SITE)
    beds = [line.split("\t") for line in lines]
    # Record 0 is the reverse complement of chr1:0-50: its base 20 is base 29 of the genome.
    end = 50 - (20 - offset)
    assert [*beds[0][:4], beds[0][5]] == ["chr1", str(end - n), str(end), "motif_1", "-"]
    start = 200 + 20 - offset
    assert [*beds[1][:4], beds[1][5]] == ["chr1", str(start), str(start + n), "motif_1", "+"]


def test_records_without_places_make_no_bed(tmp_path):
    records, scores = labelled()
    renamed = [record._replace(id=f"s{i}") for i, record in enumerate(records)]
    find_motifs(scores, renamed, output=tmp_path / "out", label="bound")
    assert not (tmp_path / "out" / "instances.bed").exists()


def test_without_labels_the_prediction_is_taken_and_it_is_said(caplog):
    records, scores = labelled(has_labels=False)
    with caplog.at_level(logging.WARNING):
        found = find_motifs(scores, records, label="bound")
    assert "no labels" in caplog.text
    assert found.n_positives == 20
    assert SITE in found.motifs[0].matrix.consensus


def test_labels_of_one_class_are_refused(classifier, tokenizer):
    records, _ = labelled(n=12)
    bound = [record for record in records if record.label == "bound"]
    with pytest.raises(ValueError, match=r"'bound' with others, found by label 6 .* 0 others"):
        find_motifs(classifier, bound, tokenizer=tokenizer, dtype="float32")


def test_scores_of_other_sequences_are_refused():
    records, scores = labelled()
    with pytest.raises(ValueError, match="found 39 scores for 40 sequences"):
        find_motifs(scores[1:], records)
    with pytest.raises(ValueError, match=r"record chr1:0-50.* found those of record chr1:100-150"):
        find_motifs(scores[1:2] + scores[:1] + scores[2:], records)


def test_nothing_found_is_a_page_too(tmp_path):
    records, scores = labelled()
    flat = [each._replace(scores=np.ones(50, dtype=np.float32)) for each in scores]
    found = find_motifs(flat, records, output=tmp_path / "out", label="bound")
    assert found.motifs == []
    page = (tmp_path / "out" / "index.html").read_text()
    assert "No motif was found: nothing stands out" in page
    assert "try both strands (--rc), another --score" in page
    assert ("0 places" in page, "0 candidates" in page) == (False, False)
    assert read_table(tmp_path / "out" / "candidates.tsv") == []


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_default_score_is_one_that_the_model_uses(pooling, classifier, tokenizer):
    classifier.config.token_pooling = pooling
    records, _ = labelled(n=12)
    settings = MotifSettings(min_len=3, max_q=1.0)
    arguments = {"tokenizer": tokenizer, "settings": settings, "dtype": "float32"}
    found = find_motifs(classifier, records, **arguments)
    expected = {"cls": "attention", "mean": "gradient_x_input"}[pooling]
    same = find_motifs(classifier, records, score=expected, **arguments)
    assert found.candidates
    assert found.candidates == same.candidates


def test_command_line_writes_the_folder(classifier, tokenizer, tmp_path):
    classifier.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    records, _ = labelled(n=12)
    rows = [f"{each.id}\t{each.sequence}\t{each.label}\n" for each in records]
    (tmp_path / "d.tsv").write_text("id\tsequence\tlabel\n" + "".join(rows))
    arguments = ["motifs", str(tmp_path / "m"), str(tmp_path / "d.tsv"), "-o", str(tmp_path / "o")]
    options = ["--rc", "--min-len", "3", "--max-q", "1", "--dtype", "float32"]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert result.exit_code == 0, result.stderr
    assert "class bound: " in result.stderr
    assert "attended places" in result.stderr
    assert f"open {tmp_path / 'o' / 'index.html'}" in result.stderr
    names = {path.name for path in (tmp_path / "o").iterdir()}
    assert {"index.html", "motifs.meme", "motifs.jaspar", "candidates.tsv"} <= names
    result = CliRunner().invoke(app, [*arguments, *options])
    assert (result.exit_code, "--overwrite" in result.stderr) == (2, True)
    (tmp_path / "k.meme").write_text("no motifs")
    result = CliRunner().invoke(
        app, [*arguments, "--overwrite", "--known", str(tmp_path / "k.meme")]
    )
    assert (result.exit_code, "k.meme, line 1" in result.stderr) == (2, True)
    assert (tmp_path / "o" / "index.html").is_file()


def write_scored(monkeypatch, records, scores):
    """Give the scores of records in place of a model's: what the command prints is at stake."""
    scheme = LabelScheme("single_label_classification", ("free", "bound"))
    monkeypatch.setattr(
        "dnabert_hf.interpretation.motifs.find._scorings",
        lambda *_, **__: iter([(records, scores, scheme, "attention")]),
    )


def test_command_line_prints_a_table_with_known_motifs(tmp_path, monkeypatch):
    records, scores = labelled()
    write_scored(monkeypatch, records, scores)
    generator = np.random.default_rng(0)
    matrices = [generator.dirichlet(np.full(4, 0.3), size=9) for _ in range(60)]
    matrices[5] = np.array([[float(base == each) for each in "ACGT"] for base in SITE])
    lines = ["MEME version 4", "ALPHABET= ACGT"]
    for number, matrix in enumerate(matrices):
        lines += [f"MOTIF M{number} F{number}", "letter-probability matrix: alength= 4"]
        lines += [" ".join(f"{value:.6f}" for value in row) for row in matrix]
    (tmp_path / "known.meme").write_text("\n".join(lines))
    (tmp_path / "d.tsv").write_text("not read")
    arguments = ["motifs", "dnabert-6-mini", str(tmp_path / "d.tsv"), "-o", str(tmp_path / "o")]
    known = ["--known", str(tmp_path / "known.meme"), "--window", "12"]
    result = CliRunner().invoke(app, [*arguments, *known])
    assert result.exit_code == 0, result.stderr
    header, row = (line.split("\t") for line in result.stdout.splitlines())
    assert header == ["motif", "consensus", "sites", "p_value", "known", "known_q"]
    assert SITE in row[1] and len(row[1]) <= 12
    assert (row[0], row[2], row[4]) == ("motif_1", "20", "F5")
    assert float(row[5]) < 0.05
    assert "class bound: 1 motif of 1 candidates" in result.stderr
    assert "0 of 20 attended places (0%) lie in no site of a motif" in result.stderr
    assert read_table(tmp_path / "o" / "matches.tsv")[0]["known_name"] == "F5"
    page = (tmp_path / "o" / "index.html").read_text()
    assert page.count("data:image/png") == 3
    assert "Logo of motif_1 below that of F5" in page
    assert (tmp_path / "o" / "matches" / "motif_1.svg").is_file()


def test_command_line_says_what_to_try_when_nothing_is_found(tmp_path, monkeypatch):
    records, scores = labelled()
    flat = [each._replace(scores=np.ones(50, dtype=np.float32)) for each in scores]
    write_scored(monkeypatch, records, flat)
    (tmp_path / "d.tsv").write_text("not read")
    arguments = ["motifs", "dnabert-6-mini", str(tmp_path / "d.tsv"), "-o", str(tmp_path / "o")]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no motif: try both strands (--rc)" in result.stderr
    assert "nothing stands out" in result.stderr
    assert "0%" not in result.stderr
    result = CliRunner().invoke(app, [*arguments, "--rc", "--overwrite"])
    assert "no motif: try another --score" in result.stderr


def test_where_gradients_find_no_motif_attention_is_looked_at(
    classifier, tokenizer, monkeypatch, caplog
):
    """The scores are given: gradients that tell nothing, and attention to the planted word."""
    records, scores = labelled()
    flat = [each._replace(scores=np.ones(50, dtype=np.float32)) for each in scores]
    find = "dnabert_hf.interpretation.motifs.find"
    monkeypatch.setattr(f"{find}.attribution_scores", lambda *_, **__: flat)
    monkeypatch.setattr(f"{find}.attention_scores", lambda *_, **__: scores)
    classifier.config.token_pooling = "mean"
    found = find_motifs(classifier, records, tokenizer=tokenizer, label="bound")
    assert SITE in found.motifs[0].matrix.consensus
    assert "the sequences are scored by attention as well" in caplog.text
    asked = find_motifs(
        classifier, records, tokenizer=tokenizer, label="bound", score="gradient_x_input"
    )
    assert not asked.motifs


def test_the_same_search_writes_the_same_bytes(tmp_path):
    records, scores = labelled()
    for name in ("one", "other"):
        find_motifs(scores, records, output=tmp_path / name, label="bound")
    files = sorted(
        path.relative_to(tmp_path / "one")
        for path in (tmp_path / "one").rglob("*")
        if path.suffix in {".svg", ".meme", ".jaspar", ".tsv", ".bed"}
    )
    assert any(path.suffix == ".svg" for path in files)
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "other" / path).read_bytes()


def test_the_page_says_how_much_no_motif_explains(tmp_path):
    records, scores = labelled()
    for each in scores[:8:2]:  # four of the twenty bound ones are looked at elsewhere too
        each.scores[40:46] = 1.0
    found = find_motifs(scores, records, output=tmp_path / "out", label="bound")
    assert (found.n_regions, found.n_explained) == (24, 20)
    assert found.unexplained_share == pytest.approx(4 / 24)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "The model looks at 24 places" in page
    assert "4\u00a0(16.7\u00a0%) of them lie in no site" in page


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        (
            MotifSettings(both_strands=True),
            "try another --score, shorter candidates (--min-len) or",
        ),
        (MotifSettings(both_strands=True, min_len=2), "try another --score or more sequences"),
    ],
)
def test_what_was_done_is_not_advised(settings, advice):
    records, scores = labelled(n=12)
    flat = [each._replace(scores=np.ones(50, dtype=np.float32)) for each in scores]
    assert find_motifs(flat, records, label="bound", settings=settings).advice().startswith(advice)


def test_motifs_of_several_models_are_those_of_their_attention_together(
    classifier, tokenizer, tmp_path
):
    config = DNABertConfig(
        k=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=60, initializer_range=0.5,
        id2label={0: "free", 1: "bound"}, label2id={"free": 0, "bound": 1},
    )  # fmt: skip
    other = tmp_path / "k4"
    DNABertForSequenceClassification(config).save_pretrained(other)
    DNABertTokenizer(k=4).save_pretrained(other)
    records = [each._replace(sequence=each.sequence[:30]) for each in labelled()[0]]
    settings = MotifSettings(max_q=1.0, min_instances=1)
    options = {"tokenizer": tokenizer, "dtype": "float32"}
    found = find_motifs(
        classifier, records, label="bound", also=[other], settings=settings, **options
    )
    scored = attention_scores(classifier, records, also=[other], **options)
    wanted = find_motifs(scored, records, label="bound", settings=settings)
    assert found.candidates == wanted.candidates
    assert found.candidates
    with pytest.raises(ValueError, match=r"by their attention, found also .* with score='occl"):
        find_motifs(classifier, records, label="bound", also=[other], score="occlusion")
