import csv
import logging

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForSequenceClassification
from typer.testing import CliRunner

from dnabert_hf import DNABertForMaskedLM
from dnabert_hf.cli.main import app
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.genome.intervals import Interval
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.inference.predict import predict
from dnabert_hf.inference.variants import mutagenesis as module
from dnabert_hf.inference.variants.mutagenesis import mutagenesis
from dnabert_hf.inference.variants.mutations import Mutation

SHORT = "ACGTTGCAACG"
LONG = "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCA"  # three pieces of 18 3-mers
RECORDS = [SHORT, LONG]


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def changed(sequence, row):
    ref, alt = row["ref"].strip("-"), row["alt"].strip("-")
    return Mutation(int(row["position"]), ref, alt).apply(sequence)


@pytest.fixture
def masked(tiny_config, tokenizer):
    tiny_config.max_position_embeddings = 20
    return DNABertForMaskedLM(tiny_config).eval()


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "s.fa"
    path.write_text(f">short\n{SHORT}\n>long\n{LONG}\n")
    return path


@pytest.mark.parametrize("pooling", ["mean", "concat", "lstm"])
def test_every_change_is_scored_as_predict_scores_it(classifier, tokenizer, pooling, tmp_path):
    config = classifier.config
    config.segment_pooling, config.num_segments = pooling, 3 if pooling == "concat" else None
    model = AutoModelForSequenceClassification.from_config(config).eval()
    out = tmp_path / "map.tsv"
    options = {"tokenizer": tokenizer, "dtype": "float32", "both_strands": True}
    done = mutagenesis(
        model, RECORDS, output=out, deletions=True, insertions=pooling != "concat", **options
    )
    rows = read_table(out)
    per_base = 4 + 4 * (pooling != "concat")
    assert done[1:5] == (2, per_base * (len(SHORT) + len(LONG)), 0, 0)
    assert [(r["position"], r["ref"], r["alt"]) for r in rows[:4]] == [
        ("0", "A", "C"),
        ("0", "A", "G"),
        ("0", "A", "T"),
        ("0", "A", "-"),
    ]
    before = predict(model, RECORDS, **options)
    after = predict(model, [changed(RECORDS[int(row["id"])], row) for row in rows], **options)
    for row, each in zip(rows, after, strict=True):
        for name, probability in each.probabilities.items():
            p = before[int(row["id"])].probabilities[name]
            assert float(row[f"prob_ref_{name}"]) == pytest.approx(p, abs=1e-5)
            assert float(row[f"prob_{name}"]) == pytest.approx(probability, abs=1e-5)
            difference = (probability - p) * max(p, probability)
            assert float(row[f"diff_{name}"]) == pytest.approx(difference, abs=1e-5)
            if not 1e-4 < min(p, probability) < max(p, probability) < 1 - 1e-4:
                continue  # odds are clipped further out
            ratio = np.log2(p / (1 - p)) - np.log2(probability / (1 - probability))
            assert float(row[f"log_odds_ratio_{name}"]) == pytest.approx(ratio, abs=1e-3)


def test_logits_change_as_those_of_the_model(classifier, tokenizer, tmp_path):
    out = tmp_path / "map.tsv"
    mutagenesis(classifier, [SHORT], output=out, tokenizer=tokenizer, dtype="float32")
    with torch.no_grad():
        before = classifier(**tokenizer(SHORT, return_tensors="pt")).logits[0]
        for row in read_table(out)[::5]:
            after = classifier(**tokenizer(changed(SHORT, row), return_tensors="pt")).logits[0]
            for column, name in enumerate(["none", "donor", "acceptor"]):
                moved = (after - before)[column].item()
                assert float(row[f"logit_change_{name}"]) == pytest.approx(moved, abs=1e-4)


def test_only_pieces_that_change_are_encoded_again(classifier, tokenizer, tmp_path, monkeypatch):
    runs = []
    run = Engine.run
    monkeypatch.setattr(
        Engine, "run", lambda self, w, c, **o: runs.append(list(w)) or run(self, w, c, **o)
    )
    out = tmp_path / "map.tsv"
    mutagenesis(classifier, [LONG], output=out, tokenizer=tokenizer)
    unchanged, again = runs
    assert len(unchanged) == 3
    # 44 3-mers in pieces of 18: only the two bases that pieces share, at two seams, are in both.
    assert len(again) == 3 * (len(LONG) + 2 * 2)
    runs.clear()
    monkeypatch.setattr(module, "_CHUNK_BASES", 1)  # a base a chunk
    mutagenesis(classifier, ["AAAA" + LONG], output=tmp_path / "d.tsv", tokenizer=tokenizer)
    assert [len(each) for each in runs[1:3]] == [3, 3]


def test_equal_sequences_are_encoded_once(classifier, tokenizer, tmp_path, monkeypatch):
    runs = []
    run = Engine.run
    monkeypatch.setattr(
        Engine, "run", lambda self, w, c, **o: runs.append(list(w)) or run(self, w, c, **o)
    )
    mutagenesis(
        classifier, ["AAAAAA"], output=tmp_path / "m.tsv", tokenizer=tokenizer, deletions=True
    )
    assert len(runs[1]) == 3 * 6 + 1  # all six deletions give AAAAA


