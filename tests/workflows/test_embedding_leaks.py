"""Leaks by embedding: planted copies, beside a search in plain NumPy; nothing where nothing is."""

import numpy as np
import pytest
from typer.testing import CliRunner

from dnabert_hf import DNABertModel, embed, find_embedding_leaks
from dnabert_hf.cli.main import app
from dnabert_hf.data.reading.records import SequenceRecord


@pytest.fixture
def folder(tiny_config, tokenizer, tmp_path):
    path = tmp_path / "model"
    DNABertModel(tiny_config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def records_of(n_planted):
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), 60)) for _ in range(160)]
    for row in range(n_planted):
        sequences[120 + row] = sequences[row][:-1] + "A"
    records = [SequenceRecord(f"r{i}", each, label="ab"[i % 2]) for i, each in enumerate(sequences)]
    return records, ["train"] * 120 + ["test"] * 40


def test_planted_copies_are_found_and_chance_is_told(folder):
    records, splits = records_of(10)
    found = find_embedding_leaks(folder, records, splits, dtype="float32")
    vectors = np.stack([e.embedding for e in embed(folder, records, dtype="float32")])
    vectors = (vectors - vectors[:120].mean(axis=0)) / vectors[:120].std(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors[120:] @ vectors[:120].T
    assert found.n_near == {"test": int((cosines.max(axis=1) > found.similarity).sum())}
    assert found.n_near["test"] >= 8
    best = int(cosines.max(axis=1).argmax())
    pair = (f"r{120 + best}", f"r{cosines[best].argmax()}")
    assert found.examples[0].ids == pair
    assert found.examples[0].similarity == pytest.approx(cosines.max(), abs=1e-5)
    assert "1% of shuffled sequences" in found.lines()[0]
    clean = find_embedding_leaks(folder, *records_of(0), dtype="float32")
    assert clean.n_near["test"] <= 3


def test_the_check_reports_them_and_a_given_similarity_is_a_leak(folder, tmp_path):
    records, splits = records_of(0)
    table = tmp_path / "table.tsv"
    rows = [f"{r.id}\t{r.sequence}\t{r.label}\t{s}" for r, s in zip(records, splits, strict=True)]
    table.write_text("\n".join(["id\tsequence\tlabel\tsplit", *rows]) + "\n")
    command = ["dataset", "check", str(table), "--by-embedding", str(folder)]
    high = CliRunner().invoke(app, [*command, "--similarity", "1"])
    low = CliRunner().invoke(app, [*command, "--similarity", "0"])
    assert "than 1.0000 (as asked for): 0 of 40 in test" in high.output
    assert "40 of 40 in test" in low.output
    assert (high.exit_code, low.exit_code) == (0, 1)
    refused = CliRunner().invoke(app, ["dataset", "check", str(table), "--similarity", "0.9"])
    assert refused.exit_code == 2
    assert "name a model (--by-embedding)" in refused.output


def test_what_cannot_be_looked_for_is_told(folder):
    records, _ = records_of(0)
    with pytest.raises(ValueError, match="between a train split and others, found train"):
        find_embedding_leaks(folder, records, ["train"] * 160)
    with pytest.raises(ValueError, match="a similarity must be from 0 to 1, got 2"):
        find_embedding_leaks(folder, records, ["train"] * 120 + ["test"] * 40, similarity=2)
    unknown = [SequenceRecord("n", "ACGTNACGT")]
    with pytest.raises(ValueError, match=r"give a similarity \(--similarity\)"):
        find_embedding_leaks(folder, [*records, *unknown], ["train"] * 160 + ["test"])
