import json
import math

import numpy as np
import pytest
import torch

from dnabert_hf import DNABertForMaskedLM
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.masking.masked_bases import choose_masked_bases
from dnabert_hf.inference.evaluate_masked_lm import evaluate_masked_lm


@pytest.fixture(autouse=True)
def _cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def model(tiny_config):
    return DNABertForMaskedLM(tiny_config).eval()


@pytest.fixture
def first_base(model):
    """A model that gives k-mers beginning with A three times the probability of any other."""
    head = model.cls.predictions
    with torch.no_grad():
        head.decoder.weight.zero_()
        head.bias.fill_(-1e9)
        head.bias[5:].fill_(0)
        head.bias[5 : 5 + 16] = math.log(3)
    return model


def random_dna(n, seed=0):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), n))


def write_fasta(path, **contigs):
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items()))
    return path


@pytest.mark.parametrize(
    ("base", "weight", "accuracy", "cross_entropy"),
    [
        # Of the three 3-mers over a masked base one begins with it: it votes 3 : 1 : 1 : 1 for A,
        # the others have no opinion, and the cube root of 3 is the geometric mean.
        ("A", 3 ** (1 / 3), 1.0, math.log(96 / 3)),
        ("C", 1.0, 0.0, math.log(96)),
    ],
)
def test_scores_of_a_model_that_is_computed_in_the_head(
    first_base, tokenizer, tmp_path, base, weight, accuracy, cross_entropy
):
    genome = write_fasta(tmp_path / "g.fa", chr1=base * 2000)
    scores = evaluate_masked_lm(first_base, genome, tokenizer=tokenizer)
    # 1978 bases without the flanks: 3 windows of 512 with 25 masked bases, and one of 442 with 22.
    assert (scores.n_windows, scores.n_bases) == (4, 97)
    probability = weight / (3 ** (1 / 3) + 3)
    assert scores.model.bases.bits_per_base == pytest.approx(-math.log2(probability), abs=1e-5)
    assert scores.model.bases.standard_error == pytest.approx(0, abs=1e-6)
    assert scores.model.bases.accuracy == accuracy
    # The weights of all 64 k-mers sum to 16 x 3 + 48 = 96.
    assert scores.model.cross_entropy == pytest.approx(cross_entropy, abs=1e-5)
    assert scores.model.perplexity == pytest.approx(math.exp(cross_entropy), rel=1e-4)
    assert scores.model.kmer_accuracy == accuracy
    assert scores.untrained is None
    assert scores.baselines == {}


def test_scores_are_those_of_masked_text(model, tokenizer, tmp_path, monkeypatch):
    """Against one forward pass a window, its masked bases written as [MASK]."""
    monkeypatch.setattr("dnabert_hf.inference.masked_lm_scores._CHUNK_WINDOWS", 2)
    path = write_fasta(
        tmp_path / "g.fa",
        a=random_dna(700),
        b=random_dna(90, 1) + "N" + random_dna(1200, 2).lower(),
    )
    scores = evaluate_masked_lm(model, path, tokenizer=tokenizer, batch_tokens=1500)
    genome = open_genome(path)
    runs = genome.offsets[genome.runs[:, 0], None] + genome.runs[:, 1:]
    chosen = choose_masked_bases(runs, k=3)
    text = np.frombuffer(b"ATCGN", dtype=np.uint8)[genome.codes & 0x7F].tobytes().decode()
    bits, nats = [], []
    for window, (start, end) in enumerate(zip(chosen.starts, chosen.ends, strict=True)):
        positions = chosen.positions[chosen.windows == window].tolist()
        pieces, last = [], start
        for position in positions:
            pieces += [text[last:position], "[MASK]"]
            last = position + 1
        masked = tokenizer("".join(pieces) + text[last:end], return_tensors="pt")
        with torch.no_grad():
            log_probabilities = model(**masked).logits[0, 1:-1].log_softmax(-1)
        for position in positions:
            log_votes = []
            for kmer in range(position - 2, position + 1):
                agreeing = [
                    text[kmer:position] + base + text[position + 1 : kmer + 3] for base in "ACGT"
                ]
                row = log_probabilities[kmer - start]
                log_votes.append(row[tokenizer.convert_tokens_to_ids(agreeing)].log_softmax(-1))
                true_id = tokenizer.convert_tokens_to_ids(text[kmer : kmer + 3])
                nats.append(-float(row[true_id]))
            answer = torch.stack(log_votes).mean(0).log_softmax(-1)
            bits.append(-float(answer["ACGT".index(text[position])]) / math.log(2))
    assert scores.n_bases == len(bits)
    assert scores.model.bases.bits_per_base == pytest.approx(np.mean(bits), abs=1e-4)
    assert scores.model.cross_entropy == pytest.approx(np.mean(nats), abs=1e-4)


