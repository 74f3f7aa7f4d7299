"""Dependency maps against the formula written out, one forward pass at a time."""

import logging

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertConfig, DNABertForMaskedLM, DNABertTokenizer, open_genome
from dnabert_hf.inference.dependencies.dependency_maps import dependency_maps
from dnabert_hf.inference.dependencies.map_files import read_dependency_maps

SEQUENCE = "ACGTTGCA"


@pytest.fixture
def model(tiny_config):
    tiny_config.max_position_embeddings = 16
    return DNABertForMaskedLM(tiny_config).eval()


def probabilities(model, tokenizer, sequence, target):
    """P(A, C, G, T) of a base from k-mers that are masked, by the text of k-mers."""
    k = tokenizer.k
    kmers = [sequence[i : i + k] for i in range(len(sequence) - k + 1)]
    over = [i for i in range(len(kmers)) if i <= target < i + k]
    tokens = ["[MASK]" if i in over else kmer for i, kmer in enumerate(kmers)]
    ids = tokenizer.convert_tokens_to_ids(["[CLS]", *tokens, "[SEP]"])
    with torch.no_grad():
        scores = model(torch.tensor([ids])).logits[0, 1:-1].double().softmax(-1)
    votes = []
    for i in over:
        named = [kmers[i][: target - i] + base + kmers[i][target - i + 1 :] for base in "ACGT"]
        if set("".join(named)) <= set("ACGT"):
            vote = scores[i, tokenizer.convert_tokens_to_ids(named)]
            votes.append(vote / vote.sum())
    joined = torch.stack(votes).log().mean(0).exp()
    return (joined / joined.sum()).numpy()


def dependency(model, tokenizer, sequence, query, target):
    before = probabilities(model, tokenizer, sequence, target)
    found = []
    for base in set("ACGT") - {sequence[query]}:
        changed = sequence[:query] + base + sequence[query + 1 :]
        after = probabilities(model, tokenizer, changed, target)
        odds = (after / (1 - after)) / (before / (1 - before))
        found.append(np.abs(np.log2(odds)).max())
    return max(found)


def test_pairs_have_the_change_of_the_odds_of_the_target(model, tokenizer):
    (found,) = dependency_maps(model, [SEQUENCE], tokenizer=tokenizer)
    expected = [
        [
            np.nan if i == j else dependency(model, tokenizer, SEQUENCE, i, j)
            for j in range(len(SEQUENCE))
        ]
        for i in range(len(SEQUENCE))
    ]
    np.testing.assert_allclose(found.scores, expected, rtol=1e-3, atol=1e-4)
    assert found.sequence == SEQUENCE


@pytest.mark.parametrize("k", [2, 7, 8])
def test_pairs_have_it_whatever_the_k(tiny_config, k):
    fields = tiny_config.to_dict() | {"k": k, "vocab_size": None}
    model, tokenizer = (
        DNABertForMaskedLM(DNABertConfig(**fields)).eval(),
        DNABertTokenizer(k=k),
    )
    sequence = SEQUENCE + "GG"
    (found,) = dependency_maps(model, [sequence], tokenizer=tokenizer)
    for query, target in ((0, 9), (5, 4), (9, 0)):
        expected = dependency(model, tokenizer, sequence, query, target)
        assert found.scores[query, target] == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_unknown_bases_are_no_queries_and_take_no_votes(model, tokenizer):
    sequence = "ACGNTGCATT"
    (found,) = dependency_maps(model, [sequence], tokenizer=tokenizer)
    assert np.isnan(found.scores[3]).all()
    # C lies under ACG and CGN, of which the first alone votes.
    assert found.scores[5, 9] == pytest.approx(
        dependency(model, tokenizer, sequence, 5, 9), rel=1e-3
    )
    assert found.scores[9, 1] == pytest.approx(
        dependency(model, tokenizer, sequence, 9, 1), rel=1e-3, abs=1e-4
    )
    (short,) = dependency_maps(model, ["ANGTTGCA"], tokenizer=tokenizer)
    assert np.isnan(short.scores[:, 0]).all()  # ANG is the one k-mer over the first base


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".tsv.gz", ".csv"])
def test_files_hold_the_maps(model, tokenizer, tmp_path, suffix):
    sequences = [SEQUENCE, "ANGTTGCA", SEQUENCE]
    expected = dependency_maps(model, sequences, tokenizer=tokenizer, max_distance=4)
    path = tmp_path / f"maps{suffix}"
    done = dependency_maps(model, sequences, tokenizer=tokenizer, max_distance=4, output=path)
    # By hand: 8 bases, at most 4 apart: 2 (7 + 6 + 5 + 4) pairs, without those of query 1 (N): 5.
    assert done.n_pairs == 44 + (44 - 5) + 44
    assert (done.n_sequences, done.n_unscored) == (3, 3)  # target 0 of the second
    found = read_dependency_maps(path)
    assert [each.sequence for each in found] == sequences
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5)
        assert np.isnan(one.scores[0, 5])
        assert not np.isnan(one.scores[3, 7])


