"""Rounds of hard negatives on a genome full of decoys."""

import json
import random
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from dnabert_hf import finetune_with_hard_negatives, open_genome
from dnabert_hf.cli.main import app
from dnabert_hf.data.building.window_grid import WindowGrid
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.training.shared.run_folder import RunFolder
from dnabert_hf.workflows.hard_negatives import MiningRound

LENGTH = 24
CONFIG = {
    "k": 3,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "hidden_dropout_prob": 0.0,
    "token_pooling": "mean",
}
ARGUMENTS = {"num_train_epochs": 6, "learning_rate": 5e-3, "per_device_train_batch_size": 16}


def dna(rng, length, weights=(1, 1, 1, 1)):
    return "".join(rng.choices("ACGT", weights, k=length))


def site(rng):
    """A positive: rich in G and C, with a motif that the genome does not have."""
    half = dna(rng, 6, (1, 4, 4, 1))
    return half + "TTTAAATTTAAA" + dna(rng, 6, (1, 4, 4, 1))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Negatives of the table are poor in GC; half of the genome is as rich as the positives."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    rng = random.Random(0)
    rows = []
    for split, n in (("train", 240), ("dev", 40), ("test", 40)):
        for i in range(n):
            sequence = site(rng) if i % 2 else dna(rng, LENGTH, (4, 1, 1, 4))
            rows.append(f"{sequence}\t{('other', 'site')[i % 2]}\t{split}")
    (tmp_path / "t.tsv").write_text("\n".join(["sequence\tlabel\tsplit", *rows]) + "\n")
    contigs = {
        name: "".join(dna(rng, 1000, (1, 4, 4, 1) if i % 2 else (4, 1, 1, 4)) for i in range(14))
        for name in ("chr1", "chr2")
    }
    (tmp_path / "g.fa").write_text("".join(f">{n}\n{c}\n" for n, c in contigs.items()))
    (tmp_path / "sites.bed").write_text("chr1\t3000\t3001\n")
    return tmp_path


def mine(output, arguments=ARGUMENTS, **options):
    return finetune_with_hard_negatives(
        "random",
        "t.tsv",
        open_genome("g.fa"),
        output_dir=output,
        held_out=["chr2"],
        rounds=2,
        config=CONFIG,
        arguments=arguments,
        **{"windows": 400} | options,
    )


def test_false_positives_fall_and_the_last_model_is_kept(files):
    sites = [Interval("chr1", 3000, 3001)]
    # So few windows and steps that the second model has not seen enough; with more it is perfect,
    # and the second round finds nothing more to add.
    first, second, last = mine("out", sites=sites, windows=30, optimizer="adamw")
    assert first.hard_negatives == 0
    assert first.false_positive_rate > 0.2  # the table teaches GC content
    assert last.false_positive_rate < 0.5 * first.false_positive_rate
    assert 0 < second.hard_negatives < last.hard_negatives <= 60
    assert second.hard_negatives <= 30
    assert last.false_positive_rate_at_recall < first.false_positive_rate_at_recall
    assert last.auprc > first.auprc
    assert last.recall > 0.7
    metrics = json.loads((files / "out" / "metrics.json").read_text())
    assert [each["hard_negatives"] for each in metrics["hard_negatives"]] == [
        each.hard_negatives for each in (first, second, last)
    ]
    assert metrics["data"] == "t.tsv"
    assert (files / "out" / "README.md").read_text().count("# out") == 1
    rows = (files / "out" / "hard_negatives.tsv").read_text().splitlines()[1:]
    genome = open_genome("g.fa")
    assert len(rows) == last.hard_negatives
    for row in rows:
        _, sequence, label, contig, start, probability = row.split("\t")
        assert label == "other"
        assert contig == "chr1"  # chr2 is held out
        assert not 2000 - LENGTH < int(start) < 4001  # near the known site
        assert genome.sequence(contig, int(start), int(start) + LENGTH) == sequence
        assert float(probability) >= 0.5
    assert not (files / "out.rounds").exists()
    words = ["predict", "out", "t.tsv", "-o", "p.tsv"]
    assert CliRunner().invoke(app, words).exit_code == 0


