"""Stock repositories: the ids and logits of ours, with nothing of ours installed."""

import json
import random
import subprocess
import sys

import pytest
import torch
from transformers import AutoTokenizer

from dnabert_hf import (
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
    DNABertTokenizer,
    convert,
)
from dnabert_hf.hub.stock.tokenizer_json import build_stock_tokenizer

# Runs in a process that cannot import the package and trusts no remote code.
SCRIPT = """
import json, sys
sys.modules["dnabert_hf"] = None
import torch
import transformers

root, texts = sys.argv[1], json.loads(sys.argv[2])
for auto_class, task in json.loads(sys.argv[3]).items():
    folder = f"{root}/{auto_class}-stock"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    load = getattr(transformers, auto_class).from_pretrained
    model, report = load(folder, output_loading_info=True)
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    cut = tokenizer("ACGT" * 500, truncation=True)["input_ids"]
    with torch.no_grad():
        output = model.eval()(**inputs)[0]
    answers = transformers.pipeline(task, model=folder)(texts[0])
    facts = {"ids": inputs["input_ids"], "output": output, "cut": cut,
             "answers": json.dumps(answers, default=float),
             "missing": sorted(report["missing_keys"]), "class": type(model).__name__}
    torch.save(facts, f"{root}/{auto_class}.pt")
"""
TEXTS = ["ACGTACG[MASK]TACGUacgtN", "TTTGGGACACRT", "ATG TGG GGC"]
TASKS = {
    "AutoModel": "feature-extraction",
    "AutoModelForMaskedLM": "fill-mask",
    "AutoModelForSequenceClassification": "text-classification",
    "AutoModelForTokenClassification": "token-classification",
}
CLASSES = {
    "AutoModel": DNABertModel,
    "AutoModelForMaskedLM": DNABertForMaskedLM,
    "AutoModelForSequenceClassification": DNABertForSequenceClassification,
    "AutoModelForTokenClassification": DNABertForTokenClassification,
}


def test_plain_transformers_gives_our_ids_and_logits(tiny_config, tokenizer, tmp_path):
    tiny_config.id2label = {0: "background", 1: "promoter"}
    for auto_class, model_class in CLASSES.items():
        model_class(tiny_config).save_pretrained(tmp_path / auto_class)
        tokenizer.save_pretrained(tmp_path / auto_class)
        stock = tmp_path / f"{auto_class}-stock"
        convert(tmp_path / auto_class, stock, stock=True)
        assert {path.name for path in stock.iterdir()} == {
            ".gitattributes",
            "README.md",
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        }
        config = json.loads((stock / "config.json").read_text())
        assert config["model_type"] == "bert"
        assert not {"auto_map", "k", "token_pooling", "segment_pooling"} & set(config)
    arguments = [str(tmp_path), json.dumps(TEXTS), json.dumps(TASKS)]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *arguments],
        check=True,
        env={"PATH": "", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)},
    )
    inputs = tokenizer(TEXTS, padding=True, return_tensors="pt")
    for auto_class, model_class in CLASSES.items():
        facts = torch.load(tmp_path / f"{auto_class}.pt")
        assert facts["class"] == model_class.__name__.replace("DNABert", "Bert")
        assert facts["missing"] == []
        assert len(facts["cut"]) == 512
        assert torch.equal(facts["ids"], inputs["input_ids"])
        model = model_class.from_pretrained(tmp_path / auto_class).eval()
        with torch.no_grad():
            expected = model(**inputs)[0]
        assert float((facts["output"] - expected).abs().max()) <= 1e-6
        answers = json.loads(facts["answers"])
        if auto_class == "AutoModelForSequenceClassification":
            probabilities = expected[0].softmax(-1)
            best = tiny_config.id2label[int(probabilities.argmax())]
            # One text alone, where the batch has padding: other sums, the same to six digits.
            assert answers == [
                {"label": best, "score": pytest.approx(float(probabilities.max()), abs=1e-6)}
            ]
        if auto_class == "AutoModelForMaskedLM":  # k = 3: three k-mers lie over the masked base
            masked = expected[0][inputs["input_ids"][0] == 4].argmax(-1)
            likeliest = tokenizer.convert_ids_to_tokens(masked.tolist())
            assert [row[0]["token_str"] for row in answers] == likeliest


def test_the_original_becomes_stock_at_once_with_the_bias_twice(shapes, inputs, tmp_path):
    original = shapes.stock_model(3)
    source = shapes.write_original(tmp_path / "in", original)
    convert(source, tmp_path / "out", stock=True, mlm_bias="double")
    from transformers import AutoModelForMaskedLM

    model = AutoModelForMaskedLM.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        expected = original(**inputs).logits + original.cls.predictions.bias
        assert float((model(**inputs).logits - expected).abs().max()) <= 1e-6