def test_regions_are_read_on_their_strand_with_what_lies_beside(model, tokenizer, tmp_path):
    fasta, bed = tmp_path / "genome.fa", tmp_path / "regions.bed"
    fasta.write_text(">chr1\nTTTTACGTTGCAGG\n")
    bed.write_text("chr1\t4\t12\tx\t0\t-\n")
    (found,) = dependency_maps(model, bed, genome=open_genome(fasta), flank=2, tokenizer=tokenizer)
    (whole,) = dependency_maps(model, ["CCTGCAACGTAA"], tokenizer=tokenizer)  # by hand
    assert (found.id, found.sequence) == ("chr1:4-12(-)", "TGCAACGT")
    np.testing.assert_allclose(found.scores, whole.scores[2:-2, 2:-2], rtol=1e-4)


def test_of_a_long_sequence_the_model_sees_what_is_around_the_target(model, tokenizer):
    sequence = "".join(np.random.default_rng(0).choice(list("ACGT"), 30))
    (found,) = dependency_maps(model, [sequence], tokenizer=tokenizer)
    # 16 tokens hold 14 k-mers, 16 bases: of 20, those from 12 to 27.
    window = sequence[12:28]
    assert found.scores[13, 20] == pytest.approx(
        dependency(model, tokenizer, window, 1, 8), rel=1e-3
    )
    assert np.isnan(found.scores[11, 20])
    assert np.isnan(found.scores[28, 20])


def test_a_stopped_run_goes_on(model, tokenizer, tmp_path, monkeypatch):
    from dnabert_hf.inference.dependencies import dependency_maps as module

    monkeypatch.setattr(module, "_CHUNK_TOKENS", 200)
    fasta = tmp_path / "in.fa"
    fasta.write_text(f">a\n{SEQUENCE}\n>b\nTTGACCTGA\n")
    whole, parts = tmp_path / "whole.tsv", tmp_path / "parts.tsv"
    dependency_maps(model, fasta, output=whole, tokenizer=tokenizer)
    score, calls = module._score, []

    def stop(engine, chunk):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(chunk)
        return score(engine, chunk)

    monkeypatch.setattr(module, "_score", stop)
    with pytest.raises(KeyboardInterrupt):
        dependency_maps(model, fasta, output=parts, tokenizer=tokenizer)
    monkeypatch.setattr(module, "_score", score)
    done = dependency_maps(model, fasta, output=parts, tokenizer=tokenizer)
    assert parts.read_bytes() == whole.read_bytes()
    assert (done.n_sequences, done.n_pairs) == (2, 8 * 7 + 9 * 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_distance": 0}, "max_distance must be 1 or more, got 0"),
        ({"flank": 3}, "need a genome, got 3"),
        ({"output": "maps.txt"}, "must be named"),
    ],
)
def test_wrong_options_are_told(model, tokenizer, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        dependency_maps(model, [SEQUENCE], tokenizer=tokenizer, **options)


def test_what_is_no_map_is_told(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    path = tmp_path / "x.tsv"
    path.write_text("id\tscore\na\t1\n")
    with pytest.raises(ValueError, match=r"x\.tsv must be a file of dependency maps"):
        read_dependency_maps(path)


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".tsv"])
def test_runs_of_unknown_bases_longer_than_the_reach_have_no_pairs(
    model, tokenizer, tmp_path, monkeypatch, suffix
):
    from dnabert_hf.inference.dependencies import dependency_maps as module

    monkeypatch.setattr(module, "_CHUNK_TOKENS", 1)  # a chunk for each base
    path = tmp_path / f"m{suffix}"
    sequence = "ACGTNNNNNNACGT"
    done = dependency_maps(model, [sequence], output=path, tokenizer=tokenizer, max_distance=2)
    # By hand, of ACGT: 2 (3 + 2) pairs; the two N beside it have 2 and 1 queries; both ends alike.
    assert done.n_pairs == 2 * (10 + 3)
    (found,) = read_dependency_maps(path)
    assert found.sequence == sequence
    with pytest.raises(ValueError, match="a map must have a base of A, C, G or T"):
        dependency_maps(model, ["NNNNN"], output=tmp_path / f"n{suffix}", tokenizer=tokenizer)
    assert not (tmp_path / f"n{suffix}").exists()