def test_a_stopped_run_goes_on_to_the_same_result(files, monkeypatch):
    short = ARGUMENTS | {"num_train_epochs": 1}
    whole = mine("whole", short)
    finish = RunFolder.finish
    calls = []

    def stop(self, **options):
        finish(self, **options)
        calls.append(self.path.name)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            mine("stopped", short)
    assert not (files / "stopped").exists()
    with pytest.raises(ValueError, match="must be empty"):
        mine("stopped", short)
    with pytest.raises(ValueError, match="windows was 400"):
        finetune_with_hard_negatives(
            "random",
            "t.tsv",
            open_genome("g.fa"),
            output_dir="stopped",
            held_out=["chr2"],
            windows=300,
            config=CONFIG,
            arguments=short,
            resume=True,
        )
    rows = (files / "t.tsv").read_text()
    (files / "t.tsv").write_text(rows.replace("\tother\ttrain", "\tsite\ttrain", 5))
    with pytest.raises(ValueError, match=r"but inputs\.rows was '\w+' and is '\w+'"):
        mine("stopped", short, resume=True)
    (files / "t.tsv").write_text(rows)
    assert mine("stopped", short, resume=True) == whole
    one, other = (files / name / "hard_negatives.tsv" for name in ("whole", "stopped"))
    assert one.read_text() == other.read_text()


def test_a_round_is_summed_up_in_a_line():
    assert MiningRound(1200, 5000, 0.0123, 0.5, 0.9, 0.75, 0.5).summary() == (
        "1,200 hard negatives, calls 1.23% of 5,000 held-out windows (50.00% at 90 % recall), "
        "recall 0.90, AUPRC 0.750, MCC 0.500"
    )


def test_the_command_prints_a_row_a_round(files):
    fields = [f"--config={name}={json.dumps(value)}" for name, value in CONFIG.items()]
    words = ["mine-negatives", "t.tsv", "--init", "random", "-o", "m", "--genome", "g.fa"]
    words += ["--held-out", "chr2", "--rounds", "1", "--sites", "sites.bed", "--epochs", "1"]
    result = CliRunner().invoke(app, [*words, "--windows", "100", *fields])
    assert result.exit_code == 0, result.output
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0][:3] == ["round", "hard_negatives", "windows"]
    assert [line[0] for line in lines[1:]] == ["0", "1"]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ("ACGT\ta\nACG\tb\n", {}, "which must be one, found 3 to 4 bases"),
        ("ACGT\ta\nACGA\tb\nACGG\tc\n", {}, "of 3 classes the one of the negatives must be named"),
        ("ACGT\ta\nACGA\tb\n", {"negative": "x"}, "the class must be one of a, b, got 'x'"),
        ("ACGT\t0.5\nACGA\t1.5\n", {}, "found regression"),
        ("ACGT\t1\nACGA\t0\n", {"held_out": ["chr9"]}, "must be in the genome, found chr9"),
        ("ACGT\t1\nACGA\t0\n", {"held_out": []}, "must be in the genome, found none"),
        ("ACGT\ta\nACGA\tb\n", {"rounds": 0}, "1 or more, got 0"),
    ],
)
def test_what_cannot_be_mined_is_refused(files, table, options, message):
    (files / "bad.tsv").write_text("sequence\tlabel\n" + table)
    with pytest.raises(ValueError, match=message):
        finetune_with_hard_negatives(
            "random",
            "bad.tsv",
            open_genome("g.fa"),
            output_dir="out",
            config=CONFIG,
            **{"held_out": ["chr2"]} | options,
        )
    assert not (files / "out").exists()
    assert not (files / "out.rounds").exists()


def test_windows_lie_side_by_side_away_from_sites(files, caplog):
    genome = open_genome("g.fa")
    grid = WindowGrid(genome, ["chr2"], [Interval("1", 3000, 3001)], LENGTH)
    drawn = grid.draw(10_000, is_held_out=False, seed=[1])
    assert {window.contig for window in drawn} == {"chr1"}
    assert all(window.end <= 2000 or window.start >= 4001 for window in drawn)
    assert all(a.end <= b.start for a, b in pairwise(drawn))
    assert {window.contig for window in grid.draw(50, is_held_out=True, seed=[1])} == {"chr2"}
    WindowGrid(genome, ["chr2"], None, LENGTH)
    assert "no known sites are given" in caplog.text
    with pytest.raises(ValueError, match="the other contigs must have room"):
        WindowGrid(genome, ["chr1", "chr2"], None, LENGTH).draw(1, is_held_out=False, seed=[1])
