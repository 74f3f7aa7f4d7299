"""The package's pipelines: which model gets which, and what they answer."""

import math
import random

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertTokenizer,
    TextClassificationPipeline,
    TokenClassificationPipeline,
    pipeline,
)

from dnabert_hf import (
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertTokenizer,
    FillBasePipeline,
    predict,
    predict_bases,
    register_with_transformers,
)
from dnabert_hf.data.reading.records import SequenceRecord
from dnabert_hf.data.reading.sequences import reverse_complement
from dnabert_hf.pipelines import (
    DNATokenClassificationPipeline,
    TwoStrandClassificationPipeline,
    opposite_strand,
)
from dnabert_hf.training.shared.cnn import DNACnnConfig, DNACnnForSequenceClassification

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 16, "max_position_embeddings": 40}
STRATEGIES = ["none", "simple", "first", "average", "max"]


class ByKmer(DNABertForTokenClassification):
    """Tells introns (of A and T) from exons (of C and G) by the k-mer alone, but mixed ones."""

    def forward(self, input_ids, **_):
        kmers = (input_ids - 5).clamp(min=0)
        digits = torch.stack([kmers // 4**place % 4 for place in range(self.config.k)])
        is_gc = (digits >= 2).float().mean(0)  # A, T, C, G have the digits 0 to 3
        logits = torch.stack([8 * (1 - is_gc), 8 * is_gc], dim=-1)
        return type("Output", (), {"logits": logits})


@pytest.fixture
def by_kmer():
    config = DNABertConfig(k=3, id2label={0: "intron", 1: "exon"}, **SIZES)
    return ByKmer(config).eval()


@pytest.fixture
def random_model():
    config = DNABertConfig(k=3, initializer_range=0.5, id2label=dict(enumerate("OPQR")), **SIZES)
    return DNABertForTokenClassification(config).eval()


def make(model, **options):
    return pipeline("token-classification", model=model, tokenizer=DNABertTokenizer(k=3), **options)


def dna(n: int, letters: str = "ACGT", seed: int = 0) -> str:
    return "".join(random.Random(seed).choices(letters, k=n))


def test_the_model_chooses_the_pipeline(by_kmer, tmp_path):
    assert type(make(by_kmer)) is DNATokenClassificationPipeline
    register_with_transformers()  # once more
    assert type(make(by_kmer)) is DNATokenClassificationPipeline
    by_name = pipeline("ner", model=by_kmer, tokenizer=DNABertTokenizer(k=3))
    assert type(by_name) is DNATokenClassificationPipeline
    (file,) = DNABertTokenizer(k=3).save_vocabulary(str(tmp_path))
    bert = BertForTokenClassification(BertConfig(vocab_size=69, **SIZES))
    stock = pipeline("token-classification", model=bert, tokenizer=BertTokenizer(file))
    assert type(stock) is TokenClassificationPipeline
    asked = make(by_kmer, pipeline_class=TokenClassificationPipeline)
    assert type(asked) is TokenClassificationPipeline


def test_a_saved_pipeline_is_a_plain_repository(by_kmer, tmp_path):
    """No custom_pipelines in the config: they would ask for trust_remote_code to load it."""
    model = DNABertForTokenClassification(by_kmer.config)
    make(model).save_pretrained(tmp_path)
    assert "custom_pipelines" not in (tmp_path / "config.json").read_text()
    loaded = pipeline("token-classification", model=str(tmp_path))
    assert type(loaded) is DNATokenClassificationPipeline


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
@pytest.mark.parametrize("options", [{}, {"stride": 16}, {"batch_size": 4}])
def test_no_segment_is_lost_in_long_sequences(by_kmer, strategy, options):
    """700 bases in turns of introns of 60 and exons of 40; a window has 38 k-mers."""
    parts = [("intron", "AT", 60), ("exon", "CG", 40)] * 7
    sequence = "".join(dna(n, letters, seed) for seed, (_, letters, n) in enumerate(parts))
    pipe = make(by_kmer, aggregation_strategy=strategy, ignore_labels=[], **options)
    groups = pipe(sequence)
    assert [group["entity_group"] for group in groups] == [name for name, _, _ in parts]
    ends = np.cumsum([n for _, _, n in parts])
    # A k-mer over a border takes the class of two of its three bases: "first" and "max" may be
    # one or two bases late or early, the mean is exact.
    slack = 0 if strategy in ("simple", "average") else 2
    assert np.abs([group["end"] for group in groups] - ends).max() <= slack
    assert [group["start"] for group in groups[1:]] == [group["end"] for group in groups[:-1]]
    assert groups[0]["start"] == 0
    assert groups[-1]["end"] == len(sequence)
    assert "".join(group["word"] for group in groups) == sequence


@pytest.mark.parametrize("n_bases", [3, 20, 40, 41, 300])
@pytest.mark.parametrize("strategy", ["none", "simple", "average"])
def test_bases_are_those_of_predict_bases(random_model, strategy, n_bases):
    sequence = dna(n_bases)
    tokenizer = DNABertTokenizer(k=3)
    (expected,) = predict_bases(random_model, [sequence], tokenizer=tokenizer, dtype="float32")
    entities = make(random_model, aggregation_strategy=strategy, ignore_labels=[])(sequence)
    labels = ""
    for entity in entities:
        span = slice(entity["start"], entity["end"])
        best = expected.probabilities[span].max(axis=1)
        assert entity["score"] == pytest.approx(best.mean(), abs=1e-5)
        assert entity["word"] == sequence[span]
        labels += entity.get("entity", entity.get("entity_group")) * (span.stop - span.start)
    assert labels == expected.labels
    assert len(entities) == len(labels) if strategy == "none" else len(entities) <= len(labels)


def test_runs_are_those_of_the_bed_file(random_model, tmp_path):
    """N and R end a run, and the first class is left out as "O" is."""
    sequence = dna(50) + "N" + dna(30, seed=1) + "RYN" + dna(60, seed=2)
    tokenizer = DNABertTokenizer(k=3)
    output = tmp_path / "runs.bed"
    predict_bases(random_model, [sequence], tokenizer=tokenizer, output=output, dtype="float32")
    lines = [line.split("\t") for line in output.read_text().splitlines()]
    runs = [(int(line[1]), int(line[2]), line[3]) for line in lines if not line[0].startswith("#")]
    groups = make(random_model, aggregation_strategy="simple")(sequence)
    found = [(group["start"], group["end"], group["entity_group"]) for group in groups]
    assert sorted(found) == sorted(runs)
    assert len(found) > 3


def test_strategies_are_what_they_say(random_model):
    """Against the definitions, written out for each base of one window."""
    sequence = dna(20)
    encoded = DNABertTokenizer(k=3)(sequence, return_tensors="pt")
    with torch.no_grad():
        kmers = random_model(**encoded).logits[0, 1:-1].softmax(-1).numpy()
    expected = {strategy: [] for strategy in ("first", "average", "max")}
    for base in range(20):
        over = [kmers[i] for i in range(base - 2, base + 1) if 0 <= i < 18]
        expected["first"].append(over[0])
        expected["average"].append(np.mean(over, axis=0))
        expected["max"].append(max(over, key=max))
    differ = set()
    for strategy, scores in expected.items():
        groups = make(random_model, aggregation_strategy=strategy, ignore_labels=[])(sequence)
        labels = "".join(g["entity_group"] * (g["end"] - g["start"]) for g in groups)
        assert labels == "".join("OPQR"[row.argmax()] for row in scores)
        for group in groups:
            best = [max(scores[i]) for i in range(group["start"], group["end"])]
            assert group["score"] == pytest.approx(np.mean(best), abs=1e-5)
        differ.add(labels)
    assert len(differ) > 1


def test_entities_without_aggregation_are_bases(by_kmer):
    """Over AATCCC, of whose k-mers none, 1, 2 and 3 bases are C: the mean of those over a base."""
    exon = [1 / (1 + math.exp(8 - 16 * n / 3)) for n in range(4)]
    means = [np.mean(exon[max(i - 2, 0) : i + 1]) for i in range(6)]
    assert make(by_kmer)("AATCCC") == [
        {
            "entity": "exon" if mean > 0.5 else "intron",
            "score": pytest.approx(max(mean, 1 - mean), abs=1e-5),
            "index": i,
            "word": "AATCCC"[i],
            "start": i,
            "end": i + 1,
        }
        for i, mean in enumerate(means)
    ]
    assert [entity["index"] for entity in make(by_kmer)("ACGTNACGR")] == [0, 1, 2, 3, 5, 6, 7]


def test_names_with_b_and_i_are_joined_as_usual():
    """B- begins an entity, though one of its kind stands before it."""
    config = DNABertConfig(k=3, id2label={0: "I-x", 1: "B-x"}, **SIZES)
    groups = make(ByKmer(config).eval(), aggregation_strategy="simple")("AAAAACAAAA" + "A" * 5)
    assert {group["entity_group"] for group in groups} == {"x"}
    # No base of A's is B-x: the one C among them is outvoted.
    assert [(group["start"], group["end"]) for group in groups] == [(0, 15)]
    groups = make(ByKmer(config).eval(), aggregation_strategy="simple")("AAAAACCCAAAA")
    assert [(group["start"], group["end"]) for group in groups] == [(0, 5), (5, 6), (6, 7), (7, 12)]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_way_to_write_a_sequence_gives_the_same(random_model, strategy):
    pipe = make(random_model, aggregation_strategy=strategy)
    sequence = dna(60)
    kmers = [sequence[i : i + 3] for i in range(58)]
    expected = pipe(sequence)
    assert expected
    assert pipe([sequence, sequence.lower()]) == [expected, expected]
    assert pipe(sequence.replace("T", "U")) == expected
    assert pipe(f"{sequence[:7]}\n{sequence[7:]}\n") == expected
    assert pipe(" ".join(kmers)) == expected
    assert pipe(kmers, is_split_into_words=True) == [expected]
    assert pipe([[sequence[:20], sequence[20:]]], is_split_into_words=True) == [expected]
    assert list(pipe(each for each in (sequence, sequence))) == [expected, expected]


def test_batches_are_the_same_as_one_by_one(random_model):
    pipe = make(random_model, aggregation_strategy="simple")
    sequences = [dna(n, seed=n) for n in (5, 100, 39, 40, 41, 77)]
    single = [pipe(sequence) for sequence in sequences]
    for got, expected in zip(pipe(sequences, batch_size=4), single, strict=True):
        assert [g["word"] for g in got] == [e["word"] for e in expected]
        assert [g["score"] for g in got] == pytest.approx([e["score"] for e in expected], abs=1e-5)


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ("AC", {}, r"at least k = 3 bases, got 'AC'"),
        ("ACG\u0421T", {}, r"found '\u0421' at position 3"),
        ("ACG[MASK]T", {}, r"found '\[' at position 3"),
        ([None], {}, "must be a text of DNA, got None"),
        ("ACGT", {"aggregation_strategy": "mean"}, "one of none, simple, first, average, max, got"),
    ],
)
def test_what_cannot_be_read_is_refused(random_model, inputs, options, message):
    with pytest.raises(ValueError, match=message):
        make(random_model)(inputs, **options)


