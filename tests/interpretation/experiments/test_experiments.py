"""Experiments against plain predictions of sequences that were edited by hand."""

import math
import re

import numpy as np
import pytest

from dnabert_hf import (
    DNABertForSequenceClassification,
    RandomSequences,
    experiment_ablate,
    experiment_insert,
    experiment_scan,
    experiment_space,
    open_genome,
    predict,
)
from dnabert_hf.interpretation.experiments.effects import average

BACKGROUNDS = ["ACGTTGCAAGGCTTACGATC", "TTTTACGCATGGCATTACCA", "GGCATCAACTAGTTCAGGAT"]


def plain(model, tokenizer, sequences, **options):
    """Probability of bound, and log odds, by the command that predicts."""
    found = predict(model, sequences, tokenizer=tokenizer, **options)
    p = [each.probabilities["bound"] for each in found]
    return [(each, math.log(each / (1 - each))) for each in p]


def rows_of(done):
    return [dict(zip(done.columns, row, strict=True)) for row in done.rows]


def check(row, before, after):
    assert row["prob_ref_bound"] == pytest.approx(before[0], abs=1e-5)
    assert row["prob_bound"] == pytest.approx(after[0], abs=1e-5)
    assert row["log_odds_change_bound"] == pytest.approx(after[1] - before[1], abs=1e-3)