def test_a_pretrained_model_scores_bases(masked, tokenizer, tmp_path, caplog):
    out = tmp_path / "map.parquet"
    done = mutagenesis(masked, [LONG], output=out, tokenizer=tokenizer, dtype="float32")
    rows = pq.read_table(out).to_pylist()
    assert len(rows) == done.n_mutations == 3 * len(LONG)
    # By hand: 20 bases around base 25, the k-mers over it masked, each of them a vote.
    position, window = 25, LONG[15:35]
    with_n = f"{window[:10]}N{window[11:]}"
    ids = tokenizer(with_n, return_tensors="pt")["input_ids"]
    is_masked = ids == tokenizer.unk_token_id
    with torch.no_grad():
        logits = masked(ids.masked_fill(is_masked, tokenizer.mask_token_id)).logits[is_masked]
    logs = {}
    for base in "ACGT":
        sequence = with_n.replace("N", base)
        kmers = tokenizer.convert_tokens_to_ids([sequence[i : i + 3] for i in (8, 9, 10)])
        logs[base] = sum(logits[row, kmer].item() for row, kmer in enumerate(kmers)) / 3
    for row in rows[3 * position : 3 * position + 3]:
        expected = logs[row["alt"]] - logs[row["ref"]]
        assert row["log_likelihood_ratio"] == pytest.approx(expected, abs=1e-4)
    unscored = [row["position"] for row in rows if row["log_likelihood_ratio"] is None]
    assert sorted(set(unscored)) == [0, 1, 2, 43, 44, 45]
    assert done.n_unscored == 18
    assert "18 changes have no score: within k bases of an end" in caplog.text


def test_both_strands_are_one_score(masked, tokenizer, tmp_path):
    tables = []
    for name, sequence in (("a", LONG), ("b", reverse_complement(LONG))):
        out = tmp_path / f"{name}.parquet"
        mutagenesis(
            masked,
            [sequence],
            output=out,
            tokenizer=tokenizer,
            dtype="float32",
            both_strands=True,
        )
        tables.append(pq.read_table(out).to_pylist())
    scores = {(r["position"], r["alt"]): r["log_likelihood_ratio"] for r in tables[0]}
    for row in tables[1]:
        other = (len(LONG) - 1 - row["position"], reverse_complement(row["alt"]))
        # Windows of even length lie a base apart on the two strands; those at the ends do not.
        if row["log_likelihood_ratio"] is not None and not 10 <= row["position"] <= 36:
            assert row["log_likelihood_ratio"] == pytest.approx(scores[other], abs=1e-4)