def test_unknown_options_are_refused(random_model, tiny_config):
    with pytest.raises(TypeError, match="unexpected keyword argument 'top_k'"):
        make(random_model)("ACGT", top_k=2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'nothing'"):
        make(random_model, nothing=2)
    model = DNABertForMaskedLM(tiny_config).eval()
    tokenizer = DNABertTokenizer(k=3)
    fill = {"model": model, "tokenizer": tokenizer, "pipeline_class": FillBasePipeline}
    with pytest.raises(ValueError, match="FillBasePipeline has no options, got targets, top_k"):
        pipeline("fill-mask", **fill)("ACGT[MASK]GCA", top_k=2, targets=["A"])
    with pytest.raises(ValueError, match="no options, got top_k"):
        pipeline("fill-mask", **fill, top_k=2)


def of_both_strands(kind: str):
    torch.manual_seed(0)
    names = {"id2label": {0: "a", 1: "b", 2: "c"}, "both_strands": True}
    if kind == "dna_cnn":
        return DNACnnForSequenceClassification(DNACnnConfig(k=3, **names)).eval()
    config = DNABertConfig(k=3, initializer_range=1.0, **names, **SIZES)
    return DNABertForSequenceClassification(config).eval()


@pytest.mark.parametrize("kind", ["dnabert", "dna_cnn"])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_text_classification_is_the_mean_over_both_strands(kind, batch_size, tmp_path):
    model, tokenizer = of_both_strands(kind), DNABertTokenizer(k=3)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    texts = [dna(n, "ACGTN", seed=n) for n in (3, 17, 30, 30, 90)]
    pipe = pipeline("text-classification", model=str(tmp_path))
    assert type(pipe) is TwoStrandClassificationPipeline
    stock = pipeline(
        "text-classification", model=str(tmp_path), pipeline_class=TextClassificationPipeline
    )
    found = pipe(texts, top_k=None, batch_size=batch_size)
    for text, entries in zip(texts, found, strict=True):
        strands = [stock(each, top_k=None) for each in (text, reverse_complement(text))]
        assert [each["score"] for each in entries] == sorted(
            (each["score"] for each in entries), reverse=True
        )
        for entry in entries:
            scores = [e["score"] for one in strands for e in one if e["label"] == entry["label"]]
            assert entry["score"] == pytest.approx(sum(scores) / 2, abs=1e-5)
    if kind == "dna_cnn":  # which `predict` refuses
        return
    predictions = predict(str(tmp_path), texts, device="cpu", dtype="float32")
    for prediction, entries in zip(predictions, found, strict=True):
        assert prediction.probabilities == pytest.approx(
            {each["label"]: each["score"] for each in entries}, abs=1e-5
        )


def test_answers_of_both_strands_have_the_forms_of_the_standard_pipeline():
    model, tokenizer = of_both_strands("dnabert"), DNABertTokenizer(k=3)
    given = {"model": model, "tokenizer": tokenizer}
    both = pipeline("text-classification", **given)
    stock = pipeline("text-classification", pipeline_class=TextClassificationPipeline, **given)
    palindrome = "ACGTTGCAACGT"  # its own opposite strand: both pipelines must agree
    assert reverse_complement(palindrome) == palindrome
    for options in ({}, {"top_k": 1}, {"top_k": 2}, {"function_to_apply": "none", "top_k": None}):
        for texts in (palindrome, [palindrome] * 2, {"text": palindrome, "text_pair": "AATT"}):
            one, two = both(texts, **options), stock(texts, **options)
            assert str(one).count("label") == str(two).count("label")
            assert type(one) is type(two)
            flat = [np.ravel(x).tolist() for x in (one, two)]
            for a, b in zip(*flat, strict=True):
                assert a["label"] == b["label"]
                assert a["score"] == pytest.approx(b["score"], abs=1e-5)
    first, second = dna(9), dna(12, seed=1)
    answer = both({"text": first, "text_pair": second}, top_k=None)
    pair = SequenceRecord("x", first, sequence_b=second)
    (expected,) = predict(model, [pair], tokenizer=tokenizer, device="cpu", dtype="float32")
    found = {each["label"]: each["score"] for each in answer}
    assert found == pytest.approx(expected.probabilities, abs=1e-5)


def test_one_strand_and_other_models_keep_the_standard_pipeline(tmp_path):
    model = of_both_strands("dnabert")
    model.config.both_strands = False
    (file,) = DNABertTokenizer(k=3).save_vocabulary(str(tmp_path))
    bert = BertForSequenceClassification(BertConfig(vocab_size=69, **SIZES))
    for each, tokenizer in ((model, DNABertTokenizer(k=3)), (bert, BertTokenizer(file))):
        pipe = pipeline("text-classification", model=each, tokenizer=tokenizer)
        assert type(pipe) is TextClassificationPipeline


@pytest.mark.parametrize("k", range(2, 9))
def test_the_opposite_strand_of_ids_is_that_of_the_letters(k):
    tokenizer = DNABertTokenizer(k=k)
    texts = [dna(30, "ACGTN", seed=k), dna(11, seed=k + 1)]
    pairs = [(text, text[:9]) for text in texts]
    for each in (texts, pairs):
        opposites = [
            tuple(map(reverse_complement, t)) if isinstance(t, tuple) else reverse_complement(t)
            for t in each
        ]
        ids, expected = (
            tokenizer(t, padding=True, return_tensors="pt")["input_ids"] for t in (each, opposites)
        )
        assert opposite_strand(ids, k=k).tolist() == expected.tolist()
