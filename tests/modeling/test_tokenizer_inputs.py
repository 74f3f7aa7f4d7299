"""What the tokenizer takes for DNA, and what it refuses: the same in every way to hand it over."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertTokenizer, pipeline

from dnabert_hf import (
    DataCollatorForContiguousKmerMasking,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertTokenizer,
    FillBasePipeline,
)

# Letters that no alphabet of nucleotides has, by Unicode block; each stands at position 7 below.
FOREIGN = {
    "Cyrillic Es": "\u0421",
    "Greek Alpha": "\u0391",
    "byte order mark": "\ufeff",
    "ellipsis": "\u2026",
    "en dash": "\u2013",
    "CJK": "\u6838",
    "fullwidth A": "\uff21",
    "emoji": "\U0001f9ec",
    "Latin-1": "\u00e9",
    "last of Latin-1": "\u00ff",
    "long s, which upper() makes an S": "\u017f",
    "sharp s, which upper() makes two": "\u00df",
    "zero width space": "\u200b",
    "NUL": "\0",
    "question mark": "?",
}
WAYS = {
    "text": lambda t, dna: t(dna),
    "list": lambda t, dna: t(["ACGTACGT", dna]),
    "batch with [MASK]": lambda t, dna: t(["ACG[MASK]ACGT", dna]),
    "bases hidden": lambda t, dna: t(dna + "[MASK]ACG"),
    "pair": lambda t, dna: t("ACGTACGT", dna),
    "pairs": lambda t, dna: t([("ACGTACGT", dna)]),
    "words": lambda t, dna: t([dna], is_split_into_words=True),
    "k-mer text": lambda t, dna: t(" ".join(dna[i : i + 3] for i in range(len(dna) - 2))),
    "UTF-8 bytes": lambda t, dna: t(dna.encode()),
    "tokenize": lambda t, dna: t.tokenize(dna),
    "lines": lambda t, dna: t("\n".join([dna[:4], dna[4:]])),
    "collator": lambda t, dna: DataCollatorForContiguousKmerMasking(t)([dna]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("letter", FOREIGN)
def test_letters_of_other_alphabets_are_refused_in_every_way(tokenizer, way, letter):
    dna = f"ACGTACG{FOREIGN[letter]}ACGTAA"
    with pytest.raises(ValueError, match="must hold nucleotides") as error:
        WAYS[way](tokenizer, dna)
    if way == "UTF-8 bytes":  # the first of its bytes
        assert repr(dna.encode()[7:8].decode("latin-1")) in str(error.value)
    else:
        assert repr(FOREIGN[letter]) in str(error.value)
    # k-mer 5 is the first with the letter, its last base; words are four characters apart.
    position = {"k-mer text": 5 * 4 + 2, "lines": 8}.get(way, 7)
    assert f"at position {position} (0-based)" in str(error.value)


@pytest.mark.parametrize("letter", FOREIGN)
def test_pipelines_and_datasets_refuse_them_too(tiny_config, tokenizer, letter):
    from datasets import Dataset

    dna = f"ACGTACG{FOREIGN[letter]}ACG[MASK]AAA"
    classifier, mlm = DNABertForSequenceClassification(tiny_config), DNABertForMaskedLM(tiny_config)
    pipes = [
        pipeline("text-classification", classifier, tokenizer=tokenizer),
        pipeline("fill-mask", mlm, tokenizer=tokenizer),
        pipeline("fill-mask", mlm, tokenizer=tokenizer, pipeline_class=FillBasePipeline),
    ]
    for pipe in pipes:
        with pytest.raises(ValueError, match=r"at position 7 \(0-based\)"):
            pipe(dna)
    with pytest.raises(ValueError, match=r"at position 7 \(0-based\)"):
        Dataset.from_dict({"sequence": [dna]}).map(lambda row: tokenizer(row["sequence"]))


AS_BYTES = {
    "bytes": b"ACGTACGT",
    "bytearray": bytearray(b"ACGTACGT"),
    "memoryview": memoryview(b"ACGTACGT"),
    "numpy.bytes_": np.bytes_(b"ACGTACGT"),
    "array of no dimension": np.array(b"ACGTACGT"),
}


@pytest.mark.parametrize("kind", AS_BYTES)
def test_bytes_are_text(tokenizer, kind):
    """As h5py, pysam and arrays of NumPy's type S hold DNA; a byte is a letter."""
    expected = tokenizer("ACGTACGT")["input_ids"]
    value = AS_BYTES[kind]
    assert tokenizer(value)["input_ids"] == expected
    assert tokenizer([value, "ACGTA"])["input_ids"] == tokenizer(["ACGTACGT", "ACGTA"])["input_ids"]
    pair = tokenizer("ACGTACGT", "ACGTACGT")["input_ids"]
    assert tokenizer(value, value)["input_ids"] == pair
    assert tokenizer([(value, value)])["input_ids"] == [pair]
    assert tokenizer([value], is_split_into_words=True)["input_ids"] == expected
    assert tokenizer.tokenize("ACGTACGT") == ["ACG", "CGT", "GTA", "TAC", "ACG", "CGT"]