def test_regions_are_read_on_their_strand_with_flanks(masked, classifier, tokenizer, tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{LONG}\n")
    genome = open_genome(path, cache_dir=tmp_path)
    regions = [Interval("1", 10, 16), Interval("chr1", 10, 16, "-"), Interval("chr1", 0, 4)]
    out = tmp_path / "map.tsv"
    done = mutagenesis(classifier, regions, output=out, genome=genome, flank=3, tokenizer=tokenizer)
    rows = read_table(out)
    assert (done.n_sequences, done.n_mutations) == (3, 48)
    assert [row["id"] for row in rows[::18]][:2] == ["chr1:10-16(+)", "chr1:10-16(-)"]
    assert rows[36]["id"] == "chr1:0-4(+)"
    assert "".join(row["ref"] for row in rows[:18:3]) == LONG[10:16]
    assert "".join(row["ref"] for row in rows[18:36:3]) == reverse_complement(LONG[10:16])
    before = predict(classifier, [LONG[7:19]], tokenizer=tokenizer)[0].probabilities["donor"]
    assert float(rows[0]["prob_ref_donor"]) == pytest.approx(before, abs=1e-4)
    # With flanks, a pretrained model scores a whole region.
    scored = tmp_path / "masked.tsv"
    assert (
        mutagenesis(
            masked, regions[:2], output=scored, genome=genome, flank=3, tokenizer=tokenizer
        ).n_unscored
        == 0
    )


def test_changes_of_regions_are_told_on_the_genome(classifier, tokenizer, tmp_path):
    path, out = tmp_path / "g.fa", tmp_path / "map.tsv"
    path.write_text(f">chr1\n{LONG}\n")
    regions = [Interval("chr1", 10, 20), Interval("chr1", 10, 20, "-")]
    mutagenesis(
        classifier,
        regions,
        output=out,
        genome=open_genome(path, cache_dir=tmp_path / "cache"),
        flank=5,
        insertions=True,
        deletions=True,
        tokenizer=tokenizer,
    )
    start, end = regions[0][1:3]
    for row in read_table(out):
        at, position = int(row["genome_position"]), int(row["position"])
        # The same change made on the forward strand of the genome, and read on the strand.
        turn = reverse_complement if row["strand"] == "-" else str
        ref, alt = (turn(row[name].replace("-", "")) for name in ("ref", "alt"))
        assert row["contig"] == "chr1"
        assert LONG[at : at + len(ref)] == ref
        changed = turn((LONG[:at] + alt + LONG[at + len(ref) :])[start : end + len(alt) - len(ref)])
        read = turn(LONG[start:end])
        n_ref = len(row["ref"].replace("-", ""))
        expected = read[:position] + row["alt"].replace("-", "") + read[position + n_ref :]
        if not (row["ref"] == "-" and position == 0):  # which falls beside the region
            assert changed == expected


@pytest.mark.parametrize("name", ["map.parquet", "map.tsv.gz"])
def test_a_stopped_run_goes_on_to_the_same_bytes(folder, fasta, tmp_path, monkeypatch, name):
    monkeypatch.setattr(module, "_CHUNK_BASES", 300)
    monkeypatch.setattr(module, "_GROUP_BASES", 10)
    whole, stopped = tmp_path / f"whole_{name}", tmp_path / name
    mutagenesis(folder, fasta, output=whole, deletions=True)
    score = module.ClassifierMap.score
    calls = []

    def stop_at_the_fourth(self, mutations):
        calls.append(len(mutations))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return score(self, mutations)

    with monkeypatch.context() as patch:
        patch.setattr(module.ClassifierMap, "score", stop_at_the_fourth)
        with pytest.raises(KeyboardInterrupt, match="run the same command again"):
            mutagenesis(folder, fasta, output=stopped, deletions=True)
    assert not stopped.exists()
    mutagenesis(folder, fasta, output=stopped, deletions=True)
    assert stopped.read_bytes() == whole.read_bytes()


def test_bases_that_are_not_known_have_no_changes(classifier, tokenizer, tmp_path, caplog):
    out = tmp_path / "map.tsv"
    done = mutagenesis(classifier, ["ACGNACG"], output=out, tokenizer=tokenizer)
    assert (done.n_mutations, done.n_unknown) == (18, 1)
    assert "1 bases are not A, C, G or T and have no changes" in caplog.text


def test_what_cannot_be_done_is_refused(classifier, masked, tokenizer, tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{LONG}\n")
    genome = open_genome(path, cache_dir=tmp_path)
    out = tmp_path / "map.tsv"
    for model, source, options, message in [
        (masked, [LONG], {"deletions": True}, "scored by a fine-tuned classifier, found a masked"),
        (masked, [LONG], {"label": "donor"}, "leave these options out"),
        (classifier, [LONG], {"label": "maybe"}, "one of none, donor, acceptor, got 'maybe'"),
        (classifier, [LONG], {"flank": 5}, "need a genome, got 5"),
        (classifier, ["ACG"], {"deletions": True}, "k = 3 bases long with a deletion too, found 3"),
        (classifier, [LONG], {"genome": genome}, "the source must be a BED file or intervals"),
        (
            classifier,
            [Interval("chr1", 40, 50)],
            {"genome": genome},
            "found chr1:40-50 where chr1 has 46",
        ),
        (classifier, [Interval("chr1", 4, 5)], {"genome": genome}, "3 bases or more, found chr1:4"),
        (classifier, [Interval("chr9", 4, 9)], {"genome": genome}, "must lie on contigs of the"),
        (classifier, [LONG], {"output": tmp_path / "map.npz"}, "must be named"),
    ]:
        with pytest.raises(ValueError, match=message):
            mutagenesis(model, source, tokenizer=tokenizer, **({"output": out} | options))
    assert not out.exists()
    assert not (tmp_path / "map.tsv.partial").exists()
    out.write_text("")
    with pytest.raises(ValueError, match="must not exist yet"):
        mutagenesis(classifier, [LONG], tokenizer=tokenizer, output=out)


def test_command_line(folder, fasta, tmp_path):
    out = tmp_path / "map.parquet"
    arguments = ["mutagenesis", str(folder), str(fasta), "-o", str(out), "--label", "donor"]
    result = CliRunner().invoke(app, [*arguments, "--plot", str(tmp_path / "map.png")])
    assert result.exit_code == 0, result.stderr
    assert f"{3 * (len(SHORT) + len(LONG))} changes of 2 sequences" in result.stderr
    assert pq.read_table(out).column_names[4:] == [
        f"{name}_donor" for name in ("prob_ref", "prob", "logit_change", "diff", "log_odds_ratio")
    ]
    assert (tmp_path / "map-short.png").stat().st_size > 1000
    assert (tmp_path / "map-long.png").stat().st_size > 1000
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "must not exist yet" in result.stderr


def test_regions_that_are_there_twice_are_named(classifier, tokenizer, tmp_path, caplog):
    fasta = tmp_path / "g.fa"
    fasta.write_text(">c\n" + "ACGTTGCA" * 5 + "\n")
    regions = [Interval("c", 4, 6), Interval("c", 4, 6), Interval("c", 5, 7)]
    with caplog.at_level(logging.WARNING):
        done = mutagenesis(
            classifier,
            regions,
            output=tmp_path / "m.tsv",
            genome=open_genome(fasta),
            flank=9,
            tokenizer=tokenizer,
            device="cpu",
        )
    assert done.n_mutations == 3 * 6
    assert "1 regions are there more than once" in caplog.text and "c:4-6(+)" in caplog.text