def test_random_weights_are_seeded_and_leave_the_random_state_alone(model, tokenizer, tmp_path):
    genome = write_fasta(tmp_path / "g.fa", a=random_dna(1500))

    def untrained(seed):
        return evaluate_masked_lm(
            model, genome, tokenizer=tokenizer, untrained=True, seed=seed
        ).untrained

    state = torch.get_rng_state()
    first = untrained(1)
    assert torch.equal(torch.get_rng_state(), state)
    assert first == untrained(1) != untrained(2)


def test_regions_are_scored_and_left_out_of_the_counts(first_base, tokenizer, tmp_path):
    repeat = "ACGGTCAATG" * 300
    path = write_fasta(tmp_path / "g.fa", repeat=repeat, other=random_dna(6000))
    copy = write_fasta(tmp_path / "copy.fa", repeat=repeat)

    def baselines(regions, train):
        scores = evaluate_masked_lm(
            first_base, path, regions=regions, train=train, tokenizer=tokenizer
        )
        return scores.n_bases, scores.baselines

    n_bases, held_out = baselines(["repeat:0-1000"], path)
    assert n_bases == 48  # 978 bases: 25 in a window of 512, 23 in one of 466
    names = [name.translate(str.maketrans("", "", "0123456789")) for name in held_out]
    assert names == [
        "counts of  bases on either side",
        "Markov order , both sides",
        "Markov order , left",
        "base composition",
    ]
    # The rest of the repeat was counted, nothing of it without the contig, all of it in the copy.
    assert max(s.bits_per_base for s in list(held_out.values())[:2]) < 0.1
    _, unseen = baselines(["repeat"], path)
    assert min(s.bits_per_base for s in unseen.values()) > 1.8
    _, seen = baselines(["repeat"], [copy])
    assert max(s.bits_per_base for s in list(seen.values())[:2]) < 0.1
    # A 3, T 2, C 2, G 3 of 10 bases, half of which are random: near 2 bits.
    assert held_out["base composition"].bits_per_base == pytest.approx(1.99, abs=0.02)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"regions": ["chr2"]}, ValueError, "must name a contig of the genome, found none called"),
        ({"regions": []}, ValueError, "must name a part of the genome, got an empty list"),
        ({"regions": "chr1"}, TypeError, "must be a list of texts, got the text 'chr1'"),
        ({"regions": ["chr1:0-43"]}, ValueError, "must have a run of 44 known bases or more"),
        ({"train": "g.fa"}, ValueError, r"beyond what is scored, found nothing else in .*g\.fa"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    first_base, tokenizer, tmp_path, monkeypatch, options, error, message
):
    monkeypatch.chdir(tmp_path)
    genome = write_fasta(tmp_path / "g.fa", chr1=random_dna(900))
    with pytest.raises(error, match=message):
        evaluate_masked_lm(first_base, genome, tokenizer=tokenizer, **options)


def test_all_scores_are_written(first_base, tokenizer, tmp_path):
    genome = write_fasta(tmp_path / "g.fa", a=random_dna(900), b=random_dna(5000, 1))
    output = tmp_path / "scores.json"
    scores = evaluate_masked_lm(
        first_base,
        genome,
        output=output,
        regions=["a"],
        train=genome,
        untrained=True,
        tokenizer=tokenizer,
    )
    written = json.loads(output.read_text())
    assert written["scores"] == scores.rows()
    assert list(written["scores"])[:2] == ["model", "random weights"]
    assert written["scores"]["model"].keys() >= {"bits_per_base", "accuracy", "perplexity"}
    assert (written["n_bases"], written["regions"]) == (scores.n_bases, ["a"])
    assert written["train"] == written["sources"] == [str(genome)]
    with pytest.raises(ValueError, match=r"scores\.json must not exist yet"):
        evaluate_masked_lm(first_base, genome, output=output, tokenizer=tokenizer)