def test_arrays_of_text_are_batches(tokenizer):
    expected = tokenizer(["ACGTACGT", "ACGTA"])["input_ids"]
    for dtype in ("S", "U", object):
        assert tokenizer(np.array(["ACGTACGT", "ACGTA"], dtype))["input_ids"] == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_arrays_of_single_bytes_may_be_either_and_are_refused(tokenizer, dtype):
    letters = np.frombuffer(b"ACGT", dtype)
    for value in (letters, [letters], letters[None], torch.from_numpy(letters.copy())):
        with pytest.raises(ValueError, match=r"text or ids, .* array.tobytes\(\)"):
            tokenizer(value)


def test_ids_are_taken_as_they_are(tokenizer):
    for ids in ([5, 9], (5, 9), np.array([5, 9]), torch.tensor([5, 9]), range(5, 10, 4)):
        assert tokenizer(ids)["input_ids"] == [2, 5, 9, 3]
    for batch in ([[5, 9]], np.array([[5, 9]]), torch.tensor([[5, 9]])):
        assert tokenizer(batch)["input_ids"] == [[2, 5, 9, 3]]


@pytest.mark.parametrize("ids", [[5, 9999], [5, -1], [[5, 6], [5, 69]], np.array([5, 2**40])])
def test_ids_out_of_range_are_refused(tokenizer, ids):
    with pytest.raises(ValueError, match=r"ids from 0 to 68, .* found .* at position 1 "):
        tokenizer(ids)


@pytest.mark.parametrize("missing", [None, float("nan"), 1.5, object()])
def test_missing_values_are_named(tokenizer, missing):
    import pandas as pd

    advice = r"sequence 1 .* must be a string, .* leave out or fill in what is missing"
    for batch in (["ACGTA", missing], pd.Series(["ACGTA", missing], dtype=object)):
        with pytest.raises(ValueError, match=advice):
            tokenizer(batch)
    with pytest.raises(ValueError, match=advice):
        tokenizer(["ACGTA", "ACGTA"], ["ACGTA", missing])
    with pytest.raises(ValueError, match="must be a string"):
        tokenizer([missing, "ACG"], is_split_into_words=True)
    with pytest.raises(ValueError, match=r"sequence 0 .* must be a string, .*'ACGT'"):
        tokenizer([("ACGT", missing)])


