"""Experiments and designs as they are typed: tables, pictures, pages, and errors in a line."""

import csv

import pytest
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification
from dnabert_hf.cli.main import app

FASTA = ">a\nACGTTGCAAGGCTTACGATCTTAG\n>b\nTTGTTGCAAGGCTTACGATCTTCA\n"


@pytest.fixture
def dnabert(tiny_config, tokenizer, tmp_path, monkeypatch):
    tiny_config.id2label = {0: "free", 1: "bound"}
    tiny_config.label2id = {"free": 0, "bound": 1}
    DNABertForSequenceClassification(tiny_config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    (tmp_path / "s.fa").write_text(FASTA)
    (tmp_path / "m.pfm").write_text(">M1 one\n8 0\n0 9\n1 0\n1 1\n")
    monkeypatch.chdir(tmp_path)
    return lambda line: CliRunner().invoke(app, line.split())


def test_experiments_write_tables_pages_and_pictures(dnabert, tmp_path):
    lines = {
        "insert": "insert model s.fa --motif m.pfm:one --motif GATA --strand both",
        "ablate": "ablate model s.fa --motif AAGG --draws 2",
        "space": "space model --random 3 --length 30 --motif-a GATA --motif-b m.pfm "
        "--distances 0-2",
        "scan": "scan model s.fa --shuffles 2 --motif GATA --step 5 --strand +",
    }
    n_rows = {"insert": 2 * 2 * 2, "ablate": 2 * 2 * 2, "space": 3 * 4 * 6, "scan": 2 * 2 * 5}
    for name, line in lines.items():
        result = dnabert(f"experiment {line} -o {name}.tsv --plot {name}.png --page {name}.html")
        assert result.exit_code == 0, result.output
        with (tmp_path / f"{name}.tsv").open() as file:
            assert len(list(csv.DictReader(file, delimiter="\t"))) == n_rows[name]
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert "log odds of bound" in page
        assert "seed 0" in page
        assert "standard error" in page
        assert "bases, log odds of bound" in result.output


def test_designs_write_tables_fasta_pages_and_pictures(dnabert, tmp_path):
    (tmp_path / "f.bed").write_text("a\t0\t6\n")
    result = dnabert(
        "design model s.fa --edits 2 --freeze f.bed --freeze 20-24 --gc 0.3-0.7 -o d.tsv "
        "--fasta d.fa --plot d.png --page d.html --also model"
    )
    assert result.exit_code == 0, result.output
    names, sequences = zip(
        *(x.split("\n")[:2] for x in (tmp_path / "d.fa").read_text().split(">")[1:]), strict=True
    )
    assert [name.split()[0] for name in names] == ["a", "b"]
    assert sequences[0].startswith("ACGTTG")
    assert (sequences[0][20:], sequences[1][20:]) == ("TTAG", "TTCA")
    assert "second model" in (tmp_path / "d.html").read_text()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("experiment insert model --motif GATA", "--random N), got neither"),
        ("experiment insert model s.fa --random 3 --motif GATA", "got both"),
        ("experiment insert model s.fa --gc 0.4 --motif GATA", "add --random N"),
        ("experiment insert model --random 3 --gc 1.4 --motif GATA", "--gc must be from 0 to 1"),
        ("experiment insert model --random 3 --motif GATA", "(--length)"),
        ("experiment insert model s.fa --motif none.meme", "there is no such file"),
        ("experiment insert model s.fa --motif GATA --plot x.png", "name one with -o"),
        ("experiment insert model s.fa --motif GATA -o x.tsv --page x.png", "*.html; rename"),
        ("experiment ablate model s.fa --region 4:9 -o x.tsv", "such as 10-40, got '4:9'"),
        ("experiment space model s.fa --motif-a A --motif-b T --distances 3", "got '3'"),
        ("design model s.fa -o x.tsv --fasta x.txt", "*.fa, *.fasta, *.fna"),
        ("design model s.fa -o x.tsv --gc 0.4", "two shares such as"),
        ("design model s.fa -o x.tsv --freeze y.bed", "no file y.bed"),
    ],
)
def test_what_cannot_be_done_is_one_line(dnabert, tmp_path, line, message):
    result = dnabert(line)
    assert result.exit_code == 2
    assert message in result.output
    assert not list(tmp_path.glob("x.*"))
