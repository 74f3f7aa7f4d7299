"""From regions of a genome to regions found in another one, base by base."""

import json
import random

import pytest
from transformers import pipeline
from typer.testing import CliRunner

from dnabert_hf.cli.main import app

UNIT = "ACGGTCAATG"  # the regions to find repeat it, from any of its bases
SMALL = [
    *("--config", "hidden_size=32", "--config", "num_hidden_layers=1", "--k", "4"),
    *("--config", "num_attention_heads=2", "--config", "intermediate_size=64"),
    *("--config", "hidden_dropout_prob=0.0", "--config", "attention_probs_dropout_prob=0.0"),
]


def plant(rng, length):
    """Make DNA, and the regions in it that repeat the unit."""
    letters = rng.choices("ACGT", k=length)
    regions, start = [], rng.randrange(40, 120)
    while start < length - 150:
        n_bases = rng.randrange(20, 90)
        phase = rng.randrange(10)
        letters[start : start + n_bases] = (UNIT * 12)[phase : phase + n_bases]
        regions.append((start, start + n_bases))
        start += n_bases + rng.randrange(60, 300)
    return "".join(letters), regions


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a model that was trained on three contigs, and a fourth one."""
    folder = tmp_path_factory.mktemp("bases")
    rng = random.Random(0)
    contigs = {f"chr{i}": plant(rng, 12_000) for i in range(1, 5)}
    (folder / "genome.fa").write_text("".join(f">{n}\n{c[0]}\n" for n, c in contigs.items()))
    lines = (f"{n}\t{s}\t{e}\n" for n, (_, regions) in contigs.items() for s, e in regions)
    (folder / "regions.bed").write_text("".join(lines))
    (folder / "chr4.fa").write_text(f">chr4\n{contigs['chr4'][0]}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DNABERT_HF_CACHE", str(folder / "cache"))
        for words in (
            "dataset bases regions.bed --genome genome.fa --length 150 --test-contig chr4 -o t.tsv",
            "finetune t.tsv --task token --init random -o model --epochs 6 --batch-size 16"
            " --learning-rate 5e-3",
        ):
            extra = SMALL if words.startswith("finetune") else []
            result = CliRunner().invoke(app, [*words.split(), *extra])
            assert result.exit_code == 0, result.output
    return folder, contigs


def test_regions_of_an_unseen_contig_are_found_to_half_a_kmer(work, tmp_path):
    folder, contigs = work
    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    assert metrics["scores"]["test"]["mcc"] > 0.9
    assert metrics["splits"]["test"]["labels"].keys() == {"0", "1"}
    out = tmp_path / "found.bed"  # the contig is cut into many windows
    result = CliRunner().invoke(
        app, ["predict", str(folder / "model"), str(folder / "chr4.fa"), "-o", str(out)]
    )
    assert result.exit_code == 0, result.output
    found = [line.split("\t") for line in out.read_text().splitlines()]
    found = [(int(start), int(end)) for _, start, end, *_ in found if int(end) - int(start) > 10]
    true = contigs["chr4"][1]
    # A network this small sees little around a k-mer: borders are right to half a k-mer (k = 4).
    n_found = sum(
        any(abs(start - s) <= 2 and abs(end - e) <= 2 for s, e in found) for start, end in true
    )
    assert n_found >= 0.8 * len(true)
    assert len(found) <= 1.1 * len(true)


def test_the_test_scores_are_those_of_evaluate(work):
    folder, _ = work
    words = ["evaluate", str(folder / "model"), str(folder / "t.tsv"), "--split", "test"]
    result = CliRunner().invoke(app, [*words, "--dtype", "float32"])
    assert result.exit_code == 0, result.output
    scores = dict(line.split("\t") for line in result.stdout.splitlines())
    metrics = json.loads((folder / "model" / "metrics.json").read_text())["scores"]["test"]
    assert float(scores["mcc"]) == pytest.approx(metrics["mcc"], abs=5e-3)  # bf16 in training
    lines = (folder / "model" / "predictions.tsv").read_text().splitlines()
    assert lines[0] == "id\tlabel\ttrue\tprob_0\tprob_1"
    assert lines[1].split("\t")[0].endswith(":0")


def test_the_pipeline_answers_base_by_base(work):
    folder, contigs = work
    sequence, regions = contigs["chr4"]
    start, end = max(regions, key=lambda region: region[1] - region[0])
    pipe = pipeline("token-classification", model=str(folder / "model"))
    answers = pipe(sequence[start - 20 : end + 20])
    assert [(a["start"], a["end"]) for a in answers[:2]] == [(0, 1), (1, 2)]
    labels = [answer["entity"] for answer in answers]
    assert labels[22 : end - start + 14].count("1") > 0.9 * (end - start - 8)
    assert labels[:14].count("0") >= 10


def test_a_table_of_label_strings_is_checked_by_the_letters_in_it(work):
    folder, _ = work
    result = CliRunner().invoke(app, ["dataset", "check", str(folder / "t.tsv")])
    assert result.exit_code == 0, result.output
    assert "leaks: none" in result.stdout
    assert "01" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "token", "--freeze"], "learnt with the encoder, got freeze"),
        (["--task", "token", "--problem-type", "regression"], "has labels for token_class"),
        (["--task", "token", "--init", "cnn"], "must be learnt by DNABERT, got 'cnn'"),
        (["--task", "token", "--label-column", "wrong"], "one letter for each of the 9 bases"),
    ],
)
def test_what_does_not_go_with_labels_of_bases_is_refused(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"ACGTACGTA\t0001110{i % 2}0\t001\t{s}" for i, s in enumerate(["train", "dev"] * 4)]
    (tmp_path / "t.tsv").write_text("\n".join(["sequence\tlabel\twrong\tsplit", *rows]) + "\n")
    init = [] if "--init" in words else ["--init", "random", *SMALL]
    result = CliRunner().invoke(app, ["finetune", "t.tsv", "-o", "m", *init, *words])
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "m").exists()