@pytest.mark.parametrize("added", ["ACGTACGT", "acgt", "NN", "GAATTC"])
def test_added_tokens_made_of_dna_are_found_in_every_path(added, tmp_path):
    """As BERT does over the same k-mer text; `other` takes the batch off the fast path."""
    tokenizer = DNABertTokenizer(k=3)
    assert tokenizer.add_tokens([added]) == 1
    tokenizer.save_pretrained(tmp_path)
    text = f"TTTG{added}CATT"
    expected = [2, *tokenizer("TTTG", add_special_tokens=False)["input_ids"], 69]
    expected += [*tokenizer("CATT", add_special_tokens=False)["input_ids"], 3]
    for each in (tokenizer, DNABertTokenizer.from_pretrained(tmp_path)):
        for other in ("ACGT", "ACG[MASK]T", "ACG\nT", "ATG TGA"):
            assert each([text, other])["input_ids"][0] == expected
        assert each(text)["input_ids"] == expected
        assert each.tokenize(text)[2] == added
    (file,) = DNABertTokenizer(k=3).save_vocabulary(str(tmp_path))
    bert = BertTokenizer(file, do_lower_case=False)
    bert.add_tokens([added])
    assert bert(f"TTT TTG {added} CAT ATT")["input_ids"] == expected


def test_adding_a_kmer_changes_nothing(tokenizer):
    before = tokenizer("TTACGTT", "ACG")["input_ids"]
    assert tokenizer.add_tokens(["ACG", "TTT"]) == 0
    assert tokenizer("TTACGTT", "ACG")["input_ids"] == before
    assert tokenizer(["TTACGTT", "A[MASK]GA"])["input_ids"][0] == tokenizer("TTACGTT")["input_ids"]


def test_ids_that_are_none_cannot_be_decoded(tokenizer):
    with pytest.raises(ValueError, match=r"from 0 to 68, .* got -100: labels have it where"):
        tokenizer.decode([2, 12, -100])
    with pytest.raises(ValueError, match=r"from 0 to 68, .* got -1$"):
        tokenizer.convert_ids_to_tokens([-1])


def test_cutting_the_second_needs_a_second(tokenizer):
    with pytest.raises(ValueError, match="needs a second sequence"):
        tokenizer("ACGTACGT", truncation="only_second", max_length=5)
    assert tokenizer("ACG", truncation="only_second", max_length=5)["input_ids"] == [2, 16, 3]


def test_the_five_special_tokens_cannot_be_changed(tokenizer, tmp_path):
    for name in ("pad", "unk", "cls", "sep", "mask"):
        with pytest.raises(ValueError, match=rf"{name}_token is \[{name.upper()}\] in every"):
            DNABertTokenizer(k=3, **{f"{name}_token": "<p>"})
        with pytest.raises(ValueError, match="cannot be changed"):
            setattr(tokenizer, f"{name}_token", "<p>")
        with pytest.raises(ValueError, match="cannot be changed"):
            setattr(tokenizer, f"{name}_token_id", 7)
        with pytest.raises(ValueError, match="cannot be changed"):
            tokenizer.add_special_tokens({f"{name}_token": "<p>"})
        setattr(tokenizer, f"{name}_token", f"[{name.upper()}]")  # what it is may be said
    tokenizer.bos_token = "<s>"  # the others are free
    tokenizer.save_pretrained(tmp_path)
    assert DNABertTokenizer.from_pretrained(tmp_path).bos_token == "<s>"


def test_vocab_is_the_vocabulary(tokenizer):
    assert tokenizer.vocab == tokenizer.get_vocab()
    assert tokenizer.vocab["ATG"] == 12


def test_tokenizer_module_needs_no_torch():
    """A Hub repository's tokenizer serves who has no torch: the file alone, torch out of reach."""
    path = Path(__file__).parents[2] / "modeling" / "tokenization_dnabert.py"
    code = f"""
import importlib.util, sys
sys.modules["torch"] = None
spec = importlib.util.spec_from_file_location("tokenization_dnabert", {str(path)!r})
module = importlib.util.module_from_spec(spec)
sys.modules["tokenization_dnabert"] = module
spec.loader.exec_module(module)
print(module.DNABertTokenizer(k=3)(["ATGGCT"], return_tensors="np")["input_ids"].tolist())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[[2, 12, 36, 67, 62, 3]]"