def test_motifs_are_put_in_place_of_the_middle(model, tokenizer):
    done = experiment_insert(
        model, BACKGROUNDS, ["TGACTCA", "GATA"], strand="both", tokenizer=tokenizer
    )
    # 20 bases: 7 in the middle begin at 10 - 3, 4 at 10 - 2; the other strand reads TGAGTCA, TATC.
    edited = [
        text
        for b in BACKGROUNDS
        for text in (
            b[:7] + "TGACTCA" + b[14:],
            b[:7] + "TGAGTCA" + b[14:],
            b[:8] + "GATA" + b[12:],
            b[:8] + "TATC" + b[12:],
        )
    ]
    before = plain(model, tokenizer, BACKGROUNDS)
    after = plain(model, tokenizer, edited)
    rows = rows_of(done)
    assert [(r["motif"], r["position"], r["strand"]) for r in rows[:4]] == [
        ("TGACTCA", 7, "+"), ("TGACTCA", 7, "-"), ("GATA", 8, "+"), ("GATA", 8, "-"),
    ]  # fmt: skip
    for number, (row, of_edit) in enumerate(zip(rows, after, strict=True)):
        check(row, before[number // 4], of_edit)
    changes = [after[4 * i + 2][1] - before[i][1] for i in range(3)]
    (effect,) = [e for e in done.effects if e.condition == {"motif": "GATA", "strand": "+"}]
    assert effect.n == 3
    assert effect.change == pytest.approx(np.mean(changes), abs=1e-3)
    assert effect.error == pytest.approx(np.std(changes, ddof=1) / math.sqrt(3), abs=1e-3)


def test_motifs_move_along_sequences(model, tokenizer):
    done = experiment_scan(
        model, BACKGROUNDS[:1], "GGC", step=4, strand="-", tokenizer=tokenizer, both_strands=True
    )
    (b,) = BACKGROUNDS[:1]
    edited = [b[:at] + "GCC" + b[at + 3 :] for at in (0, 4, 8, 12, 16)]
    options = {"both_strands": True}
    (before,) = plain(model, tokenizer, [b], **options)
    for row, after in zip(rows_of(done), plain(model, tokenizer, edited, **options), strict=True):
        assert row["prob_ref_bound"] == pytest.approx(before[0], abs=1e-5)
        assert row["prob_bound"] == pytest.approx(after[0], abs=1e-5)
    assert [row["position"] for row in rows_of(done)] == [0, 4, 8, 12, 16]


def test_two_motifs_stand_at_all_distances_in_both_orders_on_all_strands(model, tokenizer):
    done = experiment_space(
        model, BACKGROUNDS, "GATA", "CCA", distances=(0, 5), position=9, tokenizer=tokenizer
    )
    # A is at 9-13. B right of it begins at 13 + d and ends by 20, left of it at 9 - d - 3.
    assert len(done.rows) == 3 * 4 * (5 + 6)
    rows = {
        (r["id"], r["order"], r["strand_a"], r["strand_b"], r["distance"]): r for r in rows_of(done)
    }
    b = BACKGROUNDS[1]
    by_hand = {
        ("1", "AB", "+", "+", 2): (b[:9] + "GATA" + b[13:15] + "CCA" + b[18:], 15),
        ("1", "AB", "-", "+", 0): (b[:9] + "TATC" + "CCA" + b[16:], 13),
        ("1", "BA", "+", "-", 4): (b[:2] + "TGG" + b[5:9] + "GATA" + b[13:], 2),
    }
    for key, (both, start_b) in by_hand.items():
        row = rows[key]
        site_a, site_b = both[9:13], both[start_b : start_b + 3]
        texts = [
            b,
            b[:9] + site_a + b[13:],
            b[:start_b] + site_b + b[start_b + 3 :],
            both,
        ]
        ref, a, only_b, ab = plain(model, tokenizer, texts)
        assert row["start_b"] == start_b
        check(row, ref, ab)
        assert row["prob_a_bound"] == pytest.approx(a[0], abs=1e-5)
        assert row["prob_b_bound"] == pytest.approx(only_b[0], abs=1e-5)
        assert row["interaction_bound"] == pytest.approx(
            ab[1] - a[1] - only_b[1] + ref[1], abs=1e-3
        )


def test_occurrences_are_replaced_and_as_much_elsewhere(model, tokenizer, monkeypatch):
    from dnabert_hf.interpretation.experiments import frame

    seen = []
    rows = frame._rows
    monkeypatch.setattr(frame, "_rows", lambda *a: seen.append(a[0].edits) or rows(*a))
    sequences = [*BACKGROUNDS, "GATTACAGATTACATGTAATCAAAAAAA"]
    done = experiment_ablate(model, sequences, "GATTACA", n_draws=6, tokenizer=tokenizer)
    assert (done.n_sequences, done.n_without, done.n_edits) == (4, 3, len(done.rows))
    edits = [edit for chunk in seen for _, edit in chunk]
    # By hand: twice on the forward strand, and TGTAATC, which is it on the other one.
    before, *after = plain(model, tokenizer, [sequences[3], *(e.sequence for e in edits)])
    for row, edit, of_edit in zip(rows_of(done), edits, after, strict=True):
        check(row, before, of_edit)
        if row["place"] == "site":
            assert row["spans"] == "0-7,7-14,14-21"
            assert edit.sequence[21:] == sequences[3][21:]
    # 7 bases are free at the end: three parts of 7 have no room elsewhere.
    assert {row["place"] for row in rows_of(done)} == {"site"}
    assert "without room for as much elsewhere" in done.summary()


def test_a_region_is_shuffled_in_place_and_so_is_another_of_its_length(model, tokenizer):
    sequence = "ACGTTGCAAGGCTTACGATCTTAGACCA"
    done = experiment_ablate(
        model, [sequence], region=(4, 12), replacement="shuffled", n_draws=5, tokenizer=tokenizer
    )
    rows = rows_of(done)
    assert [row["place"] for row in rows] == ["site", "elsewhere"] * 5
    for row in rows:
        start, end = map(int, row["spans"].split("-"))
        assert end - start == 8
        assert (start, end) == (4, 12) if row["place"] == "site" else start >= 12
    site, elsewhere, difference = done.effects
    assert (site.n, math.isnan(site.error)) == (1, True)
    assert difference.change == pytest.approx(site.change - elsewhere.change)


def test_sites_are_sampled_alike_in_every_run_and_file(folder, tmp_path, monkeypatch):
    from dnabert_hf.interpretation.experiments import frame

    fasta = tmp_path / "b.fa"
    fasta.write_text("".join(f">{i}\n{text}\n" for i, text in enumerate(BACKGROUNDS)))
    options = {"n_shuffles": 2, "seed": 3}
    done = experiment_scan(folder, fasta, "TGASTCA", **options)
    sites = {(row["id"], row["shuffle"]): row["site"] for row in rows_of(done)}
    assert set(sites.values()) == {"TGACTCA", "TGAGTCA"}
    monkeypatch.setattr(frame, "_CHUNK_EDITS", 7)
    for suffix in (".tsv", ".csv.gz", ".parquet"):
        path = tmp_path / f"scan{suffix}"
        written = experiment_scan(folder, fasta, "TGASTCA", output=path, **options)
        assert written.path == path
        for one, other in zip(written.effects, done.effects, strict=True):
            assert one.condition == other.condition
            assert one[1:6] == pytest.approx(other[1:6], rel=1e-3, abs=1e-4)
    other = experiment_scan(folder, fasta, "TGASTCA", n_shuffles=2, seed=4)
    assert {(r["id"], r["shuffle"]): r["site"] for r in rows_of(other)} != sites


def test_random_backgrounds_have_the_composition_and_length_that_is_asked_for():
    drawn = RandomSequences(200, gc=0.7).draw(100, seed=1)
    text = "".join(each.sequence for each in drawn)
    assert len(text) == 20_000
    assert (text.count("G") + text.count("C")) / len(text) == pytest.approx(0.7, abs=0.02)
    assert text.count("G") / len(text) == pytest.approx(0.35, abs=0.02)


def test_regions_of_a_genome_are_ablated_within_their_flanks(model, tokenizer, tmp_path):
    fasta, bed = tmp_path / "genome.fa", tmp_path / "regions.bed"
    fasta.write_text(">chr1\nTTTTACGTTGCAGGTTAACCGGATCTGA\n")
    bed.write_text("chr1\t8\t12\tx\t0\t-\n")
    done = experiment_ablate(
        model, bed, genome=open_genome(fasta), flank=6, n_draws=2, tokenizer=tokenizer
    )
    # CCTGCAACGTAA... by hand: bases 2 to 18 on the other strand, the region 6 bases in.
    assert done.lengths == (16, 16)
    assert rows_of(done)[0]["spans"] == "6-10"
    assert rows_of(done)[0]["id"] == "chr1:8-12(-)"


def test_values_of_a_regression_change(tiny_config, tokenizer):
    tiny_config.num_labels = 1
    tiny_config.problem_type = "regression"
    model = DNABertForSequenceClassification(tiny_config).eval()
    done = experiment_insert(model, BACKGROUNDS, "GATA", position=-4, tokenizer=tokenizer)
    assert done.columns[-3:] == ("value_ref", "value", "change")
    before = predict(model, BACKGROUNDS, tokenizer=tokenizer)
    after = predict(model, [b[:16] + "GATA" for b in BACKGROUNDS], tokenizer=tokenizer)
    for row, one, other in zip(done.rows, before, after, strict=True):
        (p,), (q,) = one.probabilities.values(), other.probabilities.values()
        assert row[-3:] == pytest.approx((p, q, q - p), abs=1e-4)


def test_means_are_over_sequences_and_not_over_their_shuffles():
    columns = ("id", "shuffle", "position", "strand", "value_ref", "value", "change")
    rows = [
        ("a", 0, 3, "+", 1.0, 2.0, 1.0),
        ("a", 1, 3, "+", 1.0, 4.0, 3.0),
        ("b", 0, 3, "+", 1.0, 7.0, 6.0),
    ]
    (effect,) = average(rows, columns, ("position", "strand"))
    # By hand: a has 2, b 6; the mean is 4, the deviations 2, the standard error 2.
    assert (effect.n, effect.change, effect.error) == (2, 4.0, pytest.approx(2.0))
    assert (effect.reference, effect.edited) == (1.0, 5.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda *a, **o: experiment_insert(*a, "A" * 21, **o), r"motif A+ of 21 bases must lie"),
        (lambda *a, **o: experiment_insert(*a, [], **o), "needs a motif, found none"),
        (lambda *a, **o: experiment_insert(*a, "", **o), "must be IUPAC letters"),
        (lambda *a, **o: experiment_insert(*a, "GAT?", **o), r"'\?' is no letter of DNA"),
        (lambda *a, **o: experiment_insert(*a, ["ACG", "acg"], **o), "found ACG twice"),
        (lambda *a, **o: experiment_insert(*a, "GATA", position=17, **o), "found it at 17"),
        (lambda *a, **o: experiment_insert(*a, "GATA", strand="?", **o), r"got '\?'"),
        (lambda *a, **o: experiment_insert(*a, "RAT", sites="consensus", **o), "no consensus"),
        (lambda *a, **o: experiment_insert(*a, "GATA", label="x", **o), "one of free, bound"),
        (lambda *a, **o: experiment_insert(*a, "GATA", n_shuffles=-1, **o), "0 or more, got -1"),
        (lambda *a, **o: experiment_insert(*a, "GATA", flank=3, **o), "need a genome, got 3"),
        (lambda *a, **o: experiment_ablate(*a, **o), "needs a motif, a region"),
        (lambda *a, **o: experiment_ablate(*a, "GAT", region=(1, 3), **o), "got both"),
        (lambda *a, **o: experiment_ablate(*a, region=(15, 21), **o), "got 15-21"),
        (lambda *a, **o: experiment_ablate(*a, "CCCCCCC", **o), "none holds the motif"),
        (lambda *a, **o: experiment_space(*a, "GAT", "CCA", distances=(3, 1), **o), "got 3-1"),
        (lambda *a, **o: experiment_space(*a, "GAT", "CCA", distances=(9, 9), **o), "must fit"),
        (lambda *a, **o: experiment_scan(*a, "GATA", step=0, **o), "1 or more, got 0"),
    ],
)
def test_what_cannot_be_done_is_told(model, tokenizer, call, message):
    with pytest.raises(ValueError, match=message):
        call(model, BACKGROUNDS, tokenizer=tokenizer)


def test_models_of_several_labels_need_one(tiny_config, tokenizer):
    tiny_config.num_labels = 3
    tiny_config.problem_type = "multi_label_classification"
    model = DNABertForSequenceClassification(tiny_config).eval()
    with pytest.raises(ValueError, match=re.escape("(--label), one of LABEL_0, LABEL_1, LABEL_2")):
        experiment_insert(model, BACKGROUNDS, "GATA", tokenizer=tokenizer)
    done = experiment_insert(model, BACKGROUNDS, "GATA", label="LABEL_2", tokenizer=tokenizer)
    assert done.label == "LABEL_2"


def test_sequences_with_n_are_edited_but_not_shuffled(model, tokenizer):
    with_n = ["ACGTNNCAAGGCTTACGATC"]
    assert experiment_insert(model, with_n, "GATA", tokenizer=tokenizer).n_edits == 1
    with pytest.raises(ValueError, match=r"record 0: .* to be shuffled, found N"):
        experiment_insert(model, with_n, "GATA", n_shuffles=1, tokenizer=tokenizer)
    with pytest.raises(ValueError, match=r"record 0: .* to be shuffled, found N"):
        experiment_ablate(model, with_n, "GGC", tokenizer=tokenizer)
