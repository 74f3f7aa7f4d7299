"""Designs against brute force over plain predictions, and limits against plain text."""

import math
import re

import numpy as np
import pytest
import torch

from dnabert_hf import (
    DNABertForSequenceClassification,
    Limits,
    design,
    predict,
    report_design,
)
from dnabert_hf.data.kmers.counts import KMER_REGRESSION, KmerRegression
from dnabert_hf.inference.engine.checkpoint import as_checkpoint
from dnabert_hf.inference.engine.engine import Engine
from dnabert_hf.interpretation.design.first_order import estimate_substitutions
from dnabert_hf.interpretation.design.opinions import disagrees
from dnabert_hf.interpretation.design.search import Search
from dnabert_hf.interpretation.experiments.scoring import ClassScorer

START = "ACGTTGCAAGGCTTACGATCTTAG"


def singles(sequence):
    return [
        sequence[:i] + base + sequence[i + 1 :]
        for i in range(len(sequence))
        for base in "ACGT"
        if base != sequence[i]
    ]


def plain(model, tokenizer, sequences, **options):
    found = predict(model, sequences, tokenizer=tokenizer, **options)
    return np.array([each.probabilities["bound"] for each in found])


@pytest.mark.parametrize("both_strands", [False, True])
def test_one_greedy_edit_is_the_best_of_all_single_mutants(model, tokenizer, both_strands):
    done = design(
        model, [START], limits=Limits(edits=1), tokenizer=tokenizer, both_strands=both_strands
    )
    mutants = singles(START)
    p = [
        plain(model, tokenizer, [m if s else START for m in mutants], both_strands=both_strands)
        for s in (True, False)
    ]
    assert done.designs[0].sequence == mutants[int(p[0].argmax())]
    first, last = done.designs[0].steps
    assert first["prob_bound"] == pytest.approx(p[1][0], abs=1e-5)
    assert last["prob_bound"] == pytest.approx(p[0].max(), abs=1e-5)
    if not both_strands:
        assert last["log_odds_bound"] == pytest.approx(
            math.log(p[0].max() / (1 - p[0].max())), abs=1e-3
        )


def test_greedy_edits_are_the_best_of_each_step_and_beams_no_worse(model, tokenizer):
    done = design(model, [START], limits=Limits(edits=3), tokenizer=tokenizer)
    sequence = START
    for step in done.designs[0].steps[1:]:
        mutants = singles(sequence)
        sequence = mutants[int(plain(model, tokenizer, mutants).argmax())]
        assert step["sequence"] == sequence
    wide = design(model, [START], limits=Limits(edits=3), beam=4, tokenizer=tokenizer)
    last, other = (each.designs[0].steps[-1]["log_odds_bound"] for each in (done, wide))
    assert other >= last


def n_forbidden(sequence, words):
    return sum(len(re.findall(f"(?={word})", sequence)) for word in words)


@pytest.mark.parametrize("seed", range(6))
def test_results_keep_to_all_limits(model, tokenizer, seed):
    rng = np.random.default_rng(seed)
    starts = ["".join(rng.choice(list("ACGT"), 24)) for _ in range(2)]
    starts = [f"GAATTC{start}AAAAAA" for start in starts]  # both break a limit
    limits = Limits(
        edits=8,
        frozen=[(12, 20)],
        gc=(0.4, 0.5),
        forbidden=["GAATTC", "CCW"],
        max_homopolymer=4,
    )
    try:
        done = design(
            model,
            starts,
            limits=limits,
            beam=1 + seed % 3,
            shortlist=None if seed % 2 else 15,
            seed=seed,
            tokenizer=tokenizer,
        )
    except ValueError as error:  # a seed whose frozen bases hold CCW
        assert "frozen bases" in str(error) or "cannot be kept to" in str(error)
        frozen = [start[12:20] for start in starts]
        assert any(n_forbidden(each, ("CCA", "CCT", "AGG", "TGG")) for each in frozen) or (
            "cannot be kept to" in str(error)
        )
        return
    for each, start in zip(done.designs, starts, strict=True):
        result = each.sequence
        assert len(result) == len(start)
        assert sum(a != b for a, b in zip(result, start, strict=True)) <= 8
        assert result[12:20] == start[12:20]
        assert 0.4 <= (result.count("G") + result.count("C")) / len(result) <= 0.5
        # CCW reads WGG on the other strand.
        assert not n_forbidden(result, ("GAATTC", "CC[AT]", "[AT]GG"))
        assert not re.search(r"A{5}|C{5}|G{5}|T{5}", result)


