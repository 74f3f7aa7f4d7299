import math

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertForMaskedLM, DNABertTokenizer
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.training.pretraining import validation
from dnabert_hf.training.pretraining.validation import HeldOutScorer


def random_dna(seed, n):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), n))


@pytest.fixture
def genome(tmp_path):
    """Runs of 700 and 300 bases, the first soft-masked, and one of 2,000."""
    path = tmp_path / "genome.fa"
    path.write_text(
        f">a\n{random_dna(1, 700).lower()}NNN{random_dna(2, 300)}\n>b\n{random_dna(3, 2000)}\n"
    )
    return open_genome(path, cache_dir=tmp_path / "cache")


@pytest.fixture
def model(tiny_config):
    return DNABertForMaskedLM(tiny_config).eval()


def scorer(genome, runs=None, **changes):
    options = {"k": 3, "n_windows": 100, "n_kmers": 120, "seed": 1} | changes
    return HeldOutScorer(genome, genome.runs if runs is None else runs, **options)


def test_a_model_that_knows_nothing_scores_two_bits_and_the_size_of_the_vocabulary(genome, model):
    for parameter in model.cls.parameters():
        torch.nn.init.zeros_(parameter)
    scores = scorer(genome)(model)
    assert scores["bits_per_base"] == pytest.approx(2, abs=1e-6)
    assert scores["loss"] == pytest.approx(math.log(69), abs=1e-6)
    assert scores["perplexity"] == pytest.approx(69, abs=1e-4)
    assert scores["standard_error"] == pytest.approx(0, abs=1e-6)
    # Without their flanks of 11 bases, runs of 678, 278 and 1,978 bases, in windows of 122: one
    # base in 20 k-mers makes 6 in a full window, 5 x 6 + 3 of 66 k-mers, 2 x 6 + 1 of 32, and
    # 16 x 6 (26 bases remain, 24 k-mers) + 1.
    assert scores["n_bases"] == 33 + 13 + 97


def test_scores_of_one_base_are_those_by_hand(genome, model):
    """Hide the base alone and read the three distributions over it."""
    only = scorer(genome, np.array([[1, 500, 550]]), n_kmers=30)
    (start,), (end,) = only.hidden.starts.tolist(), only.hidden.ends.tolist()
    (position,) = only.hidden.positions.tolist()
    offset = int(genome.offsets[1])
    sequence = genome.sequence("b", start - offset, end - offset)
    base = position - start
    tokenizer = DNABertTokenizer(k=3)
    ids = tokenizer(sequence, return_tensors="pt")["input_ids"]
    original = ids[0, base - 1 : base + 2].clone()  # [CLS] stands before the k-mers
    ids[0, base - 1 : base + 2] = 4
    with torch.no_grad():
        log_probabilities = model(ids).logits[0, base - 1 : base + 2].log_softmax(-1)
    loss = -sum(log_probabilities[i, original[i]].item() for i in range(3)) / 3
    votes = np.zeros((3, 4))
    for number, letter in enumerate("ACGT"):
        changed = sequence[:base] + letter + sequence[base + 1 :]
        for i in range(3):
            (kmer,) = tokenizer.convert_tokens_to_ids([changed[base - 2 + i : base + 1 + i]])
            votes[i, number] = log_probabilities[i, kmer].exp()
    votes /= votes.sum(axis=1, keepdims=True)
    joined = votes.prod(axis=0) ** (1 / 3)
    joined /= joined.sum()
    scores = only(model)
    assert scores["n_bases"] == 1
    assert scores["loss"] == pytest.approx(loss, abs=1e-5)
    assert scores["perplexity"] == pytest.approx(math.exp(loss), rel=1e-5)
    assert scores["bits_per_base"] == pytest.approx(
        -math.log2(joined["ACGT".index(sequence[base])]), abs=1e-5
    )
    assert scores["accuracy"] == float("ACGT"[joined.argmax()] == sequence[base])


def test_scores_do_not_depend_on_what_shares_a_batch(genome, model, monkeypatch):
    together = scorer(genome)(model)
    for n_tokens in (1, 300):
        monkeypatch.setattr(validation, "_BATCH_TOKENS", n_tokens)
        assert scorer(genome)(model) == pytest.approx(together, rel=1e-5)


def test_scores_are_the_same_each_time_and_depend_on_the_seed(genome, model):
    score = scorer(genome)
    first = score(model)
    assert first == score(model)
    assert first == scorer(genome)(model)
    assert first["loss"] != scorer(genome, seed=2)(model)["loss"]
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_a_model_that_knows_the_sequence_scores_no_bits(tmp_path, genome):
    """All k-mers over a base name it when the logits are those of the sequence itself."""

    score = scorer(genome)

    class Oracle(torch.nn.Linear):
        def bert(self, input_ids, **_):
            truth = input_ids.clone()
            for row, kmers in zip(truth, score._rows, strict=True):
                row[1 : len(kmers) + 1] = torch.from_numpy(kmers)
            states = torch.nn.functional.one_hot(truth, 69)
            return type("Output", (), {"last_hidden_state": states})

        def cls(self, states):
            return 50 * states

    scores = score(Oracle(1, 1))
    assert scores["bits_per_base"] == pytest.approx(0, abs=1e-6)
    assert (scores["accuracy"], scores["standard_error"]) == (1, pytest.approx(0, abs=1e-6))
    assert scores["perplexity"] == pytest.approx(1, abs=1e-6)


def test_windows_are_limited_and_held_out_dna_must_have_one(genome, model):
    assert scorer(genome, n_windows=2)(model)["n_bases"] == 12
    with pytest.raises(ValueError, match="the DNA to score must have a run of 44 known bases"):
        scorer(genome, np.array([[0, 0, 30]]))