def test_a_stock_repository_can_be_converted_back(tiny_config, tokenizer, tmp_path):
    model = DNABertForMaskedLM(tiny_config)
    model.save_pretrained(tmp_path / "full")
    tokenizer.save_pretrained(tmp_path / "full")
    convert(tmp_path / "full", tmp_path / "stock", stock=True)
    convert(tmp_path / "stock", tmp_path / "back")
    back = DNABertForMaskedLM.from_pretrained(tmp_path / "back").state_dict()
    assert all(torch.equal(value, back[name]) for name, value in model.state_dict().items())


def random_text(generator, k):
    """DNA as users write it: cases, U, N, other letters, white space, k-mers, masks, too short."""
    alphabet = generator.choice(
        ("ACGT", "ACGTacgt", "ACGTUacgtu", "ACGTACGTACGTN", "ACGTUNRYSWKMBDHVacgtunryswkmbdhv")
    )
    n = generator.choice((generator.randint(0, 2 * k), generator.randint(0, 120)))
    text = "".join(generator.choices(alphabet, k=n))
    words = [text[i : i + k] for i in range(n - k + 1)]
    form = generator.choice(("raw", "raw", "spaces", "masks", "kmers", "masked kmers", "specials"))
    if form == "kmers" and words:
        return generator.choice((" ", "  ", "\n")).join(words)
    if form == "masked kmers" and words:
        for _ in range(generator.randint(1, k)):
            words[generator.randrange(len(words))] = "[MASK]"
        return " ".join(words)
    inserted = {
        "spaces": (" ", "\n", "\t", "  ", "\r\n", "\xa0"),
        "masks": ("[MASK]",),
        "specials": ("[SEP]", "[UNK]", "[PAD]", "[CLS]"),
    }.get(form, ("",))
    for _ in range(generator.randint(1, 4)):
        at = generator.randint(0, len(text))
        if "[" not in text[max(at - 5, 0) : at + 5]:
            text = text[:at] + generator.choice(inserted) + text[at:]
    return text


def compare(k, n_texts):
    """Compare the ids of texts that ours takes, until there were so many of them."""
    generator = random.Random(k)
    ours, stock = DNABertTokenizer(k=k), build_stock_tokenizer(k)
    n_equal = n_too_short = 0
    while n_equal < n_texts:
        text = random_text(generator, k)
        ids = stock.encode(text).ids
        try:
            expected = ours(text, verbose=False)["input_ids"]
        except ValueError as error:
            if "[" not in text and "must have at least k" in str(error):
                assert ids == [2, 3], text
                n_too_short += 1
            continue
        assert ids == expected, text
        n_equal += 1
    assert n_too_short > n_texts / 100


@pytest.mark.parametrize("k", range(2, 9))
def test_ids_are_those_of_our_tokenizer(k):
    compare(k, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("k", [3, 4, 5, 6, 7, 8])
def test_ids_are_those_of_our_tokenizer_on_a_hundred_thousand_texts(k):
    compare(k, 100_000)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("AC", []),
        ("AC-GT", ["[UNK]"] * 3),
        ("ACG?T!.", ["ACG", *["[UNK]"] * 4]),
        ("ACGT CGTA", ["ACG", "CGT", "GTC", "TCG", "CGT", "GTA"]),  # 4-mers: DNA with a space
        ("ATG CCC", ["ATG", "CCC"]),  # 3-mers that do not overlap
    ],
)
def test_texts_that_ours_refuses_are_read_as_documented(text, tokens):
    assert build_stock_tokenizer(3).encode(text).tokens == ["[CLS]", *tokens, "[SEP]"]
    if text:
        with pytest.raises(ValueError, match=r"^sequence 0 \(0-based\) of the call"):
            DNABertTokenizer(k=3)(text)


def test_mask_alone_is_the_token():
    assert build_stock_tokenizer(3).encode("[MASK]").ids == [2, 4, 3]
    assert DNABertTokenizer(k=3)("[MASK]")["input_ids"] == [2, 4, 3]


def test_pairs_offsets_and_saving_work_as_for_any_fast_tokenizer(tmp_path):
    build_stock_tokenizer(3).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast"}'
    )
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    ours = DNABertTokenizer(k=3)("ATGGCT", "ACGT")
    pair = tokenizer("ATGGCT", "ACGT", return_token_type_ids=True, return_offsets_mapping=True)
    assert pair["input_ids"] == ours["input_ids"]
    assert pair["token_type_ids"] == ours["token_type_ids"]
    starts = [start for start, _ in pair["offset_mapping"]]
    assert starts == [0, 0, 1, 2, 3, 0, 0, 1, 0]
    tokenizer.save_pretrained(tmp_path / "again")
    again = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert again("AC[MASK]GT")["input_ids"] == [2, 4, 4, 4, 3]