def test_a_target_is_reached_and_nothing_is_done_beyond(model, tokenizer):
    limits = Limits(edits=8)
    done = design(model, [START], target=0.6, limits=limits, beam=6, tokenizer=tokenizer)
    (found,) = done.designs
    assert done.n_reached == 1
    assert "1 of them near 0.6" in done.summary()
    assert found.steps[-1]["prob_bound"] == pytest.approx(0.6, abs=0.01)
    assert all(abs(step["prob_bound"] - 0.6) > 0.01 for step in found.steps[:-1])
    (p,) = plain(model, tokenizer, [found.sequence])
    assert p == pytest.approx(found.steps[-1]["prob_bound"], abs=1e-5)


def test_values_of_a_regression_come_near_a_target(tiny_config, tokenizer):
    tiny_config.num_labels = 1
    tiny_config.problem_type = "regression"
    model = DNABertForSequenceClassification(tiny_config).eval()
    (before,) = predict(model, [START], tokenizer=tokenizer)
    (value,) = before.probabilities.values()
    target = value + 0.3
    done = design(model, [START], target=target, tokenizer=tokenizer, shortlist=30)
    assert done.columns[5:7] == ("value", "gc")
    assert abs(done.designs[0].steps[-1]["value"] - target) < 0.1


@pytest.mark.parametrize("both_strands", [False, True])
def test_estimates_are_derivatives_along_the_way_to_each_mutant(model, tokenizer, both_strands):
    engine = Engine(
        as_checkpoint(model, tokenizer, task="sequence-classification"),
        device="cpu",
        dtype="float32",
    )
    scorer = ClassScorer(engine, label="bound", both_strands=both_strands)
    estimates = estimate_substitutions(scorer, START)
    words = model.bert.embeddings.word_embeddings
    step = 1e-2

    def odds(ids, embedded):
        hook = words.register_forward_hook(lambda *_: embedded)
        with torch.no_grad():
            logits = model(ids).logits[0].double()
        hook.remove()
        return float(logits[1] - logits[0])

    def derivative(sequence, mutant):
        ids, others = (torch.tensor([tokenizer(each)["input_ids"]]) for each in (sequence, mutant))
        with torch.no_grad():
            here, there = words(ids).clone(), words(others).clone()
        ahead, behind = (odds(ids, here + sign * step * (there - here)) for sign in (1, -1))
        return (ahead - behind) / (2 * step)

    complement = str.maketrans("ACGT", "TGCA")
    for position, base in ((0, "T"), (1, "T"), (11, "A"), (23, "C")):
        mutant = START[:position] + base + START[position + 1 :]
        expected = derivative(START, mutant)
        if both_strands:
            other = derivative(*(x.translate(complement)[::-1] for x in (START, mutant)))
            expected = (expected + other) / 2
        found = estimates[position, "ACGT".index(base)]
        assert found == pytest.approx(expected, rel=0.03, abs=0.02)
    assert estimates[0, 0] == 0  # A is there


def test_stopped_runs_go_on_with_the_next_sequence(folder, tmp_path, monkeypatch):
    fasta = tmp_path / "s.fa"
    fasta.write_text(f">a\n{START}\n>b\n{START[::-1]}\n>c\n{START[3:]}\n")
    whole, parts = tmp_path / "whole.tsv", tmp_path / "parts.tsv"
    limits = Limits(edits=2)
    expected = design(folder, fasta, output=whole, limits=limits)
    run, calls = Search.run, []

    def stop(self, name, sequence, rng):
        if len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(name)
        return run(self, name, sequence, rng)

    monkeypatch.setattr(Search, "run", stop)
    with pytest.raises(KeyboardInterrupt):
        design(folder, fasta, output=parts, limits=limits)
    assert not parts.exists()
    again = []
    monkeypatch.setattr(Search, "run", lambda *a: again.append(a[1]) or run(*a))
    done = design(folder, fasta, output=parts, limits=limits)
    assert again == ["b", "c"]
    assert parts.read_bytes() == whole.read_bytes()
    assert [each.sequence for each in done.designs] == [each.sequence for each in expected.designs]


