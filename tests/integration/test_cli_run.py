"""`dnabert run` from peaks to its page, on the example's genome with a tiny model."""

import gzip
import json
import random
import re
import shlex

import pytest
from typer.testing import CliRunner

from dnabert_hf import DNABertConfig, DNABertForMaskedLM, DNABertTokenizer
from dnabert_hf.cli.main import app
from dnabert_hf.data.example.files import write_example_data

N_PEAKS = 40
SPLITS = ("train", "train", "dev", "test")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a genome, a few of its peaks, variants and a tiny checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    files = write_example_data(folder / "example")
    for name, n in (("peaks.narrowPeak", N_PEAKS), ("variants.vcf", 20)):
        lines = files[name].read_text().splitlines(keepends=True)
        (folder / name).write_text("".join(lines[:n]))
    config = DNABertConfig(
        k=3,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        both_strands=True,
        token_pooling="mean",
    )
    DNABertForMaskedLM(config).save_pretrained(folder / "tiny")
    DNABertTokenizer(k=3).save_pretrained(folder / "tiny")
    return folder


@pytest.fixture(scope="module")
def finished(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        line = (
            "run peaks.narrowPeak --genome example/genome.fa -o out --init tiny --epochs 1 --known "
            "example/motifs.meme --scan chr1:0-1000 --vcf variants.vcf"
        )
        first = CliRunner().invoke(app, shlex.split(line))
        again = CliRunner().invoke(app, shlex.split(line))
    return first, again


def test_peaks_become_a_page_whose_links_and_commands_hold(finished, place):
    first, _ = finished
    assert first.exit_code == 0, first.output
    assert "open out/index.html" in first.stderr
    page = (place / "out" / "index.html").read_text()
    steps = json.loads((place / "out" / "run.json").read_text())["steps"]
    assert list(steps) == [
        *("data", "check", "finetune", "evaluate", "motifs", "attribute"),
        *("mutagenesis", "attention", "scan", "variants", "top"),
    ]
    for step in steps.values():
        assert step["command"].replace("'", "&#39;") in page
    links = re.findall(r'<a href="([^"#]+)"', page)
    assert {"data.tsv", "motifs/index.html", "attention/index.html", "variants.tsv"} <= set(links)
    for link in links:
        assert (place / "out" / link).exists(), link
    scores = json.loads((place / "out" / "model" / "metrics.json").read_text())
    assert f'<td class="number">{scores["scores"]["test"]["accuracy"]:.4g}</td>' in page
    assert "Class of interest: peak" in page
    assert "leaks: none" in page
    for alt in (
        "How often probabilities are right",
        "Probability of peak along chr1:0-1000, with calls",
        "Effects of all changes around chr1:",
    ):
        assert f'alt="{alt}' in page
    assert "The model suggests no threshold" in page  # of a handful of validation sequences
    assert "Made by" in page
    assert "dnabert run peaks.narrowPeak" in page


def test_the_second_time_nothing_is_repeated(finished):
    _, again = finished
    assert again.exit_code == 0
    assert again.stdout == ""


def test_a_table_of_any_format_becomes_a_page(place, monkeypatch):
    """Commas, gzip, CRLF, no column of ids: what `finetune` reads."""
    monkeypatch.chdir(place)
    generator = random.Random(0)
    rows = [["sequence", "label", "split"]]
    for i in range(48):
        word = "TGACGTCA" if i % 2 else ""
        sequence = word + "".join(generator.choice("ACGT") for _ in range(24 - len(word)))
        rows.append([sequence, ("free", "bound")[i % 2], SPLITS[i // 12]])
    text = "".join(f"{','.join(row)}\r\n" for row in rows)
    (place / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    line = "run t.csv.gz -o table --init tiny --epochs 1"
    result = CliRunner().invoke(app, shlex.split(line))
    assert result.exit_code == 0, result.output
    folder = place / "table"
    assert (folder / "scores.json").is_file()
    records = (folder / "best.fa").read_text().split()
    assert len(records) == 8  # a line of name and one of letters for each of the four
    assert set(records[1::2]) <= {row[0] for row in rows if row[1:] == ["bound", "test"]}


def test_what_needs_a_class_of_interest_is_said_to_be_left_out(place, monkeypatch, caplog):
    monkeypatch.chdir(place)
    rows = [f"{'ACGGTCATTGCA'[i % 5:]}ACGTAC\t{'abc'[i % 3]}\t{SPLITS[1 + i // 12]}"
            for i in range(36)]  # fmt: skip
    (place / "three.tsv").write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
    line = "run three.tsv --genome example/genome.fa --scan chr1:0-500 -o three --init tiny"
    result = CliRunner().invoke(app, shlex.split(f"{line} --epochs 1"))
    assert result.exit_code == 0, result.output
    assert "no class of interest: motifs, maps, scan and variants are left out" in (
        caplog.text + result.stderr
    )
    assert (place / "three" / "index.html").is_file()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("run peaks.narrowPeak -o none", "peaks or promoters need the genome"),
        ("run tiny/vocab.txt -o none --vcf variants.vcf", "--vcf need the genome"),
        ("run peaks.narrowPeak --genome example/genome.fa -o example", "must be empty or new"),
        ("run peaks.narrowPeak --genome example/genome.fa -o none --scan chr9", "chr9"),
        ("run nothing.bed --genome example/genome.fa -o none", "no file nothing.bed"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_written(place, monkeypatch, words, problem):
    monkeypatch.chdir(place)
    result = CliRunner().invoke(app, shlex.split(words))
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not (place / "none").exists()
