"""The standard pipelines of transformers on raw DNA, with models that have learnt something."""

import numpy as np
import pytest
import torch
from transformers import pipeline

from dnabert_hf import (
    DataCollatorForContiguousKmerMasking,
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertTokenizer,
    FillBasePipeline,
)

PERIOD = (
    "ACGGTCAATG"  # the DNA of these tests repeats it, so every base follows from its neighbours
)


@pytest.fixture(scope="module")
def small_config():
    return DNABertConfig(
        k=3,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.1,
    )


def train(model, batches, learning_rate=3e-3):
    optimiser = torch.optim.AdamW(model.parameters(), learning_rate)
    for batch in batches:
        optimiser.zero_grad()
        model(**batch).loss.backward()
        optimiser.step()
    return model.eval()


@pytest.fixture(scope="module")
def mlm(small_config):
    """A masked language model of the periodic DNA, and its tokenizer."""
    torch.manual_seed(0)
    tokenizer = DNABertTokenizer(k=3)
    collate = DataCollatorForContiguousKmerMasking(tokenizer, per_span=True, seed=0)
    rng = np.random.default_rng(0)
    dna = PERIOD * 10

    def batches():
        for _ in range(150):
            starts = rng.integers(0, 40, 16)
            yield collate([dna[start : start + 40] for start in starts])

    return train(DNABertForMaskedLM(small_config), batches()), tokenizer


def test_fill_mask_masks_every_kmer_over_the_base_and_finds_it(mlm):
    model, tokenizer = mlm
    pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer)
    dna = PERIOD * 3
    answers = pipe(f"{dna[:14]}[MASK]{dna[15:]}")  # hides the T in ...ACGG[T]CAATG...
    assert len(answers) == 3  # one list for each of the k k-mers over the base
    masked = dna[14]
    assert masked == "T"
    for offset, candidates in enumerate(answers):
        best = candidates[0]
        assert best["token_str"] == dna[12 + offset : 15 + offset]
        # The other two k-mers stay masked, yet this one tells the base: the sequence is whole.
        assert best["sequence"] == f"[CLS] {dna} [SEP]"


def test_fill_base_gives_the_probabilities_of_the_four_bases(mlm):
    model, tokenizer = mlm
    pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer, pipeline_class=FillBasePipeline)
    dna = PERIOD * 3
    (answer,) = pipe(f"{dna[:14]}[MASK]{dna[15:]}")
    assert answer["position"] == 14
    assert answer["base"] == "T"
    assert answer["score"] == answer["T"] > 0.9
    assert sum(answer[base] for base in "ACGT") == pytest.approx(1, abs=1e-5)

    text = f"{dna[:9]}[MASK]{dna[10:20]}[MASK]{dna[21:]}"
    two, one = pipe([text, text[: text.index("]") + 11]])
    assert [(a["position"], a["base"]) for a in two] == [(9, dna[9]), (20, dna[20])]
    assert len(one) == 1


def test_fill_base_needs_a_masked_base(mlm):
    model, tokenizer = mlm
    pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer, pipeline_class=FillBasePipeline)
    with pytest.raises(ValueError, match=r"must mask a base with \[MASK\], found none"):
        pipe("ACGTACGT")


def test_fill_base_sums_the_kmers_that_agree_with_the_visible_bases(tiny_config, tokenizer):
    """Against the definition, written out: one masked base, three k-mers, four bases each."""
    model = DNABertForMaskedLM(tiny_config).eval()
    pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer, pipeline_class=FillBasePipeline)
    (answer,) = pipe("ACGT[MASK]GCA")
    with torch.no_grad():
        logits = model(**tokenizer("ACGT[MASK]GCA", return_tensors="pt")).logits[0]
    probabilities = logits.softmax(-1)
    votes = []
    for token, (left, right) in zip((3, 4, 5), (("GT", ""), ("T", "G"), ("", "GC")), strict=True):
        ids = tokenizer.convert_tokens_to_ids([left + base + right for base in "ACGT"])
        votes.append(probabilities[token, ids] / probabilities[token, ids].sum())
    expected = torch.stack(votes).mean(0)
    for base, value in zip("ACGT", expected.tolist(), strict=True):
        assert answer[base] == pytest.approx(value, abs=1e-5)


def test_text_classification_of_any_length(small_config):
    """Classes that differ by composition are told apart, also far beyond 512 tokens."""
    torch.manual_seed(0)
    tokenizer = DNABertTokenizer(k=3)
    rng = np.random.default_rng(0)

    def dna(length, gc):
        return "".join(
            rng.choice(list("ACGT"), length, p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])
        )

    def batches():
        for _ in range(40):
            labels = rng.integers(0, 2, 16)
            texts = [dna(60, 0.2 + 0.6 * label) for label in labels]
            yield {**tokenizer(texts, return_tensors="pt"), "labels": torch.tensor(labels)}

    config = DNABertConfig.from_dict(
        small_config.to_dict() | {"id2label": {0: "AT-rich", 1: "GC-rich"}}
    )
    model = train(DNABertForSequenceClassification(config), batches(), 1e-3)
    pipe = pipeline("text-classification", model=model, tokenizer=tokenizer)
    answers = pipe([dna(60, 0.2), dna(60, 0.8).lower(), dna(1500, 0.2), dna(1500, 0.8)])
    assert [a["label"] for a in answers] == ["AT-rich", "GC-rich", "AT-rich", "GC-rich"]
    assert min(a["score"] for a in answers) > 0.9
    (every_class,) = pipe([dna(60, 0.8)], top_k=None)
    assert [c["label"] for c in every_class] == ["GC-rich", "AT-rich"]
    with pytest.raises(ValueError, match="found 'X' at position 3"):
        pipe("ACGXACGT")


def test_feature_extraction_gives_the_last_hidden_states(tiny_config, tokenizer):
    from dnabert_hf import DNABertModel

    model = DNABertModel(tiny_config).eval()
    pipe = pipeline("feature-extraction", model=model, tokenizer=tokenizer)
    features = np.array(pipe("ACGTNACG"))
    with torch.no_grad():
        expected = model(**tokenizer("ACGTNACG", return_tensors="pt")).last_hidden_state
    assert features.shape == (1, 8, 32)
    np.testing.assert_allclose(features, expected.numpy(), atol=1e-6)


def test_token_classification_says_where_in_the_sequence(small_config):
    """Every k-mer that begins with A is an entity; a base is in one if most k-mers over it are."""
    torch.manual_seed(0)
    tokenizer = DNABertTokenizer(k=3)
    rng = np.random.default_rng(0)

    def batches():
        for _ in range(60):
            ids = tokenizer(
                ["".join(rng.choice(list("ACGT"), 40)) for _ in range(16)], return_tensors="pt"
            )
            begins_with_a = (ids["input_ids"] >= 5) & (ids["input_ids"] < 5 + 16)
            yield {**ids, "labels": begins_with_a.long()}

    config = DNABertConfig.from_dict(small_config.to_dict() | {"id2label": {0: "O", 1: "site"}})
    model = train(DNABertForTokenClassification(config), batches())
    pipe = pipeline(
        "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple"
    )
    sequence = "CCGTAAACGTGGCATTCC"
    groups = pipe(sequence)
    assert [(g["entity_group"], g["start"], g["end"], g["word"]) for g in groups] == [
        ("site", 5, 8, "AAC"),  # of AAA, AAC and ACG, which begin at 4 to 6, two or three each
    ]
    long = "C" * 700 + sequence + "C" * 300
    assert [(g["start"], g["end"]) for g in pipe(long)] == [(705, 708)]