def test_others_score_the_results_and_are_told_where_they_disagree(
    folder, model, tokenizer, tmp_path, caplog
):
    weights = np.random.default_rng(0).normal(size=(2, 4**2)) / 10
    regression = KmerRegression(2, False, weights, np.array([3.0, 0.0]))
    regression.write(folder / KMER_REGRESSION)
    done = design(folder, [START], limits=Limits(edits=4), also=folder)
    (found,) = done.designs
    texts = [step["sequence"] for step in found.steps]
    expected = regression.probabilities(texts)[:, 1]
    assert [step["prob_kmers_bound"] for step in found.steps] == pytest.approx(expected.tolist())
    for step in found.steps:
        assert step["prob_also_bound"] == pytest.approx(step["prob_bound"])
    # The regression begins with odds of exp(-3) and moves little: it does not follow.
    assert expected.max() < 0.5 < found.steps[-1]["prob_bound"]
    assert "the regression on 5-mer counts does not agree on 1 of 1 designs" in caplog.text
    assert "second model" not in caplog.text
    page, fasta = tmp_path / "page.html", tmp_path / "d.fa"
    report_design(done, page=page, fasta=fasta, plot=tmp_path / "d.png")
    text = page.read_text(encoding="utf-8")
    assert "Beware: the regression" in text
    assert fasta.read_text().splitlines()[1] == found.sequence
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")


def test_values_disagree_by_how_far_they_moved():
    # By hand: 2 up and 0.9 up is less than half as far; 1.1 is not.
    assert disagrees((1, 3), (1, 1.9), is_regression=True)
    assert not disagrees((1, 3), (1, 2.1), is_regression=True)
    assert disagrees((0.5, 0.9), (0.9, 0.8), is_regression=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 1.2}, "a probability from 0 to 1, or a value of a regression, got 1.2"),
        ({"target": float("nan")}, "got nan"),
        ({"beam": 0}, "must be 1 or more, got 0"),
        ({"shortlist": 0}, "must be 1 or more, got 1 and 0"),
        ({"label": "x"}, "one of free, bound"),
        ({"shortlist": 5, "dtype": "int8"}, "which int8 does not have"),
        ({"limits": Limits(frozen=[(0, 24)])}, "must be a base that may change"),
        ({"limits": Limits(frozen=[(20, 25)])}, "got 20-25"),
        ({"limits": Limits(frozen=[(0, 9)], forbidden=["TGCAA"])}, "TGCAA lies in frozen bases"),
        ({"limits": Limits(frozen=[(0, 9)], max_homopolymer=1)}, "a run of 2 T lies in frozen"),
        ({"limits": Limits(edits=1, gc=(0.9, 1))}, "cannot be kept to within 1 edits"),
    ],
)
def test_what_cannot_be_done_is_told(model, tokenizer, options, message):
    with pytest.raises(ValueError, match=message):
        design(model, [START], tokenizer=tokenizer, **options)


def test_frozen_bases_of_unknown_sequences_are_told(model, tokenizer, caplog):
    limits = Limits(edits=1, frozen_of={"0": [(0, 3)], "other": [(0, 3)]})
    done = design(model, [START], limits=limits, tokenizer=tokenizer)
    assert done.designs[0].sequence[:3] == START[:3]
    assert "frozen bases of other belong to no sequence" in caplog.text


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"edits": 0}, "1 edit or more, got 0"),
        ({"gc": (0.6, 0.4)}, "got 0.6-0.4"),
        ({"forbidden": ["GA-T"]}, "must be IUPAC letters"),
        ({"max_homopolymer": 0}, "1 or more, got 0"),
    ],
)
def test_limits_that_contradict_themselves_are_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        Limits(**limits)
